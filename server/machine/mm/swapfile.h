// Swap areas: their slots, who refers to them, and swapon and swapoff. Which
// slot a page gets: the area of the highest priority, in turn between equals;
// in it the cluster of 512 slots that is being filled, then one that something
// was given back to, then one that is free.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SWAPFILE_H_
#define FAULTLINE_SERVER_MACHINE_MM_SWAPFILE_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"

namespace faultline {

inline SwapSlot& SlotOf(Kernel& k, SwpEntry entry) {
  return k.swap.infos[entry.type()].slots[entry.offset()];
}
inline const SwapSlot& SlotOf(const Kernel& k, SwpEntry entry) {
  return k.swap.infos[entry.type()].slots[entry.offset()];
}

// IS_SWAPFILE(): pages are swapped out to the file, and nobody else may write
// it or make it shorter (ETXTBSY).
bool IsSwapfile(const Kernel& k, Id<Inode> id);

// A slot without a reference yet; an invalid entry when there is none. The
// caller enters a page or a reference at once.
SwpEntry AllocSwapSlot(Kernel& k);
// swap_duplicate(): one more entry of a page table refers to it.
inline void SwapDuplicate(Kernel& k, SwpEntry entry) {
  SlotOf(k, entry).count++;
}
// swap_free(): one less; the slot is free when nothing is left.
void SwapFree(Kernel& k, SwpEntry entry);
// free_swap_and_cache(): and what the swap cache had for the last one goes.
void FreeSwapAndCache(Kernel& k, SwpEntry entry);
// swap_avail_head: the areas that have free slots, the best first.
void AddToAvail(Kernel& k, uint32_t type);
void DelFromAvail(Kernel& k, uint32_t type);

// The slot's page left the swap cache.
void SwapCacheLeft(Kernel& k, SwpEntry entry);

// A swap area of `pages` pages that is used from boot on: /dev/vda.
void SwapOnAtBoot(Kernel& k, uint64_t pages);
// swapon(2): of a file of the machine, or with an empty path of a new partition
// of `size` bytes. Returns the type.
ErrnoOr<uint64_t> DoSwapon(Kernel& k, const std::string& path, uint64_t size,
                           uint32_t flags);
// swapoff(2): everything that is in it is read back first. With an empty path
// the area of that type.
Errno DoSwapoff(Kernel& k, const std::string& path, uint32_t area);

// try_to_unuse() of one area. ENOMEM.
Errno TryToUnuse(Kernel& k, uint32_t type);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SWAPFILE_H_

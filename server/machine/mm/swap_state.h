// The swap cache: pages that are in memory and have a slot, on their way out or
// back in. It holds a reference to each; whoever else has the slot finds the
// page there instead of reading it a second time.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SWAP_STATE_H_
#define FAULTLINE_SERVER_MACHINE_MM_SWAP_STATE_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// One request to a swap area: a page that is written, or up to eight that are
// read. The area is a disk of its own.
inline constexpr uint64_t kSwapReadNs = 100'000;
inline constexpr uint64_t kSwapWriteNs = 100'000;

// add_to_swap_cache(), __delete_from_swap_cache(): `shadow` of an evicted page
// stays in the slot. Deleting drops the cache's reference, perhaps the last.
void AddToSwapCache(Kernel& k, Pfn pfn, SwpEntry entry);
void DeleteFromSwapCache(Kernel& k, Pfn pfn, uint32_t shadow = 0);

// folio_alloc_swap(): gives a page a slot and enters it. False: swap is full.
bool AllocSwap(Kernel& k, Pfn pfn);
// folio_free_swap(): takes the page out of the swap cache, dirty, when no entry
// refers to its slot. False: one does.
bool FreeSwapOf(Kernel& k, Pfn pfn);
// folio_swapped()
bool SwapReferenced(const Kernel& k, const Page& page);

// swap_writeout(): the page is clean afterwards.
void SwapWriteout(Kernel& k, Pfn pfn);

// The page of a slot, from the cache or read with its neighbours; with a
// reference. swapin_readahead(), swap_cache_get_folio().
struct SwapinResult {
  Pfn pfn;            // invalid: no memory, or nothing is in the slot any more
  bool read = false;  // it was not in the cache
  bool waited = false;  // … and the device had to be waited for
};
enum class Readahead : uint8_t { kNone, kWindow };
SwapinResult Swapin(Kernel& k, SwpEntry entry,
                    Readahead readahead = Readahead::kWindow);
// read_swap_cache_async(): of one slot, without neighbours or a reference; an
// invalid Pfn when there was no memory.
Pfn ReadSwapCache(Kernel& k, SwpEntry entry);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SWAP_STATE_H_

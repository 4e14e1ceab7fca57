// Addresses for pages that the direct map does not reach: kmap()'s, in a window
// of as many slots as a page table has entries, for as long as they are wanted;
// and kmap_local_page()'s, in a few slots of the CPU's, for a moment.
#ifndef FAULTLINE_SERVER_MACHINE_MM_HIGHMEM_H_
#define FAULTLINE_SERVER_MACHINE_MM_HIGHMEM_H_

#include <cstdint>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"

namespace faultline {

// LAST_PKMAP: 512 with PAE, 1024 without.
inline uint32_t LastPkmap(const Kernel& k) {
  return static_cast<uint32_t>(k.paging.entries());
}
// PKMAP_BASE, as with CONFIG_NR_CPUS 32. Below the fixmap are the CPUs' entry
// areas, the LDT's and pkmap, each rounded down to what a table translates.
inline uint64_t PkmapBase(const Kernel& k) {
  return k.paging.narrow() ? 0xfec00000 : 0xff000000;
}
// KM_MAX_IDX: of the slots that a CPU has, one less can be in use.
inline constexpr int kKmMaxIdx = 16;
// __fix_to_virt(FIX_KMAP_BEGIN + idx): from the top of the fixmap downwards.
// Before FIX_KMAP_BEGIN are a hole, the pages for the debug port and the early
// console, and those of the local and of 64 I/O APICs.
inline constexpr uint64_t kFixaddrTop = 0xfffff000;
inline constexpr int kFixKmapBegin = 68;
inline constexpr uint64_t FixKmapAddr(int idx) {
  return kFixaddrTop -
         (static_cast<uint64_t>(kFixKmapBegin + idx) << kPageShift);
}

// kmap(): the address; EINVAL: no such frame. EAGAIN: every slot is in use, and
// Linux would sleep until one is not (departure D44).
ErrnoOr<uint64_t> DoKmap(Kernel& k, uint64_t pfn);
// kunmap(): EINVAL, with a report, when it is not mapped.
Errno DoKunmap(Kernel& k, uint64_t pfn);

// kmap_local_page(), kmap_atomic(): the address; EINVAL: no such frame, or,
// with a report, no slot is left.
ErrnoOr<uint64_t> DoKmapLocal(Kernel& k, uint64_t pfn);
// kunmap_local(), kunmap_atomic(): EINVAL, with a report, of any slot but the
// one that was taken last, and of an address of user space.
Errno DoKunmapLocal(Kernel& k, uint64_t addr);

// page_address(): 0 for a page of high memory that is not mapped.
uint64_t PageAddressOf(const Kernel& k, Pfn pfn);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_HIGHMEM_H_

// The free addresses between the VMAs, found through the gaps of their tree
// (mm/vma_tree.h). Models mm/vma.c (v6.18): unmapped_area_topdown(),
// unmapped_area(); the walk is that of mm/mmap.c (v6.0).
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMA_HOLES_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMA_HOLES_H_

#include <cstdint>
#include <optional>

#include "server/machine/kernel.h"

namespace faultline {

// Where a search for free address space may look, and what it wants.
struct UnmappedAreaInfo {
  uint64_t length = 0;
  uint64_t low_limit = 0;
  uint64_t high_limit = 0;
};
// vm_unmapped_area(): the highest (lowest) address of a hole that fits, with
// stack_guard_gap kept below every VM_GROWSDOWN VMA. Going down, it remembers
// in mm.hole_memo what it has seen to be full.
std::optional<VirtAddr> UnmappedAreaTopdown(const Kernel& k, Mm& mm,
                                            UnmappedAreaInfo info);
std::optional<VirtAddr> UnmappedAreaBottomup(const Kernel& k, const Mm& mm,
                                             UnmappedAreaInfo info);
// The largest stretch of free addresses within [low, high), in bytes.
uint64_t LargestHole(const Kernel& k, const Mm& mm, VirtAddr low,
                     VirtAddr high);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMA_HOLES_H_

// The search for free addresses that Linux had in 2.6.32: it walks the VMAs
// from where the last search ended (free_area_cache) and remembers the largest
// hole that it left behind (cached_hole_size), to know when the walk must start
// over. The tree's gaps replaced both in 3.8.
//
// With the knob unmapped_area=2.6.32 this search places mappings. Without it
// the two fields keep their meaning beside the search of 6.18: RememberArea().
#ifndef FAULTLINE_SERVER_MACHINE_MM_UNMAPPED_AREA_2632_H_
#define FAULTLINE_SERVER_MACHINE_MM_UNMAPPED_AREA_2632_H_

#include <cstdint>
#include <optional>

#include "server/machine/kernel.h"

namespace faultline {

// Does the machine place mappings as 2.6.32 did?
bool PlacesAs2632(const Kernel& k);

// mm->get_unmapped_area, for a mapping that is not fixed: the address, or none
// (ENOMEM). `length` is not 0 and in whole pages.
std::optional<VirtAddr> GetUnmappedArea2632(Kernel& k, Mm& mm, uint64_t addr,
                                            uint64_t length, uint64_t flags);

// mm->unmap_area: addresses are free again. `below` and `above` are the VMAs
// on both sides of the hole.
void UnmapArea2632(const Kernel& k, Mm& mm, Id<Vma> below, Id<Vma> above);

// After a search of 6.18 that gave [addr, addr + length): that is where the
// search ended, and the largest hole between there and its beginning is what
// was left behind (mm.cached_hole_is_sought).
void RememberArea(Mm& mm, VirtAddr addr, uint64_t length, uint64_t flags);
// mm->cached_hole_size: what the walk of 2.6.32 remembered, or, after a search
// of 6.18, the largest hole that is there now.
uint64_t CachedHoleSize(const Kernel& k, const Mm& mm);

// What execve and fork begin with.
void ResetAreaCacheForExec(Mm& mm);
void ResetAreaCacheForFork(Mm& mm);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_UNMAPPED_AREA_2632_H_

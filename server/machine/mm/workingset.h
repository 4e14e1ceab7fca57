// Refault distance: a page that is evicted leaves a shadow with the time on the
// clock of evictions and activations. When it comes back so soon that the
// active pages could have made room for it, it becomes active at once. Models
// mm/workingset.c (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_MM_WORKINGSET_H_
#define FAULTLINE_SERVER_MACHINE_MM_WORKINGSET_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/mm/shrink_slab.h"

namespace faultline {

// workingset_eviction(): the shadow of a page that reclaim evicts; never 0.
uint32_t WorkingsetEviction(Kernel& k, const Page& page);
// workingset_refault(): a new page takes the place of what the shadow is of.
// REQUIRES: it is on no list yet.
void WorkingsetRefault(Kernel& k, Pfn pfn, uint32_t shadow);
// workingset_activation()
inline void WorkingsetActivation(Kernel& k, uint64_t pages) {
  k.lruvec.nonresident_age += pages;
}

// The shrinker of nodes that hold nothing but shadows: count_shadow_nodes(),
// scan_shadow_nodes(). An eighth of the pages there are may be such nodes, so
// that shadows reach back over all of memory even where each node has few.
uint64_t CountShadowNodes(const Kernel& k);
ShrinkResult ScanShadowNodes(Kernel& k, ShrinkControl& sc);

// lru_note_cost(): what it took to reclaim pages of this kind.
void LruNoteCost(Kernel& k, bool file, uint64_t ios, uint64_t rotated);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_WORKINGSET_H_

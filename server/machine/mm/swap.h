// How often a page was used, as reclaim sees it. Models mm/swap.c (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_MM_SWAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_SWAP_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// !folio_evictable(): reclaim must not look at it, because it is of a ramfs
// (AS_UNEVICTABLE), or a locked VMA maps it and the batch that moves such pages
// is through. The lists follow (mm/lru.h: UpdateEvictable()).
bool PageUnevictable(const Kernel& k, Pfn pfn, const Vma* by = nullptr);

// folio_mark_accessed(): inactive, unreferenced -> inactive, referenced ->
// active, unreferenced -> active, referenced. `by`: a VMA that maps the page
// and may have left the reverse map already.
void MarkPageAccessed(Kernel& k, Pfn pfn, const Vma* by = nullptr);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SWAP_H_

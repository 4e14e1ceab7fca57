// The huge pages that can be split when memory is short: those of which a part
// is mapped no more. Since 6.12 all are on the queue, because some may be found
// to hold little but zeros; but as long as khugepaged's max_ptes_none is 511,
// as it is here, none counts as underused, and they only leave the queue. And
// the huge zero page, which can go when no address space has it.
#ifndef FAULTLINE_SERVER_MACHINE_MM_DEFERRED_SPLIT_H_
#define FAULTLINE_SERVER_MACHINE_MM_DEFERRED_SPLIT_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/mm/shrink_slab.h"

namespace faultline {

// deferred_split_folio(): of a folio that is mapped for the first time, or
// (`partially`) has lost a part of its mappings.
void DeferredSplitFolio(Kernel& k, Id<LargeFolio> id, bool partially);
// Deletes the folio, which may be on the queue: folio_unqueue_deferred_split().
void DeleteLargeFolio(Kernel& k, Id<LargeFolio> id);

// The shrinkers of both: deferred_split_count(), deferred_split_scan(),
// shrink_huge_zero_folio_count(), shrink_huge_zero_folio_scan().
uint64_t DeferredSplitCount(const Kernel& k);
ShrinkResult DeferredSplitScan(Kernel& k, ShrinkControl& sc);
uint64_t HugeZeroCount(const Kernel& k);
ShrinkResult HugeZeroScan(Kernel& k, ShrinkControl& sc);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_DEFERRED_SPLIT_H_

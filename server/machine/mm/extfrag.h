// How fragmented the free memory of a zone is, for blocks of one order.
#ifndef FAULTLINE_SERVER_MACHINE_MM_EXTFRAG_H_
#define FAULTLINE_SERVER_MACHINE_MM_EXTFRAG_H_

#include "server/machine/mm/mmzone.h"

namespace faultline {

// fragmentation_index(), in thousandths: -1000 when there is such a block, else
// towards 0 when it is memory that lacks, and towards 1000 when it is order.
int FragmentationIndex(const Zone& zone, int order);
// unusable_free_index(), in thousandths: which part of the free memory is in
// smaller blocks.
int UnusableFreeIndex(const Zone& zone, int order);

// extfrag_for_order(): the same in hundredths; 0 when nothing is free.
uint64_t ExtfragForOrder(const Zone& zone, int order);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_EXTFRAG_H_

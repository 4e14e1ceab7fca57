// The merging of pages that compare equal; of use to ksm_scan.cc only.
#ifndef FAULTLINE_SERVER_MACHINE_MM_KSM_MERGE_H_
#define FAULTLINE_SERVER_MACHINE_MM_KSM_MERGE_H_

#include "server/machine/kernel.h"

namespace faultline {

// try_to_merge_with_zero_page(). True: nothing is left to do with the page.
bool MergeWithZeroPage(Kernel& k, Id<KsmRmapItem> item, Pfn pfn);
// try_to_merge_with_ksm_page(): the item's address maps kpage from now on. Not
// when there was a change meanwhile, or the contents are not the same.
bool MergeWithKsmPage(Kernel& k, Id<KsmRmapItem> item, Pfn pfn, Pfn kpage);
// try_to_merge_two_pages(): both addresses map `pfn`, which becomes a KSM page
// without a node yet.
bool MergeTwoPages(Kernel& k, Id<KsmRmapItem> item, Pfn pfn,
                   Id<KsmRmapItem> twin, Pfn twin_pfn);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KSM_MERGE_H_

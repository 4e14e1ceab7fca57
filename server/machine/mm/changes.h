// Changes between 6.1 and 6.18 that one file each knows of; those that several
// ask for are in personality.h. Each is true of the newer kernel.
#ifndef FAULTLINE_SERVER_MACHINE_MM_CHANGES_H_
#define FAULTLINE_SERVER_MACHINE_MM_CHANGES_H_

#include "server/machine/kernel.h"

namespace faultline::changes {

inline bool IsNewer(const Kernel& k) {
  return k.config.personality != Personality::kLinux61;
}

// 6.12: mmap with MAP_FIXED unmaps only when nothing can fail any more.
inline bool MmapUnmapsLast(const Kernel& k) { return IsNewer(k); }
// 6.9: madvise leaves a large folio alone that others may map; before, a page
// of it that others map, and then the rest of the page table too.
inline bool MadviseAsksFolio(const Kernel& k) { return IsNewer(k); }
// 6.15: a folio that a write finds in a page table is reused if only this
// process maps it; before, if only this entry does.
inline bool ReusesSplitFolio(const Kernel& k) { return IsNewer(k); }
// 6.13: a huge page that is split has its pages of zeros replaced by the zero
// page (TTU_USE_SHARED_ZEROPAGE).
inline bool SplitDropsZeros(const Kernel& k) { return IsNewer(k); }
// 6.6: smaps counts huge pages that PROT_NONE has taken (vm_normal_page_pmd()
// in place of follow_trans_huge_pmd()).
inline bool SmapsSeesHugeProtNone(const Kernel& k) { return IsNewer(k); }

// 6.18: pages none of which can be written without a fault are collapsed too
// (SCAN_PAGE_RO).
inline bool CollapsesReadOnly(const Kernel& k) { return IsNewer(k); }

// MREMAP_DONTUNMAP unlocks the whole area that its source is a part of. 6.1
// (6.1.192) splits the source off, and unlocks that.
inline bool DontunmapUnlocksAll(const Kernel& k) { return IsNewer(k); }
// What MREMAP_DONTUNMAP copies may become a part of its source; on 6.1
// (6.1.192) it does not even join the other neighbour then.
inline bool DontunmapJoinsSource(const Kernel& k) { return IsNewer(k); }

}  // namespace faultline::changes

#endif  // FAULTLINE_SERVER_MACHINE_MM_CHANGES_H_

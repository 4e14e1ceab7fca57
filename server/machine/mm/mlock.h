// mlock, munlock, mlockall, munlockall.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MLOCK_H_
#define FAULTLINE_SERVER_MACHINE_MM_MLOCK_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// mlock_vma_folio(): a VMA comes to map a page of a file. Where the VMA is
// locked the page waits in the batch, and while it does it counts as evictable;
// the batch ends with the command (departure D28).
void MlockVmaPage(Kernel& k, const Vma& vma, Pfn pfn);
// mlock_new_folio(): a page, or the first of so many, is born locked.
inline void MlockNewPage(Kernel& k, Page& page, uint64_t pages) {
  page.flags |= page_flag::kUnevictable;
  k.vmstat.events[kUnevictablePgsMlocked] += pages;
  k.vmstat.events[kUnevictablePgsCulled] += pages;
}
// mlock_drain_local(): the batch is through, and its pages are on the list
// where they belong. At the end of each command.
void MlockDrain(Kernel& k);

// mlock2(2); flags 0 is mlock(2), 1 MLOCK_ONFAULT.
Errno DoMlock(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
              uint64_t flags);
Errno DoMunlock(Kernel& k, Mm& mm, uint64_t addr, uint64_t length);
Errno DoMlockall(Kernel& k, Mm& mm, uint64_t flags);
Errno DoMunlockall(Kernel& k, Mm& mm);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MLOCK_H_

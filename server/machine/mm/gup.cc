// Models mm/gup.c (v6.18): __get_user_pages(), follow_page_pte(),
// populate_vma_page_range(), __mm_populate(). Nothing is pinned.
#include "server/machine/mm/gup.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/mlock.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

// follow_page_pte() with FOLL_TOUCH: what is found there counts as accessed,
// though its PTE does not become young. False: a fault must bring it first.
bool FollowPage(Kernel& k, const Vma& vma, VirtAddr addr, bool write) {
  const auto [ref, huge] = FindLeaf(std::as_const(k), k.mms[vma.mm], addr);
  if (!ref.ok()) return false;
  Pte pte = ReadPte(std::as_const(k), ref);
  if (!pte.hw_present() || (write && !pte.writable())) return false;
  if (huge) {  // touch_pmd(): on x86 nothing changes but for a write
    if (write) SetPte(k, ref, pte.With(Pte::kAccessed | DirtyBits(k)));
    return true;
  }
  if (!pte.special()) {
    if (write && !pte.dirty()) MarkPageDirty(k, pte.pfn());
    MarkPageAccessed(k, pte.pfn());
  }
  return true;
}

}  // namespace

Errno FaultIn(Kernel& k, Vma& vma, VirtAddr addr, bool write, Retry retry) {
  // A fault may have to be tried again, when memory is short.
  for (int tries = 0; !FollowPage(k, vma, addr, write); tries++) {
    VM_BUG_ON(tries == kMaxFaultRetries);
    FaultAccess access = write ? FaultAccess::kWrite : FaultAccess::kRead;
    uint32_t status = HandleMmFault(k, vma, addr, access, retry);
    if (status & vm_fault::kOom) return Errno::kENOMEM;
    if (status & vm_fault::kError) return Errno::kEFAULT;
  }
  return Errno::kOk;
}

Errno PopulateVma(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                  Retry retry) {
  if (vma.Has(vm::kLockOnFault)) return Errno::kOk;
  if (!VmaIsAccessible(vma)) return Errno::kEFAULT;
  bool write = (vma.flags & (vm::kWrite | vm::kShared)) == vm::kWrite;
  Errno e = Errno::kOk;
  for (VirtAddr a = start; a < end && e == Errno::kOk; a = a + kPageSize) {
    e = CurrentIsOomVictim(k) ? Errno::kEINTR
                              : FaultIn(k, vma, a, write, retry);
  }
  MlockDrain(k);  // lru_add_drain()
  return e;
}

Errno MmPopulate(Kernel& k, Mm& mm, VirtAddr start, uint64_t length,
                 OnError on_error) {
  VirtAddr end = start + length;
  if (end <= start) return Errno::kOk;
  MmapReadLock(mm);
  Id<Vma> at = FindVmaIntersection(k, mm, start, end);
  while (at && k.vmas[at].start < end) {
    Vma& vma = k.vmas[at];
    at = vma.next;
    if (vma.Has(vm::kIo | vm::kPfnMap)) continue;
    Errno e = PopulateVma(k, vma, std::max(start, vma.start),
                          std::min(end, vma.end), Retry::kAnew);
    if (e != Errno::kOk && on_error == OnError::kStop) return e;
  }
  return Errno::kOk;
}

}  // namespace faultline

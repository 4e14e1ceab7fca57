// Models mm/mlock.c (v6.18): do_mlock(), apply_vma_lock_flags(),
// mlock_fixup(), apply_mlockall_flags().
#include "server/machine/mm/mlock.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/gup.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

// mlock_pte_range(): what a range maps, folio by folio. PTEs that map a large
// one, page after page and in one table, count as one, and lock it only when
// they are all of it (allow_mlock_munlock()).
class MlockWalk {
 public:
  MlockWalk(Kernel& k, bool lock) : k_(k), lock_(lock) {}

  void Run(const Mm& mm, VirtAddr start, VirtAddr end) {
    ForEachPte(
        k_, mm, start, end,
        [&](VirtAddr addr, auto& entry) { OnPte(addr, Pte(entry)); },
        [&](VirtAddr, VirtAddr, PteRef at) {
          const Pte pmd = ReadPte(std::as_const(k_), at);
          if (!pmd.special()) Large(pmd.pfn());
          return Huge::kDone;
        });
    EndRun();
  }

 private:
  Pfn HeadOf(Pfn pfn) const {
    return FolioHead(std::as_const(k_).page(pfn), pfn);
  }
  void OnPte(VirtAddr addr, Pte pte) {
    const bool page = pte.present() && !pte.special();
    const Pfn pfn = page ? pte.pfn() : Pfn();
    const bool large =
        page && std::as_const(k_).page(pfn).Is(page_flag::kLarge);
    if (run_ > 0) {
      const bool next = large && addr == addr_ + run_ * kPageSize &&
                        pfn == first_ + PageCount(run_) &&
                        HeadOf(pfn) == HeadOf(first_) &&
                        k_.paging.RegionOf(addr) == k_.paging.RegionOf(addr_);
      if (next) {
        run_++;
        return;
      }
      EndRun();
    }
    if (large) {
      addr_ = addr;
      first_ = pfn;
      run_ = 1;
    } else if (page) {
      UpdateEvictable(k_, pfn);
    }
  }
  void EndRun() {
    const bool large =
        run_ > 0 &&
        (!lock_ || run_ == FolioPages(std::as_const(k_).page(first_)));
    if (large) Large(first_);
    run_ = 0;
  }
  void Large(Pfn pfn) {
    lock_ ? MlockLargeFolio(k_, pfn) : MunlockLargeFolio(k_, pfn);
  }

  Kernel& k_;
  const bool lock_;
  VirtAddr addr_;  // of the run of PTEs that map a large folio
  Pfn first_;
  uint64_t run_ = 0;
};

// mlock_fixup(). Sets *changed to the VMA that holds the range now.
Errno MlockFixup(Kernel& k, Mm& mm, Vma& vma, VirtAddr start, VirtAddr end,
                 uint64_t flags, Id<Vma>* changed) {
  const uint64_t old = vma.flags;
  *changed = vma.id;
  if (flags == old || vma.Has(vm::kSpecial | vm::kDroppable)) {
    return Errno::kOk;
  }
  *changed = FL_TRY_VALUE(VmaModify(k, vma, start, end, flags, vma.name));
  uint64_t pages = (end - start) >> kPageShift;
  if (!(flags & vm::kLocked)) {
    mm.locked_vm -= pages;
  } else if (!(old & vm::kLocked)) {
    mm.locked_vm += pages;
  }
  SetVmaFlags(k.vmas[*changed], flags);
  // mlock_vma_pages_range()
  if ((old ^ flags) & vm::kLocked) {
    MlockWalk(k, (flags & vm::kLocked) != 0).Run(mm, start, end);
  }
  return Errno::kOk;
}

// apply_vma_lock_flags(): `lock` is VM_LOCKED, VM_LOCKONFAULT or neither.
Errno ApplyLockFlags(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end,
                     uint64_t lock) {
  if (end < start) return Errno::kEINVAL;
  if (end == start) return Errno::kOk;
  Id<Vma> at = FindVma(k, mm, start);
  if (!at || k.vmas[at].start > start) return Errno::kENOMEM;
  VirtAddr reached = start;
  while (at && k.vmas[at].start < end) {
    Vma& vma = k.vmas[at];
    if (vma.start > reached) return Errno::kENOMEM;
    uint64_t flags = (vma.flags & ~vm::kLockedMask) | lock;
    FL_TRY(MlockFixup(k, mm, vma, reached, std::min(vma.end, end), flags, &at));
    reached = k.vmas[at].end;
    at = k.vmas[at].next;
  }
  return reached < end ? Errno::kENOMEM : Errno::kOk;
}

// count_mm_mlocked_page_nr(): what of the range is locked already.
uint64_t CountLocked(Kernel& k, Mm& mm, VirtAddr start, uint64_t length) {
  uint64_t count = 0;
  VirtAddr end = start + length;
  if (end < start) end = VirtAddr(~uint64_t{0});
  for (Id<Vma> at = FindVma(k, mm, start); at && k.vmas[at].start < end;
       at = k.vmas[at].next) {
    const Vma& vma = k.vmas[at];
    if (!vma.Has(vm::kLocked)) continue;
    count += std::min(vma.end, end) - std::max(vma.start, start);
  }
  return count >> kPageShift;
}

// __mlock_posix_error_return()
Errno PosixError(Errno e) {
  if (e == Errno::kEFAULT) return Errno::kENOMEM;
  return e == Errno::kENOMEM ? Errno::kEAGAIN : e;
}

}  // namespace

void MlockVmaPage(Kernel& k, const Vma& vma, Pfn pfn) {
  constexpr size_t kPagevecSize = 31;
  if (!vma.Has(vm::kLocked) || PageUnevictable(std::as_const(k), pfn)) return;
  k.mlock_batch.push_back(pfn);
  k.mlock_moves.push_back(pfn);
  if (k.mlock_batch.size() == kPagevecSize) k.mlock_batch.clear();
}

void MlockDrain(Kernel& k) {
  k.mlock_batch.clear();
  for (const Pfn pfn : k.mlock_moves) UpdateEvictable(k, pfn);
  k.mlock_moves.clear();
}

Errno DoMlock(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
              uint64_t flags) {
  constexpr uint64_t kMlockOnfault = 1;
  if (flags & ~kMlockOnfault) return Errno::kEINVAL;
  if (!CanDoMlock(k)) return Errno::kEPERM;
  MmapWriteLock(mm);
  uint64_t bytes = PageAlign(length + (addr & ~kPageMask));
  VirtAddr start(addr & kPageMask);
  uint64_t limit = k.Current().rlim[kRlimitMemlock].soft >> kPageShift;
  uint64_t locked = (bytes >> kPageShift) + mm.locked_vm;
  if (locked > limit && !k.Capable(Cap::kIpcLock)) {
    locked -= CountLocked(k, mm, start, bytes);
  }
  if (locked > limit && !k.Capable(Cap::kIpcLock)) return Errno::kENOMEM;
  uint64_t lock = vm::kLocked;
  if (flags & kMlockOnfault) lock |= vm::kLockOnFault;
  FL_TRY(ApplyLockFlags(k, mm, start, start + bytes, lock));
  return PosixError(MmPopulate(k, mm, start, bytes, OnError::kStop));
}

Errno DoMunlock(Kernel& k, Mm& mm, uint64_t addr, uint64_t length) {
  MmapWriteLock(mm);
  uint64_t bytes = PageAlign(length + (addr & ~kPageMask));
  VirtAddr start(addr & kPageMask);
  return ApplyLockFlags(k, mm, start, start + bytes, 0);
}

Errno DoMlockall(Kernel& k, Mm& mm, uint64_t flags) {
  constexpr uint64_t kCurrent = 1, kFuture = 2, kOnfault = 4;
  if (flags == 0 || (flags & ~(kCurrent | kFuture | kOnfault)) != 0 ||
      flags == kOnfault) {
    return Errno::kEINVAL;
  }
  if (!CanDoMlock(k)) return Errno::kEPERM;
  MmapWriteLock(mm);
  uint64_t limit = k.Current().rlim[kRlimitMemlock].soft >> kPageShift;
  if ((flags & kCurrent) && mm.total_vm > limit && !k.Capable(Cap::kIpcLock)) {
    return Errno::kENOMEM;
  }
  uint64_t lock = vm::kLocked;
  if (flags & kOnfault) lock |= vm::kLockOnFault;
  mm.def_flags &= ~vm::kLockedMask;
  if (flags & kFuture) mm.def_flags |= lock;
  if (!(flags & kCurrent)) return Errno::kOk;
  // Errors of single VMAs are ignored.
  for (Id<Vma> at = mm.mmap; at;) {
    Vma& vma = k.vmas[at];
    uint64_t vm_flags = (vma.flags & ~vm::kLockedMask) | lock;
    (void)MlockFixup(k, mm, vma, vma.start, vma.end, vm_flags, &at);
    at = k.vmas[at].next;
  }
  (void)MmPopulate(k, mm, VirtAddr(0), mm.task_size, OnError::kIgnore);
  return Errno::kOk;
}

Errno DoMunlockall(Kernel& k, Mm& mm) {
  MmapWriteLock(mm);
  mm.def_flags &= ~vm::kLockedMask;
  for (Id<Vma> at = mm.mmap; at;) {
    Vma& vma = k.vmas[at];
    uint64_t flags = vma.flags & ~vm::kLockedMask;
    (void)MlockFixup(k, mm, vma, vma.start, vma.end, flags, &at);
    at = k.vmas[at].next;
  }
  return Errno::kOk;
}

}  // namespace faultline

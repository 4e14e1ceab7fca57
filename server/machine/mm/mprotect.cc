// Models mm/mprotect.c (v6.18): do_mprotect_pkey(), mprotect_fixup(),
// change_pte_range().
#include "server/machine/mm/mprotect.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/gup.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

// can_change_pte_writable(): the write needs no fault any more.
bool CanChangePteWritable(const Kernel& k, const Vma& vma, Pte pte) {
  if (pte.special()) return false;
  if (VmaSoftDirtyEnabled(k, vma) && !pte.soft_dirty()) return false;
  if (vma.Has(vm::kShared)) return VmaWantsWritenotify(k, vma) && pte.dirty();
  const Page& page = k.page(pte.pfn());
  return page.Is(page_flag::kAnon) && page.Is(page_flag::kAnonExclusive);
}

// mprotect_folio_pte_batch(): PTEs of one large folio change together, and each
// of them gets the accessed and dirty bits that any of them had.
class FolioPteBatch {
 public:
  FolioPteBatch(const Kernel& k, VirtAddr end) : k_(k), end_(end) {}

  // What the entry at `addr` has by its batch.
  uint64_t HardwareBits(VirtAddr addr, const uint64_t& entry) {
    if (addr >= batch_end_) Begin(addr, &entry);
    return bits_;
  }
  // Where entries have 4 bytes there are no large folios.
  static uint64_t HardwareBits(VirtAddr, const NarrowSlot&) { return 0; }

 private:
  void Begin(VirtAddr addr, const uint64_t* entry) {
    constexpr uint64_t kRespected = Pte::kWrite | Pte::kSoftDirty;
    const Pte first(*entry);
    bits_ = 0;
    batch_end_ = addr + kPageSize;
    if (!k_.quirks.mprotect_batches || first.special()) return;
    if (!k_.page(first.pfn()).Is(page_flag::kLarge)) return;
    const VirtAddr stop = std::min(end_, k_.paging.RegionEnd(addr));
    bits_ = first.value();
    for (uint64_t i = 1; batch_end_ < stop; i++) {
      const Pte pte(entry[i]);
      const Pfn pfn = first.pfn() + PageCount(i);
      if (!pte.present() || pte.pfn() != pfn || IsFolioHead(pfn) ||
          ((pte.value() ^ first.value()) & kRespected) != 0) {
        break;
      }
      bits_ |= pte.value();
      batch_end_ = batch_end_ + kPageSize;
    }
    bits_ &= Pte::kAccessed | Pte::kDirty;
  }
  // Another folio begins.
  bool IsFolioHead(Pfn pfn) const {
    return FolioHead(k_.page(pfn), pfn) == pfn;
  }

  const Kernel& k_;
  const VirtAddr end_;
  VirtAddr batch_end_;
  uint64_t bits_ = 0;
};

// change_protection(): the new protection enters every PTE.
void ChangeProtection(Kernel& k, const Vma& vma, VirtAddr start, VirtAddr end) {
  constexpr uint64_t kKeep = Pte::kPfnMask | Pte::kAccessed | Pte::kDirty |
                             Pte::kSpecial | Pte::kSoftDirty;
  const Mm& mm = k.mms[vma.mm];
  // pte_modify(): what the hardware noticed stays as it is.
  const uint64_t prot = VmPageProt(k, vma) & ~kKeep;
  // A TLB entry that permits more than its PTE must go; one that permits
  // less faults, and the fault finds nothing to do. Linux flushes both.
  bool flush = false;
  FolioPteBatch batch(k, end);
  auto change_pte = [&](VirtAddr addr, auto& entry) {
    Pte old(entry);
    if (!old.present()) return;
    const uint64_t by_batch = batch.HardwareBits(addr, entry);
    Pte pte((old.value() & kKeep) | by_batch | prot);
    if (vma.Has(vm::kWrite) && !pte.writable() &&
        CanChangePteWritable(std::as_const(k), vma, pte)) {
      pte = pte.With(Pte::kWrite);
    }
    entry = pte.value();
    flush = true;
  };
  // change_pmd_range()
  auto change_huge = [&](VirtAddr from, VirtAddr to, PteRef pmd) {
    if (to - from < kPmdSize) {
      SplitHugePmd(k, vma, from);
      return Huge::kSplit;
    }
    ChangeHugePmd(k, vma, pmd);
    flush = true;
    return Huge::kDone;
  };
  ForEachPte(k, mm, start, end, change_pte, change_huge);
  if (flush) FlushTlbRange(k, mm, start, end);
}

// mprotect_fixup(). Sets *changed to the VMA that holds the range now.
Errno MprotectFixup(Kernel& k, Mm& mm, Vma& vma, VirtAddr start, VirtAddr end,
                    uint64_t flags, Id<Vma>* changed) {
  const uint64_t old = vma.flags;
  const uint64_t pages = (end - start) >> kPageShift;
  *changed = vma.id;
  if (vma.Has(vm::kSealed)) return Errno::kEPERM;
  if (flags == old) return Errno::kOk;
  uint64_t charged = 0;
  if (flags & vm::kWrite) {
    if (!MayExpandVm(k, mm, flags, pages) && MayExpandVm(k, mm, old, pages)) {
      return Errno::kENOMEM;
    }
    constexpr uint64_t kNeedsNone =
        vm::kAccount | vm::kWrite | vm::kHugeTlb | vm::kShared | vm::kNoReserve;
    if (!(old & kNeedsNone)) {
      FL_TRY(VmEnoughMemory(k, mm, pages));
      charged = pages;
      flags |= vm::kAccount;
    }
  } else if ((old & vm::kAccount) && vma.anonymous() && !vma.anon_vma &&
             k.quirks.mprotect_drops_account) {
    flags &= ~vm::kAccount;
  }
  auto modified = VmaModify(k, vma, start, end, flags, vma.name);
  if (!modified.ok()) {
    k.vm_committed -= charged;
    return modified.error();
  }
  *changed = modified.value();
  Vma& now = k.vmas[*changed];
  k.Emit(EventLevel::kAll, VmaChange{start.value(), end.value(), old, flags});
  SetVmaFlags(now, flags);
  ChangeProtection(k, now, start, end);
  if ((old & vm::kAccount) && !(flags & vm::kAccount)) k.vm_committed -= pages;
  // A locked private mapping that becomes writable is copied at once.
  constexpr uint64_t kMask = vm::kWrite | vm::kShared | vm::kLocked;
  if ((old & kMask) == vm::kLocked && (flags & vm::kWrite)) {
    (void)PopulateVma(k, now, start, end);
  }
  VmStatAccount(mm, old, -static_cast<int64_t>(pages));
  VmStatAccount(mm, flags, static_cast<int64_t>(pages));
  return Errno::kOk;
}

}  // namespace

Errno DoMprotect(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
                 uint64_t prot) {
  const uint64_t grows = prot & (mman::kProtGrowsDown | mman::kProtGrowsUp);
  prot &= ~(mman::kProtGrowsDown | mman::kProtGrowsUp);
  if (grows == (mman::kProtGrowsDown | mman::kProtGrowsUp)) {
    return Errno::kEINVAL;
  }
  if (addr & ~kPageMask) return Errno::kEINVAL;
  if (length == 0) return Errno::kOk;
  VirtAddr start(addr), end(addr + PageAlign(length));
  if (end <= start) return Errno::kENOMEM;
  // arch_validate_prot()
  if (prot & ~(vm::kAccessFlags | mman::kProtSem)) return Errno::kEINVAL;
  MmapWriteLock(mm);
  Id<Vma> at = FindVmaIntersection(k, mm, start, end);
  if (!at) return Errno::kENOMEM;
  if (grows == mman::kProtGrowsDown) {
    start = k.vmas[at].start;
    if (!k.vmas[at].Has(vm::kGrowsDown)) return Errno::kEINVAL;
  } else {
    if (k.vmas[at].start > start) return Errno::kENOMEM;
    if (grows == mman::kProtGrowsUp) return Errno::kEINVAL;
  }
  VirtAddr reached = start;
  while (at && k.vmas[at].start < end) {
    Vma& vma = k.vmas[at];
    if (vma.start > reached) return Errno::kENOMEM;
    uint64_t flags = VmFlagsOfProt(prot) | (vma.flags & ~vm::kAccessFlags);
    if ((flags & ~(flags >> 4)) & vm::kAccessFlags) return Errno::kEACCES;
    if (MapDenyWriteExec(mm, vma.flags, flags)) return Errno::kEACCES;
    FL_TRY(
        MprotectFixup(k, mm, vma, reached, std::min(vma.end, end), flags, &at));
    reached = k.vmas[at].end;
    at = k.vmas[at].next;
  }
  return reached < end ? Errno::kENOMEM : Errno::kOk;
}

}  // namespace faultline

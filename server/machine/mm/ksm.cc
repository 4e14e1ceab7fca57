// Whom ksmd scans, and the way back: unmerging. Models mm/ksm.c (v6.18):
// __ksm_enter(), __ksm_exit(), ksm_madvise(), break_ksm(), run_store(),
// unmerge_and_remove_all_rmap_items(); include/linux/ksm.h: ksm_fork().
#include "server/machine/mm/ksm.h"

#include <utility>
#include <vector>

#include "server/machine/mm/ksm_tree.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {
namespace {

// ksm_compatible()
bool Compatible(uint64_t flags) {
  return (flags & (vm::kShared | vm::kMayShare | vm::kSpecial | vm::kHugeTlb |
                   vm::kDroppable)) == 0;
}

void LinkSlot(Ksm& ksm, Id<KsmMmSlot> id, Id<KsmMmSlot> before) {
  KsmMmSlot& slot = ksm.slots[id];
  slot.next = before;
  slot.prev = before ? ksm.slots[before].prev : ksm.last_slot;
  (slot.prev ? ksm.slots[slot.prev].next : ksm.first_slot) = id;
  (before ? ksm.slots[before].prev : ksm.last_slot) = id;
}
void UnlinkSlot(Ksm& ksm, Id<KsmMmSlot> id) {
  const KsmMmSlot slot = ksm.slots[id];
  (slot.prev ? ksm.slots[slot.prev].next : ksm.first_slot) = slot.next;
  (slot.next ? ksm.slots[slot.next].prev : ksm.last_slot) = slot.prev;
}

// __ksm_enter(): just behind the scan's cursor, so that a child that executes
// another program at once costs nothing.
void Enter(Kernel& k, Mm& mm) {
  Ksm& ksm = k.ksm;
  if (mm.ksm_slot) return;
  const Id<KsmMmSlot> id = ksm.slots.New();
  ksm.slots[id].mm = mm.id;
  mm.ksm_slot = id;
  const bool unmerged = k.sysctl.ksm.run == kKsmUnmerge;
  LinkSlot(ksm, id, unmerged ? Id<KsmMmSlot>() : ksm.scan_slot);
}

bool HasKsmPages(const Vma& vma) {
  return vma.Has(vm::kMergeable) && vma.anon_vma;
}

// unmerge_and_remove_all_rmap_items()
Errno UnmergeAll(Kernel& k) {
  Ksm& ksm = k.ksm;
  for (Id<KsmMmSlot> id = ksm.first_slot, next; id; id = next) {
    const Id<Mm> mm = ksm.slots[id].mm;
    if (mm) MmapReadLock(k.mms[mm]);
    Id<Vma> at = mm ? k.mms[mm].mmap : Id<Vma>();
    for (; at; at = k.vmas[at].next) {
      Vma& vma = k.vmas[at];
      if (HasKsmPages(vma)) FL_TRY(BreakKsm(k, vma, vma.start, vma.end));
    }
    RemoveTrailing(k, &ksm.slots[id].rmap_list);
    next = ksm.slots[id].next;
    if (!mm) FreeKsmSlot(k, id);
  }
  (void)RemoveAllStableNodes(k);
  ksm.seqnr = 0;
  return Errno::kOk;
}

// The unstable tree is given up as that of an earlier scan is. Linux erases
// from what replaces it afterwards.
void ForgetUnstableTree(Ksm& ksm) {
  for (Id<KsmMmSlot> id = ksm.first_slot; id; id = ksm.slots[id].next) {
    for (auto at = ksm.slots[id].rmap_list; at;
         at = ksm.rmap_items[at].rmap_list) {
      KsmRmapItem& item = ksm.rmap_items[at];
      if (item.tree == KsmTree::kUnstable) item.seqnr = ksm.seqnr - 1;
    }
  }
}

}  // namespace

void FreeKsmSlot(Kernel& k, Id<KsmMmSlot> id) {
  if (Id<Mm> mm = k.ksm.slots[id].mm) {
    k.mms[mm].ksm_slot = {};
    k.mms[mm].ksm_merge_any = false;
  }
  UnlinkSlot(k.ksm, id);
  k.ksm.slots.Delete(id);
}

Errno KsmStoreRun(Kernel& k, uint64_t run) {
  if (run > kKsmUnmerge) return Errno::kEINVAL;
  if (run == kKsmMerge) k.ksm.wake_ns = k.clock_ns;
  if (std::exchange(k.sysctl.ksm.run, run) == run || run != kKsmUnmerge) {
    return Errno::kOk;
  }
  const Errno e = UnmergeAll(k);
  k.ksm.scan_slot = {};
  if (e == Errno::kOk) return e;
  ForgetUnstableTree(k.ksm);
  k.sysctl.ksm.run = kKsmStop;
  return e;
}

Errno KsmStoreMaxPageSharing(Kernel& k, uint64_t max) {
  if (k.sysctl.ksm.max_page_sharing == max) return Errno::kOk;
  if (k.ksm.pages_shared > 0 || !RemoveAllStableNodes(k)) return Errno::kEBUSY;
  k.sysctl.ksm.max_page_sharing = max;
  return Errno::kOk;
}

Errno KsmMadviseMergeable(Kernel& k, const Vma& vma, uint64_t* flags) {
  if (vma.Has(vm::kMergeable) || !Compatible(vma.flags)) return Errno::kOk;
  Enter(k, k.mms[vma.mm]);
  *flags |= vm::kMergeable;
  return Errno::kOk;
}

Errno KsmMadviseUnmergeable(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                            uint64_t* flags) {
  if (HasKsmPages(vma)) FL_TRY(BreakKsm(k, vma, start, end));
  *flags &= ~vm::kMergeable;
  return Errno::kOk;
}

uint64_t KsmVmaFlags(const Mm& mm, uint64_t flags) {
  return mm.ksm_merge_any && Compatible(flags) ? flags | vm::kMergeable : flags;
}

Errno KsmEnableMergeAny(Kernel& k, Mm& mm) {
  if (std::exchange(mm.ksm_merge_any, true)) return Errno::kOk;
  Enter(k, mm);
  for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
    Vma& vma = k.vmas[at];
    if (Compatible(vma.flags)) vma.flags |= vm::kMergeable;
  }
  return Errno::kOk;
}

Errno KsmDisableMergeAny(Kernel& k, Mm& mm) {
  if (!mm.ksm_merge_any) return Errno::kOk;
  for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
    Vma& vma = k.vmas[at];
    if (HasKsmPages(vma)) {
      if (Errno e = BreakKsm(k, vma, vma.start, vma.end); e != Errno::kOk) {
        mm.ksm_merge_any = false;
        (void)KsmEnableMergeAny(k, mm);  // as it was
        return e;
      }
    }
    vma.flags &= ~vm::kMergeable;
  }
  mm.ksm_merge_any = false;
  return Errno::kOk;
}

void KsmFork(Kernel& k, Mm& child, const Mm& parent) {
  child.ksm_merge_any = parent.ksm_merge_any;
  if (parent.ksm_slot) Enter(k, child);
}

void KsmExecve(Kernel& k, Mm& mm, const Mm& old) {
  mm.ksm_merge_any = old.ksm_merge_any;
  if (mm.ksm_merge_any) Enter(k, mm);
}

// __ksm_exit(): with items, or under the cursor, ksmd is to free it.
void KsmExit(Kernel& k, Mm& mm) {
  Ksm& ksm = k.ksm;
  const Id<KsmMmSlot> id = mm.ksm_slot;
  if (!id) return;
  if (ksm.scan_slot != id && !ksm.slots[id].rmap_list) {
    return FreeKsmSlot(k, id);
  }
  mm.ksm_slot = {};
  ksm.slots[id].mm = {};
  if (ksm.scan_slot == id) return;
  UnlinkSlot(ksm, id);
  const Id<KsmMmSlot> next =
      ksm.scan_slot ? ksm.slots[ksm.scan_slot].next : ksm.first_slot;
  LinkSlot(ksm, id, next);
}

Errno BreakKsm(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end) {
  const FaultAccess access =
      k.quirks.ksm_break_unshares ? FaultAccess::kUnshare : FaultAccess::kWrite;
  std::vector<VirtAddr> merged;
  ForEachPte(std::as_const(k), std::as_const(k.mms)[vma.mm], start, end,
             [&](VirtAddr addr, Pte pte) {
               const bool page =
                   pte.present() && !pte.special() &&
                   std::as_const(k).page(pte.pfn()).Is(page_flag::kKsm);
               if (page || IsKsmZeroPte(k, pte)) merged.push_back(addr);
             });
  const Id<Mm> borrowed = std::exchange(k.borrowed_mm, vma.mm);
  Errno e = Errno::kOk;
  for (VirtAddr addr : merged) {
    const uint32_t status = HandleMmFault(k, vma, addr, access);
    if (status & vm_fault::kOom) e = Errno::kENOMEM;
    if (e != Errno::kOk) break;
  }
  k.borrowed_mm = borrowed;
  return e;
}

}  // namespace faultline

// Models mm/mremap.c (v6.18): do_mremap(), remap_move(), mremap_to(),
// expand_vma(), move_vma(), move_page_tables(); mm/vma.c: copy_vma().
// 6.1 checks in another order (CheckParams61) and moves one VMA at a time.
// Departures: D11 (page tables are moved entry by entry, never whole).
#include "server/machine/mm/mremap.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/gup.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

constexpr uint64_t kMayMove = 1, kFixed = 2, kDontUnmap = 4;

// struct vma_remap_struct.
struct Remap {
  Mm& mm;
  VirtAddr addr;
  uint64_t old_len;
  uint64_t new_len;
  uint64_t flags;
  VirtAddr new_addr;
  Id<Vma> vma;
  uint64_t charged = 0;  // pages
  bool populate_expand = false;

  bool shrinks() const { return old_len > new_len; }
  bool expands() const { return old_len < new_len; }
  // vrm_implies_new_addr()
  bool to_new_addr() const { return flags & (kFixed | kDontUnmap); }
  uint64_t delta() const {
    return shrinks() ? old_len - new_len : new_len - old_len;
  }
};

Id<Vma> VmaLookup(Kernel& k, Mm& mm, VirtAddr addr) {
  Id<Vma> id = FindVma(k, mm, addr);
  return id && k.vmas[id].start <= addr ? id : Id<Vma>();
}

// Where a move is to: of do_mremap()'s checks the last.
Errno CheckTarget(const Kernel& k, const Remap& r) {
  if (r.new_addr.value() > r.mm.task_size - r.new_len) return Errno::kEINVAL;
  if (r.new_len > r.mm.task_size) return Errno::kEINVAL;
  if (!r.new_addr.aligned()) return Errno::kEINVAL;
  if (r.addr < r.new_addr + r.new_len && r.new_addr < r.addr + r.old_len) {
    return Errno::kEINVAL;
  }
  // A move needs up to four VMAs more.
  if (r.mm.map_count + 2 >= k.sysctl.max_map_count - 3) return Errno::kENOMEM;
  return Errno::kOk;
}

// check_mremap_params()
Errno CheckParams(const Kernel& k, const Remap& r) {
  if (r.flags & ~(kMayMove | kFixed | kDontUnmap)) return Errno::kEINVAL;
  if (!r.addr.aligned()) return Errno::kEINVAL;
  if (r.new_len == 0 || r.new_len > r.mm.task_size) return Errno::kEINVAL;
  if (!r.to_new_addr()) return Errno::kOk;
  if (!(r.flags & kMayMove)) return Errno::kEINVAL;
  if ((r.flags & kDontUnmap) && r.old_len != r.new_len) return Errno::kEINVAL;
  return CheckTarget(k, r);
}

// What 6.1 checks before it looks for the source; where a move is to comes
// after that.
Errno CheckParams61(const Remap& r, const Mremap& call) {
  if (r.flags & ~(kMayMove | kFixed | kDontUnmap)) return Errno::kEINVAL;
  if (r.to_new_addr() && !(r.flags & kMayMove)) return Errno::kEINVAL;
  if ((r.flags & kDontUnmap) && call.old_length != call.new_length) {
    return Errno::kEINVAL;
  }
  return !r.addr.aligned() || r.new_len == 0 ? Errno::kEINVAL : Errno::kOk;
}

// check_prep_vma()
Errno CheckVma(Kernel& k, Remap& r) {
  if (!r.vma) return Errno::kEFAULT;
  const Vma& vma = k.vmas[r.vma];
  if (vma.Has(vm::kSealed)) return Errno::kEPERM;
  if (!r.to_new_addr()) r.new_addr = r.addr;
  if (!r.expands() && !r.to_new_addr()) return Errno::kOk;
  if (r.old_len == 0 && !vma.Has(vm::kShared | vm::kMayShare)) {
    return Errno::kEINVAL;
  }
  constexpr uint64_t kRigid = vm::kDontExpand | vm::kPfnMap;
  if ((r.flags & kDontUnmap) && vma.Has(kRigid)) return Errno::kEINVAL;
  if (std::min(r.old_len, r.new_len) > vma.end - r.addr) return Errno::kEFAULT;
  if (!r.expands()) return Errno::kOk;
  if (vma.Has(vm::kLocked)) r.populate_expand = true;
  uint64_t pgoff = vma.PageIndex(r.addr);
  if (pgoff + (r.new_len >> kPageShift) < pgoff) return Errno::kEINVAL;
  if (vma.Has(kRigid)) return Errno::kEFAULT;
  if (!MlockFutureOk(k, r.mm, vma.flags, r.delta())) return Errno::kEAGAIN;
  if (!MayExpandVm(k, r.mm, vma.flags, r.delta() >> kPageShift)) {
    return Errno::kENOMEM;
  }
  return Errno::kOk;
}

// vrm_calc_charge()
Errno Charge(Kernel& k, Remap& r) {
  r.charged = 0;
  if (!k.vmas[r.vma].Has(vm::kAccount)) return Errno::kOk;
  uint64_t bytes = r.flags & kDontUnmap ? r.new_len : r.new_len - r.old_len;
  FL_TRY(VmEnoughMemory(k, r.mm, bytes >> kPageShift));
  r.charged = bytes >> kPageShift;
  return Errno::kOk;
}

// vrm_stat_account()
void StatAccount(Remap& r, const Vma& vma, uint64_t bytes) {
  uint64_t pages = bytes >> kPageShift;
  VmStatAccount(r.mm, vma.flags, static_cast<int64_t>(pages));
  if (vma.Has(vm::kLocked)) r.mm.locked_vm += pages;
}

// shrink_vma(): r.vma is looked up again.
Errno Shrink(Kernel& k, Remap& r) {
  VirtAddr from = r.addr + r.new_len;
  FL_TRY(VmMunmap(k, r.mm, from.value(), r.delta()));
  r.vma = VmaLookup(k, r.mm, r.addr);
  return Errno::kOk;
}

// vma_expandable()
bool Expandable(Kernel& k, Remap& r, const Vma& vma) {
  VirtAddr end = vma.end + r.delta();
  if (end < vma.end) return false;
  if (FindVmaIntersection(k, r.mm, vma.end, end)) return false;
  return GetUnmappedArea(k, r.mm, {}, vma.start.value(), end - vma.start, 0,
                         mman::kFixed)
      .ok();
}

// expand_vma_in_place(), vma_merge_extend()
ErrnoOr<VirtAddr> ExpandInPlace(Kernel& k, Remap& r) {
  FL_TRY(Charge(k, r));
  Vma& vma = k.vmas[r.vma];
  MergeRange range{.mm = r.mm,
                   .prev = vma.id,
                   .middle = {},
                   .next = vma.next,
                   .start = vma.end,
                   .end = vma.end + r.delta(),
                   .flags = vma.flags,
                   .file = vma.file,
                   .ops = vma.ops,
                   .anon_vma = vma.anon_vma,
                   .copied_from = {},
                   .pgoff = vma.pgoff + vma.pages().value(),
                   .name = vma.name};
  uint64_t bytes = r.delta();
  Id<Vma> merged = VmaMergeNewRange(k, range);
  if (!merged) {
    k.vm_committed -= r.charged;
    return Errno::kENOMEM;
  }
  r.vma = merged;
  StatAccount(r, k.vmas[merged], bytes);
  return r.addr;
}

// vrm_set_new_addr()
Errno SetNewAddr(Kernel& k, Remap& r) {
  const Vma& vma = k.vmas[r.vma];
  uint64_t map_flags = 0;
  if (r.flags & kFixed) map_flags |= mman::kFixed;
  if (vma.Has(vm::kMayShare)) map_flags |= mman::kShared;
  uint64_t wanted = r.to_new_addr() ? r.new_addr.value() : 0;
  r.new_addr = FL_TRY_VALUE(GetUnmappedArea(
      k, r.mm, vma.file, wanted, r.new_len, vma.PageIndex(r.addr), map_flags));
  return Errno::kOk;
}

// copy_vma(): the destination, merged into a neighbour or new. r.vma follows
// when the source itself was merged.
Id<Vma> CopyVma(Kernel& k, Remap& r) {
  Vma& source = k.vmas[r.vma];
  bool untouched = source.anonymous() && !source.anon_vma;
  uint64_t pgoff = untouched ? r.new_addr.vpn() : source.PageIndex(r.addr);
  Id<Vma> next;
  Id<Vma> prev = FindVmaPrev(k, r.mm, r.new_addr, &next);
  VirtAddr end = r.new_addr + r.new_len;
  VM_BUG_ON(next && k.vmas[next].start < end);
  MergeRange range{.mm = r.mm,
                   .prev = prev,
                   .middle = {},
                   .next = next,
                   .start = r.new_addr,
                   .end = end,
                   .flags = source.flags,
                   .file = source.file,
                   .ops = source.ops,
                   .anon_vma = source.anon_vma,
                   .copied_from = source.id,
                   .pgoff = pgoff,
                   .name = source.name};
  if (Id<Vma> merged = VmaMergeNewRange(k, range)) {
    if (k.vmas[merged].Contains(r.addr)) r.vma = merged;
    return merged;
  }
  Vma& fresh = NewVma(k, r.mm);
  fresh.start = r.new_addr;
  fresh.end = end;
  fresh.flags = source.flags;
  fresh.pgoff = pgoff;
  fresh.file = source.file;
  fresh.ops = source.ops;
  fresh.name = source.name;
  fresh.anon_vma = source.anon_vma;
  if (source.anon_vma) AnonVmaClone(k, fresh, source);
  if (fresh.file) k.open_files[fresh.file].f_count++;
  InsertVma(k, fresh);
  return fresh.id;
}

// get_extent(): how far from `at`, until either side leaves its table.
uint64_t Extent(VirtAddr at, VirtAddr dest, VirtAddr end, uint64_t size) {
  return std::min(
      {size - at.value() % size, size - dest.value() % size, end - at});
}

// move_page_tables(): false when a table could not be made; the entries moved
// so far are moved back by the caller's second call.
bool MovePageTables(Kernel& k, Mm& mm, const Vma& source, VirtAddr from,
                    VirtAddr to, uint64_t length) {
  bool moved = false;
  VirtAddr end = from + length, at = from;
  while (at < end) {
    // As far as neither side leaves its page table.
    VirtAddr dest = to + (at - from);
    const uint64_t extent = Extent(at, dest, end, kPmdSize);
    if (k.pgtable_levels > 3 &&
        FindTable(std::as_const(k), mm, at, 2).valid() &&
        !AllocTable(k, mm, dest, 3).valid()) {
      return false;  // alloc_new_pud(), though nothing may be there to move
    }
    const Leaf leaf = FindLeaf(std::as_const(k), mm, at);
    if (leaf.huge && extent == kPmdSize) {
      if (!AllocTable(k, mm, dest, 2).valid()) return false;
      if (!FindPte(std::as_const(k), mm, dest).ok()) {
        MoveHugePmd(k, mm, dest, leaf.at);
        moved = true;
        at = at + extent;
        continue;
      }
    }
    if (leaf.huge) SplitHugePmd(k, source, at);
    if (FindPte(std::as_const(k), mm, at).ok()) {
      PteRef ref = AllocPte(k, mm, dest);
      if (!ref.ok()) return false;
      ForEachPte(k, mm, at, at + extent, [&](VirtAddr a, uint64_t& entry) {
        PteRef slot{ref.table, IndexAt(dest + (a - at), 1)};
        Pte pte(std::exchange(entry, 0));
        // move_soft_dirty_pte()
        if (pte.present()) pte = pte.With(DirtyBits(k) & ~Pte::kDirty);
        SetPte(k, slot, pte);
        moved = true;
        k.clock_ns += cost::kPteSet;
      });
    }
    at = at + extent;
  }
  if (moved) FlushTlbRange(k, mm, from, end);
  return true;
}

// unmap_source_vma(): the charge of a moved range moves with it, so the source
// gives nothing back.
void UnmapSource(Kernel& k, Remap& r) {
  Vma& vma = k.vmas[r.vma];
  bool accountable = vma.Has(vm::kAccount) && !(r.flags & kDontUnmap);
  VirtAddr start = vma.start, vm_end = vma.end, end = r.addr + r.old_len;
  if (r.old_len == 0) return;
  if (accountable) vma.flags &= ~vm::kAccount;
  if (DoMunmap(k, r.mm, r.addr, end) != Errno::kOk) {
    k.vm_committed += r.old_len >> kPageShift;
    return;
  }
  if (!accountable) return;
  if (start < r.addr) {
    k.vmas[VmaLookup(k, r.mm, r.addr - 1)].flags |= vm::kAccount;
  }
  if (vm_end > end) k.vmas[VmaLookup(k, r.mm, end)].flags |= vm::kAccount;
}

// dontunmap_complete(): clears VM_LOCKED of the whole source, and nobody
// munlocks the pages that stay in it.
void DontunmapComplete(Kernel& k, Remap& r, Id<Vma> fresh) {
  Vma& vma = k.vmas[r.vma];
  if (vma.Has(vm::kLocked)) {
    ForEachPte(k, r.mm, vma.start, vma.end, [&](VirtAddr, uint64_t& entry) {
      const Pte pte(entry);
      if (!pte.present() || pte.special()) return;
      k.page(pte.pfn()).flags |= page_flag::kUnevictable;
    });
  }
  vma.flags &= ~vm::kLockedMask;
  if (fresh != r.vma && r.addr == vma.start && r.addr + r.old_len == vma.end) {
    UnlinkAnonVmas(k, vma);
  }
}

// move_vma()
ErrnoOr<VirtAddr> MoveVma(Kernel& k, Remap& r) {
  if (r.mm.map_count >= k.sysctl.max_map_count - 3) return Errno::kENOMEM;
  // At the new place its KSM pages would be found where they do not belong.
  uint64_t unchanged = k.vmas[r.vma].flags;
  FL_TRY(KsmMadviseUnmergeable(k, k.vmas[r.vma], r.addr, r.addr + r.old_len,
                               &unchanged));
  FL_TRY(Charge(k, r));
  Id<Vma> fresh = CopyVma(k, r);
  bool ok =
      MovePageTables(k, r.mm, k.vmas[r.vma], r.addr, r.new_addr, r.old_len);
  if (!ok) {
    // What did move goes back, and the new place becomes what is unmapped.
    VM_BUG_ON(
        !MovePageTables(k, r.mm, k.vmas[fresh], r.new_addr, r.addr, r.old_len));
    r.vma = fresh;
    r.old_len = r.new_len;
    std::swap(r.addr, r.new_addr);
  }
  k.Emit(EventLevel::kAll,
         VmaMove{r.addr.value(), r.new_addr.value(), r.old_len});
  StatAccount(r, k.vmas[fresh], r.new_len);
  uint64_t hiwater_vm = r.mm.hiwater_vm;
  if (ok && (r.flags & kDontUnmap)) {
    DontunmapComplete(k, r, fresh);
  } else {
    UnmapSource(k, r);
  }
  r.mm.hiwater_vm = hiwater_vm;
  if (!ok) return Errno::kENOMEM;
  return r.new_addr;
}

// mremap_to()
ErrnoOr<VirtAddr> RemapTo(Kernel& k, Remap& r) {
  if (r.flags & kFixed) {
    FL_TRY(DoMunmap(k, r.mm, r.new_addr, r.new_addr + r.new_len));
    r.vma = VmaLookup(k, r.mm, r.addr);
    if (!r.vma) return Errno::kEFAULT;
  }
  if (r.shrinks()) {
    FL_TRY(Shrink(k, r));
    if (!r.vma) return Errno::kEFAULT;
    r.old_len = r.new_len;
  }
  // 6.1 looks at the source only now: vma_to_resize().
  if (!k.quirks.mremap_checks_first) FL_TRY(CheckVma(k, r));
  if ((r.flags & kDontUnmap) &&
      !MayExpandVm(k, r.mm, k.vmas[r.vma].flags, r.old_len >> kPageShift)) {
    return Errno::kENOMEM;
  }
  FL_TRY(SetNewAddr(k, r));
  return MoveVma(k, r);
}

// mremap_at(), expand_vma()
ErrnoOr<VirtAddr> RemapAt(Kernel& k, Remap& r) {
  if (r.old_len == r.new_len) return r.addr;
  if (r.shrinks()) {
    FL_TRY(Shrink(k, r));
    return r.addr;
  }
  const Vma& vma = k.vmas[r.vma];
  if (vma.end - r.addr == r.old_len && Expandable(k, r, vma)) {
    return ExpandInPlace(k, r);
  }
  if (!(r.flags & kMayMove)) return Errno::kENOMEM;
  FL_TRY(SetNewAddr(k, r));
  return MoveVma(k, r);
}

// vma_multi_allowed(): a file system that places its own mappings (ramfs
// does) might not put the pieces where they belong.
bool MultiAllowed(const Kernel& k, const Vma& vma) {
  if (!vma.file) return true;
  return k.inodes[k.open_files[vma.file].inode].fs != FsType::kRamfs;
}

// remap_move(): every VMA of the range, with the holes between them.
ErrnoOr<VirtAddr> RemapMove(Kernel& k, const Remap& whole) {
  const VirtAddr end = whole.addr + whole.old_len;
  VirtAddr target = whole.new_addr, last_end, result;
  bool seen = false;
  Id<Vma> at = FindVmaIntersection(k, whole.mm, whole.addr, end);
  while (at && k.vmas[at].start < end) {
    const Vma& vma = k.vmas[at];
    if (!seen && whole.addr < vma.start) return Errno::kEFAULT;
    Remap r = whole;
    r.vma = at;
    r.addr = std::max(vma.start, whole.addr);
    r.new_addr = target + (seen ? vma.start - last_end : 0);
    r.old_len = r.new_len = std::min(end, vma.end) - r.addr;
    last_end = vma.end;
    if (!MultiAllowed(k, vma) && (seen || vma.end < end)) {
      return Errno::kEFAULT;
    }
    VirtAddr resume = std::min(end, vma.end);
    FL_TRY(CheckVma(k, r));
    VirtAddr moved = FL_TRY_VALUE(RemapTo(k, r));
    if (!seen) result = moved;
    seen = true;
    target = moved + r.new_len;
    at = resume < end ? FindVmaIntersection(k, whole.mm, resume, end)
                      : Id<Vma>();
  }
  if (!seen) return Errno::kEFAULT;
  return result;
}

}  // namespace

ErrnoOr<VirtAddr> DoMremap(Kernel& k, Mm& mm, const Mremap& call) {
  Remap r{.mm = mm,
          .addr = VirtAddr(call.addr),
          .old_len = PageAlign(call.old_length),
          .new_len = PageAlign(call.new_length),
          .flags = call.flags,
          .new_addr = VirtAddr(call.new_addr),
          .vma = {}};
  const bool checks_first = k.quirks.mremap_checks_first;
  FL_TRY(checks_first ? CheckParams(k, r) : CheckParams61(r, call));
  MmapWriteLock(mm);
  if (checks_first && (r.flags & kFixed) && r.old_len == r.new_len) {
    return RemapMove(k, r);
  }
  const uint64_t grown_from = r.old_len, grown_by = r.delta();
  r.vma = VmaLookup(k, mm, r.addr);
  if (checks_first || !r.to_new_addr()) {
    FL_TRY(CheckVma(k, r));
  } else {
    if (!r.vma) return Errno::kEFAULT;
    FL_TRY(CheckTarget(k, r));
  }
  VirtAddr at = FL_TRY_VALUE(r.to_new_addr() ? RemapTo(k, r) : RemapAt(k, r));
  if (r.populate_expand) {
    (void)MmPopulate(k, mm, at + grown_from, grown_by, OnError::kIgnore);
  }
  return at;
}

}  // namespace faultline

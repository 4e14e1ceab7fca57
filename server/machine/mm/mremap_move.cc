// Models mm/mremap.c (v6.18): move_vma(), unmap_source_vma(),
// dontunmap_complete(); mm/vma.c: copy_vma().
#include "server/machine/mm/mremap_move.h"

#include <utility>

#include "server/machine/mm/changes.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/move_page_tables.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

// copy_vma(): the destination, merged into a neighbour or new. r.vma follows
// when the source itself was merged.
Id<Vma> CopyVma(Kernel& k, Remap& r) {
  Vma& source = k.vmas[r.vma];
  bool untouched = source.anonymous() && !source.anon_vma;
  uint64_t pgoff = untouched ? r.new_addr.vpn() : source.PageIndex(r.addr);
  const auto [prev, next] = PlaceOf(std::as_const(k), r.mm, r.new_addr);
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
                   .name = source.name,
                   .policy = source.policy};
  const bool joins_source = untouched && (prev == r.vma || next == r.vma);
  const bool alone = joins_source && r.dont_unmap() &&
                     !changes::DontunmapJoinsSource(std::as_const(k));
  const Id<Vma> merged = alone ? Id<Vma>() : VmaMergeNewRange(k, range);
  if (merged) {
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
  fresh.policy = source.policy;
  fresh.anon_vma = source.anon_vma;
  if (source.anon_vma) AnonVmaClone(k, fresh, source);
  if (fresh.file) k.open_files[fresh.file].f_count++;
  InsertVma(k, fresh, {prev, next});
  return fresh.id;
}

// unmap_source_vma(): the charge of a moved range moves with it, so the source
// gives nothing back.
void UnmapSource(Kernel& k, Remap& r) {
  Vma& vma = k.vmas[r.vma];
  bool accountable = vma.Has(vm::kAccount) && !r.dont_unmap();
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

// 6.1: what was moved is no longer locked, and apart from what is.
void SplitOffSource(Kernel& k, Remap& r) {
  Vma& vma = k.vmas[r.vma];
  const VirtAddr end = r.addr + r.old_len;
  if (vma.start < r.addr) SplitVmaUnchecked(k, vma, r.addr, true);
  if (vma.end > end) SplitVmaUnchecked(k, vma, end, false);
  r.mm.locked_vm -= vma.pages().value();
}

// dontunmap_complete(): clears VM_LOCKED of the whole source, and nobody
// munlocks the pages that stay in it. (A large folio knows it by itself; D67.)
void DontunmapComplete(Kernel& k, Remap& r, Id<Vma> fresh) {
  Vma& vma = k.vmas[r.vma];
  if (vma.Has(vm::kLocked) && !changes::DontunmapUnlocksAll(k)) {
    SplitOffSource(k, r);
  } else if (vma.Has(vm::kLocked)) {
    ForEachPte(k, r.mm, vma.start, vma.end, [&](VirtAddr, auto& entry) {
      const Pte pte(entry);
      if (!pte.present() || pte.special()) return;
      if (std::as_const(k).page(pte.pfn()).Is(page_flag::kLarge)) return;
      k.page(pte.pfn()).flags |= page_flag::kMlocked;
      UpdateEvictable(k, pte.pfn());
    });
  }
  vma.flags &= ~vm::kLockedMask;
  if (fresh != r.vma && r.addr == vma.start && r.addr + r.old_len == vma.end) {
    UnlinkAnonVmas(k, vma);
  }
}

}  // namespace

Id<Vma> VmaLookup(Kernel& k, Mm& mm, VirtAddr addr) {
  Id<Vma> id = FindVma(k, mm, addr);
  return id && k.vmas[id].start <= addr ? id : Id<Vma>();
}

// vrm_calc_charge()
Errno ChargeRemap(Kernel& k, Remap& r) {
  r.charged = 0;
  if (!k.vmas[r.vma].Has(vm::kAccount)) return Errno::kOk;
  uint64_t bytes = r.dont_unmap() ? r.new_len : r.new_len - r.old_len;
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

ErrnoOr<VirtAddr> MoveVma(Kernel& k, Remap& r) {
  if (r.mm.map_count >= k.sysctl.max_map_count - 3) return Errno::kENOMEM;
  // At the new place its KSM pages would be found where they do not belong.
  uint64_t unchanged = k.vmas[r.vma].flags;
  FL_TRY(KsmMadviseUnmergeable(k, k.vmas[r.vma], r.addr, r.addr + r.old_len,
                               &unchanged));
  FL_TRY(ChargeRemap(k, r));
  Id<Vma> fresh = CopyVma(k, r);
  const Vma& from = k.vmas[r.vma];
  const Vma& to = k.vmas[fresh];
  const uint64_t moved =
      MovePageTables(k, r.mm, {from, to, r.addr, r.new_addr, r.old_len});
  const bool ok = moved == r.old_len;
  if (!ok) {
    // What did move goes back, and the new place becomes what is unmapped.
    VM_BUG_ON(MovePageTables(k, r.mm, {to, from, r.new_addr, r.addr, moved}) !=
              moved);
    r.vma = fresh;
    r.old_len = r.new_len;
    std::swap(r.addr, r.new_addr);
  }
  k.Emit(EventLevel::kAll,
         VmaMove{r.addr.value(), r.new_addr.value(), r.old_len});
  StatAccount(r, k.vmas[fresh], r.new_len);
  uint64_t hiwater_vm = r.mm.hiwater_vm;
  if (ok && r.dont_unmap()) {
    DontunmapComplete(k, r, fresh);
  } else {
    UnmapSource(k, r);
  }
  r.mm.hiwater_vm = hiwater_vm;
  if (!ok) return Errno::kENOMEM;
  return r.new_addr;
}

}  // namespace faultline

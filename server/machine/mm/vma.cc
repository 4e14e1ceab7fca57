// Models mm/vma.c (v6.18): vma_merge_new_range(), vma_merge_existing_range(),
// vma_modify(), __split_vma(), vms_gather_munmap_vmas(). The 6.1 personality
// orders the merge of a new range as mm/mmap.c: mmap_region() did.
#include "server/machine/mm/vma.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/unmapped_area_2632.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

// is_mergeable_vma()
bool IsMergeable(const Vma& vma, const MergeRange& r) {
  return ((vma.flags ^ r.flags) & ~vm::kIgnoreMerge) == 0 &&
         vma.file == r.file && vma.ops == r.ops && vma.name == r.name &&
         vma.policy == r.policy;
}

// vma_is_fork_child(): pages of parents may still be reached through it.
bool IsForkChild(const Kernel& k, const Vma& vma) {
  return vma.anon_vma && !AnonChainSingular(k, vma);
}

// is_mergeable_anon_vma()
bool AnonMergeable(const Kernel& k, const Vma& target, const MergeRange& r) {
  if (!target.anon_vma && r.anon_vma) {
    if (!k.quirks.untouched_takes_touched) return false;
    for (Id<Vma> source : {r.middle, r.copied_from}) {
      if (source && IsForkChild(k, k.vmas[source])) return false;
    }
    return true;
  }
  if (target.anon_vma && !r.anon_vma) return !IsForkChild(k, target);
  return target.anon_vma == r.anon_vma;
}

bool CanMergeLeft(const Kernel& k, const MergeRange& r) {
  if (!r.prev) return false;
  const Vma& prev = k.vmas[r.prev];
  return prev.end == r.start && IsMergeable(prev, r) &&
         AnonMergeable(k, prev, r) &&
         prev.pgoff + prev.pages().value() == r.pgoff;
}

bool CanMergeRight(const Kernel& k, const MergeRange& r, bool with_left) {
  if (!r.next) return false;
  const Vma& next = k.vmas[r.next];
  bool fits = next.start == r.end && IsMergeable(next, r) &&
              AnonMergeable(k, next, r) &&
              next.pgoff == r.pgoff + PagesOf(r.end - r.start).value();
  if (!fits || !with_left) return fits;
  // are_anon_vmas_compatible(): of the two neighbours with each other.
  Id<AnonVma> a = k.vmas[r.prev].anon_vma, b = next.anon_vma;
  return !a || !b || a == b;
}

// Which neighbours a new range joins.
struct Sides {
  bool left = false;
  bool right = false;
};

Sides NewRangeSides(const Kernel& k, const MergeRange& r) {
  Sides s;
  if (k.quirks.merge_prefers_prev || r.just_expand || r.copied_from) {
    s.left = CanMergeLeft(k, r);
    s.right = !r.just_expand && CanMergeRight(k, r, s.left);
    return s;
  }
  // 6.1: the next first; the previous only if it fits what next brings.
  s.right = CanMergeRight(k, r, false);
  s.left = CanMergeLeft(k, r);
  if (s.right && s.left) {
    Id<AnonVma> a = k.vmas[r.prev].anon_vma, b = k.vmas[r.next].anon_vma;
    if (a != b) {
      bool singular = AnonChainSingular(k, k.vmas[r.prev]);
      s.left = (!a || !b) && singular;
    }
  }
  return s;
}

// Frees a VMA that has no range any more.
void FreeVma(Kernel& k, Vma& vma) {
  UnlinkFileVma(k, vma);
  UnlinkAnonVmas(k, vma);
  if (vma.file) PutFile(k, vma.file);
  k.vmas.Delete(vma.id);
}

// `vma` swallows a neighbour, whose pages are now its own.
void Absorb(Kernel& k, Vma& vma, Vma& gone) {
  JoinVmas(k, vma, gone);
  FreeVma(k, gone);
}

Id<Vma> Merged(Kernel& k, const Vma& vma, uint32_t absorbed) {
  k.clock_ns += cost::kVmaUpdate;
  k.Emit(EventLevel::kAll,
         VmaMerge{vma.start.value(), vma.end.value(), vma.flags, absorbed});
  return vma.id;
}

// vma_merge_existing_range()
Id<Vma> MergeExisting(Kernel& k, const MergeRange& r) {
  Vma& middle = k.vmas[r.middle];
  bool at_left = r.start == middle.start, at_right = r.end == middle.end;
  if (r.flags & vm::kSpecial) return {};
  bool left = at_left && CanMergeLeft(std::as_const(k), r);
  bool right = at_right && CanMergeRight(std::as_const(k), r, left);
  if (!left && !right) return {};
  bool whole = at_left && at_right;
  uint64_t pages = PagesOf(r.end - r.start).value();
  if (left) {
    Vma& prev = k.vmas[r.prev];
    const bool from_next = right && k.vmas[r.next].anon_vma;
    DupAnonVma(k, prev, from_next ? k.vmas[r.next] : middle);
    prev.flags |= r.flags & vm::kSticky;
    if (whole) {
      Absorb(k, prev, middle);
    } else {
      SplitHugePmdAt(k, middle, r.end);
      middle.pgoff += pages;
      MoveVmaBorder(k, prev, middle, r.end);
    }
    if (right) {
      prev.flags |= k.vmas[r.next].flags & vm::kSticky;
      Absorb(k, prev, k.vmas[r.next]);
    }
    return Merged(k, prev, (right ? 1u : 0u) + (whole ? 1u : 0u));
  }
  Vma& next = k.vmas[r.next];
  DupAnonVma(k, next, middle);
  next.flags |= r.flags & vm::kSticky;
  next.pgoff -= pages;
  if (whole) {
    Absorb(k, next, middle);
  } else {
    SplitHugePmdAt(k, middle, r.start);
    MoveVmaBorder(k, middle, next, r.start);
  }
  return Merged(k, next, whole ? 1 : 0);
}

// A part of the VMA, as it is.
MergeRange WithinVma(Kernel& k, const Vma& vma, VirtAddr start, VirtAddr end) {
  return {.mm = k.mms[vma.mm],
          .prev = vma.prev,
          .middle = vma.id,
          .next = vma.next,
          .start = start,
          .end = end,
          .flags = vma.flags,
          .file = vma.file,
          .ops = vma.ops,
          .anon_vma = vma.anon_vma,
          .copied_from = {},
          .pgoff = vma.PageIndex(start),
          .name = vma.name,
          .policy = vma.policy,
          .just_expand = false};
}

// vma_modify()
ErrnoOr<Id<Vma>> Modify(Kernel& k, Vma& vma, const MergeRange& r) {
  if (Id<Vma> merged = MergeExisting(k, r)) return merged;
  if (vma.start < r.start) {
    auto low = SplitVma(k, vma, r.start, true);
    if (!low.ok()) return low.error();
  }
  if (vma.end > r.end) {
    auto high = SplitVma(k, vma, r.end, false);
    if (!high.ok()) return high.error();
  }
  return vma.id;
}

}  // namespace

void DupAnonVma(Kernel& k, Vma& dst, const Vma& src) {
  if (!src.anon_vma || dst.anon_vma) return;
  dst.anon_vma = src.anon_vma;
  AnonVmaClone(k, dst, src);
}

Vma& NewVma(Kernel& k, Mm& mm) {
  Id<Vma> id = k.vmas.New();
  Vma& vma = k.vmas[id];
  vma.id = id;
  vma.mm = mm.id;
  return vma;
}

void InsertVma(Kernel& k, Vma& vma) {
  InsertVma(k, vma, PlaceOf(std::as_const(k), k.mms[vma.mm], vma.start));
}

void InsertVma(Kernel& k, Vma& vma, VmaPlace place) {
  LinkVma(k, k.mms[vma.mm], vma, place);
  LinkFileVma(k, vma);
  k.clock_ns += cost::kVmaUpdate;
  k.Emit(EventLevel::kAll,
         VmaCreate{vma.start.value(), vma.end.value(), vma.flags});
}

void RemoveVma(Kernel& k, Vma& vma) {
  k.clock_ns += cost::kVmaUpdate;
  k.Emit(EventLevel::kAll, VmaRemove{vma.start.value(), vma.end.value()});
  UnlinkVma(k, k.mms[vma.mm], vma);
  FreeVma(k, vma);
}

Id<Vma> VmaMergeNewRange(Kernel& k, const MergeRange& r) {
  if ((r.flags & vm::kSpecial) || (!r.prev && !r.next)) return {};
  Sides side = NewRangeSides(std::as_const(k), r);
  if (!side.left && !side.right) return {};
  if (side.left) {
    Vma& prev = k.vmas[r.prev];
    prev.flags |= r.flags & vm::kSticky;
    // The VMA copied from may be next itself, so it comes first.
    if (r.copied_from) DupAnonVma(k, prev, k.vmas[r.copied_from]);
    SetVmaRange(k, prev, prev.start, r.end);
    if (side.right) {
      Vma& next = k.vmas[r.next];
      prev.flags |= next.flags & vm::kSticky;
      DupAnonVma(k, prev, next);
      Absorb(k, prev, next);
    }
    return Merged(k, prev, side.right ? 1 : 0);
  }
  Vma& next = k.vmas[r.next];
  if (r.copied_from) DupAnonVma(k, next, k.vmas[r.copied_from]);
  next.flags |= r.flags & vm::kSticky;
  next.pgoff = r.pgoff;
  SetVmaRange(k, next, r.start, next.end);
  return Merged(k, next, 0);
}

ErrnoOr<Id<Vma>> VmaModify(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                           uint64_t flags, const std::string& name) {
  MergeRange r = WithinVma(k, vma, start, end);
  r.flags = flags;
  r.name = name;
  return Modify(k, vma, r);
}

ErrnoOr<Id<Vma>> VmaModifyPolicy(Kernel& k, Vma& vma, VirtAddr start,
                                 VirtAddr end, MempolicyId policy) {
  MergeRange r = WithinVma(k, vma, start, end);
  r.policy = policy;
  return Modify(k, vma, r);
}

ErrnoOr<Id<Vma>> SplitVma(Kernel& k, Vma& vma, VirtAddr at, bool new_below) {
  if (k.mms[vma.mm].map_count >= k.sysctl.max_map_count) return Errno::kENOMEM;
  return SplitVmaUnchecked(k, vma, at, new_below);
}

Id<Vma> SplitVmaUnchecked(Kernel& k, Vma& vma, VirtAddr at, bool new_below) {
  VM_BUG_ON(at <= vma.start || at >= vma.end);
  k.Emit(EventLevel::kAll,
         VmaSplit{vma.start.value(), at.value(), vma.end.value()});
  SplitHugePmdAt(k, vma, at);  // vma_adjust_trans_huge()
  Vma& fresh = NewVma(k, k.mms[vma.mm]);
  fresh.flags = vma.flags;
  fresh.pgoff = vma.PageIndex(new_below ? vma.start : at);
  fresh.file = vma.file;
  fresh.ops = vma.ops;
  fresh.name = vma.name;
  fresh.policy = vma.policy;
  fresh.anon_vma = vma.anon_vma;
  if (vma.anon_vma) AnonVmaClone(k, fresh, vma);
  if (fresh.file) k.open_files[fresh.file].f_count++;
  if (new_below) vma.pgoff = vma.PageIndex(at);
  SplitLinkedVma(k, vma, fresh, at, new_below ? Half::kLower : Half::kUpper);
  LinkFileVma(k, fresh);
  k.clock_ns += cost::kVmaUpdate;
  return fresh.id;
}

ErrnoOr<MunmapSpan> GatherMunmap(Kernel& k, Mm& mm, VirtAddr start,
                                 VirtAddr end) {
  MunmapSpan span;
  const auto [prev, first] = PlaceOf(std::as_const(k), mm, start);
  if (!first || std::as_const(k.vmas)[first].start >= end) {
    span.prev = prev;
    span.next = first;
    return span;
  }
  Vma& head = k.vmas[first];
  if (start > head.start) {
    if (end < head.end && mm.map_count >= k.sysctl.max_map_count) {
      return Errno::kENOMEM;
    }
    if (head.Has(vm::kSealed)) return Errno::kEPERM;
    SplitVmaUnchecked(k, head, start, true);
  }
  span.first = first;
  span.prev = k.vmas[first].prev;
  for (Id<Vma> at = first; at && k.vmas[at].start < end;) {
    Vma& vma = k.vmas[at];
    if (vma.Has(vm::kSealed)) return Errno::kEPERM;
    if (vma.end > end) SplitVmaUnchecked(k, vma, end, false);
    span.nr_pages += vma.pages().value();
    if (vma.Has(vm::kAccount)) span.nr_accounted += vma.pages().value();
    at = span.next = vma.next;
  }
  return span;
}

void CompleteMunmap(Kernel& k, Mm& mm, const MunmapSpan& span, VirtAddr start,
                    VirtAddr end, Uncharge uncharge) {
  if (!span.first) return;
  UpdateHiwaterRss(mm);
  UpdateHiwaterVm(mm);
  uint64_t before = mm.pgtables_bytes;
  VirtAddr low = k.vmas[span.first].start, high = low;
  for (Id<Vma> at = span.first; at != span.next;) {
    Vma& vma = k.vmas[at];
    at = vma.next;
    high = vma.end;
    if (vma.Has(vm::kLocked)) mm.locked_vm -= vma.pages().value();
    if (before > 0) {
      ZapPageRange(k, vma, vma.start, vma.end, GuardMarkers::kDrop);
    }
    VmStatAccount(mm, vma.flags, -static_cast<int64_t>(vma.pages().value()));
    RemoveVma(k, vma);
  }
  VM_BUG_ON(low < start || high > end);
  UnmapArea2632(std::as_const(k), mm, span.prev, span.next);
  VirtAddr floor = span.prev ? k.vmas[span.prev].end : VirtAddr(0);
  VirtAddr ceiling = span.next ? k.vmas[span.next].start : VirtAddr(0);
  if (before > 0) FreePgtables(k, mm, low, high, floor, ceiling);
  if (uncharge == Uncharge::kYes) k.vm_committed -= span.nr_accounted;
}

Errno DoMunmap(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end) {
  MunmapSpan span = FL_TRY_VALUE(GatherMunmap(k, mm, start, end));
  CompleteMunmap(k, mm, span, start, end, Uncharge::kYes);
  return Errno::kOk;
}

}  // namespace faultline

// Models mm/mmap.c (v6.0): find_vma(), __vma_link(), __vma_unlink().
#include "server/machine/mm/vma_tree.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/vma_rbtree.h"

namespace faultline {
namespace {

using VmaId = Id<Vma>;

const VmaNode& NodeOf(const Kernel& k, VmaId id) {
  return k.vma_nodes[id.value()];
}

const VmaBranch& BranchOf(const Kernel& k, VmaId id) {
  return k.vma_branches[id.value()];
}

// What a walk from the root down past `addr` has seen.
struct Walk {
  VmaPlace place;
  uint32_t nodes = 0;       // how many
  uint32_t nodes_next = 0;  // down to place.next
};

// Without branches: which way it goes is not to be predicted.
Walk WalkTo(const Kernel& k, const Mm& mm, VirtAddr addr) {
  Walk w;
  const uint64_t page = addr.vpn();
  VmaBranches::Walker branches(k.vma_branches);
  for (VmaId at = mm.mm_rb; at;) {
    const VmaBranch& b = branches[at.value()];
    const bool above = b.end_page() > page;
    w.nodes++;
    w.nodes_next = above ? w.nodes : w.nodes_next;
    w.place.next = above ? at : w.place.next;
    w.place.prev = above ? w.place.prev : at;
    at = b.Turn(above);
  }
  return w;
}

// Is it the first VMA that ends above `addr`?
bool IsFirstAbove(const Kernel& k, VmaId id, VirtAddr addr) {
  const VmaBranch& b = BranchOf(k, id);
  return addr < b.end() && addr >= b.start() - NodeOf(k, id).gap;
}

bool Contains(const VmaBranch& b, VirtAddr addr) {
  return addr >= b.start() && addr < b.end();
}

// What find_vma() found last, and the VMA above the hole that a mapping was
// placed in, are the likely answers. The tree says the same.
VmaId Remembered(const Kernel& k, const Mm& mm, VirtAddr addr) {
  for (VmaId id : {mm.hole_memo.above, mm.mmap_cache}) {
    if (id && IsFirstAbove(k, id, addr)) return id;
  }
  return {};
}

// The hole below `id` has grown: it may be long enough for hole_memo.
void NoteGrownHole(const Kernel& k, Mm& mm, VmaId id) {
  HoleMemo& memo = mm.hole_memo;
  if (!memo.above || memo.above == id) return;
  if (NodeOf(k, id).gap >= memo.length &&
      BranchOf(k, id).start() > BranchOf(k, memo.above).start()) {
    memo.above = id;
  }
}

// The VMA below a hole, or the hole's lower end, is another now. No `next`: it
// is the hole above all VMAs.
void SetGapBelow(Kernel& k, Mm& mm, VmaId next, VirtAddr hole_start) {
  if (!next) {
    mm.hole_memo = {};
    return;
  }
  const uint64_t gap = BranchOf(k, next).start() - hole_start;
  const bool grows = gap > NodeOf(k, next).gap;
  VmaRbTree(k, mm).SetGap(next, gap);
  if (grows) NoteGrownHole(k, mm, next);
}

// Enters a VMA into the list.
void ListAdd(Kernel& k, Mm& mm, Vma& vma, VmaPlace place) {
  vma.prev = place.prev;
  vma.next = place.next;
  (vma.prev ? k.vmas[vma.prev].next : mm.mmap) = vma.id;
  if (vma.next) k.vmas[vma.next].prev = vma.id;
  mm.map_count++;
}

// Takes it out.
void ListDel(Kernel& k, Mm& mm, const Vma& vma) {
  (vma.prev ? k.vmas[vma.prev].next : mm.mmap) = vma.next;
  if (vma.next) k.vmas[vma.next].prev = vma.prev;
  mm.map_count--;
}

// Gives a VMA its range, in itself and in the tree.
void SetRange(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end) {
  vma.start = start;
  vma.end = end;
  k.vma_branches[vma.id.value()].set_range(start, end);
}

}  // namespace

VirtAddr VmStartGap(const Kernel& k, const Vma& vma) {
  uint64_t start = vma.start.value();
  if (!vma.Has(vm::kGrowsDown)) return vma.start;
  uint64_t guard = k.sysctl.stack_guard_gap << kPageShift;
  return VirtAddr(start > guard ? start - guard : 0);
}

VmaPlace PlaceOf(const Kernel& k, const Mm& mm, VirtAddr addr) {
  if (VmaId id = Remembered(k, mm, addr)) return {k.vmas[id].prev, id};
  return WalkTo(k, mm, addr).place;
}

Id<Vma> LookupVma(const Kernel& k, const Mm& mm, VirtAddr addr) {
  if (VmaId id = Remembered(k, mm, addr)) return id;
  return WalkTo(k, mm, addr).place.next;
}

Id<Vma> FindVma(Kernel& k, Mm& mm, VirtAddr addr) {
  mm.last_lookup = addr;
  if (mm.mmap_cache && Contains(BranchOf(k, mm.mmap_cache), addr)) {
    mm.cache_hits++;
    mm.last_lookup_nodes = 0;
    return mm.mmap_cache;
  }
  mm.cache_misses++;
  const Walk walk = WalkTo(k, mm, addr);
  const VmaId found = walk.place.next;
  // find_vma() stops where the address is.
  const bool inside = found && BranchOf(k, found).start() <= addr;
  mm.last_lookup_nodes = inside ? walk.nodes_next : walk.nodes;
  mm.nodes_visited += mm.last_lookup_nodes;
  if (found) mm.mmap_cache = found;
  return found;
}

Id<Vma> FindVmaIntersection(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end) {
  VmaId id = FindVma(k, mm, start);
  if (id && BranchOf(k, id).start() >= end) return VmaId();
  return id;
}

Id<Vma> LastVma(const Kernel& k, const Mm& mm) {
  VmaId last;
  for (VmaId at = mm.mm_rb; at;) {
    last = at;
    at = BranchOf(k, at).child(kRight);
  }
  return last;
}

Id<Vma> FindVmaPrev(Kernel& k, Mm& mm, VirtAddr addr, Id<Vma>* found) {
  *found = FindVma(k, mm, addr);
  return *found ? k.vmas[*found].prev : LastVma(k, mm);
}

void LinkVma(Kernel& k, Mm& mm, Vma& vma, VmaPlace place) {
  const auto [prev, next] = place;
  const VirtAddr floor = prev ? k.vmas[prev].end : VirtAddr(0);
  VM_BUG_ON(vma.start < floor || (next && k.vmas[next].start < vma.end));
  ListAdd(k, mm, vma, place);
  SetRange(k, vma, vma.start, vma.end);
  VmaRbTree tree(k, mm);
  tree.node(vma.id).gap = vma.start - floor;
  tree.Insert(vma.id, prev, next);
  if (!next) return;
  const uint64_t left = k.vmas[next].start - vma.end;
  tree.SetGap(next, left);
  HoleMemo& memo = mm.hole_memo;
  if (memo.above == next && left < memo.length) memo.above = vma.id;
}

void LinkVma(Kernel& k, Mm& mm, Vma& vma) {
  LinkVma(k, mm, vma, PlaceOf(std::as_const(k), mm, vma.start));
}

void UnlinkVma(Kernel& k, Mm& mm, Vma& vma) {
  ListDel(k, mm, vma);
  // detach_vmas_to_be_unmapped()
  if (mm.mmap_cache == vma.id) mm.mmap_cache = VmaId();
  if (mm.hole_memo.above == vma.id) mm.hole_memo.above = vma.next;
  const VirtAddr hole_start = vma.prev ? k.vmas[vma.prev].end : VirtAddr(0);
  // First, so that the largest gap of the VMA's ancestors hardly changes.
  SetGapBelow(k, mm, vma.next, hole_start);
  VmaRbTree(k, mm).Erase(vma.id);
}

void SetVmaRange(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end) {
  Mm& mm = k.mms[vma.mm];
  const VirtAddr hole_start = vma.start - NodeOf(k, vma.id).gap;
  const bool start_moves = vma.start != start, end_moves = vma.end != end;
  SetRange(k, vma, start, end);
  if (start_moves) SetGapBelow(k, mm, vma.id, hole_start);
  if (end_moves) SetGapBelow(k, mm, vma.next, end);
}

void SplitLinkedVma(Kernel& k, Vma& vma, Vma& fresh, VirtAddr at, Half half) {
  Mm& mm = k.mms[vma.mm];
  VmaRbTree tree(k, mm);
  if (half == Half::kLower) {
    SetRange(k, fresh, vma.start, at);
    SetRange(k, vma, at, vma.end);
    ListAdd(k, mm, fresh, {vma.prev, vma.id});
    tree.node(fresh.id).gap = tree.cnode(vma.id).gap;
    tree.Insert(fresh.id, fresh.prev, vma.id);
    tree.SetGap(vma.id, 0);
    if (mm.hole_memo.above == vma.id) mm.hole_memo.above = fresh.id;
  } else {
    SetRange(k, fresh, at, vma.end);
    SetRange(k, vma, vma.start, at);
    ListAdd(k, mm, fresh, {vma.id, vma.next});
    tree.node(fresh.id).gap = 0;
    tree.Insert(fresh.id, vma.id, fresh.next);
  }
}

void MoveVmaBorder(Kernel& k, Vma& lower, Vma& upper, VirtAddr at) {
  VM_BUG_ON(lower.end != upper.start || at <= lower.start || at >= upper.end);
  SetRange(k, lower, lower.start, at);
  SetRange(k, upper, at, upper.end);
}

void JoinVmas(Kernel& k, Vma& vma, Vma& gone) {
  VM_BUG_ON(vma.end != gone.start && gone.end != vma.start);
  Mm& mm = k.mms[vma.mm];
  VmaRbTree tree(k, mm);
  ListDel(k, mm, gone);
  // __vma_unlink(): what took its place has its place in the cache.
  if (mm.mmap_cache == gone.id) mm.mmap_cache = vma.id;
  if (mm.hole_memo.above == gone.id) mm.hole_memo.above = vma.id;
  if (vma.end == gone.start) {
    SetRange(k, vma, vma.start, gone.end);
  } else {
    SetRange(k, vma, gone.start, vma.end);
    tree.SetGap(vma.id, tree.cnode(gone.id).gap);
  }
  tree.Erase(gone.id);
}

uint64_t VmaSubtreeGap(const Kernel& k, Id<Vma> id) {
  if (!id) return 0;
  const VmaNode& n = NodeOf(k, id);
  uint64_t gap = n.gap;
  for (size_t side : {kLeft, kRight}) {
    const uint64_t capped = n.child_gap[side];
    gap = std::max(gap, capped < VmaNode::kGapCap
                            ? capped
                            : VmaSubtreeGap(k, BranchOf(k, id).child(side)));
  }
  return gap;
}

}  // namespace faultline

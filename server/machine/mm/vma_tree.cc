// Models mm/mmap.c (v6.0): find_vma(), __vma_link(), __vma_unlink(),
// unmapped_area(), unmapped_area_topdown(); lib/rbtree.c by its invariants.
#include "server/machine/mm/vma_tree.h"

#include <algorithm>
#include <utility>

namespace faultline {
namespace {

using VmaId = Id<Vma>;

// The hole between `vma` and the VMA below it.
uint64_t GapBelow(const Kernel& k, const Vma& vma) {
  return vma.start.value() - (vma.prev ? k.vmas[vma.prev].end.value() : 0);
}

uint64_t SubtreeGap(const Kernel& k, VmaId id) {
  return id ? k.vmas[id].rb_subtree_gap : 0;
}

uint64_t ComputeGap(const Kernel& k, const Vma& vma) {
  return std::max({GapBelow(k, vma), SubtreeGap(k, vma.rb_left),
                   SubtreeGap(k, vma.rb_right)});
}

// Recomputes the gaps from `id` up to the root, stopping where nothing moves.
void PropagateGap(Kernel& k, VmaId id) {
  while (id) {
    Vma& v = k.vmas[id];
    uint64_t gap = ComputeGap(k, v);
    if (gap == v.rb_subtree_gap) return;
    v.rb_subtree_gap = gap;
    id = v.rb_parent;
  }
}

bool IsBlack(const Kernel& k, VmaId id) {
  return !id || k.vmas[id].rb_color == RbColor::kBlack;
}

void ReplaceChild(Kernel& k, Mm& mm, VmaId parent, VmaId old, VmaId fresh) {
  if (!parent) {
    mm.mm_rb = fresh;
  } else if (k.vmas[parent].rb_left == old) {
    k.vmas[parent].rb_left = fresh;
  } else {
    k.vmas[parent].rb_right = fresh;
  }
  if (fresh) k.vmas[fresh].rb_parent = parent;
}

// Rotates `x` down to the given side; its other child comes up.
void Rotate(Kernel& k, Mm& mm, VmaId x_id, bool left) {
  Vma& x = k.vmas[x_id];
  VmaId y_id = left ? x.rb_right : x.rb_left;
  Vma& y = k.vmas[y_id];
  VmaId inner = left ? y.rb_left : y.rb_right;
  ReplaceChild(k, mm, x.rb_parent, x_id, y_id);
  (left ? x.rb_right : x.rb_left) = inner;
  if (inner) k.vmas[inner].rb_parent = x_id;
  (left ? y.rb_left : y.rb_right) = x_id;
  x.rb_parent = y_id;
  y.rb_subtree_gap = x.rb_subtree_gap;
  x.rb_subtree_gap = ComputeGap(k, x);
}

void InsertFixup(Kernel& k, Mm& mm, VmaId z) {
  while (true) {
    VmaId p = k.vmas[z].rb_parent;
    if (!p) {
      k.vmas[z].rb_color = RbColor::kBlack;
      return;
    }
    if (IsBlack(k, p)) return;
    VmaId g = k.vmas[p].rb_parent;
    bool left = k.vmas[g].rb_left == p;
    VmaId uncle = left ? k.vmas[g].rb_right : k.vmas[g].rb_left;
    if (!IsBlack(k, uncle)) {
      k.vmas[p].rb_color = RbColor::kBlack;
      k.vmas[uncle].rb_color = RbColor::kBlack;
      k.vmas[g].rb_color = RbColor::kRed;
      z = g;
      continue;
    }
    VmaId inner = left ? k.vmas[p].rb_right : k.vmas[p].rb_left;
    if (inner == z) {
      Rotate(k, mm, p, left);
      std::swap(p, z);
    }
    k.vmas[p].rb_color = RbColor::kBlack;
    k.vmas[g].rb_color = RbColor::kRed;
    Rotate(k, mm, g, !left);
    return;
  }
}

// `x` (perhaps none) stands below `parent` one black node short.
void EraseFixup(Kernel& k, Mm& mm, VmaId x, VmaId parent) {
  while (parent && IsBlack(k, x)) {
    bool left = k.vmas[parent].rb_left == x;
    VmaId w = left ? k.vmas[parent].rb_right : k.vmas[parent].rb_left;
    if (!IsBlack(k, w)) {
      k.vmas[w].rb_color = RbColor::kBlack;
      k.vmas[parent].rb_color = RbColor::kRed;
      Rotate(k, mm, parent, left);
      w = left ? k.vmas[parent].rb_right : k.vmas[parent].rb_left;
    }
    VmaId near = left ? k.vmas[w].rb_left : k.vmas[w].rb_right;
    VmaId far = left ? k.vmas[w].rb_right : k.vmas[w].rb_left;
    if (IsBlack(k, near) && IsBlack(k, far)) {
      k.vmas[w].rb_color = RbColor::kRed;
      x = parent;
      parent = k.vmas[x].rb_parent;
      continue;
    }
    if (IsBlack(k, far)) {
      k.vmas[near].rb_color = RbColor::kBlack;
      k.vmas[w].rb_color = RbColor::kRed;
      Rotate(k, mm, w, !left);
      w = near;
      far = left ? k.vmas[w].rb_right : k.vmas[w].rb_left;
    }
    k.vmas[w].rb_color = k.vmas[parent].rb_color;
    k.vmas[parent].rb_color = RbColor::kBlack;
    k.vmas[far].rb_color = RbColor::kBlack;
    Rotate(k, mm, parent, left);
    break;
  }
  if (x) k.vmas[x].rb_color = RbColor::kBlack;
}

void RbErase(Kernel& k, Mm& mm, Vma& z) {
  RbColor removed = z.rb_color;
  VmaId x, x_parent;
  if (!z.rb_left || !z.rb_right) {
    x = z.rb_left ? z.rb_left : z.rb_right;
    x_parent = z.rb_parent;
    ReplaceChild(k, mm, z.rb_parent, z.id, x);
  } else {
    // The successor takes z's place; it has no left child.
    VmaId y_id = z.rb_right;
    while (k.vmas[y_id].rb_left) y_id = k.vmas[y_id].rb_left;
    Vma& y = k.vmas[y_id];
    removed = y.rb_color;
    x = y.rb_right;
    x_parent = y.rb_parent == z.id ? y_id : y.rb_parent;
    if (y.rb_parent != z.id) {
      ReplaceChild(k, mm, y.rb_parent, y_id, x);
      y.rb_right = z.rb_right;
      k.vmas[y.rb_right].rb_parent = y_id;
    }
    ReplaceChild(k, mm, z.rb_parent, z.id, y_id);
    y.rb_left = z.rb_left;
    k.vmas[y.rb_left].rb_parent = y_id;
    y.rb_color = z.rb_color;
    y.rb_subtree_gap = z.rb_subtree_gap;
  }
  for (VmaId up = x_parent; up; up = k.vmas[up].rb_parent) {
    Vma& v = k.vmas[up];
    v.rb_subtree_gap = ComputeGap(k, v);
  }
  if (removed == RbColor::kBlack) EraseFixup(k, mm, x, x_parent);
}

// The tree position for a VMA at `start`: its parent and predecessor.
void RbInsert(Kernel& k, Mm& mm, Vma& vma) {
  VmaId parent, prev, next;
  VmaId at = mm.mm_rb;
  while (at) {
    parent = at;
    const Vma& v = std::as_const(k.vmas)[at];
    VM_BUG_ON(vma.start < v.end && v.start < vma.end);
    if (vma.start < v.start) {
      next = at;
      at = v.rb_left;
    } else {
      prev = at;
      at = v.rb_right;
    }
  }
  vma.prev = prev;
  vma.next = next;
  (prev ? k.vmas[prev].next : mm.mmap) = vma.id;
  if (next) k.vmas[next].prev = vma.id;
  vma.rb_parent = parent;
  vma.rb_left = vma.rb_right = VmaId();
  vma.rb_color = RbColor::kRed;
  if (!parent) {
    mm.mm_rb = vma.id;
  } else if (parent == prev) {
    k.vmas[parent].rb_right = vma.id;
  } else {
    k.vmas[parent].rb_left = vma.id;
  }
}

}  // namespace

VirtAddr VmStartGap(const Kernel& k, const Vma& vma) {
  uint64_t start = vma.start.value();
  if (!vma.Has(vm::kGrowsDown)) return vma.start;
  uint64_t guard = k.sysctl.stack_guard_gap << kPageShift;
  return VirtAddr(start > guard ? start - guard : 0);
}

Id<Vma> LookupVma(const Kernel& k, const Mm& mm, VirtAddr addr) {
  VmaId at = mm.mm_rb, found;
  while (at) {
    const Vma& v = k.vmas[at];
    if (v.end > addr) {
      found = at;
      if (v.start <= addr) break;
      at = v.rb_left;
    } else {
      at = v.rb_right;
    }
  }
  return found;
}

Id<Vma> FindVma(Kernel& k, Mm& mm, VirtAddr addr) {
  const auto& vmas = std::as_const(k.vmas);
  mm.last_lookup = addr;
  if (mm.mmap_cache && vmas[mm.mmap_cache].Contains(addr)) {
    mm.cache_hits++;
    mm.last_lookup_nodes = 0;
    return mm.mmap_cache;
  }
  mm.cache_misses++;
  VmaId at = mm.mm_rb, found;
  uint32_t nodes = 0;
  while (at) {
    nodes++;
    const Vma& v = vmas[at];
    if (v.end > addr) {
      found = at;
      if (v.start <= addr) break;
      at = v.rb_left;
    } else {
      at = v.rb_right;
    }
  }
  mm.last_lookup_nodes = nodes;
  mm.nodes_visited += nodes;
  if (found) mm.mmap_cache = found;
  return found;
}

Id<Vma> FindVmaIntersection(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end) {
  VmaId id = FindVma(k, mm, start);
  if (id && k.vmas[id].start >= end) return VmaId();
  return id;
}

Id<Vma> LastVma(const Kernel& k, const Mm& mm) {
  VmaId at = mm.mm_rb;
  while (at && k.vmas[at].rb_right) at = k.vmas[at].rb_right;
  return at;
}

Id<Vma> FindVmaPrev(Kernel& k, Mm& mm, VirtAddr addr, Id<Vma>* found) {
  *found = FindVma(k, mm, addr);
  return *found ? k.vmas[*found].prev : LastVma(k, mm);
}

void LinkVma(Kernel& k, Mm& mm, Vma& vma) {
  RbInsert(k, mm, vma);
  mm.map_count++;
  vma.rb_subtree_gap = GapBelow(k, vma);
  PropagateGap(k, vma.rb_parent);
  // The neighbour above has a smaller gap below it now.
  if (vma.next) PropagateGap(k, vma.next);
  InsertFixup(k, mm, vma.id);
}

void UnlinkVma(Kernel& k, Mm& mm, Vma& vma) {
  VmaId next = vma.next;
  (vma.prev ? k.vmas[vma.prev].next : mm.mmap) = vma.next;
  if (vma.next) k.vmas[vma.next].prev = vma.prev;
  RbErase(k, mm, vma);
  if (next) PropagateGap(k, next);
  if (mm.mmap_cache == vma.id) mm.mmap_cache = VmaId();
  mm.map_count--;
}

void SetVmaRange(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end) {
  bool start_moved = vma.start != start, end_moved = vma.end != end;
  vma.start = start;
  vma.end = end;
  if (start_moved) PropagateGap(k, vma.id);
  if (end_moved && vma.next) PropagateGap(k, vma.next);
}

namespace {

// A stretch of free addresses that lies within the limits of a search.
struct Hole {
  uint64_t start = 0;
  uint64_t end = 0;
  VmaId above;  // the VMA after it
};

// What of [start, end) is within the limits, if that is long enough.
std::optional<Hole> Clip(const UnmappedAreaInfo& info, uint64_t start,
                         uint64_t end, VmaId above) {
  start = std::max(start, info.low_limit);
  end = std::min(end, info.high_limit);
  if (end < start || end - start < info.length) return {};
  return Hole{start, end, above};
}

// vma_iter_area_highest()
std::optional<Hole> HighestHole(const Kernel& k, const Mm& mm,
                                const UnmappedAreaInfo& info) {
  VmaId last = LastVma(k, mm);
  uint64_t top = last ? k.vmas[last].end.value() : 0;
  if (auto hole = Clip(info, top, ~uint64_t{0}, VmaId())) return hole;
  // Depth first, right to left, only where a large enough gap is.
  VmaId at = mm.mm_rb;
  if (SubtreeGap(k, at) < info.length) return {};
  bool descend = true;
  VmaId from;
  while (at) {
    const Vma& v = k.vmas[at];
    if (descend) {
      // Nothing to the right lies below the limit when v itself is above.
      if (v.start.value() < info.high_limit &&
          SubtreeGap(k, v.rb_right) >= info.length) {
        at = v.rb_right;
        continue;
      }
    }
    bool from_left = !descend && from == v.rb_left;
    if (!from_left) {
      uint64_t prev_end = v.prev ? k.vmas[v.prev].end.value() : 0;
      if (auto hole = Clip(info, prev_end, v.start.value(), at)) return hole;
      if (v.start.value() > info.low_limit &&
          SubtreeGap(k, v.rb_left) >= info.length) {
        at = v.rb_left;
        descend = true;
        continue;
      }
    }
    from = at;
    at = v.rb_parent;
    descend = false;
  }
  return {};
}

// vma_iter_area_lowest()
std::optional<Hole> LowestHole(const Kernel& k, const Mm& mm,
                               const UnmappedAreaInfo& info) {
  VmaId at = mm.mm_rb;
  bool descend = true;
  VmaId from;
  while (at) {
    const Vma& v = k.vmas[at];
    if (descend && v.start.value() > info.low_limit &&
        SubtreeGap(k, v.rb_left) >= info.length) {
      at = v.rb_left;
      continue;
    }
    bool from_right = !descend && from == v.rb_right;
    if (!from_right) {
      uint64_t prev_end = v.prev ? k.vmas[v.prev].end.value() : 0;
      if (auto hole = Clip(info, prev_end, v.start.value(), at)) return hole;
      if (v.start.value() < info.high_limit &&
          SubtreeGap(k, v.rb_right) >= info.length) {
        at = v.rb_right;
        descend = true;
        continue;
      }
    }
    from = at;
    at = v.rb_parent;
    descend = false;
  }
  VmaId last = LastVma(k, mm);
  uint64_t top = last ? k.vmas[last].end.value() : 0;
  return Clip(info, top, ~uint64_t{0}, VmaId());
}

// The larger of `best` and the largest hole below any VMA of a subtree, as far
// as holes lie within [low, high). Enters only subtrees that can have a larger
// one.
uint64_t LargestHoleOf(const Kernel& k, VmaId at, uint64_t low, uint64_t high,
                       uint64_t best) {
  if (SubtreeGap(k, at) <= best) return best;
  const Vma& v = k.vmas[at];
  const uint64_t start = v.start.value();
  const uint64_t from = std::max(low, v.prev ? k.vmas[v.prev].end.value() : 0);
  const uint64_t to = std::min(high, start);
  if (to > from) best = std::max(best, to - from);
  if (start < high) best = LargestHoleOf(k, v.rb_right, low, high, best);
  if (start > low) best = LargestHoleOf(k, v.rb_left, low, high, best);
  return best;
}

// The start of the guard gap that the VMA above a hole needs.
uint64_t GuardStart(const Kernel& k, const Hole& hole) {
  return hole.above ? VmStartGap(k, k.vmas[hole.above]).value() : ~uint64_t{0};
}

}  // namespace

uint64_t LargestHole(const Kernel& k, const Mm& mm, VirtAddr low,
                     VirtAddr high) {
  VmaId last = LastVma(k, mm);
  const VirtAddr top = std::max(low, last ? k.vmas[last].end : VirtAddr(0));
  return LargestHoleOf(k, mm.mm_rb, low.value(), high.value(),
                       high > top ? high - top : 0);
}

// Where the guard gap of a stack reaches into the highest hole, the search goes
// on below the gap: smaller holes between its start and this one are passed
// over, as in Linux.
std::optional<VirtAddr> UnmappedAreaTopdown(const Kernel& k, const Mm& mm,
                                            UnmappedAreaInfo info) {
  while (auto hole = HighestHole(k, mm, info)) {
    const uint64_t guard = GuardStart(k, *hole);
    if (guard >= hole->end) return VirtAddr(hole->end - info.length);
    info.high_limit = guard;
  }
  return {};
}

std::optional<VirtAddr> UnmappedAreaBottomup(const Kernel& k, const Mm& mm,
                                             UnmappedAreaInfo info) {
  while (auto hole = LowestHole(k, mm, info)) {
    if (GuardStart(k, *hole) >= hole->start + info.length - 1) {
      return VirtAddr(hole->start);
    }
    info.low_limit = k.vmas[hole->above].end.value();
  }
  return {};
}

std::string VerifyVmaTree(const Kernel& k, const Mm& mm) {
  uint32_t count = 0;
  VmaId prev;
  for (VmaId at = mm.mmap; at; prev = at, at = k.vmas[at].next) {
    const Vma& v = k.vmas[at];
    count++;
    if (count > mm.map_count) return "the VMA list is longer than map_count";
    if (v.id != at || v.mm != mm.id) return "a VMA has a wrong identity";
    if (v.prev != prev) return "a VMA's prev is not the VMA before it";
    if (v.start >= v.end) return "a VMA is empty";
    if (!v.start.aligned() || !v.end.aligned()) return "a VMA is unaligned";
    if (prev && k.vmas[prev].end > v.start) return "two VMAs overlap";
    if (v.rb_subtree_gap != ComputeGap(k, v)) return "a VMA gap is stale";
    if (v.rb_color == RbColor::kRed &&
        (!IsBlack(k, v.rb_left) || !IsBlack(k, v.rb_right))) {
      return "a red VMA node has a red child";
    }
    for (VmaId child : {v.rb_left, v.rb_right}) {
      if (child && k.vmas[child].rb_parent != at)
        return "a VMA lost its parent";
    }
    if (LookupVma(k, mm, v.start) != at) return "a VMA cannot be found";
  }
  if (count != mm.map_count) return "map_count is not the length of the list";
  // Equal black heights: every path to a missing child.
  int height = -1;
  for (VmaId at = mm.mmap; at; at = k.vmas[at].next) {
    if (k.vmas[at].rb_left && k.vmas[at].rb_right) continue;
    int black = 0;
    for (VmaId up = at; up; up = k.vmas[up].rb_parent) black += IsBlack(k, up);
    if (height < 0) height = black;
    if (height != black) return "the VMA tree's black heights differ";
  }
  return "";
}

}  // namespace faultline

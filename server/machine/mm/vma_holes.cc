// Models mm/vma.c (v6.18): unmapped_area_topdown(), unmapped_area(); mm/mmap.c
// (v6.0): the walk through the gaps.
#include "server/machine/mm/vma_holes.h"

#include <algorithm>

#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

using VmaId = Id<Vma>;

const VmaNode& NodeOf(const Kernel& k, VmaId id) {
  return k.vma_nodes[id.value()];
}

const VmaBranch& BranchOf(const Kernel& k, VmaId id) {
  return k.vma_branches[id.value()];
}

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
std::optional<Hole> ClipBelow(const Kernel& k, const UnmappedAreaInfo& info,
                              VmaId above) {
  const uint64_t end = BranchOf(k, above).start().value();
  return Clip(info, end - NodeOf(k, above).gap, end, above);
}
// The hole above all VMAs.
std::optional<Hole> ClipTop(const Kernel& k, const Mm& mm,
                            const UnmappedAreaInfo& info) {
  const VmaId last = LastVma(k, mm);
  return Clip(info, last ? k.vmas[last].end.value() : 0, ~uint64_t{0}, VmaId());
}

// May a subtree with this largest gap, or VmaNode::kGapCap, have the hole?
bool MayFit(const UnmappedAreaInfo& info, uint64_t subtree_gap) {
  return subtree_gap >= std::min(info.length, VmaNode::kGapCap);
}

// A walk through the tree in order, towards `near` from its other end, that
// enters only subtrees where a large enough gap can be: the first hole below a
// VMA that fits.
std::optional<Hole> FirstFit(const Kernel& k, const Mm& mm,
                             const UnmappedAreaInfo& info, size_t near) {
  const size_t far = 1 - near;
  // Is anything on that side of a node within the limits?
  const auto enter = [&](VmaId id, size_t side) {
    const uint64_t start = BranchOf(k, id).start().value();
    const bool within =
        side == kLeft ? start > info.low_limit : start < info.high_limit;
    return within && MayFit(info, NodeOf(k, id).child_gap[side]);
  };
  VmaId at = mm.mm_rb, from;
  bool descend = true;
  while (at) {
    if (descend && enter(at, far)) {
      at = BranchOf(k, at).child(far);
      continue;
    }
    if (descend || from != BranchOf(k, at).child(near)) {
      if (auto hole = ClipBelow(k, info, at)) return hole;
      if (enter(at, near)) {
        at = BranchOf(k, at).child(near);
        descend = true;
        continue;
      }
    }
    from = at;
    at = NodeOf(k, at).parent;
    descend = false;
  }
  return {};
}

// vma_iter_area_highest()
std::optional<Hole> HighestHole(const Kernel& k, Mm& mm,
                                const UnmappedAreaInfo& info) {
  HoleMemo& memo = mm.hole_memo;
  if (memo.above && info.length >= memo.length &&
      info.high_limit <= memo.high_limit) {
    if (auto hole = ClipBelow(k, info, memo.above)) return hole;
  }
  if (auto hole = ClipTop(k, mm, info)) return hole;
  auto hole = FirstFit(k, mm, info, kLeft);
  if (hole) memo = {hole->above, info.length, info.high_limit};
  return hole;
}

// vma_iter_area_lowest()
std::optional<Hole> LowestHole(const Kernel& k, const Mm& mm,
                               const UnmappedAreaInfo& info) {
  if (auto hole = FirstFit(k, mm, info, kRight)) return hole;
  return ClipTop(k, mm, info);
}

// The larger of `best` and the largest hole below any VMA of a subtree, as far
// as holes lie within [low, high). Enters only subtrees that can have a larger
// one.
uint64_t LargestHoleOf(const Kernel& k, VmaId at, uint64_t low, uint64_t high,
                       uint64_t best) {
  if (!at) return best;
  const VmaNode& n = NodeOf(k, at);
  const uint64_t gap = n.SubtreeGap();
  if (gap < VmaNode::kGapCap && gap <= best) return best;
  const VmaBranch& b = BranchOf(k, at);
  const uint64_t start = b.start().value();
  const uint64_t from = std::max(low, start - n.gap);
  const uint64_t to = std::min(high, start);
  if (to > from) best = std::max(best, to - from);
  if (start < high) best = LargestHoleOf(k, b.child(kRight), low, high, best);
  if (start > low) best = LargestHoleOf(k, b.child(kLeft), low, high, best);
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
std::optional<VirtAddr> UnmappedAreaTopdown(const Kernel& k, Mm& mm,
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

}  // namespace faultline

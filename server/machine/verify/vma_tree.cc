// Verifies the list and the tree of one address space's VMAs.
#include "server/machine/mm/vma_tree.h"

#include <algorithm>
#include <string>

namespace faultline {
namespace {

const VmaNode& NodeOf(const Kernel& k, Id<Vma> id) {
  return k.vma_nodes[id.value()];
}

Id<Vma> Child(const Kernel& k, Id<Vma> id, size_t side) {
  return k.vma_branches[id.value()].child(side);
}

bool IsBlack(const Kernel& k, Id<Vma> id) {
  return !id || NodeOf(k, id).color == RbColor::kBlack;
}

uint64_t CappedGap(const Kernel& k, Id<Vma> id) {
  return id ? NodeOf(k, id).SubtreeGap() : 0;
}

std::string CheckListed(const Kernel& k, const Mm& mm, const Vma& v) {
  if (v.mm != mm.id) return "a VMA has a wrong identity";
  if (v.start >= v.end) return "a VMA is empty";
  if (!v.start.aligned() || !v.end.aligned()) return "a VMA is unaligned";
  if (v.prev && k.vmas[v.prev].end > v.start) return "two VMAs overlap";
  return "";
}

std::string CheckNode(const Kernel& k, const Vma& v) {
  const VmaNode& n = NodeOf(k, v.id);
  const VmaBranch& b = k.vma_branches[v.id.value()];
  if (b.start() != v.start || b.end() != v.end) {
    return "a VMA's node has another range";
  }
  const VirtAddr floor = v.prev ? k.vmas[v.prev].end : VirtAddr(0);
  if (n.gap != v.start - floor) return "a VMA gap is stale";
  for (size_t side : {kLeft, kRight}) {
    const Id<Vma> child = Child(k, v.id, side);
    if (n.child_gap[side] != CappedGap(k, child)) return "a VMA gap is stale";
    if (child && NodeOf(k, child).parent != v.id) {
      return "a VMA lost its parent";
    }
    if (n.color == RbColor::kRed && !IsBlack(k, child)) {
      return "a red VMA node has a red child";
    }
  }
  return "";
}

// Every path to a missing child has equally many black nodes.
std::string CheckBlackHeights(const Kernel& k, const Mm& mm) {
  int height = -1;
  for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
    if (Child(k, at, kLeft) && Child(k, at, kRight)) continue;
    int black = 0;
    for (Id<Vma> up = at; up; up = NodeOf(k, up).parent) {
      black += IsBlack(k, up);
    }
    if (height < 0) height = black;
    if (height != black) return "the VMA tree's black heights differ";
  }
  return "";
}

// What hole_memo claims: no hole that long above its VMA.
std::string CheckHoleMemo(const Kernel& k, const Mm& mm) {
  const HoleMemo& memo = mm.hole_memo;
  if (!memo.above) return "";
  uint64_t floor = k.vmas[memo.above].end.value();
  for (Id<Vma> at = k.vmas[memo.above].next;; at = k.vmas[at].next) {
    const uint64_t top = at ? k.vmas[at].start.value() : ~uint64_t{0};
    const uint64_t end = std::min(top, memo.high_limit);
    if (end > floor && end - floor >= memo.length) {
      return "hole_memo overlooks a hole";
    }
    if (!at) return "";
    floor = k.vmas[at].end.value();
  }
}

}  // namespace

std::string VerifyVmaTree(const Kernel& k, const Mm& mm) {
  uint32_t count = 0;
  Id<Vma> prev;
  for (Id<Vma> at = mm.mmap; at; prev = at, at = k.vmas[at].next) {
    const Vma& v = k.vmas[at];
    if (++count > mm.map_count) return "the VMA list is longer than map_count";
    if (v.id != at) return "a VMA has a wrong identity";
    if (v.prev != prev) return "a VMA's prev is not the VMA before it";
    if (std::string wrong = CheckListed(k, mm, v); !wrong.empty()) return wrong;
    if (std::string wrong = CheckNode(k, v); !wrong.empty()) return wrong;
    if (LookupVma(k, mm, v.start) != at) return "a VMA cannot be found";
  }
  if (count != mm.map_count) return "map_count is not the length of the list";
  if (std::string wrong = CheckBlackHeights(k, mm); !wrong.empty()) {
    return wrong;
  }
  return CheckHoleMemo(k, mm);
}

}  // namespace faultline

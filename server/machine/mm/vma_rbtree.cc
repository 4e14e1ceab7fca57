// Models lib/rbtree.c (v6.0) by its invariants; mm/mmap.c: vma_gap_update().
#include "server/machine/mm/vma_rbtree.h"

#include <utility>

namespace faultline {

// Tells the ancestors of `id` the largest gap of its subtree, as far up as it
// is news.
void VmaRbTree::Propagate(Id<Vma> id) {
  Id<Vma> parent = cnode(id).parent;
  while (parent) {
    const uint64_t gap = cnode(id).SubtreeGap();
    const size_t side = SideOf(parent, id);
    if (cnode(parent).child_gap[side] == gap) return;
    VmaNode& p = node(parent);
    p.child_gap[side] = gap;
    id = parent;
    parent = p.parent;
  }
}

void VmaRbTree::SetChildGap(Id<Vma> parent, size_t side, uint64_t gap) {
  if (cnode(parent).child_gap[side] == gap) return;
  node(parent).child_gap[side] = gap;
  Propagate(parent);
}

void VmaRbTree::SetGap(Id<Vma> id, uint64_t gap) {
  if (cnode(id).gap == gap) return;
  node(id).gap = gap;
  Propagate(id);
}

void VmaRbTree::ReplaceChild(Id<Vma> parent, Id<Vma> old, Id<Vma> fresh) {
  if (parent) {
    branch(parent).set_child(SideOf(parent, old), fresh);
  } else {
    mm_.mm_rb = fresh;
  }
  if (fresh) node(fresh).parent = parent;
}

// Rotates `down` to the given side below itself; its other child comes up. The
// subtree as a whole keeps its largest gap.
void VmaRbTree::Rotate(Id<Vma> down, size_t side) {
  const size_t other = 1 - side;
  const Id<Vma> up = child(down, other), inner = child(up, side);
  VmaNode& x = node(down);
  VmaNode& y = node(up);
  ReplaceChild(x.parent, down, up);
  branch(down).set_child(other, inner);
  x.child_gap[other] = y.child_gap[side];
  if (inner) node(inner).parent = down;
  branch(up).set_child(side, down);
  y.child_gap[side] = x.SubtreeGap();
  x.parent = up;
}

void VmaRbTree::Insert(Id<Vma> id, Id<Vma> prev, Id<Vma> next) {
  // Of two neighbours one has no child towards the other.
  const bool below_prev = prev && !child(prev, kRight);
  const Id<Vma> parent = below_prev ? prev : next;
  VmaNode& fresh = node(id);
  fresh.parent = parent;
  branch(id).set_child(kLeft, {});
  branch(id).set_child(kRight, {});
  fresh.child_gap = {};
  fresh.color = RbColor::kRed;
  if (!parent) {
    mm_.mm_rb = id;
  } else {
    branch(parent).set_child(below_prev ? kRight : kLeft, id);
    Propagate(id);
  }
  InsertFixup(id);
}

void VmaRbTree::InsertFixup(Id<Vma> z) {
  while (true) {
    Id<Vma> p = cnode(z).parent;
    if (!p) {
      node(z).color = RbColor::kBlack;
      return;
    }
    if (IsBlack(p)) return;
    const Id<Vma> g = cnode(p).parent;
    const size_t side = SideOf(g, p);
    const Id<Vma> uncle = child(g, 1 - side);
    if (!IsBlack(uncle)) {
      node(p).color = RbColor::kBlack;
      node(uncle).color = RbColor::kBlack;
      node(g).color = RbColor::kRed;
      z = g;
      continue;
    }
    if (SideOf(p, z) != side) {
      Rotate(p, side);
      std::swap(p, z);
    }
    node(p).color = RbColor::kBlack;
    node(g).color = RbColor::kRed;
    Rotate(g, 1 - side);
    return;
  }
}

void VmaRbTree::Erase(Id<Vma> id) {
  const VmaNode& z = node(id);
  const Id<Vma> left = child(id, kLeft), right = child(id, kRight);
  RbColor removed = z.color;
  Id<Vma> x, parent;  // what moves up, perhaps nothing, and to below whom
  size_t side;
  if (!left || !right) {
    x = left ? left : right;
    parent = z.parent;
    side = parent ? SideOf(parent, id) : kLeft;
    ReplaceChild(parent, id, x);
  } else {
    // The successor takes its place; it has no left child.
    Id<Vma> next = right;
    while (child(next, kLeft)) next = child(next, kLeft);
    VmaNode& y = node(next);
    removed = y.color;
    x = child(next, kRight);
    side = next == right ? kRight : kLeft;
    parent = next == right ? next : y.parent;
    const uint64_t gap_right =
        next == right ? y.child_gap[kRight] : z.child_gap[kRight];
    if (next != right) {
      ReplaceChild(parent, next, x);
      branch(next).set_child(kRight, right);
      node(right).parent = next;
    }
    ReplaceChild(z.parent, id, next);
    branch(next).set_child(kLeft, left);
    node(left).parent = next;
    y.child_gap[kLeft] = z.child_gap[kLeft];
    y.child_gap[kRight] = gap_right;
    y.color = z.color;
    Propagate(next);
  }
  if (parent) SetChildGap(parent, side, x ? cnode(x).SubtreeGap() : 0);
  if (removed == RbColor::kBlack) EraseFixup(x, parent);
  static constexpr VmaNode kNoNode;
  static constexpr VmaBranch kNoBranch;
  node(id) = kNoNode;
  branch(id) = kNoBranch;
}

// `x`, perhaps none, stands below `parent` one black node short.
void VmaRbTree::EraseFixup(Id<Vma> x, Id<Vma> parent) {
  while (parent && IsBlack(x)) {
    const size_t side = child(parent, kLeft) == x ? kLeft : kRight;
    const size_t other = 1 - side;
    Id<Vma> w = child(parent, other);
    if (!IsBlack(w)) {
      node(w).color = RbColor::kBlack;
      node(parent).color = RbColor::kRed;
      Rotate(parent, side);
      w = child(parent, other);
    }
    const Id<Vma> near = child(w, side);
    Id<Vma> far = child(w, other);
    if (IsBlack(near) && IsBlack(far)) {
      node(w).color = RbColor::kRed;
      x = parent;
      parent = cnode(x).parent;
      continue;
    }
    if (IsBlack(far)) {
      node(near).color = RbColor::kBlack;
      node(w).color = RbColor::kRed;
      Rotate(w, other);
      w = near;
      far = child(w, other);
    }
    node(w).color = cnode(parent).color;
    node(parent).color = RbColor::kBlack;
    node(far).color = RbColor::kBlack;
    Rotate(parent, side);
    break;
  }
  if (x) node(x).color = RbColor::kBlack;
}

}  // namespace faultline

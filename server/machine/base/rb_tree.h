// A red-black tree whose links are indices in its nodes, as struct rb_node is a
// member of what it links. The keys are the caller's: it finds the place of a
// new node itself, and may let keys change under the tree, as KSM does. Models
// lib/rbtree.c (v6.18): the trees have the shapes that Linux's have.
#ifndef FAULTLINE_SERVER_MACHINE_BASE_RB_TREE_H_
#define FAULTLINE_SERVER_MACHINE_BASE_RB_TREE_H_

#include <cstdint>
#include <utility>

namespace faultline {

// struct rb_node; 0 is no node.
struct RbLinks {
  uint32_t parent = 0;
  uint32_t left = 0;
  uint32_t right = 0;
  bool red = false;
};

enum class RbSide : uint8_t { kLeft, kRight };

// The operations on the tree with this root. `at(n)` gives the RbLinks& of node
// n, and is asked for no node 0.
template <class At>
class RbTree {
 public:
  RbTree(uint32_t& root, At at) : root_(root), at_(std::move(at)) {}

  // rb_link_node() and rb_insert_color(): node n on a free side of `parent`, or
  // as the root when that is 0.
  void Insert(uint32_t n, uint32_t parent, RbSide side) {
    at_(n) = {.parent = parent, .left = 0, .right = 0, .red = true};
    if (parent == 0) {
      root_ = n;
    } else {
      (side == RbSide::kLeft ? at_(parent).left : at_(parent).right) = n;
    }
    while (IsRed(at_(n).parent)) n = FixRedParent(n);
    at_(root_).red = false;
  }

  // rb_erase()
  void Erase(uint32_t n) {
    const RbLinks gone = at_(n);
    uint32_t child = 0, parent = 0;
    bool red = gone.red;
    if (gone.left == 0 || gone.right == 0) {
      child = gone.left != 0 ? gone.left : gone.right;
      parent = gone.parent;
      Transplant(n, child);
    } else {
      uint32_t next = gone.right;
      while (at_(next).left != 0) next = at_(next).left;
      red = at_(next).red;
      child = at_(next).right;
      parent = at_(next).parent == n ? next : at_(next).parent;
      if (parent != next) {
        Transplant(next, child);
        at_(next).right = gone.right;
        at_(gone.right).parent = next;
      }
      Transplant(n, next);
      at_(next).left = gone.left;
      at_(gone.left).parent = next;
      at_(next).red = gone.red;
    }
    at_(n) = {};
    if (!red) FixMissingBlack(child, parent);
  }

  // rb_replace_node(): `fresh` takes the place of `old`.
  void Replace(uint32_t old, uint32_t fresh) {
    at_(fresh) = at_(old);
    ReplaceChild(at_(old).parent, old, fresh);
    if (at_(fresh).left != 0) at_(at_(fresh).left).parent = fresh;
    if (at_(fresh).right != 0) at_(at_(fresh).right).parent = fresh;
    at_(old) = {};
  }

 private:
  bool IsRed(uint32_t n) { return n != 0 && at_(n).red; }

  void ReplaceChild(uint32_t parent, uint32_t old, uint32_t fresh) {
    if (parent == 0) {
      root_ = fresh;
    } else {
      (at_(parent).left == old ? at_(parent).left : at_(parent).right) = fresh;
    }
  }
  void Transplant(uint32_t old, uint32_t fresh) {
    const uint32_t parent = at_(old).parent;
    ReplaceChild(parent, old, fresh);
    if (fresh != 0) at_(fresh).parent = parent;
  }

  static uint32_t& Child(RbLinks& links, bool left) {
    return left ? links.left : links.right;
  }
  // The child on the other side rises above n, which goes down to `left`'s.
  void Rotate(uint32_t n, bool left) {
    const uint32_t up = Child(at_(n), !left);
    const uint32_t across = Child(at_(up), left);
    Child(at_(n), !left) = across;
    if (across != 0) at_(across).parent = n;
    Transplant(n, up);
    Child(at_(up), left) = n;
    at_(n).parent = up;
  }

  // n and its parent are red. The node to look at next.
  uint32_t FixRedParent(uint32_t n) {
    uint32_t parent = at_(n).parent;
    const uint32_t top = at_(parent).parent;
    const bool left = at_(top).left == parent;
    const uint32_t uncle = Child(at_(top), !left);
    if (IsRed(uncle)) {
      at_(parent).red = at_(uncle).red = false;
      at_(top).red = true;
      return top;
    }
    if (Child(at_(parent), !left) == n) {
      Rotate(parent, left);
      std::swap(n, parent);
    }
    at_(parent).red = false;
    at_(top).red = true;
    Rotate(top, !left);
    return n;
  }

  // The paths through n, a child of `parent`, have one black node too few.
  void FixMissingBlack(uint32_t n, uint32_t parent) {
    while (parent != 0 && !IsRed(n)) {
      const bool left = at_(parent).left == n;
      uint32_t sibling = Child(at_(parent), !left);
      if (IsRed(sibling)) {
        at_(sibling).red = false;
        at_(parent).red = true;
        Rotate(parent, left);
        sibling = Child(at_(parent), !left);
      }
      if (!IsRed(at_(sibling).left) && !IsRed(at_(sibling).right)) {
        at_(sibling).red = true;
        n = parent;
        parent = at_(n).parent;
        continue;
      }
      if (!IsRed(Child(at_(sibling), !left))) {
        at_(Child(at_(sibling), left)).red = false;
        at_(sibling).red = true;
        Rotate(sibling, !left);
        sibling = Child(at_(parent), !left);
      }
      at_(sibling).red = at_(parent).red;
      at_(parent).red = false;
      at_(Child(at_(sibling), !left)).red = false;
      Rotate(parent, left);
      return;
    }
    if (n != 0) at_(n).red = false;
  }

  uint32_t& root_;
  At at_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_BASE_RB_TREE_H_

// The red-black tree of an address space's VMAs, as a tree: what it holds is
// mm/vma_tree.h's affair. Models lib/rbtree.c by its invariants, and the
// augmentation of mm/mmap.c (v6.0): vma_gap_update().
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMA_RBTREE_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMA_RBTREE_H_

#include <cstddef>
#include <utility>

#include "server/machine/kernel.h"

namespace faultline {

class VmaRbTree {
 public:
  VmaRbTree(Kernel& k, Mm& mm) : k_(k), mm_(mm) {}

  VmaBranch& branch(Id<Vma> id) { return k_.vma_branches[id.value()]; }
  VmaNode& node(Id<Vma> id) { return k_.vma_nodes[id.value()]; }
  const VmaNode& cnode(Id<Vma> id) const {
    return std::as_const(k_.vma_nodes)[id.value()];
  }
  Id<Vma> child(Id<Vma> id, size_t side) const {
    return std::as_const(k_.vma_branches)[id.value()].child(side);
  }

  // Adds a node with its range and gap between two that are neighbours.
  void Insert(Id<Vma> id, Id<Vma> prev, Id<Vma> next);
  void Erase(Id<Vma> id);
  // The hole below a VMA has another size: it and its ancestors know.
  void SetGap(Id<Vma> id, uint64_t gap);

 private:
  bool IsBlack(Id<Vma> id) const {
    return !id || cnode(id).color == RbColor::kBlack;
  }
  // Which child of `parent` it is.
  size_t SideOf(Id<Vma> parent, Id<Vma> id) const {
    return child(parent, kRight) == id ? kRight : kLeft;
  }
  void ReplaceChild(Id<Vma> parent, Id<Vma> old, Id<Vma> fresh);
  void Rotate(Id<Vma> down, size_t side);
  void InsertFixup(Id<Vma> id);
  void EraseFixup(Id<Vma> id, Id<Vma> parent);
  void Propagate(Id<Vma> id);
  void SetChildGap(Id<Vma> parent, size_t side, uint64_t gap);

  Kernel& k_;
  Mm& mm_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMA_RBTREE_H_

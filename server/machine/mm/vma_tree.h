// The VMAs of one address space: a sorted list, and a red-black tree over it
// with the hole below each VMA, so that both finding a VMA and finding a hole
// (mm/vma_holes.h) are logarithmic.
//
// Models mm/mmap.c (v6.0, the last with the tree): find_vma(), __vma_link(),
// __vma_unlink(), vma_compute_gap(). 6.18 keeps a maple tree instead; what
// either finds is the same (departure D1).
//
// Invariants: (1) list order is address order, VMAs are disjoint and not
// empty; (2) in-order traversal of the tree is the list; (3) no red node has a
// red child, all paths have equally many black nodes; (4) a node's range is its
// VMA's, its gaps are exact up to VmaNode::kGapCap; (5) what Mm::hole_memo
// claims is true.
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMA_TREE_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMA_TREE_H_

#include <string>

#include "server/machine/kernel.h"

namespace faultline {

// The first VMA that ends above `addr`, or none. Uses mm.mmap_cache and
// counts hits, misses and nodes visited, as 2.6's find_vma() would.
Id<Vma> FindVma(Kernel& k, Mm& mm, VirtAddr addr);
// The same for a reader: counts nothing.
Id<Vma> LookupVma(const Kernel& k, const Mm& mm, VirtAddr addr);
// The first VMA that overlaps [start, end), or none.
Id<Vma> FindVmaIntersection(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end);
// The VMA before the first one that ends above `addr`: its predecessor in the
// list, or the last of all when no VMA ends above.
Id<Vma> FindVmaPrev(Kernel& k, Mm& mm, VirtAddr addr, Id<Vma>* found);
Id<Vma> LastVma(const Kernel& k, const Mm& mm);

// find_vma_prepare(): the first VMA that ends above `addr`, and the one before
// it. Counts nothing.
struct VmaPlace {
  Id<Vma> prev;
  Id<Vma> next;
};
VmaPlace PlaceOf(const Kernel& k, const Mm& mm, VirtAddr addr);

// Adds a VMA whose range is free. Updates map_count.
void LinkVma(Kernel& k, Mm& mm, Vma& vma);
// The same where it is known between which two it comes.
void LinkVma(Kernel& k, Mm& mm, Vma& vma, VmaPlace place);
// Takes it out of list and tree (the object stays).
void UnlinkVma(Kernel& k, Mm& mm, Vma& vma);
// Moves the ends of a linked VMA into free or its own space, and keeps gaps.
void SetVmaRange(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end);

// The same for neighbours that touch. No hole changes, so this is cheap.
// A linked VMA becomes two: `fresh` takes the part below `at`, or the upper.
enum class Half : uint8_t { kLower, kUpper };
void SplitLinkedVma(Kernel& k, Vma& vma, Vma& fresh, VirtAddr at, Half half);
void MoveVmaBorder(Kernel& k, Vma& lower, Vma& upper, VirtAddr at);
// `vma` takes over the range of `gone`, which leaves list and tree.
void JoinVmas(Kernel& k, Vma& vma, Vma& gone);

// rb_subtree_gap: the largest hole below any VMA of a subtree, in bytes.
uint64_t VmaSubtreeGap(const Kernel& k, Id<Vma> id);
// vm_start_gap(): the start less the guard gap of a stack.
VirtAddr VmStartGap(const Kernel& k, const Vma& vma);

// "" or the first invariant that does not hold.
std::string VerifyVmaTree(const Kernel& k, const Mm& mm);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMA_TREE_H_

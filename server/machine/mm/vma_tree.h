// The VMAs of one address space: a sorted list, a red-black tree over it, and
// in every tree node the largest gap below any VMA of its subtree, so that
// both finding a VMA and finding a hole are logarithmic.
//
// Models mm/mmap.c (v6.0, the last with the tree): find_vma(),
// __vma_link(), __vma_unlink(), vma_compute_gap(). 6.18 keeps a maple tree
// instead; what either finds is the same (departure D1).
//
// Invariants: (1) list order is address order, VMAs are disjoint and not
// empty; (2) in-order traversal of the tree is the list; (3) no red node has a
// red child, all paths have equally many black nodes; (4) rb_subtree_gap is
// exact.
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMA_TREE_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMA_TREE_H_

#include <optional>
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

// Adds a VMA whose range is free. Updates map_count.
void LinkVma(Kernel& k, Mm& mm, Vma& vma);
// Takes it out of list and tree (the object stays).
void UnlinkVma(Kernel& k, Mm& mm, Vma& vma);
// Moves the ends of a linked VMA into free or its own space, and keeps gaps.
void SetVmaRange(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end);

// Where a search for free address space may look, and what it wants.
struct UnmappedAreaInfo {
  uint64_t length = 0;
  uint64_t low_limit = 0;
  uint64_t high_limit = 0;
};
// vm_unmapped_area(): the highest (lowest) address of a hole that fits, with
// stack_guard_gap kept below every VM_GROWSDOWN VMA. mm/vma.c:
// unmapped_area_topdown(), unmapped_area()
std::optional<VirtAddr> UnmappedAreaTopdown(const Kernel& k, const Mm& mm,
                                            UnmappedAreaInfo info);
std::optional<VirtAddr> UnmappedAreaBottomup(const Kernel& k, const Mm& mm,
                                             UnmappedAreaInfo info);
// The largest stretch of free addresses within [low, high), in bytes.
uint64_t LargestHole(const Kernel& k, const Mm& mm, VirtAddr low,
                     VirtAddr high);
// vm_start_gap(): the start less the guard gap of a stack.
VirtAddr VmStartGap(const Kernel& k, const Vma& vma);

// "" or the first invariant that does not hold.
std::string VerifyVmaTree(const Kernel& k, const Mm& mm);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMA_TREE_H_

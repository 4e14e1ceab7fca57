// The page-table half of mremap: what the entries of one range say is moved to
// another. Models mm/mremap.c (v6.18): move_page_tables(), move_ptes(),
// move_normal_pmd(), move_normal_pud().
#ifndef FAULTLINE_SERVER_MACHINE_MM_MOVE_PAGE_TABLES_H_
#define FAULTLINE_SERVER_MACHINE_MM_MOVE_PAGE_TABLES_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// struct pagetable_move_control: [from, from + length) of VMA `source` to `to`
// in VMA `dest`. Nothing may be mapped there.
struct PagetableMove {
  const Vma& source;
  const Vma& dest;
  VirtAddr from;
  VirtAddr to;
  uint64_t length;
};

// A table whose whole range moves is moved itself, at level 2 or 1; a huge page
// moves as it is. Returns how many bytes were moved: less than `length` when
// there was no memory for a table, and then the same call with the sides
// exchanged moves them back.
uint64_t MovePageTables(Kernel& k, Mm& mm, const PagetableMove& move);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MOVE_PAGE_TABLES_H_

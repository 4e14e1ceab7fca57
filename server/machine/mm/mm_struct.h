// What struct mm_struct says of an address space beyond the fields of Mm: what
// follows from its VMAs and its tasks. Models include/linux/mm_types.h
// (v2.6.32) and mm/mmap.c: vm_stat_account() as it was then.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MM_STRUCT_H_
#define FAULTLINE_SERVER_MACHINE_MM_MM_STRUCT_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// What one walk over the VMAs counts. 2.6.32 kept each as a field.
struct VmaCounts {
  uint64_t shared_vm = 0;          // pages of mappings of files
  uint64_t reserved_vm = 0;        // pages of device memory: VM_IO, VM_PFNMAP
  uint32_t num_exe_file_vmas = 0;  // VMAs that map the program itself
  VirtAddr vdso;                   // context.vdso; 0: none
};
VmaCounts CountVmas(const Kernel& k, const Mm& mm);

// Tasks of the address space that the OOM killer may not choose.
uint32_t OomDisableCount(const Kernel& k, const Mm& mm);

// pmd_huge_pte: page tables in deposit, one for each huge page.
uint32_t DepositedTables(const Kernel& k, const Mm& mm);

// A VMA's distance from the root, which is 0. A lookup of one of its addresses
// that misses mmap_cache visits one node more.
uint32_t VmaDepth(const Kernel& k, const Vma& vma);

struct VmaTreeShape {
  uint32_t height = 0;        // nodes on the longest path from the root down
  uint32_t black_height = 0;  // black nodes on every path
};
VmaTreeShape ShapeOf(const Kernel& k, const Mm& mm);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MM_STRUCT_H_

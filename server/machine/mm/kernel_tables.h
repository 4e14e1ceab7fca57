// init_mm: the page tables of the kernel's own addresses, in simulated frames
// like any other. They grow as addresses are used: the direct map gets an entry
// when somebody first looks there, so that a large machine costs nothing.
#ifndef FAULTLINE_SERVER_MACHINE_MM_KERNEL_TABLES_H_
#define FAULTLINE_SERVER_MACHINE_MM_KERNEL_TABLES_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {

// The address-space tag of the kernel's translations, which are global: no
// process has it.
inline constexpr Asid kKernelAsid = 0;

// _PAGE_TABLE_NOENC, PAGE_KERNEL: the bits of a table's entry and of a page's.
inline constexpr uint64_t kKernelTableBits =
    Pte::kPresent | Pte::kWrite | Pte::kAccessed | Pte::kDirty;
inline constexpr uint64_t kKernelGlobal = Pte::kProtNone;  // _PAGE_GLOBAL
inline constexpr uint64_t kKernelPageBits =
    kKernelTableBits | kKernelGlobal | Pte::kNoExec;

inline Cr3 KernelCr3(const Kernel& k) {
  return {k.kernel_maps.pgd, kKernelAsid, k.paging};
}

// The PTE of an address of the vmalloc area or of pkmap, its tables made if
// need be; !ok(): no memory for one.
PteRef AllocKernelPte(Kernel& k, VirtAddr addr);
// The same of the fixmap, whose tables boot makes.
PteRef AllocFixmapPte(Kernel& k, VirtAddr addr);
// The same to look; !ok(): there is no table.
PteRef FindKernelPte(const Kernel& k, VirtAddr addr);

// Gives an address of the direct map its entry, if memory lies there: a large
// one where all that it maps is memory, else a PTE.
void PopulateDirectMap(Kernel& k, VirtAddr addr);

// What the tables say of an address, the direct map populated or not: the
// frame, or an invalid Pfn. virt_to_page(), vmalloc_to_page()
Pfn KernelAddrToPfn(const Kernel& k, uint64_t addr);

// Is it in a frame that boot kept for itself? Kernel tables that boot makes are
// there, and nothing counts them.
bool KeptByBoot(const Kernel& k, Pfn pfn);

// Does NR_PAGETABLE count a kernel's table of this level that is not boot's?
// All since 6.16, before that those of level 2 only.
bool KernelTableCounts(const Kernel& k, int level);

// flush_tlb_kernel_range()
void FlushTlbKernelRange(Kernel& k, uint64_t start, uint64_t end);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KERNEL_TABLES_H_

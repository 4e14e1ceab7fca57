// Transparent huge pages: an entry of a level-2 table that maps 2 MiB at once.
// For each of anonymous memory there is a level-1 table in deposit, so that
// splitting the entry needs no memory. Those of files are in mm/huge_file.h;
// what is here takes either.
#ifndef FAULTLINE_SERVER_MACHINE_MM_HUGE_MEMORY_H_
#define FAULTLINE_SERVER_MACHINE_MM_HUGE_MEMORY_H_

#include <cstdint>
#include <vector>

#include "server/machine/kernel.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {

// transparent_hugepage/enabled, as the sysctl thp.enabled has it.
enum ThpEnabled : uint64_t { kThpNever = 0, kThpMadvise = 1, kThpAlways = 2 };

// TVA_*: who asks.
enum class ThpFor : uint8_t { kFault, kSmaps, kForcedCollapse };
// thp_vma_allowable_order(): may the VMA have huge pages at all?
bool ThpAllowable(const Kernel& k, const Vma& vma, ThpFor whom);

// thp_vma_suitable_order(), vma_thp_disabled(): can a level-2 entry serve the
// address?
bool PmdSuitable(const Kernel& k, const Vma& vma, VirtAddr addr);

inline bool IsHugeZero(const Kernel& k, Pte pmd) {
  return k.huge_zero_page.valid() && pmd.pfn() == k.huge_zero_page;
}

// The outcome of a fault that a level-2 entry may serve: a VM_FAULT_* that has
// no error, VM_FAULT_OOM, or this: it is for the PTE level.
inline constexpr uint32_t kFaultFallback = 1 << 11;  // VM_FAULT_FALLBACK
// create_huge_pmd(), wp_huge_pmd(), huge_pmd_set_accessed(). REQUIRES: no
// level-1 table translates the address, and of a file a level-2 entry does.
uint32_t HugePmdFault(Kernel& k, Vma& vma, VirtAddr addr, bool write,
                      FaultResolved* resolved);

// __split_huge_pmd(): 512 PTEs take the place of the huge entry at `addr`, if
// there is one; of a file, nothing. The folio stays whole.
void SplitHugePmd(Kernel& k, const Vma& vma, VirtAddr addr);
// split_huge_pmd_if_needed(): the VMA is to begin or to end at `addr`.
void SplitHugePmdAt(Kernel& k, const Vma& vma, VirtAddr addr);

// zap_huge_pmd(): the entry, its page's mapping and its deposited table go.
void ZapHugePmd(Kernel& k, const Vma& vma, VirtAddr addr, PteRef pmd);
// copy_huge_pmd(): fork. kWasSplit: reclaim has split it meanwhile, and nothing
// was copied.
enum class CopiedHuge : uint8_t { kDone, kNoMemory, kWasSplit };
CopiedHuge CopyHugePmd(Kernel& k, Mm& to, VirtAddr addr, PteRef pmd);
// change_huge_pmd(): the VMA's protection enters the entry.
void ChangeHugePmd(Kernel& k, const Vma& vma, PteRef pmd);
// move_huge_pmd(): REQUIRES: nothing at `to`, which has a level-2 table.
void MoveHugePmd(Kernel& k, Mm& mm, VirtAddr to, PteRef pmd);

// split_folio(): 512 pages of their own; those that nobody maps are freed, and
// those that hold zeros give way to the zero page. Every entry that maps the
// folio as a whole is split first. Of a file: SplitFileFolio(). Of an isolated
// folio the other pages that remain are isolated too, and appended to
// `isolated`.
void SplitFolio(Kernel& k, Pfn pfn, std::vector<Pfn>* isolated = nullptr);

// madvise_collapse(): MADV_COLLAPSE.
Errno MadviseCollapse(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end);

// map_anon_folio_pmd(): a new folio for the 2 MiB at `addr`; the caller counts
// it in rss.
void MapAnonFolioPmd(Kernel& k, Vma& vma, VirtAddr addr, PteRef pmd, Pfn head);
// pgtable_trans_huge_deposit(), pgtable_trans_huge_withdraw(): at a level-2
// table.
void DepositTable(Kernel& k, Pfn pmd_table, Pfn table);
Pfn WithdrawTable(Kernel& k, Pfn pmd_table);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_HUGE_MEMORY_H_

// Models mm/khugepaged.c (v6.18): madvise_collapse(),
// hpage_collapse_scan_pmd(), collapse_huge_page(). The daemon itself does not
// run (departure D7).
#include "server/machine/mm/khugepaged.h"

#include <utility>
#include <vector>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/changes.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/swap_fault.h"

namespace faultline {
namespace {

// __collapse_huge_page_copy(): the pages move into the folio, holes as zeros.
void CopyInto(Kernel& k, const Vma& vma, Pfn table, Pfn head) {
  Mm& mm = k.mms[vma.mm];
  uint64_t* entries = k.frames.MutTable(table);
  for (uint64_t i = 0; i < kHugePmdNr; i++) {
    const Pte pte(std::exchange(entries[i], 0));
    if (pte.none() || pte.special()) {
      CountKsmZeroPage(k, mm, pte);
      AddMmCounter(k, mm, kRssAnon, 1);
      continue;
    }
    k.frames[head + PageCount(i)] = std::as_const(k.frames)[pte.pfn()];
    k.clock_ns += cost::kPageCopy;
    RemoveRmap(k, vma, pte.pfn());
  }
}

// __collapse_huge_page_swapin(): what is swapped out comes back; is everything
// there then that there is an entry for?
bool AllPresent(Kernel& k, Vma& vma, VirtAddr addr) {
  const Mm& mm = k.mms[vma.mm];
  std::vector<VirtAddr> swapped;
  ForEachPte(std::as_const(k), mm, addr, addr + kPmdSize,
             [&](VirtAddr a, Pte pte) {
               if (pte.swapped()) swapped.push_back(a);
             });
  for (const VirtAddr a : swapped) {
    const PteRef at = FindPte(std::as_const(k), mm, a);
    if (!ReadPte(std::as_const(k), at).swapped()) continue;
    if (!DoSwapPage(k, vma, a, at, false).pfn.valid()) return false;
  }
  bool absent = false;
  ForEachPte(std::as_const(k), mm, addr, addr + kPmdSize,
             [&](VirtAddr, Pte pte) { absent |= !pte.present(); });
  return !absent;
}

// hpage_collapse_scan_pmd() of 6.1: SCAN_PAGE_RO.
bool IsReadOnly(const Kernel& k, const Mm& mm, VirtAddr addr) {
  bool writable = false;
  ForEachPte(k, mm, addr, addr + kPmdSize, [&](VirtAddr, Pte pte) {
    writable |= pte.present() && pte.writable();
  });
  return !writable;
}

Scan CollapsePmd(Kernel& k, Vma& vma, VirtAddr addr) {
  Mm& mm = k.mms[vma.mm];
  const Leaf leaf = FindLeaf(std::as_const(k), mm, addr);
  if (leaf.huge) return Scan::kSucceed;
  const Pfn level2 = FindTable(std::as_const(k), mm, addr, 2);
  if (!level2.valid()) return Scan::kNext;
  if (!leaf.at.ok()) return Scan::kNothing;
  if (!changes::CollapsesReadOnly(k) && IsReadOnly(k, mm, addr)) {
    return Scan::kNext;
  }
  if (!AllPresent(k, vma, addr)) return Scan::kNotPresent;
  // collapse_huge_page() lets go of mmap_sem to allocate and to wait for who
  // only reads; madvise_collapse() takes it again for what comes next.
  MmapReadLock(mm);
  const Pfn head = AllocLargeFolio(k, true);
  if (!head.valid()) {
    k.vmstat.events[kThpCollapseAllocFailed]++;
    return Scan::kNoMemory;
  }
  k.vmstat.events[kThpCollapseAlloc]++;
  MmapReadLock(mm);
  // Some may have gone to make room for it.
  if (!AllPresent(k, vma, addr)) {
    FreeUnusedFolio(k, head);
    return Scan::kNotPresent;
  }
  MmapWriteLock(mm);
  const PteRef pmd{level2, k.paging.IndexAt(addr, 2)};
  FlushTlbRange(k, mm, addr, addr + kPmdSize);
  CopyInto(k, vma, leaf.at.table, head);
  k.table_memo = {};
  DepositTable(k, pmd.table, leaf.at.table);
  MapAnonFolioPmd(k, vma, addr, pmd, head);
  return Scan::kSucceed;
}

}  // namespace

Errno MadviseCollapse(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end) {
  if (!ThpAllowable(k, vma, ThpFor::kForcedCollapse)) return Errno::kEINVAL;
  const VirtAddr first((start.value() + kPmdSize - 1) & ~(kPmdSize - 1));
  const VirtAddr last(end.value() & ~(kPmdSize - 1));
  uint64_t mapped = 0;
  for (VirtAddr addr = first; addr < last; addr = addr + kPmdSize) {
    const Scan result = vma.anonymous() ? CollapsePmd(k, vma, addr)
                                        : CollapseFilePmd(k, vma, addr);
    if (result == Scan::kSucceed) {
      mapped++;
    } else if (result == Scan::kNoMemory) {
      return Errno::kENOMEM;
    } else if (result != Scan::kNext) {
      return Errno::kEINVAL;
    }
  }
  // A range without a whole 2 MiB in it is a number that nothing reaches.
  return mapped == (last - first) / kPmdSize ? Errno::kOk : Errno::kEINVAL;
}

}  // namespace faultline

// Models mm/memory.c (v6.18): do_set_pmd(), set_pte_range(), finish_fault(),
// zap_present_folio_ptes(); mm/filemap.c: filemap_map_folio_range();
// mm/huge_memory.c: __split_huge_pmd_locked() and zap_huge_pmd() of a file.
#include "server/machine/mm/huge_file.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/unmap.h"

namespace faultline {
namespace {

constexpr auto kHugePages = static_cast<int64_t>(kHugePmdNr);

// The entry of a page that the VMA may read, or was to write.
Pte FileEntry(const Kernel& k, const Vma& vma, Pfn pfn, bool write) {
  const Pte entry = Pte::Make(pfn, VmPageProt(k, vma));
  if (!write) return entry;
  return entry.With(DirtyBits(k) | (vma.Has(vm::kWrite) ? Pte::kWrite : 0));
}

// set_pte_range()
void SetPteRange(Kernel& k, const Vma& vma, PteRef at, Pfn pfn, uint64_t n,
                 bool write) {
  AddFileRmapPtes(k, vma, pfn, n);
  for (uint64_t i = 0; i < n; i++, at.index++) {
    SetPte(k, at, FileEntry(std::as_const(k), vma, pfn + PageCount(i), write));
    k.clock_ns += cost::kPteSet;
  }
}

// The run of all of the folio's pages, of which `pfn` is at the entry; of no
// pages where the VMA or the table is too small for it.
MappedRun WholeFolio(const Kernel& k, const Vma& vma, PteRef at, uint64_t pgoff,
                     Pfn pfn) {
  const Page& page = k.page(pfn);
  const Pfn head = FolioHead(page, pfn);
  const uint64_t before = (pfn - head).value(), pages = FolioPages(page);
  const uint64_t vma_end = vma.pgoff + vma.pages().value();
  const int first = at.index - static_cast<int>(before);
  const bool fits = k.quirks.maps_whole_folios && pgoff - vma.pgoff >= before &&
                    pgoff - before + pages <= vma_end && first >= 0 &&
                    first + static_cast<int>(pages) <= k.paging.entries();
  if (!fits) return {};
  return {head, first, static_cast<int>(pages)};
}

// An entry that mapped the folio whole is gone.
void DropFilePmd(Kernel& k, const Vma& vma, VirtAddr addr, PteRef pmd) {
  Mm& mm = k.mms[vma.mm];
  const Pfn head = ReadPte(std::as_const(k), pmd).pfn();
  const VirtAddr from(addr.value() & ~(kPmdSize - 1));
  SetPte(k, pmd, Pte());
  k.table_memo = {};
  FlushTlbRange(k, mm, from, from + kPmdSize);
  if (vma.Has(vm::kLocked)) MunlockLargeFolio(k, head);
  RemoveLargeRmapPmd(k, mm, head);
  AddMmCounter(k, mm, kRssShmem, -kHugePages);
}

}  // namespace

bool MapFilePmd(Kernel& k, const Vma& vma, VirtAddr addr, Pfn pfn, bool write) {
  const Page& page = std::as_const(k).page(pfn);
  if (!page.Is(page_flag::kLarge) || page.order != kHugePmdOrder) return false;
  if (!PmdSuitable(std::as_const(k), vma, addr)) return false;
  const Pfn head = FolioHead(page, pfn);
  Mm& mm = k.mms[vma.mm];
  const PteRef pmd{FindTable(std::as_const(k), mm, addr, 2),
                   k.paging.IndexAt(addr, 2)};
  if (!ReadPte(std::as_const(k), pmd).none()) return false;
  AddMmCounterFast(k, mm, kRssShmem, kHugePages);
  AddFileRmapPmd(k, vma, head);
  SetPte(k, pmd,
         FileEntry(std::as_const(k), vma, head, write).With(Pte::kPageSizeBit));
  k.clock_ns += cost::kPteSet;
  k.vmstat.events[kThpFileMapped]++;
  return true;
}

MappedRun MapFilePtes(Kernel& k, const Vma& vma, PteRef at, uint64_t pgoff,
                      Pfn pfn, bool write) {
  MappedRun run = WholeFolio(std::as_const(k), vma, at, pgoff, pfn);
  for (int i = 0; i < run.pages; i++) {
    const PteRef entry{at.table, run.index + i};
    if (!ReadPte(std::as_const(k), entry).none()) run.pages = 0;
  }
  if (run.pages == 0) run = {pfn, at.index, 1};
  SetPteRange(k, vma, {at.table, run.index}, run.first,
              static_cast<uint64_t>(run.pages), write);
  AddMmCounterFast(k, k.mms[vma.mm], kRssShmem, run.pages);
  return run;
}

AroundFolio MapFolioAround(Kernel& k, const Vma& vma, PteRef at, uint64_t pgoff,
                           Pfn pfn, int end) {
  const Page& page = std::as_const(k).page(pfn);
  const Pfn last = FolioHead(page, pfn) + PageCount(FolioPages(page) - 1);
  AroundFolio around;
  around.next = at.index + static_cast<int>((last - pfn).value()) + 1;
  around.whole = WholeFolio(std::as_const(k), vma, at, pgoff, pfn);
  if (around.whole.pages == 0) {
    around.whole = {pfn, at.index, std::min(around.next, end) - at.index};
  }
  // Runs of entries that are none.
  const int stop = around.whole.index + around.whole.pages;
  int from = around.whole.index;
  for (int i = from; i <= stop; i++) {
    const bool free =
        i < stop && ReadPte(std::as_const(k), {at.table, i}).none();
    if (free) continue;
    if (i > from) {
      const auto skip = static_cast<uint64_t>(from - around.whole.index);
      SetPteRange(k, vma, {at.table, from},
                  around.whole.first + PageCount(skip),
                  static_cast<uint64_t>(i - from), false);
      around.mapped += i - from;
    }
    from = i + 1;
  }
  return around;
}

void SplitFilePmd(Kernel& k, const Vma& vma, VirtAddr addr, PteRef pmd) {
  const Pte old = ReadPte(std::as_const(k), pmd);
  k.vmstat.events[kThpSplitPmd]++;
  Page& page = k.page(old.pfn());
  if (old.dirty()) page.flags |= page_flag::kDirty;
  if (old.young()) page.flags |= page_flag::kReferenced;
  DropFilePmd(k, vma, addr, pmd);
}

void ZapFilePmd(Kernel& k, const Vma& vma, VirtAddr addr, PteRef pmd) {
  const Pte old = ReadPte(std::as_const(k), pmd);
  // Linux does it afterwards, but what was locked is so until the batch drains.
  if (old.young() && VmaHasRecency(std::as_const(k), vma)) {
    MarkPageAccessed(k, old.pfn(), &vma);
  }
  DropFilePmd(k, vma, addr, pmd);
}

bool ZapBatch::Zap(Kernel& k, VirtAddr addr, Pte pte) {
  const Pfn pfn = pte.pfn();
  const Pfn head = FolioHead(std::as_const(k).page(pfn), pfn);
  if (pte.dirty()) k.page(head).flags |= page_flag::kDirty;
  const bool goes_on = addr == next_ && pfn == next_pfn_ && head == head_ &&
                       k.paging.PteIndex(addr) != 0;
  next_ = addr + kPageSize;
  next_pfn_ = pfn + PageCount(1);
  head_ = head;
  if (!goes_on) told_ = false;
  const bool tells = pte.young() && !told_;
  told_ = told_ || pte.young();
  return tells;
}

}  // namespace faultline

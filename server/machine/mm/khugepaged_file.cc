// Models mm/khugepaged.c (v6.18): hpage_collapse_scan_file(), collapse_file(),
// retract_page_tables(), collapse_pte_mapped_thp(), set_huge_pmd().
#include <utility>
#include <vector>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/deferred_split.h"
#include "server/machine/mm/huge_file.h"
#include "server/machine/mm/khugepaged.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/shrink_folios.h"
#include "server/machine/mm/unmap.h"

namespace faultline {
namespace {

// The 512 pages of a file that are to become one folio.
class CollapseFile {
 public:
  CollapseFile(Kernel& k, Id<Inode> id, uint64_t start)
      : k_(k), id_(id), start_(start) {}

  Scan Run() {
    head_ = AllocLargeFolio(k_, true);
    if (!head_.valid()) {
      k_.vmstat.events[kThpCollapseAllocFailed]++;
      return Scan::kNoMemory;
    }
    k_.vmstat.events[kThpCollapseAlloc]++;
    Scan result = Isolate();
    if (result == Scan::kSucceed && !Charge()) result = Scan::kFail;
    if (result != Scan::kSucceed) {
      PutBack();
      FreeUnusedFolio(k_, head_);
      return result;
    }
    Copy();
    Store();
    FreeOld();
    return Scan::kSucceed;
  }

 private:
  const Page& page(Pfn pfn) const { return std::as_const(k_).page(pfn); }
  Pfn Lookup(uint64_t index) const {
    return FilemapLookup(k_, k_.inodes[id_], index);
  }

  // Takes what is there off its list, and every entry that maps it away. What
  // is in swap comes back, and what fallocate() left counts as written.
  Scan Isolate() {
    for (uint64_t i = 0; i < kHugePmdNr;) {
      const uint64_t index = start_ + i;
      Pfn pfn = Lookup(index);
      const bool swapped =
          ShmemIsSwapped(std::as_const(k_), k_.inodes[id_], index);
      if (!pfn.valid() && !swapped) {
        i++;
        continue;
      }
      if (swapped || !page(pfn).Is(page_flag::kUptodate)) {
        // shmem_get_folio(SGP_NOALLOC)
        if (index << kPageShift >= k_.inodes[id_].size) return Scan::kFail;
        if (swapped) pfn = ShmemSwapin(k_, id_, index);
        if (!pfn.valid()) return Scan::kFail;
        k_.page(pfn).flags |= page_flag::kUptodate;
      }
      IsolatePage(k_, pfn);
      old_.push_back(pfn);
      // Nobody but the cache, its entries and we hold it.
      VM_BUG_ON(!TryToUnmap(k_, pfn, Locks::kIgnore));
      const uint64_t pages = FolioPages(page(pfn));
      present_ += pages;
      i += pages;
    }
    return present_ == 0 ? Scan::kNothing : Scan::kSucceed;
  }

  // shmem_charge(): the pages that were not there.
  bool Charge() {
    for (uint64_t i = present_; i < kHugePmdNr; i++) {
      if (ShmemAcctBlock(k_, k_.inodes[id_])) continue;
      for (; i > present_; i--) ShmemUnacctBlock(k_, k_.inodes[id_]);
      return false;
    }
    return true;
  }

  void PutBack() {
    for (const Pfn pfn : old_) {
      LruAdd(k_, pfn);
      if (!page(pfn).Is(page_flag::kLarge)) PutPage(k_, pfn);
      UpdateEvictable(k_, pfn);
    }
  }

  void Copy() {
    for (const Pfn pfn : old_) {
      const uint64_t offset = page(pfn).index - start_;
      for (uint64_t i = 0; i < FolioPages(page(pfn)); i++) {
        k_.frames[head_ + PageCount(offset + i)] =
            std::as_const(k_.frames)[pfn + PageCount(i)];
        k_.clock_ns += cost::kPageCopy;
      }
    }
    k_.clock_ns += cost::kPageClear * (kHugePmdNr - present_);
  }

  // The folio takes the place of all that is there.
  void Store() {
    for (uint64_t i = 0; i < kHugePmdNr; i++) {
      k_.page(head_ + PageCount(i)).flags |= page_flag::kSwapBacked;
    }
    Page& folio = k_.page(head_);
    folio.flags |= page_flag::kUptodate | page_flag::kDirty;
    folio.mapping = id_.value();
    folio.index = start_;
    folio.refcount = static_cast<int32_t>(kHugePmdNr);
    Inode& inode = k_.inodes[id_];
    for (uint64_t i = 0; i < kHugePmdNr; i++) {
      XaStore(k_.xa_nodes, inode.i_pages, start_ + i, head_ + PageCount(i));
    }
    const uint64_t fresh = kHugePmdNr - present_;
    inode.nrpages += fresh;
    k_.vmstat.node[kNrFilePages] += static_cast<int64_t>(fresh);
    k_.vmstat.node[kNrShmem] += static_cast<int64_t>(fresh);
    k_.vmstat.node[kNrShmemThps]++;
    LruAdd(k_, head_);
    k_.Emit(EventLevel::kAll,
            MmFilemapAddToPageCache{inode.ino, start_, head_.value()});
  }

  void FreeOld() {
    for (const Pfn pfn : old_) {
      const int order = page(pfn).order;
      if (page(pfn).Is(page_flag::kLarge)) {
        DeleteLargeFolio(k_, LargeFolioId(std::as_const(k_), pfn));
      }
      FreePages(k_, pfn, order);
    }
  }

  Kernel& k_;
  const Id<Inode> id_;
  const uint64_t start_;
  Pfn head_;
  std::vector<Pfn> old_;  // pages, and heads of folios
  uint64_t present_ = 0;  // their pages
};

// Takes a level-1 table away, with what little it holds: pmdp_collapse_flush().
void FreePteTable(Kernel& k, Mm& mm, VirtAddr addr, Pfn table) {
  FlushTlbRange(k, mm, addr, addr + kPmdSize);
  SetPte(k,
         {FindTable(std::as_const(k), mm, addr, 2), k.paging.IndexAt(addr, 2)},
         Pte());
  k.table_memo = {};
  k.tlb.FlushAsid(mm.asid);  // the paging-structure cache
  PteFree(k, table);
  mm.pgtables_bytes -= kPageSize;
  mm.nr_ptes--;
}

// retract_page_tables(): the tables that mapped the small pages go, so that a
// fault can map the folio whole; but not where the VMA has pages of its own, or
// markers.
void RetractPageTables(Kernel& k, Id<Inode> id, uint64_t start) {
  ForEachFileMapping(k, k.inodes[id], start, [&](Vma& vma, VirtAddr addr) {
    if (vma.anon_vma || vma.Has(vm::kMaybeGuard)) return;
    if (addr.value() % kPmdSize != 0 || vma.end - addr < kPmdSize) return;
    Mm& mm = k.mms[vma.mm];
    const Pfn table = FindTable(std::as_const(k), mm, addr, 1);
    if (!table.valid()) return;
    VM_BUG_ON(!TableIsEmpty(std::as_const(k.frames).Table(table)));
    FreePteTable(k, mm, addr, table);
  });
}

// The entries of a table that map the folio's pages go. kNext: one is neither
// none nor a page; kFail: one maps another page.
Scan ClearPtes(Kernel& k, Vma& vma, VirtAddr addr, Pfn head) {
  Mm& mm = k.mms[vma.mm];
  Scan result = Scan::kSucceed;
  ForEachPte(std::as_const(k), mm, addr, addr + kPmdSize,
             [&](VirtAddr a, Pte pte) {
               const Pfn own = head + PageCount((a - addr) >> kPageShift);
               if (result != Scan::kSucceed) return;
               if (!pte.present()) {
                 result = Scan::kNext;
               } else if (pte.pfn() != own) {
                 result = Scan::kFail;
               }
             });
  if (result != Scan::kSucceed) return result;
  int64_t cleared = 0;
  ForEachPte(k, mm, addr, addr + kPmdSize, [&](VirtAddr, auto& entry) {
    const Pfn pfn = Pte(entry).pfn();
    entry = 0;
    RemoveRmap(k, vma, pfn);
    cleared++;
  });
  AddMmCounter(k, mm, kRssShmem, -cleared);
  return result;
}

// collapse_pte_mapped_thp(): the folio is there, and the VMA comes to map it
// whole.
Scan MapWhole(Kernel& k, Vma& vma, VirtAddr addr, Pfn head) {
  Mm& mm = k.mms[vma.mm];
  const Leaf leaf = FindLeaf(std::as_const(k), mm, addr);
  if (leaf.huge) return Scan::kSucceed;
  if (leaf.at.ok()) {
    const Scan cleared = ClearPtes(k, vma, addr, head);
    if (cleared != Scan::kSucceed) return cleared;
    FreePteTable(k, mm, addr, leaf.at.table);
  }
  if (!AllocTable(k, mm, addr, 2).valid()) return Scan::kFail;
  return MapFilePmd(k, vma, addr, head, false) ? Scan::kSucceed : Scan::kFail;
}

// The folio of 2 MiB that begins at this index, if there is one.
Pfn HugeFolioAt(const Kernel& k, Id<Inode> id, uint64_t start) {
  const Pfn pfn = FilemapLookup(k, k.inodes[id], start);
  if (!pfn.valid()) return pfn;
  const Page& page = k.page(pfn);
  const bool huge = page.Is(page_flag::kLarge) && page.order == kHugePmdOrder;
  return huge ? pfn : Pfn();
}

}  // namespace

Scan CollapseFilePmd(Kernel& k, Vma& vma, VirtAddr addr) {
  const Id<Inode> id = k.open_files[vma.file].inode;
  const uint64_t start = vma.PageIndex(addr);
  if (!HugeFolioAt(std::as_const(k), id, start).valid()) {
    const Scan result = CollapseFile(k, id, start).Run();
    if (result != Scan::kSucceed) return result;
    RetractPageTables(k, id, start);
  }
  const Pfn head = HugeFolioAt(std::as_const(k), id, start);
  // To have memory for the table it was split.
  return head.valid() ? MapWhole(k, vma, addr, head) : Scan::kFail;
}

}  // namespace faultline

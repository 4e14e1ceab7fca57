// Large folios in the page cache of tmpfs, and the entries that map them. A
// level-2 entry of a file has no table in deposit: what is to be split is taken
// away, and a fault brings it back. Only MADV_COLLAPSE makes such folios (D7).
#ifndef FAULTLINE_SERVER_MACHINE_MM_HUGE_FILE_H_
#define FAULTLINE_SERVER_MACHINE_MM_HUGE_FILE_H_

#include <cstdint>
#include <vector>

#include "server/machine/kernel.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {

// do_set_pmd(): a level-2 entry comes to map the folio that has the page, if it
// has 2 MiB, the VMA permits it, and nothing is there. REQUIRES: a level-2
// table.
bool MapFilePmd(Kernel& k, const Vma& vma, VirtAddr addr, Pfn pfn, bool write);

// Entries of one table that came to map pages, beginning with that of page
// `first`.
struct MappedRun {
  Pfn first;
  int index = 0;  // in the table
  int pages = 0;
};
// finish_fault(): maps the page at the entry, and with it the whole folio where
// VMA and table have room for it and nothing is there yet. REQUIRES: a page of
// a large folio, and nothing at the entry.
MappedRun MapFilePtes(Kernel& k, const Vma& vma, PteRef at, uint64_t pgoff,
                      Pfn pfn, bool write);
// filemap_map_folio_range(): a fault nearby maps pages of the folio, from the
// one at the entry up to `end`, or all of it where there is room. Entries that
// are there already stay. next: the first entry behind the folio.
struct AroundFolio {
  MappedRun whole;  // what there was to map
  int mapped = 0;
  int next = 0;
};
AroundFolio MapFolioAround(Kernel& k, const Vma& vma, PteRef at, uint64_t pgoff,
                           Pfn pfn, int end);

// __split_huge_pmd_locked() and zap_huge_pmd(), of the entry of a file.
void SplitFilePmd(Kernel& k, const Vma& vma, VirtAddr addr, PteRef pmd);
void ZapFilePmd(Kernel& k, const Vma& vma, VirtAddr addr, PteRef pmd);

// zap_present_folio_ptes(): PTEs that map one folio, page after page, go
// together, and say once that they were used.
class ZapBatch {
 public:
  // Takes note of one, and tells the folio that it is dirty. Is it to be said
  // that it was used? REQUIRES: of a large folio.
  bool Zap(Kernel& k, VirtAddr addr, Pte pte);

 private:
  VirtAddr next_;
  Pfn next_pfn_, head_;
  bool told_ = false;
};

// split_folio(), of a file: nothing maps it any more, and each page is on its
// own; what lies beyond the file's end, but for the first, is gone. Of an
// isolated folio the others are isolated too, and appended to `isolated`.
void SplitFileFolio(Kernel& k, Pfn head, std::vector<Pfn>* isolated);
// folio_split(), as truncation does it: the page is on its own, and what is on
// either side of it is left in pieces of powers of two.
void SplitFileFolioAt(Kernel& k, Pfn pfn);
// filemap_remove_folio(): and it is free. REQUIRES: nobody maps it.
void DeleteFolioFromPageCache(Kernel& k, Pfn head);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_HUGE_FILE_H_

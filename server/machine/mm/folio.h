// Large folios: 512 pages that were allocated as one, for a transparent huge
// page, or in the page cache of tmpfs what splitting left of them: 2, 4, 8 …
// 256 pages. They are mapped by the entries of level-2 tables (whole) and by
// PTEs (page by page), and are freed as one, or split first.
//
// The first page, the head, speaks for the folio: refcount, mapping, index and
// the flags but PG_anon_exclusive and the mapcount, which each page has for
// itself. Its refcount is how many entries map the folio or a part of it, and
// in the page cache one more for each page. There each index has its page; who
// finds one finds the folio by FolioOf().
#ifndef FAULTLINE_SERVER_MACHINE_MM_FOLIO_H_
#define FAULTLINE_SERVER_MACHINE_MM_FOLIO_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

inline constexpr int kHugePmdOrder = 9;
inline constexpr uint64_t kHugePmdNr = uint64_t{1} << kHugePmdOrder;

// compound_head()
inline Pfn FolioHead(const Page& page, Pfn pfn) {
  if (!page.Is(page_flag::kLarge)) return pfn;
  return Pfn(pfn.value() & ~((uint32_t{1} << page.order) - 1));
}
// folio_nr_pages()
inline uint64_t FolioPages(const Page& page) {
  return page.Is(page_flag::kLarge) ? uint64_t{1} << page.order : 1;
}
// page_folio(): the page that has the flags and the mapping of this one.
inline Page& FolioOf(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  if (!page.Is(page_flag::kLarge)) [[likely]]
    return page;
  return k.page(FolioHead(page, pfn));
}
inline const Page& FolioOf(const Kernel& k, Pfn pfn) {
  return k.page(FolioHead(k.page(pfn), pfn));
}
// REQUIRES: a page of a large folio; of LargeFolioId, its head.
inline Id<LargeFolio> LargeFolioId(const Kernel& k, Pfn head) {
  return Id<LargeFolio>(k.page(head + PageCount(1)).mapping);
}
LargeFolio& LargeFolioOf(Kernel& k, Pfn pfn);
const LargeFolio& LargeFolioOf(const Kernel& k, Pfn pfn);

// folio_precise_page_mapcount(): the entries, of any level, that map the page.
int32_t PageMapcount(const Kernel& k, Pfn pfn);
// folio_maybe_mapped_shared(): certain of two address spaces, a guess of more.
bool MaybeMappedShared(const Kernel& k, Pfn pfn);
// page_pgoff()
uint64_t PageIndexOf(const Kernel& k, Pfn pfn);

// One of the 512 pages of the huge zero page.
inline bool InHugeZero(const Kernel& k, Pfn pfn) {
  return k.huge_zero_page.valid() && pfn >= k.huge_zero_page &&
         pfn < k.huge_zero_page + PageCount(kHugePmdNr);
}

// 512 zeroed pages without a mapping; an invalid Pfn when no block is free.
// `eager` may compact memory for it: GFP_TRANSHUGE.
Pfn AllocLargeFolio(Kernel& k, bool eager);

// folio_add_new_anon_rmap(): its first mapping, by a level-2 entry of the VMA.
// The caller counts it in rss, here and below.
void AddNewLargeRmap(Kernel& k, const Mm& mm, const Vma& vma, Pfn head,
                     VirtAddr addr);
// folio_try_dup_anon_rmap_pmd(), …_pte(): fork; nobody has it alone now.
void DupLargeRmapPmd(Kernel& k, const Mm& to, Pfn head);
void DupLargeRmapPte(Kernel& k, const Mm& to, Pfn pfn);
// folio_add_file_rmap_pmd(), folio_add_file_rmap_ptes(): an entry of the VMA
// comes to map a folio of a file, or PTEs `n` of its pages, from `pfn` on.
void AddFileRmapPmd(Kernel& k, const Vma& vma, Pfn head);
void AddFileRmapPtes(Kernel& k, const Vma& vma, Pfn pfn, uint64_t n);
// One level-2 entry becomes 512 PTEs. folio_add_anon_rmap_ptes() and
// folio_remove_rmap_pmd().
void SplitLargeRmap(Kernel& k, const Mm& mm, Pfn head);
// An entry that mapped it is gone, and with the last one an anonymous folio.
void RemoveLargeRmapPmd(Kernel& k, const Mm& mm, Pfn head);
void RemoveLargeRmapPte(Kernel& k, const Mm& mm, Pfn pfn);
// prep_compound_page(): pages [head, head + 2^order) become a folio. REQUIRES:
// all but the head are as if they were new.
void MakeLargeFolio(Kernel& k, Pfn head, int order);
// Gives back a folio that nothing maps yet.
void FreeUnusedFolio(Kernel& k, Pfn head);
// A folio that lost a part of its mappings is to be split when need be:
// mm/deferred_split.h.
void NotePartiallyMapped(Kernel& k, Pfn pfn);

// __wp_can_reuse_large_anon_folio()
bool CanReuseLarge(const Kernel& k, Pfn pfn);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_FOLIO_H_

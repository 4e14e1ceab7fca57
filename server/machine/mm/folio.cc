// Models mm/rmap.c (v6.18): __folio_add_anon_rmap(), __folio_add_file_rmap(),
// __folio_remove_rmap();
// include/linux/rmap.h: folio_add_return_large_mapcount() and its counterpart;
// mm/memory.c: __wp_can_reuse_large_anon_folio().
#include "server/machine/mm/folio.h"

#include <utility>

#include "server/machine/mm/changes.h"
#include "server/machine/mm/deferred_split.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/mlock.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

// The folio remembers two address spaces that map it; of a third it only knows
// that it is shared.
void AddLargeMapcount(LargeFolio& folio, Id<Mm> mm, int32_t n) {
  folio.large_mapcount += n;
  for (LargeFolio::Owner& owner : folio.owners) {
    if (owner.mm != mm) continue;
    owner.mapcount += n;
    return;
  }
  for (LargeFolio::Owner& owner : folio.owners) {
    if (owner.mm) continue;
    owner = {mm, n};
    if (folio.large_mapcount != n) folio.maybe_shared = true;
    return;
  }
}

void SubLargeMapcount(LargeFolio& folio, Id<Mm> mm, int32_t n) {
  folio.large_mapcount -= n;
  for (LargeFolio::Owner& owner : folio.owners) {
    if (owner.mm != mm) continue;
    owner.mapcount -= n;
    if (owner.mapcount == 0) owner = {};
    break;
  }
  for (const LargeFolio::Owner& owner : folio.owners) {
    if (owner.mapcount == folio.large_mapcount) folio.maybe_shared = false;
  }
}

int64_t MappedPages(const LargeFolio& folio) {
  return folio.entire_mapcount > 0 ? static_cast<int64_t>(kHugePmdNr)
                                   : folio.nr_pages_mapped;
}

// An entry's reference goes; with the last one an anonymous folio.
void PutLarge(Kernel& k, Pfn head) {
  Page& page = k.page(head);
  page.refcount--;
  const bool cached = !page.Is(page_flag::kAnon);
  const int32_t held = cached ? static_cast<int32_t>(FolioPages(page)) : 0;
  VM_BUG_ON(page.refcount !=
            held + LargeFolioOf(std::as_const(k), head).large_mapcount);
  if (page.refcount > 0) return;
  DeleteLargeFolio(k, LargeFolioId(std::as_const(k), head));
  FreePages(k, head, kHugePmdOrder);
}

bool IsAnonFolio(const Kernel& k, Pfn head) {
  return k.page(head).Is(page_flag::kAnon);
}

// What NR_ANON_MAPPED or NR_FILE_MAPPED, and the folios mapped as a whole, are
// counted in.
int64_t& MappedStat(Kernel& k, Pfn head) {
  const bool anon = IsAnonFolio(std::as_const(k), head);
  return k.vmstat.node[anon ? kNrAnonMapped : kNrFileMapped];
}
int64_t& PmdMappedStat(Kernel& k, Pfn head) {
  const bool anon = IsAnonFolio(std::as_const(k), head);
  return k.vmstat.node[anon ? kNrAnonThps : kNrShmemPmdMapped];
}

}  // namespace

LargeFolio& LargeFolioOf(Kernel& k, Pfn pfn) {
  const Page& page = std::as_const(k).page(pfn);
  return k.folios[LargeFolioId(std::as_const(k), FolioHead(page, pfn))];
}
const LargeFolio& LargeFolioOf(const Kernel& k, Pfn pfn) {
  return k.folios[LargeFolioId(k, FolioHead(k.page(pfn), pfn))];
}

int32_t PageMapcount(const Kernel& k, Pfn pfn) {
  const Page& page = k.page(pfn);
  if (!page.Is(page_flag::kLarge)) return page.mapcount;
  return page.mapcount + LargeFolioOf(k, pfn).entire_mapcount;
}

bool MaybeMappedShared(const Kernel& k, Pfn pfn) {
  const Page& page = k.page(pfn);
  if (!page.Is(page_flag::kLarge)) return page.mapcount > 1;
  const LargeFolio& folio = LargeFolioOf(k, pfn);
  return folio.large_mapcount > 1 && folio.maybe_shared;
}

uint64_t PageIndexOf(const Kernel& k, Pfn pfn) {
  const Pfn head = FolioHead(k.page(pfn), pfn);
  return k.page(head).index + (pfn - head).value();
}

Pfn AllocLargeFolio(Kernel& k, bool eager) {
  const uint32_t gfp = gfp::kTranshugeLight | (eager ? gfp::kDirectReclaim : 0);
  Pfn head = AllocPages(k, gfp, kHugePmdOrder);
  if (!head.valid()) return head;
  MakeLargeFolio(k, head, kHugePmdOrder);
  return head;
}

void MakeLargeFolio(Kernel& k, Pfn head, int order) {
  const Id<LargeFolio> id = k.folios.New();
  k.folios[id].head = head;
  k.page(head).flags |= page_flag::kHead | page_flag::kLarge;
  k.page(head).order = static_cast<uint8_t>(order);
  for (uint64_t i = 1; i < uint64_t{1} << order; i++) {
    Page& tail = k.page(head + PageCount(i));
    tail.flags = page_flag::kLarge | page_flag::kTail;
    tail.order = static_cast<uint8_t>(order);
  }
  k.page(head + PageCount(1)).mapping = id.value();
}

void FreeUnusedFolio(Kernel& k, Pfn head) {
  DeleteLargeFolio(k, LargeFolioId(std::as_const(k), head));
  PutPage(k, head);
}

void AddNewLargeRmap(Kernel& k, const Mm& mm, const Vma& vma, Pfn head,
                     VirtAddr addr) {
  // What may be dropped is never written to swap.
  const uint32_t each =
      page_flag::kAnon |
      (vma.Has(vm::kDroppable) ? 0 : uint32_t{page_flag::kSwapBacked});
  for (uint64_t i = 0; i < kHugePmdNr; i++) {
    k.page(head + PageCount(i)).flags |= each;
  }
  Page& page = k.page(head);
  page.flags |= page_flag::kAnonExclusive | page_flag::kUptodate;
  page.mapping = vma.anon_vma.value();
  page.index = vma.PageIndex(addr);
  LargeFolio& folio = LargeFolioOf(k, head);
  folio.entire_mapcount = 1;
  AddLargeMapcount(folio, mm.id, 1);
  k.vmstat.node[kNrAnonMapped] += kHugePmdNr;
  k.vmstat.node[kNrAnonThps]++;
  if (vma.Has(vm::kLocked)) {  // mlock_new_folio()
    MlockNewPage(k, page, kHugePmdNr);
    MlockLargeFolio(k, head);
  }
  LruAdd(k, head);
}

void DupLargeRmapPmd(Kernel& k, const Mm& to, Pfn head) {
  Page& page = k.page(head);
  page.flags &= ~page_flag::kAnonExclusive;
  page.refcount++;
  LargeFolio& folio = LargeFolioOf(k, head);
  folio.entire_mapcount++;
  AddLargeMapcount(folio, to.id, 1);
}

void DupLargeRmapPte(Kernel& k, const Mm& to, Pfn pfn) {
  Page& page = k.page(pfn);
  page.flags &= ~page_flag::kAnonExclusive;
  page.mapcount++;
  FolioOf(k, pfn).refcount++;
  AddLargeMapcount(LargeFolioOf(k, pfn), to.id, 1);
}

void AddFileRmapPmd(Kernel& k, const Vma& vma, Pfn head) {
  LargeFolio& folio = LargeFolioOf(k, head);
  const int64_t before = MappedPages(folio);
  if (folio.entire_mapcount++ == 0) k.vmstat.node[kNrShmemPmdMapped]++;
  AddLargeMapcount(folio, vma.mm, 1);
  k.vmstat.node[kNrFileMapped] += MappedPages(folio) - before;
  k.page(head).refcount++;
  if (vma.Has(vm::kLocked)) MlockLargeFolio(k, head);
}

void AddFileRmapPtes(Kernel& k, const Vma& vma, Pfn pfn, uint64_t n) {
  Page& head = FolioOf(k, pfn);
  LargeFolio& folio = LargeFolioOf(k, pfn);
  const int64_t before = MappedPages(folio);
  for (uint64_t i = 0; i < n; i++) {
    if (k.page(pfn + PageCount(i)).mapcount++ == 0) folio.nr_pages_mapped++;
  }
  const auto entries = static_cast<int32_t>(n);
  AddLargeMapcount(folio, vma.mm, entries);
  k.vmstat.node[kNrFileMapped] += MappedPages(folio) - before;
  head.refcount += entries;
  // What is mapped in part may be split, and its other part reclaimed.
  if (vma.Has(vm::kLocked) && n == FolioPages(head)) MlockLargeFolio(k, pfn);
}

void SplitLargeRmap(Kernel& k, const Mm& mm, Pfn head) {
  LargeFolio& folio = LargeFolioOf(k, head);
  const bool exclusive =
      std::as_const(k).page(head).Is(page_flag::kAnonExclusive);
  for (uint64_t i = 0; i < kHugePmdNr; i++) {
    Page& page = k.page(head + PageCount(i));
    if (page.mapcount++ == 0) folio.nr_pages_mapped++;
    if (exclusive) page.flags |= page_flag::kAnonExclusive;
  }
  constexpr auto kMore = static_cast<int32_t>(kHugePmdNr) - 1;
  AddLargeMapcount(folio, mm.id, kMore);
  k.page(head).refcount += kMore;
  if (--folio.entire_mapcount == 0) k.vmstat.node[kNrAnonThps]--;
}

void RemoveLargeRmapPmd(Kernel& k, const Mm& mm, Pfn head) {
  LargeFolio& folio = LargeFolioOf(k, head);
  const int64_t before = MappedPages(folio);
  VM_BUG_ON(folio.entire_mapcount <= 0);
  if (--folio.entire_mapcount == 0) PmdMappedStat(k, head)--;
  SubLargeMapcount(folio, mm.id, 1);
  const int64_t after = MappedPages(folio);
  MappedStat(k, head) -= before - after;
  if (after > 0 && after < before) NotePartiallyMapped(k, head);
  PutLarge(k, head);
}

void RemoveLargeRmapPte(Kernel& k, const Mm& mm, Pfn pfn) {
  Page& page = k.page(pfn);
  const Pfn head = FolioHead(page, pfn);
  LargeFolio& folio = LargeFolioOf(k, pfn);
  const int64_t before = MappedPages(folio);
  VM_BUG_ON(page.mapcount <= 0);
  if (--page.mapcount == 0) folio.nr_pages_mapped--;
  MappedStat(k, head) -= before - MappedPages(folio);
  SubLargeMapcount(folio, mm.id, 1);
  PutLarge(k, head);
}

void NotePartiallyMapped(Kernel& k, Pfn pfn) {
  // Of a file a folio stays whole, and is of use in the cache.
  constexpr uint32_t kLargeAnon = page_flag::kLarge | page_flag::kAnon;
  if ((std::as_const(k).page(pfn).flags & kLargeAnon) != kLargeAnon) return;
  LargeFolio& folio = LargeFolioOf(k, pfn);
  const int64_t mapped = MappedPages(folio);
  if (folio.partially_mapped || mapped == 0 ||
      mapped == static_cast<int64_t>(kHugePmdNr)) {
    return;
  }
  const Pfn head = FolioHead(std::as_const(k).page(pfn), pfn);
  DeferredSplitFolio(k, LargeFolioId(std::as_const(k), head), true);
}

bool CanReuseLarge(const Kernel& k, Pfn pfn) {
  const LargeFolio& folio = LargeFolioOf(k, pfn);
  if (!changes::ReusesSplitFolio(k)) {
    return k.page(FolioHead(k.page(pfn), pfn)).refcount == 1;
  }
  // The last page of a folio is copied, so that the folio can be freed.
  return folio.large_mapcount > 1 && !folio.maybe_shared;
}

}  // namespace faultline

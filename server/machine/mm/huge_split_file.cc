// Splitting a large folio of tmpfs. Models mm/huge_memory.c (v6.18):
// __folio_split(), __split_unmapped_folio(), __split_folio_to_order(),
// unmap_folio(); mm/filemap.c: page_cache_delete().
#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/mm/deferred_split.h"
#include "server/machine/mm/huge_file.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/unmap.h"

namespace faultline {
namespace {

// A piece of `folio`, whose page `offset` is its first. Its references are the
// page cache's.
void MakePiece(Kernel& k, const Page& folio, Pfn first, uint64_t offset,
               int order) {
  constexpr uint32_t kOfTheFolio =
      page_flag::kReferenced | page_flag::kUptodate | page_flag::kDirty |
      page_flag::kActive | page_flag::kSwapBacked | page_flag::kUnevictable |
      page_flag::kMlocked | page_flag::kWorkingset;
  const uint64_t pages = uint64_t{1} << order;
  for (uint64_t i = 0; i < pages; i++) k.page(first + PageCount(i)) = Page{};
  Page& head = k.page(first);
  head.flags = folio.flags & kOfTheFolio;
  head.refcount = static_cast<int32_t>(pages);
  head.mapping = folio.mapping;
  head.index = folio.index + offset;
  if (order == 0) return;
  MakeLargeFolio(k, first, order);
  for (uint64_t i = 1; i < pages; i++) {
    k.page(first + PageCount(i)).flags |= page_flag::kSwapBacked;
  }
  // Whoever locked it, the next munlock is the last.
  if (head.Is(page_flag::kMlocked)) k.page(first + PageCount(1)).index = 1;
}

// __split_folio_to_order(): into pieces of this order, each behind the one
// before it on the list. REQUIRES: nobody maps the folio.
void SplitToOrder(Kernel& k, Pfn head, int order) {
  const Page folio = std::as_const(k).page(head);
  const bool listed = folio.Is(page_flag::kLru);
  if (listed) LruDel(k, head);
  DeleteLargeFolio(k, LargeFolioId(std::as_const(k), head));
  if (folio.order == kHugePmdOrder) k.vmstat.node[kNrShmemThps]--;
  const uint64_t pages = FolioPages(folio), step = uint64_t{1} << order;
  for (uint64_t i = 0; i < pages; i += step) {
    MakePiece(k, folio, head + PageCount(i), i, order);
  }
  if (!listed) return;
  LruAdd(k, head);
  for (uint64_t i = pages - step; i > 0; i -= step) {
    LruInsertAfter(k, head, head + PageCount(i));
  }
}

// Before it: unmap_folio(). It is counted here, once for all steps.
void BeginSplit(Kernel& k, Pfn head) {
  (void)TryToUnmap(k, head, Locks::kIgnore);
  if (std::as_const(k).page(head).order == kHugePmdOrder) {
    k.vmstat.events[kThpSplitPage]++;
  }
}

// Calls f(first) for the folios that `pages` pages were split into.
template <class F>
void ForEachPiece(Kernel& k, Pfn head, uint64_t pages, F f) {
  for (uint64_t i = 0, n = 0; i < pages; i += n) {
    const Pfn first = head + PageCount(i);
    n = FolioPages(std::as_const(k).page(first));
    f(first);
  }
}

// Some pages can be beyond the end of the file: they leave the cache, but for
// those of the first piece.
bool BeyondEnd(const Kernel& k, Pfn first) {
  const Page& page = k.page(first);
  const Inode& inode = k.inodes[Id<Inode>(page.mapping)];
  const uint64_t end = PagesOf(PageAlign(inode.size)).value();
  return page.index >= std::max(end, inode.fallocend);
}

void EndSplit(Kernel& k, Pfn head, uint64_t pages, std::vector<Pfn>* isolated) {
  ForEachPiece(k, head, pages, [&](Pfn first) {
    if (first == head) return;
    if (BeyondEnd(std::as_const(k), first)) {
      const Page& page = std::as_const(k).page(first);
      DeleteFromPageCache(k, Id<Inode>(page.mapping), page.index);
    } else if (isolated != nullptr) {
      isolated->push_back(first);
    }
  });
}

}  // namespace

void SplitFileFolio(Kernel& k, Pfn head, std::vector<Pfn>* isolated) {
  const uint64_t pages = FolioPages(std::as_const(k).page(head));
  BeginSplit(k, head);
  SplitToOrder(k, head, 0);
  EndSplit(k, head, pages, isolated);
}

void SplitFileFolioAt(Kernel& k, Pfn pfn) {
  const Page& page = std::as_const(k).page(pfn);
  const Pfn head = FolioHead(page, pfn);
  if (!k.quirks.splits_unevenly) return SplitFileFolio(k, head, nullptr);
  const uint64_t pages = FolioPages(page);
  const int order = page.order;
  BeginSplit(k, head);
  for (int o = order - 1; o >= 0; o--) {
    SplitToOrder(k, FolioHead(std::as_const(k).page(pfn), pfn), o);
  }
  EndSplit(k, head, pages, nullptr);
}

void DeleteFolioFromPageCache(Kernel& k, Pfn head) {
  Page& page = k.page(head);
  const Id<Inode> id(page.mapping);
  const uint64_t index = page.index, pages = FolioPages(page);
  const int order = page.order;
  VM_BUG_ON(LargeFolioOf(std::as_const(k), head).large_mapcount != 0);
  Inode& inode = k.inodes[id];
  for (uint64_t i = 0; i < pages; i++) {
    XaErase(k.xa_nodes, inode.i_pages, index + i);
    ShmemUnacctBlock(k, inode);
  }
  const auto count = static_cast<int64_t>(pages);
  inode.nrpages -= pages;
  k.vmstat.node[kNrFilePages] -= count;
  k.vmstat.node[kNrShmem] -= count;
  if (order == kHugePmdOrder) k.vmstat.node[kNrShmemThps]--;
  page.mapping = 0;
  page.refcount -= static_cast<int32_t>(pages);
  VM_BUG_ON(page.refcount != 0);
  k.Emit(EventLevel::kAll,
         MmFilemapDeleteFromPageCache{inode.ino, index, head.value()});
  DeleteLargeFolio(k, LargeFolioId(std::as_const(k), head));
  FreePages(k, head, order);
  InodeAddLru(k, id);
}

}  // namespace faultline

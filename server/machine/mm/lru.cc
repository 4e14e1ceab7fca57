// Models mm/swap.c (v6.18): lru_add_split_folio(), folio_activate(),
// lru_deactivate(); mm/mlock.c: __mlock_folio(), __munlock_folio().
#include "server/machine/mm/lru.h"

#include <utility>

#include "server/machine/mm/swap.h"
#include "server/machine/mm/workingset.h"

namespace faultline {

const char* LruName(Lru lru) {
  constexpr const char* kNames[] = {"inactive_anon", "active_anon",
                                    "inactive_file", "active_file",
                                    "unevictable"};
  return kNames[lru];
}

void LruAddTail(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  const Lru lru = LruOf(page);
  LruList& list = k.lruvec.lists[lru];
  page.flags |= page_flag::kLru;
  page.next = Pfn();
  page.prev = list.tail;
  (list.tail.valid() ? k.page(list.tail).next : list.head) = pfn;
  list.tail = pfn;
  k.lruvec.zone_size[ZoneNumberOf(k, pfn)][lru] += FolioPages(page);
}

void LruInsertAfter(Kernel& k, Pfn pfn, Pfn fresh) {
  Page& page = k.page(pfn);
  Page& after = k.page(fresh);
  const Lru lru = LruOf(page);
  VM_BUG_ON(lru != LruOf(after));
  after.flags |= page_flag::kLru;
  after.prev = pfn;
  after.next = page.next;
  (page.next.valid() ? k.page(page.next).prev : k.lruvec.lists[lru].tail) =
      fresh;
  page.next = fresh;
  k.lruvec.zone_size[ZoneNumberOf(k, fresh)][lru] += FolioPages(after);
}

void ActivatePage(Kernel& k, Pfn pfn) {
  const Page& page = std::as_const(k).page(pfn);
  if (page.Is(page_flag::kActive | page_flag::kUnevictable)) return;
  LruMove(k, pfn, page_flag::kActive, 0);
  k.vmstat.events[kPgActivate] += FolioPages(page);
}

void DeactivatePage(Kernel& k, Pfn pfn) {
  const Page& page = std::as_const(k).page(pfn);
  if (page.Is(page_flag::kUnevictable)) {
    k.page(pfn).flags &= ~page_flag::kReferenced;
    return;
  }
  if (page.Is(page_flag::kActive)) {
    k.vmstat.events[kPgDeactivate] += FolioPages(page);
  }
  LruMove(k, pfn, 0, page_flag::kActive | page_flag::kReferenced);
}

void UpdateEvictable(Kernel& k, Pfn pfn) {
  pfn = FolioHead(std::as_const(k).page(pfn), pfn);
  const Page& page = std::as_const(k).page(pfn);
  if (!page.Is(page_flag::kLru)) return;
  const bool unevictable = PageUnevictable(std::as_const(k), pfn);
  if (unevictable == page.Is(page_flag::kUnevictable)) return;
  const uint64_t pages = FolioPages(page);
  if (unevictable) {
    LruMove(k, pfn, page_flag::kUnevictable, page_flag::kActive);
    k.vmstat.events[kUnevictablePgsCulled] += pages;
    k.vmstat.events[kUnevictablePgsMlocked] += pages;
  } else {
    LruMove(k, pfn, 0, page_flag::kUnevictable);
    k.vmstat.events[kUnevictablePgsMunlocked] += pages;
    k.vmstat.events[kUnevictablePgsRescued] += pages;
  }
}

void MlockLargeFolio(Kernel& k, Pfn pfn) {
  const Pfn head = FolioHead(std::as_const(k).page(pfn), pfn);
  Page& page = k.page(head);
  uint64_t& count = k.page(head + PageCount(1)).index;
  count = page.Is(page_flag::kUnevictable) ? count + 1 : 1;
  page.flags |= page_flag::kMlocked;
  UpdateEvictable(k, head);
}

void MunlockLargeFolio(Kernel& k, Pfn pfn) {
  const Pfn head = FolioHead(std::as_const(k).page(pfn), pfn);
  uint64_t& count = k.page(head + PageCount(1)).index;
  if (count > 0) count--;
  if (count > 0) return;
  k.page(head).flags &= ~page_flag::kMlocked;
  UpdateEvictable(k, head);
}

}  // namespace faultline

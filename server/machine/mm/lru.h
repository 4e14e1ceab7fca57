// The LRU lists of the node: who is on which, and the moves between them.
// Models include/linux/mm_inline.h and mm/swap.c (v6.18): lruvec_add_folio(),
// lruvec_del_folio(), folio_activate(). The CPU's batches are through when a
// command ends (departure D28), so nothing waits in one here.
#ifndef FAULTLINE_SERVER_MACHINE_MM_LRU_H_
#define FAULTLINE_SERVER_MACHINE_MM_LRU_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/mm/folio.h"

namespace faultline {

// folio_lru_list(): the list that a page's flags say it belongs to. A lazily
// freed anonymous page waits among the file pages.
inline Lru LruOf(const Page& page) {
  if (page.Is(page_flag::kUnevictable)) return kUnevictable;
  const int base =
      page.Is(page_flag::kSwapBacked) ? kInactiveAnon : kInactiveFile;
  return static_cast<Lru>(base + (page.Is(page_flag::kActive) ? 1 : 0));
}

// folio_zonenum(). REQUIRES: memory is there.
inline int ZoneNumberOf(const Kernel& k, Pfn pfn) {
  int zone = kMaxNrZones - 1;
  while (!k.zones[zone].populated() || pfn < k.zones[zone].start) zone--;
  return zone;
}

// lruvec_add_folio(), lruvec_add_folio_tail(), lruvec_del_folio(): of a page,
// or the head of a large folio. Adding sets PG_lru, deleting clears it.
inline void LruAdd(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  const Lru lru = LruOf(page);
  LruList& list = k.lruvec.lists[lru];
  page.flags |= page_flag::kLru;
  page.prev = Pfn();
  page.next = list.head;
  (list.head.valid() ? k.page(list.head).prev : list.tail) = pfn;
  list.head = pfn;
  k.lruvec.zone_size[ZoneNumberOf(k, pfn)][lru] += FolioPages(page);
}
void LruAddTail(Kernel& k, Pfn pfn);
inline void LruDel(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  const Lru lru = LruOf(page);
  LruList& list = k.lruvec.lists[lru];
  (page.prev.valid() ? k.page(page.prev).next : list.head) = page.next;
  (page.next.valid() ? k.page(page.next).prev : list.tail) = page.prev;
  page.prev = page.next = Pfn();
  page.flags &= ~page_flag::kLru;
  k.lruvec.zone_size[ZoneNumberOf(k, pfn)][lru] -= FolioPages(page);
}
// The page behind `pfn` in its list becomes `fresh`, which has its flags.
void LruInsertAfter(Kernel& k, Pfn pfn, Pfn fresh);

// Changes the flags that say which list a page is on, and puts it at the head
// of that. Of a page that is on none, the flags only.
inline void LruMove(Kernel& k, Pfn pfn, uint32_t set, uint32_t clear) {
  const bool listed = k.page(pfn).Is(page_flag::kLru);
  if (listed) LruDel(k, pfn);
  Page& page = k.page(pfn);
  page.flags = (page.flags & ~clear) | set;
  if (listed) LruAdd(k, pfn);
}

// folio_activate(): an evictable page moves to the active list.
void ActivatePage(Kernel& k, Pfn pfn);
// lru_deactivate(): back to the head of the inactive list.
void DeactivatePage(Kernel& k, Pfn pfn);

// Moves the page to the unevictable list or back from it, by what
// PageUnevictable() (mm/swap.h) says: to be called when a VM_LOCKED mapping of
// it came or went. Models mlock_folio(), munlock_folio().
void UpdateEvictable(Kernel& k, Pfn pfn);

// The same two of a large folio. Who locks it cannot be seen from its mappings:
// an entry that leaves a locked VMA munlocks it whoever else may lock it, and
// PTEs lock it when mlock finds all of them (mm/mlock.c). So it has PG_mlocked
// and, while it is unevictable, folio::mlock_count, which is in the `index` of
// its second page.
void MlockLargeFolio(Kernel& k, Pfn pfn);
void MunlockLargeFolio(Kernel& k, Pfn pfn);
// folio::mlock_count. REQUIRES: the head of a large folio.
inline uint64_t MlockCount(const Kernel& k, Pfn head) {
  return k.page(head + PageCount(1)).index;
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_LRU_H_

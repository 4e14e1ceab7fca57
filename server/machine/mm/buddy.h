// The free lists of a zone: what page_alloc.cc, fallback.cc and pcp.cc share.
// Each free block is on the list of its page block's migrate type.
#ifndef FAULTLINE_SERVER_MACHINE_MM_BUDDY_H_
#define FAULTLINE_SERVER_MACHINE_MM_BUDDY_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "server/machine/kernel.h"

namespace faultline {

inline constexpr uint32_t kPageBlockPages = uint32_t{1} << kPageBlockOrder;

// get_pageblock_migratetype(), set_pageblock_migratetype().
inline MigrateType PageblockType(const Kernel& k, Pfn pfn) {
  return k.page_blocks[pfn.value() >> kPageBlockOrder].type;
}
void SetPageblockType(Kernel& k, Pfn pfn, MigrateType type);
// change_pageblock_range(): of all page blocks of a block of that order.
void SetPageblockRange(Kernel& k, Pfn pfn, int order, MigrateType type);

// migratetype_is_mergeable()
inline bool Mergeable(MigrateType type) {
  return static_cast<int>(type) < kMigratePcpTypes;
}

// A free block of this order whose first page is `pfn`, and which is not
// untouched since boot.
inline bool IsFreeBuddy(const Kernel& k, const Zone& zone, Pfn pfn, int order) {
  if (!zone.Contains(pfn)) return false;
  const Page& page = k.page(pfn);
  return page.Is(page_flag::kBuddy) && page.order == order;
}
inline Pfn BuddyOf(Pfn pfn, int order) {
  return Pfn(pfn.value() ^ (uint32_t{1} << order));
}

// get_page_from_free_area(): the first block of a list, which stays there; an
// invalid Pfn when it is empty.
Pfn FirstFree(const Zone& zone, int order, MigrateType type);
inline bool FreeListEmpty(const Zone& zone, int order, MigrateType type) {
  return zone.free_area[order].lists[static_cast<int>(type)].empty() &&
         (order != kMaxPageOrder || type != MigrateType::kMovable ||
          zone.pristine.empty());
}
// How many blocks a list has.
uint64_t NrFreeOfType(const Kernel& k, const Zone& zone, int order,
                      MigrateType type);

// The lists, without the zone's counters: __add_to_free_list() and
// __del_page_from_free_list(). What is taken off may be untouched since boot.
void AddToFreeList(Kernel& k, Zone& zone, Pfn pfn, int order, MigrateType type,
                   bool to_tail);
void DelFromFreeList(Kernel& k, Zone& zone, Pfn pfn, int order,
                     MigrateType type);
// account_freepages()
void AccountFreePages(Zone& zone, int64_t pages, MigrateType type);

// __free_one_page(): merges buddies; `to_tail` as FPI_TO_TAIL.
void FreeOnePage(Kernel& k, Zone& zone, Pfn pfn, int order, MigrateType type,
                 bool to_tail = false);
// expand(): gives back the upper halves of a block of order `high` from which
// one of order `low` is taken. Returns their pages.
uint64_t Expand(Kernel& k, Zone& zone, Pfn pfn, int low, int high,
                MigrateType type);
// __rmqueue_smallest()
Pfn RmqueueSmallest(Kernel& k, Zone& zone, int order, MigrateType type);
// page_del_and_expand(): takes `pfn`, the first of a free block of order
// `high`, and of it the first 2^low pages.
void DelAndExpand(Kernel& k, Zone& zone, Pfn pfn, int low, int high,
                  MigrateType type);

// Calls f(first page, order, migrate type) for each free block of a zone.
template <class F>
void ForEachFreeBlock(const Kernel& k, const Zone& zone, F f) {
  for (int order = 0; order <= kMaxPageOrder; order++) {
    for (int type = 0; type < kMigrateTypes; type++) {
      const FreeList& list = zone.free_area[order].lists[type];
      for (Pfn p = list.head; p.valid(); p = k.page(p).next) {
        f(p, order, static_cast<MigrateType>(type));
      }
    }
  }
  constexpr PageCount kStep = Order(kMaxPageOrder).pages();
  for (const PfnRange& range : zone.pristine) {
    for (Pfn p = range.begin; p < range.end; p = p + kStep) {
      f(p, kMaxPageOrder, MigrateType::kMovable);
    }
  }
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_BUDDY_H_

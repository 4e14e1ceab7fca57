// The free lists: splits and merges power-of-two blocks within a zone. Models
// mm/page_alloc.c (v6.18): __add_to_free_list(), __free_one_page(), expand(),
// __rmqueue_smallest(), account_freepages().
#include "server/machine/mm/buddy.h"

namespace faultline {
namespace {

FreeList& ListOf(Zone& zone, int order, MigrateType type) {
  return zone.free_area[order].lists[static_cast<int>(type)];
}

// buddy_merge_likely(): the block one order up has a free buddy, so what is
// freed now will soon merge and should not be handed out first.
bool BuddyMergeLikely(const Kernel& k, const Zone& zone, Pfn pfn, int order) {
  if (order >= kMaxPageOrder - 1) return false;
  Pfn upper(pfn.value() & ~(uint32_t{1} << order));
  return IsFreeBuddy(k, zone, BuddyOf(upper, order + 1), order + 1);
}

// Takes one block out of what nobody has touched since boot.
void TakePristine(Zone& zone, Pfn pfn) {
  constexpr PageCount kStep = Order(kMaxPageOrder).pages();
  for (size_t i = 0; i < zone.pristine.size(); i++) {
    PfnRange& range = zone.pristine[i];
    if (pfn < range.begin || pfn >= range.end) continue;
    const PfnRange above{pfn + kStep, range.end};
    range.end = pfn;
    auto at = zone.pristine.begin() + static_cast<ptrdiff_t>(i);
    if (above.begin < above.end) at = zone.pristine.insert(at + 1, above) - 1;
    if (at->begin == at->end) zone.pristine.erase(at);
    return;
  }
  VM_BUG_ON(true && "no free block begins there");
}

}  // namespace

const char* MigrateTypeName(MigrateType type) {
  constexpr const char* kNames[] = {"Unmovable", "Movable", "Reclaimable",
                                    "HighAtomic", "Isolate"};
  return kNames[static_cast<int>(type)];
}

void SetPageblockType(Kernel& k, Pfn pfn, MigrateType type) {
  k.page_blocks[pfn.value() >> kPageBlockOrder].type = type;
}

void SetPageblockRange(Kernel& k, Pfn pfn, int order, MigrateType type) {
  const uint32_t end = pfn.value() + (uint32_t{1} << order);
  for (uint32_t p = pfn.value(); p < end; p += kPageBlockPages) {
    if (PageblockType(std::as_const(k), Pfn(p)) != type) {
      SetPageblockType(k, Pfn(p), type);
    }
  }
}

Pfn FirstFree(const Zone& zone, int order, MigrateType type) {
  const FreeList& list = zone.free_area[order].lists[static_cast<int>(type)];
  if (!list.empty()) return list.head;
  if (order != kMaxPageOrder || type != MigrateType::kMovable ||
      zone.pristine.empty()) {
    return Pfn();
  }
  return zone.pristine.front().begin;
}

uint64_t NrFreeOfType(const Kernel& k, const Zone& zone, int order,
                      MigrateType type) {
  uint64_t n = 0;
  const FreeList& list = zone.free_area[order].lists[static_cast<int>(type)];
  for (Pfn p = list.head; p.valid(); p = k.page(p).next) n++;
  if (order != kMaxPageOrder || type != MigrateType::kMovable) return n;
  for (const PfnRange& range : zone.pristine) {
    n += range.size().value() >> kMaxPageOrder;
  }
  return n;
}

void AddToFreeList(Kernel& k, Zone& zone, Pfn pfn, int order, MigrateType type,
                   bool to_tail) {
  FreeList& list = ListOf(zone, order, type);
  // What boot handed over is the list's tail, and has no links.
  to_tail = to_tail && (order != kMaxPageOrder ||
                        type != MigrateType::kMovable || zone.pristine.empty());
  Page& page = k.page(pfn);
  page.flags = page_flag::kBuddy;
  page.order = static_cast<uint8_t>(order);
  page.prev = to_tail ? list.tail : Pfn();
  page.next = to_tail ? Pfn() : list.head;
  (page.prev.valid() ? k.page(page.prev).next : list.head) = pfn;
  (page.next.valid() ? k.page(page.next).prev : list.tail) = pfn;
  zone.free_area[order].nr_free++;
}

void DelFromFreeList(Kernel& k, Zone& zone, Pfn pfn, int order,
                     MigrateType type) {
  zone.free_area[order].nr_free--;
  if (!std::as_const(k).page(pfn).Is(page_flag::kBuddy)) {
    return TakePristine(zone, pfn);
  }
  FreeList& list = ListOf(zone, order, type);
  Page& page = k.page(pfn);
  (page.prev.valid() ? k.page(page.prev).next : list.head) = page.next;
  (page.next.valid() ? k.page(page.next).prev : list.tail) = page.prev;
  page.flags &= ~page_flag::kBuddy;
  page.prev = page.next = Pfn();
}

void AccountFreePages(Zone& zone, int64_t pages, MigrateType type) {
  if (type == MigrateType::kIsolate) return;
  zone.nr_free_pages += static_cast<uint64_t>(pages);
  if (type == MigrateType::kHighAtomic) {
    zone.nr_free_highatomic += static_cast<uint64_t>(pages);
  }
}

void FreeOnePage(Kernel& k, Zone& zone, Pfn pfn, int order, MigrateType type,
                 bool to_tail) {
  const int from = order;
  AccountFreePages(zone, int64_t{1} << order, type);
  for (; order < kMaxPageOrder; order++) {
    const Pfn buddy = BuddyOf(pfn, order);
    if (!IsFreeBuddy(std::as_const(k), zone, buddy, order)) break;
    MigrateType buddy_type = type;
    if (order >= kPageBlockOrder) {
      buddy_type = PageblockType(std::as_const(k), buddy);
      if (buddy_type != type && (!Mergeable(type) || !Mergeable(buddy_type))) {
        break;
      }
    }
    DelFromFreeList(k, zone, buddy, order, buddy_type);
    if (buddy_type != type) SetPageblockRange(k, buddy, order, type);
    pfn = std::min(pfn, buddy);
  }
  if (order != from) {
    k.Emit(EventLevel::kAll,
           BuddyMerge{pfn.value(), static_cast<uint32_t>(from),
                      static_cast<uint32_t>(order)});
  }
  AddToFreeList(k, zone, pfn, order, type,
                to_tail || BuddyMergeLikely(k, zone, pfn, order));
}

uint64_t Expand(Kernel& k, Zone& zone, Pfn pfn, int low, int high,
                MigrateType type) {
  if (high == low) return 0;
  for (int order = high; order > low;) {
    order--;
    AddToFreeList(k, zone, pfn + Order(order).pages(), order, type, false);
  }
  k.Emit(EventLevel::kAll, BuddySplit{pfn.value(), static_cast<uint32_t>(high),
                                      static_cast<uint32_t>(low)});
  return (uint64_t{1} << high) - (uint64_t{1} << low);
}

void DelAndExpand(Kernel& k, Zone& zone, Pfn pfn, int low, int high,
                  MigrateType type) {
  DelFromFreeList(k, zone, pfn, high, type);
  Expand(k, zone, pfn, low, high, type);
  AccountFreePages(zone, -(int64_t{1} << low), type);
}

Pfn RmqueueSmallest(Kernel& k, Zone& zone, int order, MigrateType type) {
  for (int at = order; at <= kMaxPageOrder; at++) {
    if (zone.free_area[at].nr_free == 0) continue;
    const Pfn pfn = FirstFree(zone, at, type);
    if (!pfn.valid()) continue;
    DelAndExpand(k, zone, pfn, order, at, type);
    return pfn;
  }
  return Pfn();
}

}  // namespace faultline

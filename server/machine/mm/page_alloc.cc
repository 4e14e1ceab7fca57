// The buddy allocator: splits and merges power-of-two blocks within a zone.
// Models mm/page_alloc.c (v6.18): __rmqueue_smallest(), expand(),
// __free_one_page(), __zone_watermark_ok(), get_page_from_freelist().
// Departures: D2 (one free list per order, no migrate types), D3 (no per-CPU
// page lists), D4 (no reclaim or compaction before failing).
#include "server/machine/mm/page_alloc.h"

#include <utility>

#include "server/machine/mm/gfp.h"

namespace faultline {
namespace {

void AddToFreeList(Kernel& k, FreeArea& area, Pfn pfn, int order,
                   bool to_tail) {
  Page& page = k.page(pfn);
  page.flags = page_flag::kBuddy;
  page.order = static_cast<uint8_t>(order);
  page.prev = to_tail ? area.tail : Pfn();
  page.next = to_tail ? Pfn() : area.head;
  (page.prev.valid() ? k.page(page.prev).next : area.head) = pfn;
  (page.next.valid() ? k.page(page.next).prev : area.tail) = pfn;
  area.nr_free++;
}

void DelFromFreeList(Kernel& k, FreeArea& area, Pfn pfn) {
  Page& page = k.page(pfn);
  (page.prev.valid() ? k.page(page.prev).next : area.head) = page.next;
  (page.next.valid() ? k.page(page.next).prev : area.tail) = page.prev;
  page.flags &= ~page_flag::kBuddy;
  page.prev = page.next = Pfn();
  area.nr_free--;
}

bool IsFreeBuddy(const Kernel& k, const Zone& zone, Pfn pfn, int order) {
  if (!zone.Contains(pfn)) return false;
  const Page& page = k.page(pfn);
  return page.Is(page_flag::kBuddy) && page.order == order;
}

Pfn BuddyOf(Pfn pfn, int order) {
  return Pfn(pfn.value() ^ (uint32_t{1} << order));
}

// buddy_merge_likely(): the block one order up has a free buddy, so what is
// freed now will soon merge and should not be handed out first.
bool BuddyMergeLikely(const Kernel& k, const Zone& zone, Pfn pfn, int order) {
  if (order >= kMaxPageOrder - 1) return false;
  Pfn upper(pfn.value() & ~(uint32_t{1} << order));
  return IsFreeBuddy(k, zone, BuddyOf(upper, order + 1), order + 1);
}

void FreeOnePage(Kernel& k, Zone& zone, Pfn pfn, int order) {
  int from = order;
  zone.nr_free_pages += uint64_t{1} << order;
  while (order < kMaxPageOrder) {
    Pfn buddy = BuddyOf(pfn, order);
    if (!IsFreeBuddy(std::as_const(k), zone, buddy, order)) break;
    DelFromFreeList(k, zone.free_area[order], buddy);
    pfn = std::min(pfn, buddy);
    order++;
  }
  if (order != from) {
    k.Emit(EventLevel::kAll,
           BuddyMerge{pfn.value(), static_cast<uint32_t>(from),
                      static_cast<uint32_t>(order)});
  }
  AddToFreeList(k, zone.free_area[order], pfn, order,
                BuddyMergeLikely(k, zone, pfn, order));
}

// Takes an untouched order-10 block, the lowest first.
Pfn TakePristine(Zone& zone) {
  PfnRange& range = zone.pristine.front();
  Pfn pfn = range.begin;
  range.begin = range.begin + Order(kMaxPageOrder).pages();
  if (range.begin == range.end) zone.pristine.erase(zone.pristine.begin());
  zone.free_area[kMaxPageOrder].nr_free--;
  return pfn;
}

Pfn RmqueueSmallest(Kernel& k, Zone& zone, int order) {
  for (int at = order; at <= kMaxPageOrder; at++) {
    FreeArea& area = zone.free_area[at];
    if (area.nr_free == 0) continue;
    Pfn pfn = area.head;
    if (pfn.valid()) {
      DelFromFreeList(k, area, pfn);
    } else {
      pfn = TakePristine(zone);
    }
    // expand(): the upper halves go back to the lists.
    for (int high = at; high > order;) {
      high--;
      Pfn upper = pfn + Order(high).pages();
      AddToFreeList(k, zone.free_area[high], upper, high, false);
    }
    if (at != order) {
      k.Emit(EventLevel::kAll,
             BuddySplit{pfn.value(), static_cast<uint32_t>(at),
                        static_cast<uint32_t>(order)});
    }
    zone.nr_free_pages -= uint64_t{1} << order;
    return pfn;
  }
  return Pfn();
}

// __zone_watermark_ok() without reserves for atomic allocations.
bool WatermarkOk(const Zone& zone, int order, uint64_t mark, int highest,
                 uint32_t gfp) {
  if (gfp & gfp::kHigh) mark -= mark / 2;
  uint64_t want = (uint64_t{1} << order) - 1;
  if (zone.nr_free_pages <= want) return false;
  if (zone.nr_free_pages - want <= mark + zone.lowmem_reserve[highest]) {
    return false;
  }
  if (order == 0) return true;
  for (int o = order; o <= kMaxPageOrder; o++) {
    if (zone.free_area[o].nr_free > 0) return true;
  }
  return false;
}

void PrepNewPage(Kernel& k, Zone& zone, Pfn pfn, int order, uint32_t gfp) {
  Page& page = k.page(pfn);
  page = Page{};
  page.refcount = 1;
  page.order = static_cast<uint8_t>(order);
  if (order > 0) page.flags = page_flag::kHead;
  k.vmstat.events[kPgAllocDma + static_cast<int>(zone.type)] += uint64_t{1}
                                                                << order;
  k.Emit(EventLevel::kAll,
         MmPageAlloc{pfn.value(), static_cast<uint32_t>(order), gfp,
                     gfp >> 3 & 3, static_cast<uint32_t>(zone.type)});
}

}  // namespace

ZoneType GfpZone(const Kernel& k, uint32_t gfp) {
  if (gfp & gfp::kDma) return ZoneType::kDma;
  if (gfp & gfp::kDma32) {
    return k.config.profile == Profile::kX86_64 ? ZoneType::kDma32
                                                : ZoneType::kNormal;
  }
  if (gfp & gfp::kHighMem) {
    if (gfp & gfp::kMovable) return ZoneType::kMovable;
    return k.config.profile == Profile::kX86_64 ? ZoneType::kNormal
                                                : ZoneType::kHighMem;
  }
  return ZoneType::kNormal;
}

ZoneType ZoneOf(const Kernel& k, Pfn pfn) {
  for (const Zone& zone : k.zones) {
    if (zone.populated() && zone.Contains(pfn)) return zone.type;
  }
  VM_BUG_ON(true && "a frame outside every zone");
  return ZoneType::kNormal;
}

bool PfnValid(const Kernel& k, uint64_t pfn) {
  if (pfn > 0xfffffffe) return false;
  Pfn p(static_cast<uint32_t>(pfn));
  for (const Zone& zone : k.zones) {
    for (const PfnRange& range : zone.present_ranges) {
      if (p >= range.begin && p < range.end) return true;
    }
  }
  return false;
}

Pfn AllocPages(Kernel& k, uint32_t gfp, int order) {
  if (order < 0 || order > kMaxPageOrder) return Pfn();
  int highest = static_cast<int>(GfpZone(k, gfp));
  // ALLOC_WMARK_LOW first; the slow path may go down to min.
  for (bool slow : {false, true}) {
    for (int i = highest; i >= 0; i--) {
      Zone& zone = k.zones[i];
      if (!zone.populated()) continue;
      uint64_t mark = slow ? zone.wmark.min : zone.wmark.low;
      if (!WatermarkOk(zone, order, mark, highest, slow ? gfp : 0)) continue;
      Pfn pfn = RmqueueSmallest(k, zone, order);
      if (!pfn.valid()) continue;
      PrepNewPage(k, zone, pfn, order, gfp);
      return pfn;
    }
  }
  return Pfn();
}

void FreePages(Kernel& k, Pfn pfn, int order) {
  VM_BUG_ON(k.page(pfn).Is(page_flag::kBuddy));
  VM_BUG_ON(k.page(pfn).mapcount != 0);
  for (uint64_t i = 0; i < uint64_t{1} << order; i++) {
    Pfn p = pfn + PageCount(i);
    k.page(p) = Page{};
    k.frames[p] = PageBytes();
  }
  k.vmstat.events[kPgFree] += uint64_t{1} << order;
  k.Emit(EventLevel::kAll,
         MmPageFree{pfn.value(), static_cast<uint32_t>(order)});
  FreeOnePage(k, k.zone(ZoneOf(std::as_const(k), pfn)), pfn, order);
}

void PutPage(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  VM_BUG_ON(page.refcount <= 0);
  if (--page.refcount == 0) FreePages(k, pfn, page.order);
}

std::string VerifyFreeAreas(const Kernel& k) {
  for (const Zone& zone : k.zones) {
    std::array<uint64_t, kMaxPageOrder + 1> blocks{};
    uint64_t pages = 0;
    std::string wrong;
    ForEachFreeBlock(k, zone, [&](Pfn p, int order) {
      blocks[order]++;
      pages += uint64_t{1} << order;
      if (p.value() & ((uint32_t{1} << order) - 1)) {
        wrong = "a free block is not aligned to its order";
      }
      if (!zone.Contains(p)) wrong = "a free block lies outside its zone";
      const Page& page = k.page(p);
      if (page.refcount != 0) wrong = "a free page has references";
      if (order < kMaxPageOrder &&
          IsFreeBuddy(k, zone, BuddyOf(p, order), order)) {
        wrong = "two free buddies were not merged";
      }
    });
    if (!wrong.empty()) return wrong;
    for (int order = 0; order <= kMaxPageOrder; order++) {
      if (blocks[order] != zone.free_area[order].nr_free) {
        return "nr_free is not the length of its free list";
      }
    }
    if (pages != zone.nr_free_pages) {
      return "nr_free_pages is not the sum of the free lists";
    }
    if (pages > zone.managed.value()) return "more is free than managed";
  }
  return "";
}

}  // namespace faultline

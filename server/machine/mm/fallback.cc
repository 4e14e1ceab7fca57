// Migrate types under pressure. Models mm/page_alloc.c (v6.18):
// find_suitable_fallback(), try_to_claim_block(), __rmqueue_claim(),
// __rmqueue_steal(), boost_watermark(), reserve_highatomic_pageblock(),
// unreserve_highatomic_pageblock().
#include "server/machine/mm/fallback.h"

#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

// fallbacks[MIGRATE_PCPTYPES][MIGRATE_PCPTYPES - 1]
constexpr MigrateType kFallbacks[kMigratePcpTypes][kMigratePcpTypes - 1] = {
    {MigrateType::kReclaimable, MigrateType::kMovable},
    {MigrateType::kReclaimable, MigrateType::kUnmovable},
    {MigrateType::kUnmovable, MigrateType::kMovable},
};

// should_try_claim_block(): movable pages can be moved out again, so a small
// movable allocation does not take a block from others.
bool ShouldTryClaim(int order, MigrateType type) {
  return order >= kPageBlockOrder / 2 || type != MigrateType::kMovable;
}

void EmitExtfrag(Kernel& k, Pfn pfn, int order, int fallback_order,
                 MigrateType type, MigrateType fallback) {
  k.Emit(EventLevel::kAll,
         MmPageAllocExtfrag{pfn.value(), static_cast<uint32_t>(order),
                            static_cast<uint32_t>(fallback_order),
                            static_cast<uint32_t>(type),
                            static_cast<uint32_t>(fallback),
                            PageblockType(std::as_const(k), pfn) == type});
}

// boost_watermark(): a mixed block is a reason to reclaim ahead.
bool BoostWatermark(const Kernel& k, Zone& zone) {
  const uint64_t factor = k.sysctl.watermark_boost_factor;
  if (factor == 0 || kPageBlockPages * 4 > zone.managed.value()) return false;
  uint64_t most = zone.wmark.high * factor / 10000;
  if (most == 0) return false;
  most = std::max<uint64_t>(kPageBlockPages, most);
  zone.watermark_boost = std::min(zone.watermark_boost + kPageBlockPages, most);
  return true;
}

struct BlockPages {
  uint64_t free = 0;
  uint64_t movable = 0;
};

// What the page block that starts there consists of.
BlockPages CountBlock(const Kernel& k, Pfn start) {
  BlockPages n;
  for (uint32_t i = 0; i < kPageBlockPages;) {
    const Page& page = k.page(start + PageCount(i));
    if (page.Is(page_flag::kBuddy)) {
      n.free += uint64_t{1} << page.order;
      i += uint32_t{1} << page.order;
      continue;
    }
    n.movable += page.Is(page_flag::kLru);
    i++;
  }
  return n;
}

Pfn BlockStart(Pfn pfn) { return Pfn(pfn.value() & ~(kPageBlockPages - 1)); }

// Does the zone span the whole page block?
bool WholeBlockIn(const Zone& zone, Pfn start) {
  return zone.Contains(start) &&
         zone.Contains(start + PageCount(kPageBlockPages - 1));
}

// move_to_free_list()
void MoveToFreeList(Kernel& k, Zone& zone, Pfn pfn, int order, MigrateType from,
                    MigrateType to) {
  DelFromFreeList(k, zone, pfn, order, from);
  AddToFreeList(k, zone, pfn, order, to, true);
  AccountFreePages(zone, -(int64_t{1} << order), from);
  AccountFreePages(zone, int64_t{1} << order, to);
}

// __move_freepages_block()
void MoveFreepages(Kernel& k, Zone& zone, Pfn start, MigrateType from,
                   MigrateType to) {
  for (uint32_t i = 0; i < kPageBlockPages;) {
    const Pfn pfn = start + PageCount(i);
    const Page& page = std::as_const(k).page(pfn);
    if (!page.Is(page_flag::kBuddy)) {
      i++;
      continue;
    }
    const int order = page.order;
    MoveToFreeList(k, zone, pfn, order, from, to);
    i += uint32_t{1} << order;
  }
}

// try_to_claim_block()
Pfn TryToClaim(Kernel& k, Zone& zone, Pfn pfn, int current, int order,
               MigrateType type, MigrateType block_type, uint32_t alloc_flags) {
  if (current >= kPageBlockOrder) {
    DelFromFreeList(k, zone, pfn, current, block_type);
    SetPageblockRange(k, pfn, current, type);
    AccountFreePages(zone, -(int64_t{1} << current), block_type);
    AccountFreePages(
        zone, static_cast<int64_t>(Expand(k, zone, pfn, order, current, type)),
        type);
    return pfn;
  }
  if (BoostWatermark(k, zone) && (alloc_flags & alloc_flag::kKswapd)) {
    zone.boosted_watermark = true;
  }
  const Pfn start = BlockStart(pfn);
  if (!WholeBlockIn(zone, start)) return Pfn();
  const BlockPages n = CountBlock(k, start);
  uint64_t alike = n.movable;
  if (type != MigrateType::kMovable) {
    // What does not move in a movable block may as well be ours.
    alike = block_type == MigrateType::kMovable
                ? kPageBlockPages - (n.free + n.movable)
                : 0;
  }
  if (n.free + alike < kPageBlockPages / 2) return Pfn();
  MoveFreepages(k, zone, start, block_type, type);
  SetPageblockType(k, start, type);
  return RmqueueSmallest(k, zone, order, type);
}

}  // namespace

std::optional<MigrateType> FindFallback(const Zone& zone, int order,
                                        MigrateType type) {
  if (zone.free_area[order].nr_free == 0) return std::nullopt;
  for (MigrateType fallback : kFallbacks[static_cast<int>(type)]) {
    if (!FreeListEmpty(zone, order, fallback)) return fallback;
  }
  return std::nullopt;
}

Pfn RmqueueClaim(Kernel& k, Zone& zone, int order, MigrateType type,
                 uint32_t alloc_flags) {
  // Blocks that lie within page blocks of others are left to them at first.
  const bool whole_only =
      order < kPageBlockOrder && (alloc_flags & alloc_flag::kNoFragment);
  const int least = whole_only ? kPageBlockOrder : order;
  for (int at = kMaxPageOrder; at >= least; at--) {
    if (!ShouldTryClaim(at, type)) break;
    const auto fallback = FindFallback(zone, at, type);
    if (!fallback) continue;
    const Pfn pfn = TryToClaim(k, zone, FirstFree(zone, at, *fallback), at,
                               order, type, *fallback, alloc_flags);
    if (!pfn.valid()) continue;
    EmitExtfrag(k, pfn, order, at, type, *fallback);
    return pfn;
  }
  return Pfn();
}

Pfn RmqueueSteal(Kernel& k, Zone& zone, int order, MigrateType type) {
  for (int at = order; at <= kMaxPageOrder; at++) {
    const auto fallback = FindFallback(zone, at, type);
    if (!fallback) continue;
    const Pfn pfn = FirstFree(zone, at, *fallback);
    DelAndExpand(k, zone, pfn, order, at, *fallback);
    EmitExtfrag(k, pfn, order, at, type, *fallback);
    return pfn;
  }
  return Pfn();
}

bool MoveFreepagesBlock(Kernel& k, Zone& zone, Pfn pfn, MigrateType from,
                        MigrateType to) {
  const Pfn start = BlockStart(pfn);
  if (!WholeBlockIn(zone, start)) return false;
  MoveFreepages(k, zone, start, from, to);
  SetPageblockType(k, start, to);
  return true;
}

void ReserveHighAtomic(Kernel& k, Zone& zone, Pfn pfn, int order) {
  const uint64_t percent = zone.managed.value() / 100;
  if (percent < kPageBlockPages) return;
  const uint64_t most =
      (percent + kPageBlockPages - 1) / kPageBlockPages * kPageBlockPages;
  if (zone.nr_reserved_highatomic >= most) return;
  const MigrateType type = PageblockType(std::as_const(k), pfn);
  if (!Mergeable(type)) return;
  if (order >= kPageBlockOrder) {
    SetPageblockRange(k, pfn, order, MigrateType::kHighAtomic);
    zone.nr_reserved_highatomic += uint64_t{1} << order;
  } else if (MoveFreepagesBlock(k, zone, pfn, type, MigrateType::kHighAtomic)) {
    zone.nr_reserved_highatomic += kPageBlockPages;
  }
}

bool UnreserveHighAtomic(Kernel& k, MigrateType type, int highest_zone,
                         bool force) {
  constexpr MigrateType kFrom = MigrateType::kHighAtomic;
  for (int i = highest_zone; i >= 0; i--) {
    Zone& zone = k.zones[i];
    if (!force && zone.nr_reserved_highatomic <= kPageBlockPages) continue;
    for (int order = 0; order <= kMaxPageOrder; order++) {
      const Pfn pfn = FirstFree(zone, order, kFrom);
      if (!pfn.valid()) continue;
      const uint64_t size =
          std::max<uint64_t>(kPageBlockPages, uint64_t{1} << order);
      zone.nr_reserved_highatomic -=
          std::min(size, zone.nr_reserved_highatomic);
      if (order >= kPageBlockOrder) {
        MoveToFreeList(k, zone, pfn, order, kFrom, type);
        SetPageblockRange(k, pfn, order, type);
        return true;
      }
      if (MoveFreepagesBlock(k, zone, pfn, kFrom, type)) return true;
    }
  }
  return false;
}

}  // namespace faultline

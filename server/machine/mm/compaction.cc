// Models mm/compaction.c (v6.18): compact_zone(), isolate_migratepages_block(),
// isolate_freepages_block(), __compact_finished(), compaction_suitable(),
// defer_compaction(), fragmentation_score_zone(). Departure: D32 (each run
// begins at the zone's ends; the scanners' cached positions and skip bits are
// not kept).
#include "server/machine/mm/compaction.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/mm/buddy.h"
#include "server/machine/mm/extfrag.h"
#include "server/machine/mm/fallback.h"
#include "server/machine/mm/migrate.h"
#include "server/machine/mm/mlock.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

constexpr int kClusterMax = 32;         // COMPACT_CLUSTER_MAX
constexpr uint32_t kMaxDeferShift = 6;  // COMPACT_MAX_DEFER_SHIFT

class Compactor {
 public:
  Compactor(Kernel& k, Zone& zone, const CompactControl& cc)
      : k_(k),
        zone_(zone),
        cc_(cc),
        free_block_(BlockOf(zone.start + zone.spanned) + kPageBlockPages) {}

  CompactResult Run() {
    if (cc_.proactive && Finished()) return CompactResult::kSuccess;
    uint32_t block = BlockOf(zone_.start);
    CompactResult result = CompactResult::kComplete;
    k_.Emit(EventLevel::kAll,
            MmCompactionBegin{zone_.start.value(), block, free_block_, End()});
    for (; block < free_block_; block += kPageBlockPages) {
      if (!CompactBlock(block)) break;
      if (Finished()) {
        result = CompactResult::kSuccess;
        break;
      }
    }
    ReleaseFreePages();
    const bool success = result == CompactResult::kSuccess;
    k_.Emit(EventLevel::kAll,
            MmCompactionEnd{zone_.start.value(), block, free_block_, End(),
                            success ? "success" : "complete"});
    return result;
  }

 private:
  uint32_t End() const { return (zone_.start + zone_.spanned).value(); }
  static uint32_t BlockOf(Pfn pfn) {
    return pfn.value() & ~(kPageBlockPages - 1);
  }

  // The migration scanner, in one page block. False when there is nowhere left
  // to move pages to.
  bool CompactBlock(uint32_t block) {
    uint32_t pfn = std::max(block, zone_.start.value());
    const uint32_t end = std::min(block + kPageBlockPages, End());
    int moved = 0;
    while (pfn < end) {
      const Page& page = std::as_const(k_).page(Pfn(pfn));
      k_.vmstat.events[kCompactMigrateScanned]++;
      if (page.Is(page_flag::kBuddy)) {
        pfn += uint32_t{1} << page.order;
        continue;
      }
      if (MayIsolate(page) && PageIsMovable(k_, Pfn(pfn))) {
        if (free_pages_.empty()) IsolateFreePages(block);
        if (free_pages_.empty()) return false;
        Move(Pfn(pfn));
        if (++moved % kClusterMax == 0 && Finished()) return true;
      }
      pfn++;
    }
    return true;
  }

  // ISOLATE_UNEVICTABLE: locked pages are moved too, unless that was forbidden.
  bool MayIsolate(const Page& page) const {
    return k_.sysctl.compact_unevictable_allowed != 0 ||
           !page.Is(page_flag::kUnevictable);
  }

  void Move(Pfn from) {
    k_.vmstat.events[kCompactIsolated] += 2;
    if (!MigratePage(k_, from, free_pages_.back())) {
      k_.vmstat.events[kPgMigrateFail]++;
      return;
    }
    free_pages_.pop_back();
    k_.vmstat.events[kPgMigrateSuccess]++;
    FreeOnePage(k_, zone_, from, 0, PageblockType(std::as_const(k_), from));
  }

  // The free scanner: the next block from above that has pages to move to and
  // is not itself a free block.
  void IsolateFreePages(uint32_t migrate_block) {
    while (free_pages_.empty() &&
           free_block_ > migrate_block + kPageBlockPages) {
      free_block_ -= kPageBlockPages;
      const Pfn first = std::max(Pfn(free_block_), zone_.start);
      if (PageblockType(std::as_const(k_), first) == MigrateType::kMovable) {
        IsolateBlock(free_block_);
      }
    }
  }

  void IsolateBlock(uint32_t block) {
    const uint32_t end = std::min(block + kPageBlockPages, End());
    for (uint32_t pfn = std::max(block, zone_.start.value()); pfn < end;) {
      const Page& page = std::as_const(k_).page(Pfn(pfn));
      k_.vmstat.events[kCompactFreeScanned]++;
      if (!page.Is(page_flag::kBuddy)) {
        pfn++;
        continue;
      }
      const int order = page.order;
      if (order < kPageBlockOrder) Isolate(Pfn(pfn), order);
      pfn += uint32_t{1} << order;
    }
  }

  void Isolate(Pfn pfn, int order) {
    constexpr MigrateType kType = MigrateType::kMovable;
    DelFromFreeList(k_, zone_, pfn, order, kType);
    AccountFreePages(zone_, -(int64_t{1} << order), kType);
    for (uint32_t i = 0; i < uint32_t{1} << order; i++) {
      const Pfn page = pfn + PageCount(i);
      k_.page(page) = Page{};
      free_pages_.push_back(page);
    }
  }

  void ReleaseFreePages() {
    for (const Pfn pfn : free_pages_) {
      FreeOnePage(k_, zone_, pfn, 0, PageblockType(std::as_const(k_), pfn));
    }
    free_pages_.clear();
  }

  // __compact_finished(): is there such a block, or one to be claimed?
  bool Finished() const {
    if (cc_.proactive) {
      return FragmentationScore(k_, zone_) <= FragmentationLow(k_);
    }
    if (cc_.order == kViaCompactMemory) return false;
    for (int o = cc_.order; o <= kMaxPageOrder; o++) {
      if (!FreeListEmpty(zone_, o, cc_.type)) return true;
      if (o >= kPageBlockOrder / 2 && FindFallback(zone_, o, cc_.type)) {
        return true;
      }
    }
    return false;
  }

  Kernel& k_;
  Zone& zone_;
  const CompactControl cc_;
  uint32_t free_block_;  // the free scanner has seen this block and those above
  std::vector<Pfn> free_pages_;
};

}  // namespace

CompactResult CompactZone(Kernel& k, Zone& zone, const CompactControl& cc) {
  MlockDrain(k);  // lru_add_drain(): what is locked moves as such
  return Compactor(k, zone, cc).Run();
}

bool CompactionSuitable(const Kernel& k, const Zone& zone, int order,
                        int highest) {
  const uint64_t gap = uint64_t{2} << order;  // compact_gap()
  const uint64_t mark =
      (order > kCostlyOrder ? zone.wmark.low : zone.wmark.min) + gap;
  if (!ZoneWatermarkOk(zone, 0, mark, highest, 0)) return false;
  if (order <= kCostlyOrder) return true;
  const int index = FragmentationIndex(zone, order);
  return index < 0 || static_cast<uint64_t>(index) > k.sysctl.extfrag_threshold;
}

bool CompactionDeferred(Zone& zone, int order) {
  if (order < zone.compact_order_failed) return false;
  const uint32_t limit = uint32_t{1} << zone.compact_defer_shift;
  if (++zone.compact_considered < limit) return true;
  zone.compact_considered = limit;
  return false;
}

void DeferCompaction(Zone& zone, int order) {
  zone.compact_considered = 0;
  zone.compact_defer_shift =
      std::min(zone.compact_defer_shift + 1, kMaxDeferShift);
  zone.compact_order_failed = std::min(zone.compact_order_failed, order);
}

uint64_t FragmentationScore(const Kernel& k, const Zone& zone) {
  return ExtfragForOrder(zone, k.paging.narrow() ? 10 : 9);
}

uint64_t FragmentationLow(const Kernel& k) {
  const uint64_t low = 100 - k.sysctl.compaction_proactiveness;
  // Until 6.15 it was never below 5.
  const bool capped = k.config.personality == Personality::kLinux61;
  return capped ? std::max<uint64_t>(low, 5) : low;
}

uint64_t FragmentationHigh(const Kernel& k) {
  const uint64_t low = FragmentationLow(k);
  const bool capped = k.config.personality == Personality::kLinux61;
  const uint64_t leeway = capped ? 10 : std::min<uint64_t>(10, low / 2);
  return std::min<uint64_t>(low + leeway, 100);
}

void CompactionDeferReset(Zone& zone, int order) {
  zone.compact_considered = 0;
  zone.compact_defer_shift = 0;
  zone.compact_order_failed = std::max(zone.compact_order_failed, order + 1);
}

bool TryToCompactPages(Kernel& k, int order, MigrateType type, int highest) {
  bool any = false;
  for (int i = highest; i >= 0; i--) {
    Zone& zone = k.zones[i];
    if (!zone.populated() || CompactionDeferred(zone, order)) continue;
    const uint64_t min = zone.wmark.min;
    if (ZoneWatermarkOk(zone, order, min, highest, 0)) {
      any = true;
      continue;
    }
    if (!CompactionSuitable(k, zone, order, highest)) continue;
    if (CompactZone(k, zone, {order, type}) == CompactResult::kSuccess) {
      return true;
    }
    DeferCompaction(zone, order);
  }
  return any;
}

void CompactMemory(Kernel& k) {
  for (Zone& zone : k.zones) {
    if (!zone.populated()) continue;
    CompactZone(k, zone, {});
  }
}

}  // namespace faultline

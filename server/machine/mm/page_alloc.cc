// Allocation: zones in order, their watermarks, and what is tried when none
// has enough. Models mm/page_alloc.c (v6.18): __alloc_frozen_pages_noprof(),
// get_page_from_freelist(), __zone_watermark_ok(), rmqueue(), __rmqueue(),
// gfp_to_alloc_flags(), __gfp_pfmemalloc_flags(), alloc_flags_nofragment(),
// __alloc_pages_slowpath(), __free_frozen_pages(). Departure: D64.
#include "server/machine/mm/page_alloc.h"

#include <utility>

#include "server/machine/mm/buddy.h"
#include "server/machine/mm/compaction.h"
#include "server/machine/mm/fallback.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/kswapd.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/pcp.h"
#include "server/machine/mm/vmscan.h"

namespace faultline {
namespace {

// struct alloc_context: what does not change while one request is served.
struct AllocContext {
  uint32_t gfp = 0;
  int order = 0;
  int highest = 0;  // highest_zoneidx
  MigrateType type = MigrateType::kUnmovable;
};

// zone_watermark_fast(): one comparison for most requests of one page.
bool WatermarkFast(const Zone& zone, const AllocContext& ac, uint64_t mark,
                   uint32_t flags) {
  if (ac.order == 0) {
    const uint64_t reserved =
        flags & alloc_flag::kReserves ? 0 : zone.nr_free_highatomic;
    if (zone.nr_free_pages >
        mark + zone.lowmem_reserve[ac.highest] + reserved) {
      return true;
    }
  }
  if (ZoneWatermarkOk(zone, ac.order, mark, ac.highest, flags)) return true;
  // Requests with __GFP_HIGH do not wait for what a boost asks kswapd for.
  return ac.order == 0 && (flags & alloc_flag::kMinReserve) != 0 &&
         zone.watermark_boost != 0 &&
         (flags & alloc_flag::kWmarkMask) == alloc_flag::kWmarkMin &&
         ZoneWatermarkOk(zone, 0, zone.wmark.min, ac.highest, flags);
}

bool MayUseZone(Zone& zone, const AllocContext& ac, uint32_t flags) {
  if (!zone.below_high) {
    const uint64_t high = zone.wmark.high + zone.watermark_boost;
    if (WatermarkFast(zone, ac, high, flags)) return true;
    zone.below_high = true;
  }
  if (flags & alloc_flag::kNoWatermarks) return true;
  const uint64_t mark =
      flags & alloc_flag::kWmarkLow ? zone.wmark.low : zone.wmark.min;
  return WatermarkFast(zone, ac, mark + zone.watermark_boost, flags);
}

// rmqueue_buddy()
Pfn RmqueueBuddy(Kernel& k, Zone& zone, const AllocContext& ac,
                 uint32_t flags) {
  constexpr MigrateType kReserve = MigrateType::kHighAtomic;
  Pfn pfn;
  if (flags & alloc_flag::kHighAtomic) {
    pfn = RmqueueSmallest(k, zone, ac.order, kReserve);
    if (pfn.valid()) return pfn;
  }
  RmqueueMode mode = RmqueueMode::kNormal;
  pfn = Rmqueue(k, zone, ac.order, ac.type, flags, &mode);
  // Failing now is worse than failing a high-order request later.
  if (!pfn.valid() && (flags & (alloc_flag::kOom | alloc_flag::kNonBlock))) {
    pfn = RmqueueSmallest(k, zone, ac.order, kReserve);
  }
  return pfn;
}

Pfn RmqueueZone(Kernel& k, Zone& zone, const AllocContext& ac, uint32_t flags) {
  Pfn pfn;
  if (PcpAllowedOrder(ac.order)) {
    pfn = RmqueuePcp(k, zone, ac.order, ac.type, flags);
  }
  if (!pfn.valid()) [[unlikely]]
    pfn = RmqueueBuddy(k, zone, ac, flags);
  if (zone.boosted_watermark && (flags & alloc_flag::kKswapd)) [[unlikely]] {
    zone.boosted_watermark = false;
    WakeupKswapd(k, 0, 0, static_cast<int>(zone.type));
  }
  return pfn;
}

void PrepNewPage(Kernel& k, const Zone& zone, Pfn pfn, const AllocContext& ac) {
  Page& page = k.page(pfn);
  page = Page{};
  page.refcount = 1;
  page.order = static_cast<uint8_t>(ac.order);
  if (ac.order > 0) page.flags = page_flag::kHead;
  k.vmstat.events[kPgAllocDma + static_cast<int>(zone.type)] += uint64_t{1}
                                                                << ac.order;
  k.Emit(EventLevel::kAll,
         MmPageAlloc{pfn.value(), static_cast<uint32_t>(ac.order), ac.gfp,
                     static_cast<uint32_t>(ac.type),
                     static_cast<uint32_t>(zone.type)});
}

Pfn TryZones(Kernel& k, const AllocContext& ac, uint32_t flags) {
  for (int i = ac.highest; i >= 0; i--) {
    Zone& zone = k.zones[i];
    if (!zone.populated() || !MayUseZone(zone, ac, flags)) continue;
    const Pfn pfn = RmqueueZone(k, zone, ac, flags);
    if (!pfn.valid()) continue;
    PrepNewPage(k, zone, pfn, ac);
    if (flags & alloc_flag::kHighAtomic)
      ReserveHighAtomic(k, zone, pfn, ac.order);
    return pfn;
  }
  return Pfn();
}

// A lower zone is better than a mixed page block, but a mixed one better than
// none.
Pfn GetPageFromFreelist(Kernel& k, const AllocContext& ac, uint32_t flags) {
  const Pfn pfn = TryZones(k, ac, flags);
  if (pfn.valid() || !(flags & alloc_flag::kNoFragment)) return pfn;
  return TryZones(k, ac, flags & ~alloc_flag::kNoFragment);
}

uint32_t KswapdFlag(uint32_t gfp) {
  return gfp & gfp::kKswapdReclaim ? alloc_flag::kKswapd : 0;
}

// alloc_flags_nofragment(): where ZONE_NORMAL is preferred, and ZONE_DMA32 lies
// below it.
uint32_t NoFragmentFlag(const Kernel& k, int highest) {
  if (k.config.profile != Profile::kX86_64) return 0;
  constexpr int kMovable = static_cast<int>(ZoneType::kMovable);
  if (highest == kMovable && k.zones[kMovable].populated()) return 0;
  const bool preferred = highest >= static_cast<int>(ZoneType::kNormal) &&
                         k.zone(ZoneType::kNormal).populated();
  return preferred ? alloc_flag::kNoFragment : 0;
}

uint32_t GfpToAllocFlags(uint32_t gfp, int order) {
  uint32_t flags = alloc_flag::kWmarkMin | KswapdFlag(gfp);
  if (gfp & gfp::kHigh) flags |= alloc_flag::kMinReserve;
  if ((gfp & gfp::kDirectReclaim) || (gfp & gfp::kNomemalloc)) return flags;
  flags |= alloc_flag::kNonBlock;
  if (order > 0 && (flags & alloc_flag::kMinReserve)) {
    flags |= alloc_flag::kHighAtomic;
  }
  return flags;
}

// __alloc_pages_direct_compact()
Pfn DirectCompact(Kernel& k, const AllocContext& ac, uint32_t flags) {
  if (ac.order == 0 || !(ac.gfp & gfp::kIo)) return Pfn();
  if (!TryToCompactPages(k, ac.order, ac.type, ac.highest)) return Pfn();
  k.vmstat.events[kCompactStall]++;
  const Pfn pfn = GetPageFromFreelist(k, ac, flags);
  k.vmstat.events[pfn.valid() ? kCompactSuccess : kCompactFail]++;
  if (pfn.valid()) {
    CompactionDeferReset(k.zone(ZoneOf(std::as_const(k), pfn)), ac.order);
  }
  return pfn;
}

// __alloc_pages_slowpath(). Departure: D64 (it ends where Linux would try for
// ever, since nothing changes any more).
class SlowPath {
 public:
  SlowPath(Kernel& k, const AllocContext& ac)
      : k_(k), ac_(ac), flags_(GfpToAllocFlags(ac.gfp, ac.order)) {}

  Pfn Run() {
    if (TryAgain() || (UseReserves() && Get())) return pfn_;
    if (!(ac_.gfp & gfp::kDirectReclaim)) return pfn_;
    uint64_t before = 0;
    do {
      before = Freed();
      if (!k_.in_reclaim) Struggle();
    } while (!pfn_.valid() && MayNotFail() && Freed() > before);
    return pfn_;
  }

 private:
  bool Get() { return Get(flags_); }
  bool Get(uint32_t flags) {
    pfn_ = GetPageFromFreelist(k_, ac_, flags);
    return pfn_.valid();
  }
  // kswapd gets its turn, and then the watermark is the lowest.
  bool TryAgain() {
    if (flags_ & alloc_flag::kKswapd) {
      WakeupKswapd(k_, ac_.gfp, ac_.order, ac_.highest);
      RunKswapd(k_);
    }
    return Get();
  }
  // __gfp_pfmemalloc_flags(): who frees memory, or will by dying, gets what is
  // kept from others. False: this is an ordinary request.
  bool UseReserves() {
    if (ac_.gfp & gfp::kNomemalloc) return false;
    uint32_t reserves = 0;
    if ((ac_.gfp & gfp::kMemalloc) || k_.in_reclaim) {
      reserves = alloc_flag::kNoWatermarks;
    } else if (CurrentIsOomVictim(k_)) {
      reserves = alloc_flag::kOom;
    }
    if (reserves == 0) return false;
    flags_ = reserves | (flags_ & alloc_flag::kKswapd);
    return true;
  }

  // All that may bring a page, to the point where Linux gives up or begins
  // anew.
  void Struggle() {
    // First for what is large or cannot be moved itself.
    const bool costly = ac_.order > kCostlyOrder;
    if ((costly || ac_.type != MigrateType::kMovable) && Compact()) return;
    do {
      if (Reclaim() || Compact()) return;
      if (ac_.gfp & gfp::kNoretry) return;
      if (costly && !(ac_.gfp & gfp::kRetryMayfail)) return;
    } while (ShouldRetry() && !TryAgain());
    if (!pfn_.valid()) LastResorts();
  }
  bool Compact() {
    pfn_ = DirectCompact(k_, ac_, flags_);
    return pfn_.valid();
  }
  // __alloc_pages_direct_reclaim()
  bool Reclaim() {
    progress_ = TryToFreePages(k_, ac_.gfp, ac_.order, ac_.highest) > 0;
    if (!progress_) return false;
    if (Get()) return true;
    UnreserveHighAtomic(k_, ac_.type, ac_.highest, false);
    DrainAllPages(k_);
    return Get();
  }

  // should_reclaim_retry(), should_compact_retry(): could there be enough, if
  // everything that can be reclaimed was?
  bool ShouldRetry() {
    no_progress_ =
        progress_ && ac_.order <= kCostlyOrder ? 0 : no_progress_ + 1;
    if (no_progress_ > kMaxReclaimRetries) return false;
    if (ac_.order > 0 && ++compact_retries_ > kMaxReclaimRetries) return false;
    for (int i = 0; i <= ac_.highest; i++) {
      const Zone& zone = k_.zones[i];
      if (!zone.populated()) continue;
      const uint64_t available =
          ZoneReclaimablePages(std::as_const(k_), i) + zone.nr_free_pages;
      const uint64_t need = zone.wmark.min + zone.watermark_boost +
                            zone.lowmem_reserve[ac_.highest] +
                            (uint64_t{1} << ac_.order) - 1;
      if (available > need) return true;
    }
    return false;
  }

  // What is kept for others or by the CPU; then the OOM killer, as long as it
  // finds somebody. A request that may fail, or that is large, does not ask it.
  void LastResorts() {
    do {
      for (bool force : {false, true}) {
        UnreserveHighAtomic(k_, ac_.type, ac_.highest, force);
        DrainAllPages(k_);
        if (Get()) return;
      }
      if (Compact()) return;
    } while (MayOom() && !AfterOom() && !Reclaim());
  }
  // __alloc_pages_may_oom(). True: somebody's memory is free now, or the
  // current task has been told to die. A request that may not fail has all
  // reserves then, and where the OOM killer leaves it at that: who is to die
  // already needs no killer, and without __GFP_FS it may not be asked.
  bool MayOom() {
    constexpr uint32_t kMayFail = gfp::kRetryMayfail | gfp::kThisnode;
    if (ac_.order > kCostlyOrder || (ac_.gfp & kMayFail)) return false;
    if (ac_.highest < LowestOomZone()) return false;
    const bool left_at_that = !(ac_.gfp & gfp::kFs) || CurrentIsOomVictim(k_);
    const bool progress =
        !left_at_that && OutOfMemory(k_, {ac_.gfp, ac_.order});
    const bool all = (ac_.gfp & gfp::kNofail) && (progress || left_at_that);
    if (all && Get(alloc_flag::kNoWatermarks)) return false;
    return progress;
  }
  bool AfterOom() {
    UseReserves();
    return TryAgain();
  }
  // ZONE_NORMAL: of DMA memory killing processes frees hardly any.
  int LowestOomZone() const { return static_cast<int>(ZoneType::kNormal); }

  // The end of a request with __GFP_NOFAIL: some of the reserves are its own.
  // True: it begins anew, if memory was freed since it began.
  bool MayNotFail() {
    return (ac_.gfp & gfp::kNofail) && !Get(alloc_flag::kMinReserve);
  }
  // What was taken from others so far.
  uint64_t Freed() const {
    const auto& events = k_.vmstat.events;
    return events[kPgStealKswapd] + events[kPgStealDirect] + events[kOomKill];
  }

  Kernel& k_;
  const AllocContext& ac_;
  uint32_t flags_;
  Pfn pfn_;
  bool progress_ = false;
  uint32_t no_progress_ = 0, compact_retries_ = 0;
};

}  // namespace

bool ZoneWatermarkOk(const Zone& zone, int order, uint64_t mark, int highest,
                     uint32_t flags) {
  const bool reserves = (flags & alloc_flag::kReserves) != 0;
  if (flags & alloc_flag::kMinReserve) {
    mark -= mark / 2;
    if (flags & alloc_flag::kNonBlock) mark -= mark / 4;
  }
  if (flags & alloc_flag::kOom) mark -= mark / 2;
  uint64_t unusable = (uint64_t{1} << order) - 1;
  if (!reserves) unusable += zone.nr_free_highatomic;
  if (zone.nr_free_pages <= unusable + mark + zone.lowmem_reserve[highest]) {
    return false;
  }
  if (order == 0) return true;
  constexpr uint32_t kMayUseReserve =
      alloc_flag::kHighAtomic | alloc_flag::kOom;
  for (int o = order; o <= kMaxPageOrder; o++) {
    if (zone.free_area[o].nr_free == 0) continue;
    for (int type = 0; type < kMigratePcpTypes; type++) {
      if (!FreeListEmpty(zone, o, static_cast<MigrateType>(type))) return true;
    }
    if ((flags & kMayUseReserve) &&
        !FreeListEmpty(zone, o, MigrateType::kHighAtomic)) {
      return true;
    }
  }
  return false;
}

Pfn Rmqueue(Kernel& k, Zone& zone, int order, MigrateType type,
            uint32_t alloc_flags, RmqueueMode* mode) {
  if (*mode == RmqueueMode::kNormal) {
    Pfn pfn = RmqueueSmallest(k, zone, order, type);
    if (!pfn.valid()) pfn = RmqueueClaim(k, zone, order, type, alloc_flags);
    if (pfn.valid()) return pfn;
  }
  if (alloc_flags & alloc_flag::kNoFragment) return Pfn();
  const Pfn pfn = RmqueueSteal(k, zone, order, type);
  if (pfn.valid()) *mode = RmqueueMode::kSteal;
  return pfn;
}

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

MigrateType GfpMigrateType(uint32_t gfp) {
  const int bits = gfp::MigrateTypeBits(gfp);
  // Both bits are no type; Linux warns.
  return bits < kMigratePcpTypes ? static_cast<MigrateType>(bits)
                                 : MigrateType::kMovable;
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
  if (order < 0 || order > kMaxPageOrder) [[unlikely]] {
    // WARN_ON_ONCE_GFP()
    if (!(gfp & gfp::kNoWarn)) WarnOn(k, WarnSite::kPageOrder);
    return Pfn();
  }
  const AllocContext ac{.gfp = gfp,
                        .order = order,
                        .highest = static_cast<int>(GfpZone(k, gfp)),
                        .type = GfpMigrateType(gfp)};
  const uint32_t flags =
      alloc_flag::kWmarkLow | KswapdFlag(gfp) | NoFragmentFlag(k, ac.highest);
  const Pfn pfn = GetPageFromFreelist(k, ac, flags);
  if (pfn.valid()) [[likely]]
    return pfn;
  return SlowPath(k, ac).Run();
}

void FreePagesCore(Kernel& k, Zone& zone, Pfn pfn, int order) {
  // split_large_buddy(): each page block by its own type.
  const int step = std::min(order, kPageBlockOrder);
  const Pfn end = pfn + Order(order).pages();
  for (; pfn < end; pfn = pfn + Order(step).pages()) {
    FreeOnePage(k, zone, pfn, step, PageblockType(std::as_const(k), pfn), true);
  }
}

void FreePages(Kernel& k, Pfn pfn, int order) {
  const Page& head = k.page(pfn);
  VM_BUG_ON(
      head.Is(page_flag::kBuddy | page_flag::kPcp | page_flag::kSwapCache));
  VM_BUG_ON(head.mapcount != 0);
  if (head.Is(page_flag::kLru)) LruDel(k, pfn);
  for (uint64_t i = 0; i < uint64_t{1} << order; i++) {
    Pfn p = pfn + PageCount(i);
    k.page(p) = Page{};
    k.frames[p] = PageBytes();
  }
  k.vmstat.events[kPgFree] += uint64_t{1} << order;
  k.Emit(EventLevel::kAll,
         MmPageFree{pfn.value(), static_cast<uint32_t>(order)});
  Zone& zone = k.zone(ZoneOf(std::as_const(k), pfn));
  const int step = std::min(order, kPageBlockOrder);
  MigrateType type = PageblockType(std::as_const(k), pfn);
  if (PcpAllowedOrder(order) && type != MigrateType::kIsolate) [[likely]] {
    if (!Mergeable(type)) type = MigrateType::kMovable;
    return FreeToPcp(k, zone, pfn, order, type);
  }
  const Pfn end = pfn + Order(order).pages();
  for (; pfn < end; pfn = pfn + Order(step).pages()) {
    FreeOnePage(k, zone, pfn, step, PageblockType(std::as_const(k), pfn));
  }
}

void PutPage(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  VM_BUG_ON(page.refcount <= 0);
  if (--page.refcount == 0) FreePages(k, pfn, page.order);
}

}  // namespace faultline

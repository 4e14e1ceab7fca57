// Models mm/vmscan.c (v6.18): wakeup_kswapd(), pgdat_balanced(),
// kswapd_shrink_node(), balance_pgdat(), kswapd(). Departure: D53.
#include "server/machine/mm/kswapd.h"

#include <algorithm>
#include <array>
#include <utility>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kcompactd.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/vmscan.h"

namespace faultline {
namespace {

using Boosts = std::array<uint64_t, kMaxNrZones>;

// pgdat_balanced(): one zone that helps is above its high watermark.
bool Balanced(const Kernel& k, int order, int highest) {
  bool any = false;
  for (int i = 0; i <= highest; i++) {
    const Zone& zone = k.zones[i];
    if (!zone.populated()) continue;
    any = true;
    const uint64_t mark = zone.wmark.high + zone.watermark_boost;
    if (ZoneWatermarkOk(zone, order, mark, highest, 0)) return true;
  }
  return !any;
}

bool Boosted(const Kernel& k, int highest) {
  for (int i = 0; i <= highest; i++) {
    if (k.zones[i].watermark_boost > 0) return true;
  }
  return false;
}

class BalancePgdat {
 public:
  BalancePgdat(Kernel& k, int order, int highest) : k_(k), highest_(highest) {
    sc_.gfp = gfp::kKernel;
    sc_.order = order;
    sc_.kswapd = true;
    sc_.reclaim_idx = highest;
  }

  // balance_pgdat()
  void Run() {
    k_.vmstat.events[kPageOutRun]++;
    for (int i = 0; i <= highest_; i++) {
      boosts_[i] = k_.zones[i].watermark_boost;
      boost_ += boosts_[i];
    }
    const bool boosted = boost_ > 0;
    Descend();
    if (sc_.priority < 1 && sc_.cache_trim_mode_failed &&
        !sc_.no_cache_trim_mode) {
      sc_.no_cache_trim_mode = true;
      Descend();
    }
    if (sc_.nr_reclaimed == 0 && sc_.priority < 1) k_.kswapd.failures++;
    if (boosted) TakeBackBoosts();
  }

 private:
  void Descend() {
    sc_.priority = kDefPriority;
    while (sc_.priority >= 1) {
      const bool balanced = Balanced(std::as_const(k_), sc_.order, highest_);
      if (!balanced && boost_ > 0) {  // this is no time for small things
        boost_ = 0;
        sc_.priority = kDefPriority;
        continue;
      }
      if (boost_ == 0 && balanced) return;
      if (!Turn()) return;
    }
  }

  // False: there is nothing that a boost could be reclaimed from.
  bool Turn() {
    bool raise = boost_ == 0 || sc_.priority != kDefPriority - 2;
    // A boost is not worth a write.
    sc_.may_writepage = sc_.may_swap = boost_ == 0;
    if (k_.swap.total > 0 && InactiveIsLow(k_.lruvec, kInactiveAnon)) {
      ShrinkActiveList(k_, kSwapClusterMax, kActiveAnon, sc_);
    }
    sc_.nr_scanned = 0;
    const uint64_t before = sc_.nr_reclaimed;
    if (ShrinkNodeOnce()) raise = false;
    const uint64_t freed = sc_.nr_reclaimed - before;
    const bool for_boost = boost_ > 0;
    boost_ -= std::min(boost_, freed);
    if (for_boost && freed == 0) return false;
    if (raise || freed == 0) sc_.priority--;
    return true;
  }

  // kswapd_shrink_node(): true when as much was scanned as was to be.
  bool ShrinkNodeOnce() {
    sc_.nr_to_reclaim = 0;
    for (int i = 0; i <= highest_; i++) {
      const Zone& zone = k_.zones[i];
      if (!zone.populated()) continue;
      sc_.nr_to_reclaim +=
          std::max(zone.wmark.high + zone.watermark_boost, kSwapClusterMax);
    }
    ShrinkNode(k_, sc_);
    // Enough for compaction: what matters now is single pages.
    if (sc_.order > 0 && sc_.nr_reclaimed >= uint64_t{2} << sc_.order) {
      sc_.order = 0;
    }
    return sc_.nr_scanned >= sc_.nr_to_reclaim;
  }

  void TakeBackBoosts() {
    for (int i = 0; i <= highest_; i++) {
      uint64_t& boost = k_.zones[i].watermark_boost;
      boost -= std::min(boost, boosts_[i]);
    }
  }

  Kernel& k_;
  const int highest_;
  ScanControl sc_;
  Boosts boosts_{};
  uint64_t boost_ = 0;  // nr_boost_reclaim
};

// clear_pgdat_congested() and its like: zones that have enough again.
void NoteHighWatermarks(Kernel& k) {
  for (Zone& zone : k.zones) {
    if (zone.below_high &&
        zone.nr_free_pages > zone.wmark.high + zone.watermark_boost) {
      zone.below_high = false;
    }
  }
}

// There may be enough memory, and no block of the order: one that cannot wait
// for its own compaction leaves that to kcompactd.
void WakeupKcompactdFor(Kernel& k, uint32_t gfp, int order, int highest) {
  if (!(gfp & gfp::kDirectReclaim)) WakeupKcompactd(k, order, highest);
}

}  // namespace

void WakeupKswapd(Kernel& k, uint32_t gfp, int order, int highest) {
  const bool was_woken = k.kswapd.woken;
  k.kswapd.order = std::max(k.kswapd.order, order);
  k.kswapd.highest = std::max(k.kswapd.highest, highest);
  if (k.kswapd.failures >= kMaxReclaimRetries) {
    // It has given up; a boost would keep memory for nothing (departure D53).
    for (Zone& zone : k.zones) zone.watermark_boost = 0;
    WakeupKcompactdFor(k, gfp, order, highest);
    return;
  }
  if (Balanced(k, order, highest) && !Boosted(k, highest)) {
    return WakeupKcompactdFor(k, gfp, order, highest);
  }
  k.kswapd.woken = true;
  if (was_woken) return;
  k.Emit(EventLevel::kFaults,
         MmVmscanWakeupKswapd{0, static_cast<uint32_t>(highest),
                              static_cast<uint32_t>(order), gfp});
}

void RunKswapd(Kernel& k) {
  if (!k.kswapd.woken || k.in_reclaim) return;
  k.kswapd.woken = false;
  // kswapd_try_to_sleep(): it was up a tenth of a second ago.
  constexpr uint64_t kNapNs = 100'000'000;
  if (k.kswapd.slept_ns != 0 && k.clock_ns - k.kswapd.slept_ns < kNapNs) {
    k.vmstat.events[kKswapdLowWmarkHitQuickly]++;
  }
  const int order = std::exchange(k.kswapd.order, 0);
  const int highest = std::exchange(k.kswapd.highest, 0);
  k.Emit(EventLevel::kFaults,
         MmVmscanKswapdWake{0, static_cast<uint32_t>(highest),
                            static_cast<uint32_t>(order)});
  k.in_reclaim = true;
  BalancePgdat(k, order, highest).Run();
  k.in_reclaim = false;
  k.lruvec.refaults = {k.vmstat.events[kWorkingsetActivateAnon],
                       k.vmstat.events[kWorkingsetActivateFile]};
  NoteHighWatermarks(k);
  k.kswapd.slept_ns = k.clock_ns;
  WakeupKcompactd(k, order, highest);  // kswapd_try_to_sleep()
  k.Emit(EventLevel::kFaults, MmVmscanKswapdSleep{0});
}

}  // namespace faultline

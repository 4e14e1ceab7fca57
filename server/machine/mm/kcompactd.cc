// Models mm/compaction.c (v6.18): wakeup_kcompactd(), kcompactd_do_work(),
// kcompactd(), should_proactive_compact_node(), compact_node(). Departure: D32
// (when it runs, and how often in a long sleep).
#include "server/machine/mm/kcompactd.h"

#include <algorithm>

#include "server/machine/mm/compaction.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pcp.h"

namespace faultline {
namespace {

constexpr int kMaxDeferShift = 6;  // COMPACT_MAX_DEFER_SHIFT
constexpr int kLooksInVain = 64;   // of one sleep

// compaction_suit_allocation_order(): does the zone lack such a block, and can
// compaction make one?
bool WantsCompaction(const Kernel& k, const Zone& zone, int order,
                     int highest) {
  if (!zone.populated()) return false;
  if (ZoneWatermarkOk(zone, order, zone.wmark.min, highest, 0)) return false;
  return CompactionSuitable(k, zone, order, highest);
}

// A run, with what it scanned counted as the daemon's too.
CompactResult Compact(Kernel& k, Zone& zone, const CompactControl& cc) {
  auto& events = k.vmstat.events;
  const uint64_t migrate = events[kCompactMigrateScanned];
  const uint64_t free = events[kCompactFreeScanned];
  const CompactResult result = CompactZone(k, zone, cc);
  events[kCompactDaemonMigrateScanned] +=
      events[kCompactMigrateScanned] - migrate;
  events[kCompactDaemonFreeScanned] += events[kCompactFreeScanned] - free;
  return result;
}

// kcompactd_do_work(): as for an allocation of the kernel's.
void DoWork(Kernel& k) {
  const int order = k.kcompactd.max_order, highest = k.kcompactd.highest;
  k.vmstat.events[kCompactDaemonWake]++;
  k.Emit(EventLevel::kFaults,
         MmCompactionKcompactdWake{0, static_cast<uint32_t>(order),
                                   static_cast<uint32_t>(highest)});
  for (int i = 0; i <= highest; i++) {
    Zone& zone = k.zones[i];
    if (!zone.populated() || CompactionDeferred(zone, order)) continue;
    if (!WantsCompaction(k, zone, order, i)) continue;
    const CompactControl cc{.order = order, .type = MigrateType::kUnmovable};
    if (Compact(k, zone, cc) == CompactResult::kSuccess) {
      // compaction_defer_reset() before anybody has the block
      zone.compact_order_failed =
          std::max(zone.compact_order_failed, order + 1);
    } else {
      DrainAllPages(k, zone);
      DeferCompaction(zone, order);
    }
  }
  k.kcompactd.max_order = k.kcompactd.highest = 0;
}

// fragmentation_score_node(): each zone by its part of the memory.
uint64_t NodeScore(const Kernel& k) {
  uint64_t present = 0, score = 0;
  for (const Zone& zone : k.zones) present += zone.present.value();
  for (const Zone& zone : k.zones) {
    if (!zone.populated()) continue;
    score += zone.present.value() * FragmentationScore(k, zone) / (present + 1);
  }
  return score;
}

// should_proactive_compact_node()
bool ShouldCompactProactively(const Kernel& k) {
  return k.sysctl.compaction_proactiveness != 0 &&
         NodeScore(k) > FragmentationHigh(k);
}

// compact_node(). False: it did no good.
bool CompactProactively(Kernel& k) {
  const uint64_t before = NodeScore(k);
  for (Zone& zone : k.zones) {
    if (zone.populated()) Compact(k, zone, {.proactive = true});
  }
  return NodeScore(k) < before;
}

// What kcompactd does when it is awake, and until when it sleeps then. True: it
// did some good.
bool Wake(Kernel& k, uint64_t now) {
  Kcompactd& daemon = k.kcompactd;
  daemon.woken = false;
  daemon.look_ns = now + kFragCheckNs;
  if (daemon.max_order > 0 && !daemon.proactive_trigger) {
    DoWork(k);
    k.Emit(EventLevel::kFaults, MmCompactionKcompactdSleep{0});
    return true;
  }
  daemon.proactive_trigger = false;
  daemon.woken = daemon.max_order > 0;  // that comes next
  if (!ShouldCompactProactively(k)) return false;
  if (CompactProactively(k)) return true;
  daemon.look_ns = now + (kFragCheckNs << kMaxDeferShift);
  return false;
}

}  // namespace

void WakeupKcompactd(Kernel& k, int order, int highest) {
  if (order == 0) return;
  Kcompactd& daemon = k.kcompactd;
  if (daemon.max_order > 0) highest = std::min(daemon.highest, highest);
  daemon.highest = highest;
  daemon.max_order = std::max(daemon.max_order, order);
  const bool was_woken = daemon.woken;
  for (int i = 0; i <= daemon.highest; i++) {
    daemon.woken |=
        WantsCompaction(k, k.zones[i], daemon.max_order, daemon.highest);
  }
  if (!daemon.woken || was_woken) return;
  k.Emit(EventLevel::kFaults,
         MmCompactionWakeupKcompactd{0, static_cast<uint32_t>(daemon.max_order),
                                     static_cast<uint32_t>(daemon.highest)});
}

void NoteProactiveness(Kernel& k) {
  if (k.sysctl.compaction_proactiveness != 0) {
    k.kcompactd.proactive_trigger = true;
  }
}

void RunKcompactd(Kernel& k) {
  if (k.in_reclaim) return;
  Kcompactd& daemon = k.kcompactd;
  while (daemon.woken || daemon.proactive_trigger) Wake(k, k.clock_ns);
  // Nothing changed while it slept: once a look was in vain, so are the others.
  for (int vain = 0; KcompactdWoken(k);) {
    vain += !Wake(k, daemon.look_ns);
    const bool useless = !ShouldCompactProactively(k) || vain >= kLooksInVain;
    if (!useless || daemon.look_ns > k.clock_ns) continue;
    const uint64_t missed = (k.clock_ns - daemon.look_ns) / kFragCheckNs + 1;
    daemon.look_ns += missed * kFragCheckNs;
  }
}

}  // namespace faultline

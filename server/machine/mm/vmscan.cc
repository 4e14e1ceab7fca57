// Models mm/vmscan.c (v6.18): isolate_lru_folios(), shrink_inactive_list(),
// shrink_active_list(), inactive_is_low(), get_scan_count(), shrink_lruvec(),
// prepare_scan_control(), shrink_node().
#include "server/machine/mm/vmscan.h"

#include <algorithm>
#include <array>
#include <utility>

#include "server/machine/mm/bio.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/shrink_folios.h"
#include "server/machine/mm/shrink_slab.h"
#include "server/machine/mm/unmap.h"
#include "server/machine/mm/workingset.h"
#include "server/machine/mm/writeback.h"

namespace faultline {
namespace {

constexpr int kNrEvictable = 4;  // the lists that are scanned

struct Isolated {
  std::vector<Pfn> pages;
  uint64_t taken = 0;
  uint64_t scanned = 0;
};

// SWAP_CLUSTER_MAX_SKIPPED, since 6.15: when so much was passed over, the rest
// is taken all the same.
size_t SkippedMax(const Kernel& k) {
  return k.config.personality == Personality::kLinux61 ? SIZE_MAX
                                                       : kSwapClusterMax << 10;
}

// isolate_lru_folios(): from the tail of a list; what lies in a zone that does
// not help goes to its head.
Isolated IsolateLru(Kernel& k, uint64_t nr_to_scan, Lru lru,
                    const ScanControl& sc) {
  Isolated out;
  uint64_t skipped_pages = 0;
  std::vector<Pfn> skipped;
  while (out.scanned < nr_to_scan) {
    const Pfn pfn = k.lruvec.lists[lru].tail;
    if (!pfn.valid()) break;
    const uint64_t pages = FolioPages(std::as_const(k).page(pfn));
    const int zone = ZoneNumberOf(std::as_const(k), pfn);
    if (zone > sc.reclaim_idx && skipped.size() < SkippedMax(k)) {
      LruDel(k, pfn);
      skipped.push_back(pfn);
      skipped_pages += pages;
      k.vmstat.events[kPgSkipDma + zone] += pages;
      continue;
    }
    IsolatePage(k, pfn);
    out.pages.push_back(pfn);
    out.scanned += pages;
    out.taken += pages;
  }
  for (const Pfn pfn : skipped) LruAdd(k, pfn);
  k.Emit(EventLevel::kAll,
         MmVmscanLruIsolate{static_cast<uint32_t>(sc.reclaim_idx),
                            static_cast<uint32_t>(sc.order), nr_to_scan,
                            out.scanned + skipped_pages, skipped_pages,
                            out.taken, LruName(lru)});
  return out;
}

VmEvent ByWhom(const ScanControl& sc, VmEvent by_kswapd) {
  return static_cast<VmEvent>(by_kswapd + (sc.kswapd ? 0 : 1));
}

// shrink_inactive_list()
uint64_t ShrinkInactiveList(Kernel& k, uint64_t nr_to_scan, Lru lru,
                            ScanControl& sc) {
  const bool file = IsFileLru(lru);
  auto& events = k.vmstat.events;
  Isolated isolated = IsolateLru(k, nr_to_scan, lru, sc);
  events[ByWhom(sc, kPgScanKswapd)] += isolated.scanned;
  events[file ? kPgScanFile : kPgScanAnon] += isolated.scanned;
  sc.nr_scanned += isolated.scanned;
  if (isolated.taken == 0) return 0;
  ReclaimStat stat;
  const uint64_t freed =
      ShrinkFolioList(k, std::move(isolated.pages), sc, &stat);
  events[ByWhom(sc, kPgStealKswapd)] += freed;
  events[file ? kPgStealFile : kPgStealAnon] += freed;
  LruNoteCost(k, file, stat.nr_pageout,
              isolated.scanned - std::min(isolated.scanned, freed));
  // Only dirty pages, and nobody writes them: the flusher has to.
  if (stat.nr_unqueued_dirty == isolated.taken) {
    WakeFlusher(k, WbReason::kVmscan);
    RunFlusher(k);
  }
  // reclaim_throttle(): all that is left is the disk's.
  constexpr uint64_t kThrottleNs = 100'000'000;  // HZ / 10
  if (freed == 0 && stat.nr_writeback == isolated.taken) {
    SleepUntil(k, k.clock_ns + kThrottleNs);
  }
  k.Emit(EventLevel::kAll,
         MmVmscanLruShrinkInactive{0, isolated.scanned, freed, stat.nr_dirty,
                                   stat.nr_writeback, stat.nr_immediate,
                                   stat.nr_activate[0], stat.nr_activate[1],
                                   stat.nr_ref_keep, stat.nr_unmap_fail,
                                   static_cast<uint32_t>(sc.priority), file});
  return freed;
}

// calculate_pressure_balance(): what of each kind is scanned, in parts of the
// sum of both. The costlier a kind was, the less.
std::array<uint64_t, 2> PressureBalance(const Kernel& k) {
  constexpr uint64_t kMaxSwappiness = 200;
  const uint64_t swappiness = k.sysctl.swappiness;
  const uint64_t both = k.lruvec.anon_cost + k.lruvec.file_cost;
  const uint64_t anon = both + k.lruvec.anon_cost;
  const uint64_t file = both + k.lruvec.file_cost;
  const uint64_t total = anon + file + 1;
  return {swappiness * total / (anon + 1),
          (kMaxSwappiness - swappiness) * total / (file + 1)};
}

bool CanReclaimAnon(const Kernel& k, const ScanControl& sc) {
  return sc.may_swap && k.swap.nr_free > 0;
}

// can_age_anon_pages()
bool CanAgeAnon(const Kernel& k) { return k.swap.total > 0; }

enum class Balance : uint8_t { kEqual, kFract, kAnon, kFile };

Balance BalanceOf(const Kernel& k, const ScanControl& sc) {
  if (!CanReclaimAnon(k, sc)) return Balance::kFile;
  if (sc.priority == 0 && k.sysctl.swappiness > 0) return Balance::kEqual;
  if (sc.file_is_tiny) return Balance::kAnon;
  return sc.cache_trim_mode ? Balance::kFile : Balance::kFract;
}

using ScanCounts = std::array<uint64_t, kNrEvictable>;

// get_scan_count()
ScanCounts GetScanCount(const Kernel& k, const ScanControl& sc) {
  const Balance balance = BalanceOf(k, sc);
  const auto fraction = PressureBalance(k);
  ScanCounts nr{};
  for (int i = 0; i < kNrEvictable; i++) {
    const Lru lru = static_cast<Lru>(i);
    const bool file = IsFileLru(lru);
    uint64_t scan = k.lruvec.Size(lru, sc.reclaim_idx) >> sc.priority;
    if (balance == Balance::kFract) {
      scan = scan * fraction[file] / (fraction[0] + fraction[1]);
    } else if (balance != Balance::kEqual &&
               (balance == Balance::kFile) != file) {
      scan = 0;
    }
    nr[i] = scan;
  }
  return nr;
}

// shrink_list()
uint64_t ShrinkList(Kernel& k, Lru lru, uint64_t nr_to_scan, ScanControl& sc) {
  if (lru == kInactiveAnon || lru == kInactiveFile) {
    return ShrinkInactiveList(k, nr_to_scan, lru, sc);
  }
  if (IsFileLru(lru) ? sc.deactivate_file : sc.deactivate_anon) {
    ShrinkActiveList(k, nr_to_scan, lru, sc);
  } else {
    sc.skipped_deactivate = true;
  }
  return 0;
}

// The rest of shrink_lruvec()'s loop: enough came free, so the kind of which
// less is left is done with, and of the other one as large a part is scanned.
// False: one kind is done with already.
bool ScanInProportion(const ScanCounts& targets, ScanCounts& nr) {
  const uint64_t file = nr[kInactiveFile] + nr[kActiveFile];
  const uint64_t anon = nr[kInactiveAnon] + nr[kActiveAnon];
  if (file == 0 || anon == 0) return false;
  const int less = file > anon ? kInactiveAnon : kInactiveFile;
  const int more = file > anon ? kInactiveFile : kInactiveAnon;
  const uint64_t target = targets[less] + targets[less + 1] + 1;
  const uint64_t percentage = std::min(file, anon) * 100 / target;
  nr[less] = nr[less + 1] = 0;
  for (int i : {more, more + 1}) {
    const uint64_t scanned = targets[i] - nr[i];
    nr[i] = targets[i] * (100 - percentage) / 100;
    nr[i] -= std::min(nr[i], scanned);
  }
  return true;
}

// shrink_lruvec()
void ShrinkLruvec(Kernel& k, ScanControl& sc) {
  ScanCounts nr = GetScanCount(k, sc);
  const ScanCounts targets = nr;
  const bool proportional = !sc.kswapd && sc.priority == kDefPriority;
  uint64_t freed = 0;
  bool adjusted = false;
  while (nr[kInactiveAnon] || nr[kActiveFile] || nr[kInactiveFile]) {
    for (int i = 0; i < kNrEvictable; i++) {
      if (nr[i] == 0) continue;
      const uint64_t n = std::min(nr[i], kSwapClusterMax);
      nr[i] -= n;
      freed += ShrinkList(k, static_cast<Lru>(i), n, sc);
    }
    if (freed < sc.nr_to_reclaim || proportional || adjusted) continue;
    if (!ScanInProportion(targets, nr)) break;
    adjusted = true;
  }
  sc.nr_reclaimed += freed;
  if (CanAgeAnon(k) && InactiveIsLow(k.lruvec, kInactiveAnon)) {
    ShrinkActiveList(k, kSwapClusterMax, kActiveAnon, sc);
  }
}

// prepare_scan_control()
void PrepareScanControl(const Kernel& k, ScanControl& sc) {
  const Lruvec& lruvec = k.lruvec;
  const auto& events = k.vmstat.events;
  const auto deactivate = [&](bool file, Lru inactive) {
    const uint64_t refaults =
        events[file ? kWorkingsetActivateFile : kWorkingsetActivateAnon];
    return sc.force_deactivate || refaults != lruvec.refaults[file] ||
           InactiveIsLow(lruvec, inactive);
  };
  sc.deactivate_anon = deactivate(false, kInactiveAnon);
  sc.deactivate_file = deactivate(true, kInactiveFile);
  // There is much page cache that was used once: that alone will do.
  sc.cache_trim_mode = lruvec.Size(kInactiveFile) >> sc.priority != 0 &&
                       !sc.deactivate_file && !sc.no_cache_trim_mode;
  // Next to no page cache is left: do not thrash what programs run from.
  uint64_t high = 0, free = 0;
  for (const Zone& zone : k.zones) {
    if (!zone.populated()) continue;
    free += zone.nr_free_pages;
    high += zone.wmark.high + zone.watermark_boost;
  }
  const uint64_t file = lruvec.Size(kActiveFile) + lruvec.Size(kInactiveFile);
  sc.file_is_tiny = file + free <= high && !sc.deactivate_anon &&
                    lruvec.Size(kInactiveAnon) >> sc.priority != 0;
}

// should_continue_reclaim(): for a large block more is reclaimed until
// compaction has pages to work with.
bool ShouldContinue(const Kernel& k, uint64_t freed, const ScanControl& sc) {
  const bool for_compaction = sc.order > 0 && (sc.order > kCostlyOrder ||
                                               sc.priority < kDefPriority - 2);
  if (!for_compaction || freed == 0) return false;
  for (int i = 0; i <= sc.reclaim_idx; i++) {
    const Zone& zone = k.zones[i];
    if (!zone.populated()) continue;
    const uint64_t gap = uint64_t{2} << sc.order;  // compact_gap()
    if (ZoneWatermarkOk(zone, sc.order, zone.wmark.min, sc.reclaim_idx, 0) ||
        ZoneWatermarkOk(zone, 0, zone.wmark.low + gap, sc.reclaim_idx, 0)) {
      return false;
    }
  }
  uint64_t inactive = k.lruvec.Size(kInactiveFile, sc.reclaim_idx);
  if (CanReclaimAnon(k, sc)) {
    inactive += k.lruvec.Size(kInactiveAnon, sc.reclaim_idx);
  }
  return inactive > uint64_t{2} << sc.order;
}

}  // namespace

bool InactiveIsLow(const Lruvec& lruvec, Lru inactive) {
  const uint64_t idle = lruvec.Size(inactive);
  const uint64_t active = lruvec.Size(static_cast<Lru>(inactive + 1));
  const uint64_t gib = (idle + active) >> (30 - kPageShift);
  uint64_t ratio = 1;  // int_sqrt(10 * gb)
  while (gib > 0 && (ratio + 1) * (ratio + 1) <= 10 * gib) ratio++;
  return idle * ratio < active;
}

void ShrinkActiveList(Kernel& k, uint64_t nr_to_scan, Lru lru,
                      const ScanControl& sc) {
  const Isolated isolated = IsolateLru(k, nr_to_scan, lru, sc);
  const bool file = IsFileLru(lru);
  uint64_t deactivated = 0, rotated = 0;
  for (const Pfn pfn : isolated.pages) {
    const PageReferences refs = FolioReferenced(k, pfn);
    Page& page = k.page(pfn);
    const uint64_t pages = FolioPages(page);
    if (file && refs.ptes > 0 && (refs.vm_flags & vm::kExec)) {
      rotated += pages;
    } else {
      page.flags &= ~page_flag::kActive;
      page.flags |= page_flag::kWorkingset;
      deactivated += pages;
    }
    LruAdd(k, pfn);
    if (!page.Is(page_flag::kLarge)) PutPage(k, pfn);
    if (refs.vm_flags & vm::kLocked) UpdateEvictable(k, pfn);
  }
  k.vmstat.events[kPgRefill] += isolated.scanned;
  k.vmstat.events[kPgDeactivate] += deactivated;
  LruNoteCost(k, file, 0, rotated);
  k.Emit(EventLevel::kAll, MmVmscanLruShrinkActive{
                               0, isolated.taken, rotated, deactivated, rotated,
                               static_cast<uint32_t>(sc.priority), file});
}

uint64_t ZoneReclaimablePages(const Kernel& k, int zone) {
  const auto& size = k.lruvec.zone_size[zone];
  uint64_t pages = size[kInactiveFile] + size[kActiveFile];
  if (k.swap.nr_free > 0) pages += size[kInactiveAnon] + size[kActiveAnon];
  return pages != 0 ? pages : k.zones[zone].nr_free_pages;
}

void ShrinkNode(Kernel& k, ScanControl& sc) {
  const uint64_t before = sc.nr_reclaimed;
  uint64_t freed = 0;
  do {
    const uint64_t turn = sc.nr_reclaimed;
    PrepareScanControl(std::as_const(k), sc);
    ShrinkLruvec(k, sc);
    ShrinkControl slab{.gfp = sc.gfp, .kswapd = sc.kswapd};
    ShrinkSlab(k, slab, sc.priority);
    sc.nr_reclaimed += slab.pages_reclaimed;  // flush_reclaim_state()
    freed = sc.nr_reclaimed - turn;
  } while (ShouldContinue(std::as_const(k), freed, sc));
  if (sc.nr_reclaimed > before) {
    k.kswapd.failures = 0;
  } else if (sc.cache_trim_mode) {
    sc.cache_trim_mode_failed = true;
  }
}

}  // namespace faultline

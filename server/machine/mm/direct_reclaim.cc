// Models mm/vmscan.c (v6.18): try_to_free_pages(), do_try_to_free_pages(),
// shrink_zones(), compaction_ready(), snapshot_refaults(), reclaim_pages().
#include <utility>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/shrink_folios.h"
#include "server/machine/mm/swap_token.h"
#include "server/machine/mm/vmscan.h"

namespace faultline {
namespace {

// compaction_ready(): enough is free for a zone to be compacted instead.
bool CompactionReady(const Kernel& k, const ScanControl& sc) {
  if (sc.order <= kCostlyOrder) return false;
  for (int i = 0; i <= sc.reclaim_idx; i++) {
    const Zone& zone = k.zones[i];
    if (!zone.populated()) continue;
    const uint64_t gap = uint64_t{2} << sc.order;
    if (ZoneWatermarkOk(zone, 0, zone.wmark.high + gap, sc.reclaim_idx, 0)) {
      return true;
    }
  }
  return false;
}

// One descent from DEF_PRIORITY to 0.
void Descend(Kernel& k, ScanControl& sc) {
  for (sc.priority = kDefPriority; sc.priority >= 0; sc.priority--) {
    if (sc.priority == 0) DisableSwapToken(k);
    sc.compaction_ready = CompactionReady(std::as_const(k), sc);
    if (sc.compaction_ready) return;
    ShrinkNode(k, sc);
    if (sc.nr_reclaimed >= sc.nr_to_reclaim) return;
  }
}

// do_try_to_free_pages()
uint64_t DoTryToFreePages(Kernel& k, ScanControl& sc) {
  k.vmstat.events[kAllocStallDma + sc.reclaim_idx]++;
  // Once more, if there were active pages that were spared.
  for (bool again = true; again;) {
    Descend(k, sc);
    if (sc.nr_reclaimed > 0) return sc.nr_reclaimed;
    if (sc.compaction_ready) return 1;
    again = false;
    if (sc.cache_trim_mode_failed && !sc.no_cache_trim_mode) {
      sc.no_cache_trim_mode = again = true;
    } else if (sc.skipped_deactivate && !sc.force_deactivate) {
      sc.force_deactivate = again = true;
    }
  }
  return 0;
}

}  // namespace

uint64_t TryToFreePages(Kernel& k, uint32_t gfp, int order, int highest) {
  ScanControl sc;
  sc.gfp = gfp;
  sc.order = order;
  sc.reclaim_idx = highest;
  k.Emit(EventLevel::kFaults,
         MmVmscanDirectReclaimBegin{static_cast<uint32_t>(order), gfp});
  k.in_reclaim = true;
  const uint64_t progress = DoTryToFreePages(k, sc);
  k.in_reclaim = false;
  k.lruvec.refaults = {k.vmstat.events[kWorkingsetActivateAnon],
                       k.vmstat.events[kWorkingsetActivateFile]};
  k.Emit(EventLevel::kFaults, MmVmscanDirectReclaimEnd{sc.nr_reclaimed});
  return progress;
}

uint64_t ReclaimPages(Kernel& k, const std::vector<Pfn>& pages) {
  ScanControl sc;
  sc.gfp = gfp::kKernel;
  sc.ignore_references = true;
  std::vector<Pfn> isolated;
  for (const Pfn pfn : pages) {
    const Page& page = std::as_const(k).page(pfn);
    if (!page.Is(page_flag::kLru)) continue;
    if (page.Is(page_flag::kUnevictable)) continue;
    IsolatePage(k, pfn);
    k.page(pfn).flags &= ~page_flag::kActive;
    isolated.push_back(pfn);
  }
  ReclaimStat stat;
  return ShrinkFolioList(k, std::move(isolated), sc, &stat);
}

}  // namespace faultline

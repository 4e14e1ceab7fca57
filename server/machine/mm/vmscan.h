// Reclaim: which pages give way when memory is short. kswapd (mm/kswapd.h) does
// it ahead of need; an allocation that finds nothing does it itself.
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMSCAN_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMSCAN_H_

#include <cstdint>
#include <vector>

#include "server/machine/kernel.h"

namespace faultline {

inline constexpr int kDefPriority = 12;             // DEF_PRIORITY
inline constexpr uint64_t kSwapClusterMax = 32;     // SWAP_CLUSTER_MAX
inline constexpr uint32_t kMaxReclaimRetries = 16;  // MAX_RECLAIM_RETRIES

// struct scan_control: one run of reclaim.
struct ScanControl {
  uint64_t nr_to_reclaim = kSwapClusterMax;
  uint32_t gfp = 0;
  int order = 0;
  int reclaim_idx = kMaxNrZones - 1;  // the highest zone that helps
  int priority = kDefPriority;        // a list's size >> priority is scanned
  bool kswapd = false;                // current_is_kswapd()
  bool may_writepage = true;
  bool may_swap = true;
  bool ignore_references = false;  // MADV_PAGEOUT: whatever was used
  // Of this turn of shrink_node().
  bool deactivate_anon = false, deactivate_file = false;
  bool force_deactivate = false, skipped_deactivate = false;
  bool cache_trim_mode = false, cache_trim_mode_failed = false;
  bool no_cache_trim_mode = false;
  bool file_is_tiny = false;
  bool compaction_ready = false;
  // What came of it.
  uint64_t nr_scanned = 0;
  uint64_t nr_reclaimed = 0;
};

// shrink_node(): one turn over all lists at sc.priority.
void ShrinkNode(Kernel& k, ScanControl& sc);
// try_to_free_pages(): direct reclaim. How many pages came free, or that
// compaction may now be tried (1); 0: no progress.
uint64_t TryToFreePages(Kernel& k, uint32_t gfp, int order, int highest);

// zone_reclaimable_pages(): what reclaim might free of a zone.
uint64_t ZoneReclaimablePages(const Kernel& k, int zone);
// inactive_is_low(): the inactive list is too short for the active one.
bool InactiveIsLow(const Lruvec& lruvec, Lru inactive);
// shrink_active_list(): pages from the tail of an active list begin anew as
// inactive ones.
void ShrinkActiveList(Kernel& k, uint64_t nr_to_scan, Lru lru,
                      const ScanControl& sc);

// reclaim_pages(): takes these pages out of memory, whatever they were used
// for; those that cannot go stay. Heads of large folios are split. How many
// came free. The way a policy gets rid of its victim.
uint64_t ReclaimPages(Kernel& k, const std::vector<Pfn>& pages);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMSCAN_H_

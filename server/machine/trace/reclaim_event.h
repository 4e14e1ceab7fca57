// The events of reclaim, swap and the OOM killer, with the fields of Linux's
// tracepoints. Swap has none in Linux.
#ifndef FAULTLINE_SERVER_MACHINE_TRACE_RECLAIM_EVENT_H_
#define FAULTLINE_SERVER_MACHINE_TRACE_RECLAIM_EVENT_H_

#include <cstdint>
#include <string>

namespace faultline {

// vmscan:mm_vmscan_wakeup_kswapd
struct MmVmscanWakeupKswapd {
  static constexpr const char* kName = "mm_vmscan_wakeup_kswapd";
  uint32_t nid = 0;
  uint32_t zid = 0;
  uint32_t order = 0;
  uint32_t gfp_flags = 0;
};
// vmscan:mm_vmscan_kswapd_wake
struct MmVmscanKswapdWake {
  static constexpr const char* kName = "mm_vmscan_kswapd_wake";
  uint32_t nid = 0;
  uint32_t zid = 0;
  uint32_t order = 0;
};
// vmscan:mm_vmscan_kswapd_sleep
struct MmVmscanKswapdSleep {
  static constexpr const char* kName = "mm_vmscan_kswapd_sleep";
  uint32_t nid = 0;
};
// vmscan:mm_vmscan_direct_reclaim_begin
struct MmVmscanDirectReclaimBegin {
  static constexpr const char* kName = "mm_vmscan_direct_reclaim_begin";
  uint32_t order = 0;
  uint32_t gfp_flags = 0;
};
// vmscan:mm_vmscan_direct_reclaim_end
struct MmVmscanDirectReclaimEnd {
  static constexpr const char* kName = "mm_vmscan_direct_reclaim_end";
  uint64_t nr_reclaimed = 0;
};
// vmscan:mm_vmscan_lru_isolate. lru: "inactive_anon" …
struct MmVmscanLruIsolate {
  static constexpr const char* kName = "mm_vmscan_lru_isolate";
  uint32_t highest_zoneidx = 0;
  uint32_t order = 0;
  uint64_t nr_requested = 0;
  uint64_t nr_scanned = 0;
  uint64_t nr_skipped = 0;
  uint64_t nr_taken = 0;
  std::string lru;
};
// vmscan:mm_vmscan_lru_shrink_inactive
struct MmVmscanLruShrinkInactive {
  static constexpr const char* kName = "mm_vmscan_lru_shrink_inactive";
  uint32_t nid = 0;
  uint64_t nr_scanned = 0;
  uint64_t nr_reclaimed = 0;
  uint64_t nr_dirty = 0;
  uint64_t nr_writeback = 0;
  uint64_t nr_immediate = 0;
  uint64_t nr_activate0 = 0;  // anonymous and shared memory
  uint64_t nr_activate1 = 0;  // files
  uint64_t nr_ref_keep = 0;
  uint64_t nr_unmap_fail = 0;
  uint32_t priority = 0;
  bool file = false;
};
// vmscan:mm_vmscan_lru_shrink_active
struct MmVmscanLruShrinkActive {
  static constexpr const char* kName = "mm_vmscan_lru_shrink_active";
  uint32_t nid = 0;
  uint64_t nr_taken = 0;
  uint64_t nr_active = 0;
  uint64_t nr_deactivated = 0;
  uint64_t nr_referenced = 0;
  uint32_t priority = 0;
  bool file = false;
};
// vmscan:mm_shrink_slab_start. shrink: the function that looks at objects.
struct MmShrinkSlabStart {
  static constexpr const char* kName = "mm_shrink_slab_start";
  std::string shrink;
  uint32_t nid = 0;
  uint64_t nr_objects_to_shrink = 0;  // what was put off before
  uint32_t gfp_flags = 0;
  uint64_t cache_items = 0;
  uint64_t delta = 0;
  uint64_t total_scan = 0;
  uint32_t priority = 0;
};
// vmscan:mm_shrink_slab_end
struct MmShrinkSlabEnd {
  static constexpr const char* kName = "mm_shrink_slab_end";
  std::string shrink;
  uint32_t nid = 0;
  uint64_t unused_scan = 0;  // put off before
  uint64_t new_scan = 0;     // put off now
  uint64_t total_scan = 0;   // of this time, and not scanned
  uint64_t retval = 0;       // objects that were freed
};
// A page was written to its slot of a swap area. No tracepoint.
struct SwapWrite {
  static constexpr const char* kName = "swap_write";
  uint32_t pfn = 0;
  uint32_t area = 0;    // the type of its swap entries
  uint32_t offset = 0;  // the slot
  bool zeros = false;   // remembered, not written
};
// A page was read from swap, and its neighbours with it. No tracepoint.
struct SwapRead {
  static constexpr const char* kName = "swap_read";
  uint32_t pfn = 0;
  uint32_t area = 0;
  uint32_t offset = 0;
  uint32_t pages = 0;  // all that were read
};
// oom:mark_victim. The sizes are in kB.
struct MarkVictim {
  static constexpr const char* kName = "mark_victim";
  uint32_t pid = 0;
  std::string comm;
  uint64_t total_vm = 0;
  uint64_t anon_rss = 0;
  uint64_t file_rss = 0;
  uint64_t shmem_rss = 0;
  uint32_t uid = 0;
  uint64_t pgtables = 0;
  int32_t oom_score_adj = 0;
};

std::string SayEvent(const MmVmscanWakeupKswapd& e);
std::string SayEvent(const MmVmscanKswapdWake& e);
std::string SayEvent(const MmVmscanKswapdSleep& e);
std::string SayEvent(const MmVmscanDirectReclaimBegin& e);
std::string SayEvent(const MmVmscanDirectReclaimEnd& e);
std::string SayEvent(const MmVmscanLruIsolate& e);
std::string SayEvent(const MmVmscanLruShrinkInactive& e);
std::string SayEvent(const MmVmscanLruShrinkActive& e);
std::string SayEvent(const MmShrinkSlabStart& e);
std::string SayEvent(const MmShrinkSlabEnd& e);
std::string SayEvent(const SwapWrite& e);
std::string SayEvent(const SwapRead& e);
std::string SayEvent(const MarkVictim& e);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TRACE_RECLAIM_EVENT_H_

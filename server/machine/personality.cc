#include "server/machine/personality.h"

#include <vector>

namespace faultline {

Quirks QuirksOf(Personality personality) {
  Quirks q;
  if (personality == Personality::kLinux61) {
    q.mprotect_drops_account = false;
    q.mremap_checks_first = false;
    q.untouched_takes_touched = false;
    q.populate_stops_at_hole = false;
    q.merge_prefers_prev = false;
    q.heap_needs_overlap = false;
    q.stack_flag_is_nohuge = false;
    q.thp_aligned_mmap = false;
    q.pageout_clears_young = true;
    q.vma_has_recency = false;
    q.last_page_makes_no_table = false;
    q.map_droppable = false;
    q.mseal = false;
    q.mdwe = false;
    q.memfd_exec_flags = false;
    q.madvise_own_process = false;
    q.guard_regions = false;
    q.mprotect_batches = false;
    q.maps_whole_folios = false;
    q.splits_unevenly = false;
    q.dontneed_frees_tables = false;
    q.fallocate_one_mode = false;
    q.sealed_maps_readonly = false;
    q.ksm_checksum_first = false;
    q.ksm_smart_scan = false;
    q.ksm_zero_pages_counted = false;
    q.ksm_merge_any = false;
    q.ksm_break_unshares = false;
    q.mremap_realigns = false;
    q.ext4_large_folios = false;
    q.ext4_zeroes_old_tail = false;
    q.tmpfs_direct_io = false;
    q.swap_zeromap = false;
    q.names_shared_anon = false;
    q.huge_zero_becomes_huge = false;
    q.newer_mempolicies = false;
    q.split_rss_counting = true;
    q.split_queue_has_all = false;
    q.vvar_vclock_pages = 0;
  }
  return q;
}

uint64_t* FindSysctl(SysctlTable& t, std::string_view name) {
  struct Row {
    std::string_view name;
    uint64_t* value;
  };
  const Row rows[] = {
      {"vm.overcommit_memory", &t.overcommit_memory},
      {"vm.overcommit_ratio", &t.overcommit_ratio},
      {"vm.overcommit_kbytes", &t.overcommit_kbytes},
      {"vm.max_map_count", &t.max_map_count},
      {"vm.mmap_min_addr", &t.mmap_min_addr},
      {"vm.min_free_kbytes", &t.min_free_kbytes},
      {"vm.admin_reserve_kbytes", &t.admin_reserve_kbytes},
      {"vm.user_reserve_kbytes", &t.user_reserve_kbytes},
      {"vm.watermark_scale_factor", &t.watermark_scale_factor},
      {"vm.watermark_boost_factor", &t.watermark_boost_factor},
      {"vm.legacy_va_layout", &t.legacy_va_layout},
      {"vm.unmapped_area", &t.unmapped_area},
      {"stack_guard_gap", &t.stack_guard_gap},
      {"kernel.randomize_va_space", &t.randomize_va_space},
      {"fault_around_bytes", &t.fault_around_bytes},
      {"thp.enabled", &t.thp_enabled},
      {"thp.use_zero_page", &t.thp_use_zero_page},
      {"config.mem_soft_dirty", &t.mem_soft_dirty},
      {"slub_debug", &t.slub_debug},
      {"ksm.run", &t.ksm.run},
      {"ksm.pages_to_scan", &t.ksm.pages_to_scan},
      {"ksm.sleep_millisecs", &t.ksm.sleep_millisecs},
      {"ksm.max_page_sharing", &t.ksm.max_page_sharing},
      {"ksm.use_zero_pages", &t.ksm.use_zero_pages},
      {"ksm.smart_scan", &t.ksm.smart_scan},
      {"ksm.stable_node_chains_prune_millisecs", &t.ksm.chains_prune_millisecs},
      {"vm.dirty_background_ratio", &t.dirty.background_ratio},
      {"vm.dirty_background_bytes", &t.dirty.background_bytes},
      {"vm.dirty_ratio", &t.dirty.ratio},
      {"vm.dirty_bytes", &t.dirty.bytes},
      {"vm.dirty_expire_centisecs", &t.dirty.expire_centisecs},
      {"vm.dirty_writeback_centisecs", &t.dirty.writeback_centisecs},
      {"bdi.read_ahead_kb", &t.bdi.read_ahead_kb},
      {"bdi.max_sectors_kb", &t.bdi.max_sectors_kb},
      {"bdi.min_ratio", &t.bdi.min_ratio},
      {"bdi.max_ratio", &t.bdi.max_ratio},
      {"kernel.cap_bound", &t.cap_bound},
      {"vm.swappiness", &t.swappiness},
      {"vm.page-cluster", &t.page_cluster},
      {"vm.swap_token", &t.swap_token},
      {"vm.oom_kill_allocating_task", &t.oom_kill_allocating_task},
      {"vm.panic_on_oom", &t.panic_on_oom},
      {"vm.oom_dump_tasks", &t.oom_dump_tasks},
      {"vm.compaction_proactiveness", &t.compaction_proactiveness},
      {"vm.compact_unevictable_allowed", &t.compact_unevictable_allowed},
      {"vm.extfrag_threshold", &t.extfrag_threshold},
      {"vm.percpu_pagelist_high_fraction", &t.percpu_pagelist_high_fraction},
      {"vm.vfs_cache_pressure", &t.vfs_cache_pressure},
      {"kernel.threads-max", &t.threads_max},
  };
  for (const Row& row : rows) {
    if (row.name == name) return row.value;
  }
  return nullptr;
}

namespace {

struct Range {
  const uint64_t* value;
  uint64_t min, max;
};

// What the kernel takes of those that it does not take all of.
std::vector<Range> RangesOf(const SysctlTable& t) {
  constexpr uint64_t kInt = INT32_MAX, kUint = UINT32_MAX;
  constexpr uint64_t kAny = UINT64_MAX, kPercent = 100;
  constexpr uint64_t kTwoPages = 8192;  // dirty_bytes_min
  // set_max_threads(): FUTEX_TID_MASK is the most that there are numbers for.
  constexpr uint64_t kThreadsMax = 0x3fffffff;
  return {
      {&t.overcommit_memory, 0, 2},
      {&t.overcommit_ratio, 0, kInt},
      {&t.max_map_count, 0, kInt},
      {&t.min_free_kbytes, 0, kInt},
      {&t.watermark_scale_factor, 1, 3000},
      {&t.watermark_boost_factor, 0, kInt},
      {&t.legacy_va_layout, 0, kInt},
      {&t.randomize_va_space, 0, kInt},
      {&t.dirty.bytes, kTwoPages, kAny},
      {&t.dirty.background_bytes, 1, kAny},
      {&t.dirty.ratio, 0, kPercent},
      {&t.dirty.background_ratio, 0, kPercent},
      {&t.dirty.expire_centisecs, 0, kInt},
      {&t.dirty.writeback_centisecs, 0, kInt},
      {&t.compaction_proactiveness, 0, kPercent},
      {&t.bdi.min_ratio, 0, kPercent},
      {&t.bdi.max_ratio, 0, kPercent},
      {&t.swappiness, 0, 200},
      {&t.page_cluster, 0, 31},
      {&t.panic_on_oom, 0, 2},
      {&t.oom_kill_allocating_task, 0, kInt},
      {&t.swap_token, 0, 1},
      {&t.compact_unevictable_allowed, 0, 1},
      {&t.extfrag_threshold, 0, 1000},
      {&t.vfs_cache_pressure, 0, kInt},
      {&t.threads_max, 20, kThreadsMax},
      {&t.ksm.run, 0, 2},
      {&t.ksm.use_zero_pages, 0, 1},
      {&t.ksm.smart_scan, 0, 1},
      {&t.ksm.max_page_sharing, 2, kUint},
      {&t.ksm.pages_to_scan, 0, kUint},
      {&t.ksm.sleep_millisecs, 0, kUint},
      {&t.ksm.chains_prune_millisecs, 0, kUint},
  };
}

// What the window and the requests of a disk may be at most.
constexpr uint64_t kBdiKbMax = 65536;

}  // namespace

bool SysctlAccepts(const SysctlTable& table, const uint64_t* sysctl,
                   uint64_t value) {
  for (const Range& range : RangesOf(table)) {
    if (sysctl == range.value) return value >= range.min && value <= range.max;
  }
  if (sysctl == &table.unmapped_area) {
    return value == 0 || value == kVersion2632;
  }
  constexpr uint64_t kSlubDebug = 0x10d00;  // F, Z, P, U: mm/slub_types.h
  if (sysctl == &table.slub_debug) return (value & ~kSlubDebug) == 0;
  constexpr uint64_t kPageKb = 4;
  if (sysctl == &table.bdi.read_ahead_kb ||
      sysctl == &table.bdi.max_sectors_kb) {
    // Whole pages; a request carries at least one, a window may have none.
    const bool none = value == 0 && sysctl == &table.bdi.read_ahead_kb;
    return none || (value >= kPageKb && value <= kBdiKbMax);
  }
  if (sysctl == &table.cap_bound) return (value & ~kCapFull) == 0;
  constexpr uint64_t kHighFractionMin = 8;  // MIN_PERCPU_PAGELIST_HIGH_FRACTION
  if (sysctl == &table.percpu_pagelist_high_fraction) {
    return value == 0 || (value >= kHighFractionMin && value <= INT32_MAX);
  }
  return true;
}

}  // namespace faultline

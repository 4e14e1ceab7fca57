// Models mm/vmstat.c (v6.18): vmstat_text[], as configured on the recorded
// kernels. What the machine does not have is 0.
#include "server/machine/proc/vmstat_items.h"

#include <utility>

#include "server/machine/mm/page_writeback.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

// Which kernels have a counter. 32-bit ones have neither NUMA nor ZONE_DEVICE.
enum class In : uint8_t { kAll, k618, k61, k64Bit, k64Bit618 };

bool Exists(const Kernel& k, In in) {
  switch (in) {
    case In::kAll:
      return true;
    case In::k618:
      return Is618(k);
    case In::k61:
      return !Is618(k);
    case In::k64Bit:
      return Is64Bit(k);
    case In::k64Bit618:
      return Is64Bit(k) && Is618(k);
  }
  return false;
}

class Items {
 public:
  explicit Items(const Kernel& k) : k_(k) {}
  Items& Add(std::string_view name, uint64_t value, In in = In::kAll) {
    if (Exists(k_, in)) items_.push_back({name, value});
    return *this;
  }
  Items& Zeros(std::initializer_list<std::string_view> names,
               In in = In::kAll) {
    for (std::string_view name : names) Add(name, 0, in);
    return *this;
  }
  std::vector<VmstatItem> Take() { return std::move(items_); }

 private:
  const Kernel& k_;
  std::vector<VmstatItem> items_;
};

uint64_t Stat(const Kernel& k, NodeStat item) {
  int64_t n = k.vmstat.node[item];
  return n > 0 ? static_cast<uint64_t>(n) : 0;
}

uint64_t Allocated(const Kernel& k, ZoneType zone) {
  return k.vmstat.events[kPgAllocDma + static_cast<int>(zone)];
}

// One counter for each zone: "pgalloc_dma" …
struct ZoneNames {
  std::string_view dma, dma32, normal, high, movable, device;
};
template <class F>
void AddPerZone(const Kernel& k, Items& items, const ZoneNames& names, F f) {
  const std::string_view by_type[] = {names.dma, names.dma32, names.normal,
                                      names.high, names.movable};
  for (ZoneType zone : ConfiguredZones(k)) {
    items.Add(by_type[static_cast<int>(zone)], f(zone));
  }
  items.Add(names.device, 0, In::k64Bit);
}

void AddReclaimEvents(const Kernel& k, Items& items) {
  const auto& events = k.vmstat.events;
  items.Add("pglazyfreed", events[kPgLazyFreed])
      .Add("pgrefill", events[kPgRefill])
      .Add("pgreuse", events[kPgReuse])
      .Add("pgsteal_kswapd", events[kPgStealKswapd])
      .Add("pgsteal_direct", events[kPgStealDirect])
      .Zeros({"pgsteal_khugepaged", "pgsteal_proactive"}, In::k618)
      .Zeros({"pgdemote_kswapd", "pgdemote_direct"}, In::k61)
      .Add("pgscan_kswapd", events[kPgScanKswapd])
      .Add("pgscan_direct", events[kPgScanDirect])
      .Zeros({"pgscan_khugepaged", "pgscan_proactive"}, In::k618)
      .Add("pgscan_direct_throttle", 0)
      .Add("pgscan_anon", events[kPgScanAnon])
      .Add("pgscan_file", events[kPgScanFile])
      .Add("pgsteal_anon", events[kPgStealAnon])
      .Add("pgsteal_file", events[kPgStealFile])
      .Add("zone_reclaim_success", 0, In::k64Bit618)
      .Add("zone_reclaim_failed", 0, In::k64Bit)
      .Add("pginodesteal", events[kPgInodeSteal])
      .Add("slabs_scanned", events[kSlabsScanned])
      .Add("kswapd_inodesteal", events[kKswapdInodeSteal])
      .Add("kswapd_low_wmark_hit_quickly", events[kKswapdLowWmarkHitQuickly])
      .Add("kswapd_high_wmark_hit_quickly", 0)
      .Add("pageoutrun", events[kPageOutRun])
      .Add("pgrotated", events[kPgRotated])
      .Add("drop_pagecache", events[kDropPagecache])
      .Add("drop_slab", events[kDropSlab]);
}

void AddMigrationEvents(const Kernel& k, Items& items) {
  const auto& events = k.vmstat.events;
  items
      .Zeros({"numa_pte_updates", "numa_huge_pte_updates", "numa_hint_faults",
              "numa_hint_faults_local", "numa_pages_migrated"},
             In::k64Bit)
      .Add("pgmigrate_success", events[kPgMigrateSuccess])
      .Add("pgmigrate_fail", events[kPgMigrateFail])
      .Zeros({"thp_migration_success", "thp_migration_fail",
              "thp_migration_split"})
      .Add("compact_migrate_scanned", events[kCompactMigrateScanned])
      .Add("compact_free_scanned", events[kCompactFreeScanned])
      .Add("compact_isolated", events[kCompactIsolated])
      .Add("compact_stall", events[kCompactStall])
      .Add("compact_fail", events[kCompactFail])
      .Add("compact_success", events[kCompactSuccess])
      .Add("compact_daemon_wake", events[kCompactDaemonWake])
      .Add("compact_daemon_migrate_scanned",
           events[kCompactDaemonMigrateScanned])
      .Add("compact_daemon_free_scanned", events[kCompactDaemonFreeScanned])
      .Zeros({"htlb_buddy_alloc_success", "htlb_buddy_alloc_fail"})
      .Add("unevictable_pgs_culled", events[kUnevictablePgsCulled])
      .Add("unevictable_pgs_scanned", 0)
      .Add("unevictable_pgs_rescued", events[kUnevictablePgsRescued])
      .Add("unevictable_pgs_mlocked", events[kUnevictablePgsMlocked])
      .Add("unevictable_pgs_munlocked", events[kUnevictablePgsMunlocked])
      .Zeros({"unevictable_pgs_cleared", "unevictable_pgs_stranded"});
}

void AddHugeEvents(const Kernel& k, Items& items) {
  const auto& events = k.vmstat.events;
  items.Add("thp_fault_alloc", events[kThpFaultAlloc])
      .Add("thp_fault_fallback", events[kThpFaultFallback])
      .Add("thp_fault_fallback_charge", 0)
      .Add("thp_collapse_alloc", events[kThpCollapseAlloc])
      .Add("thp_collapse_alloc_failed", events[kThpCollapseAllocFailed])
      .Zeros(
          {"thp_file_alloc", "thp_file_fallback", "thp_file_fallback_charge"})
      .Add("thp_file_mapped", events[kThpFileMapped])
      .Add("thp_split_page", events[kThpSplitPage])
      .Add("thp_split_page_failed", 0)
      .Add("thp_deferred_split_page", events[kThpDeferredSplitPage])
      .Add("thp_underused_split_page", 0, In::k618)
      .Add("thp_split_pmd", events[kThpSplitPmd])
      .Zeros({"thp_scan_exceed_none_pte", "thp_scan_exceed_swap_pte",
              "thp_scan_exceed_share_pte"})
      .Add("thp_split_pud", 0, In::k64Bit)
      .Add("thp_zero_page_alloc", events[kThpZeroPageAlloc])
      .Add("thp_zero_page_alloc_failed", events[kThpZeroPageAllocFailed])
      .Add("thp_swpout", 0)
      .Add("thp_swpout_fallback", events[kThpSwpOutFallback]);
}

void AddSwapAndOtherEvents(const Kernel& k, Items& items) {
  const auto& events = k.vmstat.events;
  items.Zeros({"balloon_inflate", "balloon_deflate", "balloon_migrate"})
      .Add("swap_ra", events[kSwapRa])
      .Add("swap_ra_hit", events[kSwapRaHit])
      .Add("swpin_zero", events[kSwpInZero], In::k618)
      .Add("swpout_zero", events[kSwpOutZero], In::k618)
      .Add("ksm_swpin_copy", events[kKsmSwpInCopy])
      .Add("cow_ksm", events[kCowKsm])
      .Zeros({"zswpin", "zswpout"})
      .Add("zswpwb", 0, In::k618)
      .Zeros({"direct_map_level2_splits", "direct_map_level3_splits"})
      .Zeros({"direct_map_level2_collapses", "direct_map_level3_collapses"},
             In::k618);
}

}  // namespace

std::vector<ZoneType> ConfiguredZones(const Kernel& k) {
  if (Is64Bit(k)) {
    return {ZoneType::kDma, ZoneType::kDma32, ZoneType::kNormal,
            ZoneType::kMovable};
  }
  return {ZoneType::kDma, ZoneType::kNormal, ZoneType::kHighMem,
          ZoneType::kMovable};
}

std::vector<VmstatItem> ZoneStatItems(const Kernel& k, const Zone* zone,
                                      const LruCounts& lru) {
  uint64_t free = 0, blocks = 0, allocated = 0;
  for (const Zone& z : k.zones) {
    if (zone != nullptr && z.type != zone->type) continue;
    free += z.nr_free_pages;
    blocks += NrFreePagesBlocks(z);
    allocated += Allocated(k, z.type);
  }
  return Items(k)
      .Add("nr_free_pages", free)
      .Add("nr_free_pages_blocks", blocks, In::k618)
      .Add("nr_zone_inactive_anon", lru.lru[kInactiveAnon])
      .Add("nr_zone_active_anon", lru.lru[kActiveAnon])
      .Add("nr_zone_inactive_file", lru.lru[kInactiveFile])
      .Add("nr_zone_active_file", lru.lru[kActiveFile])
      .Add("nr_zone_unevictable", lru.lru[kUnevictable])
      .Add("nr_zone_write_pending", lru.dirty)
      .Add("nr_mlock", lru.mlock)
      .Add("nr_bounce", 0, In::k61)
      .Zeros({"nr_zspages", "nr_free_cma"})
      // There is one node, so every allocation hits it.
      .Add("numa_hit", allocated, In::k64Bit)
      .Zeros({"numa_miss", "numa_foreign", "numa_interleave"}, In::k64Bit)
      .Add("numa_local", allocated, In::k64Bit)
      .Add("numa_other", 0, In::k64Bit)
      .Take();
}

std::vector<VmstatItem> NodeStatItems(const Kernel& k, const LruCounts& lru) {
  const auto& events = k.vmstat.events;
  return Items(k)
      .Add("nr_inactive_anon", lru.lru[kInactiveAnon])
      .Add("nr_active_anon", lru.lru[kActiveAnon])
      .Add("nr_inactive_file", lru.lru[kInactiveFile])
      .Add("nr_active_file", lru.lru[kActiveFile])
      .Add("nr_unevictable", lru.lru[kUnevictable])
      .Add("nr_slab_reclaimable", Stat(k, kNrSlabReclaimable))
      .Add("nr_slab_unreclaimable", Stat(k, kNrSlabUnreclaimable))
      .Zeros({"nr_isolated_anon", "nr_isolated_file"})
      .Add("workingset_nodes", k.xa_nodes.shadow_nodes.count)
      .Add("workingset_refault_anon", events[kWorkingsetRefaultAnon])
      .Add("workingset_refault_file", events[kWorkingsetRefaultFile])
      .Add("workingset_activate_anon", events[kWorkingsetActivateAnon])
      .Add("workingset_activate_file", events[kWorkingsetActivateFile])
      .Add("workingset_restore_anon", events[kWorkingsetRestoreAnon])
      .Add("workingset_restore_file", events[kWorkingsetRestoreFile])
      .Add("workingset_nodereclaim", events[kWorkingsetNodeReclaim])
      .Add("nr_anon_pages", Stat(k, kNrAnonMapped))
      .Add("nr_mapped", Stat(k, kNrFileMapped))
      .Add("nr_file_pages", Stat(k, kNrFilePages))
      .Add("nr_dirty", Stat(k, kNrFileDirty))
      .Add("nr_writeback", Stat(k, kNrWriteback))
      .Add("nr_writeback_temp", 0, In::k61)
      .Add("nr_shmem", Stat(k, kNrShmem))
      .Add("nr_shmem_hugepages", Stat(k, kNrShmemThps))
      .Add("nr_shmem_pmdmapped", Stat(k, kNrShmemPmdMapped))
      .Zeros({"nr_file_hugepages", "nr_file_pmdmapped"})
      .Add("nr_anon_transparent_hugepages", Stat(k, kNrAnonThps))
      .Add("nr_vmscan_write", events[kNrVmscanWrite])
      .Add("nr_vmscan_immediate_reclaim", events[kNrVmscanImmediate])
      .Add("nr_dirtied", Stat(k, kNrDirtied))
      .Add("nr_written", Stat(k, kNrWritten))
      .Zeros({"nr_throttled_written", "nr_kernel_misc_reclaimable",
              "nr_foll_pin_acquired", "nr_foll_pin_released",
              "nr_kernel_stack"})
      .Add("nr_page_table_pages", Stat(k, kNrPageTables))
      .Add("nr_sec_page_table_pages", 0)
      .Add("nr_iommu_pages", 0, In::k618)
      .Add("nr_swapcached", k.swap.cached)
      .Zeros({"pgpromote_success", "pgpromote_candidate"}, In::k64Bit)
      .Add("pgpromote_candidate_nrl", 0, In::k64Bit618)
      .Zeros({"pgdemote_kswapd", "pgdemote_direct", "pgdemote_khugepaged",
              "pgdemote_proactive", "nr_hugetlb", "nr_balloon_pages",
              "nr_kernel_file_pages"},
             In::k618)
      .Take();
}

std::vector<VmstatItem> WritebackStatItems(const Kernel& k) {
  const DirtyLimits limits = GlobalDirtyLimits(k);
  constexpr uint64_t kStructPagesPerPage = 64;
  return Items(k)
      .Add("nr_dirty_threshold", limits.threshold)
      .Add("nr_dirty_background_threshold", limits.background)
      .Add("nr_memmap_pages", 0, In::k618)
      .Add("nr_memmap_boot_pages", ProcKpageWords(k) / kStructPagesPerPage,
           In::k618)
      .Take();
}

std::vector<VmstatItem> VmEventItems(const Kernel& k) {
  const auto& events = k.vmstat.events;
  const auto by_zone = [&](VmEvent first) {
    return [&k, first](ZoneType zone) {
      return k.vmstat.events[first + static_cast<int>(zone)];
    };
  };
  Items items(k);
  // In KiB.
  items.Add("pgpgin", events[kPgPgIn] / 2)
      .Add("pgpgout", events[kPgPgOut] / 2)
      .Add("pswpin", events[kPswpIn])
      .Add("pswpout", events[kPswpOut]);
  AddPerZone(k, items,
             {"pgalloc_dma", "pgalloc_dma32", "pgalloc_normal", "pgalloc_high",
              "pgalloc_movable", "pgalloc_device"},
             [&](ZoneType zone) { return Allocated(k, zone); });
  AddPerZone(k, items,
             {"allocstall_dma", "allocstall_dma32", "allocstall_normal",
              "allocstall_high", "allocstall_movable", "allocstall_device"},
             by_zone(kAllocStallDma));
  AddPerZone(k, items,
             {"pgskip_dma", "pgskip_dma32", "pgskip_normal", "pgskip_high",
              "pgskip_movable", "pgskip_device"},
             by_zone(kPgSkipDma));
  items.Add("pgfree", events[kPgFree])
      .Add("pgactivate", events[kPgActivate])
      .Add("pgdeactivate", events[kPgDeactivate])
      .Add("pglazyfree", events[kPgLazyFree])
      .Add("pgfault", events[kPgFault])
      .Add("pgmajfault", events[kPgMajFault]);
  AddReclaimEvents(k, items);
  items.Add("oom_kill", events[kOomKill]);
  AddMigrationEvents(k, items);
  AddHugeEvents(k, items);
  AddSwapAndOtherEvents(k, items);
  return items.Take();
}

}  // namespace faultline

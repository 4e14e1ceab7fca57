// What differs between the kernels a machine can be, and the sysctls: the
// machine's few constants that are data.
#ifndef FAULTLINE_SERVER_MACHINE_PERSONALITY_H_
#define FAULTLINE_SERVER_MACHINE_PERSONALITY_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "server/machine/base/errno.h"
#include "server/machine/command.h"

namespace faultline {

// Behaviour that changed between Linux 6.1 and 6.18 (README.md lists each).
struct Quirks {
  bool mprotect_drops_account = true;    // 6.7: untouched private memory
  bool mremap_checks_first = true;       // 6.17: and moves over several VMAs
  bool untouched_takes_touched = true;   // 6.16: in merges
  bool populate_stops_at_hole = true;    // 6.9: MADV_POPULATE_*
  bool merge_prefers_prev = true;        // 6.10: anon_vmas of both sides differ
  bool heap_needs_overlap = true;        // 6.7: the [heap] label
  bool stack_flag_is_nohuge = true;      // 6.7: MAP_STACK
  bool thp_aligned_mmap = true;          // 6.7: 2 MiB multiples
  bool pageout_clears_young = false;     // 6.10: MADV_PAGEOUT
  bool last_page_makes_no_table = true;  // 6.18: fault-around
  bool map_droppable = true;             // 6.11: MAP_DROPPABLE
  bool mseal = true;                     // 6.10
  bool mdwe = true;                      // 6.3: prctl(PR_SET_MDWE)
  bool memfd_exec_flags = true;          // 6.3: MFD_NOEXEC_SEAL, MFD_EXEC
  bool madvise_own_process = true;       // 6.13: process_madvise, any advice
  bool guard_regions = true;             // 6.13: MADV_GUARD_INSTALL
  bool mprotect_batches = true;          // 6.17: PTEs of a large folio
  bool dontneed_frees_tables = true;     // 6.14: CONFIG_PT_RECLAIM
  bool fallocate_one_mode = true;        // 6.12: no longer bits
  bool sealed_maps_readonly = true;      // 6.7: MAP_SHARED without writing
  bool ksm_checksum_first = true;        // 6.11: before the stable tree
  bool ksm_smart_scan = true;            // 6.7: pages that never merge wait
  bool ksm_zero_pages_counted = true;    // 6.6: a dirty zero PTE is KSM's
  bool ksm_merge_any = true;             // 6.4: PR_SET_MEMORY_MERGE
  bool ksm_break_unshares = true;        // 6.2: unmerging writes nothing
  bool mremap_realigns = true;           // 6.7: to whole page tables
  bool ext4_large_folios = true;         // 6.16: read in one piece
  bool ext4_zeroes_old_tail = true;      // 6.13: where a file grows
  bool tmpfs_direct_io = true;           // 6.6: O_DIRECT, which does nothing
  bool swap_zeromap = true;              // 6.12: zeros are not written
  bool names_shared_anon = true;         // 6.2: PR_SET_VMA_ANON_NAME
  bool huge_zero_becomes_huge = true;    // 6.13: the first write to it
  bool newer_mempolicies = true;         // 6.9, 6.10: see mm/mempolicy.cc
  bool split_rss_counting = false;       // 6.2: see mm/rss_stat.h
  bool split_queue_has_all = true;       // 6.12: thp_underused()
  bool vma_has_recency = true;           // 6.3: random, POSIX_FADV_NOREUSE
  bool maps_whole_folios = true;         // 6.18: of a file, by one fault
  bool splits_unevenly = true;           // 6.15: truncation, folio_split()
  uint32_t vvar_vclock_pages = 2;        // 6.13: a mapping of its own

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.mprotect_drops_account, s.mremap_checks_first,
       s.untouched_takes_touched, s.populate_stops_at_hole,
       s.merge_prefers_prev, s.heap_needs_overlap, s.stack_flag_is_nohuge,
       s.thp_aligned_mmap, s.pageout_clears_young, s.last_page_makes_no_table,
       s.map_droppable, s.mseal, s.mdwe, s.memfd_exec_flags,
       s.madvise_own_process, s.guard_regions, s.mprotect_batches,
       s.dontneed_frees_tables, s.fallocate_one_mode, s.sealed_maps_readonly,
       s.ksm_checksum_first, s.ksm_smart_scan, s.ksm_zero_pages_counted,
       s.ksm_merge_any, s.ksm_break_unshares, s.mremap_realigns,
       s.ext4_large_folios, s.ext4_zeroes_old_tail, s.tmpfs_direct_io,
       s.swap_zeromap, s.names_shared_anon, s.huge_zero_becomes_huge,
       s.newer_mempolicies, s.split_rss_counting, s.split_queue_has_all,
       s.vma_has_recency, s.maps_whole_folios, s.splits_unevenly,
       s.vvar_vclock_pages);
  }
};
Quirks QuirksOf(Personality personality);

// /sys/kernel/mm/ksm: mm/ksm.h
struct KsmKnobs {
  uint64_t run = 0;
  uint64_t pages_to_scan = 100;
  uint64_t sleep_millisecs = 20;
  uint64_t max_page_sharing = 256;
  uint64_t use_zero_pages = 0;
  uint64_t smart_scan = 1;
  uint64_t chains_prune_millisecs = 2000;
};
// /sys/class/bdi and /sys/block/…/queue of the disk, as knobs.
struct BdiKnobs {
  uint64_t read_ahead_kb = 128;    // VM_READAHEAD_PAGES
  uint64_t max_sectors_kb = 1280;  // of one request; also bdi->io_pages
  uint64_t min_ratio = 0;
  uint64_t max_ratio = 100;
};

// vm.dirty_*
struct DirtyKnobs {
  uint64_t background_ratio = 10;
  uint64_t background_bytes = 0;  // not 0: instead of the ratio
  uint64_t ratio = 20;
  uint64_t bytes = 0;
  uint64_t expire_centisecs = 3000;
  uint64_t writeback_centisecs = 500;
};

// CAP_FULL_SET: capabilities 0 to 40 (include/uapi/linux/capability.h).
inline constexpr uint64_t kCapFull = (uint64_t{1} << 41) - 1;

struct SysctlTable {
  uint64_t overcommit_memory = 0;
  uint64_t overcommit_ratio = 50;
  uint64_t overcommit_kbytes = 0;
  uint64_t max_map_count = 65530;
  uint64_t mmap_min_addr = 4096;
  uint64_t min_free_kbytes = 0;       // computed at boot
  uint64_t user_min_free_kbytes = 0;  // what somebody asked for, or 0
  uint64_t admin_reserve_kbytes = 0;
  uint64_t user_reserve_kbytes = 0;
  uint64_t watermark_scale_factor = 10;
  uint64_t watermark_boost_factor = 15000;
  // Of DMA, DMA32, Normal, HighMem, Movable, and of ZONE_DEVICE, which no
  // machine has.
  std::array<uint64_t, 6> lowmem_reserve_ratio = {256, 256, 32, 0, 0, 0};
  uint64_t legacy_va_layout = 0;
  uint64_t unmapped_area = 0;      // KERNEL_VERSION(2, 6, 32), or 0: its own
  uint64_t stack_guard_gap = 256;  // pages; the boot parameter
  uint64_t fault_around_bytes = 65536;
  uint64_t thp_enabled = 0;         // transparent_hugepage/enabled: ThpEnabled
  uint64_t thp_use_zero_page = 1;   // transparent_hugepage/use_zero_page
  uint64_t randomize_va_space = 0;  // kernel.randomize_va_space
  uint64_t mem_soft_dirty = 0;      // CONFIG_MEM_SOFT_DIRTY: how it was built
  uint64_t slub_debug = 0;          // slab_flag::kDebug bits, of all caches
  KsmKnobs ksm;
  DirtyKnobs dirty;
  BdiKnobs bdi;
  uint64_t cap_bound = kCapFull;  // what uid 0 has, as in /proc/PID/status
  uint64_t swappiness = 60;
  uint64_t page_cluster = 3;  // log2 of what a swap-in reads at once
  uint64_t swap_token = 0;    // 1: of 2.6 (mm/swap_token.h)
  uint64_t oom_kill_allocating_task = 0;
  uint64_t panic_on_oom = 0;
  uint64_t oom_dump_tasks = 1;
  uint64_t compaction_proactiveness = 20;
  uint64_t compact_unevictable_allowed = 1;
  uint64_t extfrag_threshold = 500;
  uint64_t percpu_pagelist_high_fraction = 0;  // 0: by the low watermark
  uint64_t vfs_cache_pressure = 100;
  uint64_t threads_max = 0;  // computed at boot

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.overcommit_memory, s.overcommit_ratio, s.overcommit_kbytes,
       s.max_map_count, s.mmap_min_addr, s.min_free_kbytes,
       s.user_min_free_kbytes, s.admin_reserve_kbytes, s.user_reserve_kbytes,
       s.watermark_scale_factor, s.watermark_boost_factor, s.legacy_va_layout,
       s.unmapped_area, s.stack_guard_gap, s.fault_around_bytes, s.thp_enabled,
       s.thp_use_zero_page, s.randomize_va_space, s.mem_soft_dirty, s.ksm,
       s.dirty, s.bdi, s.cap_bound, s.slub_debug, s.swappiness, s.page_cluster,
       s.swap_token, s.oom_kill_allocating_task, s.panic_on_oom,
       s.oom_dump_tasks, s.compaction_proactiveness, s.vfs_cache_pressure,
       s.threads_max, s.lowmem_reserve_ratio, s.compact_unevictable_allowed,
       s.extfrag_threshold, s.percpu_pagelist_high_fraction);
  }
};

// A name the machine knows ("vm.overcommit_memory"), or nullptr.
uint64_t* FindSysctl(SysctlTable& table, std::string_view name);
// KERNEL_VERSION(2, 6, 32): what unmapped_area may be besides 0.
inline constexpr uint64_t kVersion2632 = 2 << 16 | 6 << 8 | 32;
// Is it a value that this sysctl, found in `table`, can have?
bool SysctlAccepts(const SysctlTable& table, const uint64_t* sysctl,
                   uint64_t value);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_PERSONALITY_H_

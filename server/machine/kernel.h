// Kernel: all the state of one simulated machine. Plain data with a field
// list; every algorithm is a function over Kernel&, as Linux's are functions
// over its globals. It holds no pointer, so copying it copies the machine.
#ifndef FAULTLINE_SERVER_MACHINE_KERNEL_H_
#define FAULTLINE_SERVER_MACHINE_KERNEL_H_

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "server/machine/base/archive.h"
#include "server/machine/base/cow.h"
#include "server/machine/base/pool.h"
#include "server/machine/base/prng.h"
#include "server/machine/command.h"
#include "server/machine/fs/device_types.h"
#include "server/machine/fs/fs_types.h"
#include "server/machine/hw/block_device.h"
#include "server/machine/hw/frames.h"
#include "server/machine/hw/mmu.h"
#include "server/machine/hw/tlb.h"
#include "server/machine/malloc/malloc_types.h"
#include "server/machine/mm/backing_dev_types.h"
#include "server/machine/mm/kcompactd_types.h"
#include "server/machine/mm/ksm_types.h"
#include "server/machine/mm/lru_types.h"
#include "server/machine/mm/mm_types.h"
#include "server/machine/mm/mmzone.h"
#include "server/machine/mm/replacement_types.h"
#include "server/machine/mm/shrinker_types.h"
#include "server/machine/mm/slub_types.h"
#include "server/machine/mm/swap_types.h"
#include "server/machine/mm/vma_node.h"
#include "server/machine/mm/vmalloc_types.h"
#include "server/machine/mm/vmstat.h"
#include "server/machine/mm/xarray.h"
#include "server/machine/personality.h"
#include "server/machine/task/task_types.h"
#include "server/machine/trace/trace.h"

namespace faultline {

// mem_map: struct page of every frame.
using MemMap = CowArray<Page, 7>;

// Of each VMA; those of 65,536 are below one entry of the array's root.
using VmaBranches = CowArray<VmaBranch, 7, 9>;

struct Kernel {
  MachineConfig config;
  Quirks quirks;  // what the personality decides
  SysctlTable sysctl;
  Prng prng;
  uint64_t clock_ns = 0;

  // Hardware.
  Frames frames;
  Tlb tlb;
  PagingMode paging;
  BlockDevice disk;  // the one that every file of ext4 is on

  // Physical memory.
  MemMap mem_map;
  std::array<Zone, kMaxNrZones> zones;
  ZoneType movable_zone = ZoneType::kNormal;  // whose end ZONE_MOVABLE would be
  CowArray<PageBlock, 10> page_blocks;        // by pfn >> kPageBlockOrder
  Lruvec lruvec;
  Kswapd kswapd;
  Kcompactd kcompactd;
  Shrinkers shrinkers;
  Swap swap;
  Vmstat vmstat;
  Pfn zero_page;
  Pfn huge_zero_page;  // 512 pages, once there was need of them
  Pfn vdso_pages;  // an order-3 block: vdso at 0, vvar at 2, its clocks at 6
  uint64_t totalram_pages = 0;
  uint64_t vm_committed = 0;  // pages: vm_committed_as
  Slub slub;
  KernelMaps kernel_maps;

  // Address spaces, files, tasks.
  Pool<Mm, 2> mms;
  Pool<Vma, 4, 64> vmas;  // what a search reads is one line of the host's cache
  VmaBranches vma_branches;  // of each VMA, by its id
  CowArray<VmaNode, 6> vma_nodes;
  std::vector<Mempolicy> mempolicies;  // MempolicyId 1 is the first
  Pool<AnonVma> anon_vmas;
  Pool<AnonVmaChain> anon_chains;
  Pool<MallocState, 0> heaps;
  Pool<Replacement, 0> replacements;
  Pool<LargeFolio, 2> folios;
  Ksm ksm;
  Pool<Inode, 2> inodes;
  XaNodes xa_nodes;  // of the inodes' i_pages
  BackingDevInfo bdi;
  bool drop_caches_quiet = false;  // 4 was written to vm.drop_caches
  Pool<File> open_files;
  Pool<Files, 2> files;
  Pool<Task, 2> tasks;
  std::map<Pid, Id<Task>> pids;
  std::map<std::string, Id<Inode>> names;  // the file system's one directory
  Pid last_pid = 0;
  uint64_t last_ino = 0;
  Devices devices;
  Asid last_asid = 0;
  Id<Mm> active_mm;  // of the task that ran last: what the CPU has loaded

  // The page table found last, by region: an accelerator without effect on any
  // result, forgotten when tables are freed.
  struct {
    Pfn pgd;
    uint64_t region = 0;  // address >> 21
    Pfn table;
  } table_memo;

  // Of the running command only.
  Id<Task> current;
  std::vector<Pfn> mlock_batch;  // mlock_fbatch: mlocked, on the old list yet
  std::vector<Pfn> mlock_moves;  // all that were in it
  bool in_reclaim = false;       // PF_MEMALLOC: who frees memory needs none
  bool oom_origin = false;       // swapoff: dies before others
  Id<Mm> borrowed_mm;  // another's, that the command is within (kthread_use_mm)
  std::vector<Pid> oom_victims;  // TIF_MEMDIE, and not dead yet
  Trace trace;

  Task& Current() { return tasks[current]; }
  // cred->cap_effective
  uint64_t EffectiveCaps(const Task& task) const {
    return task.uid == 0 ? sysctl.cap_bound : 0;
  }
  // capable(): may the current task?
  bool Capable(Cap cap) const {
    return (EffectiveCaps(tasks[current]) >> static_cast<int>(cap) & 1) != 0;
  }
  uint32_t CurrentPid() const { return current ? tasks[current].pid : 0; }
  Page& page(Pfn pfn) { return mem_map[pfn.value()]; }
  const Page& page(Pfn pfn) const { return mem_map[pfn.value()]; }
  Zone& zone(ZoneType t) { return zones[static_cast<int>(t)]; }
  const Zone& zone(ZoneType t) const { return zones[static_cast<int>(t)]; }
  Mmu mmu() { return Mmu(frames, tlb, clock_ns); }

  // Everything but what lasts one command.
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.config, s.quirks, s.sysctl, s.prng, s.clock_ns, s.frames, s.tlb,
       s.paging, s.mem_map, s.zones, s.movable_zone, s.page_blocks, s.lruvec,
       s.kswapd, s.swap, s.vmstat, s.zero_page, s.huge_zero_page, s.vdso_pages,
       s.totalram_pages, s.vm_committed, s.mms, s.vmas, s.vma_branches,
       s.vma_nodes, s.anon_vmas, s.anon_chains, s.folios, s.inodes,
       s.open_files, s.files, s.tasks, s.pids, s.names, s.last_pid, s.last_ino,
       s.last_asid, s.active_mm, s.heaps, s.ksm, s.slub, s.kernel_maps,
       s.devices, s.disk, s.xa_nodes, s.bdi, s.drop_caches_quiet,
       s.replacements, s.mempolicies, s.kcompactd, s.shrinkers);
  }

  template <class Body>
  void Emit(EventLevel level, Body body) {
    if (trace.Wants(level)) [[unlikely]]
      trace.Emit(level, CurrentPid(), std::move(body));
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_KERNEL_H_

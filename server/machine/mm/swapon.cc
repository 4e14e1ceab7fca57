// Models mm/swapfile.c (v6.18): swapon(2), setup_swap_map(),
// setup_clusters(), enable_swap_info(), swapoff(2), try_to_unuse(),
// unuse_pte_range(). Departure: D50.
#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/mm/filemap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/swap_fault.h"
#include "server/machine/mm/swap_state.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/util.h"

namespace faultline {
namespace {

constexpr uint32_t kFlagPrefer = 0x8000, kFlagPrioMask = 0x7fff;
constexpr uint32_t kFlagDiscard = 0x10000;
constexpr uint32_t kFlagsValid = kFlagPrefer | kFlagPrioMask | kFlagDiscard |
                                 0x20000 | 0x40000;  // once, pages
constexpr uint64_t kPagesMin = 2;  // a header and something to use

// setup_clusters(): the header's slot and what lies beyond the end are in use.
void SetupClusters(SwapInfo& info) {
  const uint32_t whole = info.max / kSwapClusterSlots;
  const uint32_t rest = info.max % kSwapClusterSlots;
  info.pristine_cluster = 1;
  std::vector<std::pair<uint32_t, uint32_t>> used = {{0, 1}};
  if (rest > 0) {
    const uint32_t beyond = kSwapClusterSlots - rest;
    if (whole == 0) {
      used[0].second += beyond;
    } else {
      used.push_back({whole, beyond});
    }
  }
  ClusterList& nonfull = info.lists[static_cast<size_t>(ClusterOn::kNonfull)];
  for (const auto& [number, slots] : used) {
    SwapCluster& cluster = info.clusters[number];
    cluster.used = slots;
    cluster.on = ClusterOn::kNonfull;
    cluster.prev = nonfull.tail;
    (nonfull.tail ? info.clusters[nonfull.tail - 1].next : nonfull.head) =
        number + 1;
    nonfull.tail = number + 1;
  }
}

// swapfile_maximum_size: what lies beyond an entry's offset is not used.
uint64_t MostPages(const Kernel& k) {
  return k.paging.narrow() ? Pte::kNarrowSlots : kMaxSwapPages;
}

// alloc_swap_info(): a free type; kMaxSwapfiles when there is none.
uint32_t FreeType(Swap& swap) {
  uint32_t type = 0;
  while (type < swap.infos.size() && swap.infos[type].used) type++;
  if (type < kMaxSwapfiles && type == swap.infos.size()) {
    swap.infos.emplace_back();
  }
  return type;
}

// enable_swap_info()
void Enable(Kernel& k, uint32_t type, uint64_t pages, int32_t prio) {
  Swap& swap = k.swap;
  SwapInfo& info = swap.infos[type];
  info.used = info.writeok = true;
  info.max = static_cast<uint32_t>(pages);
  info.pages = info.max - 1;
  info.prio = prio;
  SetupClusters(info);
  swap.nr_free += info.pages;
  swap.total += info.pages;
  AddToAvail(k, type);
}

int32_t PriorityOf(Swap& swap, uint32_t flags) {
  if (flags & kFlagPrefer) return static_cast<int32_t>(flags & kFlagPrioMask);
  return --swap.least_priority;
}

// The name of the n-th partition that swapon made: /dev/sdb1, /dev/sdc1 …
std::string PartitionName(const Swap& swap) {
  char letter = 'b';
  std::string name;
  bool taken = true;
  while (taken) {
    name = std::string("/dev/sd") + letter++ + "1";
    taken = std::any_of(
        swap.infos.begin(), swap.infos.end(),
        [&](const SwapInfo& info) { return info.used && info.path == name; });
  }
  return name;
}

ErrnoOr<uint64_t> PagesOfFile(const Kernel& k, const std::string& path,
                              Id<Inode>* inode) {
  const auto at = k.names.find(path);
  if (at == k.names.end()) return Errno::kENOENT;
  *inode = at->second;
  const Inode& file = k.inodes[at->second];
  // ramfs and tmpfs cannot say where their blocks are.
  if (file.fs != FsType::kExt4) return Errno::kEINVAL;
  for (const SwapInfo& info : k.swap.infos) {
    if (info.used && !info.partition && info.path == path) return Errno::kEBUSY;
  }
  // A hole has no header that would say it is swap.
  if (file.device_valid == 0 && file.i_state == 0) return Errno::kEINVAL;
  const uint64_t pages = file.size >> kPageShift;
  return pages < kPagesMin ? ErrnoOr<uint64_t>(Errno::kEINVAL) : pages;
}

// Brings back what one address space has in the area. False: no memory.
bool UnuseMm(Kernel& k, Id<Mm> id, uint32_t type) {
  Mm& mm = k.mms[id];
  MmapReadLock(mm);
  k.borrowed_mm = id;
  bool memory = true;
  for (Id<Vma> at = mm.mmap; at && memory; at = k.vmas[at].next) {
    Vma& vma = k.vmas[at];
    if (!vma.anon_vma) continue;
    std::vector<VirtAddr> swapped;
    ForEachPte(std::as_const(k), mm, vma.start, vma.end,
               [&](VirtAddr addr, Pte pte) {
                 if (pte.swapped() && pte.swp_type() == type) {
                   swapped.push_back(addr);
                 }
               });
    for (const VirtAddr addr : swapped) {
      const PteRef ref = FindPte(std::as_const(k), mm, addr);
      // Reclaim may have been quicker, or a reaper.
      const Pte pte = ReadPte(std::as_const(k), ref);
      if (!pte.swapped() || pte.swp_type() != type) continue;
      memory = DoSwapPage(k, vma, addr, ref, false).pfn.valid();
      if (!memory) break;
    }
  }
  k.borrowed_mm = {};
  return memory;
}

}  // namespace

Errno TryToUnuse(Kernel& k, uint32_t type) {
  if (!ShmemUnuse(k, type)) return Errno::kENOMEM;
  std::vector<Id<Mm>> all;
  k.mms.ForEach([&](Id<Mm> id, const Mm& mm) {
    if (mm.on_mmlist) all.push_back(id);
  });
  for (const Id<Mm> id : all) {
    if (CurrentIsOomVictim(k)) return Errno::kEINTR;
    if (k.mms.Has(id) && !UnuseMm(k, id, type)) return Errno::kENOMEM;
  }
  // What only the swap cache has.
  std::vector<Pfn> cached;
  std::as_const(k).swap.infos[type].slots.ForEach(
      [&](size_t, const SwapSlot& slot) {
        if (slot.cache.valid()) cached.push_back(slot.cache);
      });
  for (const Pfn pfn : cached) FreeSwapOf(k, pfn);
  return k.swap.infos[type].inuse_pages == 0 ? Errno::kOk : Errno::kENOMEM;
}

void SwapOnAtBoot(Kernel& k, uint64_t pages) {
  if (pages < kPagesMin) return;
  const uint32_t type = FreeType(k.swap);
  SwapInfo& info = k.swap.infos[type];
  info.partition = true;
  info.path = "/dev/vda";
  Enable(k, type, std::min(pages, MostPages(k)), PriorityOf(k.swap, 0));
}

ErrnoOr<uint64_t> DoSwapon(Kernel& k, const std::string& path, uint64_t size,
                           uint32_t flags) {
  if (flags & ~kFlagsValid) return Errno::kEINVAL;
  if (k.current && !k.Capable(Cap::kSysAdmin)) return Errno::kEPERM;
  uint64_t pages = size >> kPageShift;
  Id<Inode> inode;
  if (!path.empty()) {
    pages = FL_TRY_VALUE(PagesOfFile(std::as_const(k), path, &inode));
  } else if (pages < kPagesMin) {
    return Errno::kEINVAL;
  }
  const std::string name = path.empty() ? PartitionName(k.swap) : path;
  const uint32_t type = FreeType(k.swap);
  if (type == kMaxSwapfiles) return Errno::kEPERM;
  SwapInfo& info = k.swap.infos[type];
  info = SwapInfo{};
  info.partition = path.empty();
  info.path = name;
  if (inode) {
    info.file = k.open_files.New();
    File& file = k.open_files[info.file];
    file.inode = inode;
    file.writable = true;
    file.f_count = 1;
    LookupInode(k, inode);
    k.inodes[inode].opens++;
  }
  Enable(k, type, std::min(pages, MostPages(k)), PriorityOf(k.swap, flags));
  return uint64_t{type};
}

Errno DoSwapoff(Kernel& k, const std::string& path, uint32_t area) {
  if (k.current && !k.Capable(Cap::kSysAdmin)) return Errno::kEPERM;
  Swap& swap = k.swap;
  uint32_t type = 0;
  const auto is_it = [&](uint32_t t) {
    return swap.infos[t].used &&
           (path.empty() ? t == area : swap.infos[t].path == path);
  };
  while (type < swap.infos.size() && !is_it(type)) type++;
  if (type == swap.infos.size()) {
    // The name is opened first.
    const bool exists = path.empty() || k.names.contains(path);
    return exists ? Errno::kEINVAL : Errno::kENOENT;
  }
  SwapInfo& info = swap.infos[type];
  // Everything must have room elsewhere: security_vm_enough_memory_mm().
  const Mm* mm = k.current ? &k.mms[k.Current().mm] : nullptr;
  if (mm != nullptr) FL_TRY(VmEnoughMemory(k, *mm, info.pages));
  const uint64_t free = info.pages - info.inuse_pages;
  DelFromAvail(k, type);
  info.writeok = false;
  info.cluster_next = 0;
  swap.nr_free -= free;
  swap.total -= info.pages;
  k.oom_origin = true;
  const Errno e = TryToUnuse(k, type);
  k.oom_origin = false;
  if (mm != nullptr) k.vm_committed -= info.pages;
  if (e != Errno::kOk) {  // as it was
    info.writeok = true;
    swap.nr_free += info.pages - info.inuse_pages;
    swap.total += info.pages;
    if (info.inuse_pages < info.pages) AddToAvail(k, type);
    return e;
  }
  if (info.file) PutFile(k, info.file);
  info = SwapInfo{};
  while (!swap.infos.empty() && !swap.infos.back().used) swap.infos.pop_back();
  return Errno::kOk;
}

}  // namespace faultline

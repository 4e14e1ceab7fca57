// Models fs/super.c (v6.18): super_cache_count(), super_cache_scan();
// fs/dcache.c: retain_dentry(), dentry_lru_isolate(); fs/inode.c:
// __inode_add_lru(), inode_lru_isolate(), evict(); include/linux/pagemap.h:
// mapping_shrinkable(). Departure: D46 (inodes are read again from the disk,
// of which nothing is cached).
#include "server/machine/mm/super_cache.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/truncate.h"
#include "server/machine/mm/writeback.h"

namespace faultline {
namespace {

using Inodes = decltype(Kernel::inodes);

PoolList<Inode, Inodes> Dentries(Kernel& k) {
  return {k.inodes, k.shrinkers.s_dentry_lru, &Inode::d_lru};
}
PoolList<Inode, Inodes> UnusedInodes(Kernel& k) {
  return {k.inodes, k.shrinkers.s_inode_lru, &Inode::i_lru};
}

// mapping_shrinkable(): its page cache is empty, or only the root of the tree
// remembers something. Pages in high memory do not keep an inode in the low.
bool MappingShrinkable(const Kernel& k, const Inode& inode) {
  if (k.config.profile != Profile::kX86_64) return true;
  return !inode.i_pages.root && !inode.i_pages.head.valid();
}

// Nobody has it, and it need not be written.
bool Unused(const Kernel& k, const Inode& inode) {
  return !inode.dentry && inode.in_core &&
         (inode.i_state & inode_state::kDirty) == 0 &&
         MappingShrinkable(k, inode);
}

// __inode_add_lru()
void AddUnused(Kernel& k, Id<Inode> id, bool rotate) {
  Inode& inode = k.inodes[id];
  if (!Unused(std::as_const(k), inode)) return;
  if (!inode.i_lru.listed) {
    UnusedInodes(k).AddTail(id);
  } else if (rotate) {
    inode.referenced = true;
  }
}

// evict(): what only memory knew of it.
void DropInode(Kernel& k, Id<Inode> id) {
  Inode& inode = k.inodes[id];
  VM_BUG_ON(!inode.i_pages.empty() || inode.opens > 0);
  inode.in_core = inode.referenced = false;
  inode.writeback_index = 0;
  inode.truncate_count = 0;
}

// prune_dcache_sb(): of at most `nr` names those that were not used since the
// last time.
uint64_t PruneDentries(Kernel& k, uint64_t nr) {
  std::vector<Id<Inode>> dropped;
  uint64_t isolated = 0;
  for (Id<Inode> at = k.shrinkers.s_dentry_lru.head; at && nr > 0; nr--) {
    Inode& inode = k.inodes[at];
    const Id<Inode> id = std::exchange(at, inode.d_lru.next);
    if (inode.opens == 0 && inode.dentry_referenced) {
      inode.dentry_referenced = false;
      Dentries(k).MoveTail(id);
      if (!at) at = id;  // it follows itself
      continue;
    }
    Dentries(k).Delete(id);
    isolated++;
    if (inode.opens == 0) dropped.push_back(id);
  }
  for (const Id<Inode> id : dropped) {  // shrink_dentry_list()
    k.inodes[id].dentry = false;
    AddUnused(k, id, true);
  }
  return isolated;
}

// inode_lru_isolate() of one that still has pages: they go first.
void StealPages(Kernel& k, Id<Inode> id, ShrinkControl& sc) {
  const uint64_t pages = InvalidateMappingPages(k, id, 0, UINT64_MAX);
  k.vmstat.events[sc.kswapd ? kKswapdInodeSteal : kPgInodeSteal] += pages;
  sc.pages_reclaimed += pages;
}

// prune_icache_sb()
uint64_t PruneInodes(Kernel& k, uint64_t nr, ShrinkControl& sc) {
  uint64_t isolated = 0;
  for (Id<Inode> at = k.shrinkers.s_inode_lru.head; at && nr > 0; nr--) {
    Inode& inode = k.inodes[at];
    const Id<Inode> id = std::exchange(at, inode.i_lru.next);
    const bool unused = Unused(std::as_const(k), inode);
    if (unused && std::exchange(inode.referenced, false)) {
      UnusedInodes(k).MoveTail(id);
      if (!at) at = id;
      continue;
    }
    if (unused && !inode.i_pages.empty()) {
      StealPages(k, id, sc);
      at = k.shrinkers.s_inode_lru.head;  // LRU_RETRY
      continue;
    }
    UnusedInodes(k).Delete(id);
    isolated++;
    if (unused) DropInode(k, id);
  }
  return isolated;
}

}  // namespace

void LookupInode(Kernel& k, Id<Inode> id) {
  Inode& inode = k.inodes[id];
  inode.dentry = true;
  if (std::exchange(inode.in_core, true)) return;
  ReadInodeBlock(k, id);
}

void Dput(Kernel& k, Id<Inode> id) {
  Inode& inode = k.inodes[id];
  if (!OnDevice(inode)) return;
  if (!inode.d_lru.listed) {
    Dentries(k).AddTail(id);
  } else {
    inode.dentry_referenced = true;
  }
}

void InodeAddUnused(Kernel& k, Id<Inode> id) { AddUnused(k, id, false); }

void ForgetUnused(Kernel& k, Id<Inode> id) {
  if (k.inodes[id].d_lru.listed) Dentries(k).Delete(id);
  if (k.inodes[id].i_lru.listed) UnusedInodes(k).Delete(id);
}

uint64_t SuperCacheCount(const Kernel& k) {
  constexpr uint64_t kPercent = 100;
  const uint64_t all =
      k.shrinkers.s_dentry_lru.count + k.shrinkers.s_inode_lru.count;
  return all * k.sysctl.vfs_cache_pressure / kPercent;  // vfs_pressure_ratio()
}

ShrinkResult SuperCacheScan(Kernel& k, ShrinkControl& sc) {
  if (!(sc.gfp & gfp::kFs)) return {};
  const uint64_t dentries = k.shrinkers.s_dentry_lru.count;
  const uint64_t inodes = k.shrinkers.s_inode_lru.count;
  const uint64_t total = std::max<uint64_t>(dentries + inodes, 1);
  // Names first, since they hold inodes; of each at least one.
  const uint64_t freed = PruneDentries(k, sc.nr_to_scan * dentries / total + 1);
  return freed + PruneInodes(k, sc.nr_to_scan * inodes / total + 1, sc);
}

void Iput(Kernel& k, Id<Inode> id) {
  Inode& inode = k.inodes[id];
  if (--inode.opens > 0) return;
  if (inode.linked) {
    Dput(k, id);
  } else {
    EvictInode(k, id);
  }
}

}  // namespace faultline

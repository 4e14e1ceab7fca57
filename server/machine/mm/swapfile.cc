// Models mm/swapfile.c (v6.18), of a device that has to seek:
// swap_alloc_slow(), cluster_alloc_swap_entry(), alloc_swap_scan_cluster(),
// relocate_cluster(), swap_reclaim_full_clusters(), swap_entry_put_locked(),
// free_swap_and_cache(). Departure: D50.
#include "server/machine/mm/swapfile.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/swap_state.h"

namespace faultline {
namespace {

ClusterList& ListOf(SwapInfo& info, ClusterOn on) {
  return info.lists[static_cast<size_t>(on)];
}

void Unlink(SwapInfo& info, uint32_t number) {
  SwapCluster& cluster = info.clusters[number];
  if (cluster.on == ClusterOn::kNone) return;
  ClusterList& list = ListOf(info, cluster.on);
  (cluster.prev ? info.clusters[cluster.prev - 1].next : list.head) =
      cluster.next;
  (cluster.next ? info.clusters[cluster.next - 1].prev : list.tail) =
      cluster.prev;
  cluster.prev = cluster.next = 0;
}

// move_cluster(): to the tail of a list.
void MoveCluster(SwapInfo& info, uint32_t number, ClusterOn on) {
  Unlink(info, number);
  SwapCluster& cluster = info.clusters[number];
  ClusterList& list = ListOf(info, on);
  cluster.on = on;
  cluster.prev = list.tail;
  (list.tail ? info.clusters[list.tail - 1].next : list.head) = number + 1;
  list.tail = number + 1;
}

// relocate_cluster(): after something was allocated from it.
void Relocate(SwapInfo& info, uint32_t number) {
  const SwapCluster& cluster = std::as_const(info.clusters)[number];
  ClusterOn on = ClusterOn::kFrag;
  if (cluster.used == 0) on = ClusterOn::kFree;
  if (cluster.used == kSwapClusterSlots) on = ClusterOn::kFull;
  if (cluster.on != on) MoveCluster(info, number, on);
}

// swap_range_free() and its like: a slot that nothing refers to.
void FreeSlot(Kernel& k, SwpEntry entry) {
  SwapInfo& info = k.swap.infos[entry.type()];
  info.slots[entry.offset()] = SwapSlot{};
  if (info.inuse_pages-- == info.pages && info.writeok) {
    AddToAvail(k, entry.type());
  }
  if (info.writeok) k.swap.nr_free++;
  const uint32_t number = entry.offset() / kSwapClusterSlots;
  SwapCluster& cluster = info.clusters[number];
  const ClusterOn on =
      --cluster.used == 0 ? ClusterOn::kFree : ClusterOn::kNonfull;
  if (cluster.on != on) MoveCluster(info, number, on);
}

// __try_to_reclaim_swap(): a slot that only the swap cache has any more.
bool ReclaimSlot(Kernel& k, SwpEntry entry) {
  const SwapSlot& slot =
      std::as_const(k).swap.infos[entry.type()].slots[entry.offset()];
  if (slot.count != 0 || !slot.cache.valid()) return false;
  return FreeSwapOf(k, slot.cache);
}

class Area {
 public:
  Area(Kernel& k, uint32_t type)
      : k_(k), type_(type), info_(k.swap.infos[type]) {}

  // cluster_alloc_swap_entry(): the offset of a free slot, or 0.
  uint32_t Alloc() {
    uint32_t found = 0;
    if (const uint32_t next = std::exchange(info_.cluster_next, 0)) {
      const uint32_t number = next / kSwapClusterSlots;
      const bool empty = std::as_const(info_.clusters)[number].used == 0;
      found = Scan(number, empty ? number * kSwapClusterSlots : next);
    }
    if (!found) found = ScanList(ClusterOn::kNonfull);
    if (!found) found = ScanFree();
    if (!found && k_.swap.Full()) {
      ReclaimFullCluster();
      found = ScanList(ClusterOn::kNonfull);
      if (!found) found = ScanFree();
    }
    return found ? found : ScanList(ClusterOn::kFrag);
  }

 private:
  // alloc_swap_scan_cluster()
  uint32_t Scan(uint32_t number, uint32_t offset) {
    const uint32_t end = std::min((number + 1) * kSwapClusterSlots, info_.max);
    uint32_t found = 0;
    for (offset = std::max(offset, 1u); offset < end && !found; offset++) {
      if (Usable(offset)) found = offset;
    }
    if (found) {
      info_.clusters[number].used++;
      const bool more =
          std::as_const(info_.clusters)[number].used < kSwapClusterSlots &&
          offset < end;
      info_.cluster_next = more ? offset : 0;
    }
    Relocate(info_, number);
    return found;
  }
  // cluster_scan_range()
  bool Usable(uint32_t offset) {
    if (std::as_const(info_.slots)[offset].free()) return true;
    return k_.swap.Full() && ReclaimSlot(k_, {type_, offset}) &&
           std::as_const(info_.slots)[offset].free();
  }
  // alloc_swap_scan_list(): each cluster that has nothing goes to the
  // fragmented ones; of those one is looked at.
  uint32_t ScanList(ClusterOn on) {
    uint32_t found = 0;
    while (const uint32_t head = ListOf(info_, on).head) {
      found = Scan(head - 1, (head - 1) * kSwapClusterSlots);
      if (found || on == ClusterOn::kFrag) break;
    }
    return found;
  }
  // Those that were never used come before those that were given back.
  uint32_t ScanFree() {
    const uint32_t whole = info_.max / kSwapClusterSlots;
    if (info_.pristine_cluster < whole) {
      const uint32_t number = info_.pristine_cluster++;
      return Scan(number, number * kSwapClusterSlots);
    }
    return ScanList(ClusterOn::kFree);
  }
  // swap_reclaim_full_clusters()
  void ReclaimFullCluster() {
    const uint32_t head = ListOf(info_, ClusterOn::kFull).head;
    if (!head) return;
    const uint32_t first = (head - 1) * kSwapClusterSlots;
    const uint32_t end = std::min(first + kSwapClusterSlots, info_.max);
    for (uint32_t offset = first; offset < end; offset++) {
      ReclaimSlot(k_, {type_, offset});
    }
    if (info_.clusters[head - 1].on == ClusterOn::kFull) {
      MoveCluster(info_, head - 1, ClusterOn::kFull);  // the next one next time
    }
  }

  Kernel& k_;
  const uint32_t type_;
  SwapInfo& info_;
};

// plist_requeue(): the first goes behind those of the same priority.
void RequeueFirst(Swap& swap) {
  const int32_t prio = swap.infos[swap.avail[0]].prio;
  const auto end = std::find_if(
      swap.avail.begin(), swap.avail.end(),
      [&](uint32_t type) { return swap.infos[type].prio != prio; });
  std::rotate(swap.avail.begin(), swap.avail.begin() + 1, end);
}

}  // namespace

void AddToAvail(Kernel& k, uint32_t type) {
  Swap& swap = k.swap;
  const int32_t prio = swap.infos[type].prio;
  auto at = std::find_if(
      swap.avail.begin(), swap.avail.end(),
      [&](uint32_t other) { return swap.infos[other].prio < prio; });
  swap.avail.insert(at, type);
}

void DelFromAvail(Kernel& k, uint32_t type) { std::erase(k.swap.avail, type); }

bool IsSwapfile(const Kernel& k, Id<Inode> id) {
  for (const SwapInfo& info : k.swap.infos) {
    if (info.used && info.file && k.open_files[info.file].inode == id) {
      return true;
    }
  }
  return false;
}

SwpEntry AllocSwapSlot(Kernel& k) {
  Swap& swap = k.swap;
  if (swap.nr_free == 0) return {};
  const uint32_t type = swap.avail[0];
  RequeueFirst(swap);
  const uint32_t offset = Area(k, type).Alloc();
  VM_BUG_ON(offset == 0);
  SwapInfo& info = swap.infos[type];
  swap.nr_free--;
  if (++info.inuse_pages == info.pages) DelFromAvail(k, type);
  return {type, offset};
}

void SwapFree(Kernel& k, SwpEntry entry) {
  SwapSlot& slot = SlotOf(k, entry);
  VM_BUG_ON(slot.count == 0);
  if (--slot.count == 0 && !slot.cache.valid()) FreeSlot(k, entry);
}

void FreeSwapAndCache(Kernel& k, SwpEntry entry) {
  SwapFree(k, entry);
  const SwapSlot& slot = SlotOf(std::as_const(k), entry);
  if (slot.count != 0 || !slot.cache.valid()) return;
  const bool mapped = std::as_const(k).page(slot.cache).mapcount > 0;
  if (!mapped || k.swap.Full()) FreeSwapOf(k, slot.cache);
}

void SwapCacheLeft(Kernel& k, SwpEntry entry) {
  if (SlotOf(std::as_const(k), entry).count == 0) FreeSlot(k, entry);
}

}  // namespace faultline

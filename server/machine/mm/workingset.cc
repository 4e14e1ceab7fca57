// Models mm/workingset.c (v6.18): workingset_eviction(), workingset_refault(),
// workingset_test_recent(), count_shadow_nodes(), shadow_lru_isolate();
// mm/swap.c: lru_note_cost_unlock_irq().
#include "server/machine/mm/workingset.h"

#include <utility>

#include "server/machine/mm/lru.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/vmscan.h"

namespace faultline {
namespace {

// A shadow: bit 31 says that it is one, bit 0 PG_workingset; between them the
// clock's lowest bits.
constexpr uint32_t kIsShadow = uint32_t{1} << 31;
constexpr uint32_t kWasWorkingset = 1;
constexpr uint32_t kEvictionMask = (uint32_t{1} << 30) - 1;

// workingset_test_recent()
bool Recent(const Kernel& k, uint32_t shadow, bool file) {
  const Lruvec& lruvec = k.lruvec;
  const uint32_t eviction = shadow >> 1 & kEvictionMask;
  const uint32_t distance =
      (static_cast<uint32_t>(lruvec.nonresident_age) - eviction) &
      kEvictionMask;
  uint64_t size = lruvec.Size(kActiveFile);
  if (!file) size += lruvec.Size(kInactiveFile);
  if (k.swap.nr_free > 0) {
    size += lruvec.Size(kActiveAnon);
    if (file) size += lruvec.Size(kInactiveAnon);
  }
  return distance <= size;
}

}  // namespace

uint32_t WorkingsetEviction(Kernel& k, const Page& page) {
  const auto age = static_cast<uint32_t>(k.lruvec.nonresident_age);
  k.lruvec.nonresident_age += FolioPages(page);
  return kIsShadow | (age & kEvictionMask) << 1 |
         (page.Is(page_flag::kWorkingset) ? kWasWorkingset : 0);
}

void WorkingsetRefault(Kernel& k, Pfn pfn, uint32_t shadow) {
  Page& page = k.page(pfn);
  const bool file = !page.Is(page_flag::kSwapBacked);
  auto& events = k.vmstat.events;
  events[kWorkingsetRefaultAnon + (file ? 1 : 0)]++;
  if (!Recent(k, shadow, file)) return;
  page.flags |= page_flag::kActive;
  WorkingsetActivation(k, 1);
  events[kWorkingsetActivateAnon + (file ? 1 : 0)]++;
  if (!(shadow & kWasWorkingset)) return;
  page.flags |= page_flag::kWorkingset;
  LruNoteCost(k, file, 1, 0);
  events[kWorkingsetRestoreAnon + (file ? 1 : 0)]++;
}

uint64_t CountShadowNodes(const Kernel& k) {
  const uint64_t nodes = k.xa_nodes.shadow_nodes.count;
  if (nodes == 0) return 0;
  uint64_t pages = 0;
  for (int lru = 0; lru < kNrLru; lru++) {
    pages += k.lruvec.Size(static_cast<Lru>(lru));
  }
  for (const NodeStat slabs : {kNrSlabReclaimable, kNrSlabUnreclaimable}) {
    pages += static_cast<uint64_t>(k.vmstat.node[slabs]);
  }
  const uint64_t max_nodes = pages >> (kXaChunkShift - 3);
  return nodes <= max_nodes ? 0 : nodes - max_nodes;
}

ShrinkResult ScanShadowNodes(Kernel& k, ShrinkControl& sc) {
  uint64_t freed = 0;
  while (freed < sc.nr_to_scan && k.xa_nodes.shadow_nodes.head) {
    const Id<XaNode> node = k.xa_nodes.shadow_nodes.head;
    const Id<Inode> host(std::as_const(k).xa_nodes[node].host);
    XaDeleteNode(k.xa_nodes, k.inodes[host].i_pages, node);
    k.vmstat.events[kWorkingsetNodeReclaim]++;
    InodeAddLru(k, host);
    freed++;
  }
  return freed;
}

void LruNoteCost(Kernel& k, bool file, uint64_t ios, uint64_t rotated) {
  // In rotations: what one I/O weighs.
  Lruvec& lruvec = k.lruvec;
  const uint64_t cost = ios * kSwapClusterMax + rotated;
  if (cost == 0) return;
  (file ? lruvec.file_cost : lruvec.anon_cost) += cost;
  const uint64_t pages = lruvec.Size(kInactiveAnon) + lruvec.Size(kActiveAnon) +
                         lruvec.Size(kInactiveFile) + lruvec.Size(kActiveFile);
  if (lruvec.file_cost + lruvec.anon_cost <= pages / 4) return;
  lruvec.file_cost /= 2;
  lruvec.anon_cost /= 2;
}

}  // namespace faultline

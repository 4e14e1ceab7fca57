// Verifies swap areas: each slot's count is the entries that refer to it, the
// swap cache is the same from both sides, and free slots are counted.
#include <algorithm>
#include <vector>

#include "server/machine/mm/swapfile.h"
#include "server/machine/verify/verifier.h"

namespace faultline::verify {

void Verifier::CheckSwap() {
  uint64_t free = 0, total = 0, avail = 0;
  std::sort(swap_entries_.begin(), swap_entries_.end());
  for (uint32_t type = 0; type < k_.swap.infos.size() && ok(); type++) {
    const SwapInfo& info = k_.swap.infos[type];
    if (!info.used) continue;
    CheckSwapArea(type, info);
    if (!info.writeok) continue;
    free += info.pages - info.inuse_pages;
    total += info.pages;
    const bool listed =
        std::count(k_.swap.avail.begin(), k_.swap.avail.end(), type) == 1;
    avail += listed;
    if (listed != (info.inuse_pages < info.pages)) {
      return Fail("swap area %u has %u of %u pages in use: is it available?",
                  type, info.inuse_pages, info.pages);
    }
  }
  Expect("nr_swap_pages", "the machine; free slots:", free, free,
         k_.swap.nr_free);
  Expect("total_swap_pages", "the machine; slots:", total, total,
         k_.swap.total);
  Expect("swap_avail_head", "the machine; areas:", avail, avail,
         k_.swap.avail.size());
  Expect("nr_swapcached", "the machine; pages:", swap_cached_, swap_cached_,
         k_.swap.cached);
  for (auto at = swap_entries_.begin(); at != swap_entries_.end();) {
    const SwpEntry entry(*at);
    const auto next = std::upper_bound(at, swap_entries_.end(), *at);
    const auto count = static_cast<uint32_t>(next - at);
    at = next;
    const bool area =
        entry.type() < k_.swap.infos.size() && k_.swap.infos[entry.type()].used;
    if (!area || SlotOf(k_, entry).count != count) {
      return Fail("slot %u of swap area %u: %u entries refer to it, it has %u",
                  entry.offset(), entry.type(), count,
                  area ? SlotOf(k_, entry).count : 0);
    }
  }
}

void Verifier::CheckSwapArea(uint32_t type, const SwapInfo& info) {
  uint32_t inuse = 0;
  Tally used;   // by cluster
  used[0] = 1;  // the header
  if (const uint32_t rest = info.max % kSwapClusterSlots) {
    used[info.max / kSwapClusterSlots] += kSwapClusterSlots - rest;
  }
  info.slots.ForEach([&](size_t offset, const SwapSlot& slot) {
    if (slot.free() || !ok()) return;
    inuse++;
    used[static_cast<uint32_t>(offset) / kSwapClusterSlots]++;
    CheckSwapSlot({type, static_cast<uint32_t>(offset)}, slot);
  });
  Expect("inuse_pages", "swap area", type, inuse, info.inuse_pages);
  info.clusters.ForEach([&](size_t number, const SwapCluster& cluster) {
    Expect("used slots", "cluster", number, used[number], cluster.used);
  });
}

void Verifier::CheckSwapSlot(SwpEntry entry, const SwapSlot& slot) {
  if (slot.count > 0 &&
      !std::binary_search(swap_entries_.begin(), swap_entries_.end(),
                          entry.value())) {
    return Fail("slot %u of swap area %u has count %u, but nobody refers to it",
                entry.offset(), entry.type(), slot.count);
  }
  if (!slot.cache.valid()) return;
  swap_cached_++;
  const Page& page = k_.page(slot.cache);
  if (!page.Is(page_flag::kSwapCache) || page.swap != entry.value() ||
      page.refcount <= 0) {
    Fail(
        "slot %u of swap area %u has frame %u in the swap cache, which has "
        "flags %x and slot %x",
        entry.offset(), entry.type(), slot.cache.value(), page.flags,
        page.swap);
  }
}

}  // namespace faultline::verify

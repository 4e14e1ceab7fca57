// Models mm/swap_state.c (v6.18): add_to_swap_cache(),
// delete_from_swap_cache(), __read_swap_cache_async(), swapin_nr_pages(),
// swap_cluster_readahead(); mm/page_io.c: swap_writeout(), swap_read_folio();
// mm/swapfile.c: folio_free_swap(). Departure: D51 (a write is over at once).
#include "server/machine/mm/swap_state.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/workingset.h"

namespace faultline {
namespace {

// Zeros are remembered by a bit (swap_zeromap), not written.
bool ByZeromap(const Kernel& k, const PageBytes& bytes) {
  return k.quirks.swap_zeromap && bytes.IsZero();
}

// __swapin_nr_pages(): a window that grows while what it brings is used.
uint32_t WindowPages(Kernel& k, uint32_t offset) {
  Swap& swap = k.swap;
  const uint32_t most =
      uint32_t{1} << std::min<uint64_t>(k.sysctl.page_cluster, kHugePmdOrder);
  if (most <= 1) return 1;
  const uint32_t hits = std::exchange(swap.readahead_hits, 0);
  uint32_t pages = hits + 2;
  if (hits == 0) {
    const bool adjacent =
        offset == swap.prev_offset + 1 || offset + 1 == swap.prev_offset;
    if (!adjacent) pages = 1;
    swap.prev_offset = offset;
  } else {
    uint32_t roundup = 4;
    while (roundup < pages) roundup <<= 1;
    pages = roundup;
  }
  pages = std::min(pages, most);
  // Do not shrink it too fast.
  pages = std::max(pages, swap.last_readahead_pages / 2);
  swap.last_readahead_pages = pages;
  return pages;
}

// What was found in the cache, though it was read ahead.
void NoteHit(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  if (!page.Is(page_flag::kSwapReadahead)) return;
  page.flags &= ~page_flag::kSwapReadahead;
  k.vmstat.events[kSwapRaHit]++;
  k.swap.readahead_hits++;
}

struct ReadPage {
  Pfn pfn;
  bool fresh = false;
  bool from_device = false;
};

// __read_swap_cache_async() and swap_read_folio(). The caller holds nothing.
ReadPage ReadAsync(Kernel& k, SwpEntry entry) {
  const SwapSlot& slot = SlotOf(std::as_const(k), entry);
  if (slot.cache.valid()) return {slot.cache};
  if (slot.count == 0) return {};
  const Pfn pfn = AllocPages(k, gfp::kUserFolio, 0);
  if (!pfn.valid()) return {};
  // Reclaim may have had its turn.
  if (SlotOf(std::as_const(k), entry).count == 0) {
    PutPage(k, pfn);
    return {};
  }
  const PageBytes& bytes = SlotOf(std::as_const(k), entry).bytes;
  const bool zeros = ByZeromap(k, bytes);
  k.vmstat.events[zeros ? kSwpInZero : kPswpIn]++;
  k.frames[pfn] = bytes;
  k.page(pfn).flags |= page_flag::kUptodate | page_flag::kSwapBacked;
  const uint32_t shadow = std::exchange(SlotOf(k, entry).shadow, 0);
  AddToSwapCache(k, pfn, entry);
  if (shadow != 0) WorkingsetRefault(k, pfn, shadow);
  LruAdd(k, pfn);
  PutPage(k, pfn);  // the cache has it
  return {pfn, true, !zeros};
}

}  // namespace

void AddToSwapCache(Kernel& k, Pfn pfn, SwpEntry entry) {
  SwapSlot& slot = SlotOf(k, entry);
  VM_BUG_ON(slot.cache.valid());
  slot.cache = pfn;
  Page& page = k.page(pfn);
  page.flags |= page_flag::kSwapCache;
  page.swap = entry.value();
  page.refcount++;
  k.swap.cached++;
  k.vmstat.node[kNrFilePages]++;
}

void DeleteFromSwapCache(Kernel& k, Pfn pfn, uint32_t shadow) {
  Page& page = k.page(pfn);
  VM_BUG_ON(!page.Is(page_flag::kSwapCache));
  const SwpEntry entry(std::exchange(page.swap, 0));
  page.flags &= ~(page_flag::kSwapCache | page_flag::kSwapReadahead);
  SwapSlot& slot = SlotOf(k, entry);
  slot.cache = Pfn();
  slot.shadow = shadow;
  k.swap.cached--;
  k.vmstat.node[kNrFilePages]--;
  SwapCacheLeft(k, entry);
  PutPage(k, pfn);
}

bool AllocSwap(Kernel& k, Pfn pfn) {
  const SwpEntry entry = AllocSwapSlot(k);
  if (!entry.valid()) return false;
  AddToSwapCache(k, pfn, entry);
  return true;
}

bool SwapReferenced(const Kernel& k, const Page& page) {
  return SlotOf(k, SwpEntry(page.swap)).count > 0;
}

bool FreeSwapOf(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  if (!page.Is(page_flag::kSwapCache)) return false;
  if (SwapReferenced(std::as_const(k), page)) return false;
  page.flags |= page_flag::kDirty;
  DeleteFromSwapCache(k, pfn);
  return true;
}

void SwapWriteout(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  page.flags &= ~page_flag::kDirty;
  const SwpEntry entry(page.swap);
  SwapSlot& slot = SlotOf(k, entry);
  slot.bytes = std::as_const(k.frames)[pfn];
  const bool zeros = ByZeromap(k, slot.bytes);
  k.vmstat.events[zeros ? kSwpOutZero : kPswpOut]++;
  if (!zeros) k.clock_ns += kSwapWriteNs;
  k.Emit(EventLevel::kFaults,
         SwapWrite{pfn.value(), entry.type(), entry.offset(), zeros});
}

Pfn ReadSwapCache(Kernel& k, SwpEntry entry) {
  const ReadPage page = ReadAsync(k, entry);
  if (page.from_device) k.clock_ns += kSwapReadNs;
  return page.pfn;
}

SwapinResult Swapin(Kernel& k, SwpEntry entry, Readahead readahead) {
  const Pfn cached = SlotOf(std::as_const(k), entry).cache;
  if (cached.valid()) {
    NoteHit(k, cached);
    GetPage(k, cached);
    return {cached};
  }
  const uint32_t mask =
      readahead == Readahead::kNone ? 0 : WindowPages(k, entry.offset()) - 1;
  const uint32_t max = k.swap.infos[entry.type()].max;
  // The page itself first, so that none of its neighbours takes its place.
  const ReadPage wanted = ReadAsync(k, entry);
  if (!wanted.pfn.valid()) return {};
  GetPage(k, wanted.pfn);
  bool device = wanted.from_device;
  uint32_t pages = 1;
  const uint32_t first = std::max(entry.offset() & ~mask, 1u);
  const uint32_t last = std::min(entry.offset() | mask, max - 1);
  for (uint32_t offset = first; offset <= last; offset++) {
    if (offset == entry.offset()) continue;
    const ReadPage page = ReadAsync(k, {entry.type(), offset});
    if (!page.fresh) continue;
    k.page(page.pfn).flags |= page_flag::kSwapReadahead;
    k.vmstat.events[kSwapRa]++;
    device = device || page.from_device;
    pages++;
  }
  if (device) k.clock_ns += kSwapReadNs;  // one request for all of them
  k.Emit(EventLevel::kFaults,
         SwapRead{wanted.pfn.value(), entry.type(), entry.offset(), pages});
  return {wanted.pfn, true, wanted.from_device};
}

}  // namespace faultline

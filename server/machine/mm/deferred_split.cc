// Models mm/huge_memory.c (v6.18): deferred_split_folio(),
// __folio_unqueue_deferred_split(), deferred_split_scan(),
// shrink_huge_zero_folio_scan().
#include "server/machine/mm/deferred_split.h"

#include <utility>
#include <vector>

#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

PoolList<LargeFolio, decltype(Kernel::folios)> SplitQueue(Kernel& k) {
  return {k.folios, k.shrinkers.split_queue, &LargeFolio::deferred};
}

}  // namespace

void DeferredSplitFolio(Kernel& k, Id<LargeFolio> id, bool partially) {
  if (!partially && !k.quirks.split_queue_has_all) return;
  LargeFolio& folio = k.folios[id];
  if (partially) {
    folio.partially_mapped = true;
    k.vmstat.events[kThpDeferredSplitPage]++;
  }
  if (!folio.deferred.listed) SplitQueue(k).AddTail(id);
}

void DeleteLargeFolio(Kernel& k, Id<LargeFolio> id) {
  if (k.folios[id].deferred.listed) SplitQueue(k).Delete(id);
  k.folios.Delete(id);
}

uint64_t DeferredSplitCount(const Kernel& k) {
  return k.shrinkers.split_queue.count;
}

ShrinkResult DeferredSplitScan(Kernel& k, ShrinkControl& sc) {
  std::vector<Id<LargeFolio>> list;
  for (Id<LargeFolio> at = k.shrinkers.split_queue.head;
       at && list.size() < sc.nr_to_scan; at = k.folios[at].deferred.next) {
    list.push_back(at);
  }
  uint64_t split = 0;
  // list_move() has turned them around.
  for (auto it = list.rbegin(); it != list.rend(); ++it) {
    const LargeFolio& folio = std::as_const(k).folios[*it];
    if (!folio.partially_mapped) {
      SplitQueue(k).Delete(*it);
    } else if (std::as_const(k).page(folio.head).Is(page_flag::kLru)) {
      SplitFolio(k, folio.head);
      split++;
    }
  }
  if (split == 0 && k.shrinkers.split_queue.count == 0) return {};
  return split;
}

uint64_t HugeZeroCount(const Kernel& k) {
  if (!k.huge_zero_page.valid()) return 0;
  bool kept = false;
  k.mms.ForEach([&](Id<Mm>, const Mm& mm) { kept = kept || mm.huge_zero; });
  return kept ? 0 : kHugePmdNr;
}

ShrinkResult HugeZeroScan(Kernel& k, ShrinkControl&) {
  if (HugeZeroCount(std::as_const(k)) == 0) return uint64_t{0};
  FreePages(k, std::exchange(k.huge_zero_page, Pfn()), kHugePmdOrder);
  return kHugePmdNr;
}

}  // namespace faultline

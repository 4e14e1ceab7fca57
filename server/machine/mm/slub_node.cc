// Models mm/slub.c (v6.18): allocate_slab(), put_cpu_partial(),
// get_partial_node(), __put_partials(), deactivate_slab(),
// __kmem_cache_do_shrink(), __kmem_cache_shutdown(). Departure: D42 (free
// objects are in the order of their addresses).
#include "server/machine/mm/slub_node.h"

#include <array>
#include <utility>
#include <vector>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/slub.h"
#include "server/machine/mm/slub_debug.h"
#include "server/machine/mm/slub_report.h"

namespace faultline {
namespace {

// GFP_RECLAIM_MASK and GFP_CONSTRAINT_MASK: what a slab's pages are asked with.
constexpr uint32_t kSlabGfpMask =
    gfp::kReclaim | gfp::kHigh | gfp::kIo | gfp::kFs | gfp::kNoWarn |
    gfp::kRetryMayfail | gfp::kNofail | gfp::kNoretry | gfp::kMemalloc |
    gfp::kNomemalloc | gfp::kHardwall;

// cache_vmstat_idx()
NodeStat StatOf(const KmemCache& s) {
  return s.Has(slab_flag::kReclaimAccount) ? kNrSlabReclaimable
                                           : kNrSlabUnreclaimable;
}

// alloc_slab_page(): of the usual order, else of the least.
Pfn SlabPages(Kernel& k, const KmemCache& s, uint32_t gfp, int* order) {
  uint32_t flags = (gfp & kSlabGfpMask) | gfp::kComp;
  if (s.Has(slab_flag::kCacheDma)) flags |= gfp::kDma;
  if (s.Has(slab_flag::kCacheDma32)) flags |= gfp::kDma32;
  if (s.Has(slab_flag::kReclaimAccount)) flags |= gfp::kReclaimable;
  *order = s.geometry.order;
  uint32_t first = (flags | gfp::kNoWarn | gfp::kNoretry) & ~gfp::kNofail;
  if ((first & gfp::kDirectReclaim) && *order > s.geometry.min_order) {
    first = (first | gfp::kNomemalloc) & ~gfp::kReclaim;
  }
  const Pfn pfn = AllocPages(k, first, *order);
  if (pfn.valid()) return pfn;
  *order = s.geometry.min_order;
  return AllocPages(k, flags, *order);
}

// Chains the objects of a new slab.
void InitObjects(Kernel& k, const KmemCache& s, Slab& slab) {
  const uint64_t first = SlabFirstObject(std::as_const(k), slab);
  if (s.debug()) SetupSlabDebug(k, s, slab);
  for (uint32_t i = 0; i < slab.objects; i++) {
    const uint64_t object = first + uint64_t{i} * s.geometry.size;
    const bool last = i + 1 == slab.objects;
    slab.SetFree(i, true);
    SetFreePointer(k, s, object, last ? 0 : object + s.geometry.size);
  }
  slab.freelist = first;
}

}  // namespace

void AddPartial(Kernel& k, Id<Slab> id, At at) {
  Slab& slab = k.slub.slabs[id];
  KmemCache& s = k.slub.caches[slab.cache];
  slab.place = SlabPlace::kNodePartial;
  s.nr_partial++;
  if (at == At::kHead) {
    slab.prev = {};
    slab.next = std::exchange(s.partial_head, id);
    (slab.next ? k.slub.slabs[slab.next].prev : s.partial_tail) = id;
  } else {
    slab.next = {};
    slab.prev = std::exchange(s.partial_tail, id);
    (slab.prev ? k.slub.slabs[slab.prev].next : s.partial_head) = id;
  }
}
void RemovePartial(Kernel& k, Id<Slab> id) {
  Slab& slab = k.slub.slabs[id];
  KmemCache& s = k.slub.caches[slab.cache];
  (slab.prev ? k.slub.slabs[slab.prev].next : s.partial_head) = slab.next;
  (slab.next ? k.slub.slabs[slab.next].prev : s.partial_tail) = slab.prev;
  slab.prev = slab.next = {};
  slab.place = SlabPlace::kFull;
  s.nr_partial--;
}

Id<Slab> NewSlab(Kernel& k, Id<KmemCache> cache, uint32_t gfp) {
  constexpr uint32_t kSlabBugMask = gfp::kDma32 | gfp::kHighMem;
  if (gfp & kSlabBugMask) [[unlikely]]
    k.Emit(EventLevel::kFaults, Console{FixGfpReport(k, gfp, kSlabBugMask)});
  KmemCache& s = k.slub.caches[cache];
  int order = 0;
  const Pfn pfn = SlabPages(k, s, gfp, &order);
  if (!pfn.valid()) return {};
  const Id<Slab> id = k.slub.slabs.New();
  Slab& slab = k.slub.slabs[id];
  slab.cache = cache;
  slab.pfn = pfn;
  slab.order = static_cast<uint8_t>(order);
  slab.objects = static_cast<uint16_t>((kPageSize << order) / s.geometry.size);
  VM_BUG_ON(slab.objects > kSlabObjectsMax);
  for (uint64_t i = 0; i < uint64_t{1} << order; i++) {
    Page& page = k.page(pfn + PageCount(i));
    page.flags |= page_flag::kSlab;
    page.mapping = id.value();
  }
  s.nr_slabs++;
  s.total_objects += slab.objects;
  k.vmstat.node[StatOf(s)] += int64_t{1} << order;
  InitObjects(k, s, slab);
  return id;
}

void DiscardSlab(Kernel& k, Id<Slab> id) {
  const Slab slab = std::as_const(k.slub.slabs)[id];
  KmemCache& s = k.slub.caches[slab.cache];
  if (s.Has(slab_flag::kConsistencyChecks)) CheckFreedSlab(k, s, slab);
  s.nr_slabs--;
  s.total_objects -= slab.objects;
  k.vmstat.node[StatOf(s)] -= int64_t{1} << slab.order;
  k.slub.slabs.Delete(id);
  FreePages(k, slab.pfn, slab.order);
}

namespace {

// Where a slab goes that nobody works on: away when it is empty and the node
// has enough of them.
void PutOnNode(Kernel& k, Id<Slab> id, At at) {
  const Slab& slab = std::as_const(k.slub.slabs)[id];
  const KmemCache& s = std::as_const(k.slub.caches)[slab.cache];
  if (slab.inuse == 0 && s.nr_partial >= s.geometry.min_partial) {
    k.slub.slabs[id].place = SlabPlace::kFull;
    DiscardSlab(k, id);
  } else {
    AddPartial(k, id, at);
  }
}

// __put_partials(): the list that begins with `id`.
void PutPartials(Kernel& k, Id<Slab> id) {
  while (id) {
    const Id<Slab> next = std::exchange(k.slub.slabs[id].next, {});
    PutOnNode(k, id, At::kTail);
    id = next;
  }
}

// deactivate_slab(): what the CPU has left of its slab.
void DeactivateCpuSlab(Kernel& k, KmemCache& s) {
  const Id<Slab> id = std::exchange(s.cpu_slab, {});
  if (!id) return;
  Slab& slab = k.slub.slabs[id];
  slab.freelist = std::exchange(s.cpu_freelist, 0);
  uint32_t left = 0;
  for (uint64_t word : slab.free) left += __builtin_popcountll(word);
  slab.inuse = static_cast<uint16_t>(slab.objects - left);
  slab.place = SlabPlace::kFull;
  if (slab.freelist != 0) PutOnNode(k, id, At::kHead);
}

// flush_all(): nothing is the CPU's any more.
void FlushCpu(Kernel& k, KmemCache& s) {
  DeactivateCpuSlab(k, s);
  s.cpu_partial_count = 0;
  PutPartials(k, std::exchange(s.cpu_partial, {}));
}

std::vector<Id<Slab>> PartialSlabs(const Kernel& k, const KmemCache& s) {
  std::vector<Id<Slab>> slabs;
  for (Id<Slab> id = s.partial_head; id; id = k.slub.slabs[id].next) {
    slabs.push_back(id);
  }
  return slabs;
}

}  // namespace

void PutCpuPartial(Kernel& k, KmemCache& s, Id<Slab> id, bool drain) {
  Id<Slab> full;
  if (drain && s.cpu_partial_count >= s.geometry.cpu_partial_slabs) {
    full = std::exchange(s.cpu_partial, {});
    s.cpu_partial_count = 0;
  }
  Slab& slab = k.slub.slabs[id];
  slab.place = SlabPlace::kCpuPartial;
  slab.next = std::exchange(s.cpu_partial, id);
  s.cpu_partial_count++;
  PutPartials(k, full);
}

Id<Slab> GetPartialNode(Kernel& k, KmemCache& s) {
  Id<Slab> found;
  uint32_t more = 0;
  while (s.partial_head) {
    const Id<Slab> id = s.partial_head;
    RemovePartial(k, id);
    if (!found) {
      found = id;
      if (s.geometry.cpu_partial_slabs == 0) break;
      continue;
    }
    PutCpuPartial(k, s, id, false);
    if (++more > s.geometry.cpu_partial_slabs / 2) break;
  }
  return found;
}

bool ShrinkCache(Kernel& k, Id<KmemCache> id) {
  constexpr uint32_t kPromoteMax = 32;  // SHRINK_PROMOTE_MAX
  KmemCache& s = k.slub.caches[id];
  FlushCpu(k, s);
  std::array<std::vector<Id<Slab>>, kPromoteMax> promote;
  for (Id<Slab> at : PartialSlabs(std::as_const(k), s)) {
    const Slab& slab = std::as_const(k.slub.slabs)[at];
    const uint32_t left = slab.objects - slab.inuse;
    if (slab.inuse == 0) {
      RemovePartial(k, at);
      DiscardSlab(k, at);
    } else if (left <= kPromoteMax) {
      RemovePartial(k, at);
      promote[left - 1].push_back(at);
    }
  }
  // The fullest come first; of those that are alike, the one looked at last.
  for (auto kind = promote.rbegin(); kind != promote.rend(); ++kind) {
    for (Id<Slab> at : *kind) AddPartial(k, at, At::kHead);
  }
  return s.nr_slabs > 0;
}

bool ShutdownCache(Kernel& k, Id<KmemCache> id) {
  KmemCache& s = k.slub.caches[id];
  FlushCpu(k, s);
  for (Id<Slab> at : PartialSlabs(std::as_const(k), s)) {
    if (std::as_const(k.slub.slabs)[at].inuse != 0) continue;
    RemovePartial(k, at);
    DiscardSlab(k, at);
  }
  if (s.nr_slabs == 0) return true;
  SlubLog log(k, s);
  for (Id<Slab> at : PartialSlabs(std::as_const(k), s)) {
    log.ObjectsRemaining(std::as_const(k.slub.slabs)[at]);
  }
  log.StillHasObjects();
  return false;
}

uint64_t CountPartialFree(const Kernel& k, const KmemCache& s) {
  uint64_t n = 0;
  for (Id<Slab> id = s.partial_head; id; id = k.slub.slabs[id].next) {
    const Slab& slab = k.slub.slabs[id];
    n += static_cast<uint64_t>(slab.objects - slab.inuse);
  }
  return n;
}

}  // namespace faultline

// Models mm/slub.c (v6.18): ___slab_alloc(), __slab_free(),
// alloc_single_from_partial(), free_to_partial_list(). Departures: D41 (a bad
// pointer is noticed at once), D42 (no sheaves, no hardened free pointers).
#include "server/machine/mm/slub.h"

#include <utility>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/slub_debug.h"
#include "server/machine/mm/slub_node.h"
#include "server/machine/mm/slub_report.h"

namespace faultline {
namespace {

// The slab becomes the CPU's, with all its free objects.
void Activate(Kernel& k, KmemCache& s, Id<Slab> id) {
  Slab& slab = k.slub.slabs[id];
  slab.place = SlabPlace::kCpu;
  slab.inuse = slab.objects;
  s.cpu_slab = id;
  s.cpu_freelist = std::exchange(slab.freelist, 0);
}

// ___slab_alloc() up to a slab that has a free object. False: no memory.
bool Refill(Kernel& k, Id<KmemCache> cache, uint32_t gfp) {
  KmemCache& s = k.slub.caches[cache];
  if (s.cpu_slab) {
    // It is full, and on no list until something of it is freed.
    k.slub.slabs[s.cpu_slab].place = SlabPlace::kFull;
    s.cpu_slab = {};
  }
  Id<Slab> id = s.cpu_partial;
  if (id) {
    s.cpu_partial = std::exchange(k.slub.slabs[id].next, {});
    s.cpu_partial_count--;
  } else {
    id = GetPartialNode(k, s);
  }
  if (!id) id = NewSlab(k, cache, gfp);
  if (!id) return false;
  Activate(k, s, id);
  return true;
}

// The chain of a slab that was written to where it should not have been: what
// comes after `object` is given up. freelist_corrupted()
void IsolateFreechain(Kernel& k, const KmemCache& s, Slab& slab,
                      uint64_t object) {
  SlubLog log(k, s);
  log.ObjectError(slab, object, "Freechain corrupt");
  log.Fix("Isolate corrupted freechain");
  for (uint32_t i = 0; i < slab.objects; i++) {
    if (!slab.IsFree(i)) continue;
    slab.SetFree(i, false);
    slab.lost++;
  }
  if (slab.place != SlabPlace::kCpu) slab.inuse = slab.objects;
}

// Takes the first of a chain, and says what comes next.
uint64_t TakeFirst(Kernel& k, const KmemCache& s, Slab& slab, uint64_t object) {
  slab.SetFree(ObjectIndex(std::as_const(k), slab, object), false);
  const uint64_t next = GetFreePointer(std::as_const(k), s, object);
  if (next == 0) {
    for (uint64_t word : slab.free) {
      if (word == 0) continue;
      IsolateFreechain(k, s, slab, object);
      break;
    }
    return 0;
  }
  const uint32_t index = ObjectIndex(std::as_const(k), slab, next);
  if (index != kNoObject && slab.IsFree(index)) [[likely]]
    return next;
  IsolateFreechain(k, s, slab, object);
  return 0;
}

// An object of a cache that checks each of them: alloc_single_from_partial(),
// alloc_single_from_new_slab(). 0: no memory.
uint64_t AllocSingle(Kernel& k, Id<KmemCache> cache, uint32_t gfp,
                     const SlabUse& use) {
  KmemCache& s = k.slub.caches[cache];
  // Each round ends or takes a damaged slab off the list.
  for (;;) {
    Id<Slab> id = s.partial_head;
    const bool fresh = !id;
    if (fresh) id = NewSlab(k, cache, gfp);
    if (!id) return 0;
    Slab& slab = k.slub.slabs[id];
    const uint64_t object = slab.freelist;
    slab.inuse++;
    slab.freelist = TakeFirst(k, s, slab, object);
    const bool good = AllocDebugProcessing(k, s, slab, object, use);
    const bool full = slab.inuse == slab.objects || slab.freelist == 0;
    if (fresh && !full) AddPartial(k, id, At::kHead);
    if (!fresh && full) RemovePartial(k, id);
    if (good) return object;
  }
}

// free_to_partial_list()
Errno FreeSingle(Kernel& k, Id<Slab> id, uint64_t object, const SlabUse& use) {
  Slab& slab = k.slub.slabs[id];
  KmemCache& s = k.slub.caches[slab.cache];
  if (!FreeDebugProcessing(k, s, slab, object, use)) return Errno::kEINVAL;
  const uint64_t prior = std::exchange(slab.freelist, object);
  SetFreePointer(k, s, object, prior);
  slab.SetFree(ObjectIndex(std::as_const(k), slab, object), true);
  slab.inuse--;
  const bool discard =
      slab.inuse == 0 && s.nr_partial >= s.geometry.min_partial;
  const bool listed = slab.place == SlabPlace::kNodePartial;
  if (discard) {
    if (listed) RemovePartial(k, id);
    DiscardSlab(k, id);
  } else if (!listed) {
    AddPartial(k, id, At::kTail);
  }
  return Errno::kOk;
}

// __slab_free() of a slab that is not the CPU's.
void FreeElsewhere(Kernel& k, KmemCache& s, Id<Slab> id, uint64_t object) {
  Slab& slab = k.slub.slabs[id];
  const uint64_t prior = std::exchange(slab.freelist, object);
  SetFreePointer(k, s, object, prior);
  slab.inuse--;
  if (slab.place == SlabPlace::kFull) return PutCpuPartial(k, s, id, true);
  if (slab.place == SlabPlace::kNodePartial && slab.inuse == 0 &&
      s.nr_partial >= s.geometry.min_partial) {
    RemovePartial(k, id);
    DiscardSlab(k, id);
  }
}

}  // namespace

uint32_t ObjectIndex(const Kernel& k, const Slab& slab, uint64_t addr) {
  const uint64_t first = SlabFirstObject(k, slab);
  const uint64_t offset = addr - first;
  const uint32_t size = k.slub.caches[slab.cache].geometry.size;
  if (offset >= uint64_t{slab.objects} * size) return kNoObject;
  const auto small = static_cast<uint32_t>(offset);
  return small % size == 0 ? small / size : kNoObject;
}

uint64_t GetFreePointer(const Kernel& k, const KmemCache& s, uint64_t object) {
  return ReadPointer(k, object + s.geometry.offset);
}
void SetFreePointer(Kernel& k, const KmemCache& s, uint64_t object,
                    uint64_t next) {
  WritePointer(k, object + s.geometry.offset, next);
}

Id<Slab> SlabOfPage(const Kernel& k, Pfn pfn) {
  const Page& page = k.page(pfn);
  return page.Is(page_flag::kSlab) ? Id<Slab>(page.mapping) : Id<Slab>();
}

uint64_t SlabAlloc(Kernel& k, Id<KmemCache> id, uint32_t gfp,
                   uint64_t orig_size, SlabCaller caller) {
  KmemCache& s = k.slub.caches[id];
  uint64_t object = 0;
  if (s.debug()) [[unlikely]] {
    object = AllocSingle(k, id, gfp, {orig_size, caller});
  } else if (s.cpu_freelist != 0 || Refill(k, id, gfp)) [[likely]] {
    object = s.cpu_freelist;
    s.cpu_freelist = TakeFirst(k, s, k.slub.slabs[s.cpu_slab], object);
  }
  if (object == 0) {
    if (!(gfp & gfp::kNoWarn) && k.trace.Wants(EventLevel::kFaults)) {
      k.Emit(EventLevel::kFaults, Console{SlabOutOfMemory(k, s, gfp)});
    }
    return 0;
  }
  if (gfp & gfp::kZero) {
    FillBytes(k, object, 0, s.debug() ? orig_size : s.geometry.object_size);
  }
  return object;
}

Errno SlabFree(Kernel& k, Id<Slab> id, uint64_t object, SlabCaller caller) {
  Slab& slab = k.slub.slabs[id];
  KmemCache& s = k.slub.caches[slab.cache];
  if (s.debug()) [[unlikely]]
    return FreeSingle(k, id, object, {s.geometry.object_size, caller});
  const uint32_t index = ObjectIndex(std::as_const(k), slab, object);
  if (index == kNoObject || slab.IsFree(index)) [[unlikely]] {
    (void)FreeDebugProcessing(k, s, slab, object, {0, caller});
    return Errno::kEINVAL;
  }
  slab.SetFree(index, true);
  if (id == s.cpu_slab) [[likely]] {
    SetFreePointer(k, s, object, s.cpu_freelist);
    s.cpu_freelist = object;
  } else {
    FreeElsewhere(k, s, id, object);
  }
  return Errno::kOk;
}

void NoteStoreToSlab(Kernel& k, Id<Slab> id, uint64_t addr) {
  const Slab& slab = std::as_const(k.slub.slabs)[id];
  const SlabGeometry& g = std::as_const(k.slub.caches)[slab.cache].geometry;
  const uint64_t offset = addr - SlabFirstObject(std::as_const(k), slab);
  const uint64_t index = offset / g.size;
  const bool own = index < slab.objects && offset % g.size < g.object_size &&
                   !slab.IsFree(static_cast<uint32_t>(index));
  if (!own) k.page(slab.pfn).index = 1;
}

}  // namespace faultline

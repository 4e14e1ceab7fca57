// Verifies slabs: what the pages, the chains of free objects and the caches'
// lists and counters say of one another.
#include <bit>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/slub.h"
#include "server/machine/verify/verifier.h"

namespace faultline::verify {

void Verifier::CheckSlabs() {
  k_.slub.slabs.ForEach([&](Id<Slab> id, const Slab& slab) {
    if (ok()) CheckSlab(id, slab);
  });
  uint64_t listed = 0;
  for (Id<KmemCache> id = k_.slub.newest; id && ok();
       id = k_.slub.caches[id].next) {
    CheckCache(id, k_.slub.caches[id]);
    listed++;
  }
  Expect("slab_caches", "the machine; caches:", 0, k_.slub.caches.count(),
         listed);
}

void Verifier::CheckSlab(Id<Slab> id, const Slab& slab) {
  auto fail = [&](const char* why) {
    Fail("slab %u at frame %u: %s", id.value(), slab.pfn.value(), why);
  };
  if (!k_.slub.caches.Has(slab.cache)) return fail("it has no cache");
  const KmemCache& s = k_.slub.caches[slab.cache];
  if ((kPageSize << slab.order) / s.geometry.size != slab.objects) {
    return fail("it has another number of objects than fit");
  }
  const Page& head = k_.page(slab.pfn);
  if (head.refcount != 1 || head.order != slab.order) {
    return fail("its first page is no block of its order");
  }
  for (uint64_t i = 0; i < uint64_t{1} << slab.order; i++) {
    const Page& page = k_.page(slab.pfn + PageCount(i));
    if (!page.Is(page_flag::kSlab) || page.mapping != id.value()) {
      return fail("one of its pages does not say so");
    }
    slab_pages_++;
  }
  uint32_t free = 0;
  for (const uint64_t word : slab.free) {
    free += static_cast<uint32_t>(std::popcount(word));
  }
  for (uint32_t i = slab.objects; i < kSlabObjectsMax; i++) {
    if (slab.IsFree(i)) return fail("an object that it has not is free");
  }
  const bool cpu = slab.place == SlabPlace::kCpu;
  if (cpu != (s.cpu_slab == id)) return fail("whose slab it is is not clear");
  if (slab.inuse != (cpu ? slab.objects : slab.objects - free)) {
    return fail("inuse is not what the free objects leave");
  }
  if (slab.place == SlabPlace::kFull && free != 0) {
    return fail("it has free objects and is on no list");
  }
  if (free == 0 && (slab.place == SlabPlace::kCpuPartial ||
                    slab.place == SlabPlace::kNodePartial)) {
    return fail("it is full and on a list of partial slabs");
  }
  CheckFreeChain(id, slab, free);
  slabs_of_[slab.cache.value()]++;
  objects_of_[slab.cache.value()] += slab.objects;
}

// Where somebody stored into what was free, the chain may end anywhere.
void Verifier::CheckFreeChain(Id<Slab> id, const Slab& slab, uint32_t free) {
  const KmemCache& s = k_.slub.caches[slab.cache];
  const bool cpu = slab.place == SlabPlace::kCpu;
  uint32_t found = 0;
  for (uint64_t at = cpu ? s.cpu_freelist : slab.freelist;
       at != 0 && found <= free; at = GetFreePointer(k_, s, at)) {
    const uint32_t index = ObjectIndex(k_, slab, at);
    if (index == kNoObject || !slab.IsFree(index)) break;
    found++;
  }
  if (found == free || WasScribbledOn(k_, slab)) return;
  Fail("slab %u of %s: the chain has %u of %u free objects", id.value(),
       s.name.c_str(), found, free);
}

void Verifier::CheckCache(Id<KmemCache> id, const KmemCache& s) {
  Expect("nr_slabs", s.name.c_str(), id.value(), slabs_of_[id.value()],
         s.nr_slabs);
  Expect("total_objects", s.name.c_str(), id.value(), objects_of_[id.value()],
         s.total_objects);
  uint64_t partial = 0;
  Id<Slab> prev;
  for (Id<Slab> at = s.partial_head; at && partial <= s.nr_slabs;
       prev = at, at = k_.slub.slabs[at].next, partial++) {
    const Slab& slab = k_.slub.slabs[at];
    if (slab.place == SlabPlace::kNodePartial && slab.prev == prev) continue;
    return Fail("cache %s: the node's list is broken at slab %u",
                s.name.c_str(), at.value());
  }
  Expect("nr_partial", s.name.c_str(), id.value(), partial, s.nr_partial);
  if (s.partial_tail != prev) {
    Fail("cache %s: the node's list ends elsewhere", s.name.c_str());
  }
  uint64_t waiting = 0;
  for (Id<Slab> at = s.cpu_partial; at && waiting <= s.nr_slabs;
       at = k_.slub.slabs[at].next, waiting++) {
    if (k_.slub.slabs[at].place == SlabPlace::kCpuPartial) continue;
    return Fail("cache %s: slab %u is on the CPU's list by mistake",
                s.name.c_str(), at.value());
  }
  Expect("cpu_partial", s.name.c_str(), id.value(), waiting,
         s.cpu_partial_count);
}

void Verifier::CheckSlabStatistics() {
  Expect("frames of slabs", "the machine; pages of slabs:", slab_pages_,
         slab_pages_, slab_frames_);
  uint64_t reclaimable = 0;
  k_.slub.slabs.ForEach([&](Id<Slab>, const Slab& slab) {
    const KmemCache& s = k_.slub.caches[slab.cache];
    if (s.Has(slab_flag::kReclaimAccount)) {
      reclaimable += uint64_t{1} << slab.order;
    }
  });
  const uint64_t unreclaimable =
      slab_pages_ - reclaimable + large_kmalloc_pages_;
  Expect("nr_slab_reclaimable", "the machine", 0, reclaimable,
         static_cast<uint64_t>(k_.vmstat.node[kNrSlabReclaimable]));
  Expect("nr_slab_unreclaimable", "the machine", 0, unreclaimable,
         static_cast<uint64_t>(k_.vmstat.node[kNrSlabUnreclaimable]));
  Expect("frames of vmalloc", "the machine; mapped:", vmalloc_pages_.size(),
         vmalloc_pages_.size(), vmalloc_frames_);
}

}  // namespace faultline::verify

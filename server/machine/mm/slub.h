// The slab allocator: objects of one size, in slabs of a few pages. The CPU has
// one slab from which it takes without further ado; others that are not full
// wait on the CPU's list, then on the node's.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SLUB_H_
#define FAULTLINE_SERVER_MACHINE_MM_SLUB_H_

#include <cstdint>
#include <string>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"
#include "server/machine/mm/direct_map.h"

namespace faultline {

// Who allocated or freed an object last, as its tracks say.
enum class SlabCaller : uint8_t {
  kNone = 0,
  kKmalloc,
  kKmemCacheAlloc,
  kKfree,
  kKmemCacheFree,
};

// slab_alloc_node(): the object's address; 0: no memory, and why is in the log.
// `orig_size` is what the caller asked for.
uint64_t SlabAlloc(Kernel& k, Id<KmemCache> id, uint32_t gfp,
                   uint64_t orig_size, SlabCaller caller);
// slab_free(). EINVAL: it is no object, or free already, or damaged; it is
// reported and nothing is freed.
Errno SlabFree(Kernel& k, Id<Slab> id, uint64_t object, SlabCaller caller);

// virt_to_slab(): none when the page is of no slab.
Id<Slab> SlabOfPage(const Kernel& k, Pfn pfn);

// __kmem_cache_shrink(): gives back empty slabs and puts the fullest first.
// True: slabs remain.
bool ShrinkCache(Kernel& k, Id<KmemCache> id);
// __kmem_cache_shutdown(): false when objects remain, which it reports.
bool ShutdownCache(Kernel& k, Id<KmemCache> id);

// The first object of a slab lies behind its left red zone.
inline uint64_t SlabFirstObject(const Kernel& k, const Slab& slab) {
  return VirtOf(k, slab.pfn) + k.slub.caches[slab.cache].geometry.red_left_pad;
}
// check_valid_pointer(): the object's number, or kNoObject.
inline constexpr uint32_t kNoObject = ~uint32_t{0};
uint32_t ObjectIndex(const Kernel& k, const Slab& slab, uint64_t addr);

// ALLOC_FREEZE and the node's list: shared with slub_debug.
uint64_t GetFreePointer(const Kernel& k, const KmemCache& s, uint64_t object);
void SetFreePointer(Kernel& k, const KmemCache& s, uint64_t object,
                    uint64_t next);

// A store by address, of somebody who does not own what is there: into a free
// object, a red zone, a track. What is damaged is found out later, if at all;
// the slab's first page remembers that it may be.
void NoteStoreToSlab(Kernel& k, Id<Slab> id, uint64_t addr);
inline bool WasScribbledOn(const Kernel& k, const Slab& slab) {
  return k.page(slab.pfn).index != 0;
}

// count_partial_free_approx()
uint64_t CountPartialFree(const Kernel& k, const KmemCache& s);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SLUB_H_

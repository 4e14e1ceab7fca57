// struct kmem_cache and struct slab: the data of the slab allocator. Models
// mm/slab.h and include/linux/slab.h (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_MM_SLUB_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_SLUB_TYPES_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/base/pool.h"
#include "server/machine/base/units.h"

namespace faultline {

// SLAB_*, with the values that they had while they were an interface (to 6.8).
namespace slab_flag {
inline constexpr uint64_t kConsistencyChecks = 0x100;
inline constexpr uint64_t kRedZone = 0x400;
inline constexpr uint64_t kPoison = 0x800;
inline constexpr uint64_t kKmalloc = 0x1000;
inline constexpr uint64_t kHwcacheAlign = 0x2000;
inline constexpr uint64_t kCacheDma = 0x4000;
inline constexpr uint64_t kCacheDma32 = 0x8000;
inline constexpr uint64_t kStoreUser = 0x10000;
inline constexpr uint64_t kReclaimAccount = 0x20000;
inline constexpr uint64_t kPanic = 0x40000;
inline constexpr uint64_t kTypesafeByRcu = 0x80000;
inline constexpr uint64_t kNoMerge = 0x1000000;
inline constexpr uint64_t kAccount = 0x4000000;

// SLAB_DEBUG_FLAGS, and what `slub_debug` may ask for.
inline constexpr uint64_t kDebug =
    kConsistencyChecks | kRedZone | kPoison | kStoreUser;
inline constexpr uint64_t kPermitted = kDebug | kHwcacheAlign | kCacheDma |
                                       kCacheDma32 | kReclaimAccount | kPanic |
                                       kTypesafeByRcu | kNoMerge | kAccount;
// SLAB_NEVER_MERGE, SLAB_MERGE_SAME
inline constexpr uint64_t kNeverMerge =
    kRedZone | kPoison | kStoreUser | kTypesafeByRcu | kNoMerge;
inline constexpr uint64_t kMergeSame =
    kReclaimAccount | kCacheDma | kCacheDma32 | kAccount;
}  // namespace slab_flag

struct KmemCache;

// Where a slab is. One that is full is on no list.
enum class SlabPlace : uint8_t {
  kFull = 0,
  kCpu = 1,          // c->slab
  kCpuPartial = 2,   // c->partial
  kNodePartial = 3,  // n->partial
};

// MAX_OBJS_PER_PAGE is 32767 in Linux; no slab of the sizes there are has more
// than a page of the smallest objects.
inline constexpr uint32_t kSlabObjectsMax = 512;

// struct slab. Its free objects are chained by addresses that lie in the
// objects themselves; which ones are free is known besides (departure D41).
struct Slab {
  Id<KmemCache> cache;
  Pfn pfn;  // its first page
  uint8_t order = 0;
  SlabPlace place = SlabPlace::kFull;
  uint16_t inuse = 0;  // as in Linux: all of them while it is the CPU's
  uint16_t objects = 0;
  uint16_t lost = 0;      // free once, of a chain that was damaged
  uint64_t freelist = 0;  // the address of the first free object; 0: none
  Id<Slab> prev;          // of a list
  Id<Slab> next;
  std::array<uint64_t, kSlabObjectsMax / 64> free{};  // a bit for each object

  bool IsFree(uint32_t object) const {
    return (free[object / 64] >> (object % 64) & 1) != 0;
  }
  void SetFree(uint32_t object, bool is_free) {
    const uint64_t bit = uint64_t{1} << (object % 64);
    free[object / 64] =
        is_free ? free[object / 64] | bit : free[object / 64] & ~bit;
  }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.cache, s.pfn, s.order, s.place, s.inuse, s.objects, s.lost, s.freelist,
       s.prev, s.next, s.free);
  }
};

// What calculate_sizes() makes of a cache's size, alignment and flags. An
// object lies at `red_left_pad` of its `size` bytes.
struct SlabGeometry {
  uint32_t object_size = 0;  // what the user asked for
  uint32_t size = 0;         // with what the allocator adds
  uint32_t align = 0;
  uint32_t inuse = 0;   // up to where the object and its right red zone reach
  uint32_t offset = 0;  // of the free pointer
  uint32_t red_left_pad = 0;
  int32_t order = 0;      // of a slab
  int32_t min_order = 0;  // when memory is scarce
  uint32_t objects = 0;   // of a slab of `order`
  uint32_t min_partial = 0;
  uint32_t cpu_partial = 0;        // objects, as sysfs shows it
  uint32_t cpu_partial_slabs = 0;  // slabs, by which it is kept

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.object_size, s.size, s.align, s.inuse, s.offset, s.red_left_pad,
       s.order, s.min_order, s.objects, s.min_partial, s.cpu_partial,
       s.cpu_partial_slabs);
  }
};

// struct kmem_cache, with kmem_cache_cpu of the one CPU and kmem_cache_node of
// the one node.
struct KmemCache {
  std::string name;
  std::vector<std::string> aliases;  // caches that were merged into it
  uint64_t flags = 0;                // slab_flag::*
  SlabGeometry geometry;
  int32_t refcount = 0;  // itself and its aliases
  Id<KmemCache> next;    // slab_caches: made before it

  Id<Slab> cpu_slab;
  uint64_t cpu_freelist = 0;
  Id<Slab> cpu_partial;  // the newest; linked by next
  uint32_t cpu_partial_count = 0;

  Id<Slab> partial_head;
  Id<Slab> partial_tail;
  uint32_t nr_partial = 0;
  uint64_t nr_slabs = 0;
  uint64_t total_objects = 0;

  bool Has(uint64_t flag) const { return (flags & flag) != 0; }
  bool debug() const { return Has(slab_flag::kDebug); }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.name, s.aliases, s.flags, s.geometry, s.refcount, s.next, s.cpu_slab,
       s.cpu_freelist, s.cpu_partial, s.cpu_partial_count, s.partial_head,
       s.partial_tail, s.nr_partial, s.nr_slabs, s.total_objects);
  }
};

// enum kmalloc_cache_type.
enum class KmallocType : uint8_t {
  kNormal = 0,
  kCgroup = 1,
  kReclaim = 2,
  kDma = 3,
};
inline constexpr int kKmallocTypes = 4;
// Index i serves 2^i bytes; 1 and 2 serve 96 and 192, 0 nothing.
inline constexpr int kKmallocShiftLow = 3;
inline constexpr int kKmallocShiftHigh = 13;

// All of the allocator. Its caches are made when the first of them is asked
// for, so that a machine that uses none has none.
struct Slub {
  bool up = false;
  bool tainted = false;  // TAINT_BAD_PAGE: a bug was reported
  Pool<KmemCache, 3> caches;
  Pool<Slab, 3> slabs;
  Id<KmemCache> newest;  // slab_caches
  std::array<std::array<Id<KmemCache>, kKmallocShiftHigh + 1>, kKmallocTypes>
      kmalloc{};

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.up, s.tainted, s.caches, s.slabs, s.newest, s.kmalloc);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SLUB_TYPES_H_

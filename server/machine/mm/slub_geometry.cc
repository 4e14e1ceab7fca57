// Models mm/slub.c (v6.18): calculate_sizes(), calculate_order(),
// calc_slab_order(), set_cpu_partial(), init_kmem_cache_node();
// mm/slab_common.c: calculate_alignment(). 6.1 lowers the number of objects
// that it wants before it gives up, 6.18 the waste that it accepts further.
#include "server/machine/mm/slub_geometry.h"

#include <algorithm>

namespace faultline {
namespace {

constexpr int32_t kSlubMaxOrder = 3;  // PAGE_ALLOC_COSTLY_ORDER
constexpr uint32_t kMaxObjsPerPage = 32767;
constexpr uint32_t kCacheLine = 64;

uint32_t WordOf(const MachineConfig& c) {
  return c.profile == Profile::kX86_64 ? 8 : 4;
}
// ALIGN(): to a power of two.
uint64_t AlignUp(uint64_t n, uint64_t to) { return (n + to - 1) & ~(to - 1); }
int32_t Fls(uint32_t n) { return n == 0 ? 0 : 32 - __builtin_clz(n); }

uint32_t OrderObjects(int32_t order, uint32_t size) {
  return static_cast<uint32_t>((kPageSize << order) / size);
}

// calc_slab_order(): the first order from `order` on that wastes no more than
// one part in `fraction`; above `max` when there is none.
int32_t CalcSlabOrder(uint32_t size, int32_t order, int32_t max,
                      uint32_t fraction) {
  for (; order <= max; order++) {
    const uint64_t slab = kPageSize << order;
    if (slab % size <= slab / fraction) break;
  }
  return order;
}

int32_t Order61(uint32_t size, uint32_t objects) {
  for (; objects > 1; objects--) {
    for (uint32_t fraction = 16; fraction >= 4; fraction /= 2) {
      const int32_t order = CalcSlabOrder(
          size, GetOrder(uint64_t{objects} * size), kSlubMaxOrder, fraction);
      if (order <= kSlubMaxOrder) return order;
    }
  }
  return GetOrder(size);
}

int32_t Order618(uint32_t size, uint32_t objects) {
  const int32_t least = GetOrder(uint64_t{objects} * size);
  for (uint32_t fraction = 16; fraction > 1; fraction /= 2) {
    const int32_t order = CalcSlabOrder(size, least, kSlubMaxOrder, fraction);
    if (order <= kSlubMaxOrder) return order;
  }
  return GetOrder(size);
}

// set_cpu_partial(), slub_set_cpu_partial(): none where each object is checked.
void SetCpuPartial(SlabGeometry& g, uint64_t flags) {
  if (flags & slab_flag::kDebug) return;
  g.cpu_partial = g.size >= kPageSize ? 6
                  : g.size >= 1024    ? 24
                  : g.size >= 256     ? 52
                                      : 120;
  g.cpu_partial_slabs = (g.cpu_partial * 2 + g.objects - 1) / g.objects;
}

// Where the free pointer lies: in the object, unless its bytes are to stay when
// it is free. Returns what the object takes with it.
uint64_t PlaceFreePointer(const MachineConfig& config, const SlabRequest& r,
                          SlabGeometry& g) {
  const uint32_t word = WordOf(config);
  const bool outside =
      (r.flags & (slab_flag::kTypesafeByRcu | slab_flag::kPoison)) != 0 ||
      r.ctor ||
      ((r.flags & slab_flag::kRedZone) &&
       (g.object_size < word || StoresOrigSize(r.flags)));
  if (outside) {
    g.offset = g.inuse;
    return uint64_t{g.inuse} + word;
  }
  g.offset = g.object_size / 2 & ~(word - 1);
  return g.inuse;
}

}  // namespace

uint32_t CalculateAlignment(const MachineConfig& config, uint64_t flags,
                            uint64_t align, uint64_t size) {
  if (flags & slab_flag::kHwcacheAlign) {
    uint64_t line = kCacheLine;
    while (size <= line / 2) line /= 2;
    align = std::max(align, line);
  }
  constexpr uint64_t kSlabMinAlign = 8;  // __alignof__(unsigned long long)
  align = std::max(align, kSlabMinAlign);
  return static_cast<uint32_t>(AlignUp(align, WordOf(config)));
}

int32_t CalculateOrder(const MachineConfig& config, uint32_t size) {
  uint32_t objects =
      4 * static_cast<uint32_t>(Fls(std::max<uint32_t>(config.cpus, 1)) + 1);
  objects = std::min(objects,
                     std::max(OrderObjects(kSlubMaxOrder, size), uint32_t{1}));
  if (OrderObjects(GetOrder(uint64_t{objects} * size), size) >
      kMaxObjsPerPage) {
    return GetOrder(uint64_t{size} * kMaxObjsPerPage) - 1;
  }
  return config.personality == Personality::kLinux61 ? Order61(size, objects)
                                                     : Order618(size, objects);
}

SlabGeometry CalculateSizes(const MachineConfig& config, const SlabRequest& r) {
  const uint32_t word = WordOf(config);
  SlabGeometry g;
  g.object_size = static_cast<uint32_t>(r.object_size);
  g.align = CalculateAlignment(config, r.flags, r.align, r.object_size);
  uint64_t size = AlignUp(r.object_size, word);
  // A word more, so that there is a red zone to the right.
  const bool red_zone = (r.flags & slab_flag::kRedZone) != 0;
  if (red_zone && size == r.object_size) size += word;
  g.inuse = static_cast<uint32_t>(size);
  size = PlaceFreePointer(config, r, g);
  if (r.flags & slab_flag::kStoreUser) {
    size += 2 * TrackBytes(config);
    if (r.flags & slab_flag::kKmalloc) size += sizeof(uint32_t);
  }
  if (red_zone) {
    g.red_left_pad = static_cast<uint32_t>(AlignUp(word, g.align));
    size += word + g.red_left_pad;
  }
  g.size = static_cast<uint32_t>(AlignUp(size, g.align));
  g.order = CalculateOrder(config, g.size);
  g.min_order = GetOrder(g.size);
  g.objects = OrderObjects(g.order, g.size);
  constexpr uint32_t kMinPartial = 5, kMaxPartial = 10;
  const auto half_log = static_cast<uint32_t>(Fls(g.size) - 1) / 2;
  g.min_partial = std::clamp(half_log, kMinPartial, kMaxPartial);
  SetCpuPartial(g, r.flags);
  return g;
}

}  // namespace faultline

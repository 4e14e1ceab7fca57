// How large an object is in its slab, and how large a slab is: what a cache's
// size, alignment and flags come to.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SLUB_GEOMETRY_H_
#define FAULTLINE_SERVER_MACHINE_MM_SLUB_GEOMETRY_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// What a geometry is worked out from.
struct SlabRequest {
  uint64_t object_size = 0;  // 1 .. KMALLOC_MAX_SIZE
  uint64_t align = 0;        // a power of two, or 0
  uint64_t flags = 0;        // slab_flag::*
  bool ctor = false;         // a constructor: its work may not be overwritten
};

// calculate_sizes() and what kmem_cache_open() adds.
SlabGeometry CalculateSizes(const MachineConfig& config,
                            const SlabRequest& request);
// calculate_alignment()
uint32_t CalculateAlignment(const MachineConfig& config, uint64_t flags,
                            uint64_t align, uint64_t size);
// calculate_order(): of a slab of objects of this size.
int32_t CalculateOrder(const MachineConfig& config, uint32_t size);

// slub_debug_orig_size(): an object remembers how much kmalloc() was asked for.
inline bool StoresOrigSize(uint64_t flags) {
  constexpr uint64_t kBoth = slab_flag::kStoreUser | slab_flag::kKmalloc;
  return (flags & kBoth) == kBoth;
}
// sizeof(struct track)
inline uint32_t TrackBytes(const MachineConfig& config) {
  return config.profile == Profile::kX86_64 ? 32 : 20;
}
// get_order(): of a block that holds so many bytes. REQUIRES: bytes > 0.
inline int32_t GetOrder(uint64_t bytes) {
  const uint64_t last = (bytes - 1) >> kPageShift;
  return last == 0 ? 0 : 64 - __builtin_clzll(last);
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SLUB_GEOMETRY_H_

// What a cache with debug flags does to its objects: poison, red zones and
// tracks, and the checks of them.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SLUB_DEBUG_H_
#define FAULTLINE_SERVER_MACHINE_MM_SLUB_DEBUG_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/mm/slub.h"

namespace faultline {

// include/linux/poison.h
namespace poison {
inline constexpr uint8_t kRedInactive = 0xbb;
inline constexpr uint8_t kRedActive = 0xcc;
inline constexpr uint8_t kInuse = 0x5a;  // never used
inline constexpr uint8_t kFree = 0x6b;
inline constexpr uint8_t kEnd = 0xa5;  // the last byte of a free object
}  // namespace poison

// One allocation or freeing.
struct SlabUse {
  uint64_t orig_size = 0;
  SlabCaller caller = SlabCaller::kNone;
};

// setup_slab_debug() and setup_object_debug() of a slab's objects.
void SetupSlabDebug(Kernel& k, const KmemCache& s, const Slab& slab);

// alloc_debug_processing(): false when a check failed; none of the slab's
// objects is to be used then.
bool AllocDebugProcessing(Kernel& k, const KmemCache& s, Slab& slab,
                          uint64_t object, const SlabUse& use);
// free_debug_processing(): false when the object is not to be freed.
bool FreeDebugProcessing(Kernel& k, const KmemCache& s, const Slab& slab,
                         uint64_t object, const SlabUse& use);
// free_slab(): the checks of a slab before it goes.
void CheckFreedSlab(Kernel& k, const KmemCache& s, const Slab& slab);

// struct track: what is stored behind an object of SLAB_STORE_USER.
struct SlabTrack {
  uint64_t addr = 0;  // of the caller; 0: never
  uint32_t cpu = 0;
  uint32_t pid = 0;
  uint64_t when = 0;  // jiffies
};
enum class TrackOf : uint8_t { kAlloc = 0, kFree = 1 };
SlabTrack GetTrack(const Kernel& k, const KmemCache& s, uint64_t object,
                   TrackOf which);
uint64_t Jiffies(const Kernel& k);
// The name of a track's caller.
const char* CallerName(const Kernel& k, uint64_t addr);

// freeptr_outside_object(), get_info_end(), size_from_object()
inline bool FreePointerOutside(const KmemCache& s) {
  return s.geometry.offset >= s.geometry.inuse;
}
inline uint32_t InfoEnd(const Kernel& k, const KmemCache& s) {
  return s.geometry.inuse +
         (FreePointerOutside(s) ? static_cast<uint32_t>(PointerBytes(k)) : 0);
}
// Where what is known of an object ends, and its padding begins.
uint32_t PaddingStart(const Kernel& k, const KmemCache& s);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SLUB_DEBUG_H_

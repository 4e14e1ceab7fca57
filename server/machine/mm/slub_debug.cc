// Models mm/slub.c (v6.18): init_object(), check_object(), check_pad_bytes(),
// slab_pad_check(), set_track(), alloc_debug_processing(),
// free_debug_processing(). Departure: D42 (a track's caller is the call).
#include "server/machine/mm/slub_debug.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/slub_geometry.h"
#include "server/machine/mm/slub_report.h"

namespace faultline {
namespace {

// __OBJECT_POISON: free objects are filled.
bool PoisonsObjects(const KmemCache& s) {
  return s.Has(slab_flag::kPoison) && !s.Has(slab_flag::kTypesafeByRcu);
}

uint64_t TrackAddr(const Kernel& k, const KmemCache& s, uint64_t object,
                   TrackOf which) {
  return object + InfoEnd(k, s) +
         (which == TrackOf::kFree ? TrackBytes(k.config) : 0);
}
uint64_t OrigSizeAddr(const Kernel& k, const KmemCache& s, uint64_t object) {
  return object + InfoEnd(k, s) + uint64_t{2} * TrackBytes(k.config);
}

// Where a track has its fields: addr, handle, cpu, pid, when.
struct TrackLayout {
  uint32_t cpu, pid, when;
};
TrackLayout LayoutOf(const Kernel& k) {
  return PointerBytes(k) == 8 ? TrackLayout{12, 16, 24}
                              : TrackLayout{8, 12, 16};
}

constexpr uint64_t kCallerStep = 0x1000;
uint64_t CallerBase(const Kernel& k) {
  return PointerBytes(k) == 8 ? 0xffffffff81000000 : 0xc1000000;
}

void SetTrack(Kernel& k, const KmemCache& s, uint64_t object, TrackOf which,
              SlabCaller caller) {
  if (!s.Has(slab_flag::kStoreUser)) return;
  const uint64_t at = TrackAddr(k, s, object, which);
  const TrackLayout layout = LayoutOf(k);
  WritePointer(k, at,
               CallerBase(k) + static_cast<uint64_t>(caller) * kCallerStep);
  Write32(k, at + layout.cpu, 0);
  Write32(k, at + layout.pid, k.CurrentPid());
  WritePointer(k, at + layout.when, Jiffies(k));
}

// init_tracking()
void ClearTracks(Kernel& k, const KmemCache& s, uint64_t object) {
  if (!s.Has(slab_flag::kStoreUser)) return;
  FillBytes(k, TrackAddr(k, s, object, TrackOf::kAlloc), 0,
            uint64_t{2} * TrackBytes(k.config));
}

// How much of an object is its user's: what kmalloc() was asked for.
uint64_t UsedBytes(const Kernel& k, const KmemCache& s, uint64_t object,
                   uint8_t red) {
  const uint64_t size = s.geometry.object_size;
  if (red != poison::kRedActive || !StoresOrigSize(s.flags)) return size;
  return std::min<uint64_t>(size, Read32(k, OrigSizeAddr(k, s, object)));
}

// init_object(): its poison and its red zones.
void InitObject(Kernel& k, const KmemCache& s, uint64_t object, uint8_t red) {
  const SlabGeometry& g = s.geometry;
  const uint64_t used = UsedBytes(k, s, object, red);
  if (s.Has(slab_flag::kRedZone)) {
    FillBytes(k, object - g.red_left_pad, red, g.red_left_pad);
  }
  if (PoisonsObjects(s)) {
    FillBytes(k, object, poison::kFree, used - 1);
    FillBytes(k, object + used - 1, poison::kEnd, 1);
  }
  if (s.Has(slab_flag::kRedZone)) {
    FillBytes(k, object + used, red, g.inuse - used);
  }
}

// The checks of one object, in the order in which Linux makes them; the first
// that fails shows the object.
class ObjectCheck {
 public:
  ObjectCheck(Kernel& k, const KmemCache& s, const Slab& slab, uint64_t object,
              SlubLog* log)
      : k_(k), s_(s), slab_(slab), object_(object), log_(log) {}

  // check_object()
  bool Run(uint8_t red) {
    const SlabGeometry& g = s_.geometry;
    if (s_.Has(slab_flag::kRedZone)) {
      RedZones(red);
    } else if (s_.Has(slab_flag::kPoison)) {
      Bytes("Alignment padding", object_ + g.object_size, poison::kInuse,
            g.inuse - g.object_size);
    }
    if (s_.Has(slab_flag::kPoison)) {
      if (red != poison::kRedActive && PoisonsObjects(s_)) {
        Bytes("Poison", object_, poison::kFree, g.object_size - 1);
        Bytes("End Poison", object_ + g.object_size - 1, poison::kEnd, 1);
      }
      const uint32_t from = PaddingStart(k_, s_);
      Bytes("Object padding", object_ + from, poison::kInuse,
            g.size - g.red_left_pad - from);
    }
    if (FreePointerOutside(s_) || red != poison::kRedActive) FreePointer();
    return good_;
  }

 private:
  void RedZones(uint8_t red) {
    const SlabGeometry& g = s_.geometry;
    Bytes("Left Redzone", object_ - g.red_left_pad, red, g.red_left_pad);
    Bytes("Right Redzone", object_ + g.object_size, red,
          g.inuse - g.object_size);
    const uint64_t used = UsedBytes(k_, s_, object_, red);
    if (used < g.object_size) {
      Bytes("kmalloc Redzone", object_ + used, red, g.object_size - used);
    }
  }

  // check_bytes_and_report()
  void Bytes(const char* what, uint64_t from, uint8_t value, uint64_t n) {
    uint64_t first = from, end = from + n;
    while (first < end && ReadByte(std::as_const(k_), first) == value) first++;
    if (first == end) return;
    while (ReadByte(std::as_const(k_), end - 1) == value) end--;
    log_->Overwritten(slab_, object_, {what, first, end, value},
                      good_ ? ShowObject::kYes : ShowObject::kNo);
    FillBytes(k_, first, value, end - first);
    good_ = false;
  }

  void FreePointer() {
    const uint64_t next = GetFreePointer(std::as_const(k_), s_, object_);
    if (next == 0 || ObjectIndex(std::as_const(k_), slab_, next) != kNoObject) {
      return;
    }
    log_->ObjectError(slab_, object_, "Freepointer corrupt");
    SetFreePointer(k_, s_, object_, 0);
    good_ = false;
  }

  Kernel& k_;
  const KmemCache& s_;
  const Slab& slab_;
  uint64_t object_;
  SlubLog* log_;
  bool good_ = true;
};

// slab_pad_check(): what is left over behind the last object.
void CheckSlabPadding(Kernel& k, const KmemCache& s, const Slab& slab,
                      SlubLog* log) {
  if (!s.Has(slab_flag::kPoison)) return;
  const uint64_t start = VirtOf(k, slab.pfn);
  uint64_t end = start + (kPageSize << slab.order);
  uint64_t at = start + uint64_t{slab.objects} * s.geometry.size;
  while (at < end && ReadByte(std::as_const(k), at) == poison::kInuse) at++;
  if (at == end) return;
  while (ReadByte(std::as_const(k), end - 1) == poison::kInuse) end--;
  log->SlabPadding(slab, at, end);
  FillBytes(k, at, poison::kInuse, end - at);
}

}  // namespace

uint64_t Jiffies(const Kernel& k) {
  constexpr uint64_t kHz = 250, kSecond = 1'000'000'000;
  return k.clock_ns / (kSecond / kHz);
}

const char* CallerName(const Kernel& k, uint64_t addr) {
  constexpr const char* kNames[] = {"?", "kmalloc", "kmem_cache_alloc", "kfree",
                                    "kmem_cache_free"};
  const uint64_t number = (addr - CallerBase(k)) / kCallerStep;
  return number < std::size(kNames) ? kNames[number] : "?";
}

SlabTrack GetTrack(const Kernel& k, const KmemCache& s, uint64_t object,
                   TrackOf which) {
  const uint64_t at = TrackAddr(k, s, object, which);
  const TrackLayout layout = LayoutOf(k);
  return {.addr = ReadPointer(k, at),
          .cpu = Read32(k, at + layout.cpu),
          .pid = Read32(k, at + layout.pid),
          .when = ReadPointer(k, at + layout.when)};
}

uint32_t PaddingStart(const Kernel& k, const KmemCache& s) {
  uint32_t at = InfoEnd(k, s);
  if (s.Has(slab_flag::kStoreUser)) at += 2 * TrackBytes(k.config);
  if (StoresOrigSize(s.flags)) at += sizeof(uint32_t);
  return at;
}

void SetupSlabDebug(Kernel& k, const KmemCache& s, const Slab& slab) {
  if (s.Has(slab_flag::kPoison)) {
    FillBytes(k, VirtOf(k, slab.pfn), poison::kInuse, kPageSize << slab.order);
  }
  const uint64_t first = SlabFirstObject(std::as_const(k), slab);
  for (uint32_t i = 0; i < slab.objects; i++) {
    const uint64_t object = first + uint64_t{i} * s.geometry.size;
    InitObject(k, s, object, poison::kRedInactive);
    ClearTracks(k, s, object);
  }
}

bool AllocDebugProcessing(Kernel& k, const KmemCache& s, Slab& slab,
                          uint64_t object, const SlabUse& use) {
  if (s.Has(slab_flag::kConsistencyChecks)) {
    SlubLog log(k, s);
    if (!ObjectCheck(k, s, slab, object, &log).Run(poison::kRedInactive)) {
      // Better to lose them than to hand out more of the kind.
      log.Fix("Marking all objects used");
      for (uint32_t i = 0; i < slab.objects; i++) {
        if (slab.IsFree(i)) slab.lost++;
        slab.SetFree(i, false);
      }
      slab.lost++;
      slab.inuse = slab.objects;
      slab.freelist = 0;
      return false;
    }
  }
  if (StoresOrigSize(s.flags)) {
    Write32(k, OrigSizeAddr(k, s, object),
            static_cast<uint32_t>(use.orig_size));
  }
  SetTrack(k, s, object, TrackOf::kAlloc, use.caller);
  InitObject(k, s, object, poison::kRedActive);
  return true;
}

bool FreeDebugProcessing(Kernel& k, const KmemCache& s, const Slab& slab,
                         uint64_t object, const SlabUse& use) {
  SlubLog log(k, s);
  const uint32_t index = ObjectIndex(std::as_const(k), slab, object);
  bool good = false;
  if (index == kNoObject) {
    log.InvalidObject(slab, object);
  } else if (slab.IsFree(index)) {
    log.ObjectError(slab, object, "Object already free");
  } else {
    good = !s.Has(slab_flag::kConsistencyChecks) ||
           ObjectCheck(k, s, slab, object, &log).Run(poison::kRedActive);
  }
  if (!good) {
    log.NotFreed(object);
    return false;
  }
  SetTrack(k, s, object, TrackOf::kFree, use.caller);
  InitObject(k, s, object, poison::kRedInactive);
  return true;
}

void CheckFreedSlab(Kernel& k, const KmemCache& s, const Slab& slab) {
  SlubLog log(k, s);
  CheckSlabPadding(k, s, slab, &log);
  const uint64_t first = SlabFirstObject(std::as_const(k), slab);
  for (uint32_t i = 0; i < slab.objects; i++) {
    const uint64_t object = first + uint64_t{i} * s.geometry.size;
    (void)ObjectCheck(k, s, slab, object, &log).Run(poison::kRedInactive);
  }
}

}  // namespace faultline

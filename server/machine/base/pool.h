// Pool: objects named by index, so that a machine holds no pointer into
// itself. An Id<T> is what a `struct T *` is in Linux; 0 is NULL.
#ifndef FAULTLINE_SERVER_MACHINE_BASE_POOL_H_
#define FAULTLINE_SERVER_MACHINE_BASE_POOL_H_

#include <compare>
#include <cstddef>
#include <cstdint>

#include "server/machine/base/bug.h"
#include "server/machine/base/cow.h"

namespace faultline {

template <class T>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(uint32_t n) : n_(n) {}
  constexpr uint32_t value() const { return n_; }
  constexpr explicit operator bool() const { return n_ != 0; }
  friend constexpr auto operator<=>(Id, Id) = default;

 private:
  uint32_t n_ = 0;
};

// Ids of deleted objects are reused, the last deleted first.
// kAlign: of each object and what is kept with it, in the host's memory.
template <class T, int kChunkBits = 4, size_t kAlign = alignof(T)>
class Pool {
 public:
  Id<T> New() {
    uint32_t n = free_count_ > 0 ? free_[--free_count_] : ++last_;
    slots_[n].live = true;  // its value is T{}: it is new, or was deleted
    count_++;
    return Id<T>(n);
  }
  void Delete(Id<T> id) {
    Slot& slot = slots_[id.value()];
    VM_BUG_ON(!slot.live);
    slot.live = false;
    slot.value = kNone;
    free_[free_count_++] = id.value();
    count_--;
  }
  [[gnu::always_inline]] T& operator[](Id<T> id) {
    Slot& slot = slots_[id.value()];
    VM_BUG_ON(!slot.live);
    return slot.value;
  }
  [[gnu::always_inline]] const T& operator[](Id<T> id) const {
    const Slot& slot = slots_[id.value()];
    VM_BUG_ON(!slot.live);
    return slot.value;
  }
  bool Has(Id<T> id) const { return slots_[id.value()].live; }
  uint32_t count() const { return count_; }

  // Calls f(id, object) for every object, lowest id first.
  template <class F>
  void ForEach(F f) const {
    for (uint32_t n = 1; n <= last_; n++) {
      const Slot& slot = slots_[n];
      if (slot.live) f(Id<T>(n), slot.value);
    }
  }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& self) {
    ar(self.last_, self.count_, self.free_count_, self.free_, self.slots_);
  }

 private:
  struct alignas(kAlign) Slot {
    bool live = false;
    T value{};
  };
  static inline const T kNone{};
  // An idle machine has few objects of each kind.
  static constexpr int kMidBits = 5;
  CowArray<Slot, kChunkBits, kMidBits> slots_;
  CowArray<uint32_t, 8> free_;
  uint32_t last_ = 0;
  uint32_t count_ = 0;
  uint32_t free_count_ = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_BASE_POOL_H_

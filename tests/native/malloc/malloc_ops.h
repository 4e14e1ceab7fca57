// A seeded sequence of malloc, calloc, realloc, free and stores, the same for a
// real program and for a simulated one. The standard library's allocator must
// not be used here: the program's heap is what is looked at.
#ifndef FAULTLINE_TESTS_NATIVE_MALLOC_MALLOC_OPS_H_
#define FAULTLINE_TESTS_NATIVE_MALLOC_MALLOC_OPS_H_

#include <cstdint>

namespace faultline::native {

inline constexpr uint32_t kMallocSlots = 192;

struct MallocOp {
  enum Kind : uint32_t { kMalloc, kCalloc, kRealloc, kFree, kStore };
  Kind kind = kMalloc;
  uint32_t slot = 0;
  uint64_t size = 0;    // of what is asked for
  uint64_t offset = 0;  // of the byte that is stored
};

// What a call left, all relative to where the heap began.
struct MallocRecord {
  uint64_t mem = 0;        // the slot's memory, from the start of the heap
  uint64_t size_word = 0;  // of its chunk; 0: the slot is empty
  uint64_t brk = 0;
  uint64_t min_flt = 0;  // since the record before
};

class MallocOps {
 public:
  explicit MallocOps(uint64_t seed) : state_(seed * 2 + 1) {}

  MallocOp Next() {
    MallocOp op;
    count_++;
    op.slot = static_cast<uint32_t>(Random(kMallocSlots));
    uint64_t& held = sizes_[op.slot];
    // Every now and then nearly all is freed, so that the heap shrinks.
    const bool ebb = count_ % 700 > 550;
    const uint64_t what = Random(100);
    if (held == 0) {
      if (ebb && what < 90) return Next();
      op.kind = what < 70 ? MallocOp::kMalloc : MallocOp::kCalloc;
      op.size = held = RandomSize();
    } else if (what < (ebb ? 85 : 50)) {
      op.kind = MallocOp::kFree;
      held = 0;
    } else if (what < 80) {
      op.kind = MallocOp::kRealloc;
      op.size = held = RandomSize();
    } else {
      op.kind = MallocOp::kStore;
      op.offset = Random(held);
    }
    return op;
  }

 private:
  uint64_t Random(uint64_t below) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % below;
  }
  uint64_t RandomSize() {
    const uint64_t kind = Random(100);
    if (kind < 40) return 1 + Random(160);
    if (kind < 65) return 1 + Random(1200);
    if (kind < 85) return 1 + Random(20000);
    if (kind < 96) return 1 + Random(200000);
    return 100000 + Random(3000000);
  }

  uint64_t state_;
  uint64_t count_ = 0;
  uint64_t sizes_[kMallocSlots] = {};
};

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_MALLOC_MALLOC_OPS_H_

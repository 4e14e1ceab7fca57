// The red-black tree's node of one VMA, kept apart from the VMA: a lookup among
// many reads a branch at each level and nothing else, so that most of what it
// reads is in the host's cache.
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMA_NODE_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMA_NODE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "server/machine/base/pool.h"

namespace faultline {

struct Vma;

enum class RbColor : uint8_t { kRed, kBlack };

// Which child; the other is 1 - side.
inline constexpr size_t kLeft = 0, kRight = 1;

// What a lookup reads: whether the VMA ends above the address, and where to go
// on.
struct alignas(16) VmaBranch {
  uint64_t end = 0;  // as in the VMA
  std::array<Id<Vma>, 2> child;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.end, s.child);
  }
};

// The rest: for the search of holes, and for changes.
struct VmaNode {
  // Gaps of a subtree are remembered up to this size. The huge hole below the
  // mappings changes with each of them, and its ancestors need not know; of
  // holes this large there is room for few.
  static constexpr uint64_t kGapCap = uint64_t{1} << 40;

  uint64_t start = 0;  // as in the VMA
  uint64_t gap = 0;    // free bytes below it, to the VMA before
  // The largest gap of the left and of the right subtree, or kGapCap.
  std::array<uint64_t, 2> child_gap{};
  Id<Vma> parent;
  RbColor color = RbColor::kRed;

  // rb_subtree_gap, up to kGapCap.
  uint64_t SubtreeGap() const {
    const uint64_t below = std::max(child_gap[kLeft], child_gap[kRight]);
    return std::min(kGapCap, std::max(gap, below));
  }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.start, s.gap, s.child_gap, s.parent, s.color);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMA_NODE_H_

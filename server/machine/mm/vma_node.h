// The red-black tree's node of one VMA, kept apart from the VMA: a lookup among
// many reads a branch at each level and nothing else, so that most of what it
// reads is in the host's cache.
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMA_NODE_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMA_NODE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "server/machine/base/bug.h"
#include "server/machine/base/pool.h"
#include "server/machine/base/units.h"

namespace faultline {

struct Vma;

enum class RbColor : uint8_t { kRed, kBlack };

// Which child; the other is 1 - side.
inline constexpr size_t kLeft = 0, kRight = 1;

// What a lookup reads: the VMA's range, and where to go on. Four are in one
// line of the host's cache: a word holds a number of pages (36 bits) and a
// child.
struct alignas(16) VmaBranch {
  uint64_t end_page() const { return left_ >> kIdBits; }
  VirtAddr end() const { return VirtAddr(end_page() << kPageShift); }
  VirtAddr start() const {
    return VirtAddr((end_page() - (right_ >> kIdBits)) << kPageShift);
  }
  Id<Vma> child(size_t side) const {
    return Decode(side == kLeft ? left_ : right_);
  }
  // The left child if `left`, without a branch.
  Id<Vma> Turn(bool left) const {
    const uint64_t mask = uint64_t{0} - static_cast<uint64_t>(left);
    return Decode(right_ ^ ((left_ ^ right_) & mask));
  }
  void set_range(VirtAddr start, VirtAddr end) {
    VM_BUG_ON((end.vpn() | (end - start) >> kPageShift) >> kPageBits != 0);
    left_ = end.vpn() << kIdBits | (left_ & kIdMask);
    right_ = (end - start) >> kPageShift << kIdBits | (right_ & kIdMask);
  }
  void set_child(size_t side, Id<Vma> id) {
    VM_BUG_ON(id.value() > kIdMask);
    uint64_t& word = side == kLeft ? left_ : right_;
    word = (word & ~kIdMask) | id.value();
  }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.left_, s.right_);
  }

 private:
  static constexpr int kPageBits = 36, kIdBits = 28;
  static constexpr uint64_t kIdMask = (uint64_t{1} << kIdBits) - 1;
  static Id<Vma> Decode(uint64_t word) {
    return Id<Vma>(static_cast<uint32_t>(word & kIdMask));
  }
  uint64_t left_ = 0;   // where the VMA ends, and the left child
  uint64_t right_ = 0;  // how long it is, and the right child
};

// The rest: for the search of holes, and for changes.
struct VmaNode {
  // Gaps of a subtree are remembered up to this size. The huge hole below the
  // mappings changes with each of them, and its ancestors need not know; of
  // holes this large there is room for few.
  static constexpr uint64_t kGapCap = uint64_t{1} << 40;

  uint64_t gap = 0;  // free bytes below it, to the VMA before
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
    ar(s.gap, s.child_gap, s.parent, s.color);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMA_NODE_H_

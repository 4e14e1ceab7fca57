// Units that cannot be confused: places (Pfn, VirtAddr), distances (PageCount)
// and sizes of blocks (Order). Only arithmetic that means something compiles:
// a place minus a place is a distance, a place plus a distance is a place, and
// two places do not add.
#ifndef FAULTLINE_SERVER_MACHINE_BASE_UNITS_H_
#define FAULTLINE_SERVER_MACHINE_BASE_UNITS_H_

#include <compare>
#include <cstdint>

namespace faultline {

inline constexpr int kPageShift = 12;
inline constexpr uint64_t kPageSize = uint64_t{1} << kPageShift;
inline constexpr uint64_t kPageMask = ~(kPageSize - 1);

// A number of 4096-byte pages.
class PageCount {
 public:
  constexpr PageCount() = default;
  constexpr explicit PageCount(uint64_t n) : n_(n) {}
  constexpr uint64_t value() const { return n_; }
  constexpr uint64_t bytes() const { return n_ << kPageShift; }
  friend constexpr auto operator<=>(PageCount, PageCount) = default;
  friend constexpr PageCount operator+(PageCount a, PageCount b) {
    return PageCount(a.n_ + b.n_);
  }
  friend constexpr PageCount operator-(PageCount a, PageCount b) {
    return PageCount(a.n_ - b.n_);
  }
  constexpr PageCount& operator+=(PageCount b) { return *this = *this + b; }
  constexpr PageCount& operator-=(PageCount b) { return *this = *this - b; }

 private:
  uint64_t n_ = 0;
};

// The base-2 logarithm of a block's size in pages: 0 .. kMaxPageOrder.
class Order {
 public:
  constexpr Order() = default;
  constexpr explicit Order(int n) : n_(static_cast<uint8_t>(n)) {}
  constexpr int value() const { return n_; }
  constexpr PageCount pages() const { return PageCount(uint64_t{1} << n_); }
  friend constexpr auto operator<=>(Order, Order) = default;

 private:
  uint8_t n_ = 0;
};

// A page frame number: physical address >> 12. 32 bits reach 16 TiB.
class Pfn {
 public:
  constexpr Pfn() = default;
  constexpr explicit Pfn(uint32_t n) : n_(n) {}
  constexpr uint32_t value() const { return n_; }
  constexpr bool valid() const { return n_ != kNone; }
  friend constexpr auto operator<=>(Pfn, Pfn) = default;
  friend constexpr Pfn operator+(Pfn p, PageCount n) {
    return Pfn(p.n_ + static_cast<uint32_t>(n.value()));
  }
  friend constexpr PageCount operator-(Pfn a, Pfn b) {
    return PageCount(a.n_ - b.n_);
  }

 private:
  static constexpr uint32_t kNone = 0xffffffff;
  uint32_t n_ = kNone;
};

// A virtual address of a simulated machine.
class VirtAddr {
 public:
  constexpr VirtAddr() = default;
  constexpr explicit VirtAddr(uint64_t a) : a_(a) {}
  constexpr uint64_t value() const { return a_; }
  constexpr uint64_t vpn() const { return a_ >> kPageShift; }
  constexpr uint64_t offset() const { return a_ & ~kPageMask; }
  constexpr bool aligned() const { return offset() == 0; }
  constexpr VirtAddr Floor() const { return VirtAddr(a_ & kPageMask); }
  friend constexpr auto operator<=>(VirtAddr, VirtAddr) = default;
  // Distances between addresses are bytes; they wrap like the hardware's.
  friend constexpr uint64_t operator-(VirtAddr a, VirtAddr b) {
    return a.a_ - b.a_;
  }
  friend constexpr VirtAddr operator+(VirtAddr a, uint64_t bytes) {
    return VirtAddr(a.a_ + bytes);
  }
  friend constexpr VirtAddr operator-(VirtAddr a, uint64_t bytes) {
    return VirtAddr(a.a_ - bytes);
  }

 private:
  uint64_t a_ = 0;
};

// PAGE_ALIGN(): rounds up to whole pages and, as in Linux, wraps to 0 when
// `bytes` lies within the last page of the 64-bit range.
constexpr uint64_t PageAlign(uint64_t bytes) {
  return (bytes + kPageSize - 1) & kPageMask;
}
constexpr PageCount PagesOf(uint64_t aligned_bytes) {
  return PageCount(aligned_bytes >> kPageShift);
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_BASE_UNITS_H_

#include "server/machine/base/units.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "server/machine/base/pool.h"

namespace faultline {
namespace {

template <class A, class B>
concept Adds = requires(A a, B b) {
  a + b;
};
template <class A, class B>
concept Subtracts = requires(A a, B b) {
  a - b;
};
template <class A, class B>
concept Compares = requires(A a, B b) {
  a == b;
};

// What means something compiles, and has the right kind.
static_assert(std::is_same_v<decltype(Pfn(2) - Pfn(1)), PageCount>);
static_assert(std::is_same_v<decltype(Pfn(2) + PageCount(1)), Pfn>);
static_assert(std::is_same_v<decltype(VirtAddr(2) - VirtAddr(1)), uint64_t>);
// What does not mean anything does not compile.
static_assert(!Adds<Pfn, Pfn>);
static_assert(!Adds<VirtAddr, VirtAddr>);
static_assert(!Adds<Pfn, int>);
static_assert(!Adds<PageCount, int>);
static_assert(!Adds<Order, Order>);
static_assert(!Adds<VirtAddr, PageCount>);
static_assert(!Subtracts<PageCount, Pfn>);
static_assert(!Subtracts<Pfn, VirtAddr>);
static_assert(!Compares<Pfn, PageCount>);
static_assert(!Compares<Pfn, int>);
static_assert(!Compares<VirtAddr, uint64_t>);
static_assert(!std::is_convertible_v<uint32_t, Pfn>);
static_assert(!std::is_convertible_v<uint64_t, VirtAddr>);
static_assert(!std::is_convertible_v<int, Order>);
static_assert(!std::is_convertible_v<PageCount, uint64_t>);
struct Cat;
struct Dog;
static_assert(!Compares<Id<Cat>, Id<Dog>>);
static_assert(!std::is_convertible_v<Id<Cat>, Id<Dog>>);
static_assert(!std::is_convertible_v<uint32_t, Id<Cat>>);

TEST(Units, DistancesBetweenFramesArePages) {
  EXPECT_EQ(Pfn(10) - Pfn(4), PageCount(6));
  EXPECT_EQ(Pfn(4) + PageCount(6), Pfn(10));
  PageCount n(1);
  n += PageCount(4);
  n -= PageCount(2);
  EXPECT_EQ(n, PageCount(3));
  EXPECT_EQ(n.bytes(), 3 * 4096u);
}

TEST(Units, AnOrderIsAPowerOfTwoOfPages) {
  EXPECT_EQ(Order(0).pages(), PageCount(1));
  EXPECT_EQ(Order(10).pages(), PageCount(1024));
  EXPECT_LT(Order(3), Order(4));
}

TEST(Units, AFrameIsInvalidUntilItIsSet) {
  EXPECT_FALSE(Pfn().valid());
  EXPECT_TRUE(Pfn(0).valid());
}

TEST(Units, AnAddressKnowsItsPage) {
  VirtAddr a(0x12345678);
  EXPECT_EQ(a.vpn(), 0x12345u);
  EXPECT_EQ(a.offset(), 0x678u);
  EXPECT_FALSE(a.aligned());
  EXPECT_EQ(a.Floor(), VirtAddr(0x12345000));
  EXPECT_TRUE(a.Floor().aligned());
}

TEST(Units, AddressesWrapLikeTheHardware) {
  EXPECT_EQ(VirtAddr(~uint64_t{0}) + 1, VirtAddr(0));
  EXPECT_EQ(VirtAddr(0) - 1, VirtAddr(~uint64_t{0}));
}

TEST(Units, PageAlignRoundsUpAndWrapsInTheLastPage) {
  EXPECT_EQ(PageAlign(0), 0u);
  EXPECT_EQ(PageAlign(1), 4096u);
  EXPECT_EQ(PageAlign(4096), 4096u);
  EXPECT_EQ(PageAlign(4097), 8192u);
  EXPECT_EQ(PageAlign(~uint64_t{0}), 0u);
  EXPECT_EQ(PagesOf(8192), PageCount(2));
}

}  // namespace
}  // namespace faultline

#include "server/machine/mm/xarray.h"

#include <gtest/gtest.h>

#include <map>

#include "server/machine/base/prng.h"

namespace faultline {
namespace {

constexpr XaMark kDirty = XaMark::kDirty;

class XArrayTest : public ::testing::Test {
 protected:
  void Store(uint64_t index, uint32_t pfn) {
    XaStore(nodes_, xa_, index, Pfn(pfn));
  }
  void Erase(uint64_t index) { XaErase(nodes_, xa_, index); }
  Pfn Load(uint64_t index) const { return XaLoad(nodes_, xa_, index); }
  int Height() const { return XaHeight(nodes_, xa_); }

  XaNodes nodes_;
  XArray xa_;
};

TEST_F(XArrayTest, PageZeroAloneNeedsNoNode) {
  Store(0, 7);
  EXPECT_EQ(Load(0), Pfn(7));
  EXPECT_EQ(Height(), 0);
  EXPECT_EQ(nodes_.count(), 0u);
  EXPECT_FALSE(Load(1).valid());
}

TEST_F(XArrayTest, GrowsToTheHighestIndexAndShrinksAgain) {
  Store(0, 7);
  XaSetMark(nodes_, xa_, 0, kDirty);
  Store(63, 8);
  EXPECT_EQ(Height(), 1);
  Store(64, 9);
  EXPECT_EQ(Height(), 2);
  EXPECT_EQ(nodes_.count(), 3u);
  Store(uint64_t{64} * 64 * 64, 10);
  EXPECT_EQ(Height(), 4);
  EXPECT_EQ(Load(0), Pfn(7));
  EXPECT_TRUE(XaGetMark(nodes_, xa_, 0, kDirty));
  Erase(uint64_t{64} * 64 * 64);
  EXPECT_EQ(Height(), 2);
  Erase(64);
  EXPECT_EQ(Height(), 1);
  Erase(63);
  EXPECT_EQ(Height(), 0);
  EXPECT_EQ(nodes_.count(), 0u);
  EXPECT_TRUE(XaGetMark(nodes_, xa_, 0, kDirty));
  Erase(0);
  EXPECT_TRUE(xa_.empty());
  EXPECT_FALSE(xa_.Marked(kDirty));
}

TEST_F(XArrayTest, AFirstPageFarOffBuildsTheWholePathAtOnce) {
  Store(100000, 7);
  EXPECT_EQ(Height(), 3);
  EXPECT_EQ(nodes_.count(), 3u);
  EXPECT_EQ(XaFind(nodes_, xa_, 0, UINT64_MAX), 100000u);
  EXPECT_FALSE(XaFind(nodes_, xa_, 0, 99999));
  EXPECT_FALSE(XaFind(nodes_, xa_, 100001, UINT64_MAX));
}

TEST_F(XArrayTest, AReplacedPageKeepsItsMarks) {
  Store(70, 7);
  XaSetMark(nodes_, xa_, 70, XaMark::kWriteback);
  Store(70, 8);
  EXPECT_EQ(Load(70), Pfn(8));
  EXPECT_TRUE(XaGetMark(nodes_, xa_, 70, XaMark::kWriteback));
}

struct Model {
  uint32_t pfn = 0;
  std::array<bool, kXaMarks> marks{};
};

// A tree under random changes is what a map is.
TEST_F(XArrayTest, AgreesWithAMap) {
  Prng prng(42);
  std::map<uint64_t, Model> model;
  for (int i = 0; i < 40000; i++) {
    const int bits = static_cast<int>(prng.Next() % 22);
    const uint64_t index = prng.Next() & ((uint64_t{1} << bits) - 1);
    const int m = static_cast<int>(prng.Next() % kXaMarks);
    const XaMark mark = static_cast<XaMark>(m);
    const bool there = model.count(index) != 0;
    switch (prng.Next() % 8) {
      case 0:
      case 1:
      case 2: {
        const auto pfn = static_cast<uint32_t>(prng.Next() % 100000);
        Store(index, pfn);
        model[index].pfn = pfn;
        break;
      }
      case 3:
        Erase(index);
        model.erase(index);
        break;
      case 4:
      case 5:
        if (there) XaSetMark(nodes_, xa_, index, mark);
        if (there) model[index].marks[m] = true;
        break;
      case 6:
        XaClearMark(nodes_, xa_, index, mark);
        if (there) model[index].marks[m] = false;
        break;
      default: {
        auto at = model.lower_bound(index);
        while (at != model.end() && !at->second.marks[m]) ++at;
        const auto found = XaFindMarked(nodes_, xa_, index, UINT64_MAX, mark);
        ASSERT_EQ(found.has_value(), at != model.end());
        if (found) {
          ASSERT_EQ(*found, at->first);
        }
        break;
      }
    }
    const auto next = model.lower_bound(index);
    const auto found = XaFind(nodes_, xa_, index, UINT64_MAX);
    ASSERT_EQ(found.has_value(), next != model.end());
    if (found) {
      ASSERT_EQ(*found, next->first);
    }
  }
  for (const auto& [index, want] : model) {
    EXPECT_EQ(Load(index), Pfn(want.pfn));
    for (int m = 0; m < kXaMarks; m++) {
      EXPECT_EQ(XaGetMark(nodes_, xa_, index, static_cast<XaMark>(m)),
                want.marks[m]);
    }
  }
  while (!model.empty()) {
    Erase(model.begin()->first);
    model.erase(model.begin());
  }
  EXPECT_TRUE(xa_.empty());
  EXPECT_EQ(nodes_.count(), 0u);
}

}  // namespace
}  // namespace faultline

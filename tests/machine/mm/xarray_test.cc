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

TEST_F(XArrayTest, AValueStandsInAPagesStead) {
  Store(0, 7);
  XaSetMark(nodes_, xa_, 0, kDirty);
  XaStoreValue(nodes_, xa_, 0, 0xffffffff);
  EXPECT_FALSE(Load(0).valid());
  EXPECT_FALSE(xa_.Marked(kDirty));
  EXPECT_FALSE(xa_.empty());
  EXPECT_EQ(XaLoadValue(nodes_, xa_, 0), 0xffffffffu);
  XaStoreValue(nodes_, xa_, 100, 5);
  Store(99, 8);
  EXPECT_EQ(XaFind(nodes_, xa_, 0, UINT64_MAX), 99u);
  EXPECT_EQ(XaFindValue(nodes_, xa_, 1, UINT64_MAX), 100u);
  EXPECT_EQ(XaStore(nodes_, xa_, 100, Pfn(9)), 5u);
  EXPECT_EQ(XaLoadValue(nodes_, xa_, 100), 0u);
  Erase(99);
  Erase(100);
  EXPECT_EQ(Height(), 0);
  EXPECT_EQ(XaLoadValue(nodes_, xa_, 0), 0xffffffffu);
  Erase(0);
  EXPECT_TRUE(xa_.empty());
}

TEST_F(XArrayTest, NodesOfNothingButValuesAreListed) {
  xa_.host = 3;
  const auto listed = [&] { return nodes_.shadow_nodes.count; };
  XaStoreValue(nodes_, xa_, 0, 5);  // no node
  EXPECT_EQ(listed(), 0u);
  Store(200, 7);
  EXPECT_EQ(listed(), 1u) << "that of index 0";
  XaStoreValue(nodes_, xa_, 200, 6);
  XaStoreValue(nodes_, xa_, 201, 6);
  EXPECT_EQ(listed(), 2u);
  Store(201, 8);
  EXPECT_EQ(listed(), 1u);
  Erase(201);
  ASSERT_EQ(listed(), 2u);
  const Id<XaNode> first = nodes_.shadow_nodes.head;
  EXPECT_EQ(nodes_[first].host, 3u);
  XaDeleteNode(nodes_, xa_, first);
  EXPECT_EQ(XaLoadValue(nodes_, xa_, 0), 0u);
  EXPECT_EQ(XaLoadValue(nodes_, xa_, 200), 6u);
  XaDeleteNode(nodes_, xa_, nodes_.shadow_nodes.head);
  EXPECT_TRUE(xa_.empty());
  EXPECT_EQ(nodes_.count(), 0u);
}

struct Model {
  uint32_t pfn = 0;
  uint32_t value = 0;  // not 0: in the page's stead
  std::array<bool, kXaMarks> marks{};
};

// A tree under random changes is what a map is.
TEST_F(XArrayTest, AgreesWithAMap) {
  Prng prng(42);
  xa_.host = 1;
  std::map<uint64_t, Model> model;
  const auto is_page = [](const auto& entry) {
    return entry.second.value == 0;
  };
  for (int i = 0; i < 40000; i++) {
    const int bits = static_cast<int>(prng.Next() % 22);
    const uint64_t index = prng.Next() & ((uint64_t{1} << bits) - 1);
    const int m = static_cast<int>(prng.Next() % kXaMarks);
    const XaMark mark = static_cast<XaMark>(m);
    const auto found_there = model.find(index);
    const bool there = found_there != model.end() && is_page(*found_there);
    switch (prng.Next() % 9) {
      case 0:
      case 1:
      case 2: {
        const auto pfn = static_cast<uint32_t>(prng.Next() % 100000);
        const uint32_t old = XaStore(nodes_, xa_, index, Pfn(pfn));
        ASSERT_EQ(old, model[index].value);
        model[index].pfn = pfn;
        model[index].value = 0;
        break;
      }
      case 7: {
        const auto value = static_cast<uint32_t>(prng.Next() | 1);
        XaStoreValue(nodes_, xa_, index, value);
        model[index] = {.value = value};
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
    for (const bool page : {true, false}) {
      auto next = model.lower_bound(index);
      while (next != model.end() && is_page(*next) != page) ++next;
      const auto found = page ? XaFind(nodes_, xa_, index, UINT64_MAX)
                              : XaFindValue(nodes_, xa_, index, UINT64_MAX);
      ASSERT_EQ(found.has_value(), next != model.end());
      if (found) {
        ASSERT_EQ(*found, next->first);
      }
    }
  }
  for (const auto& [index, want] : model) {
    EXPECT_EQ(Load(index), want.value == 0 ? Pfn(want.pfn) : Pfn());
    EXPECT_EQ(XaLoadValue(nodes_, xa_, index), want.value);
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
  EXPECT_EQ(nodes_.shadow_nodes.count, 0u);
}

}  // namespace
}  // namespace faultline

#include "server/machine/mm/vma_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "server/machine/mm/vma.h"

namespace faultline {
namespace {

constexpr uint64_t kSpace = 400;  // pages in play

// The tree and a map that must agree with it.
class VmaTreeTest : public ::testing::Test {
 protected:
  VmaTreeTest() {
    mm_id_ = k_.mms.New();
    mm().id = mm_id_;
    k_.sysctl.stack_guard_gap = 4;
  }
  Mm& mm() { return k_.mms[mm_id_]; }
  const Mm& cmm() { return std::as_const(k_).mms[mm_id_]; }

  struct Item {
    uint64_t end;
    bool stack;
    Id<Vma> id;
  };

  // Inserts pages [from, to) unless something is there.
  bool Insert(uint64_t from, uint64_t to, bool stack = false) {
    auto next = model_.lower_bound(from);
    if (next != model_.end() && next->first < to) return false;
    if (next != model_.begin() && std::prev(next)->second.end > from) {
      return false;
    }
    Vma& vma = NewVma(k_, mm());
    vma.start = VirtAddr(from << kPageShift);
    vma.end = VirtAddr(to << kPageShift);
    if (stack) vma.flags = vm::kGrowsDown;
    LinkVma(k_, mm(), vma);
    model_[from] = {to, stack, vma.id};
    return true;
  }
  void Erase(uint64_t from) {
    Id<Vma> id = model_.at(from).id;
    UnlinkVma(k_, mm(), k_.vmas[id]);
    k_.vmas.Delete(id);
    model_.erase(from);
  }
  // The first item that ends above this page.
  Id<Vma> ModelFind(uint64_t page) {
    for (auto& [start, item] : model_) {
      if (item.end > page) return item.id;
    }
    return {};
  }
  Id<Vma> ModelBefore(uint64_t page) {
    Id<Vma> before;
    for (auto& [start, item] : model_) {
      if (item.end > page) break;
      before = item.id;
    }
    return before;
  }
  // A hole in pages, and where the guard gap of what is above it begins.
  struct Hole {
    uint64_t from, to, guard, above_end;
  };
  std::vector<Hole> Holes() {
    constexpr uint64_t kTop = uint64_t{1} << 40;
    std::vector<Hole> holes;
    uint64_t at = 0;
    for (auto& [start, item] : model_) {
      uint64_t gap = item.stack ? std::min<uint64_t>(4, start) : 0;
      holes.push_back({at, start, start - gap, item.end});
      at = item.end;
    }
    holes.push_back({at, kTop, kTop, kTop});
    return holes;
  }
  // mm/vma.c: unmapped_area_topdown() and unmapped_area(), hole by hole.
  std::optional<VirtAddr> ModelFit(uint64_t pages, uint64_t low, uint64_t high,
                                   bool topdown) {
    std::vector<Hole> holes = Holes();
    if (topdown) std::reverse(holes.begin(), holes.end());
    auto fits = [&](const Hole& hole) {
      return std::min(hole.to, high) >= std::max(hole.from, low) + pages;
    };
    while (true) {
      auto hole = std::find_if(holes.begin(), holes.end(), fits);
      if (hole == holes.end()) return {};
      const uint64_t from = std::max(hole->from, low);
      const uint64_t to = std::min(hole->to, high);
      if (hole->guard >= (topdown ? to : from + pages)) {
        return VirtAddr((topdown ? to - pages : from) << kPageShift);
      }
      (topdown ? high : low) = topdown ? hole->guard : hole->above_end;
    }
  }
  void ExpectGapsAgree(uint64_t pages, uint64_t low, uint64_t high) {
    UnmappedAreaInfo info{pages << kPageShift, low << kPageShift,
                          high << kPageShift};
    EXPECT_EQ(UnmappedAreaTopdown(k_, cmm(), info),
              ModelFit(pages, low, high, true));
    EXPECT_EQ(UnmappedAreaBottomup(k_, cmm(), info),
              ModelFit(pages, low, high, false));
  }

  Kernel k_;
  Id<Mm> mm_id_;
  std::map<uint64_t, Item> model_;
};

TEST_F(VmaTreeTest, AnEmptySpaceIsOneHole) {
  EXPECT_FALSE(FindVma(k_, mm(), VirtAddr(0)));
  EXPECT_FALSE(LastVma(k_, cmm()));
  ExpectGapsAgree(10, 1, 100);
  ExpectGapsAgree(100, 1, 100);
  EXPECT_EQ(VerifyVmaTree(k_, cmm()), "");
}

TEST_F(VmaTreeTest, AgreesWithAMapUnderRandomUse) {
  Prng prng(11);
  for (int step = 0; step < 4000; step++) {
    uint64_t at = 1 + prng.Next() % kSpace;
    bool grow = step / 500 % 2 == 0;
    if (model_.empty() || prng.Next() % 4 < (grow ? 3 : 1)) {
      Insert(at, at + 1 + prng.Next() % 6, prng.Next() % 8 == 0);
    } else {
      auto it = model_.lower_bound(at);
      Erase(it == model_.end() ? model_.begin()->first : it->first);
    }
    ASSERT_EQ(VerifyVmaTree(k_, cmm()), "") << "step " << step;
    ASSERT_EQ(mm().map_count, model_.size());
    uint64_t page = prng.Next() % (kSpace + 10);
    VirtAddr addr(page << kPageShift | 5);
    Id<Vma> want = ModelFind(page);
    EXPECT_EQ(LookupVma(k_, cmm(), addr), want);
    EXPECT_EQ(FindVma(k_, mm(), addr), want);
    Id<Vma> found;
    EXPECT_EQ(FindVmaPrev(k_, mm(), addr, &found), ModelBefore(page));
    EXPECT_EQ(found, want);
    VirtAddr end = addr.Floor() + 3 * kPageSize;
    bool overlaps = want && k_.vmas[want].start < end;
    EXPECT_EQ(FindVmaIntersection(k_, mm(), addr.Floor(), end),
              overlaps ? want : Id<Vma>());
    ExpectGapsAgree(1 + prng.Next() % 9, 1 + prng.Next() % 50,
                    100 + prng.Next() % 400);
  }
}

TEST_F(VmaTreeTest, AMovedBoundaryKeepsTheGaps) {
  Prng prng(12);
  for (uint64_t at = 2; at < kSpace; at += 8) Insert(at, at + 3);
  for (int step = 0; step < 2000; step++) {
    uint64_t at = 2 + prng.Next() % (kSpace / 8) * 8;
    Id<Vma> id = ModelFind(at + 2);
    Vma& vma = k_.vmas[id];
    uint64_t start = at - prng.Next() % 2, end = at + 3 + prng.Next() % 4;
    uint64_t old = vma.start.vpn();
    SetVmaRange(k_, vma, VirtAddr(start << kPageShift),
                VirtAddr(end << kPageShift));
    model_.erase(old);
    model_[start] = {end, false, id};
    ASSERT_EQ(VerifyVmaTree(k_, cmm()), "");
    ExpectGapsAgree(1 + prng.Next() % 6, 1, kSpace);
  }
}

TEST_F(VmaTreeTest, FindingIsLogarithmic) {
  for (uint64_t i = 0; i < 4096; i++) Insert(10 + 2 * i, 11 + 2 * i);
  mm().nodes_visited = mm().cache_misses = 0;
  Prng prng(1);
  for (int i = 0; i < 1000; i++) {
    FindVma(k_, mm(), VirtAddr((10 + 2 * (prng.Next() % 4096)) << kPageShift));
  }
  // A red-black tree of n nodes is at most 2 log2(n + 1) deep.
  EXPECT_LE(mm().nodes_visited, mm().cache_misses * 24);
  EXPECT_EQ(VerifyVmaTree(k_, cmm()), "");
}

TEST_F(VmaTreeTest, TheSamePlaceIsFoundInTheCache) {
  Insert(10, 20);
  Insert(30, 40);
  VirtAddr addr(uint64_t{15} << kPageShift);
  FindVma(k_, mm(), addr);
  uint64_t hits = mm().cache_hits, visited = mm().nodes_visited;
  FindVma(k_, mm(), addr + kPageSize);
  EXPECT_EQ(mm().cache_hits, hits + 1);
  EXPECT_EQ(mm().nodes_visited, visited);
  Erase(10);
  EXPECT_NE(FindVma(k_, mm(), addr), Id<Vma>());
  EXPECT_EQ(k_.vmas[FindVma(k_, mm(), addr)].start.vpn(), 30u);
}

TEST_F(VmaTreeTest, AStackKeepsItsGuardGapFree) {
  Insert(100, 110, true);
  EXPECT_EQ(VmStartGap(k_, k_.vmas[model_.at(100).id]).vpn(), 96u);
  UnmappedAreaInfo info{kPageSize, kPageSize, uint64_t{100} << kPageShift};
  EXPECT_EQ(UnmappedAreaTopdown(k_, cmm(), info)->vpn(), 95u);
}

TEST_F(VmaTreeTest, VerifyNoticesAWrongGap) {
  Insert(10, 20);
  Insert(30, 40);
  k_.vmas[model_.at(30).id].rb_subtree_gap++;
  EXPECT_NE(VerifyVmaTree(k_, cmm()), "");
}

}  // namespace
}  // namespace faultline

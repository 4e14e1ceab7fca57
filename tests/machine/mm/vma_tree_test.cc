#include "server/machine/mm/vma_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_holes.h"

namespace faultline {
namespace {

constexpr uint64_t kSpace = 400;  // units in play
// A unit so large that a hole of a few is more than VmaNode::kGapCap.
constexpr uint64_t kHugeUnit = VmaNode::kGapCap / 2;

// The tree and a map that must agree with it.
class VmaTreeTest : public ::testing::Test {
 protected:
  VmaTreeTest() {
    mm_id_ = k_.mms.New();
    mm().id = mm_id_;
    SetUnit(kPageSize);
  }
  // All places and lengths below are in units: pages, unless a test wants more.
  void SetUnit(uint64_t bytes) {
    unit_ = bytes;
    k_.sysctl.stack_guard_gap = 4 * bytes / kPageSize;
  }
  VirtAddr At(uint64_t units) const { return VirtAddr(units * unit_); }
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
    vma.start = At(from);
    vma.end = At(to);
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
    constexpr uint64_t kTop = uint64_t{1} << 20;
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
        return At(topdown ? to - pages : from);
      }
      (topdown ? high : low) = topdown ? hole->guard : hole->above_end;
    }
  }
  void ExpectGapsAgree(uint64_t pages, uint64_t low, uint64_t high) {
    UnmappedAreaInfo info{pages * unit_, low * unit_, high * unit_};
    EXPECT_EQ(UnmappedAreaTopdown(k_, mm(), info),
              ModelFit(pages, low, high, true));
    EXPECT_EQ(UnmappedAreaBottomup(k_, cmm(), info),
              ModelFit(pages, low, high, false));
  }

  Kernel k_;
  Id<Mm> mm_id_;
  std::map<uint64_t, Item> model_;
  uint64_t unit_ = kPageSize;

  void RunAgainstTheModel();
};

TEST_F(VmaTreeTest, AnEmptySpaceIsOneHole) {
  EXPECT_FALSE(FindVma(k_, mm(), VirtAddr(0)));
  EXPECT_FALSE(LastVma(k_, cmm()));
  ExpectGapsAgree(10, 1, 100);
  ExpectGapsAgree(100, 1, 100);
  EXPECT_EQ(VerifyVmaTree(k_, cmm()), "");
}

void VmaTreeTest::RunAgainstTheModel() {
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
    const VirtAddr addr = At(page) + 5;
    Id<Vma> want = ModelFind(page);
    EXPECT_EQ(LookupVma(k_, cmm(), addr), want);
    EXPECT_EQ(FindVma(k_, mm(), addr), want);
    Id<Vma> found;
    EXPECT_EQ(FindVmaPrev(k_, mm(), addr, &found), ModelBefore(page));
    EXPECT_EQ(found, want);
    VirtAddr end = At(page + 3);
    bool overlaps = want && k_.vmas[want].start < end;
    EXPECT_EQ(FindVmaIntersection(k_, mm(), addr.Floor(), end),
              overlaps ? want : Id<Vma>());
    ExpectGapsAgree(1 + prng.Next() % 9, 1 + prng.Next() % 50,
                    100 + prng.Next() % 400);
    // Often the same, as a program's are: what the search remembers serves.
    ExpectGapsAgree(2, 1, 300);
  }
}

TEST_F(VmaTreeTest, AgreesWithAMapUnderRandomUse) { RunAgainstTheModel(); }

TEST_F(VmaTreeTest, AgreesWithAMapWhereHolesAreHuge) {
  SetUnit(kHugeUnit);
  RunAgainstTheModel();
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
    SetVmaRange(k_, vma, At(start), At(end));
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
  EXPECT_EQ(UnmappedAreaTopdown(k_, mm(), info)->vpn(), 95u);
}

// Splits, joins and moved borders change no hole.
TEST_F(VmaTreeTest, NeighboursThatTouchChangeAmongThemselves) {
  Prng prng(13);
  for (uint64_t at = 2; at < kSpace; at += 8) Insert(at, at + 5);
  for (int step = 0; step < 2000; step++) {
    auto it = std::next(model_.begin(),
                        static_cast<int>(prng.Next() % model_.size()));
    const uint64_t start = it->first;
    Item& item = it->second;
    Vma& vma = k_.vmas[item.id];
    const auto next = std::next(it);
    const bool touch = next != model_.end() && next->first == item.end;
    if (!touch && item.end - start > 1) {
      const uint64_t at = start + 1 + prng.Next() % (item.end - start - 1);
      Vma& fresh = NewVma(k_, mm());
      const bool lower = prng.Next() % 2 == 0;
      SplitLinkedVma(k_, vma, fresh, At(at),
                     lower ? Half::kLower : Half::kUpper);
      model_[at] = {item.end, false, lower ? item.id : fresh.id};
      item = {at, false, lower ? fresh.id : item.id};
    } else if (touch && prng.Next() % 2 == 0) {
      const bool into_lower = prng.Next() % 2 == 0;
      Vma& upper = k_.vmas[next->second.id];
      Vma& gone = into_lower ? upper : vma;
      JoinVmas(k_, into_lower ? vma : upper, gone);
      item = {next->second.end, false, into_lower ? vma.id : upper.id};
      model_.erase(next);
      k_.vmas.Delete(gone.id);
    } else if (touch && next->second.end - start > 2) {
      const uint64_t at =
          start + 1 + prng.Next() % (next->second.end - start - 1);
      MoveVmaBorder(k_, vma, k_.vmas[next->second.id], At(at));
      const Item upper = next->second;
      model_.erase(next);
      item.end = at;
      model_[at] = upper;
    }
    ASSERT_EQ(VerifyVmaTree(k_, cmm()), "") << "step " << step;
    ASSERT_EQ(mm().map_count, model_.size());
    const uint64_t page = prng.Next() % kSpace;
    ASSERT_EQ(LookupVma(k_, cmm(), At(page)), ModelFind(page));
    ExpectGapsAgree(1 + prng.Next() % 4, 1, kSpace);
  }
}

// A subtree's gap is shown as it is, though nodes remember less of it.
TEST_F(VmaTreeTest, TheGapOfASubtreeHasNoCap) {
  SetUnit(kHugeUnit);
  for (uint64_t at : {10, 20, 35, 50, 60, 70, 82}) Insert(at, at + 5);
  EXPECT_EQ(VmaSubtreeGap(k_, cmm().mm_rb), 10 * kHugeUnit);
}

// The search below remembers what is full above; a hole there is found.
TEST_F(VmaTreeTest, AHoleAboveTheLastOneFoundIsNotOverlooked) {
  for (uint64_t at = 10; at < 50; at += 2) Insert(at, at + 1);
  const auto highest = [&](uint64_t pages) {
    return UnmappedAreaTopdown(k_, mm(),
                               {pages * kPageSize, kPageSize, At(49).value()})
        ->vpn();
  };
  EXPECT_EQ(highest(2), 8u);
  Erase(30);
  EXPECT_EQ(highest(3), 29u);
  EXPECT_EQ(highest(2), 30u);
  Insert(30, 31);
  EXPECT_EQ(highest(2), 8u);
  // The VMA above the hole grows down into it.
  Vma& lowest = k_.vmas[model_.at(10).id];
  SetVmaRange(k_, lowest, At(5), At(11));
  EXPECT_EQ(highest(2), 3u);
  EXPECT_EQ(VerifyVmaTree(k_, cmm()), "");
}

TEST_F(VmaTreeTest, VerifyNoticesAWrongGap) {
  Insert(10, 20);
  Insert(30, 40);
  k_.vma_nodes[model_.at(30).id.value()].gap++;
  EXPECT_NE(VerifyVmaTree(k_, cmm()), "");
}

TEST_F(VmaTreeTest, VerifyNoticesAFalseMemo) {
  Insert(10, 20);
  Insert(30, 40);
  mm().hole_memo = {model_.at(10).id, 5 * kPageSize, At(30).value()};
  EXPECT_NE(VerifyVmaTree(k_, cmm()), "");
}

}  // namespace
}  // namespace faultline

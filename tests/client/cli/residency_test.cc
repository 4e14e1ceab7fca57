#include "client/cli/residency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace faultline::cli {
namespace {

using testing::ElementsAre;

constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kSwapped = uint64_t{1} << 62;
constexpr uint64_t kFile = uint64_t{1} << 61;
constexpr uint64_t kExclusive = uint64_t{1} << 56;

TEST(ResidencyTest, AStateFollowsFromTheWordsOfProc) {
  constexpr uint64_t kAnonFlag = 1 << 12;
  constexpr uint64_t kDirtyFlag = 1 << 4;
  constexpr uint64_t kZeroFlag = 1 << 24;
  struct Row {
    uint64_t pagemap;
    uint64_t kpageflags;
    PageState state;
  };
  const Row rows[] = {
      {0, 0, PageState::kAbsent},
      {0, kAnonFlag, PageState::kAbsent},
      {kPresent | 0x400d, kZeroFlag, PageState::kZeroPage},
      {kPresent | kExclusive, kAnonFlag | kDirtyFlag, PageState::kAnon},
      {kPresent, kAnonFlag, PageState::kAnonShared},
      {kPresent | kFile, 0, PageState::kFile},
      {kPresent | kFile | kExclusive, kDirtyFlag, PageState::kFileDirty},
      {kSwapped | 3, 0, PageState::kSwapped},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(StateOf(PagemapWord(row.pagemap), row.kpageflags), row.state)
        << std::hex << row.pagemap;
  }
}

TEST(ResidencyTest, HeightGrowsWithTheLogarithm) {
  EXPECT_EQ(LayoutOf(1, 16).rows, 1);
  EXPECT_EQ(LayoutOf(16, 16).rows, 1);
  EXPECT_EQ(LayoutOf(17, 16).rows, 2);
  EXPECT_EQ(LayoutOf(33, 16).rows, 3);
  EXPECT_EQ(LayoutOf(64, 16).rows, 3);
  EXPECT_EQ(LayoutOf(65, 16).rows, 4);
  EXPECT_EQ(LayoutOf(uint64_t{1} << 35, 16).rows, kStripRowsMax);
}

TEST(ResidencyTest, EveryPageIsInOneCell) {
  for (const uint64_t pages :
       {uint64_t{1}, uint64_t{16}, uint64_t{33}, uint64_t{49}, uint64_t{1000},
        (uint64_t{1} << 35) + 7, uint64_t{1} << 52}) {
    const StripLayout layout = LayoutOf(pages, 16);
    EXPECT_LE(layout.cells, static_cast<uint64_t>(layout.rows * 16));
    EXPECT_EQ(layout.FirstPage(0), 0u);
    EXPECT_EQ(layout.FirstPage(layout.cells), pages);
    for (uint64_t cell = 0; cell < layout.cells; ++cell) {
      EXPECT_LT(layout.FirstPage(cell), layout.FirstPage(cell + 1)) << pages;
    }
  }
}

TEST(ResidencyTest, ACellShowsWhatTellsMost) {
  StripLayout layout;
  layout.columns = 2;
  layout.rows = 1;
  layout.pages = 5;
  layout.cells = 2;
  using S = PageState;
  EXPECT_THAT(CellsOf(layout, {S::kAbsent, S::kZeroPage, S::kFile, S::kAnon,
                               S::kAbsent}),
              ElementsAre(S::kZeroPage, S::kAnon));
}

}  // namespace
}  // namespace faultline::cli

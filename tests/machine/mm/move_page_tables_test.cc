// mremap moves whole tables where it can, and entries where it must. Seen by
// MREMAP_DONTUNMAP: what was moved as a table leaves none behind.
#include "server/machine/mm/move_page_tables.h"

#include <gtest/gtest.h>

#include "server/machine/mm/mmap.h"
#include "server/machine/mm/pgtable.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20, kGiB = uint64_t{1} << 30;
constexpr uint64_t kFrom = 4 * kGiB, kTo = 8 * kGiB;
constexpr uint64_t kKeep = 7;  // MAYMOVE, FIXED, DONTUNMAP
constexpr uint64_t kPlaced =
    mman::kPrivate | mman::kAnonymous | mman::kFixed | mman::kNoReserve;

class MovePageTablesTest : public ::testing::Test {
 protected:
  explicit MovePageTablesTest(Personality personality = Personality::kLinux618)
      : sim_(ConfigOf(personality)) {}
  static MachineConfig ConfigOf(Personality personality) {
    MachineConfig config;
    config.personality = personality;
    return config;
  }
  // Maps [kFrom + offset, + length) and writes its first and last page.
  void Map(uint64_t offset, uint64_t length) {
    sim_.Do(Mmap{kFrom + offset, length, kRw, kPlaced, -1, 0});
    for (uint64_t at : {offset, offset + length - kPageSize}) {
      sim_.Do(Access{AccessKind::kWrite, kFrom + at, 1, 1, 7});
    }
  }
  void Move(uint64_t offset, uint64_t length, uint64_t to) {
    const Outcome out =
        sim_.Do(Mremap{kFrom + offset, length, length, kKeep, to});
    ASSERT_EQ(out.error, Errno::kOk);
    for (uint64_t at : {uint64_t{0}, length - kPageSize}) {
      const Outcome read = sim_.Do(Access{AccessKind::kRead, to + at, 1, 1, 0});
      EXPECT_EQ(read.value, 7);
      EXPECT_EQ(read.min_flt, 0u);
    }
  }
  // Is there a table of `level` for the address?
  bool HasTable(uint64_t addr, int level = 1) const {
    return FindTable(sim_.kernel(), sim_.mm(), VirtAddr(addr), level).valid();
  }

  Sim sim_;
};

class MovePageTables61Test : public MovePageTablesTest {
 protected:
  MovePageTables61Test() : MovePageTablesTest(Personality::kLinux61) {}
};

TEST_F(MovePageTablesTest, AWholeTableMovesAsOne) {
  Map(0, 2 * kMiB);
  const uint64_t tables = sim_.mm().nr_ptes;
  Move(0, 2 * kMiB, kTo);
  EXPECT_FALSE(HasTable(kFrom));
  EXPECT_EQ(sim_.mm().nr_ptes, tables);
}

TEST_F(MovePageTablesTest, PartOfATableMovesEntryByEntry) {
  Map(0, kMiB);
  const uint64_t tables = sim_.mm().nr_ptes;
  Move(0, kMiB, kTo);
  EXPECT_TRUE(HasTable(kFrom));
  EXPECT_EQ(sim_.mm().nr_ptes, tables + 1);
}

TEST_F(MovePageTablesTest, SidesThatAreNotAlignedToEachOtherMoveEntries) {
  Map(0, 4 * kMiB);
  Move(0, 4 * kMiB, kTo + kPageSize);
  EXPECT_TRUE(HasTable(kFrom));
}

TEST_F(MovePageTablesTest, AGibibyteMovesItsLevel2Table) {
  Map(0, kGiB);
  Move(0, kGiB, kTo);
  EXPECT_FALSE(HasTable(kFrom, 2));
  EXPECT_TRUE(HasTable(kTo, 1));
}

// The source stays in the TLB's paging-structure cache unless it is flushed.
TEST_F(MovePageTablesTest, TheMovedTableServesTheSourceNoMore) {
  Map(0, 2 * kMiB);
  Move(0, 2 * kMiB, kTo);
  const Outcome read = sim_.Do(Access{AccessKind::kRead, kFrom, 1, 1, 0});
  EXPECT_EQ(read.value, 0);
  EXPECT_EQ(read.min_flt, 1u);
}

// try_realign_addr()
TEST_F(MovePageTablesTest, AMoveBeginsWhereATableBeginsIfNothingIsThere) {
  Map(kMiB, 3 * kMiB);
  Move(kMiB, 3 * kMiB, kTo + kMiB);
  EXPECT_FALSE(HasTable(kFrom + kMiB));
  EXPECT_FALSE(HasTable(kFrom + 2 * kMiB));
}

TEST_F(MovePageTablesTest, ANeighbourInTheTableForbidsThat) {
  Map(0, kPageSize);
  Map(kMiB, 3 * kMiB);
  Move(kMiB, 3 * kMiB, kTo + kMiB);
  EXPECT_TRUE(HasTable(kFrom + kMiB));
  EXPECT_FALSE(HasTable(kFrom + 2 * kMiB));
}

TEST_F(MovePageTablesTest, AndSoDoesOneInTheTargetsTable) {
  Map(kMiB, 3 * kMiB);
  sim_.Do(Mmap{kTo, kPageSize, kRw, kPlaced, -1, 0});
  Move(kMiB, 3 * kMiB, kTo + kMiB);
  EXPECT_TRUE(HasTable(kFrom + kMiB));
}

TEST_F(MovePageTablesTest, AMoveWithinOneTableIsNoReasonToBeginEarlier) {
  Map(kMiB, kMiB / 2);
  Move(kMiB, kMiB / 2, kTo + kMiB);
  EXPECT_TRUE(HasTable(kFrom + kMiB));
}

TEST_F(MovePageTables61Test, BeginsWhereItWasTold) {
  Map(kMiB, 3 * kMiB);
  Move(kMiB, 3 * kMiB, kTo + kMiB);
  EXPECT_TRUE(HasTable(kFrom + kMiB));
  EXPECT_FALSE(HasTable(kFrom + 2 * kMiB));
}

}  // namespace
}  // namespace faultline

// mremap and brk: errnos in order, and what moves where.
#include <gtest/gtest.h>

#include "server/machine/mm/mmap.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;
constexpr uint64_t kMay = 1, kFix = 3, kDont = 5;  // with MAYMOVE

TEST(Mremap, ErrnosInOrder) {
  Sim s;
  s.File("/f", 8);
  s.Run("map 0-8 rw; map 8-12 r; map 20-24 rw shared");
  struct Row {
    const char* name;
    Mremap call;
    const char* result;
  };
  const Row rows[] = {
      {"unknown flag", {At(0), kPage, kPage, 8, 0}, "EINVAL"},
      {"unaligned", {At(0) + 1, kPage, kPage, 0, 0}, "EINVAL"},
      {"new length 0", {At(0), kPage, 0, kMay, 0}, "EINVAL"},
      {"new length beyond everything",
       {At(0), kPage, uint64_t{1} << 48, kMay, 0},
       "EINVAL"},
      {"fixed without maymove", {At(0), kPage, kPage, 2, At(30)}, "EINVAL"},
      {"fixed unaligned", {At(0), kPage, kPage, kFix, At(30) + 1}, "EINVAL"},
      {"fixed too high",
       {At(0), kPage, 2 * kPage, kFix, 0x7fffffffe000},
       "EINVAL"},
      {"overlap", {At(0), 4 * kPage, 4 * kPage, kFix, At(2)}, "EINVAL"},
      {"overlap beats an unmapped source",
       {At(100), 4 * kPage, 4 * kPage, kFix, At(102)},
       "EINVAL"},
      {"dontunmap of another size",
       {At(0), kPage, 2 * kPage, kDont, At(30)},
       "EINVAL"},
      {"nothing mapped", {At(100), kPage, 2 * kPage, kMay, 0}, "EFAULT"},
      {"crosses the end of its VMA",
       {At(6), 4 * kPage, 5 * kPage, kMay, 0},
       "EFAULT"},
      {"old length 0 of private memory", {At(0), 0, kPage, kMay, 0}, "EINVAL"},
      {"old length 0 of shared memory, not moving",
       {At(20), 0, kPage, 0, 0},
       "ENOMEM"},
      {"old length 0 of shared memory", {At(20), 0, kPage, kMay, 0}, "OK"},
      {"no room to grow in place",
       {At(0), 8 * kPage, 9 * kPage, 0, 0},
       "ENOMEM"},
      {"growing the middle in place",
       {At(0), 4 * kPage, 5 * kPage, 0, 0},
       "ENOMEM"},
      {"nothing to do", {At(0), 8 * kPage, 8 * kPage, 0, 0}, "OK"},
      {"shrinking across VMAs", {At(0), 12 * kPage, 2 * kPage, 0, 0}, "OK"},
      {"lengths are rounded up", {At(0), 8 * kPage - 5, 8 * kPage, 0, 0}, "OK"},
  };
  for (const Row& row : rows) {
    Sim one = s;
    EXPECT_EQ(ResultOf(one.Do(row.call)), row.result) << row.name;
  }
}

TEST(Mremap, AFailureLeavesTargetAndSource) {
  Sim s;
  s.Run("map 0-2 rw; write 0-2 v1; map 20-24 rw; write 20-24 v2");
  // Nothing is mapped at 100, so page 20 must not be unmapped.
  Outcome out = s.Do(Mremap{At(100), 2 * kPage, 3 * kPage, kFix, At(20)});
  EXPECT_EQ(ResultOf(out), "EFAULT");
  out = s.Do(Mremap{At(0), 4 * kPage, 5 * kPage, kFix, At(20)});
  EXPECT_EQ(ResultOf(out), "EFAULT");
  s.Run("read 0-2 =1; read 20-24 =2");
}

TEST(Mremap, GrowsInPlaceWhenItCan) {
  Sim s;
  s.Run("map 0-4 rw; write 0-4 v5; resize 0-4 8; read 0-4 =5 +0; read 4 =0");
  EXPECT_EQ(s.Vmas(), "0-8:rw");
}

TEST(Mremap, MovesWithItsContentsWhenItMust) {
  Sim s;
  s.Run("map 0-4 rw; map 4-8 r; write 0-4 v5");
  Outcome out = s.Do(Mremap{At(0), 4 * kPage, 6 * kPage, kMay, 0});
  auto at = static_cast<uint64_t>(out.value);
  EXPECT_EQ(s.Vmas(), "4-8:r");
  Outcome read = s.Do(Access{AccessKind::kRead, at, 4, kPage, 0});
  EXPECT_EQ(read.value, 5);
  EXPECT_EQ(read.min_flt, 0u);
  read = s.Do(Access{AccessKind::kRead, at + 4 * kPage, 1, kPage, 0});
  EXPECT_EQ(read.value, 0);
}

TEST(Mremap, MovesAcrossPageTables) {
  Sim s;
  s.Run(
      "map 500-530 rw; write 500-530 v5; move 500-530 1010;"
      "read 1010-1040 =5 +0; read 500 =SEGV/1");
}

TEST(Mremap, ADuplicateOfSharedMemoryShares) {
  Sim s;
  s.Run("map 0-4 rw shared; write 0 v5");
  auto at = static_cast<uint64_t>(s.Do(Mremap{At(0), 0, kPage, kMay, 0}).value);
  s.Do(Access{AccessKind::kWrite, at, 1, 1, 6});
  s.Run("read 0 =6");
}

TEST(Mremap, DontunmapLeavesAnEmptySource) {
  Sim s;
  s.Run(
      "map 0-4 rw; write 0-4 v5; move 0-4 10 keep; read 0-4 =0 +4;"
      "read 10-14 =5 +0");
  EXPECT_EQ(s.Vmas(), "0-4:rw 10-14:rw");
}

TEST(Mremap, LockedMemoryIsPopulatedWhereItGrows) {
  Sim s;
  s.Run("map 0-4 rw locked; resize 0-4 8; write 0-8 +0");
  EXPECT_EQ(s.mm().locked_vm, 8u);
}

TEST(Mremap, LimitsStopGrowth) {
  Sim s;
  s.Run("map 0-4 rw");
  s.Limit(kRlimitAs, (s.mm().total_vm + 2) * kPage);
  s.Run("resize 0-4 7 =ENOMEM; resize 0-4 6");
  Sim locked;
  locked.Run("map 0-4 rw locked");
  locked.Limit(kRlimitMemlock, 5 * kPage);
  locked.DropCapabilities();
  locked.Run("resize 0-4 6 =EAGAIN; resize 0-4 5");
}

TEST(Mremap, ChargesFollowTheMemory) {
  Sim s;
  uint64_t before = s.kernel().vm_committed;
  s.Run("map 0-4 rw");
  EXPECT_EQ(s.kernel().vm_committed, before + 4);
  s.Run("move 0-4 10");
  EXPECT_EQ(s.kernel().vm_committed, before + 4);
  s.Run("resize 10-14 6");
  EXPECT_EQ(s.kernel().vm_committed, before + 6);
  s.Run("resize 10-16 1; unmap 10");
  EXPECT_EQ(s.kernel().vm_committed, before);
}

class Brk : public ::testing::Test {
 protected:
  Brk() : start_(sim_.mm().start_brk.value()) {}
  // The break asked for, relative to the start; where it is then.
  uint64_t To(uint64_t offset) {
    return static_cast<uint64_t>(
               sim_.Do(faultline::Brk{start_ + offset}).value) -
           start_;
  }
  void MapAt(uint64_t offset, uint64_t flags = 0) {
    sim_.Do(Mmap{start_ + offset, kPage, kRw,
                 mman::kPrivate | mman::kAnonymous | mman::kFixed | flags, -1,
                 0});
  }
  Sim sim_;
  uint64_t start_;
};

TEST_F(Brk, AnswersWhereItIs) {
  EXPECT_EQ(static_cast<uint64_t>(sim_.Do(faultline::Brk{0}).value), start_);
  EXPECT_EQ(To(5000), 5000u) << "kept to the byte";
  EXPECT_EQ(To(5001), 5001u) << "the same page";
  EXPECT_EQ(To(0), 0u);
}

TEST_F(Brk, BelowItsStartIsRefused) {
  To(kPage);
  EXPECT_EQ(static_cast<uint64_t>(sim_.Do(faultline::Brk{start_ - 1}).value),
            start_ + kPage);
}

TEST_F(Brk, GrowsOneVmaAndShrinksIt) {
  uint32_t before = sim_.map_count();
  To(4 * kPage);
  To(8 * kPage);
  EXPECT_EQ(sim_.map_count(), before + 1);
  EXPECT_EQ(sim_.VmaOf(start_).size(), 8 * kPage);
  To(2 * kPage);
  EXPECT_EQ(sim_.VmaOf(start_).size(), 2 * kPage);
  To(0);
  EXPECT_EQ(sim_.map_count(), before);
}

TEST_F(Brk, ForgetsWhatItGaveBack) {
  To(2 * kPage);
  sim_.Do(Access{AccessKind::kWrite, start_ + kPage, 1, 1, 9});
  To(kPage);
  To(2 * kPage);
  EXPECT_EQ(sim_.Do(Access{AccessKind::kRead, start_ + kPage, 1, 1, 0}).value,
            0);
}

TEST_F(Brk, KeepsAPageFreeBelowTheNextMapping) {
  MapAt(4 * kPage);
  EXPECT_EQ(To(4 * kPage), 0u);
  EXPECT_EQ(To(3 * kPage), 3 * kPage);
}

TEST_F(Brk, KeepsAStacksGuardGap) {
  MapAt(300 * kPage, mman::kGrowsDown);
  EXPECT_EQ(To(44 * kPage), 0u);
  EXPECT_EQ(To(43 * kPage), 43 * kPage);
}

TEST_F(Brk, DoesNotShrinkAHeapThatWasUnmapped) {
  To(4 * kPage);
  sim_.Do(Munmap{start_, 4 * kPage});
  EXPECT_EQ(To(kPage), 4 * kPage);
}

TEST_F(Brk, LimitsLeaveItWhereItIs) {
  sim_.Limit(kRlimitData, sim_.mm().data_vm * kPage);
  EXPECT_EQ(To(kPage), 0u);
  sim_.Limit(kRlimitData, kRlimInfinity);
  sim_.Limit(kRlimitAs, (sim_.mm().total_vm + 2) * kPage);
  EXPECT_EQ(To(3 * kPage), 0u);
  EXPECT_EQ(To(2 * kPage), 2 * kPage);
}

}  // namespace
}  // namespace faultline

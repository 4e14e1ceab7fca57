// MADV_GUARD_INSTALL and MADV_GUARD_REMOVE, and MAP_DROPPABLE. What the tests
// expect was seen on Linux 6.18.44 (conformance), or is what the kernel's own
// guard-regions.c asserts.
#include <gtest/gtest.h>

#include "server/machine/mm/mmap.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;

TEST(Guard, AnAccessIsAFaultOutsideOfAnyMapping) {
  Sim s;
  s.Run(
      "map 0-4 rw; write 0-4 v7 +4; advise 1-3 102; read 0 =7; read 1 =SEGV/1;"
      "write 2 =SEGV/1; fetch 1 =SEGV/1; read 3 =7");
  EXPECT_EQ(s.Vmas(), "0-4:rw");
  EXPECT_EQ(s.mm().Rss(kRssAnon), 1u + 2u);  // the stack's page is there too
}

TEST(Guard, RemovedItIsAPageThatWasNeverTouched) {
  Sim s;
  s.Run(
      "map 0-4 rw; write 0-4 v7 +4; advise 1-3 102; advise 0-4 103;"
      "read 1 =0 +1; write 2 v9 +1; read 0 =7; read 3 =7");
}

TEST(Guard, StaysUntilItIsRemovedOrUnmapped) {
  Sim s;
  s.Run(
      "map 0-4 rw; advise 1 102; advise 0-4 4; read 1 =SEGV/1;"
      "advise 0-4 8; read 1 =SEGV/1; advise 0-4 21; read 1 =SEGV/1;"
      "protect 0-4 r; protect 0-4 rw; write 1 =SEGV/1;"
      "unmap 1; map 1 rw; read 1 =0 +1");
}

TEST(Guard, MovesWithItsMapping) {
  Sim s;
  s.Run("map 0-4 rw; advise 1 102; move 0-4 10; write 11 =SEGV/1; write 10 +1");
}

TEST(Guard, IsInheritedUnlessWiped) {
  Sim s;
  s.Run(
      "map 0-2 rw; map 4-6 rw; advise 0 102; advise 4 102; advise 4-6 18;"
      "fork; 2: read 0 =SEGV/1; 2: read 1 =0 +1; 2: read 4 =0 +1");
}

TEST(Guard, OfAFileIsInheritedAndOutlivesTruncation) {
  Sim s;
  s.File("/f", 4);
  s.Run(
      "map 0-4 rw fd3 shared; advise 0-2 102; fork; 2: read 1 =SEGV/1;"
      "2: read 2 =15 +1; truncate 3 0; read 1 =SEGV/1; read 2 =BUS/2;"
      "truncate 3 4; advise 0-4 103; read 1 =0 !1");
}

TEST(Guard, FaultAroundLeavesItAlone) {
  Sim s;
  s.File("/f", 8);
  s.Run(
      "map 0-8 r fd3; advise 3 102; read 0 =1 +1; read 4 =29;"
      "read 3 =SEGV/1");
}

TEST(Guard, PopulationAndLockingMeetIt) {
  Sim s;
  s.Run(
      "map 0-4 rw; advise 2 102; advise 0-4 22 =EFAULT +2;"
      "advise 0-4 23 =EFAULT +2; lock 0-4 =ENOMEM");
}

TEST(Guard, RefusesLockedMemoryAndHoles) {
  Sim s;
  s.Run(
      "map 0-2 rw; map 2-4 rw locked; advise 0-4 102 =EINVAL;"
      "read 0 =SEGV/1; read 2 =0; advise 2-4 103;"
      "unlock 2-4; unmap 1; advise 0-4 102 =ENOMEM; read 2 =SEGV/1");
}

TEST(Guard, VmFlagIsHandedOnByMerges) {
  Sim s;
  s.Run("map 0-2 rw; advise 0 102; map 2-4 rw");
  EXPECT_EQ(s.Vmas(), "0-4:rw");
  EXPECT_TRUE(s.VmaOf(At(3)).Has(vm::kMaybeGuard));
  s.Run("protect 2-4 r; map 4-6 rw; protect 2-4 rw");
  EXPECT_EQ(s.Vmas(), "0-6:rw");
  EXPECT_TRUE(s.VmaOf(At(5)).Has(vm::kMaybeGuard));
}

TEST(Guard, Linux61DoesNotHaveIt) {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  Sim s(config);
  s.Run("map 0-2 rw; advise 0 102 =EINVAL; advise 0 103 =EINVAL");
}

TEST(Madvise, WhatIsNotConfiguredIsUnknown) {
  Sim s;
  s.Run("map 0-2 rw; advise 0 100 =EINVAL; advise 0 101 =EINVAL");
}

Mmap Droppable(uint64_t flags) {
  return {At(0), 4 * kPage,
          kRw,   mman::kDroppable | mman::kAnonymous | mman::kFixed | flags,
          -1,    0};
}

TEST(Droppable, IsWipedOnForkAndNeitherReservedNorDumped) {
  Sim s;
  ASSERT_EQ(ResultOf(s.Do(Droppable(0))), "OK");
  const Vma& vma = s.VmaOf(At(0));
  EXPECT_TRUE(vma.Has(vm::kWipeOnFork));
  EXPECT_TRUE(vma.Has(vm::kDontDump));
  EXPECT_TRUE(vma.Has(vm::kNoReserve));
  s.Run(
      "write 0 v7 +1; advise 0-4 17 =EINVAL; advise 0-4 19 =EINVAL; fork;"
      "2: read 0 =0 +1; read 0 =7");
}

TEST(Droppable, CannotBeLocked) {
  for (uint64_t flag : {mman::kLocked, mman::kGrowsDown}) {
    Sim s;
    EXPECT_EQ(ResultOf(s.Do(Droppable(flag))), "EINVAL") << flag;
  }
  Sim s;
  s.Do(Mlockall{2});
  ASSERT_EQ(ResultOf(s.Do(Droppable(0))), "OK");  // populated all the same
  EXPECT_EQ(s.mm().locked_vm, 0u);
  s.Run("write 0-4 +0; lock 0-4");
  EXPECT_FALSE(s.VmaOf(At(0)).Has(vm::kLocked));
}

TEST(Droppable, OfAFileOrOn61IsNoTypeAtAll) {
  Sim s;
  s.File("/f", 4);
  Mmap call = Droppable(0);
  call.flags &= ~mman::kAnonymous;
  call.fd = 3;
  EXPECT_EQ(ResultOf(s.Do(call)), "EINVAL");
  MachineConfig config;
  config.personality = Personality::kLinux61;
  Sim old(config);
  EXPECT_EQ(ResultOf(old.Do(Droppable(0))), "EINVAL");
}

}  // namespace
}  // namespace faultline

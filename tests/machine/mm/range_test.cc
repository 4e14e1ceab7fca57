// mlock, madvise, msync, mincore: calls that walk a range of VMAs.
#include <gtest/gtest.h>

#include <string>

#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;

TEST(Mlock, RoundsOutwardsAndPopulates) {
  Sim s;
  s.Run("map 0-4 rw");
  s.Do(Mlock{At(1) - 1, 2, 0});
  EXPECT_EQ(s.Vmas(), "0-2:rwL 2-4:rw");
  EXPECT_EQ(s.mm().locked_vm, 2u);
  s.Run("write 0-2 +0; write 2 +1");
}

TEST(Mlock, OnFaultWaitsForTheTouch) {
  Sim s;
  s.Run("map 0-4 rw; onfault 0-4 +0; write 0 +1");
  EXPECT_EQ(s.Vmas(), "0-4:rwF");
  EXPECT_EQ(s.mm().locked_vm, 4u);
}

TEST(Mlock, TwiceCountsOnce) {
  Sim s;
  s.Run("map 0-4 rw; lock 0-4; lock 0-4; lock 1-2");
  EXPECT_EQ(s.mm().locked_vm, 4u);
  s.Run("unlock 0-4; unlock 0-4");
  EXPECT_EQ(s.mm().locked_vm, 0u);
}

TEST(Mlock, AHoleLocksThePrefix) {
  Sim s;
  s.Run("map 0-2 rw; map 3-5 rw; lock 0-5 =ENOMEM");
  EXPECT_EQ(s.Vmas(), "0-2:rwL 3-5:rw");
  s.Run("unlock 0-5 =ENOMEM");
  EXPECT_EQ(s.Vmas(), "0-2:rw 3-5:rw");
}

TEST(Mlock, ErrnosInOrder) {
  Sim s;
  s.Run("map 0-8 rw; map 10-12 -");
  struct Row {
    const char* name;
    uint64_t limit;
    Mlock call;
    const char* result;
  };
  const Row rows[] = {
      {"unknown flag beats no permission", 0, {At(0), kPage, 2}, "EINVAL"},
      {"no permission beats length 0", 0, {At(0), 0, 0}, "EPERM"},
      {"over the limit", 2 * kPage, {At(0), 3 * kPage, 0}, "ENOMEM"},
      {"at the limit", 2 * kPage, {At(0), 2 * kPage, 0}, "OK"},
      {"a hole", 8 * kPage, {At(20), kPage, 0}, "ENOMEM"},
      {"inaccessible memory", 8 * kPage, {At(10), kPage, 0}, "ENOMEM"},
      {"length 0", 8 * kPage, {At(20), 0, 0}, "OK"},
  };
  for (const Row& row : rows) {
    Sim one = s;
    one.Limit(kRlimitMemlock, row.limit);
    one.DropCapabilities();
    EXPECT_EQ(ResultOf(one.Do(row.call)), row.result) << row.name;
  }
}

TEST(Mlock, WhatIsLockedAlreadyIsNotCountedAgain) {
  Sim s;
  s.Run("map 0-8 rw");
  s.Limit(kRlimitMemlock, 4 * kPage);
  s.DropCapabilities();
  s.Run("lock 0-4; lock 0-4; lock 0-5 =ENOMEM");
}

TEST(Mlockall, CurrentFutureAndNeither) {
  Sim s;
  s.Run("map 0-2 rw");
  EXPECT_EQ(ResultOf(s.Do(Mlockall{0})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Mlockall{4})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Mlockall{8})), "EINVAL");
  s.Do(Mlockall{1});
  s.Run("map 10-12 rw");
  EXPECT_EQ(s.Vmas(), "0-2:rwL 10-12:rw");
  s.Do(Mlockall{2});
  s.Run("map 20-22 rw; write 20-22 +0");
  EXPECT_EQ(s.Vmas(), "0-2:rwL 10-12:rw 20-22:rwL");
  s.Do(Munlockall{});
  s.Run("map 30 rw");
  EXPECT_EQ(s.Vmas(), "0-2:rw 10-12:rw 20-22:rw 30-31:rw");
  EXPECT_EQ(s.mm().locked_vm, 0u);
}

TEST(Mlock, IsNotInheritedByFork) {
  Sim s;
  s.Run("map 0-2 rw locked; fork; 2: map 10 rw");
  EXPECT_EQ(s.Vmas(2), "0-2:rw 10-11:rw");
  EXPECT_EQ(s.mm(2).locked_vm, 0u);
}

TEST(Madvise, ErrnosInOrder) {
  Sim s;
  s.File("/f", 8);
  s.Run("map 0-4 rw; map 4-6 rw locked; map 10-12 rw shared; map 20-22 r fd3");
  struct Row {
    const char* name;
    Madvise call;
    const char* result;
  };
  const Row rows[] = {
      {"unknown advice", {At(0), kPage, 1212}, "EINVAL"},
      {"unknown advice of nothing", {At(0), 0, 1212}, "EINVAL"},
      {"unaligned", {At(0) + 1, kPage, 4}, "EINVAL"},
      {"negative length", {At(0), ~uint64_t{0}, 4}, "EINVAL"},
      {"wraps", {~uint64_t{0} << 12, 2 * kPage, 4}, "EINVAL"},
      {"length 0", {At(100), 0, 4}, "OK"},
      {"a hole", {At(100), kPage, 4}, "ENOMEM"},
      {"DONTNEED of locked memory", {At(4), kPage, 4}, "EINVAL"},
      {"DONTNEED_LOCKED of it", {At(4), kPage, 24}, "OK"},
      {"FREE of locked memory", {At(4), kPage, 8}, "EINVAL"},
      {"FREE of shared memory", {At(10), kPage, 8}, "EINVAL"},
      {"FREE of a file", {At(20), kPage, 8}, "EINVAL"},
      {"REMOVE of private memory", {At(0), kPage, 9}, "EINVAL"},
      {"REMOVE of a private file", {At(20), kPage, 9}, "EACCES"},
      {"REMOVE of shared memory", {At(10), kPage, 9}, "OK"},
      {"WIPEONFORK of shared memory", {At(10), kPage, 18}, "EINVAL"},
      {"WIPEONFORK of a file", {At(20), kPage, 18}, "EINVAL"},
      {"POPULATE_WRITE of read-only", {At(20), kPage, 23}, "EINVAL"},
      {"POPULATE_READ of a hole", {At(100), kPage, 22}, "ENOMEM"},
  };
  for (const Row& row : rows) {
    Sim one = s;
    EXPECT_EQ(ResultOf(one.Do(row.call)), row.result) << row.name;
  }
}

TEST(Madvise, DontneedForgetsPrivateAndKeepsShared) {
  Sim s;
  s.File("/f", 8);
  s.Run(
      "map 0 rw; write 0 v9; advise 0 4; read 0 =0 +1;"
      "map 2 rw shared; write 2 v9; advise 2 4; read 2 =9 +1;"
      "map 4 rw fd3; write 4 v9; advise 4 4; read 4 =1 +1");
}

TEST(Madvise, RemoveZeroesSharedMemory) {
  Sim s;
  s.Run("map 0-2 rw shared; write 0-2 v9; advise 0 9; read 0 =0; read 1 =9");
}

TEST(Madvise, AppliesAroundAHoleAndSaysEnomem) {
  Sim s;
  s.Run(
      "map 0-2 rw; map 4-6 rw; write 0-2 v9; write 4-6 v9;"
      "advise 0-6 4 =ENOMEM; read 0 =0; read 4 =0");
}

TEST(Madvise, StopsAtTheFirstVmaThatRefuses) {
  Sim s;
  s.Run(
      "map 0-2 rw; map 2-4 rw locked; map 4-6 rw; write 0-6 v9;"
      "advise 0-6 4 =EINVAL; read 0 =0; read 2 =9; read 4 =9");
}

TEST(Madvise, PopulateTouchesBeforehand) {
  Sim s;
  s.Run(
      "map 0-4 rw; advise 0-4 23; write 0-4 +0; map 8-12 rw;"
      "advise 8-12 22; read 8-12 +0; write 8-12 +4");
}

TEST(Msync, ErrnosInOrder) {
  Sim s;
  s.Run("map 0-2 rw; map 4-6 rw locked");
  struct Row {
    const char* name;
    Msync call;
    const char* result;
  };
  const Row rows[] = {
      {"unknown flag", {At(0), kPage, 8}, "EINVAL"},
      {"unaligned", {At(0) + 1, kPage, 4}, "EINVAL"},
      {"async and sync", {At(0), kPage, 5}, "EINVAL"},
      {"wraps", {~uint64_t{0} << 12, 2 * kPage, 4}, "ENOMEM"},
      {"length 0 of nothing", {At(100), 0, 4}, "OK"},
      {"no flag", {At(0), kPage, 0}, "OK"},
      {"nothing mapped", {At(100), kPage, 4}, "ENOMEM"},
      {"across a hole", {At(0), 6 * kPage, 4}, "ENOMEM"},
      {"invalidate locked memory", {At(4), kPage, 2}, "EBUSY"},
      {"all is there", {At(0), 2 * kPage, 4}, "OK"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ResultOf(s.Do(row.call)), row.result) << row.name;
  }
}

TEST(Msync, WritesTheFileAndProtectsItsPagesAgain) {
  Sim s;
  s.File("/f", 8, kOpenBoth, FsType::kExt4);
  s.Run(
      "map 0-2 rw shared fd3; write 0-2 v9 +2; sync 0 4; write 0 +1;"
      "write 1 +0; sync 0-2 1; write 0-2 +0");
}

TEST(Mincore, SaysWhatIsThere) {
  Sim s;
  s.File("/f", 4);
  s.File("/g", 4, kOpenBoth, FsType::kExt4, false);
  s.Run("map 0-4 rw; write 1; read 2; map 4-8 r fd3; map 8-12 r fd4");
  EXPECT_EQ(s.Do(Mincore{At(0), 12 * kPage}).data,
            std::string("\0\1\1\0\1\1\1\1\0\0\0\0", 12));
}

TEST(Mincore, ErrnosAndTheBytesBeforeAHole) {
  Sim s;
  s.Run("map 0-2 rw; write 0-2");
  EXPECT_EQ(ResultOf(s.Do(Mincore{At(0) + 1, kPage})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Mincore{At(0), uint64_t{1} << 60})), "ENOMEM");
  Outcome out = s.Do(Mincore{At(0), 4 * kPage});
  EXPECT_EQ(ResultOf(out), "ENOMEM");
  EXPECT_EQ(out.data, "\1\1");
}

TEST(SetVmaName, NamesAndUnnames) {
  Sim s;
  s.Run("map 0-4 rw; name 1-2 heap");
  EXPECT_EQ(s.VmaOf(At(1)).name, "heap");
  s.Do(SetVmaName{At(1), kPage, ""});
  EXPECT_EQ(s.Vmas(), "0-4:rw");
}

TEST(SetVmaName, OfSharedMemoryIfItIsAnonymous) {
  Sim s;
  s.Run("map 0-4 rw shared; name 1-2 ring");
  EXPECT_EQ(s.VmaOf(At(1)).name, "ring");
  const auto maps = ReadProc(s.kernel(), "/proc/1/maps");
  EXPECT_NE(maps.value().find("[anon_shmem:ring]"), std::string::npos);
  s.File("/f", 4);
  s.Run("map 8-12 rw shared fd3; name 8-9 no =EBADF");
  MachineConfig config;
  config.personality = Personality::kLinux61;
  Sim(config).Run("map 0-4 rw shared; name 1-2 ring =EBADF");
}

}  // namespace
}  // namespace faultline

// mmap, munmap and mprotect: every errno, in the order of the checks.
#include "server/machine/mm/mmap.h"

#include <gtest/gtest.h>

#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;
constexpr uint64_t kAnon = mman::kAnonymous, kPriv = mman::kPrivate,
                   kShar = mman::kShared, kFix = mman::kFixed,
                   kValidate = mman::kSharedValidate;
constexpr int32_t kBoth = 3, kRead = 4, kWriteOnly = 5, kPathOnly = 6,
                  kClosed = 77;

class MmapErrors : public ::testing::Test {
 protected:
  MmapErrors() {
    sim_.File("/f", 8, kOpenBoth);
    sim_.File("/f", 8, kOpenRead);
    sim_.File("/f", 8, kOpenWrite);
    sim_.File("/f", 8, 010000000);
    sim_.Run("map 0-8 rw; write 0-8 v7");
  }
  Sim sim_;
};

struct MmapRow {
  const char* name;
  Mmap call;
  const char* result;
};

TEST_F(MmapErrors, ComeInLinuxsOrder) {
  const uint64_t kHuge = ~uint64_t{0} - kPage + 2;
  const MmapRow rows[] = {
      {"offset unaligned beats everything",
       {0, 0, kRw, 0, kClosed, 1},
       "EINVAL"},
      {"bad descriptor beats length 0", {0, 0, kR, kPriv, kClosed, 0}, "EBADF"},
      {"O_PATH", {0, kPage, kR, kPriv, kPathOnly, 0}, "EBADF"},
      {"length 0", {0, 0, kR, kPriv | kAnon, -1, 0}, "EINVAL"},
      {"length wraps to 0", {0, kHuge, kR, kPriv | kAnon, -1, 0}, "ENOMEM"},
      {"offset and length wrap",
       {0, 2 * kPage, kR, kPriv, kBoth, ~uint64_t{0} << 12},
       "EOVERFLOW"},
      {"longer than the address space",
       {0, uint64_t{1} << 47, kR, kPriv | kAnon, -1, 0},
       "ENOMEM"},
      {"fixed unaligned",
       {At(0) + 1, kPage, kR, kPriv | kAnon | kFix, -1, 0},
       "EINVAL"},
      {"fixed too high beats unaligned",
       {0x7ffffffff001, kPage, kR, kPriv | kAnon | kFix, -1, 0},
       "ENOMEM"},
      {"noreplace over a mapping",
       {At(2), kPage, kR, kPriv | kAnon | mman::kFixedNoReplace, -1, 0},
       "EEXIST"},
      {"noreplace beats a bad type",
       {At(2), kPage, kR, kAnon | mman::kFixedNoReplace, -1, 0},
       "EEXIST"},
      {"noreplace wins over fixed",
       {At(2), kPage, kR, kPriv | kAnon | kFix | mman::kFixedNoReplace, -1, 0},
       "EEXIST"},
      {"noreplace beside a mapping",
       {At(8), kPage, kR, kPriv | kAnon | mman::kFixedNoReplace, -1, 0},
       "OK"},
      {"no type, anonymous", {0, kPage, kR, kAnon, -1, 0}, "EINVAL"},
      {"no type, file", {0, kPage, kR, 0, kBoth, 0}, "EINVAL"},
      {"type 4", {0, kPage, kR, 4 | kAnon, -1, 0}, "EINVAL"},
      {"shared validate anonymous",
       {0, kPage, kR, kValidate | kAnon, -1, 0},
       "EINVAL"},
      {"shared validate with an unknown flag",
       {0, kPage, kR, kValidate | 0x200000, kBoth, 0},
       "EOPNOTSUPP"},
      {"shared with an unknown flag",
       {0, kPage, kR, kShar | 0x200000, kBoth, 0},
       "OK"},
      {"shared write of a read-only descriptor",
       {0, kPage, kRw, kShar, kRead, 0},
       "EACCES"},
      {"private write of a read-only descriptor",
       {0, kPage, kRw, kPriv, kRead, 0},
       "OK"},
      {"a write-only descriptor",
       {0, kPage, 0, kPriv, kWriteOnly, 0},
       "EACCES"},
      {"a shared write-only descriptor",
       {0, kPage, kW, kShar, kWriteOnly, 0},
       "EACCES"},
      {"a file that grows down",
       {0, kPage, kR, kPriv | mman::kGrowsDown, kBoth, 0},
       "EINVAL"},
      {"shared memory that grows down",
       {0, kPage, kR, kShar | kAnon | mman::kGrowsDown, -1, 0},
       "EINVAL"},
      {"huge pages, none configured",
       {0, kPage, kR, kPriv | kAnon | mman::kHugeTlb, -1, 0},
       "ENOMEM"},
      {"huge pages of an ordinary file",
       {0, kPage, kR, kPriv | mman::kHugeTlb, kBoth, 0},
       "EINVAL"},
      {"droppable and locked",
       {0, kPage, kRw, mman::kDroppable | kAnon | mman::kLocked, -1, 0},
       "EINVAL"},
      {"droppable file", {0, kPage, kRw, mman::kDroppable, kBoth, 0}, "EINVAL"},
      {"unknown protection bits are ignored",
       {0, kPage, 0xff0, kPriv | kAnon, -1, 0},
       "OK"},
      {"beyond the end of the file",
       {0, 100 * kPage, kR, kPriv, kBoth, 0},
       "OK"},
  };
  for (const MmapRow& row : rows) {
    Sim s = sim_;
    EXPECT_EQ(ResultOf(s.Do(row.call)), row.result) << row.name;
  }
}

TEST_F(MmapErrors, ThoseOfLimitsAndCapabilities) {
  struct Row {
    const char* name;
    uint64_t memlock;
    Mmap call;
    const char* result;
  };
  const Row rows[] = {
      {"locked without permission",
       0,
       {0, kPage, kR, kPriv | kAnon | mman::kLocked, -1, 0},
       "EPERM"},
      {"locked without permission beats a bad type",
       0,
       {0, kPage, kR, kAnon | mman::kLocked, -1, 0},
       "EPERM"},
      {"locked beyond the limit",
       4 * kPage,
       {0, 5 * kPage, kR, kPriv | kAnon | mman::kLocked, -1, 0},
       "EAGAIN"},
      {"locked up to the limit",
       4 * kPage,
       {0, 4 * kPage, kR, kPriv | kAnon | mman::kLocked, -1, 0},
       "OK"},
      {"address 0", 0, {0, kPage, kR, kPriv | kAnon | kFix, -1, 0}, "EPERM"},
  };
  for (const Row& row : rows) {
    Sim s = sim_;
    s.Limit(kRlimitMemlock, row.memlock);
    s.DropCapabilities();
    EXPECT_EQ(ResultOf(s.Do(row.call)), row.result) << row.name;
  }
  EXPECT_EQ(ResultOf(sim_.Do(Mmap{0, kPage, kR, kPriv | kAnon | kFix, -1, 0})),
            "OK")
      << "address 0 with CAP_SYS_RAWIO";
}

TEST_F(MmapErrors, AddressSpaceLimitIsExactAndLeavesTheOldMapping) {
  uint64_t used = sim_.mm().total_vm * kPage;
  sim_.Limit(kRlimitAs, used + 4 * kPage);
  sim_.Run("map 20-25 rw =ENOMEM; map 20-24 -; map 24 - =ENOMEM");
  sim_.Run("map 0-10 rw =ENOMEM; read 0-8 =7");
  EXPECT_EQ(sim_.Vmas(), "0-8:rw 20-24:-");
  sim_.Run("map 0-8 r; map 20-24 rw");
}

TEST_F(MmapErrors, DataLimitCountsPrivateWritableOnly) {
  sim_.Limit(kRlimitData, sim_.mm().data_vm * kPage);
  sim_.Run("map 20 rw =ENOMEM; map 21 r; map 22 -; map 23 rw shared");
  sim_.Run("protect 21 rw =ENOMEM");
}

TEST_F(MmapErrors, MapCountReachesTheMaximumPlusOne) {
  sim_.SetSysctl("vm.max_map_count", sim_.map_count() + 2);
  sim_.Run("map 100 r; map 102 r; map 104 r; map 106 r =ENOMEM");
  EXPECT_EQ(sim_.map_count(), sim_.kernel().sysctl.max_map_count + 1);
  sim_.Run("unmap 100; unmap 102");
  sim_.Run("map 100 r; unmap 3 =ENOMEM; protect 3 r =ENOMEM; lock 3 =ENOMEM");
  sim_.Run("advise 3 10 =EAGAIN; map 3 r =ENOMEM; read 3 =7");
  sim_.Run("unmap 7; unmap 0-7");
}

TEST(Munmap, ErrnosInOrder) {
  Sim s;
  struct Row {
    const char* name;
    Munmap call;
    const char* result;
  };
  const uint64_t kTop = 0x7ffffffff000;
  const Row rows[] = {
      {"unaligned", {At(0) + 1, kPage}, "EINVAL"},
      {"length 0", {At(0), 0}, "EINVAL"},
      {"start beyond the end", {kTop + kPage, kPage}, "EINVAL"},
      {"end beyond the end", {kTop - kPage, 2 * kPage}, "EINVAL"},
      {"length wraps", {At(0), ~uint64_t{0}}, "EINVAL"},
      {"nothing mapped", {At(0), kPage}, "OK"},
      {"length is rounded up", {At(0), 1}, "OK"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ResultOf(s.Do(row.call)), row.result) << row.name;
  }
}

TEST(Mprotect, ErrnosInOrder) {
  Sim s;
  s.File("/f", 8, kOpenRead);
  s.Run(
      "map 0-4 rw; map 6-8 rw; map 10-12 r shared fd3; map 20-22 rw growsdown");
  const uint64_t kDown = mman::kProtGrowsDown, kUp = mman::kProtGrowsUp;
  struct Row {
    const char* name;
    Mprotect call;
    const char* result;
  };
  const Row rows[] = {
      {"grows both ways", {At(0), 0, kDown | kUp}, "EINVAL"},
      {"unaligned beats length 0", {At(0) + 1, 0, kR}, "EINVAL"},
      {"length 0 beats bad bits", {At(0), 0, 0xff0}, "OK"},
      {"length 0 of nothing", {At(100), 0, kR}, "OK"},
      {"wraps beats bad bits", {At(0), ~uint64_t{0}, 0xff0}, "ENOMEM"},
      {"bad bits beat a hole", {At(100), kPage, 0xff0}, "EINVAL"},
      {"nothing mapped", {At(100), kPage, kR}, "ENOMEM"},
      {"starts in a hole", {At(5), 2 * kPage, kR}, "ENOMEM"},
      {"grows down, no stack", {At(0), kPage, kR | kDown}, "EINVAL"},
      {"grows up", {At(0), kPage, kR | kUp}, "EINVAL"},
      {"grows down, a stack", {At(21), kPage, kR | kDown}, "OK"},
      {"write of a read-only file", {At(10), kPage, kRw}, "EACCES"},
      {"PROT_SEM", {At(0), kPage, kRw | mman::kProtSem}, "OK"},
  };
  for (const Row& row : rows) {
    Sim one = s;
    EXPECT_EQ(ResultOf(one.Do(row.call)), row.result) << row.name;
  }
}

TEST(Mprotect, KeepsWhatItDidBeforeAHole) {
  Sim s;
  s.Run("map 0-4 rw; map 6-8 rw; protect 0-8 r =ENOMEM");
  EXPECT_EQ(s.Vmas(), "0-4:r 6-8:rw");
}

TEST(Mprotect, KeepsWhatItDidBeforeARefusal) {
  Sim s;
  s.File("/f", 8, kOpenRead);
  s.Run("map 0-4 r; map 4-6 r shared fd3; protect 0-6 rw =EACCES");
  EXPECT_EQ(s.Vmas(), "0-4:rw 4-6:rS");
}

TEST(Mprotect, GrowsdownStartsAtTheStacksStart) {
  Sim s;
  s.Run("map 20-24 rw growsdown");
  s.Do(Mprotect{At(22), kPage, kR | mman::kProtGrowsDown});
  EXPECT_EQ(s.Vmas(), "20-23:rD 23-24:rwD");
}

TEST(Mprotect, WritableMemoryIsUpgradedWithoutAFault) {
  Sim s;
  s.Run("map 0-10 rw; write 0-10 v5 +10; protect 0-10 r; write 0 =SEGV/2 +0");
  s.Run("protect 0-10 rw; write 0-10 v6 +0; read 0-10 =6 +0");
}

TEST(Mprotect, NoneHidesButKeepsTheBytes) {
  Sim s;
  s.Run("map 0-2 rw; write 0-2 v5; protect 0-2 -; read 0 =SEGV/2");
  s.Run("protect 0-2 r; read 0-2 =5 +0");
}

TEST(Overcommit, HeuristicRefusesOnlyTheObvious) {
  Sim s;
  uint64_t total = s.kernel().totalram_pages * kPage;
  auto map = [&](uint64_t bytes, uint64_t prot, uint64_t flags) {
    return ResultOf(s.Do(Mmap{0, bytes, prot, flags | kAnon, -1, 0}));
  };
  for (int i = 0; i < 3; i++) EXPECT_EQ(map(total, kRw, kPriv), "OK");
  EXPECT_EQ(map(total + kPage, kRw, kPriv), "ENOMEM");
  EXPECT_EQ(map(total + kPage, kR, kPriv), "OK");
  EXPECT_EQ(map(total + kPage, kRw, kPriv | mman::kNoReserve), "OK");
  EXPECT_EQ(map(total + kPage, kRw, kShar), "ENOMEM");
  s.SetSysctl("vm.overcommit_memory", 1);
  EXPECT_EQ(map(10 * total, kRw, kPriv), "OK");
}

TEST(Overcommit, StrictModeHasALimitThatUnmappingFrees) {
  Sim s;
  s.SetSysctl("vm.overcommit_memory", 2);
  s.SetSysctl("vm.overcommit_kbytes",
              (s.kernel().vm_committed + 1000) * 4 + s.mm().total_vm);
  auto map = [&] {
    return s.Do(Mmap{0, 600 * kPage, kRw, kPriv | kAnon, -1, 0});
  };
  Outcome first = map();
  EXPECT_EQ(ResultOf(first), "OK");
  EXPECT_EQ(ResultOf(map()), "ENOMEM");
  s.Do(Munmap{static_cast<uint64_t>(first.value), 600 * kPage});
  EXPECT_EQ(ResultOf(map()), "OK");
}

}  // namespace
}  // namespace faultline

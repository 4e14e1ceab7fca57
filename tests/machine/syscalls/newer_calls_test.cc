// mseal, remap_file_pages, memfd_create, fallocate, process_madvise, setuid,
// prctl and their refusals, in the order of the source of Linux 6.18; what was
// also asked of the kernel itself is in tests/conformance.
#include <gtest/gtest.h>

#include <string>

#include "server/machine/mm/mmap.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;
constexpr uint64_t kHuge = ~uint64_t{0} - kPage + 1;  // rounds up to 0

MachineConfig Linux61() {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  return config;
}

std::string Seal(Sim& s, uint64_t from, uint64_t to) {
  return ResultOf(s.Do(Mseal{At(from), (to - from) * kPage, 0}));
}

TEST(Mseal, ErrnosInOrder) {
  Sim s;
  s.Run("map 0-4 rw; map 6-8 rw");
  struct Row {
    const char* name;
    Mseal call;
    const char* result;
  };
  const Row rows[] = {
      {"flags beat everything", {1, kHuge, 1}, "EINVAL"},
      {"unaligned", {At(0) + 1, kPage, 0}, "EINVAL"},
      {"rounds up to nothing", {At(0), ~uint64_t{0}, 0}, "EINVAL"},
      {"wraps", {At(0), kHuge, 0}, "EINVAL"},
      {"no length, nothing there", {At(20), 0, 0}, "OK"},
      {"a hole in the middle", {At(0), 8 * kPage, 0}, "ENOMEM"},
      {"a hole at the end", {At(6), 3 * kPage, 0}, "ENOMEM"},
      {"all of it", {At(0), 4 * kPage, 0}, "OK"},
  };
  for (const Row& row : rows) {
    Sim one = s;
    EXPECT_EQ(ResultOf(one.Do(row.call)), row.result) << row.name;
  }
  s.Do(Mseal{At(0), 8 * kPage, 0});
  EXPECT_FALSE(s.VmaOf(At(0)).Has(vm::kSealed))
      << "a failed call seals nothing";
}

TEST(Mseal, IsFinal) {
  Sim s;
  s.Run("map 0-6 rw; write 0-6 v7 +6");
  ASSERT_EQ(Seal(s, 2, 4), "OK");
  EXPECT_EQ(s.Vmas(), "0-2:rw 2-4:rw 4-6:rw");
  s.Run(
      "unmap 2-3 =EPERM; unmap 0-6 =EPERM; protect 2-4 r =EPERM;"
      "move 2-4 20 =EPERM; resize 2-4 1 =EPERM; map 3-4 rw =EPERM;"
      "read 3 =7");
  // What may be written may be discarded.
  s.Run("advise 2-4 4; read 2 =0 +1; lock 2-4; unlock 2-4");
  EXPECT_EQ(Seal(s, 0, 6), "OK");
}

TEST(Mseal, ReadOnlyAnonymousMemoryKeepsItsContents) {
  Sim s;
  s.Run("map 0-2 rw; write 0-2 v7 +2; protect 0-2 r");
  ASSERT_EQ(Seal(s, 0, 2), "OK");
  for (const char* advice : {"4", "8", "10", "18", "24", "102"}) {
    s.Run(std::string("advise 0-2 ") + advice + " =EPERM");
  }
  s.Run("advise 0-2 0; advise 0-2 20; read 0 =7");
}

TEST(Mseal, IsInheritedAndBlocksBrk) {
  Sim s;
  s.Run("map 0-2 rw");
  ASSERT_EQ(Seal(s, 0, 2), "OK");
  s.Run("fork; 2: unmap 0-2 =EPERM");
  const VirtAddr heap = s.mm().start_brk;
  s.Do(Brk{heap.value() + 4 * kPage});
  s.Do(Mseal{heap.value(), 4 * kPage, 0});
  EXPECT_EQ(s.Do(Brk{heap.value()}).value,
            static_cast<int64_t>(heap.value() + 4 * kPage));
}

TEST(Mseal, IsNewAndFor64Bits) {
  Sim old(Linux61());
  old.Run("map 0-2 rw");
  EXPECT_EQ(Seal(old, 0, 2), "ENOSYS");
  MachineConfig i386;
  i386.profile = Profile::kI386Pae;
  Sim small(i386);
  EXPECT_EQ(Seal(small, 0, 0), "ENOSYS");
}

Outcome Remap(Sim& s, uint64_t page, uint64_t pages, uint64_t pgoff,
              uint64_t prot = 0) {
  return s.Do(RemapFilePages{At(page), pages * kPage, prot, pgoff, 0});
}

TEST(RemapFilePages, IsANewMappingThatIsPopulated) {
  Sim s;
  s.File("/f", 8);
  s.Run("map 0-4 rw fd3 shared; write 0 v200 +1");
  const Outcome out = Remap(s, 1, 2, 6);
  EXPECT_EQ(ResultOf(out), "OK");
  EXPECT_EQ(out.value, 0);
  s.Run("read 1 =43 +0; read 2 =50 +0; read 0 =200");
  EXPECT_EQ(s.Vmas(), "0-1:rwS 1-3:rwS 3-4:rwS");
}

TEST(RemapFilePages, ErrnosInOrder) {
  Sim s;
  s.File("/f", 8);
  s.File("/readonly", 8, kOpenRead);
  s.Run(
      "map 0-4 rw fd3 shared; map 4-6 rw; map 8-10 r fd4 shared;"
      "map 12-14 rw fd3@0 shared; protect 13 r");
  EXPECT_EQ(ResultOf(Remap(s, 20, 2, 0, 1)), "EINVAL");  // prot
  EXPECT_EQ(ResultOf(Remap(s, 0, 0, 0)), "EINVAL");      // nothing
  EXPECT_EQ(ResultOf(Remap(s, 0, 2, ~uint64_t{0})), "EINVAL");
  EXPECT_EQ(ResultOf(Remap(s, 20, 2, 0)), "EINVAL");  // nothing mapped
  EXPECT_EQ(ResultOf(Remap(s, 4, 2, 0)), "EINVAL");   // private
  EXPECT_EQ(ResultOf(Remap(s, 8, 2, 0)), "EINVAL");   // never to be written
  EXPECT_EQ(ResultOf(Remap(s, 2, 4, 0)), "EINVAL");   // another mapping
  EXPECT_EQ(ResultOf(Remap(s, 12, 2, 0)), "EINVAL");  // another protection
}

int32_t Memfd(Sim& s, const std::string& name, uint32_t flags = 0) {
  return static_cast<int32_t>(s.Do(MemfdCreate{name, flags, -1}).value);
}

TEST(MemfdCreate, MakesAFileThatLivesAsLongAsItIsUsed) {
  Sim s;
  const int32_t fd = Memfd(s, "work");
  ASSERT_EQ(fd, 3);
  s.Run("truncate 3 4; map 0-4 rw fd3 shared; write 0-4 v9 +4; close 3");
  EXPECT_EQ(s.mm().Rss(kRssShmem), 4u);
  s.Run("fork; 2: read 2 =9 +1; unmap 0-4; 2: read 3 =9; 2: exit");
  size_t inodes = 0;
  s.kernel().inodes.ForEach([&](Id<Inode>, const Inode&) { inodes++; });
  EXPECT_EQ(inodes, 0u);
}

TEST(MemfdCreate, Refusals) {
  Sim s;
  EXPECT_EQ(ResultOf(s.Do(MemfdCreate{"x", 0x20, -1})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(MemfdCreate{"x", 8 | 16, -1})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(MemfdCreate{"x", 4, -1})), "ENODEV");
  EXPECT_EQ(ResultOf(s.Do(MemfdCreate{std::string(250, 'x'), 0, -1})),
            "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(MemfdCreate{std::string(249, 'x'), 8, -1})), "OK");
  Sim old(Linux61());
  EXPECT_EQ(ResultOf(old.Do(MemfdCreate{"x", 8, -1})), "EINVAL");
}

constexpr uint32_t kPunch = 3;  // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

TEST(Fallocate, PunchesHolesIntoTmpfs) {
  Sim s;
  Memfd(s, "f");
  s.Run("truncate 3 4; map 0-4 rw fd3 shared; write 0-4 v9 +4");
  s.Do(Access{AccessKind::kWrite, At(2) + kPage / 2, 1, kPage, 9});
  ASSERT_EQ(ResultOf(s.Do(Fallocate{3, kPunch, kPage / 2, 2 * kPage})), "OK");
  s.Run("read 0 =9; read 1 =0 +1; read 3 =9");
  EXPECT_EQ(s.Do(Access{AccessKind::kRead, At(0) + kPage / 2}).value, 0);
  EXPECT_EQ(s.Do(Access{AccessKind::kRead, At(2)}).value, 0);
  EXPECT_EQ(s.Do(Access{AccessKind::kRead, At(2) + kPage / 2}).value, 9);
}

TEST(Fallocate, AllocatesPagesThatNobodyHasSeen) {
  Sim s;
  Memfd(s, "f");
  ASSERT_EQ(ResultOf(s.Do(Fallocate{3, 0, 0, 3 * kPage})), "OK");
  s.Run("map 0-4 rw fd3 shared");
  // In the cache, but not up to date before a fault makes them so.
  EXPECT_EQ(s.Do(Mincore{At(0), 4 * kPage}).data, std::string(4, '\0'));
  s.Run("read 0 =0 +1; read 1 =0 +1; read 3 =BUS/2");
  EXPECT_EQ(s.Do(Mincore{At(0), 3 * kPage}).data, std::string("\1\1\0", 3));
  ASSERT_EQ(ResultOf(s.Do(Fallocate{3, 1, 0, 4 * kPage})), "OK");
  s.Run("read 3 =BUS/2");
}

TEST(Fallocate, ErrnosInOrder) {
  Sim s;
  Memfd(s, "f");                      // 3
  s.File("/ram", 4);                  // 4
  s.File("/readonly", 4, kOpenRead);  // 5
  struct Row {
    const char* name;
    Fallocate call;
    const char* result;
  };
  const Row rows[] = {
      {"no descriptor beats all", {9, 0x100, -1, 0}, "EBADF"},
      {"negative offset", {3, 0x100, -1, 1}, "EINVAL"},
      {"no length", {3, 0x100, 0, 0}, "EINVAL"},
      {"no such mode beats the descriptor's", {5, 0x100, 0, 1}, "EOPNOTSUPP"},
      {"a hole that moves the end", {3, 2, 0, 1}, "EOPNOTSUPP"},
      {"two modes", {3, 0x13, 0, 1}, "EOPNOTSUPP"},
      {"read-only", {5, 0, 0, 1}, "EBADF"},
      {"beyond all files", {4, 0, INT64_MAX, 1}, "EFBIG"},
      {"ramfs", {4, 0, 0, 1}, "EOPNOTSUPP"},
      {"tmpfs cannot zero a range", {3, 0x10, 0, 1}, "EOPNOTSUPP"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ResultOf(s.Do(row.call)), row.result) << row.name;
  }
}

ProcessMadvise Advise(Pid target, uint64_t from, uint64_t to, int32_t advice) {
  return {target, {At(from)}, {(to - from) * kPage}, advice, 0};
}
constexpr int32_t kDontneed = 4, kCold = 20;

TEST(ProcessMadvise, OfItselfAnything) {
  Sim s;
  s.Run("map 0-4 rw; write 0-4 v7 +4");
  EXPECT_EQ(s.Do(Advise(1, 0, 2, kDontneed)).value, int64_t{2 * kPage});
  s.Run("read 0 =0 +1; read 2 =7");
}

TEST(ProcessMadvise, SaysHowFarItGot) {
  Sim s;
  s.Run("map 0-2 rw; map 4-6 rw");
  const Outcome out = s.Do(ProcessMadvise{
      1, {At(0), At(3), At(4)}, {kPage, kPage, kPage}, kDontneed, 0});
  EXPECT_EQ(out.value, int64_t{kPage});
  EXPECT_EQ(ResultOf(s.Do(Advise(1, 3, 4, kDontneed))), "ENOMEM");
  EXPECT_EQ(s.Do(ProcessMadvise{1, {}, {}, 99, 0}).value, 0);
}

TEST(ProcessMadvise, ErrnosInOrder) {
  Sim s;
  s.Run("map 0-4 rw; fork; fork; 3: exit");
  const uint64_t kernel = 0xffff800000000000;
  struct Row {
    const char* name;
    ProcessMadvise call;
    const char* result;
  };
  const Row rows[] = {
      {"flags", {99, {kernel}, {1}, 99, 1}, "EINVAL"},
      {"a negative length", {99, {At(0)}, {~uint64_t{0}}, 99, 0}, "EINVAL"},
      {"no user memory beats the process",
       {99, {kernel}, {1}, 99, 0},
       "EFAULT"},
      {"nobody", Advise(99, 0, 1, 99), "EBADF"},
      {"a zombie", Advise(3, 0, 1, 99), "ESRCH"},
      {"another's contents", Advise(2, 0, 1, kDontneed), "EINVAL"},
      {"another's pages", Advise(2, 0, 1, kCold), "OK"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ResultOf(s.Do(row.call)), row.result) << row.name;
  }
}

TEST(ProcessMadvise, OfWhomOneMayNotLookInto) {
  Sim s;
  s.Run("map 0-4 rw; fork; fork");
  s.Do(Setuid{1000}, 2);
  EXPECT_EQ(ResultOf(s.Do(Advise(1, 0, 1, kCold), 2)), "EACCES");
  EXPECT_EQ(ResultOf(s.Do(Advise(2, 0, 1, kCold), 2)), "OK");
  s.Do(Setuid{1000}, 3);
  // Of the same user, but what was root's is not to be looked into.
  EXPECT_EQ(ResultOf(s.Do(Advise(3, 0, 1, kCold), 2)), "EACCES");
  s.Do(Prctl{4, 1}, 3);
  EXPECT_EQ(ResultOf(s.Do(Advise(3, 0, 1, kCold), 2)), "EPERM");
}

TEST(ProcessMadvise, OnLinux61OnlyHints) {
  Sim s(Linux61());
  s.Run("map 0-4 rw");
  EXPECT_EQ(ResultOf(s.Do(Advise(1, 0, 1, kDontneed))), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Advise(1, 0, 1, kCold))), "OK");
  s.Do(Setuid{1000});
  EXPECT_EQ(ResultOf(s.Do(Advise(1, 0, 1, kCold))), "EPERM");
}

TEST(Capable, RootOfAContainerHasWhatItWasGiven) {
  MachineConfig config;
  config.sysctls = {{"kernel.cap_bound", kCapFull & ~(uint64_t{1} << 24)}};
  Sim s(config);
  EXPECT_EQ(ResultOf(s.Do(Setrlimit{kRlimitMemlock, 0, 4096})), "OK");
  EXPECT_EQ(ResultOf(s.Do(Setrlimit{kRlimitMemlock, 0, 8192})), "EPERM");
  s.Run("map 0-2 rw; lock 0-2");  // CAP_IPC_LOCK is still there
  const std::string status = ReadProc(s.kernel(), "/proc/1/status").value();
  EXPECT_NE(status.find("CapEff:\t000001fffeffffff\n"), std::string::npos);
}

TEST(Setuid, OnlyRootBecomesAnother) {
  Sim s;
  EXPECT_EQ(ResultOf(s.Do(Setuid{~uint32_t{0}})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Setuid{1000})), "OK");
  EXPECT_EQ(ResultOf(s.Do(Setuid{1000})), "OK");
  EXPECT_EQ(ResultOf(s.Do(Setuid{0})), "EPERM");
  EXPECT_EQ(ResultOf(s.Do(Setrlimit{kRlimitMemlock, 0, 0})), "OK");
  EXPECT_EQ(ResultOf(s.Do(Setrlimit{kRlimitMemlock, 0, 1})), "EPERM");
  s.Run("map 0-2 rw; lock 0-2 =EPERM");
  EXPECT_EQ(s.Do(Getrlimit{kRlimitMemlock}).data, std::string(16, '\0'));
  EXPECT_EQ(ResultOf(s.Do(Getrlimit{16})), "EINVAL");
}

TEST(Prctl, WhatWasNeverExecutableStaysSo) {
  Sim s;
  s.Run("map 0-2 rwx; map 4-6 rx; map 8-10 rw");
  constexpr int32_t kSet = 65, kGet = 66;
  EXPECT_EQ(ResultOf(s.Do(Prctl{kSet, 2})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Prctl{kSet, 4})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Prctl{kSet, 1})), "OK");
  EXPECT_EQ(ResultOf(s.Do(Prctl{kSet, 0})), "EPERM");
  EXPECT_EQ(s.Do(Prctl{kGet, 0}).value, 1);
  s.Run(
      "map 12-14 rwx =EACCES; protect 8-10 rx =EACCES; protect 4-6 rwx =EACCES;"
      "protect 4-6 r; protect 4-6 rx =EACCES; fork; 2: map 12-14 rwx =EACCES");
  EXPECT_EQ(ResultOf(Sim(Linux61()).Do(Prctl{kSet, 1})), "EINVAL");
}

TEST(Userfaultfd, IsRefused) {
  Sim s;
  EXPECT_EQ(ResultOf(s.Do(Userfaultfd{2})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Userfaultfd{1})), "ENOSYS");
  s.Do(Setuid{1000});
  EXPECT_EQ(ResultOf(s.Do(Userfaultfd{2})), "EPERM");
  EXPECT_EQ(ResultOf(s.Do(Userfaultfd{3})), "EINVAL");
}

TEST(Tick, TheClockDoesNotWrap) {
  Sim s;
  const uint64_t now = s.kernel().clock_ns;
  EXPECT_EQ(ResultOf(s.Do(Tick{UINT64_MAX}, 0)), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Tick{uint64_t{1} << 63}, 0)), "EINVAL");
  EXPECT_EQ(s.kernel().clock_ns, now);
  EXPECT_EQ(ResultOf(s.Do(Tick{1'000'000}, 0)), "OK");
}

}  // namespace
}  // namespace faultline

// Page faults: what each access to each kind of memory costs and gives.
#include <gtest/gtest.h>

#include "server/machine/mm/mmzone.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

struct Row {
  const char* name;
  const char* script;
};
std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.name;
}
std::string NameOf(const ::testing::TestParamInfo<Row>& info) {
  return info.param.name;
}

// Descriptor 3: a ramfs file of 64 cached pages; 4: the same, read-only;
// 5: a disk file that is not cached; 6: a tmpfs file; 7: a cached disk file.
class Faults : public ::testing::TestWithParam<Row> {};
TEST_P(Faults, AsLinuxDoes) {
  Sim s;
  s.File("/ram", 64);
  s.File("/ram", 64, kOpenRead);
  s.File("/disk", 256, kOpenBoth, FsType::kExt4, false);
  s.File("/shm", 64, kOpenBoth, FsType::kTmpfs);
  s.File("/cached", 64, kOpenBoth, FsType::kExt4);
  s.Run(GetParam().script);
}

INSTANTIATE_TEST_SUITE_P(
    Anonymous, Faults,
    ::testing::Values(
        Row{"TenWritesAreTenFaults", "map 0-10 rw; write 0-10 +10 !0"},
        Row{"AReadGetsZeros", "map 0-4 rw; read 0-4 =0 +4"},
        Row{"ReadThenWriteIsTwoFaults", "map 0 rw; read 0 +1; write 0 +1"},
        Row{"WriteThenReadIsOne", "map 0 rw; write 0 v9 +1; read 0 =9 +0"},
        Row{"TheSecondWriteIsFree", "map 0 rw; write 0 +1; write 0 +0"},
        Row{"NothingMappedIsMaperr", "read 0 =SEGV/1 +0; write 0 =SEGV/1"},
        Row{"ReadOnlyIsAccerr", "map 0 r; write 0 =SEGV/2 +0"},
        Row{"ProtNoneIsAccerr", "map 0 -; read 0 =SEGV/2; write 0 =SEGV/2"},
        Row{"NoExecIsAccerr",
            "map 0 rw; fetch 0 =SEGV/2; write 0; fetch 0 =SEGV/2"},
        Row{"ExecutableCanBeFetched", "map 0 rx; fetch 0 +1"},
        Row{"WriteOnlyIsReadableOnX86",
            "map 0 w; read 0 =0; write 0 v3; read 0 =3"},
        Row{"ExecOnlyIsReadableWithoutKeys", "map 0 x; read 0 =0"},
        Row{"PopulateLeavesNothingToFault",
            "map 0-8 rw populate +8; write 0-8 +0"},
        Row{"UnmappedMemoryIsForgotten",
            "map 0 rw; write 0 v9; unmap 0; map 0 rw; read 0 =0 +1"},
        Row{"MovingFaultsNothing",
            "map 0-4 rw; write 0-4 v9; move 0-4 10 +0; read 10-14 =9 +0"},
        Row{"ProtectingBackFaultsNothing",
            "map 0-4 rw; write 0-4; protect 0-4 r; protect 0-4 rw;"
            "write 0-4 +0"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Files, Faults,
    ::testing::Values(
        Row{"AnUnalignedWindowOf32IsThreeFaults",
            "map 8-40 r fd3; read 8-40 +3 !0"},
        Row{"SixteenCachedPagesComeTogether",
            "map 0-16 r fd3; read 0 =1 +1; read 15 =106 +0"},
        Row{"FaultAroundStopsAtTheVma", "map 4-6 r fd3; read 4-6 +1"},
        Row{"APrivateWriteCopiesInOneFault",
            "map 0 rw fd3; write 0 v9 +1; read 0 =9; map 1 r fd3; read 1 =1"},
        Row{"APrivateReadThenWriteCopies",
            "map 0 rw fd3; read 0 =1 +1; write 0 v9 +1; read 0 =9"},
        Row{"ASharedWriteIsSeenByAllAndByRead",
            "map 0 rw shared fd3; map 1 r fd3; write 0 v9; read 1 =9"},
        Row{"DiskReadThenWriteIsTwoFaults",
            "map 0 rw shared fd7; read 0 +1; write 0 +1; write 0 +0"},
        Row{"AfterFsyncAWriteFaultsAgain",
            "map 0 rw shared fd7; write 0 +1; fsync 7; write 0 +1"},
        Row{"AnUncachedPageIsAMajorFault",
            "map 0-2 r fd5; read 0 =1 +0 !1; read 1 =8 +0 !0"},
        Row{"ReadAroundBringsThirtyTwoPages",
            "map 0-256 r fd5; read 100 !1; read 84-100 !0; read 115 !0;"
            "read 116 !1"},
        Row{"RandomAdviceBringsOne",
            "map 0-256 r fd5; advise 0-256 1; read 100 !1; read 101 !1"},
        Row{"BeyondTheEndIsSigbus",
            "map 0-80 r fd3; read 63; read 64 =BUS/2 +0"},
        Row{"BeyondTheEndOfAPrivateWriteToo",
            "map 0-80 rw fd3; write 64 =BUS/2; read 64 =BUS/2"},
        Row{"AWriteToAReadOnlySharedFileIsRefused",
            "map 0 r shared fd4; write 0 =SEGV/2"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Truncation, Faults,
    ::testing::Values(
        Row{"SharedPagesBeyondTheEndVanish",
            "map 0-8 rw shared fd3; write 0-8 v9; truncate 3 4; read 3 =9;"
            "read 4 =BUS/2"},
        Row{"PrivateCopiesVanishToo",
            "map 0-8 rw fd3; write 0-8 v9; truncate 3 4; read 3 =9;"
            "read 4 =BUS/2"},
        Row{"GrowingAgainGivesZeros",
            "map 0-8 r shared fd3; truncate 3 4; truncate 3 8; read 4 =0;"
            "read 3 =22"},
        Row{"ToNothingAndTheMappingStays",
            "map 0-8 rw shared fd3; read 0-8; truncate 3 0; read 0 =BUS/2;"
            "unmap 0-8"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Forking, Faults,
    ::testing::Values(
        Row{"TheChildsWriteIsNotSeenByTheParent",
            "map 0-4 rw; write 0-4 v1; fork; 2: write 0-4 v2 +4;"
            "read 0-4 =1; 2: read 0-4 =2"},
        Row{"TheParentsWriteIsNotSeenByTheChild",
            "map 0-4 rw; write 0-4 v1; fork; write 0-4 v3 +4;"
            "2: read 0-4 =1; read 0-4 =3"},
        Row{"AfterTheChildsExitTheParentReuses",
            "map 0-4 rw; write 0-4; fork; 2: exit; write 0-4 +4; wait"},
        Row{"SharedMemoryIsShared",
            "map 0 rw shared; write 0 v1; fork; 2: write 0 v2; read 0 =2"},
        Row{"SharedMemoryIsNotCopiedButFaultsAgain",
            "map 0-4 rw shared; write 0-4; fork; 2: read 0-4 +1"},
        Row{"UnwrittenFilePagesFaultAgain",
            "map 0-16 rw fd3; read 0-16 +1; fork; 2: read 0-16 +1"},
        Row{"GrandchildrenAreIndependent",
            "map 0 rw; write 0 v1; fork; 2: fork; 3: write 0 v3;"
            "2: write 0 v2; read 0 =1; 2: read 0 =2; 3: read 0 =3"},
        Row{"DontforkIsNotInherited",
            "map 0 rw; write 0; advise 0 10; fork; 2: read 0 =SEGV/1"},
        Row{"WipeonforkIsZeroAndInherited",
            "map 0 rw; write 0 v5; advise 0 18; fork; 2: read 0 =0;"
            "2: write 0 v6; 2: fork; 3: read 0 =0; 2: read 0 =6"}),
    NameOf);

TEST(Fault, TheZeroPageIsSharedAndNotCounted) {
  Sim s;
  s.Run("map 0-8 rw");
  uint64_t rss = s.mm().RssPages(), free = s.free_pages();
  s.Run("read 0-8");
  EXPECT_EQ(s.PteOf(At(3)).pfn(), s.kernel().zero_page);
  EXPECT_TRUE(s.PteOf(At(3)).special());
  EXPECT_EQ(s.mm().RssPages(), rss);
  EXPECT_GE(s.free_pages() + 3, free) << "page tables alone";
}

TEST(Fault, AWrittenPageIsDirtyYoungAndExclusive) {
  Sim s;
  s.Run("map 0 rw; write 0");
  Pte pte = s.PteOf(At(0));
  EXPECT_TRUE(pte.dirty() && pte.young() && pte.writable());
  const Page& page = s.PageOf(At(0));
  EXPECT_TRUE(page.Is(page_flag::kAnon));
  EXPECT_TRUE(page.Is(page_flag::kAnonExclusive));
  EXPECT_EQ(page.mapcount, 1);
  EXPECT_EQ(page.refcount, 1);
}

TEST(Fault, ForkSharesThePageAndTakesExclusivenessAway) {
  Sim s;
  s.Run("map 0 rw; write 0; fork");
  EXPECT_EQ(s.PteOf(At(0), 1).pfn(), s.PteOf(At(0), 2).pfn());
  EXPECT_EQ(s.PageOf(At(0)).mapcount, 2);
  EXPECT_FALSE(s.PageOf(At(0)).Is(page_flag::kAnonExclusive));
  EXPECT_FALSE(s.PteOf(At(0), 1).writable());
  EXPECT_FALSE(s.PteOf(At(0), 2).writable());
  EXPECT_FALSE(s.PteOf(At(0), 2).young());
}

TEST(Fault, TheLastOwnerReusesThePageInPlace) {
  Sim s;
  s.Run("map 0 rw; write 0; fork; 2: exit; wait");
  Pfn before = s.PteOf(At(0)).pfn();
  uint64_t free = s.free_pages();
  s.Run("write 0 v2");
  EXPECT_EQ(s.PteOf(At(0)).pfn(), before);
  EXPECT_EQ(s.free_pages(), free);
  EXPECT_TRUE(s.PageOf(At(0)).Is(page_flag::kAnonExclusive));
}

TEST(Fault, EventsSayHowAFaultWasResolved) {
  struct Row {
    const char* prepare;
    AccessKind kind;
    FaultResolution how;
  };
  const Row rows[] = {
      {"map 0 rw", AccessKind::kRead, FaultResolution::kAnonZeroPage},
      {"map 0 rw", AccessKind::kWrite, FaultResolution::kAnonPage},
      {"map 0 rw; read 0", AccessKind::kWrite, FaultResolution::kCowZeroPage},
      {"map 0 rw; write 0; fork", AccessKind::kWrite,
       FaultResolution::kCowCopy},
      {"map 0 rw; write 0; fork; 2: exit", AccessKind::kWrite,
       FaultResolution::kCowReuse},
      {"map 0 r fd3", AccessKind::kRead, FaultResolution::kFileAround},
      {"map 0 rw fd3", AccessKind::kWrite, FaultResolution::kFileCow},
      {"map 0 rw shared fd3", AccessKind::kWrite, FaultResolution::kFileShared},
      {"map 0 rw shared fd3; read 0", AccessKind::kWrite,
       FaultResolution::kSharedMkwrite},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.prepare);
    Sim s;
    s.File("/disk", 4, kOpenBoth, FsType::kExt4);
    s.Run(row.prepare);
    Outcome out = s.Do(Access{row.kind, At(0), 1, kPageSize, 1});
    ASSERT_EQ(out.events.size(), 2u);
    EXPECT_EQ(std::get<PageFaultUser>(out.events[0].body).address, At(0));
    EXPECT_EQ(std::get<FaultResolved>(out.events[1].body).how, row.how);
  }
}

// What the write of `out` says that it copied.
uint32_t CopiedBy(const Outcome& out) {
  return std::get<FaultResolved>(out.events[1].body).copied_pfn;
}

TEST(Fault, ACopyNamesTheFrameThatWasCopied) {
  const auto write = Access{AccessKind::kWrite, At(0), 1, kPageSize, 1};
  Sim shared;
  shared.Run("map 0 rw; write 0; fork");
  const uint32_t parents = shared.PteOf(At(0)).pfn().value();
  EXPECT_EQ(CopiedBy(shared.Do(write)), parents);
  EXPECT_NE(shared.PteOf(At(0)).pfn().value(), parents);

  Sim file;
  file.File("/disk", 4, kOpenBoth, FsType::kExt4);
  file.Run("map 4 rw fd3; read 4; map 0 rw fd3");
  const uint32_t cached = file.PteOf(At(4)).pfn().value();
  EXPECT_EQ(CopiedBy(file.Do(write)), cached);

  Sim zero;
  zero.Run("map 0 rw; read 0");
  EXPECT_EQ(CopiedBy(zero.Do(write)), 0u) << "zeros are not copied";
}

TEST(Fault, AddressesOutsideUserSpace) {
  struct Row {
    const char* name;
    uint64_t addr;
    const char* result;
    uint64_t signal_addr;
  };
  const Row rows[] = {
      {"null", 0, "SEGV/1", 0},
      {"the last page of user space is nobody's", 0x7ffffffff000, "SEGV/1",
       0x7ffffffff000},
      {"kernel", 0xffff888000000000, "SEGV/1", 0xffff888000000000},
      {"not canonical", 0x800000000000, "SEGV/128", 0},
  };
  Sim s;
  for (const Row& row : rows) {
    for (AccessKind kind :
         {AccessKind::kRead, AccessKind::kWrite, AccessKind::kFetch}) {
      Outcome out = s.Do(Access{kind, row.addr, 1, 1, 0});
      EXPECT_EQ(ResultOf(out), row.result) << row.name;
      EXPECT_EQ(out.signal.addr, row.signal_addr) << row.name;
    }
  }
}

TEST(Fault, ARunOfAccessesStopsAtTheFirstRefusal) {
  Sim s;
  s.Run("map 0-4 rw; map 6-8 rw");
  Outcome out = s.Do(Access{AccessKind::kWrite, At(0) + 7, 8, kPageSize, 3});
  EXPECT_EQ(ResultOf(out), "SEGV/1");
  EXPECT_EQ(out.accesses, 4u);
  EXPECT_EQ(out.signal.addr, At(4) + 7);
  EXPECT_EQ(out.min_flt, 4u);
  s.Run("read 6 =0");
}

TEST(Fault, RssAndItsHighWaterMark) {
  Sim s;
  s.File("/f", 64);
  uint64_t anon = s.mm().Rss(kRssAnon), file = s.mm().Rss(kRssFile);
  s.Run("map 0-100 rw; write 0-100; map 200-216 r fd3; read 200");
  EXPECT_EQ(s.mm().Rss(kRssAnon), anon + 100);
  EXPECT_EQ(s.mm().Rss(kRssFile), file + 16);
  s.Run("map 300-304 rw shared; write 300-304");
  EXPECT_EQ(s.mm().Rss(kRssShmem), 4u);
  s.Run("unmap 0-90");
  EXPECT_EQ(s.mm().Rss(kRssAnon), anon + 10);
  EXPECT_GE(s.mm().hiwater_rss + RssCounter::kBatch, anon + 116);
}

TEST(Fault, MachineCountersAndThoseOfTheTaskAgree) {
  Sim s;
  uint64_t events = s.kernel().vmstat.events[kPgFault];
  uint64_t task = s.task().min_flt;
  s.Run("map 0-7 rw; write 0-7 +7; write 8 =SEGV/1");
  EXPECT_EQ(s.kernel().vmstat.events[kPgFault], events + 7);
  EXPECT_EQ(s.task().min_flt, task + 7);
}

TEST(Stack, GrowsExactlyToItsLimit) {
  Sim s;
  s.Limit(kRlimitStack, 64 * kPageSize);
  s.Run("map 1000 rw growsdown; write 1000; write 937 v4 +1");
  EXPECT_EQ(s.Vmas(), "937-1001:rwD");
  s.Run("write 936 =SEGV/1; read 937 =4; read 990 =0");
}

TEST(Stack, GrowsInOneStepToTheAddressTouched) {
  Sim s;
  s.Run("map 1000 rw growsdown; write 500 v4 +1");
  EXPECT_EQ(s.Vmas(), "500-1001:rwD");
  EXPECT_EQ(s.VmaOf(At(500)).pgoff, At(500) >> kPageShift);
}

TEST(Stack, StopsAtItsGuardGapAboveAccessibleMemory) {
  Sim s;
  s.Run(
      "map 1000 rw growsdown; map 600 rw; write 857 +1;"
      "write 856 =SEGV/1");
  Sim none;
  none.Run("map 1000 rw growsdown; map 600 -; write 856 +1; write 601 +1");
}

TEST(Stack, TheAddressSpaceLimitStopsItToo) {
  Sim s;
  s.Run("map 1000 rw growsdown");
  s.Limit(kRlimitAs, (s.mm().total_vm + 3) * kPageSize);
  s.Run("write 997; write 996 =SEGV/1");
}

TEST(Stack, GrowthIsChargedOnlyWhereTheVmaIs) {
  Sim s;
  uint64_t before = s.kernel().vm_committed;
  s.Run(
      "map 1000 r growsdown; read 990; map 2000 rw growsdown noreserve;"
      "write 1990; unmap 900-2001");
  EXPECT_EQ(s.kernel().vm_committed, before);
}

TEST(Stack, AReadGrowsItAsWell) {
  Sim s;
  s.Run("map 1000 rw growsdown; read 990 =0 +1");
  EXPECT_EQ(s.Vmas(), "990-1001:rwD");
}

TEST(Tlb, NoStaleTranslationSurvivesAnyCall) {
  Sim s;
  s.File("/f", 8);
  s.Run(
      "map 0-4 rw; write 0-4 v1; write 0-4 v1; protect 0-2 r;"
      "write 0 =SEGV/2; unmap 2; read 2 =SEGV/1; move 3-4 10;"
      "read 3 =SEGV/1; advise 10 4; read 10 =0; fork; 2: write 0 =SEGV/2;"
      "map 20-24 rw shared fd3; write 20-24; truncate 3 1; read 21 =BUS/2");
}

TEST(Tlb, ExitingProcessesLeaveNothingForTheNext) {
  Sim s;
  for (int i = 0; i < 20; i++) {
    Outcome fork = s.Do(Fork{});
    auto pid = static_cast<Pid>(fork.value);
    std::string me = std::to_string(pid) + ": ";
    s.Run(me + "map 0-4 rw; " + me + "read 0 =0; " + me + "write 0-4 v9; " +
          me + "exit; wait");
  }
}

// 6.18 emulates the three calls of the vsyscall page; Debian's 6.1 has none.
TEST(Fetch, OfTheVsyscallPageIsWhereACallBegins) {
  constexpr uint64_t kVsyscall = 0xffffffffff600000;
  MachineConfig old;
  old.personality = Personality::kLinux61;
  Sim s, s61(old);
  for (uint64_t offset = 0; offset < kPageSize; offset += 128) {
    const Access fetch{.kind = AccessKind::kFetch, .addr = kVsyscall + offset};
    const bool call = offset % 1024 == 0 && offset < 3072;
    EXPECT_EQ(ResultOf(s.Do(fetch)), call ? "OK" : "SEGV/128") << offset;
    EXPECT_EQ(ResultOf(s61.Do(fetch)), "SEGV/1") << offset;
  }
  const Access read{.addr = kVsyscall};
  EXPECT_EQ(ResultOf(s.Do(read)), "SEGV/1");
}

}  // namespace
}  // namespace faultline

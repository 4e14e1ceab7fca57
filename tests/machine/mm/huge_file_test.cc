// Large folios of tmpfs: what MADV_COLLAPSE makes of shared memory, who maps it
// and how, and what splits it. The same steps are compared with Linux by
// `conformance --profile huge`; here are the numbers, and what only a simulated
// machine can be asked for.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "server/machine/mm/filemap.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr int kDontneed = 4, kRemove = 9, kPageout = 21, kCollapse = 25;

MachineConfig WithThp(uint64_t swap = 0) {
  MachineConfig config;
  config.thp = ThpMode::kMadvise;
  config.swap_bytes = swap;
  return config;
}

class HugeFiles : public ::testing::Test {
 protected:
  explicit HugeFiles(MachineConfig config = WithThp())
      : s_(std::move(config)) {}

  // Pages 0-512 of the window, shared, of which `script` touches some.
  void Collapsed(const std::string& script) {
    s_.Run("map 0-512 rw shared; " + script);
    s_.Do(Madvise{At(0), 512 * kPageSize, kCollapse});
    ASSERT_TRUE(IsHuge(0));
  }
  bool IsHuge(uint64_t page, Pid pid = 1) const {
    return FindLeaf(s_.kernel(), s_.mm(pid), VirtAddr(At(page))).huge;
  }
  uint64_t Events(VmEvent event) const {
    return s_.kernel().vmstat.events[event];
  }
  int64_t Stat(NodeStat item) const { return s_.kernel().vmstat.node[item]; }
  const Inode& InodeOf(uint64_t page) const {
    const Kernel& k = s_.kernel();
    return k.inodes[k.open_files[s_.VmaOf(At(page)).file].inode];
  }
  // The order of the folio that has page `index` of the file; -1: none is
  // there.
  int OrderAt(uint64_t vma_page, uint64_t index) const {
    const Kernel& k = s_.kernel();
    const Pfn pfn = FilemapLookup(k, InodeOf(vma_page), index);
    if (!pfn.valid()) return -1;
    return k.page(pfn).Is(page_flag::kLarge) ? k.page(pfn).order : 0;
  }
  Sim s_;
};

TEST_F(HugeFiles, CollapseTakesThePlaceOfThePages) {
  const uint64_t pte_tables = s_.mm().nr_ptes;
  const int64_t files = Stat(kNrFilePages);
  Collapsed("write 5 v7; write 6 v8");
  EXPECT_EQ(InodeOf(0).nrpages, 512u);
  EXPECT_EQ(Stat(kNrFilePages), files + 512);
  EXPECT_EQ(Stat(kNrShmemThps), 1);
  EXPECT_EQ(Stat(kNrShmemPmdMapped), 1);
  EXPECT_EQ(Stat(kNrFileMapped), 512 + 0);
  EXPECT_EQ(s_.mm().nr_ptes, pte_tables) << "no table maps it, none is kept";
  EXPECT_EQ(Events(kThpCollapseAlloc), 1u);
  EXPECT_EQ(Events(kThpFileMapped), 1u);
  s_.Run("read 5 =7 +0; read 6 =8 +0; read 7 =0 +0; write 8 v1 +0");
  const std::string meminfo = ReadProc(s_.kernel(), "/proc/meminfo").value();
  EXPECT_NE(meminfo.find("ShmemHugePages:     2048 kB"), std::string::npos);
  EXPECT_NE(meminfo.find("ShmemPmdMapped:     2048 kB"), std::string::npos);
}

TEST_F(HugeFiles, WithoutAPageThereIsNothingToCollapse) {
  s_.Run("map 0-512 rw shared; advise 0-512 25 =EINVAL");
  EXPECT_EQ(Stat(kNrShmemThps), 0);
}

TEST_F(HugeFiles, OthersMapItWholeByTheirNextAccess) {
  s_.Run("map 0-512 rw shared; write 0-512 v7; fork; 2: read 0-100 =7");
  s_.Do(Madvise{At(0), 512 * kPageSize, kCollapse});
  EXPECT_EQ(s_.mm(2).Rss(kRssShmem), 0u);
  s_.Run("2: read 300 =7 +1; 2: read 0-512 =7 +0");
  EXPECT_TRUE(IsHuge(0, 2));
  EXPECT_EQ(s_.mm(2).Rss(kRssShmem), 512u);
  s_.Run("2: write 9 v4 +0; read 9 =4 +0; 2: exit; wait");
  EXPECT_EQ(Stat(kNrShmemPmdMapped), 1);
}

TEST_F(HugeFiles, APartDropsTheEntryAndTheWholeDoesNot) {
  struct Row {
    const char* name;
    const char* step;
    bool huge;  // afterwards
  };
  const Row rows[] = {
      {"munmap of a part", "unmap 10-12", false},
      {"munmap of the next", "unmap 512-1024", true},
      {"mprotect of a part", "protect 100-101 r", false},
      {"mprotect of all", "protect 0-512 r", true},
      {"DONTNEED of a part", "advise 3-4 4", false},
      {"mlock of a part", "onfault 0-1", false},
      {"mlock of all", "lock 0-512", true},
      {"mremap of a part", "move 0-5 3000", false},
      {"NOHUGEPAGE of all", "advise 0-512 15", true},
      {"COLD of all", "advise 0-512 20", true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Sim s(WithThp());
    s.Run("map 0-512 rw shared; write 0 v1; advise 0-512 25");
    s.Run("map 512-1024 rw shared; write 512");
    s.Run(row.step);
    EXPECT_EQ(FindLeaf(s.kernel(), s.mm(), VirtAddr(At(0))).huge, row.huge);
    EXPECT_EQ(s.kernel().vmstat.events[kThpSplitPmd], row.huge ? 0u : 1u);
    EXPECT_EQ(s.kernel().vmstat.node[kNrShmemThps], 1) << "the folio stays";
  }
}

TEST_F(HugeFiles, AForkedChildFaultsForItself) {
  Collapsed("write 0 v3");
  s_.Run("fork");
  EXPECT_EQ(s_.mm(2).Rss(kRssShmem), 0u);
  s_.Run("2: read 0 =3 +1");
  EXPECT_TRUE(IsHuge(0, 2));
}

TEST_F(HugeFiles, APrivateMappingHasItUntilItWrites) {
  s_.File("/f", 512, kOpenBoth, FsType::kTmpfs);
  s_.Run("map 0-512 rw fd3; read 0-512");
  s_.Do(Madvise{At(0), 512 * kPageSize, kCollapse});
  EXPECT_TRUE(IsHuge(0));
  s_.Run("write 3 v9 +1");
  EXPECT_FALSE(IsHuge(0));
  EXPECT_EQ(s_.mm().Rss(kRssShmem), 0u);
  s_.Run("read 3 =9 +0; read 4 +1; read 0-512 +0");
  EXPECT_EQ(s_.mm().Rss(kRssShmem), 511u) << "page by page, all at once";
  s_.Run("advise 0-512 25 =EINVAL");
}

TEST_F(HugeFiles, ACutLeavesPiecesOfPowersOfTwo) {
  s_.File("/f", 512, kOpenBoth, FsType::kTmpfs);
  s_.Run("map 0-512 rw shared fd3; read 0-512; advise 0-512 25");
  s_.Run("truncate 3 300");
  EXPECT_EQ(Events(kThpSplitPage), 1u);
  EXPECT_EQ(Stat(kNrShmemThps), 0);
  EXPECT_EQ(OrderAt(0, 0), 8);
  EXPECT_EQ(OrderAt(0, 256), 5);
  EXPECT_EQ(OrderAt(0, 288), 3);
  EXPECT_EQ(OrderAt(0, 296), 2);
  EXPECT_EQ(OrderAt(0, 300), -1);
  s_.Run("read 1 +1; read 0-256 +0; read 256 +1; read 300 =BUS/2");
  EXPECT_EQ(InodeOf(0).nrpages, 300u);
}

// Seen on Linux 6.18: SGP_NOALLOC ends where the file does.
TEST_F(HugeFiles, WhatWasAllocatedBeyondTheEndStaysAsItIs) {
  s_.File("/f", 300, kOpenBoth, FsType::kTmpfs, false);
  s_.Do(Fallocate{3, 1, 0, static_cast<int64_t>(512 * kPageSize)});
  s_.Run("map 0-512 rw shared fd3; advise 0-512 25 =EINVAL");
  EXPECT_EQ(Stat(kNrShmemThps), 0);
  s_.Run("truncate 3 512; advise 0-512 25");
  EXPECT_EQ(Stat(kNrShmemThps), 1);
}

TEST_F(HugeFiles, ASplitDropsWhatLiesBeyondTheEnd) {
  s_.File("/f", 300, kOpenBoth, FsType::kTmpfs);
  s_.Run("map 0-512 rw shared fd3; read 0-300; advise 0-512 25");
  EXPECT_EQ(InodeOf(0).nrpages, 512u);
  s_.Run("read 400 =0 +0");  // mapped across the end
  s_.Do(Madvise{At(0), 16 * kPageSize, kPageout});
  EXPECT_EQ(InodeOf(0).nrpages, 300u);
  s_.Run("read 299; read 400 =BUS/2");
}

TEST_F(HugeFiles, AHoleIsCutOut) {
  Collapsed("write 0-512 v7");
  s_.Do(Madvise{At(8), kPageSize, kRemove});
  EXPECT_EQ(OrderAt(0, 8), -1);
  EXPECT_EQ(OrderAt(0, 9), 0);
  EXPECT_EQ(OrderAt(0, 0), 3);
  EXPECT_EQ(OrderAt(0, 256), 8);
  s_.Run("read 8 =0; read 9 =7; read 0-8 =7; read 100-512 =7");
}

TEST_F(HugeFiles, PiecesAreGatheredAgain) {
  Collapsed("write 0-512 v7");
  s_.Do(Madvise{At(8), 4 * kPageSize, kRemove});
  s_.Run("read 0-8 =7; advise 0-512 25; read 0-8 =7; read 8-12 =0; read 12 =7");
  EXPECT_EQ(Stat(kNrShmemThps), 1);
  EXPECT_TRUE(IsHuge(0));
  EXPECT_EQ(InodeOf(0).nrpages, 512u);
}

TEST_F(HugeFiles, AMoveThatKeepsItsPlaceTakesTheEntryAlong) {
  Collapsed("write 0 v1; write 511 v2");
  s_.Run("move 0-512 1024; read 1024 =1 +0");
  EXPECT_TRUE(IsHuge(1024));
  s_.Run("move 1024-1536 2049; read 2049 =1 +1");
  EXPECT_FALSE(IsHuge(2049));
  EXPECT_EQ(s_.mm().Rss(kRssShmem), 16u);
}

TEST_F(HugeFiles, LockedMemoryStaysSo) {
  Collapsed("write 0 v1");
  const int64_t unevictable = Stat(kNrShmem);
  s_.Run("lock 0-512");
  const Pfn head = LookAtPte(s_.kernel(), s_.mm(), VirtAddr(At(0))).pfn();
  EXPECT_TRUE(s_.kernel().page(head).Is(page_flag::kMlocked));
  s_.Run("unlock 0-512");
  EXPECT_FALSE(s_.kernel().page(head).Is(page_flag::kMlocked));
  EXPECT_EQ(Stat(kNrShmem), unevictable);
}

TEST_F(HugeFiles, WithoutSwapPagingOutOnlyUnmapsIt) {
  Collapsed("write 0-512 v7");
  s_.Do(Madvise{At(0), 512 * kPageSize, kPageout});
  EXPECT_EQ(s_.mm().Rss(kRssShmem), 0u);
  EXPECT_EQ(OrderAt(0, 0), 9);
  s_.Run("read 3 =7 +1");
  EXPECT_TRUE(IsHuge(0));
}

TEST_F(HugeFiles, PagingOutAPartSplitsIt) {
  Collapsed("write 0-512 v7");
  s_.Do(Madvise{At(0), 16 * kPageSize, kPageout});
  EXPECT_EQ(OrderAt(0, 0), 0);
  EXPECT_EQ(OrderAt(0, 511), 0);
  s_.Run("read 0-512 =7");
}

class HugeFilesWithSwap : public HugeFiles {
 protected:
  HugeFilesWithSwap() : HugeFiles(WithThp(uint64_t{16} << 20)) {}
};

TEST_F(HugeFilesWithSwap, SwappedOutPagesComeBackToBeCollapsed) {
  Collapsed("write 0-512 v7");
  s_.Do(Madvise{At(0), 512 * kPageSize, kPageout});
  EXPECT_EQ(InodeOf(0).nrswapped, 512u);
  EXPECT_EQ(Stat(kNrShmemThps), 0);
  s_.Run("advise 0-512 25; read 0-512 =7 +0");
  EXPECT_TRUE(IsHuge(0));
  EXPECT_EQ(InodeOf(0).nrswapped, 0u);
}

TEST_F(HugeFiles, SavedAndCopiedAndGivenBack) {
  const uint64_t free = s_.free_pages();
  Collapsed("write 0-512 v7");
  s_.Do(Madvise{At(8), kPageSize, kRemove});
  s_.Run("fork; 2: read 100 =7; map 512-1024 rw shared; write 600 v1;");
  s_.Run("advise 512-1024 25; lock 512-1024");
  Machine copy = Machine::Load(s_.machine().Save());
  EXPECT_EQ(copy.Verify(), "");
  EXPECT_EQ(copy.Fingerprint(), s_.machine().Fingerprint());
  s_.Run("2: exit; wait; unmap 0-1024");
  EXPECT_EQ(Stat(kNrShmemThps), 0);
  EXPECT_EQ(Stat(kNrFileMapped), 0);
  EXPECT_GE(s_.free_pages() + 4, free);
  EXPECT_EQ(s_.kernel().folios.count(), 0u);
}

// Until 6.14 a folio was split into single pages, and a fault mapped 16.
TEST(HugeFilesOfLinux61, ACutLeavesSinglePages) {
  MachineConfig config = WithThp();
  config.personality = Personality::kLinux61;
  Sim s(config);
  s.File("/f", 512, kOpenBoth, FsType::kTmpfs);
  s.Run("map 0-512 rw shared fd3; read 0-512; advise 0-512 25");
  EXPECT_TRUE(FindLeaf(s.kernel(), s.mm(), VirtAddr(At(0))).huge);
  s.Run("truncate 3 300; read 0 +1; read 15 +0; read 16 +1");
  EXPECT_EQ(s.kernel().folios.count(), 0u);
}

}  // namespace
}  // namespace faultline

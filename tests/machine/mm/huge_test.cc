// Transparent huge pages: what faults, forks, splits and collapses come to. The
// same steps are compared with Linux by `conformance --profile huge`; here are
// the numbers, and what only a simulated machine can be asked for.
#include <gtest/gtest.h>

#include <string>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

MachineConfig WithThp(ThpMode mode) {
  MachineConfig config;
  config.thp = mode;
  return config;
}

class HugePages : public ::testing::Test {
 protected:
  explicit HugePages(ThpMode mode = ThpMode::kMadvise) : s_(WithThp(mode)) {}

  // The 2 MiB that begin at page 512 * n of the window.
  bool IsHuge(int n, Pid pid = 1) const {
    return FindLeaf(s_.kernel(), s_.mm(pid), VirtAddr(At(512u * n))).huge;
  }
  uint64_t Events(VmEvent event) const {
    return s_.kernel().vmstat.events[event];
  }
  std::string SmapsField(const std::string& field, Pid pid = 1) {
    auto text =
        ReadProc(s_.kernel(), "/proc/" + std::to_string(pid) + "/smaps");
    const size_t vma = text.value().find("10000000-");
    const size_t at = text.value().find(field + ":", vma) + field.size() + 1;
    const size_t end = text.value().find('\n', at);
    std::string value = text.value().substr(at, end - at);
    return value.substr(value.find_first_not_of(' '));
  }
  Sim s_;
};

TEST_F(HugePages, OneFaultBringsTwoMegabytes) {
  s_.Run("map 0-1024 rw; advise 0-1024 14");
  const uint64_t rss = s_.mm().Rss(kRssAnon), pte = s_.mm().pgtables_bytes;
  EXPECT_EQ(SmapsField("THPeligible"), "1");
  s_.Run("write 5 v7 +1; write 0-512 v3 +0; read 5 =3");
  EXPECT_TRUE(IsHuge(0));
  EXPECT_FALSE(IsHuge(1));
  EXPECT_EQ(s_.mm().Rss(kRssAnon), rss + 512);
  // Two upper tables, and the one that is in deposit.
  EXPECT_EQ(s_.mm().pgtables_bytes, pte + 3 * kPageSize);
  EXPECT_EQ(SmapsField("AnonHugePages"), "2048 kB");
  EXPECT_EQ(SmapsField("Rss"), "2048 kB");
  EXPECT_EQ(SmapsField("KernelPageSize"), "4 kB");
  EXPECT_EQ(Events(kThpFaultAlloc), 1u);
  s_.Run("unmap 0-1024");
  EXPECT_EQ(s_.mm().pgtables_bytes, pte);
  EXPECT_EQ(s_.mm().Rss(kRssAnon), rss);
}

TEST_F(HugePages, OnlyWhereItWasAdvised) {
  s_.Run(
      "map 0-512 rw; write 0 +1; write 1 +1; map 512-1024 rw;"
      "advise 512-1024 14; advise 512-1024 15; write 512 +1; write 513 +1");
  EXPECT_FALSE(IsHuge(0));
  EXPECT_FALSE(IsHuge(1));
  EXPECT_EQ(SmapsField("THPeligible"), "0");
}

TEST_F(HugePages, OnlyWhereTheVmaHasAllOfIt) {
  s_.Run("map 1-1023 rw; advise 1-1023 14; write 1 +1; write 2 +1");
  s_.Run("write 600 +1; write 601 +1");
  EXPECT_EQ(Events(kThpFaultAlloc), 0u);
}

TEST_F(HugePages, NotWhereATableIs) {
  s_.Run("map 0-512 rw; write 9; advise 0-512 14; write 10 +1; write 11 +1");
  EXPECT_FALSE(IsHuge(0));
}

TEST_F(HugePages, AReadGetsTheHugeZeroPageAndAWriteTwoMegabytesMore) {
  s_.Run("map 0-512 rw; advise 0-512 14");
  const uint64_t rss = s_.mm().Rss(kRssAnon);
  s_.Run("read 3 =0 +1; read 0-512 =0 +0");
  EXPECT_TRUE(IsHuge(0));
  EXPECT_EQ(s_.mm().Rss(kRssAnon), rss);
  EXPECT_EQ(Events(kThpZeroPageAlloc), 1u);
  s_.Run("write 3 v8 +1; read 3 =8; read 4 =0");
  EXPECT_TRUE(IsHuge(0));
  EXPECT_EQ(s_.mm().Rss(kRssAnon), rss + 512);
}

TEST(HugePagesOfLinux61, AWriteToTheHugeZeroPageGetsOnePage) {
  MachineConfig config = WithThp(ThpMode::kMadvise);
  config.personality = Personality::kLinux61;
  Sim s(config);
  s.Run("map 0-512 rw; advise 0-512 14; read 3 =0 +1");
  const uint64_t rss = s.mm().Rss(kRssAnon);
  s.Run("write 3 v8 +1; read 3 =8; read 4 =0; write 4 +1");
  EXPECT_FALSE(FindLeaf(s.kernel(), s.mm(), VirtAddr(At(0))).huge);
  EXPECT_EQ(s.mm().Rss(kRssAnon), rss + 2);
}

TEST_F(HugePages, WhatWasGivenUpLeavesItsTable) {
  constexpr int kFree = 8, kPageout = 21;
  s_.Run("map 0-512 rw; advise 0-512 14; write 0-512 v1");
  const uint64_t tables = s_.mm().pgtables_bytes;
  s_.Do(Madvise{At(0), 512 * kPageSize, kFree});
  s_.Do(Madvise{At(0), 512 * kPageSize, kPageout});
  EXPECT_EQ(s_.mm().pgtables_bytes, tables);
  s_.Run("read 3 =0 +1; read 4 =0 +1");
  EXPECT_FALSE(IsHuge(0));
}

TEST_F(HugePages, AProcessMayDoWithout) {
  s_.Run("map 0-1024 rw; advise 0-1024 14");
  EXPECT_EQ(s_.Do(Prctl{42, 0}).value, 0);
  EXPECT_EQ(ResultOf(s_.Do(Prctl{42, 1})), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Prctl{41, 1})), "OK");
  EXPECT_EQ(s_.Do(Prctl{42, 0}).value, 1);
  s_.Run("write 0 +1; write 1 +1; fork; 2: write 512 +1; 2: write 513 +1");
  EXPECT_FALSE(IsHuge(0));
  EXPECT_FALSE(IsHuge(1, 2));
  EXPECT_EQ(ResultOf(s_.Do(Prctl{41, 0})), "OK");
  s_.Run("write 512 +1; write 513 +0");
  EXPECT_TRUE(IsHuge(1));
}

TEST_F(HugePages, WithoutTheHugeZeroPageAReadIsLikeAWrite) {
  s_.SetSysctl("thp.use_zero_page", 0);
  s_.Run("map 0-512 r; advise 0-512 14; read 3 =0 +1");
  EXPECT_EQ(Events(kThpFaultAlloc), 1u);
  EXPECT_EQ(Events(kThpZeroPageAlloc), 0u);
}

TEST_F(HugePages, AfterForkAWriteSplitsAndCopiesOnePage) {
  s_.Run("map 0-512 rw; advise 0-512 14; write 0-512 v1; fork");
  EXPECT_TRUE(IsHuge(0, 2));
  const uint64_t free = s_.free_pages();
  s_.Run("2: write 7 v2 +1; read 7 =1; 2: read 7 =2; 2: read 8 =1");
  EXPECT_FALSE(IsHuge(0, 2));
  EXPECT_TRUE(IsHuge(0, 1));
  EXPECT_EQ(s_.free_pages(), free - 1);
  s_.Run("write 7 v3 +1; read 7 =3; 2: read 7 =2; 2: read 9 =1");
}

TEST_F(HugePages, TheLastOwnerTakesItBackWhole) {
  s_.Run(
      "map 0-512 rw; advise 0-512 14; write 0 v1; fork; 2: exit; wait;"
      "write 9 v4 +1; write 10 +0");
  EXPECT_TRUE(IsHuge(0));
  EXPECT_EQ(Events(kThpSplitPmd), 0u);
}

TEST_F(HugePages, APartSplitsTheEntryAndAWholeDoesNot) {
  struct Row {
    const char* name;
    const char* step;
    bool huge;  // afterwards, at the first 2 MiB
  };
  const Row rows[] = {
      {"munmap of a part", "unmap 10-12", false},
      {"munmap of the next", "unmap 512-1024", true},
      {"mprotect of a part", "protect 100-101 r", false},
      {"mprotect of all", "protect 0-512 r", true},
      {"mprotect to none", "protect 0-512 -", true},
      {"DONTNEED of a part", "advise 3-4 4", false},
      {"mlock of a part", "lock 0-1", false},
      {"mlock of all", "lock 0-512", true},
      {"mremap of a part", "move 0-5 3000", false},
      {"MADV_FREE of all", "advise 0-512 8", true},
      {"MADV_FREE of a part", "advise 0-9 8", false},
      {"MADV_COLD of all", "advise 0-512 20", true},
      {"clear_refs leaves it", "read 0", true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Sim s(WithThp(ThpMode::kMadvise));
    s.Run("map 0-1024 rw; advise 0-1024 14; write 0 v1; write 512 v2");
    s.Run(row.step);
    EXPECT_EQ(FindLeaf(s.kernel(), s.mm(), VirtAddr(At(0))).huge, row.huge);
    EXPECT_EQ(s.kernel().vmstat.events[kThpSplitPmd], row.huge ? 0u : 1u);
  }
}

TEST_F(HugePages, WhatWasUnmappedOfItStaysAllocated) {
  s_.Run("map 0-512 rw; advise 0-512 14; write 0-512 v1");
  const uint64_t free = s_.free_pages();
  s_.Run("unmap 0-100; unmap 101-512");
  EXPECT_EQ(s_.free_pages(), free);
  EXPECT_EQ(Events(kThpDeferredSplitPage), 1u);
  s_.Run("read 100 =1; unmap 100");
  EXPECT_GE(s_.free_pages(), free + 512);
}

TEST_F(HugePages, MoveOfWholeOnesKeepsThemWhole) {
  s_.Run(
      "map 0-1024 rw; advise 0-1024 14; write 0 v1; write 700 v2;"
      "move 0-1024 2048 +0; read 2048 =1 +0; read 2748 =2 +0");
  EXPECT_TRUE(IsHuge(4));
  EXPECT_TRUE(IsHuge(5));
  EXPECT_EQ(Events(kThpSplitPmd), 0u);
  s_.Run("move 2048-2560 3 +0; read 3 =1 +0");
  EXPECT_EQ(Events(kThpSplitPmd), 1u);
}

TEST_F(HugePages, MadvFreeOfAPartMakesSmallPagesAndZerosVanish) {
  s_.Run("map 0-512 rw; advise 0-512 14; write 7 v1");
  const uint64_t rss = s_.mm().Rss(kRssAnon);
  s_.Run("advise 0-8 8");
  EXPECT_EQ(Events(kThpSplitPage), 1u);
  EXPECT_EQ(s_.mm().Rss(kRssAnon), rss - 511) << "zeros are the zero page's";
  s_.Run("read 7 =1 +0; read 8 =0 +0; write 8 v2 +1");
}

TEST_F(HugePages, CollapseGathersSmallPages) {
  s_.Run("map 0-1024 rw; write 3 v4; write 4 v5");
  const uint64_t rss = s_.mm().Rss(kRssAnon);
  s_.Run("advise 0-512 25; read 3 =4 +0; read 4 =5 +0; read 9 =0 +0");
  EXPECT_TRUE(IsHuge(0));
  EXPECT_EQ(s_.mm().Rss(kRssAnon), rss + 510);
  EXPECT_EQ(Events(kThpCollapseAlloc), 1u);
  s_.Run("advise 0-512 25");             // is one already
  s_.Run("advise 512-1024 25 =EINVAL");  // nothing there to gather
}

TEST_F(HugePages, CollapseEndsAtAnEmptyEntry) {
  s_.Run("map 0-1024 rw; write 512 v1; advise 0-1024 25 =EINVAL");
  EXPECT_FALSE(IsHuge(1));
  s_.Run("advise 512-1024 25");
  EXPECT_TRUE(IsHuge(1));
}

// Seen on Linux 6.18: mprotect changes the PTEs of a large folio as one batch.
TEST_F(HugePages, ProtectingAPartSharesWhatTheHardwareNoticed) {
  s_.Run("map 0-512 rw; advise 0-512 14; write 0 v1; unmap 100-101; fork");
  s_.Run("2: read 3; 2: protect 0-8 r");
  EXPECT_TRUE(s_.PteOf(At(0), 2).young());
  EXPECT_TRUE(s_.PteOf(At(7), 2).young());
  EXPECT_FALSE(s_.PteOf(At(8), 2).young());
}

TEST_F(HugePages, PopulatingForReadingLeavesTheEntryOld) {
  s_.Run("map 0-512 rw; advise 0-512 14; write 0 v1; fork; 2: advise 1-3 22");
  EXPECT_FALSE(LookAtPte(s_.kernel(), s_.mm(2), VirtAddr(At(1))).young());
  s_.Run("2: read 1");
  EXPECT_TRUE(LookAtPte(s_.kernel(), s_.mm(2), VirtAddr(At(1))).young());
}

TEST_F(HugePages, SplittingAFolioThatPtesMapNotesTheWatermark) {
  s_.Run("map 0-512 rw; advise 0-512 14; write 0 v1; advise 256-300 15");
  const uint64_t rss = s_.mm().ShownRssPages();
  s_.Run("advise 0-8 8");
  EXPECT_LT(s_.mm().ShownRssPages(), rss);
  EXPECT_EQ(s_.mm().hiwater_rss, rss);
}

TEST_F(HugePages, CollapseRefuses) {
  s_.Run("map 0-512 rw; advise 0-512 25 =EINVAL");              // no anon_vma
  s_.Run("write 0; advise 0-512 15; advise 0-512 25 =EINVAL");  // NOHUGEPAGE
  s_.Run("map 512-1000 rw; write 512; advise 512-1000 25 =EINVAL");
}

class HugePagesAlways : public HugePages {
 protected:
  HugePagesAlways() : HugePages(ThpMode::kAlways) {}
};

TEST_F(HugePagesAlways, NeedNoAdvice) {
  s_.Run(
      "map 0-512 rw; write 0 +1; write 1 +0; map 512-1024 rw;"
      "advise 512-1024 15; write 512 +1; write 513 +1");
  EXPECT_TRUE(IsHuge(0));
  EXPECT_FALSE(IsHuge(1));
}

TEST_F(HugePagesAlways, TheKnobChangesWhatComesNext) {
  s_.SetSysctl("thp.enabled", kThpNever);
  s_.Run("map 0-512 rw; advise 0-512 14; write 0 +1; write 1 +1");
  s_.SetSysctl("thp.enabled", kThpMadvise);
  s_.Run(
      "map 512-1536 rw; advise 1024-1536 14; write 512 +1; write 513 +1;"
      "write 1024 +1; write 1025 +0");
}

TEST_F(HugePagesAlways, WithoutABlockTheFaultFallsBackToOnePage) {
  using Call = struct AllocPages;
  constexpr uint32_t kHighUserMovable = 0x100cca;
  while (s_.Apply(Call{kHighUserMovable, 9}, 0).error == Errno::kOk) {
  }
  s_.Run("map 0-512 rw; write 0 +1; write 1 +1");
  EXPECT_FALSE(IsHuge(0));
  EXPECT_EQ(Events(kThpFaultFallback), 1u);
}

TEST(HugePagesNever, AdviceAloneBringsNone) {
  Sim s;
  s.Run("map 0-512 rw; advise 0-512 14; write 0 +1; write 1 +1");
}

TEST_F(HugePages, AMachineWithThemCanBeSavedAndCopied) {
  s_.Run(
      "map 0-1024 rw; advise 0-1024 14; write 0 v1; read 512; fork;"
      "2: write 9 v2");
  Machine copy = Machine::Load(s_.machine().Save());
  EXPECT_EQ(copy.Verify(), "");
  EXPECT_EQ(copy.Fingerprint(), s_.machine().Fingerprint());
}

}  // namespace
}  // namespace faultline

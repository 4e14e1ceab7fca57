// Writing to /proc/PID/clear_refs. The soft-dirty rows are those of
// tools/testing/selftests/mm/soft-dirty.c and Documentation/admin-guide/mm/
// soft-dirty.rst; machines have them where the kernel is built for it.
#include <gtest/gtest.h>

#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

MachineConfig WithSoftDirty(Personality personality = Personality::kLinux61) {
  MachineConfig config;
  config.personality = personality;
  if (personality == Personality::kLinux618) {
    config.sysctls = {{"config.mem_soft_dirty", 1}};
  }
  return config;
}

std::string Clear(Sim& s, uint32_t type, Pid pid = 1) {
  return ResultOf(s.Do(ClearRefs{type}, pid));
}

// Bit 55 of each page's word in pagemap: "1011".
std::string SoftDirty(Sim& s, uint64_t first, uint64_t pages, Pid pid = 1) {
  auto words =
      ReadProcAt(s.kernel(), "/proc/" + std::to_string(pid) + "/pagemap",
                 At(first) / kPageSize * 8, pages * 8);
  EXPECT_TRUE(words.ok());
  std::string out;
  for (uint64_t i = 0; i < pages; i++) {
    // Little-endian: bit 55 is the highest of the seventh byte.
    out += words.value()[i * 8 + 6] & 0x80 ? '1' : '0';
  }
  return out;
}

bool HasSd(Sim& s, uint64_t page) {
  return s.VmaOf(At(page)).Has(vm::kSoftDirty);
}

TEST(ClearRefs, OnlyOneToFiveAreKnown) {
  Sim s;
  EXPECT_EQ(Clear(s, 0), "EINVAL");
  for (uint32_t type = 1; type <= 5; type++) EXPECT_EQ(Clear(s, type), "OK");
  EXPECT_EQ(Clear(s, 6), "EINVAL");
}

TEST(ClearRefs, ReferencedBitsOfAllOfAnonymousOrOfMappedPages) {
  struct Row {
    uint32_t type;
    bool anon, file;  // still young
  };
  for (const Row& row : {Row{1, false, false}, Row{2, false, true},
                         Row{3, true, false}, Row{4, true, true}}) {
    Sim s;
    s.File("/f", 4);
    s.Run("map 0 rw; write 0; map 8 rw shared fd3; write 8");
    EXPECT_EQ(Clear(s, row.type), "OK");
    EXPECT_EQ(s.PteOf(At(0)).young(), row.anon) << row.type;
    EXPECT_EQ(s.PteOf(At(8)).young(), row.file) << row.type;
    EXPECT_TRUE(s.PteOf(At(0)).dirty() && s.PteOf(At(8)).dirty());
  }
}

TEST(ClearRefs, AnAccessIsSeenAgainAndFaultsNothing) {
  Sim s;
  s.Run("map 0-2 rw; write 0-2");
  Clear(s, 1);
  s.Run("read 0 =1 +0");
  EXPECT_TRUE(s.PteOf(At(0)).young());
  EXPECT_FALSE(s.PteOf(At(1)).young());
}

TEST(ClearRefs, ThePeakOfTheResidentSetStartsAnew) {
  Sim s;
  s.Run("map 0-200 rw; write 0-200; unmap 0-200");
  EXPECT_GE(s.mm().hiwater_rss, 160u);
  Clear(s, 5);
  EXPECT_LT(s.mm().hiwater_rss, 40u);
  s.Run("map 0-100 rw; write 0-100; unmap 0-100");
  EXPECT_GE(s.mm().hiwater_rss, 64u);
  EXPECT_LT(s.mm().hiwater_rss, 140u);
}

TEST(SoftDirty, TheUsualKernelHasNone) {
  Sim s;
  s.Run("map 0-2 rw; write 0-2");
  EXPECT_EQ(SoftDirty(s, 0, 2), "00");
  EXPECT_FALSE(HasSd(s, 0));
  EXPECT_EQ(Clear(s, 4), "OK");
  s.Run("write 0-2 +0");
  EXPECT_EQ(ResultOf(s.Do(Sysctl{"config.mem_soft_dirty", 1}, 0)), "ENOENT");
}

class SoftDirtyOf : public ::testing::TestWithParam<Personality> {
 protected:
  Sim s_{WithSoftDirty(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(Kernels, SoftDirtyOf,
                         ::testing::Values(Personality::kLinux61,
                                           Personality::kLinux618));

TEST_P(SoftDirtyOf, AllOfANewMappingIs) {
  s_.Run("map 0-3 rw; write 1");
  EXPECT_TRUE(HasSd(s_, 0));
  EXPECT_EQ(SoftDirty(s_, 0, 4), "1110");
}

TEST_P(SoftDirtyOf, AfterClearingOnlyWhatIsWritten) {
  s_.Run("map 0-4 rw; write 0-4");
  Clear(s_, 4);
  EXPECT_FALSE(HasSd(s_, 0));
  EXPECT_EQ(SoftDirty(s_, 0, 4), "0000");
  // A page that was write-protected for it costs one minor fault.
  s_.Run("read 0-4 =1 +0; write 1 +1; write 1 +0");
  EXPECT_EQ(SoftDirty(s_, 0, 4), "0100");
}

TEST_P(SoftDirtyOf, AReadOfTheZeroPageIsNoWrite) {
  s_.Run("map 0-2 rw");
  Clear(s_, 4);
  s_.Run("read 0 =0; write 1");
  EXPECT_EQ(SoftDirty(s_, 0, 2), "01");
}

TEST_P(SoftDirtyOf, SharedMemoryIsWriteProtectedAsWell) {
  s_.Run("map 0-2 rw shared; write 0-2");
  Clear(s_, 4);
  s_.Run("write 1 +1");
  EXPECT_EQ(SoftDirty(s_, 0, 2), "01");
}

TEST_P(SoftDirtyOf, ProtectingBackDoesNotOpenAPageUnseen) {
  s_.Run("map 0-2 rw; write 0-2");
  Clear(s_, 4);
  s_.Run("protect 0-2 r; protect 0-2 rw; write 0 +1");
  EXPECT_EQ(SoftDirty(s_, 0, 2), "10");
}

TEST_P(SoftDirtyOf, WhatMovedCountsAsWritten) {
  s_.Run("map 0-2 rw; write 0-2");
  Clear(s_, 4);
  s_.Run("move 0-2 8");
  EXPECT_EQ(SoftDirty(s_, 8, 2), "11");
}

TEST_P(SoftDirtyOf, TheChildHasTheMarksOfItsParent) {
  s_.Run("map 0-2 rw; write 0-2");
  Clear(s_, 4);
  s_.Run("write 0; fork");
  EXPECT_EQ(SoftDirty(s_, 0, 2, 2), "10");
  s_.Run("2: write 1");
  EXPECT_EQ(SoftDirty(s_, 0, 2, 2), "11");
  EXPECT_EQ(SoftDirty(s_, 0, 2, 1), "10");
}

TEST_P(SoftDirtyOf, OneMappingMoreMarksTheVmaThatItJoins) {
  s_.Run("map 0-2 rw; write 0-2");
  Clear(s_, 4);
  s_.Run("map 2-4 rw");
  EXPECT_EQ(s_.Vmas(), "0-4:rw");
  EXPECT_TRUE(HasSd(s_, 0));
  EXPECT_EQ(SoftDirty(s_, 0, 5), "11110");
}

}  // namespace
}  // namespace faultline

// An i386 machine without PAE: two levels of tables, whose PTE tables translate
// 4 MiB in entries of 4 bytes that cannot forbid to execute.
#include <gtest/gtest.h>

#include <string>

#include "server/machine/config_error.h"
#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/proc/mem_counts.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kTablePages = 1024;  // that one table translates

class TwoLevelTest : public ::testing::Test {
 protected:
  TwoLevelTest() : s_(Config()) {}
  static MachineConfig Config(uint64_t ram = 64 * kMiB) {
    MachineConfig config;
    config.profile = Profile::kI386;
    config.ram_bytes = ram;
    config.swap_bytes = 16 * kMiB;
    return config;
  }
  uint64_t Tables(Pid pid = 1) const { return s_.mm(pid).nr_ptes; }
  std::string Status(const std::string& name) const {
    const std::string text = ReadProc(s_.kernel(), "/proc/1/status").value();
    const size_t at = text.find(name + ":");
    return text.substr(at, text.find('\n', at) - at);
  }
  WalkStep Walk(uint64_t addr) const {
    return WalkPageTable(s_.kernel().frames, s_.mm().cr3(s_.kernel().paging),
                         VirtAddr(addr));
  }

  Sim s_;
};

TEST_F(TwoLevelTest, AWalkHasTwoSteps) {
  s_.Run("map 0-1 rw; write 0 v7 +1; read 0 =7");
  const WalkStep step = Walk(At(0));
  EXPECT_EQ(step.level, 1);
  EXPECT_NE(step.table, s_.mm().pgd);
  EXPECT_EQ(step.index, 0);
  EXPECT_TRUE(step.entry.writable() && step.entry.dirty());
  EXPECT_EQ(Walk(At(4 * kTablePages)).level, 2) << "no table there";
  // Entry 64 of the top table, 4 bytes of it.
  const uint64_t* words = s_.kernel().frames.Table(s_.mm().pgd);
  EXPECT_EQ(words[32] >> 12 & 0xfffff, step.table.value());
}

TEST_F(TwoLevelTest, ATableTranslatesFourMebibytes) {
  const uint64_t before = Tables();
  s_.Run("map 0-4096 rw; write 0 +1; write 511-513 +2; write 1023 +1");
  EXPECT_EQ(Tables(), before + 1);
  s_.Run("write 1024 +1");
  EXPECT_EQ(Tables(), before + 2);
  EXPECT_EQ(s_.mm().pgtables_bytes, Tables() * kPageSize)
      << "there is nothing between them and the top";
  EXPECT_EQ(Status("VmPTE"), "VmPTE:\t      12 kB");
}

TEST_F(TwoLevelTest, UnmapFreesATableWhenNothingIsLeftInIt) {
  const uint64_t before = Tables();
  s_.Run("map 0-2048 rw; write 0-2048 v3");
  EXPECT_EQ(Tables(), before + 2);
  s_.Run("unmap 0-600");
  EXPECT_EQ(Tables(), before + 2) << "half a table";
  s_.Run("unmap 600-1024");
  EXPECT_EQ(Tables(), before + 1);
  s_.Run("read 1024 =3; unmap 1024-2048");
  EXPECT_EQ(Tables(), before);
}

TEST_F(TwoLevelTest, AForkedChildSharesUntilItWrites) {
  s_.Run("map 0-2048 rw; write 1000-1050 v3; fork; 2: read 1030 =3 +0");
  EXPECT_EQ(Tables(2), Tables(1));
  EXPECT_EQ(s_.PteOf(At(1023)).pfn(), s_.PteOf(At(1023), 2).pfn());
  s_.Run("2: write 1023-1025 v9 +2; read 1023-1025 =3; 2: read 1024 =9");
  EXPECT_NE(s_.PteOf(At(1023)).pfn(), s_.PteOf(At(1023), 2).pfn());
  EXPECT_EQ(s_.PteOf(At(1025)).pfn(), s_.PteOf(At(1025), 2).pfn());
  s_.Run("2: exit; write 1000-1050 v4");
}

TEST_F(TwoLevelTest, MremapMovesATableOfFourMebibytesAsOne) {
  s_.Run("map 0-1024 rw; write 0 v5; write 1023 v6");
  const Pfn table = FindPte(s_.kernel(), s_.mm(), VirtAddr(At(0))).table;
  s_.Run("move 0-1024 2048; read 2048 =5; read 3071 =6");
  EXPECT_EQ(FindPte(s_.kernel(), s_.mm(), VirtAddr(At(2048))).table, table);
}

TEST_F(TwoLevelTest, MremapMovesTwoMebibytesEntryByEntry) {
  s_.Run("map 0-512 rw; write 0 v5; write 511 v6");
  const Pfn table = FindPte(s_.kernel(), s_.mm(), VirtAddr(At(0))).table;
  s_.Run("move 0-512 2560; read 2560 =5; read 3071 =6");
  EXPECT_NE(FindPte(s_.kernel(), s_.mm(), VirtAddr(At(2560))).table, table);
}

TEST_F(TwoLevelTest, NothingForbidsToExecute) {
  s_.Run("map 0-1 rw; write 0; fetch 0; map 1-2 r; fetch 1 +1");
  s_.Run("map 2-3 rx; write 2 =SEGV/2");
}

TEST_F(TwoLevelTest, ProtectionsAndGuardsStayInTheEntries) {
  s_.Run("map 0-8 rw; write 0-8 v1; protect 2-4 -; read 2 =SEGV/2");
  EXPECT_TRUE(s_.PteOf(At(2)).present());
  s_.Run("protect 2-4 rw; read 2 =1 +0; write 3 v2 +0");
  s_.Run("advise 5-6 102; read 5 =SEGV/1; advise 5-6 103; read 5 =0");
}

// Swap entries keep type, offset and the mark of who has the page alone.
TEST_F(TwoLevelTest, SwappedPagesComeBack) {
  s_.Run("map 0-1040 rw; write 1000-1040 v7; advise 1000-1040 21");
  for (uint64_t page = 1000; page < 1040; page++) {
    const Pte pte = s_.PteOf(At(page));
    ASSERT_TRUE(pte.swapped()) << page;
    EXPECT_EQ(pte.value() & Pte::kSwpExclusive, Pte::kSwpExclusive);
  }
  const PteRef at = FindPte(s_.kernel(), s_.mm(), VirtAddr(At(1001)));
  const uint32_t raw = s_.PteOf(At(1001)).Narrow();
  const uint64_t word =
      s_.kernel().frames.Table(at.table)[at.index / 2] >> 32 * (at.index % 2);
  EXPECT_EQ(static_cast<uint32_t>(word), raw);
  s_.Run("read 1000-1040 =7; write 1000-1040 v8 +0");
}

TEST_F(TwoLevelTest, ASwapAreaEndsWithTheOffsetsBits) {
  const int64_t type = s_.Do(Swapon{"", uint64_t{64} << 30, 0}, 0).value;
  EXPECT_EQ(s_.kernel().swap.infos[static_cast<size_t>(type)].max, 1u << 23);
}

// The direct map has pages of 4 MiB, but for the first.
TEST_F(TwoLevelTest, TheDirectMapIsOfFourMebibytePages) {
  const auto read = [&](uint64_t pfn) {
    KernelAccess look{.kind = AccessKind::kRead};
    look.addr = VirtOf(s_.kernel(), Pfn(static_cast<uint32_t>(pfn)));
    return s_.Do(look, 0);
  };
  const Outcome first = read(1500);
  EXPECT_EQ(first.tlb_misses, 1u);
  EXPECT_EQ(first.table_loads, 1u) << "the top table maps it";
  EXPECT_EQ(read(1024).tlb_misses, 0u);
  EXPECT_EQ(read(2047).tlb_misses, 0u);
  EXPECT_EQ(read(2048).tlb_misses, 1u);
  EXPECT_EQ(read(100).table_loads, 2u);
}

TEST_F(TwoLevelTest, VmallocTakesATableForFourMebibytes) {
  const auto before = s_.kernel().kernel_maps.tables;
  s_.Do(Vmalloc{3 * kMiB, 0}, 0);
  EXPECT_EQ(s_.kernel().kernel_maps.tables, before + 1);
  s_.Do(Vmalloc{2 * kMiB, 0}, 0);
  EXPECT_EQ(s_.kernel().kernel_maps.tables, before + 2);
}

TEST_F(TwoLevelTest, IsSavedAndCopied) {
  s_.Run("map 0-2048 rw; write 1020-1030 v7; fork; advise 1020-1024 21");
  Sim copy(Machine::Load(s_.machine().Save()));
  EXPECT_EQ(copy.machine().Fingerprint(), s_.machine().Fingerprint());
  copy.Run("read 1020-1030 =7; 2: write 1025 v1 +1");
}

TEST_F(TwoLevelTest, HasFourGibibytesOfAddresses) {
  EXPECT_THROW(Sim(Config(uint64_t{5} << 30)), ConfigError);
  const Sim large(Config(uint64_t{4} << 30));
  EXPECT_EQ(MaxPfn(large.kernel()), (uint64_t{3} << 30) / kPageSize)
      << "a PC has the rest above 4 GiB";
}

TEST_F(TwoLevelTest, WhatItsEntriesHaveNoRoomForIsRefused) {
  MachineConfig config = Config();
  config.thp = ThpMode::kAlways;
  EXPECT_THROW(Sim{config}, ConfigError);
  config = Config();
  config.sysctls = {{"config.mem_soft_dirty", 1}};
  EXPECT_THROW(Sim{config}, ConfigError);
  EXPECT_EQ(ResultOf(s_.Do(Sysctl{"thp.enabled", 2}, 0)), "ENOENT");
  s_.Run("map 0-1024 rw; write 0; advise 0-1024 25 =EINVAL");
}

// With PAE a process begins with its three tables of level 2, of which the
// first went with the image.
TEST(PaeTablesTest, AreThereFromTheBeginning) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  Sim s(config);
  const auto tables = [&] { return s.mm().pgtables_bytes / kPageSize; };
  ASSERT_EQ(tables(), 3u) << "two of level 2, and the stack's";
  s.Run("map 0-1 rw; write 0 +1");
  EXPECT_EQ(tables(), 5u);
  s.Run("fork");
  EXPECT_EQ(s.mm(2).pgtables_bytes, s.mm().pgtables_bytes);
  s.Run("unmap 0-1");
  EXPECT_EQ(tables(), 3u) << "nothing is left in the first GiB";
  s.Run("2: exit; wait");
}

}  // namespace
}  // namespace faultline

// Compaction: pages move, and nobody who uses them notices.
#include "server/machine/mm/compaction.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "server/machine/mm/extfrag.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/page_alloc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

class Compaction : public ::testing::Test {
 protected:
  Compaction() : s_(Config()) {}

  static MachineConfig Config() {
    MachineConfig config;
    config.ram_bytes = uint64_t{64} << 20;
    // A boost would keep blocks from those that TakeBlocks() is to take.
    config.sysctls = {{"vm.watermark_boost_factor", 0}};
    return config;
  }

  // The window's pages hold bytes of their own, and every second is given back.
  void Fragment() {
    s_.Run("map 0-4096 rw; write 0-4096 v9");
    for (uint64_t page = 0; page < kWindowPages; page += 64) {
      s_.Apply(Access{AccessKind::kWrite, At(page), 1, 4096,
                      static_cast<uint8_t>(page / 64)});
    }
    for (uint64_t page = 1; page < kWindowPages; page += 2) {
      s_.Apply(Madvise{At(page), kPageSize, 4});
    }
    // Those that per-CPU lists hold go back as well.
    for (int i = 0; i < 70; i++) s_.Apply(Tick{1'000'000'000}, 0);
  }

  // Takes whatever is contiguous. Who may not reclaim wakes nobody either.
  void TakeBlocks() {
    struct AllocPages alloc;
    alloc.gfp = gfp::kNoWarn;
    for (uint32_t order = 10; order > 0; order--) {
      alloc.order = order;
      while (s_.Apply(alloc, 0).error == Errno::kOk) {
      }
    }
  }

  // Blocks of 2 MiB and more.
  uint64_t LargeBlocks() const {
    uint64_t n = 0;
    for (const Zone& zone : s_.kernel().zones) {
      n += zone.free_area[9].nr_free + 2 * zone.free_area[10].nr_free;
    }
    return n;
  }
  uint64_t Events(VmEvent event) const {
    return s_.kernel().vmstat.events[event];
  }
  void ExpectContents(Pid pid) {
    for (uint64_t page = 0; page < kWindowPages; page += 64) {
      EXPECT_EQ(
          s_.Apply(Access{AccessKind::kRead, At(page), 1, 4096, 0}, pid).value,
          static_cast<int64_t>(page / 64));
      EXPECT_EQ(
          s_.Apply(Access{AccessKind::kRead, At(page + 2), 1, 4096, 0}, pid)
              .value,
          9);
    }
  }
  Sim s_;
};

TEST_F(Compaction, GathersFreePagesAndKeepsContents) {
  Fragment();
  s_.Run("fork =2; 2: write 10 v9");
  const uint64_t before = LargeBlocks(), free = s_.free_pages();
  s_.SetSysctl("vm.compact_memory", 1);
  EXPECT_EQ(s_.machine().Verify(), "");
  // 2048 of 4096 pages were free, four blocks and some that lie askew.
  EXPECT_GE(LargeBlocks(), before + 3);
  EXPECT_EQ(s_.free_pages(), free);
  EXPECT_GT(Events(kPgMigrateSuccess), 500u);
  EXPECT_EQ(Events(kPgMigrateFail), 0u);
  ExpectContents(1);
  ExpectContents(2);
  s_.Run("write 128 v3 +1; 2: read 128 =2; 2: write 128 v4; read 128 =3");
}

TEST_F(Compaction, MovesPagesOfFilesInTheCacheAndInMappings) {
  const int fd = s_.File("/f", 600);
  s_.Run("map 0-600 rw shared fd" + std::to_string(fd) +
         "; map 600-1200 rw fd" + std::to_string(fd) + "; read 0-1200");
  std::string before;
  for (uint64_t page = 0; page < 1200; page++) {
    before += static_cast<char>(
        s_.Apply(Access{AccessKind::kRead, At(page), 1, 4096, 0}).value);
  }
  const Pfn first = s_.PteOf(At(0)).pfn();
  // Above them, pages with holes in between.
  s_.Run("map 1200-3200 rw; write 1200-3200 v5");
  for (uint64_t page = 1200; page < 3200; page += 2) {
    s_.Apply(Madvise{At(page), kPageSize, 4});
  }
  for (int i = 0; i < 70; i++) s_.Apply(Tick{1'000'000'000}, 0);
  s_.SetSysctl("vm.compact_memory", 1);
  EXPECT_EQ(s_.machine().Verify(), "");
  EXPECT_GT(Events(kPgMigrateSuccess), 0u);
  EXPECT_NE(s_.PteOf(At(0)).pfn(), first) << "it was at the lower end";
  EXPECT_EQ(s_.PteOf(At(0)).pfn(), s_.PteOf(At(600)).pfn());
  for (uint64_t page = 0; page < 1200; page++) {
    ASSERT_EQ(
        s_.Apply(Access{AccessKind::kRead, At(page), 1, 4096, 0}).value & 0xff,
        before[page] & 0xff)
        << page;
  }
}

TEST_F(Compaction, AnAllocationThatFindsNoBlockMakesOne) {
  Fragment();
  TakeBlocks();
  struct AllocPages alloc;
  EXPECT_EQ(Events(kCompactStall), 0u);
  alloc.gfp = gfp::kKernel | gfp::kNoWarn;
  alloc.order = 3;
  EXPECT_EQ(ResultOf(s_.Do(alloc, 0)), "OK");
  EXPECT_EQ(Events(kCompactStall), 1u);
  EXPECT_EQ(Events(kCompactSuccess), 1u);
  EXPECT_GT(Events(kCompactMigrateScanned), 0u);
  EXPECT_GT(Events(kCompactFreeScanned), 0u);
  EXPECT_GT(Events(kPgMigrateSuccess), 0u);
  ExpectContents(1);
}

// kcompactd: for who cannot wait, after the command.
TEST_F(Compaction, TheDaemonMakesABlockForTheNextOne) {
  Fragment();
  s_.SetSysctl("vm.compaction_proactiveness", 0);
  TakeBlocks();
  struct AllocPages alloc;
  alloc.gfp = gfp::kNowait | gfp::kNoWarn;
  alloc.order = 3;
  const Outcome out = s_.Do(alloc, 0);
  EXPECT_EQ(ResultOf(out), "ENOMEM");
  std::vector<std::string> daemon;
  for (const Event& e : out.events) {
    const std::string name = EventName(e.body);
    if (name.find("kcompactd") != std::string::npos) daemon.push_back(name);
  }
  EXPECT_EQ(daemon,
            (std::vector<std::string>{"mm_compaction_wakeup_kcompactd",
                                      "mm_compaction_kcompactd_wake",
                                      "mm_compaction_kcompactd_sleep"}));
  EXPECT_EQ(Events(kCompactDaemonWake), 1u);
  EXPECT_GT(Events(kCompactDaemonMigrateScanned), 0u);
  EXPECT_GT(Events(kCompactDaemonFreeScanned), 0u);
  EXPECT_EQ(Events(kCompactDaemonMigrateScanned),
            Events(kCompactMigrateScanned));
  EXPECT_EQ(Events(kCompactStall), 0u) << "nobody waited";
  EXPECT_EQ(ResultOf(s_.Do(alloc, 0)), "OK");
  EXPECT_EQ(Events(kCompactDaemonWake), 1u);
  ExpectContents(1);
}

uint64_t ScoreOf(const Kernel& k) {
  return FragmentationScore(k, k.zone(ZoneType::kDma32));
}

TEST_F(Compaction, TheDaemonLooksEachHalfSecond) {
  Fragment();
  TakeBlocks();
  const uint64_t before = ScoreOf(s_.kernel());
  EXPECT_EQ(before, 100u);
  const uint64_t free = s_.free_pages();
  s_.Do(Tick{500'000'000}, 0);
  EXPECT_LE(ScoreOf(s_.kernel()), 80u) << "100 less the proactiveness of 20";
  EXPECT_EQ(s_.free_pages(), free);
  EXPECT_EQ(Events(kCompactDaemonWake), 0u) << "nobody woke it";
  EXPECT_GT(Events(kCompactDaemonMigrateScanned), 0u);
  const uint64_t moved = Events(kPgMigrateSuccess);
  s_.Do(Tick{10'000'000'000}, 0);
  EXPECT_EQ(Events(kPgMigrateSuccess), moved) << "it is not above 90";
  ExpectContents(1);
}

TEST_F(Compaction, AProactivenessOfZeroSwitchesThatOff) {
  s_.SetSysctl("vm.compaction_proactiveness", 0);
  Fragment();
  TakeBlocks();
  s_.Do(Tick{3'600'000'000'000}, 0);
  EXPECT_EQ(Events(kCompactMigrateScanned), 0u);
  EXPECT_EQ(ResultOf(s_.Do(Sysctl{"vm.compaction_proactiveness", 101}, 0)),
            "EINVAL");
  s_.SetSysctl("vm.compaction_proactiveness", 20);
  EXPECT_GT(Events(kCompactDaemonMigrateScanned), 0u) << "it looks at once";
}

TEST_F(Compaction, WhatIsNotFragmentedIsLeftAlone) {
  s_.Run("map 0-4096 rw; write 0-4096 v9");
  s_.Do(Tick{3'600'000'000'000}, 0);
  EXPECT_EQ(Events(kCompactMigrateScanned), 0u);
}

TEST_F(Compaction, OnlyOneMeansCompact) {
  EXPECT_EQ(ResultOf(s_.Do(Sysctl{"vm.compact_memory", 2}, 0)), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Sysctl{"vm.compact_memory", 1}, 0)), "OK");
}

TEST_F(Compaction, ATooLargeThresholdLeavesItToReclaim) {
  s_.SetSysctl("vm.compaction_proactiveness", 0);
  Fragment();
  TakeBlocks();
  const Kernel& k = s_.kernel();
  const Zone& zone = k.zone(ZoneType::kDma32);
  constexpr int kOrder = 9;
  const int index = FragmentationIndex(zone, kOrder);
  ASSERT_GT(index, 500) << "what is missing is contiguity";
  ASSERT_LE(index, 1000);
  EXPECT_TRUE(CompactionSuitable(k, zone, kOrder, 2));
  s_.SetSysctl("vm.extfrag_threshold", 1000);
  EXPECT_FALSE(CompactionSuitable(k, zone, kOrder, 2));
  EXPECT_TRUE(CompactionSuitable(k, zone, 3, 2)) << "not asked of small orders";
  EXPECT_EQ(ResultOf(s_.Do(Sysctl{"vm.extfrag_threshold", 1001}, 0)), "EINVAL");
}

TEST_F(Compaction, LockedPagesStayWhenThatIsAsked) {
  s_.SetSysctl("vm.compact_unevictable_allowed", 0);
  s_.Run("map 0-4096 rw; write 0-4096 v9; lock 0-4096");
  for (uint64_t page = 1; page < kWindowPages; page += 2) {
    s_.Apply(Munlock{At(page), kPageSize});
    s_.Apply(Madvise{At(page), kPageSize, 4});
  }
  for (int i = 0; i < 70; i++) s_.Apply(Tick{1'000'000'000}, 0);
  const Pfn first = s_.PteOf(At(0)).pfn();
  const uint64_t moved = Events(kPgMigrateSuccess);
  s_.SetSysctl("vm.compact_memory", 1);
  EXPECT_LT(Events(kPgMigrateSuccess), moved + 8) << "what else there is";
  EXPECT_EQ(s_.PteOf(At(0)).pfn(), first);
  s_.SetSysctl("vm.compact_unevictable_allowed", 1);
  s_.SetSysctl("vm.compact_memory", 1);
  EXPECT_GT(Events(kPgMigrateSuccess), moved + 500);
  EXPECT_EQ(s_.machine().Verify(), "");
}

TEST_F(Compaction, TellsWhatItDoes) {
  Fragment();
  const Outcome out =
      s_.Do(Sysctl{"vm.compact_memory", 1}, 0, EventLevel::kAll);
  std::vector<const MmCompactionBegin*> began;
  std::vector<const MmCompactionEnd*> ended;
  for (const Event& e : out.events) {
    if (auto* b = std::get_if<MmCompactionBegin>(&e.body)) began.push_back(b);
    if (auto* b = std::get_if<MmCompactionEnd>(&e.body)) ended.push_back(b);
  }
  ASSERT_EQ(began.size(), 2u) << "DMA and DMA32";
  ASSERT_EQ(ended.size(), 2u);
  const Zone& zone = s_.kernel().zone(ZoneType::kDma32);
  EXPECT_EQ(began[1]->zone_start, zone.start.value());
  EXPECT_EQ(began[1]->zone_end, (zone.start + zone.spanned).value());
  EXPECT_GT(ended[1]->migrate_pfn, began[1]->migrate_pfn);
  EXPECT_LT(ended[1]->free_pfn, began[1]->free_pfn);
  EXPECT_EQ(ended[1]->status, "complete");
}

}  // namespace
}  // namespace faultline

#include "server/machine/hw/mmu.h"

#include <gtest/gtest.h>

#include <utility>

namespace faultline {
namespace {

constexpr uint64_t kUserRw = Pte::kPresent | Pte::kWrite | Pte::kUser;
constexpr VirtAddr kAddr(0x7f1234567abc);

// Four levels of tables in frames 1-4 that map one page to frame 100.
class MmuTest : public ::testing::Test {
 protected:
  MmuTest() { Map(kUserRw); }
  void Map(uint64_t flags, Pfn pfn = Pfn(100)) {
    for (int level = 4; level > 1; level--) {
      Pfn next(static_cast<uint32_t>(5 - level + 1));
      Entry(level) = Pte::Make(next, kUserRw).value();
    }
    Entry(1) = Pte::Make(pfn, flags).value();
  }
  uint64_t& Entry(int level) {
    Pfn table(static_cast<uint32_t>(5 - level));
    return frames_.MutTable(table)[cr3_.paging.IndexAt(kAddr, level)];
  }
  Translation Walk(MmuAccess access) {
    return Mmu(frames_, tlb_, clock_).Walk(cr3_, kAddr, access);
  }
  // What the processor does: the TLB first.
  Pfn Access(MmuAccess access) {
    Mmu mmu(frames_, tlb_, clock_);
    Pfn pfn = mmu.Cached(cr3_, kAddr, access);
    return pfn.valid() ? pfn : mmu.Walk(cr3_, kAddr, access).pfn;
  }
  bool Young(int level) { return Pte(Entry(level)).young(); }

  Frames frames_;
  Tlb tlb_;
  uint64_t clock_ = 0;
  Cr3 cr3_{Pfn(1), 1, PagingMode(4)};
};

TEST_F(MmuTest, TranslatesThroughFourLevels) {
  Translation t = Walk(MmuAccess::kRead);
  EXPECT_TRUE(t.ok());
  EXPECT_EQ(t.pfn, Pfn(100));
  WalkStep step = WalkPageTable(frames_, cr3_, kAddr);
  EXPECT_EQ(step.level, 1);
  EXPECT_EQ(step.table, Pfn(4));
}

TEST_F(MmuTest, ErrorCodeSaysWhatWasTriedAndWhetherAPageIsThere) {
  struct Row {
    const char* name;
    uint64_t pte_flags;
    MmuAccess access;
    uint32_t code;
  };
  const Row rows[] = {
      {"read of nothing", 0, MmuAccess::kRead, kFaultUser},
      {"write of nothing", 0, MmuAccess::kWrite, kFaultUser | kFaultWrite},
      {"fetch of nothing", 0, MmuAccess::kFetch, kFaultUser | kFaultFetch},
      {"write of read-only", Pte::kPresent | Pte::kUser, MmuAccess::kWrite,
       kFaultUser | kFaultWrite | kFaultProtection},
      {"fetch of NX", kUserRw | Pte::kNoExec, MmuAccess::kFetch,
       kFaultUser | kFaultFetch | kFaultProtection},
      {"read of PROT_NONE", Pte::kProtNone, MmuAccess::kRead, kFaultUser},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    tlb_ = Tlb();
    Map(row.pte_flags);
    Translation t = Walk(row.access);
    EXPECT_FALSE(t.ok());
    EXPECT_EQ(t.error_code, row.code);
    EXPECT_FALSE(Pte(Entry(1)).dirty());
  }
}

TEST_F(MmuTest, FaultsWhereAnUpperLevelIsAbsent) {
  for (int level = 4; level > 1; level--) {
    Map(kUserRw);
    Entry(level) = 0;
    tlb_ = Tlb();
    EXPECT_EQ(Walk(MmuAccess::kRead).error_code, kFaultUser);
    EXPECT_EQ(WalkPageTable(frames_, cr3_, kAddr).level, level);
  }
}

TEST_F(MmuTest, ReadSetsAccessedAtEveryLevel) {
  Walk(MmuAccess::kRead);
  for (int level = 1; level <= 4; level++) EXPECT_TRUE(Young(level)) << level;
  EXPECT_FALSE(Pte(Entry(1)).dirty());
}

TEST_F(MmuTest, WriteSetsDirtyInThePteAlone) {
  Walk(MmuAccess::kWrite);
  EXPECT_TRUE(Pte(Entry(1)).dirty());
  for (int level = 2; level <= 4; level++) {
    EXPECT_FALSE(Pte(Entry(level)).dirty());
  }
}

TEST_F(MmuTest, InspectionChangesNothing) {
  (void)WalkPageTable(frames_, cr3_, kAddr);
  for (int level = 1; level <= 4; level++) EXPECT_FALSE(Young(level));
}

TEST_F(MmuTest, ATlbHitDoesNotWalk) {
  Access(MmuAccess::kRead);
  uint64_t walked = clock_;
  Entry(1) = 0;  // no walk would find it
  EXPECT_EQ(Access(MmuAccess::kRead), Pfn(100));
  EXPECT_EQ(clock_ - walked, cost::kTlbHit);
  EXPECT_EQ(tlb_.counters().hits, 1u);
}

TEST_F(MmuTest, TheFirstWriteThroughACleanEntrySetsDirty) {
  Access(MmuAccess::kRead);
  EXPECT_FALSE(Pte(Entry(1)).dirty());
  Access(MmuAccess::kWrite);
  EXPECT_TRUE(Pte(Entry(1)).dirty());
  uint64_t before = clock_;
  Access(MmuAccess::kWrite);
  EXPECT_EQ(clock_ - before, cost::kTlbHit);
}

TEST_F(MmuTest, AStaleEntryTranslatesUntilItIsFlushed) {
  Access(MmuAccess::kWrite);
  Map(Pte::kPresent | Pte::kUser, Pfn(200));
  EXPECT_EQ(Access(MmuAccess::kWrite), Pfn(100));
  tlb_.FlushPage(1, kAddr.vpn());
  EXPECT_EQ(Access(MmuAccess::kRead), Pfn(200));
  EXPECT_FALSE(Access(MmuAccess::kWrite).valid());
}

TEST_F(MmuTest, AFaultDropsTheEntryThatCausedIt) {
  Map(Pte::kPresent | Pte::kUser);
  Access(MmuAccess::kRead);
  Map(kUserRw, Pfn(300));
  EXPECT_EQ(Access(MmuAccess::kRead), Pfn(100)) << "stale";
  Map(Pte::kPresent | Pte::kUser, Pfn(300));
  EXPECT_FALSE(Access(MmuAccess::kWrite).valid());
  EXPECT_EQ(Access(MmuAccess::kRead), Pfn(300));
}

TEST_F(MmuTest, ACachedTableSavesTheUpperLevels) {
  Walk(MmuAccess::kRead);
  uint64_t full = std::exchange(clock_, 0);
  Walk(MmuAccess::kRead);
  EXPECT_EQ(full - clock_, 3 * cost::kWalkLevel);
  EXPECT_EQ(tlb_.counters().walk_cache_hits, 1u);
}

TEST_F(MmuTest, AnotherAddressSpaceUsesItsOwnTables) {
  Access(MmuAccess::kRead);
  cr3_ = {Pfn(50), 2, PagingMode(4)};
  EXPECT_FALSE(Access(MmuAccess::kRead).valid());
}

TEST_F(MmuTest, ThreeLevelsWorkAsOnPae) {
  VirtAddr addr(0xbfffe123);
  const PagingMode pae(3);
  frames_.MutTable(Pfn(10))[pae.IndexAt(addr, 3)] =
      Pte::Make(Pfn(11), Pte::kPresent).value();
  frames_.MutTable(Pfn(11))[pae.IndexAt(addr, 2)] =
      Pte::Make(Pfn(12), kUserRw).value();
  frames_.MutTable(Pfn(12))[pae.IndexAt(addr, 1)] =
      Pte::Make(Pfn(400), kUserRw).value();
  Cr3 cr3{Pfn(10), 3, pae};
  Mmu mmu(frames_, tlb_, clock_);
  EXPECT_EQ(mmu.Walk(cr3, addr, MmuAccess::kWrite).pfn, Pfn(400));
  EXPECT_EQ(pae.IndexAt(addr, 3), 2);
}

// Two levels of tables in frames 20 and 21 that map one page to frame 400.
class TwoLevelMmuTest : public ::testing::Test {
 protected:
  TwoLevelMmuTest() {
    Set(Pfn(20), 2, Pte::Make(Pfn(21), kUserRw));
    Set(Pfn(21), 1, Pte::Make(Pfn(400), Pte::kPresent | Pte::kUser));
  }
  void Set(Pfn table, int level, Pte entry) {
    cr3_.paging.Store(frames_.MutTable(table),
                      cr3_.paging.IndexAt(addr_, level), entry);
  }
  Pte Get(Pfn table, int level) {
    return cr3_.paging.Load(frames_.MutTable(table),
                            cr3_.paging.IndexAt(addr_, level));
  }
  Translation Walk(MmuAccess access) { return WalkAt(addr_, access); }
  Translation WalkAt(VirtAddr addr, MmuAccess access) {
    return Mmu(frames_, tlb_, clock_).Walk(cr3_, addr, access);
  }

  const VirtAddr addr_{0xbfffe123};
  Frames frames_;
  Tlb tlb_;
  uint64_t clock_ = 0;
  const Cr3 cr3_{Pfn(20), 3, PagingMode(2)};
};

TEST_F(TwoLevelMmuTest, WalksTwoTables) {
  EXPECT_EQ(Walk(MmuAccess::kRead).pfn, Pfn(400));
  EXPECT_EQ(clock_, cost::kWalkCached + cost::kWalkLevel);
  const WalkStep step = WalkPageTable(frames_, cr3_, addr_);
  EXPECT_EQ(step.level, 1);
  EXPECT_EQ(step.table, Pfn(21));
  EXPECT_EQ(step.index, 1022);
}

TEST_F(TwoLevelMmuTest, SetsTheBitsOfItsEntriesOnly) {
  const VirtAddr below(addr_.value() - kPageSize);
  Walk(MmuAccess::kRead);
  EXPECT_TRUE(Get(Pfn(20), 2).young());
  EXPECT_TRUE(Get(Pfn(21), 1).young());
  EXPECT_FALSE(Get(Pfn(21), 1).dirty());
  EXPECT_FALSE(WalkAt(below, MmuAccess::kRead).ok());
  EXPECT_EQ(Walk(MmuAccess::kWrite).error_code,
            kFaultUser | kFaultWrite | kFaultProtection);
  Set(Pfn(21), 1, Pte::Make(Pfn(400), kUserRw));
  EXPECT_TRUE(Walk(MmuAccess::kWrite).ok());
  EXPECT_TRUE(Get(Pfn(21), 1).dirty());
  EXPECT_TRUE(cr3_.paging.Load(frames_.MutTable(Pfn(21)), 1021).none());
}

TEST_F(TwoLevelMmuTest, NoEntryForbidsToExecute) {
  Set(Pfn(21), 1,
      Pte::Make(Pfn(400), Pte::kPresent | Pte::kUser | Pte::kNoExec));
  EXPECT_TRUE(Walk(MmuAccess::kFetch).ok());
  Set(Pfn(21), 1, Pte());
  EXPECT_EQ(Walk(MmuAccess::kFetch).error_code, kFaultUser);
}

TEST_F(TwoLevelMmuTest, ATableIsCachedForFourMegabytes) {
  Walk(MmuAccess::kRead);
  Walk(MmuAccess::kRead);
  EXPECT_EQ(tlb_.counters().walk_cache_hits, 1u);
  WalkAt(VirtAddr(0xbfc00000), MmuAccess::kRead);
  EXPECT_EQ(tlb_.counters().walk_cache_hits, 2u);
  WalkAt(VirtAddr(0xbfbff000), MmuAccess::kRead);
  EXPECT_EQ(tlb_.counters().walk_cache_hits, 2u);
}

}  // namespace
}  // namespace faultline

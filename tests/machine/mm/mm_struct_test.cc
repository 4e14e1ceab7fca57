#include "server/machine/mm/mm_struct.h"

#include <gtest/gtest.h>

#include <vector>

#include "server/machine/mm/mmap.h"
#include "server/machine/mm/unmapped_area_2632.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kAnon = mman::kPrivate | mman::kAnonymous;

uint64_t Map(Sim& s, uint64_t pages, uint64_t addr = 0) {
  return static_cast<uint64_t>(
      s.Do(Mmap{addr, pages * kPageSize, kRw, kAnon, -1, 0}).value);
}

TEST(MmStruct, AMissVisitsDepthPlusOneNodesAndAHitNone) {
  Sim s;
  s.Run("map 0-1 rw; map 2-3 r; map 4-5 rw; map 6-7 r; map 8-9 rw");
  for (uint64_t page : {0, 2, 4, 6, 8}) {
    // Anything else first, so that the cache does not have it.
    s.Do(Access{AccessKind::kRead, s.mm().start_stack.value(), 1, 1, 0});
    s.Do(Madvise{s.mm().start_stack.value() & kPageMask, kPageSize, 0});
    s.Do(Madvise{At(page), kPageSize, 0});  // MADV_NORMAL looks one up
    EXPECT_EQ(s.mm().last_lookup.value(), At(page));
    EXPECT_EQ(s.mm().last_lookup_nodes,
              VmaDepth(s.kernel(), s.VmaOf(At(page))) + 1);
    const uint64_t hits = s.mm().cache_hits;
    s.Do(Madvise{At(page), kPageSize, 0});
    EXPECT_EQ(s.mm().last_lookup_nodes, 0u);
    EXPECT_EQ(s.mm().cache_hits, hits + 1);
  }
}

TEST(MmStruct, TheTreeIsBalanced) {
  Sim s;
  for (uint64_t i = 0; i < 200; i++) Map(s, 1, At(2 * i));
  const VmaTreeShape shape = ShapeOf(s.kernel(), s.mm());
  EXPECT_EQ(s.map_count(), 201u);
  EXPECT_GE(shape.height, 8u);  // 201 nodes need as many levels
  EXPECT_LE(shape.height, 2 * shape.black_height);
}

TEST(MmStruct, LocksAreCountedWhereTheyAreTaken) {
  Sim s;
  const Mm before = s.mm();
  Map(s, 4, At(0));
  EXPECT_EQ(s.mm().mmap_sem_writes, before.mmap_sem_writes + 1);
  EXPECT_EQ(s.mm().mmap_sem_reads, before.mmap_sem_reads);
  s.Run("write 0-4");  // four faults; new tables and an anon_vma
  EXPECT_EQ(s.mm().mmap_sem_reads, before.mmap_sem_reads + 4);
  const uint64_t tables =
      (s.mm().pgtables_bytes - before.pgtables_bytes) / kPageSize;
  EXPECT_EQ(s.mm().page_table_locks, before.page_table_locks + tables + 1);
  s.Run("protect 0-2 r; unmap 0-1");
  EXPECT_EQ(s.mm().mmap_sem_writes, before.mmap_sem_writes + 3);
  s.Do(Madvise{At(2), kPageSize, 4});  // MADV_DONTNEED
  EXPECT_EQ(s.mm().mmap_sem_writes, before.mmap_sem_writes + 3);
  EXPECT_EQ(s.mm().mmap_sem_reads, before.mmap_sem_reads + 5);
}

// madvise's get_lock_mode(): what changes no flag of a VMA only reads.
TEST(MmStruct, AdviceThatChangesNoVmaLocksForReading) {
  Sim s;
  Map(s, 8, At(0));
  const Mm before = s.mm();
  s.Run("advise 0-1 102; advise 0-1 103; advise 0-1 8; advise 0-1 4");
  EXPECT_EQ(s.mm().mmap_sem_reads, before.mmap_sem_reads + 4);
  EXPECT_EQ(s.mm().mmap_sem_writes, before.mmap_sem_writes);
  s.Run("advise 0-1 10");  // MADV_DONTFORK
  EXPECT_EQ(s.mm().mmap_sem_writes, before.mmap_sem_writes + 1);
}

// collapse_huge_page() lets go, reads, and then writes.
TEST(MmStruct, ACollapseLocksForWritingToo) {
  MachineConfig config;
  config.thp = ThpMode::kMadvise;
  Sim s(config);
  s.Run("map 0-512 rw; write 0");
  const Mm before = s.mm();
  s.Run("advise 0-512 25");
  EXPECT_EQ(s.mm().mmap_sem_reads, before.mmap_sem_reads + 3);
  EXPECT_EQ(s.mm().mmap_sem_writes, before.mmap_sem_writes + 1);
}

TEST(MmStruct, KsmdAndSwapoffLockForReading) {
  MachineConfig config;
  config.swap_bytes = uint64_t{1} << 24;
  Sim s(config);
  s.Run("map 0-2 rw; write 0-2 v7; advise 0-2 12");
  Mm before = s.mm();
  s.SetSysctl("ksm.run", 1);
  s.SetSysctl("ksm.pages_to_scan", 2);
  s.Do(Tick{1});
  // One for each page that it comes to, to see its checksum.
  EXPECT_EQ(s.mm().mmap_sem_reads, before.mmap_sem_reads + 2);
  EXPECT_EQ(s.mm().mmap_sem_writes, before.mmap_sem_writes);
  s.SetSysctl("ksm.run", 0);
  s.Run("map 10-12 rw; write 10-12 v7; advise 10-12 21");
  before = s.mm();
  s.Do(Swapoff{"/dev/vda", 0});
  EXPECT_EQ(s.mm().mmap_sem_reads, before.mmap_sem_reads + 1);
}

TEST(MmStruct, FilesAndDeviceMemoryHaveCountsOfTheirOwn) {
  Sim s;
  const int32_t fd = s.File("/f", 8);
  EXPECT_EQ(CountVmas(s.kernel(), s.mm()).shared_vm, 0u);
  s.Do(Mmap{At(0), 8 * kPageSize, kR, mman::kShared | mman::kFixed, fd, 0});
  s.Run("unmap 2-3");
  EXPECT_EQ(CountVmas(s.kernel(), s.mm()).shared_vm, 7u);
  EXPECT_EQ(CountVmas(s.kernel(), s.mm()).reserved_vm, 0u);
}

TEST(MmStruct, SomebodyElseOwnsWhatItsOwnerLeaves) {
  Sim s;
  constexpr uint64_t kCloneVm = 0x100;
  const auto child = static_cast<Pid>(s.Do(Clone{kCloneVm | 17}).value);
  EXPECT_EQ(s.mm(child).owner, s.mm(1).owner);
  const Id<Task> init = s.kernel().pids.at(1);
  EXPECT_EQ(s.mm(1).owner, init);
  EXPECT_EQ(s.mm(1).mm_users, 2u);
  s.Do(Exit{0, true});
  EXPECT_EQ(s.mm(child).owner, s.kernel().pids.at(child));
  EXPECT_EQ(s.mm(child).mm_users, 1u);
}

TEST(MmStruct, TheCpuHasWhatRanLast) {
  Sim s;
  const auto child = static_cast<Pid>(s.Do(Fork{}).value);
  EXPECT_EQ(s.kernel().active_mm, s.mm(1).id);
  s.Do(Brk{0}, child);
  EXPECT_EQ(s.kernel().active_mm, s.mm(child).id);
  s.Do(Exit{0, true}, child);
  EXPECT_FALSE(s.kernel().active_mm);
}

TEST(MmStruct, OomDisabledTasksAreCounted) {
  Sim s;
  EXPECT_EQ(OomDisableCount(s.kernel(), s.mm()), 0u);
  s.Edit([](Kernel& k) { k.tasks[k.pids.at(1)].oom_score_adj = -1000; });
  EXPECT_EQ(OomDisableCount(s.kernel(), s.mm()), 1u);
}

// --- free_area_cache and cached_hole_size.

TEST(AreaCache, IsWhereTheLastSearchEndedAndTheHoleAboveIt) {
  Sim s;
  const uint64_t a = Map(s, 4), b = Map(s, 4);
  EXPECT_EQ(s.mm().free_area_cache.value(), b);
  EXPECT_EQ(CachedHoleSize(s.kernel(), s.mm()), 0u);
  s.Do(Munmap{a, 2 * kPageSize});
  const uint64_t c = Map(s, 8);  // too large for the hole
  EXPECT_EQ(s.mm().free_area_cache.value(), c);
  EXPECT_EQ(CachedHoleSize(s.kernel(), s.mm()), 2 * kPageSize);
  Map(s, 2);  // fills it
  EXPECT_EQ(s.mm().free_area_cache.value(), a);
  EXPECT_EQ(CachedHoleSize(s.kernel(), s.mm()), 0u);
}

TEST(AreaCache, AnUnmappedHoleMovesItUp) {
  Sim s;
  const uint64_t a = Map(s, 4), b = Map(s, 4);
  ASSERT_EQ(s.mm().free_area_cache.value(), b);
  s.Do(Munmap{b, 4 * kPageSize});
  EXPECT_EQ(s.mm().free_area_cache.value(), a);
  s.Do(Munmap{a, 4 * kPageSize});
  EXPECT_EQ(s.mm().free_area_cache, s.mm().mmap_base);
}

TEST(AreaCache, AChildBeginsAtTheTop) {
  Sim s;
  Map(s, 4);
  const auto child = static_cast<Pid>(s.Do(Fork{}).value);
  EXPECT_EQ(s.mm(child).free_area_cache, s.mm(child).mmap_base);
  EXPECT_EQ(s.mm(child).cached_hole_size, ~uint64_t{0});
}

// --- The search of 2.6.32.

Sim Machine2632() {
  MachineConfig config;
  config.sysctls = {{"vm.unmapped_area", kVersion2632}};
  return Sim(config);
}

TEST(UnmappedArea2632, PlacesDownwardsFromTheCache) {
  Sim s = Machine2632();
  const uint64_t a = Map(s, 4), b = Map(s, 4);
  EXPECT_EQ(a, s.mm().mmap_base.value() - 4 * kPageSize);
  EXPECT_EQ(b, a - 4 * kPageSize);
  EXPECT_EQ(s.mm().free_area_cache.value(), b);
}

// What the tree's search would not do: a hole above the cache that was seen too
// small for one mapping is forgotten for a later one that would fit, until
// cached_hole_size says so.
TEST(UnmappedArea2632, AHoleAboveTheCacheWaitsForItsSize) {
  Sim old = Machine2632(), now;
  for (Sim* s : {&old, &now}) {
    const uint64_t a = Map(*s, 4);
    Map(*s, 4);
    // A hole of two pages in the middle: below it a VMA is in use, so that
    // unmap_area does move the cache up to it.
    s->Do(Munmap{a + kPageSize, 2 * kPageSize});
    EXPECT_EQ(Map(*s, 2), a + kPageSize);
  }
  // Now the cache stands at the hole that was filled; a new hole below it is
  // found from the cache on, though a lower one is no better.
  EXPECT_EQ(old.mm().free_area_cache, now.mm().free_area_cache);
}

TEST(UnmappedArea2632, ALargeMappingPassesHolesAndRemembersTheirSize) {
  Sim s = Machine2632();
  std::vector<uint64_t> maps;
  // Of two kinds in turn, so that they do not merge.
  for (uint64_t i = 0; i < 6; i++) {
    maps.push_back(static_cast<uint64_t>(
        s.Do(Mmap{0, 4 * kPageSize, i % 2, kAnon, -1, 0}).value));
  }
  // Two holes of three pages; a mapping of four passes both.
  s.Do(Munmap{maps[1], 3 * kPageSize});
  s.Do(Munmap{maps[3], 3 * kPageSize});
  const uint64_t below = Map(s, 4);
  EXPECT_EQ(below, maps[5] - 4 * kPageSize);
  EXPECT_EQ(s.mm().free_area_cache.value(), below);
  EXPECT_EQ(s.mm().cached_hole_size, 3 * kPageSize);
  // What is not larger than the remembered hole begins anew at the top.
  EXPECT_EQ(Map(s, 3), maps[1]);
  // It measured what it saw of that hole from a page higher, and then filled
  // it: 2.6.32 remembers holes that are no more.
  EXPECT_EQ(s.mm().cached_hole_size, 2 * kPageSize);
}

TEST(UnmappedArea2632, HasNoGuardGapAndNoAlignment) {
  Sim s = Machine2632();
  constexpr uint64_t kHuge = uint64_t{2} << 20;
  const uint64_t a =
      static_cast<uint64_t>(s.Do(Mmap{0, kHuge, kRw, kAnon, -1, 0}).value);
  EXPECT_EQ(a, s.mm().mmap_base.value() - kHuge);  // 6.18 aligns it
}

TEST(UnmappedArea2632, AHintOfA32BitMappingIsHeardBelow2GiB) {
  Sim s = Machine2632();
  const auto map = [&](uint64_t hint) {
    return static_cast<uint64_t>(
        s.Do(Mmap{hint, 4 * kPageSize, kRw, kAnon | mman::k32Bit, -1, 0})
            .value);
  };
  EXPECT_EQ(map(0x50000000), 0x50000000u);
  constexpr uint64_t kLow = 0x40000000, kLowEnd = 0x80000000;
  EXPECT_EQ(map(kLowEnd - 4 * kPageSize), kLowEnd - 4 * kPageSize);
  EXPECT_EQ(map(kLowEnd), kLow);
  EXPECT_EQ(map(0x10000000000), kLow + 4 * kPageSize);
}

TEST(UnmappedArea2632, GoesUpwardsInTheLegacyLayout) {
  MachineConfig config;
  config.sysctls = {{"vm.unmapped_area", kVersion2632},
                    {"vm.legacy_va_layout", 1}};
  Sim s(config);
  const uint64_t a = Map(s, 2), b = Map(s, 2);
  EXPECT_EQ(a, s.mm().mmap_legacy_base.value());
  EXPECT_EQ(b, a + 2 * kPageSize);
  EXPECT_EQ(s.mm().free_area_cache.value(), b + 2 * kPageSize);
  s.Do(Munmap{a, 2 * kPageSize});
  EXPECT_EQ(s.mm().free_area_cache.value(), s.mm().mmap_base.value())
      << "nothing is mapped below: unmap_area is told mmap_base";
}

// On any sequence without stacks both searches find room where there is some,
// and never on top of what is mapped: the machine verifies after each call.
TEST(UnmappedArea2632, FillsAnAddressSpaceLikeTheOther) {
  for (uint64_t seed : {1, 2, 3}) {
    Sim old = Machine2632(), now;
    Prng prng(seed);
    std::vector<std::pair<uint64_t, uint64_t>> in_old, in_now;
    for (int i = 0; i < 300; i++) {
      const uint64_t pages = prng.Next() % 9 + 1;
      if (in_old.empty() || prng.Next() % 3 != 0) {
        in_old.emplace_back(Map(old, pages), pages);
        in_now.emplace_back(Map(now, pages), pages);
      } else {
        const size_t which = prng.Next() % in_old.size();
        for (auto [s, list] :
             {std::pair(&old, &in_old), std::pair(&now, &in_now)}) {
          auto [addr, size] = (*list)[which];
          s->Do(Munmap{addr, size * kPageSize});
          list->erase(list->begin() + static_cast<long>(which));
        }
      }
      ASSERT_EQ(old.mm().total_vm, now.mm().total_vm);
    }
  }
}

}  // namespace
}  // namespace faultline

// The LRU lists, kswapd, direct reclaim and the OOM killer.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "server/machine/mm/filemap.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/vmscan.h"
#include "server/machine/proc/proc.h"
#include "server/machine/syscalls/page_calls.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

MachineConfig Of(uint64_t ram_mib, uint64_t swap_mib) {
  MachineConfig config;
  config.ram_bytes = ram_mib * kMiB;
  config.swap_bytes = swap_mib * kMiB;
  return config;
}
uint64_t Count(const Sim& s, VmEvent event) {
  return s.kernel().vmstat.events[event];
}
uint64_t Size(const Sim& s, Lru lru) { return s.kernel().lruvec.Size(lru); }
Operation MapAnon(uint64_t pages) {
  return Mmap{At(0), pages * kPageSize, kRw, 0x32, -1, 0};  // private, fixed
}
Operation Touch(AccessKind kind, uint64_t first, uint64_t pages,
                uint8_t value = 1) {
  return Access{kind, At(first), pages, kPageSize, value};
}

TEST(Lru, NewPagesAreInactiveAndUsedOnesBecomeActive) {
  Sim s(Of(64, 0));
  const uint64_t anon = Size(s, kInactiveAnon);
  s.Run("map 0-8 rw; write 0-8");
  EXPECT_EQ(Size(s, kInactiveAnon), anon + 8);
  const uint64_t active = Size(s, kActiveFile);
  const uint64_t inactive = Size(s, kInactiveFile);
  const int32_t fd = s.File("/f", 4, kOpenBoth, FsType::kExt4, false);
  s.Do(Read{fd, 0, 4 * kPageSize});
  EXPECT_EQ(Size(s, kInactiveFile), inactive + 4);
  s.Do(Read{fd, 0, kPageSize});  // the second time
  EXPECT_EQ(Size(s, kActiveFile), active + 1);
  EXPECT_EQ(Count(s, kPgActivate), 1u);
  s.Run("unmap 0-8");
  EXPECT_EQ(Size(s, kInactiveAnon), anon);
}

// Who drops the page cache has reclaim come soon for what it cannot drop.
TEST(Lru, WhatCannotBeDroppedIsDeactivated) {
  Sim s(Of(64, 0));
  const int32_t fd = s.File("/f", 4, kOpenBoth, FsType::kExt4, false);
  for (int twice = 0; twice < 2; twice++) {
    for (uint64_t page = 0; page < 4; page++) {
      s.Do(Read{fd, page * kPageSize, kPageSize});
    }
  }
  const auto page = [&](uint64_t index) -> const Page& {
    const Kernel& k = s.kernel();
    return k.page(FilemapLookup(k, k.inodes[k.names.at("/f")], index));
  };
  for (uint64_t i = 0; i < 4; i++) {
    ASSERT_TRUE(page(i).Is(page_flag::kActive)) << i;
  }
  s.Do(Write{fd, 0, "dirty"});
  s.Do(Mmap{At(0), kPageSize, kR, 0x11, fd, kPageSize});  // shared, fixed
  s.Do(Access{AccessKind::kRead, At(0), 1, kPageSize, 0});
  const uint64_t deactivated = Count(s, kPgDeactivate);
  s.SetSysctl("vm.drop_caches", 1);
  EXPECT_EQ(s.kernel().inodes[s.kernel().names.at("/f")].nrpages, 2u);
  EXPECT_FALSE(page(0).Is(page_flag::kActive));
  EXPECT_TRUE(page(0).Is(page_flag::kReclaim)) << "freed once it is written";
  EXPECT_TRUE(page(1).Is(page_flag::kActive)) << "a process uses it";
  EXPECT_EQ(Count(s, kPgDeactivate), deactivated + 1);
}

TEST(Lru, LockedAndRamfsPagesAreUnevictable) {
  Sim s(Of(64, 0));
  const uint64_t before = Size(s, kUnevictable);
  s.Run("map 0-8 rw; write 0-8; lock 0-4");
  EXPECT_EQ(Size(s, kUnevictable), before + 4);
  s.Run("unlock 0-2; write 8 =SEGV/1");
  EXPECT_EQ(Size(s, kUnevictable), before + 2);
  s.Run("fork =2; unmap 2-4");
  EXPECT_EQ(Size(s, kUnevictable), before) << "the child's is not locked";
  s.File("/ramfs", 16);
  EXPECT_EQ(Size(s, kUnevictable), before + 16);
}

// mlock_new_folio(), as seen on 6.18.44 with pages of both sizes.
TEST(Lru, WhatIsBornLockedIsCounted) {
  MachineConfig config = Of(64, 0);
  config.thp = ThpMode::kMadvise;
  Sim s(config);
  s.Run("map 0-512 rw; advise 0-512 14; onfault 0-512");
  EXPECT_EQ(Count(s, kUnevictablePgsMlocked), 0u);
  s.Run("write 0");
  EXPECT_EQ(Count(s, kUnevictablePgsMlocked), 512u);
  EXPECT_EQ(Count(s, kUnevictablePgsCulled), 512u);
  s.Run("map 600-610 rw; onfault 600-610; write 600-603");
  EXPECT_EQ(Count(s, kUnevictablePgsMlocked), 515u);
  EXPECT_EQ(Count(s, kUnevictablePgsCulled), 515u);
  s.Run("unlock 0-512; unlock 600-610");
  EXPECT_EQ(Count(s, kUnevictablePgsMunlocked), 515u);
  EXPECT_EQ(Count(s, kUnevictablePgsRescued), 515u);
}

TEST(Lru, MadviseMovesPages) {
  Sim s(Of(64, 0));
  s.Run("map 0-8 rw; write 0-8");
  const uint64_t anon = Size(s, kInactiveAnon);
  s.Edit([&](Kernel& k) {
    for (uint64_t page = 0; page < 8; page++) {
      ActivatePage(k, s.PteOf(At(page)).pfn());
    }
  });
  EXPECT_EQ(Size(s, kActiveAnon), 8u);
  s.Run("advise 0-4 20");  // MADV_COLD
  EXPECT_EQ(Size(s, kActiveAnon), 4u);
  s.Run("advise 4-8 8");  // MADV_FREE
  EXPECT_EQ(Size(s, kActiveAnon), 0u);
  EXPECT_EQ(Size(s, kInactiveAnon), anon - 4);
  EXPECT_EQ(Count(s, kPgLazyFree), 4u);
}

TEST(Reclaim, MoreThanMemoryGoesThroughSwap) {
  Sim s(Of(32, 64));
  s.Do(MapAnon(12000));
  Outcome out = s.Do(Touch(AccessKind::kWrite, 0, 12000, 7));
  EXPECT_EQ(out.accesses, 12000u);
  EXPECT_EQ(out.maj_flt, 0u);
  EXPECT_GT(Count(s, kPgStealKswapd), 4000u);
  EXPECT_GT(Count(s, kPswpOut), 4000u);
  EXPECT_EQ(Count(s, kPgStealAnon),
            Count(s, kPgStealKswapd) + Count(s, kPgStealDirect));
  EXPECT_EQ(s.mm().Rss(kRssSwap) + s.mm().Rss(kRssAnon), 12001u)
      << "and the stack";
  // Through all of it once more: everything has to be read again, and LRU with
  // a loop that is too long never has what is needed.
  out = s.Do(Touch(AccessKind::kRead, 0, 12000));
  EXPECT_EQ(out.accesses, 12000u);
  EXPECT_GT(out.maj_flt, 800u) << "eight pages at a time";
  EXPECT_EQ(out.value, 7);
  EXPECT_GT(Count(s, kWorkingsetRefaultAnon), 4000u);
  // Kswapd stops above the high watermark.
  s.Do(Tick{1'000'000});
  for (const Zone& zone : s.kernel().zones) {
    if (zone.type != ZoneType::kDma32) continue;
    EXPECT_GE(zone.nr_free_pages, zone.wmark.min);
  }
}

TEST(Reclaim, SparesWhatIsUsed) {
  Sim s(Of(32, 64));
  s.Do(MapAnon(12000));
  // Two hundred pages are used again and again while others stream by. The
  // accessed bit is set by a walk, so the TLB must not hold them.
  uint64_t hot_faults = 0;
  s.Apply(Touch(AccessKind::kWrite, 0, 200));
  for (uint64_t at = 200; at < 12000; at += 400) {
    const uint64_t pages = std::min<uint64_t>(400, 12000 - at);
    s.Apply(Touch(AccessKind::kWrite, at, pages));
    s.Edit([](Kernel& k) { k.tlb.FlushAsid(k.mms[Id<Mm>(1)].asid); });
    hot_faults += s.Apply(Touch(AccessKind::kRead, 0, 200)).maj_flt;
  }
  EXPECT_EQ(s.machine().Verify(), "");
  EXPECT_GT(Count(s, kPswpOut), 4000u);
  EXPECT_EQ(hot_faults, 0u);
  EXPECT_GT(Size(s, kActiveAnon), 150u);
}

TEST(Reclaim, FilesGoBeforeAnonymousMemory) {
  Sim s(Of(32, 64));
  const int32_t fd = s.File("/f", 6000, kOpenBoth, FsType::kExt4, false);
  s.Do(Read{fd, 0, 6000 * kPageSize});
  s.Do(MapAnon(4000));
  s.Do(Touch(AccessKind::kWrite, 0, 4000));
  EXPECT_GT(Count(s, kPgStealFile), 2000u);
  EXPECT_EQ(Count(s, kPswpOut), 0u) << "there is much that was read once";
}

TEST(Reclaim, DirtyFilesAreWrittenByTheFlusher) {
  Sim s(Of(32, 0));
  const int32_t fd = s.File("/f", 6000, kOpenBoth, FsType::kExt4, false);
  s.Do(Write{fd, 0, std::string(4500 * kPageSize, 'x')});
  s.Do(MapAnon(5000));
  const Outcome out = s.Do(Touch(AccessKind::kWrite, 0, 5000));
  EXPECT_EQ(out.accesses, 5000u);
  EXPECT_GT(Count(s, kPgStealFile), 1000u);
  EXPECT_EQ(s.Do(Read{fd, 4000 * kPageSize, 1}).data, "x");
}

TEST(Reclaim, ALoopLargerThanMemoryThrashes) {
  Sim fits(Of(32, 64)), thrashes(Of(32, 64));
  const auto faults = [](Sim& s, uint64_t pages) {
    s.Apply(MapAnon(pages));
    s.Apply(Touch(AccessKind::kWrite, 0, pages));
    uint64_t major = 0;
    for (int i = 0; i < 3; i++) {
      major += s.Apply(Touch(AccessKind::kRead, 0, pages)).maj_flt;
    }
    EXPECT_EQ(s.machine().Verify(), "");
    return major;
  };
  const uint64_t few = faults(fits, 4000), many = faults(thrashes, 9000);
  EXPECT_EQ(few, 0u);
  EXPECT_GT(many, 1000u);
}

TEST(Reclaim, SwappinessZeroKeepsAnonymousMemoryWhileThereAreFiles) {
  Sim s(Of(32, 64));
  s.SetSysctl("vm.swappiness", 0);
  EXPECT_EQ(ResultOf(s.Do(Sysctl{"vm.swappiness", 201}, 0)), "EINVAL");
  const int32_t fd = s.File("/f", 3000, kOpenBoth, FsType::kExt4, false);
  for (int i = 0; i < 2; i++) s.Do(Read{fd, 0, 3000 * kPageSize});
  s.Do(MapAnon(4000));
  s.Do(Touch(AccessKind::kWrite, 0, 4000));
  EXPECT_EQ(Count(s, kPswpOut), 0u);
}

TEST(Reclaim, WithoutSwapOnlyFilesGo) {
  Sim s(Of(32, 0));
  s.SetSysctl("vm.overcommit_memory", 1);
  s.Run("fork =2");
  s.Do(MapAnon(9000), 2);
  const Outcome out = s.Do(Touch(AccessKind::kWrite, 0, 9000), 2);
  EXPECT_LT(out.accesses, 9000u);
  EXPECT_EQ(out.signal.signal, 9);
  EXPECT_TRUE(out.exited);
  EXPECT_EQ(Count(s, kPgScanAnon), 0u);
}

TEST(Events, TellWhatReclaimDid) {
  Sim s(Of(32, 64));
  s.Do(MapAnon(9000));
  const Outcome out =
      s.Do(Touch(AccessKind::kWrite, 0, 9000), 1, EventLevel::kAll);
  const auto count = [&](std::string_view name) {
    return std::count_if(
        out.events.begin(), out.events.end(),
        [&](const Event& e) { return EventName(e.body) == name; });
  };
  EXPECT_GT(count("mm_vmscan_wakeup_kswapd"), 0);
  EXPECT_EQ(count("mm_vmscan_kswapd_wake"), count("mm_vmscan_kswapd_sleep"));
  EXPECT_GT(count("mm_vmscan_lru_isolate"), 0);
  EXPECT_GT(count("mm_vmscan_lru_shrink_inactive"), 0);
  EXPECT_GT(count("swap_write"), 100);
}

// --- The OOM killer.

struct Family {
  Sim s{Of(32, 0)};
  Family() {
    s.SetSysctl("vm.overcommit_memory", 1);
    s.Run("fork =2; fork =3");
    for (Pid pid : {2, 3}) s.Do(MapAnon(9000), pid);
  }
  std::string ConsoleOf(const Outcome& out) {
    std::string text;
    for (const Event& e : out.events) {
      if (const auto* c = std::get_if<Console>(&e.body)) text += c->msg;
    }
    return text;
  }
  bool Lives(Pid pid) const { return s.task(pid).state == TaskState::kRunning; }
};

TEST(Oom, TheLargestDiesAndItIsReported) {
  Family g;
  g.s.Do(Touch(AccessKind::kWrite, 0, 4000), 2);
  const Outcome kill = g.s.Do(Touch(AccessKind::kWrite, 0, 3900), 3);
  EXPECT_EQ(kill.accesses, 3900u);
  EXPECT_FALSE(g.Lives(2));
  EXPECT_TRUE(g.Lives(3));
  EXPECT_EQ(Count(g.s, kOomKill), 1u);
  const std::string log = g.ConsoleOf(kill);
  EXPECT_NE(log.find("init invoked oom-killer: gfp_mask=0x"),
            std::string::npos);
  EXPECT_NE(log.find("Mem-Info:\n"), std::string::npos);
  EXPECT_NE(log.find("[      2]     0     2 "), std::string::npos);
  EXPECT_NE(log.find("Out of memory: Killed process 2 (init) total-vm:"),
            std::string::npos);
}

TEST(Oom, AdjustmentDecides) {
  Family f;
  EXPECT_EQ(ResultOf(f.s.Do(SetOomScoreAdj{1001}, 2)), "EINVAL");
  EXPECT_EQ(ResultOf(f.s.Do(SetOomScoreAdj{-1000}, 2)), "OK");
  EXPECT_EQ(ReadProc(f.s.kernel(), "/proc/2/oom_score").value(), "0\n");
  EXPECT_EQ(ReadProc(f.s.kernel(), "/proc/1/oom_score").value(), "0\n");
  f.s.Do(Touch(AccessKind::kWrite, 0, 4000), 2);
  const Outcome out = f.s.Do(Touch(AccessKind::kWrite, 0, 3900), 3);
  EXPECT_EQ(out.signal.signal, 9);
  EXPECT_TRUE(f.Lives(2));
  EXPECT_FALSE(f.Lives(3));
}

TEST(Oom, LoweringWantsACapability) {
  Sim s;
  s.DropCapabilities();
  EXPECT_EQ(ResultOf(s.Do(SetOomScoreAdj{300})), "OK");
  EXPECT_EQ(ResultOf(s.Do(SetOomScoreAdj{0})), "OK") << "as it was at first";
  EXPECT_EQ(ResultOf(s.Do(SetOomScoreAdj{-1})), "EACCES");
}

TEST(Oom, TheAllocatingTaskWhenThatIsAsked) {
  Family f;
  f.s.SetSysctl("vm.oom_kill_allocating_task", 1);
  f.s.Do(Touch(AccessKind::kWrite, 0, 4000), 2);
  const Outcome out = f.s.Do(Touch(AccessKind::kWrite, 0, 3900), 3);
  EXPECT_EQ(out.signal.signal, 9);
  EXPECT_TRUE(f.Lives(2));
}

TEST(Oom, WithoutAVictimTheReportSaysThatLinuxPanics) {
  Sim s(Of(32, 0));
  s.SetSysctl("vm.overcommit_memory", 1);
  s.Do(MapAnon(9000));
  const Outcome out = s.Do(Touch(AccessKind::kWrite, 0, 9000));
  EXPECT_EQ(out.signal.signal, 9);
  std::string log;
  for (const Event& e : out.events) {
    if (const auto* c = std::get_if<Console>(&e.body)) log += c->msg;
  }
  EXPECT_NE(log.find("System is deadlocked on memory"), std::string::npos);
}

TEST(Oom, CallsThatNeedMemoryKillToo) {
  Family f;
  f.s.Do(Touch(AccessKind::kWrite, 0, 5000), 2);
  int got = 0;
  constexpr uint32_t kGfpKernel = 0xcc0;
  while (f.Lives(2) && got < 9000) {
    const Outcome out = f.s.Apply(AllocPages{kGfpKernel, 0}, 1);
    ASSERT_EQ(out.error, Errno::kOk);
    got++;
  }
  EXPECT_FALSE(f.Lives(2));
  EXPECT_EQ(f.s.machine().Verify(), "");
}

// The victim's own request is served from what ALLOC_OOM leaves to it, and then
// it dies; what it would have done next is not done.
TEST(Oom, TheVictimHasReservesUntilItDies) {
  Family f;
  constexpr uint32_t kGfpKernel = 0xcc0;
  Outcome last;
  for (int i = 0; i < 9000 && f.Lives(2); i++) {
    last = f.s.Apply(AllocPages{kGfpKernel, 0}, 2);
  }
  EXPECT_FALSE(f.Lives(2));
  EXPECT_EQ(last.error, Errno::kOk) << "it got its page";
  EXPECT_EQ(last.signal.signal, 9);
  EXPECT_TRUE(last.exited);
  EXPECT_EQ(f.s.machine().Verify(), "");
}

TEST(Oom, TheVictimOfAFaultTakesNoOther) {
  Family f;
  f.s.Do(SetOomScoreAdj{-1000}, 3);
  const Outcome out = f.s.Do(Touch(AccessKind::kWrite, 0, 9000), 2);
  EXPECT_EQ(out.signal.signal, 9);
  EXPECT_EQ(Count(f.s, kOomKill), 1u);
  EXPECT_LT(out.accesses, 9000u);
  EXPECT_GE(out.min_flt, out.accesses)
      << "the last one was served, and is lost";
  EXPECT_LE(out.min_flt, out.accesses + 1);
}

TEST(Oom, TheVictimStopsToPopulate) {
  Family f;
  f.s.Do(SetOomScoreAdj{-1000}, 3);
  constexpr uint64_t kPopulate = 0x8000;
  const Mmap all{At(0), 9000 * kPageSize, kRw, 0x32 | kPopulate, -1, 0};
  const Outcome out = f.s.Do(all, 2);
  EXPECT_EQ(out.signal.signal, 9);
  EXPECT_EQ(Count(f.s, kOomKill), 1u);
  EXPECT_FALSE(f.Lives(2));
}

uint64_t FreePagesOf(const Sim& s) {
  uint64_t pages = 0;
  for (const Zone& zone : s.kernel().zones) pages += zone.nr_free_pages;
  return pages;
}
// How many requests are served before one fails.
int Exhaust(Sim& s, uint32_t gfp, uint32_t order = 0) {
  for (int served = 0;; served++) {
    if (s.Apply(AllocPages{gfp, order}).error != Errno::kOk) return served;
  }
}

// Process 1 is never killed, so that Linux panics in the end (departure D13).
TEST(Oom, WhatMayNotFailGoesOnToHalfOfTheReserve) {
  constexpr uint32_t kGfpKernel = 0xcc0, kNofail = 0x8000, kNoretry = 0x10000;
  Sim s(Of(32, 0));
  Exhaust(s, kGfpKernel);
  const uint64_t ordinary = FreePagesOf(s);
  EXPECT_GT(Exhaust(s, kGfpKernel | kNofail), 0);
  const uint64_t left = FreePagesOf(s);
  EXPECT_LT(left, ordinary);
  uint64_t half = 0;
  for (const Zone& zone : s.kernel().zones) {
    half += zone.wmark.min - zone.wmark.min / 2 + zone.lowmem_reserve[2];
  }
  EXPECT_LE(left, half);
  EXPECT_EQ(Exhaust(s, kGfpKernel | kNoretry), 0);
  EXPECT_EQ(s.machine().Verify(), "");
}

// A dying task needs no OOM killer, and without __GFP_FS none is asked.
TEST(Oom, WhatMayNotFailHasAllReservesWhereNobodyIsToDie) {
  constexpr uint32_t kGfpKernel = 0xcc0, kGfpNofs = 0xc40, kNofail = 0x8000;
  Family f;
  f.s.Do(SetOomScoreAdj{-1000}, 2);
  f.s.Do(SetOomScoreAdj{-1000}, 3);
  Exhaust(f.s, kGfpKernel | kNofail);
  const uint64_t left = FreePagesOf(f.s);
  ASSERT_GT(left, 10u);
  f.s.Edit([](Kernel& k) {
    k.oom_victims = {2};
    k.current = k.pids.at(2);
    EXPECT_FALSE(DoGetFreePages(k, kGfpKernel, 0).ok()) << "half of them";
    EXPECT_TRUE(DoGetFreePages(k, kGfpKernel | kNofail, 0).ok());
    k.oom_victims.clear();
    k.current = {};
  });
  EXPECT_GT(Exhaust(f.s, kGfpNofs | kNofail), 5);
  EXPECT_LT(FreePagesOf(f.s), 5u);
  EXPECT_EQ(Count(f.s, kOomKill), 0u);
}

// __GFP_NORETRY gives up; with __GFP_NOFAIL the request begins anew as long as
// something can be reclaimed or killed.
TEST(Oom, WhatMayNotFailIsNotGivenUp) {
  constexpr uint32_t kGfpKernel = 0xcc0, kNofail = 0x8000, kNoretry = 0x10000;
  Family f;
  f.s.Do(Touch(AccessKind::kWrite, 0, 3000), 2);
  EXPECT_GT(Exhaust(f.s, kGfpKernel | kNoretry), 1000);
  EXPECT_TRUE(f.Lives(2)) << "that kills nobody";
  EXPECT_EQ(f.s.Apply(AllocPages{kGfpKernel | kNofail, 0}).error, Errno::kOk);
  // A large one asks no OOM killer, and ends: nothing can be moved any more.
  EXPECT_LT(Exhaust(f.s, kGfpKernel | kNofail, 10), 4);
  EXPECT_TRUE(f.Lives(2));
  EXPECT_GT(Exhaust(f.s, kGfpKernel | kNofail), 2000);
  EXPECT_FALSE(f.Lives(2));
  EXPECT_FALSE(f.Lives(3));
}

}  // namespace
}  // namespace faultline

// Pages that go to swap and come back: entries, slots, the swap cache, and who
// gives what back.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/vmscan.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

MachineConfig WithSwap(Personality personality = Personality::kLinux618) {
  MachineConfig config;
  config.ram_bytes = 64 * kMiB;
  config.swap_bytes = 16 * kMiB;
  config.personality = personality;
  return config;
}

uint64_t Count(const Sim& s, VmEvent event) {
  return s.kernel().vmstat.events[event];
}
std::string Cat(const Sim& s, const std::string& path) {
  return ReadProc(s.kernel(), path).value();
}
// The number of a line "Name:   12 kB".
uint64_t Kilobytes(const std::string& text, const std::string& name) {
  const size_t at = text.find(name + ":");
  if (at == std::string::npos) return ~uint64_t{0};
  return std::stoull(text.substr(at + name.size() + 1));
}
const SwapInfo& AreaOf(const Sim& s, uint32_t type = 0) {
  return s.kernel().swap.infos[type];
}
// Takes the frames of [first, end) of process 1 out of memory, as reclaim
// would.
void Reclaim(Sim& s, uint64_t first, uint64_t end, Pid pid = 1) {
  s.Edit([&](Kernel& k) {
    std::vector<Pfn> pages;
    for (uint64_t page = first; page < end; page++) {
      const Pte pte = s.PteOf(At(page), pid);
      if (pte.present() && !pte.special()) pages.push_back(pte.pfn());
    }
    ReclaimPages(k, pages);
  });
}

TEST(Swap, EntriesHaveLinuxsBits) {
  Sim s(WithSwap());
  s.Run("map 0-16 rw; write 0-16 v7; advise 0-16 21");
  for (uint64_t page = 0; page < 16; page++) {
    const Pte pte = s.PteOf(At(page));
    ASSERT_TRUE(pte.swapped());
    EXPECT_EQ(pte.swp_type(), 0u);
    EXPECT_EQ(pte.swp_offset(), page + 1) << "the header has slot 0";
    // As Linux 6.18 has it on x86-64: the offset inverted above bit 8.
    const uint64_t expected = (~(page + 1) << 14 >> 5) | Pte::kSwpExclusive;
    EXPECT_EQ(pte.value(), expected);
  }
  EXPECT_EQ(s.mm().Rss(kRssSwap), 16u);
  EXPECT_EQ(Count(s, kPswpOut), 16u);
  EXPECT_EQ(AreaOf(s).inuse_pages, 16u);
}

TEST(Swap, ReadAheadBringsTheAlignedEight) {
  Sim s(WithSwap());
  s.Run("map 0-32 rw; write 0-32 v7; advise 0-32 21");
  // Page 10 is in slot 11: slots 8 to 15 are read.
  s.Run("read 10 =7 +0 !1");
  EXPECT_EQ(Count(s, kPswpIn), 8u);
  EXPECT_EQ(Count(s, kSwapRa), 7u);
  EXPECT_EQ(s.kernel().swap.cached, 8u);
  EXPECT_FALSE(s.PteOf(At(11)).present()) << "read ahead, but not mapped";
  s.Run("read 11 =7 +1 !0; read 7 =7 +1 !0; read 20 =7 !1");
  EXPECT_EQ(Count(s, kSwapRaHit), 2u);
  EXPECT_EQ(Count(s, kPgMajFault), 2u);
}

TEST(Swap, PageClusterZeroReadsNothingAhead) {
  Sim s(WithSwap());
  s.SetSysctl("vm.page-cluster", 0);
  s.Run("map 0-16 rw; write 0-16 v7; advise 0-16 21; read 5 =7 !1");
  EXPECT_EQ(Count(s, kPswpIn), 1u);
  EXPECT_EQ(Count(s, kSwapRa), 0u);
}

TEST(Swap, ARereadPageKeepsItsSlotUntilItIsWritten) {
  Sim s(WithSwap());
  s.Run("map 0-1 rw; write 0 v7; advise 0-1 21; read 0 =7 !1");
  EXPECT_TRUE(s.PageOf(At(0)).Is(page_flag::kSwapCache));
  EXPECT_TRUE(s.PteOf(At(0)).writable()) << "nobody else has it";
  EXPECT_EQ(AreaOf(s).inuse_pages, 1u);
  // Clean, so it goes without a write, and to the same slot.
  s.Run("advise 0-1 21");
  EXPECT_EQ(Count(s, kPswpOut), 1u);
  EXPECT_EQ(s.PteOf(At(0)).swp_offset(), 1u);
  // Written, it has to be written again.
  s.Run("read 0 =7 !1; write 0 v9 +0 !0; advise 0-1 21; read 0 =9 !1");
  EXPECT_EQ(Count(s, kPswpOut), 2u);
}

TEST(Swap, AWriteFaultFreesTheSlot) {
  Sim s(WithSwap());
  s.Run("map 0-1 rw; write 0 v7; advise 0-1 21; write 0 v8 !1 +0");
  EXPECT_FALSE(s.PageOf(At(0)).Is(page_flag::kSwapCache));
  EXPECT_EQ(AreaOf(s).inuse_pages, 0u);
  EXPECT_EQ(s.kernel().swap.nr_free, s.kernel().swap.total);
}

TEST(Swap, ForkSharesSlotsAndWritesCopy) {
  Sim s(WithSwap());
  s.Run("map 0-4 rw; write 0-4 v7; advise 0-4 21; fork =2");
  EXPECT_EQ(s.mm(2).Rss(kRssSwap), 4u);
  EXPECT_EQ(SlotOf(s.kernel(), SwpEntry(0, 1)).count, 2u);
  EXPECT_EQ(s.PteOf(At(0)).value() & Pte::kSwpExclusive, 0u);
  s.Run("2: write 0 v9; read 0 =7; 2: read 0 =9; 2: read 1 =7");
  EXPECT_NE(s.PteOf(At(0)).pfn(), s.PteOf(At(0), 2).pfn());
  // Both map the page that came back first.
  s.Run("read 1 =7 !0");
  EXPECT_EQ(s.PteOf(At(1)).pfn(), s.PteOf(At(1), 2).pfn());
  EXPECT_FALSE(s.PteOf(At(1)).writable());
  s.Run("write 1 v5; 2: read 1 =7; 2: exit; unmap 0-4");
  EXPECT_EQ(AreaOf(s).inuse_pages, 0u);
}

TEST(Swap, WhatIsUnmappedGivesItsSlotsBack) {
  for (const char* step :
       {"unmap 0-8", "advise 0-8 4", "advise 0-8 8", "map 0-8 r", "exit"}) {
    SCOPED_TRACE(step);
    Sim s(WithSwap());
    s.Run("map 0-8 rw; write 0-8 v7; advise 0-8 21");
    ASSERT_EQ(AreaOf(s).inuse_pages, 8u);
    s.Run(step);
    EXPECT_EQ(AreaOf(s).inuse_pages, 0u);
  }
}

TEST(Swap, MovesAndProtectsWithItsMapping) {
  Sim s(WithSwap());
  s.Run("map 0-8 rw; write 0-8 v7; advise 0-8 21; move 0-8 600");
  EXPECT_TRUE(s.PteOf(At(600)).swapped());
  s.Run("protect 600-608 r; read 600 =7 !1; write 600 =SEGV/2");
  EXPECT_FALSE(s.PteOf(At(600)).writable());
  s.Run("protect 600-608 rw; write 600-608 v3; read 607 =3");
}

TEST(Swap, WillneedReadsIntoTheCache) {
  Sim s(WithSwap());
  s.Run("map 0-8 rw; write 0-8 v7; advise 0-8 21; advise 0-8 3");
  EXPECT_EQ(s.kernel().swap.cached, 8u);
  const Outcome out = s.Do(Mincore{At(0), 8 * kPageSize});
  EXPECT_EQ(out.data, std::string(8, 1));
  s.Run("read 0-8 =7 +8 !0");
}

TEST(Swap, MincoreKnowsWhatIsOut) {
  Sim s(WithSwap());
  s.Run("map 0-2 rw; write 0-2 v7; advise 1-2 21");
  const Outcome out = s.Do(Mincore{At(0), 2 * kPageSize});
  EXPECT_EQ(out.data, std::string("\1\0", 2));
}

TEST(Swap, ZerosAreRememberedNotWritten) {
  for (const Personality p : {Personality::kLinux618, Personality::kLinux61}) {
    const bool zeromap = p == Personality::kLinux618;
    Sim s(WithSwap(p));
    s.Run("map 0-1 rw; write 0 v0; advise 0-1 21; read 0 =0 !1");
    EXPECT_EQ(Count(s, kSwpOutZero), zeromap ? 1u : 0u);
    EXPECT_EQ(Count(s, kSwpInZero), zeromap ? 1u : 0u);
    EXPECT_EQ(Count(s, kPswpOut), zeromap ? 0u : 1u);
  }
}

TEST(Swap, FilesOfProcSayIt) {
  Sim s(WithSwap());
  s.Run("map 0-8 rw; write 0-8 v7; advise 0-8 21; fork =2; read 0 =7");
  EXPECT_EQ(Kilobytes(Cat(s, "/proc/1/status"), "VmSwap"), 28u);
  EXPECT_EQ(Kilobytes(Cat(s, "/proc/2/status"), "VmSwap"), 32u);
  const std::string smaps = Cat(s, "/proc/1/smaps_rollup");
  EXPECT_EQ(Kilobytes(smaps, "\nSwap"), 28u);
  EXPECT_EQ(Kilobytes(smaps, "SwapPss"), 14u);
  const std::string meminfo = Cat(s, "/proc/meminfo");
  EXPECT_EQ(Kilobytes(meminfo, "SwapTotal"), 16u * 1024 - 4);
  EXPECT_EQ(Kilobytes(meminfo, "SwapFree"), 16u * 1024 - 4 - 32);
  EXPECT_EQ(Kilobytes(meminfo, "SwapCached"), 28u);
  EXPECT_EQ(Cat(s, "/proc/swaps"),
            "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
            "/dev/vda                                partition\t16380\t\t32\t\t"
            "-2\n");
  const auto words =
      ReadProcAt(s.kernel(), "/proc/1/pagemap", At(2) / kPageSize * 8, 8);
  uint64_t word = 0;
  for (int i = 7; i >= 0; i--) {
    word = word << 8 | static_cast<uint8_t>(words.value()[i]);
  }
  EXPECT_EQ(word, uint64_t{1} << 62 | 3 << 5) << "swapped, slot 3 of area 0";
}

TEST(Swap, LockedPagesStay) {
  Sim s(WithSwap());
  s.Run("map 0-4 rw; write 0-4 v7; lock 0-4");
  Reclaim(s, 0, 4);
  EXPECT_TRUE(s.PteOf(At(0)).present());
  s.Run("unlock 0-4");
  Reclaim(s, 0, 4);
  EXPECT_TRUE(s.PteOf(At(0)).swapped());
  // Locking brings them back.
  s.Run("lock 0-4");
  EXPECT_EQ(s.mm().Rss(kRssSwap), 0u);
  EXPECT_EQ(AreaOf(s).inuse_pages, 0u);
}

TEST(Swap, LazilyFreedPagesAreDropped) {
  Sim s(WithSwap());
  s.Run("map 0-4 rw; write 0-4 v7; advise 0-4 8; write 1 v9");
  Reclaim(s, 0, 4);
  EXPECT_EQ(Count(s, kPgLazyFreed), 3u);
  s.Run("read 0 =0; read 1 =9; read 2-4 =0");
  EXPECT_EQ(Count(s, kPswpOut), 0u);
}

TEST(Swap, SharedMemoryGoesToo) {
  Sim s(WithSwap());
  s.Run("map 0-8 rw shared; write 0-8 v7; fork =2");
  Reclaim(s, 0, 8);
  EXPECT_TRUE(s.PteOf(At(0)).none()) << "the file knows where it is";
  EXPECT_EQ(AreaOf(s).inuse_pages, 8u);
  EXPECT_EQ(Kilobytes(Cat(s, "/proc/1/smaps_rollup"), "\nSwap"), 32u);
  s.Run("2: read 3 =7 !1; read 3 =7 !0; 2: write 3 v8; read 3 =8");
  EXPECT_EQ(s.PteOf(At(3)).pfn(), s.PteOf(At(3), 2).pfn());
  s.Run("2: exit; exit");
  EXPECT_EQ(AreaOf(s).inuse_pages, 0u);
}

TEST(Swap, HugePagesAreSplit) {
  MachineConfig config = WithSwap();
  config.thp = ThpMode::kAlways;
  Sim s(config);
  s.Edit([](Kernel& k) { k.mms[Id<Mm>(1)].thp_disabled = false; });
  s.Run("map 0-512 rw; write 0-512 v7");
  ASSERT_TRUE(s.PageOf(At(0)).Is(page_flag::kLarge));
  s.Run("advise 0-512 21");
  EXPECT_EQ(s.mm().Rss(kRssSwap), 512u);
  EXPECT_EQ(Count(s, kThpSplitPage), 1u);
  s.Run("read 100 =7 !1; read 511 =7");
}

TEST(Swap, MergedPagesComeBackAsCopies) {
  Sim s(WithSwap());
  s.Run("map 0-4 rw; write 0-4 v7; advise 0-4 12");
  s.SetSysctl("ksm.run", 1);
  for (int i = 0; i < 6; i++) s.Do(Tick{100'000'000});
  ASSERT_TRUE(s.PageOf(At(0)).Is(page_flag::kKsm));
  Reclaim(s, 0, 1);
  EXPECT_EQ(s.mm().Rss(kRssSwap), 4u) << "all that mapped the page";
  EXPECT_EQ(SlotOf(s.kernel(), SwpEntry(0, 1)).count, 4u);
  s.Run("read 0-4 =7; write 0 v1; read 1 =7");
  EXPECT_EQ(Count(s, kKsmSwpInCopy), 3u);
}

TEST(Swapon, PrioritiesAndTurns) {
  Sim s;
  const auto on = [&](uint64_t size, uint32_t flags) {
    return s.Do(Swapon{"", size, flags}).value;
  };
  constexpr uint32_t kPrefer = 0x8000;
  EXPECT_EQ(on(kMiB, 0), 0);
  EXPECT_EQ(on(kMiB, kPrefer | 5), 1);
  EXPECT_EQ(on(kMiB, kPrefer | 5), 2);
  EXPECT_EQ(on(kMiB, 0), 3);
  EXPECT_EQ(AreaOf(s, 0).prio, -2);
  EXPECT_EQ(AreaOf(s, 3).prio, -3);
  s.Run("map 0-600 rw; write 0-600 v7; advise 0-600 21");
  // The two of priority 5 in turn, until they are full; then the next.
  EXPECT_EQ(s.PteOf(At(0)).swp_type(), 1u);
  EXPECT_EQ(s.PteOf(At(1)).swp_type(), 2u);
  EXPECT_EQ(s.PteOf(At(2)).swp_type(), 1u);
  EXPECT_EQ(AreaOf(s, 1).inuse_pages, 255u);
  EXPECT_EQ(AreaOf(s, 2).inuse_pages, 255u);
  EXPECT_EQ(AreaOf(s, 0).inuse_pages, 90u);
  EXPECT_EQ(AreaOf(s, 3).inuse_pages, 0u);
}

TEST(Swapon, OfAFile) {
  Sim s;
  s.File("/ramfs", 16);
  s.File("/swap", 16, kOpenBoth, FsType::kExt4, false);
  EXPECT_EQ(ResultOf(s.Do(Swapon{"/none", 0, 0})), "ENOENT");
  EXPECT_EQ(ResultOf(s.Do(Swapon{"/ramfs", 0, 0})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Swapon{"/swap", 0, 0x80000})), "EINVAL");
  EXPECT_EQ(s.Do(Swapon{"/swap", 0, 0}).value, 0);
  EXPECT_EQ(ResultOf(s.Do(Swapon{"/swap", 0, 0})), "EBUSY");
  EXPECT_EQ(AreaOf(s).pages, 15u);
  EXPECT_EQ(ResultOf(s.Do(Swapoff{"/none", 0})), "ENOENT");
  EXPECT_EQ(ResultOf(s.Do(Swapoff{"/ramfs", 0})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Swapoff{"", 7})), "EINVAL");
  s.DropCapabilities();
  EXPECT_EQ(ResultOf(s.Do(Swapon{"", kMiB, 0})), "EPERM");
  EXPECT_EQ(ResultOf(s.Do(Swapoff{"/swap", 0})), "EPERM");
  EXPECT_EQ(ResultOf(s.Do(Swapoff{"/swap", 0}, 0)), "OK");
  EXPECT_TRUE(s.kernel().swap.infos.empty());
}

// Shared memory comes back first; who is killed to make room for it, since
// process 1 cannot be, takes shared memory with it.
TEST(Swapoff, WhoIsKilledMeanwhileMayHaveHadSwappedPages) {
  Sim s(WithSwap());
  s.Run("fork =2; fork =3; fork =4");
  for (const Pid pid : {2u, 3u, 4u}) {
    const std::string who = std::to_string(pid) + ": ";
    s.Run(who + "map 0-512 rw shared; " + who + "write 0-512 v7");
    Reclaim(s, 0, 512, pid);
  }
  EXPECT_EQ(Count(s, kPswpOut), 3 * 512u);
  for (uint32_t order = 10; order <= 10; order--) {
    struct AllocPages call;
    call.gfp = gfp::kKernel | gfp::kNoretry;
    call.order = order;
    while (s.Apply(call, 0).error == Errno::kOk) {
    }
  }
  EXPECT_EQ(s.Do(Swapoff{"", 0}, 1).error, Errno::kENOMEM);
  EXPECT_EQ(Count(s, kOomKill), 3u);
}

TEST(Swapon, AFileThatIsAllHoleHasNoHeader) {
  Sim s;
  CreateFile file;
  file.path = "/hole";
  file.size = 16 * kPageSize;
  file.content = FileContent::kHole;
  file.fs = FsType::kExt4;
  ASSERT_EQ(ResultOf(s.Do(file, 0)), "OK");
  EXPECT_EQ(ResultOf(s.Do(Swapon{"/hole", 0, 0})), "EINVAL");
  const int64_t fd = s.Do(Open{"/hole", 2, -1}).value;
  ASSERT_GE(fd, 0);
  EXPECT_EQ(ResultOf(s.Do(Write{static_cast<int32_t>(fd), 0, "SWAPSPACE2"})),
            "OK");
  EXPECT_EQ(ResultOf(s.Do(Swapon{"/hole", 0, 0})), "OK");
}

TEST(Swapoff, BringsEverythingBack) {
  Sim s(WithSwap());
  s.Run(
      "map 0-40 rw; write 0-40 v7; map 100-110 rw shared; "
      "write 100-110 v5; fork =2; advise 0-40 21");
  Reclaim(s, 0, 40);
  Reclaim(s, 100, 110);
  ASSERT_EQ(AreaOf(s).inuse_pages, 50u);
  EXPECT_EQ(ResultOf(s.Do(Swapoff{"/dev/vda", 0})), "OK");
  EXPECT_EQ(s.kernel().swap.total, 0u);
  EXPECT_EQ(s.mm().Rss(kRssSwap) + s.mm(2).Rss(kRssSwap), 0u);
  s.Run("read 0-40 =7 !0; 2: read 0-40 =7 !0; read 100-110 =5");
}

TEST(Swap, SlotsAreTakenClusterByCluster) {
  MachineConfig config = WithSwap();
  config.swap_bytes = 3 * 512 * kPageSize;
  Sim s(config);
  s.Run("map 0-600 rw; write 0-600 v7; advise 0-600 21");
  EXPECT_EQ(s.PteOf(At(510)).swp_offset(), 511u);
  EXPECT_EQ(s.PteOf(At(511)).swp_offset(), 512u);
  // What was given back comes before what was never used.
  s.Run("unmap 0-10; map 700-705 rw; write 700-705 v1; advise 700-705 21");
  EXPECT_EQ(s.PteOf(At(700)).swp_offset(), 601u) << "the cluster in use first";
  s.Run("map 710-1130 rw; write 710-1130 v1; advise 710-1130 21");
  EXPECT_EQ(s.PteOf(At(1129)).swp_offset(), 2u);
}

TEST(SwapToken, ItsHolderIsSpared) {
  Sim s(WithSwap());
  s.SetSysctl("vm.swap_token", 1);
  s.Run("map 0-4 rw; write 0-4 v7; advise 0-4 21; read 0 =7");
  EXPECT_EQ(s.kernel().swap.token_mm, s.mm().id);
  EXPECT_EQ(s.mm().token_priority, 2u);
  EXPECT_EQ(s.mm().faultstamp, 1u);
  s.Run("exit");
  EXPECT_FALSE(s.kernel().swap.token_mm);
}

}  // namespace
}  // namespace faultline

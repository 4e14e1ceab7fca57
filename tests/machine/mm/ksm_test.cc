// KSM: when equal pages merge, what a write, munmap, fork and exit then do, and
// what is counted. The numbers are those that Linux 6.18 gave for the same
// steps (tests/native/ksm_test.cc asks it again).
#include "server/machine/mm/ksm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "server/machine/base/prng.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr int32_t kMergeable = 12, kUnmergeable = 13;

MachineConfig WithPersonality(Personality personality) {
  MachineConfig config;
  config.personality = personality;
  return config;
}

class KsmTest : public ::testing::Test {
 protected:
  explicit KsmTest(Personality personality = Personality::kLinux618)
      : s_(WithPersonality(personality)) {
    s_.SetSysctl("ksm.pages_to_scan", 1000);
  }

  // Lets ksmd complete n scans.
  void Scan(int n) {
    s_.SetSysctl("ksm.run", kKsmMerge);
    constexpr uint64_t kLessThanASleep = 19'000'000;
    for (const uint64_t until = Full() + static_cast<uint64_t>(n);
         Full() < until;) {
      ASSERT_EQ(s_.Do(Tick{kLessThanASleep}).error, Errno::kOk);
    }
    s_.SetSysctl("ksm.run", kKsmStop);
  }
  uint64_t Full() const { return s_.kernel().ksm.seqnr; }
  // "shared/sharing/unshared/volatile"
  std::string Pages() const {
    return Sys("pages_shared") + "/" + Sys("pages_sharing") + "/" +
           Sys("pages_unshared") + "/" + Sys("pages_volatile");
  }
  std::string Sys(const std::string& name) const {
    auto text = ReadProc(s_.kernel(), "/sys/kernel/mm/ksm/" + name);
    return text.ok() ? text.value().substr(0, text.value().size() - 1) : "none";
  }
  std::string Stat(Pid pid = 1) const {
    return ReadProc(s_.kernel(), "/proc/" + std::to_string(pid) + "/ksm_stat")
        .value();
  }
  std::string Smaps(const std::string& field, Pid pid = 1) const {
    auto text =
        ReadProc(s_.kernel(), "/proc/" + std::to_string(pid) + "/smaps");
    const size_t at =
        text.value().find(field + ":", text.value().find("10000000-"));
    const size_t from =
        text.value().find_first_not_of(' ', at + field.size() + 1);
    return text.value().substr(from, text.value().find('\n', at) - from);
  }
  bool SamePage(uint64_t a, uint64_t b, Pid pa = 1, Pid pb = 1) const {
    return s_.PteOf(At(a), pa).pfn() == s_.PteOf(At(b), pb).pfn();
  }
  bool IsKsm(uint64_t page, Pid pid = 1) const {
    return s_.PageOf(At(page), pid).Is(page_flag::kKsm);
  }
  Sim s_;
};

class Ksm61 : public KsmTest {
 protected:
  Ksm61() : KsmTest(Personality::kLinux61) {}
};

TEST_F(KsmTest, ThreeEqualPagesBecomeOneAtTheSecondScan) {
  s_.Run("map 0-8 rw; write 0-3 v7; write 3 v8; advise 0-8 12");
  Scan(1);
  EXPECT_EQ(Pages(), "0/0/0/4");
  Scan(1);
  EXPECT_EQ(Pages(), "1/2/1/0");
  EXPECT_TRUE(SamePage(0, 1));
  EXPECT_TRUE(SamePage(0, 2));
  EXPECT_FALSE(SamePage(0, 3));
  EXPECT_EQ(s_.PageOf(At(0)).mapcount, 3);
  EXPECT_EQ(Smaps("KSM"), "12 kB");
  EXPECT_EQ(Smaps("Shared_Dirty"), "12 kB");
  EXPECT_EQ(Smaps("Rss"), "16 kB");
  EXPECT_EQ(Sys("pages_scanned"), "8");
  EXPECT_EQ(Sys("general_profit"), std::to_string(2 * 4096 - 4 * 64));
  EXPECT_EQ(Stat(),
            "ksm_rmap_items 4\nksm_zero_pages 0\nksm_merging_pages 3\n"
            "ksm_process_profit 12032\nksm_merge_any: no\n"
            "ksm_mergeable: yes\n");
}

TEST_F(KsmTest, AWriteTakesACopyAndReadsDoNot) {
  s_.Run("map 0-2 rw; write 0-2 v7; advise 0-2 12");
  Scan(2);
  s_.Run("read 0 =7 +0; write 0 v9 +1; read 1 =7; read 0 =9");
  EXPECT_FALSE(IsKsm(0));
  EXPECT_TRUE(IsKsm(1));
  EXPECT_EQ(s_.kernel().vmstat.events[kCowKsm], 1u);
  // The last page that is left is copied as well.
  s_.Run("write 1 v9 +1; read 1 =9");
  EXPECT_EQ(s_.kernel().vmstat.events[kCowKsm], 2u);
  EXPECT_EQ(Pages(), "1/1/0/0");  // until ksmd comes by
  Scan(1);
  EXPECT_EQ(Pages(), "0/0/0/2");
  Scan(1);
  EXPECT_EQ(Pages(), "1/1/0/0");
}

TEST_F(KsmTest, APageThatChangesBetweenScansIsLeftAlone) {
  s_.Run("map 0-2 rw; write 0-2 v7; advise 0-2 12");
  for (int v = 1; v < 4; v++) {
    Scan(1);
    s_.Run("write 0-2 v" + std::to_string(v));
  }
  EXPECT_EQ(Pages(), "0/0/0/2");
  EXPECT_FALSE(IsKsm(0));
}

TEST_F(KsmTest, TwoProcessesShareAndForkSharesWithoutItem) {
  s_.Run("map 0-1 rw; write 0 v7; advise 0-1 12; fork =2; 2: write 0 v7 +1");
  Scan(2);
  EXPECT_TRUE(SamePage(0, 0, 1, 2));
  EXPECT_EQ(Pages(), "1/1/0/0");
  s_.Run("1: fork =3");
  EXPECT_EQ(s_.PageOf(At(0)).mapcount, 3);
  EXPECT_EQ(Pages(), "1/1/0/0");
  Scan(1);
  EXPECT_EQ(Pages(), "1/2/0/0");
  s_.Run("3: write 0 v1 +1; 2: read 0 =7; 3: read 0 =1");
}

TEST_F(KsmTest, WhatAnExitLeavesKsmdClearsAway) {
  s_.Run("map 0-1 rw; write 0 v7; advise 0-1 12; fork =2; 2: write 0 v7 +1");
  Scan(2);
  s_.Run("2: exit");
  EXPECT_EQ(Pages(), "1/1/0/0");
  Scan(1);
  EXPECT_EQ(Pages(), "1/0/0/0");
  s_.Run("1: unmap 0-1");
  Scan(1);
  EXPECT_EQ(Pages(), "0/0/0/0");
  EXPECT_EQ(s_.kernel().ksm.slots.count(), 0u);  // nothing to merge any more
}

TEST_F(KsmTest, APageIsLockedForWhoHasNoItemToo) {
  s_.Run("fork =2; 2: map 0-2 rw; 2: write 0-2 v7; 2: advise 0-2 12");
  Scan(2);
  s_.Run("2: fork =3; 2: onfault 0-1; 3: onfault 0-1; 2: exit");
  EXPECT_TRUE(IsKsm(0, 3));
  EXPECT_TRUE(s_.PageOf(At(0), 3).Is(page_flag::kUnevictable));
  s_.Run("3: unlock 0-1");
  EXPECT_FALSE(s_.PageOf(At(0), 3).Is(page_flag::kUnevictable));
}

TEST_F(KsmTest, APageThatIsOnlyInTheSwapCacheIsSharedAgain) {
  ASSERT_EQ(s_.Do(Swapon{"", uint64_t{1} << 20, 0}).error, Errno::kOk);
  // Process 2 still needs the slot of page 2 when 1 has read it again.
  s_.Run("map 0-4 rw; write 0 v7; write 2 v7; advise 0-4 12; fork =2");
  ASSERT_EQ(s_.Do(EvictPage{At(2)}).error, Errno::kOk);
  s_.Run("read 2 =7 !1");
  Scan(2);
  EXPECT_TRUE(IsKsm(2));
  const Pfn kpage = s_.PteOf(At(2)).pfn();
  s_.Run("unmap 0-4; 2: unmap 0-1");
  ASSERT_EQ(s_.kernel().page(kpage).mapcount, 0);
  ASSERT_TRUE(s_.kernel().page(kpage).Is(page_flag::kSwapCache));
  const int64_t anon = s_.kernel().vmstat.node[kNrAnonMapped];
  s_.Run("map 4-5 rw; write 4 v7; advise 4-5 12");
  Scan(2);
  EXPECT_EQ(s_.PteOf(At(4)).pfn(), kpage);
  EXPECT_EQ(s_.kernel().vmstat.node[kNrAnonMapped], anon + 1);
}

TEST_F(KsmTest, UnmergeableMakesPrivatePagesThatAreClean) {
  s_.Run("map 0-4 rw; write 0-4 v7; advise 0-4 12");
  Scan(2);
  s_.Run("advise 0-2 13 +2; read 0 =7");
  EXPECT_FALSE(IsKsm(0));
  EXPECT_TRUE(IsKsm(2));
  EXPECT_FALSE(s_.PteOf(At(0)).writable());
  EXPECT_EQ(Smaps("Private_Clean"), "8 kB");
  s_.Run("write 0 v1 +1; write 0 v2 +0");
  EXPECT_EQ(s_.Vmas(), "0-2:rw 2-4:rw");
}

TEST_F(Ksm61, UnmergesByWriting) {
  s_.Run("map 0-2 rw; write 0-2 v7; advise 0-2 12");
  Scan(2);
  s_.Run("advise 0-2 13 +2; write 0 v1 +0");
  EXPECT_EQ(Smaps("Private_Dirty"), "8 kB");
}

TEST_F(KsmTest, RunTwoUnmergesAllAndForgetsTheScans) {
  s_.Run("map 0-4 rw; write 0-4 v7; advise 0-4 12");
  Scan(3);
  s_.SetSysctl("ksm.run", kKsmUnmerge);
  EXPECT_EQ(Pages(), "0/0/0/0");
  EXPECT_EQ(Full(), 0u);
  for (uint64_t page = 0; page < 4; page++) EXPECT_FALSE(IsKsm(page));
  EXPECT_EQ(Smaps("KSM"), "0 kB");
  s_.Run("read 0-4 =7");
  EXPECT_EQ(s_.Do(Sysctl{"ksm.run", 3}).error, Errno::kEINVAL);
}

TEST_F(KsmTest, RunTwoWithoutMemoryLeavesWhatIsThere) {
  s_.Run("map 0-8 rw; write 0-2 v7; write 2 v1; write 3 v2; write 4 v3");
  s_.Run("advise 0-8 12");
  Scan(2);
  // In the middle of the next scan.
  s_.SetSysctl("ksm.pages_to_scan", 4);
  s_.SetSysctl("ksm.run", kKsmMerge);
  s_.Do(Tick{1'000'000});
  ASSERT_TRUE(s_.kernel().ksm.scan_slot);
  std::vector<struct FreePages> taken;
  for (uint32_t order = 10; order <= 10; order--) {
    struct AllocPages call;
    call.gfp = gfp::kKernel;
    call.order = order;
    for (Outcome out; (out = s_.Apply(call, 0)).error == Errno::kOk;) {
      taken.push_back({static_cast<uint64_t>(out.value), order});
    }
  }
  EXPECT_EQ(s_.Do(Sysctl{"ksm.run", kKsmUnmerge, {}}, 0).error, Errno::kENOMEM);
  EXPECT_EQ(Sys("run"), "0");
  for (const struct FreePages& call : taken) s_.Apply(call, 0);
  Scan(2);
  EXPECT_EQ(Sys("pages_sharing"), "1");
  s_.Run("read 0 =7; read 1 =7; read 2 =1; read 3 =2; read 4 =3");
}

TEST_F(KsmTest, AMoveBreaksFirst) {
  s_.Run("map 0-2 rw; write 0-2 v7; advise 0-2 12");
  Scan(2);
  s_.Run("move 0-2 8 +2; read 8-10 =7");
  EXPECT_FALSE(IsKsm(8));
  EXPECT_TRUE(s_.VmaOf(At(8)).Has(vm::kMergeable));
}

TEST_F(KsmTest, AFullPageBeginsAChain) {
  s_.SetSysctl("ksm.max_page_sharing", 3);
  s_.Run("map 0-8 rw; write 0-8 v7; advise 0-8 12");
  Scan(2);
  // Pages 0 and 1, and 2; 3 waits for 4, and so on.
  EXPECT_EQ(Sys("stable_node_chains"), "1");
  EXPECT_EQ(Sys("stable_node_dups"), "3");
  EXPECT_EQ(Pages(), "3/5/0/0");
  EXPECT_EQ(s_.PageOf(At(0)).mapcount, 3);
  EXPECT_EQ(s_.Do(Sysctl{"ksm.max_page_sharing", 4}).error, Errno::kEBUSY);
  EXPECT_EQ(s_.Do(Sysctl{"ksm.max_page_sharing", 1}).error, Errno::kEINVAL);
  s_.Run("unmap 0-8");
  Scan(1);
  EXPECT_EQ(Pages(), "0/0/0/0");
  s_.SetSysctl("ksm.max_page_sharing", 4);
}

TEST_F(KsmTest, ZeroPagesWhenAsked) {
  s_.SetSysctl("ksm.use_zero_pages", 1);
  s_.Run("map 0-4 rw; write 0-4 v0; advise 0-4 12");
  const uint64_t anon = s_.mm().Rss(kRssAnon);
  Scan(2);
  EXPECT_EQ(s_.mm().Rss(kRssAnon), anon - 4);
  EXPECT_EQ(Sys("ksm_zero_pages"), "4");
  s_.Run("fork =2; 2: write 0 v1 +1");
  EXPECT_EQ(Sys("ksm_zero_pages"), "7");
  s_.Run("2: exit; 1: advise 0-4 13 +4");
  EXPECT_EQ(Sys("ksm_zero_pages"), "0");
}

TEST_F(KsmTest, SmartScanSkipsWhatDoesNotMerge) {
  s_.Run("map 0-1 rw; write 0 v7; advise 0-1 12");
  Scan(4);
  EXPECT_EQ(Pages(), "0/0/1/0");
  Scan(1);
  EXPECT_EQ(Sys("pages_skipped"), "1");
  EXPECT_EQ(Pages(), "0/0/0/1");
  s_.SetSysctl("ksm.smart_scan", 0);
  Scan(1);
  EXPECT_EQ(Pages(), "0/0/1/0");
}

TEST_F(Ksm61, HasNoSmartScanAndSearchesTheStableTreeAtOnce) {
  EXPECT_EQ(s_.Do(Sysctl{"ksm.smart_scan", 0}).error, Errno::kENOENT);
  EXPECT_EQ(Sys("pages_scanned"), "none");
  EXPECT_EQ(s_.Do(Prctl{67, 1}).error, Errno::kEINVAL);
  s_.Run("map 0-4 rw; write 0-2 v7; advise 0-4 12");
  Scan(2);
  s_.Run("write 2 v7");
  Scan(1);
  EXPECT_EQ(Pages(), "1/2/0/0");
}

TEST_F(KsmTest, AllOfAProcess) {
  s_.Run("map 0-1 rw; write 0 v7; map 2-4 rw shared");
  EXPECT_EQ(s_.Do(Prctl{68, 0}).value, 0);
  EXPECT_EQ(s_.Do(Prctl{67, 1}).error, Errno::kOk);
  EXPECT_EQ(s_.Do(Prctl{68, 0}).value, 1);
  s_.Run("map 1-2 rw; write 1 v7");
  EXPECT_EQ(s_.Vmas(), "0-2:rw 2-4:rwS");  // the flag does not part them
  EXPECT_TRUE(s_.VmaOf(At(1)).Has(vm::kMergeable));
  EXPECT_FALSE(s_.VmaOf(At(2)).Has(vm::kMergeable));
  Scan(2);
  EXPECT_TRUE(SamePage(0, 1));
  s_.Run("fork =2");
  EXPECT_EQ(s_.Do(Prctl{68, 0}, 2).value, 1);
  EXPECT_EQ(s_.Do(Prctl{67, 0}).min_flt, 2u);
  EXPECT_FALSE(s_.VmaOf(At(0)).Has(vm::kMergeable));
  EXPECT_TRUE(IsKsm(0, 2));
}

TEST_F(KsmTest, AHugePageIsSplitWhenAPartMerges) {
  MachineConfig config;
  config.thp = ThpMode::kAlways;
  s_ = Sim(config);
  s_.SetSysctl("ksm.pages_to_scan", 10000);
  s_.Run("map 0-512 rw; write 0-512 v1; map 600-601 rw; write 600 v1");
  s_.Run("advise 0-512 12; advise 600-601 12");
  ASSERT_TRUE(s_.PageOf(At(0)).Is(page_flag::kLarge));
  Scan(3);
  EXPECT_FALSE(s_.PageOf(At(0)).Is(page_flag::kLarge));
  EXPECT_GT(s_.kernel().ksm.pages_sharing, 500u);
  s_.Run("read 0-512 =1; unmap 0-512");
}

TEST_F(KsmTest, KsmdWorksOnlyInPassingTimeAndSleeps) {
  s_.SetSysctl("ksm.pages_to_scan", 2);
  s_.Run("map 0-8 rw; write 0-8 v7; advise 0-8 12");
  s_.SetSysctl("ksm.run", kKsmMerge);
  EXPECT_EQ(Sys("pages_scanned"), "0");
  EXPECT_EQ(s_.Do(Tick{0}).error, Errno::kOk);
  EXPECT_EQ(Sys("pages_scanned"), "2");
  s_.Do(Tick{10'000'000});
  EXPECT_EQ(Sys("pages_scanned"), "2");
  s_.Do(Tick{50'000'000});
  EXPECT_EQ(Sys("pages_scanned"), "6");
  // A copy of the machine goes on by itself.
  Machine copy = Machine::Load(s_.machine().Save());
  copy.Apply({1, Tick{100'000'000}});
  s_.Do(Tick{100'000'000});
  EXPECT_EQ(copy.Fingerprint(), s_.machine().Fingerprint());
}

// Whatever several processes do, each reads what it wrote; Sim verifies the
// machine after every command.
class KsmLives : public KsmTest, public testing::WithParamInterface<uint64_t> {
 protected:
  static constexpr uint64_t kPages = 12;
  using Bytes = std::array<int, kPages>;  // -1: not mapped

  uint64_t Below(uint64_t n) { return random_.Next() % n; }
  // A process that lives.
  Pid Any() {
    auto it = bytes_.begin();
    std::advance(it, Below(bytes_.size()));
    return it->first;
  }
  void Step() {
    const Pid pid = Any();
    const uint64_t from = Below(kPages), pages = 1 + Below(kPages - from);
    Bytes& bytes = bytes_.at(pid);
    switch (Below(9)) {
      case 0:
        return Map(pid, from, pages, &bytes);
      case 1:
        s_.Do(Munmap{At(from), pages * kPageSize}, pid);
        std::fill_n(bytes.begin() + static_cast<long>(from), pages, -1);
        return;
      case 2:
        s_.Do(Madvise{At(from), pages * kPageSize,
                      Below(4) == 0 ? kUnmergeable : kMergeable},
              pid);
        return;
      case 3:
        if (bytes_.size() < 4) ForkOf(pid);
        return;
      case 4:
        if (bytes_.size() < 2) return;
        s_.Do(Exit{}, pid);
        bytes_.erase(pid);
        return;
      case 5:
        s_.Do(Prctl{67, Below(3)}, pid);
        return;
      case 6:
        s_.SetSysctl("ksm.run", Below(20) == 0 ? kKsmUnmerge : kKsmMerge);
        [[fallthrough]];
      case 7:
        s_.SetSysctl("ksm.pages_to_scan", 1 + Below(40));
        s_.Do(Tick{Below(100'000'000)}, 0);
        return;
      default:
        Write(pid, from, &bytes);
    }
  }
  void Map(Pid pid, uint64_t from, uint64_t pages, Bytes* bytes) {
    s_.Do(Mmap{At(from), pages * kPageSize, kRw, 0x32, -1, 0}, pid);
    std::fill_n(bytes->begin() + static_cast<long>(from), pages, 0);
  }
  void ForkOf(Pid pid) {
    const Outcome out = s_.Do(Fork{}, pid);
    bytes_[static_cast<Pid>(out.value)] = bytes_.at(pid);
  }
  void Write(Pid pid, uint64_t page, Bytes* bytes) {
    const auto byte = static_cast<uint8_t>(Below(3));
    const Outcome out =
        s_.Do(Access{AccessKind::kWrite, At(page), 1, kPageSize, byte}, pid);
    if (out.signal.signal == 0) (*bytes)[page] = byte;
  }
  void ExpectBytes() {
    for (const auto& [pid, bytes] : bytes_) {
      for (uint64_t page = 0; page < kPages; page++) {
        if (bytes[page] < 0) continue;
        const Outcome out =
            s_.Apply(Access{AccessKind::kRead, At(page), 1, kPageSize, 0}, pid);
        ASSERT_EQ(out.value, bytes[page]) << pid << " page " << page;
      }
    }
  }

  Prng random_{GetParam()};
  std::map<Pid, Bytes> bytes_;
};

TEST_P(KsmLives, LoseNoByte) {
  s_.SetSysctl("ksm.max_page_sharing", 2 + GetParam() % 4);
  s_.SetSysctl("ksm.use_zero_pages", GetParam() % 2);
  bytes_[1].fill(-1);
  uint64_t merged = 0;
  for (int step = 0; step < 2000; step++) {
    Step();
    if (HasFatalFailure()) return;
    merged = std::max(merged, s_.kernel().ksm.pages_sharing);
    if (step % 10 == 0) ExpectBytes();
  }
  EXPECT_GT(merged, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, KsmLives,
                         testing::Range(uint64_t{1}, uint64_t{9}));

}  // namespace
}  // namespace faultline

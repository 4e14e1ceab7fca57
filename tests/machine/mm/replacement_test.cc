// A process with frames of its own: what its accesses bring in and drive out,
// through swap, with the entries, counters and contents that go with it.
#include "server/machine/mm/replacement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/machine/sim.h"

namespace faultline {
namespace {

using Policy = ReplacementPolicy;

class ReplacementTest : public testing::Test {
 protected:
  static MachineConfig WithSwap() {
    MachineConfig config;
    config.swap_bytes = uint64_t{1} << 20;
    return config;
  }
  void SetUp() override { s_.Run("map 0-16 rw"); }

  Errno Govern(Policy policy, uint32_t frames,
               std::vector<uint64_t> future = {}) {
    return s_.Do(SetReplacement{policy, frames, std::move(future)}).error;
  }
  Outcome Read(uint64_t page, std::vector<uint64_t> victims = {}) {
    return s_.Do(Access{.addr = At(page), .victims = std::move(victims)});
  }
  Outcome Write(uint64_t page, uint8_t value) {
    return s_.Do(
        Access{.kind = AccessKind::kWrite, .addr = At(page), .value = value});
  }
  const Kernel& k() const { return s_.kernel(); }
  const Mm& mm() const { return s_.mm(); }
  const Replacement& state() const {
    return k().replacements[mm().replacement];
  }
  // Which pages of the window are in the frames, ascending.
  std::vector<uint64_t> Resident() const {
    std::vector<uint64_t> pages;
    for (const ReplacementFrame& frame : ReplacementFrames(k(), mm())) {
      pages.push_back((frame.addr - kWindow) / kPageSize);
    }
    std::sort(pages.begin(), pages.end());
    return pages;
  }
  static const PageReplaced* EventOf(const Outcome& out) {
    for (const Event& event : out.events) {
      if (const auto* e = std::get_if<PageReplaced>(&event.body)) return e;
    }
    return nullptr;
  }

  Sim s_{WithSwap()};
};

TEST_F(ReplacementTest, CountsFaultsAsTheTextbookDoes) {
  for (const auto& [frames, faults] : {std::pair(3u, 9u), std::pair(4u, 10u)}) {
    s_.Run("unmap 0-16; map 0-16 rw");
    ASSERT_EQ(Govern(Policy::kFifo, frames), Errno::kOk);
    for (const uint64_t page : {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5}) {
      EXPECT_EQ(Read(page).error, Errno::kOk);
    }
    EXPECT_EQ(state().faults, faults) << "Belady's anomaly";
    EXPECT_EQ(state().accesses, 12);
    EXPECT_EQ(state().replacements, faults - frames);
  }
}

TEST_F(ReplacementTest, TellsWhoLeftForWhom) {
  ASSERT_EQ(Govern(Policy::kFifo, 2), Errno::kOk);
  const Outcome first = Read(1);
  ASSERT_NE(EventOf(first), nullptr);
  EXPECT_EQ(EventOf(first)->victim, 0);
  EXPECT_EQ(EventOf(first)->address, At(1));
  Read(2);
  EXPECT_EQ(EventOf(Read(2)), nullptr) << "it is there";
  const Outcome third = Read(3);
  ASSERT_NE(EventOf(third), nullptr);
  EXPECT_EQ(EventOf(third)->victim, At(1));
  EXPECT_EQ(EventOf(third)->frames, (std::vector<uint64_t>{At(3), At(2)}));
}

TEST_F(ReplacementTest, WhatLeavesComesBackAsItWas) {
  ASSERT_EQ(Govern(Policy::kLru, 2), Errno::kOk);
  for (uint64_t page = 0; page < 8; page++) {
    Write(page, static_cast<uint8_t>(page + 1));
  }
  EXPECT_EQ(Resident(), (std::vector<uint64_t>{6, 7}));
  for (uint64_t page = 0; page < 8; page++) {
    const Outcome out = Read(page);
    EXPECT_EQ(out.value, static_cast<int64_t>(page + 1));
    EXPECT_EQ(out.maj_flt, 1) << page << ": it comes from swap";
  }
}

TEST_F(ReplacementTest, OnlyAStoreMakesAPageDirty) {
  ASSERT_EQ(Govern(Policy::kNru, 3), Errno::kOk);
  Read(0);
  Write(1, 9);
  const std::vector<ReplacementFrame> frames = ReplacementFrames(k(), mm());
  ASSERT_EQ(frames.size(), 2);
  EXPECT_FALSE(frames[0].dirty);
  EXPECT_TRUE(frames[1].dirty);
  EXPECT_TRUE(frames[0].accessed);
  s_.Do(Tick{4'000'000}, 0);
  EXPECT_FALSE(ReplacementFrames(k(), mm())[0].accessed);
  EXPECT_EQ(Write(0, 1).min_flt, 0) << "the entry allows it";
}

TEST_F(ReplacementTest, OptLooksIntoTheFuture) {
  std::vector<uint64_t> future;
  const std::vector<uint64_t> string = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};
  for (const uint64_t page : string) future.push_back(At(page));
  ASSERT_EQ(Govern(Policy::kOpt, 3, future), Errno::kOk);
  for (const uint64_t page : string) Read(page);
  EXPECT_EQ(state().faults, 7);
}

TEST_F(ReplacementTest, AClientIsAskedAndItsAnswersAreInputs) {
  ASSERT_EQ(Govern(Policy::kClient, 2), Errno::kOk);
  Write(1, 11);
  Write(2, 22);
  const Outcome asked = Read(3);
  EXPECT_EQ(asked.error, Errno::kEAGAIN);
  EXPECT_EQ(asked.accesses, 0);
  EXPECT_EQ(asked.victim_wanted.address, At(3));
  ASSERT_EQ(asked.victim_wanted.frames.size(), 2);
  EXPECT_EQ(asked.victim_wanted.frames[1].addr, At(2));
  EXPECT_EQ(Read(3, {At(2) + 5}).error, Errno::kOk);
  EXPECT_EQ(Resident(), (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(Read(4, {At(2)}).error, Errno::kEAGAIN) << "2 is not there";
  EXPECT_EQ(s_.Do(EvictPage{At(1)}).error, Errno::kOk);
  EXPECT_EQ(Read(4).error, Errno::kOk) << "a frame is free";
  EXPECT_EQ(s_.Do(EvictPage{At(1)}).error, Errno::kENOENT);
}

TEST_F(ReplacementTest, ManyAccessesTakeManyAnswers) {
  ASSERT_EQ(Govern(Policy::kClient, 1), Errno::kOk);
  AccessMany many{.addr = {At(1), At(2), At(3)}, .kind = {AccessKind::kWrite}};
  many.victims = {At(1)};
  const Outcome out = s_.Do(many);
  EXPECT_EQ(out.error, Errno::kEAGAIN);
  EXPECT_EQ(out.accesses, 2) << "the second victim is missing";
  EXPECT_EQ(Resident(), (std::vector<uint64_t>{2}));
}

TEST_F(ReplacementTest, ForgetsWhatWasUnmapped) {
  ASSERT_EQ(Govern(Policy::kFifo, 2), Errno::kOk);
  Read(1);
  Read(2);
  s_.Run("unmap 1-2");
  EXPECT_EQ(EventOf(Read(3))->victim, 0) << "the frame of 1 is free";
}

TEST_F(ReplacementTest, WhatComesAgainTakesOneFrame) {
  ASSERT_EQ(Govern(Policy::kFifo, 3), Errno::kOk);
  Read(1);
  s_.Run("unmap 1-2; map 1-2 rw");
  Read(1);
  Read(2);
  Read(3);
  EXPECT_EQ(Resident(), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(state().replacements, 0u);
  EXPECT_EQ(EventOf(Read(4))->victim, At(1));
}

TEST_F(ReplacementTest, APageOfAHugeOneLeavesAlone) {
  MachineConfig config = WithSwap();
  config.thp = ThpMode::kAlways;
  Sim s(config);
  s.Run("map 512-1024 rw; write 512 v5; write 515 v6");
  ASSERT_EQ(s.kernel().vmstat.events[kThpFaultAlloc], 1u);
  EXPECT_EQ(s.Do(EvictPage{At(515)}).error, Errno::kOk);
  EXPECT_TRUE(s.PteOf(At(515)).swapped());
  EXPECT_TRUE(s.PteOf(At(512)).present());
  EXPECT_EQ(s.Do(EvictPage{At(516)}).error, Errno::kENOENT)
      << "it was all zeros, and has no page any more";
  s.Run("read 515 =6 !1; read 512 =5");
}

TEST_F(ReplacementTest, LockedPagesStay) {
  ASSERT_EQ(Govern(Policy::kFifo, 2), Errno::kOk);
  Read(1);
  Read(2);
  s_.Run("lock 1-2");
  EXPECT_EQ(EventOf(Read(3))->victim, At(2));
  s_.Run("lock 3-4");
  const Outcome out = Read(4);
  EXPECT_EQ(EventOf(out)->victim, 0) << "nobody may leave";
  EXPECT_EQ(state().slots.size(), 3);
}

TEST_F(ReplacementTest, AnAccessThatIsSignalledDrivesNobodyOut) {
  ASSERT_EQ(Govern(Policy::kFifo, 1), Errno::kOk);
  Read(1);
  s_.Run("protect 2-3 none; read 2 =SEGV/2");
  EXPECT_EQ(Resident(), (std::vector<uint64_t>{1}));
}

TEST_F(ReplacementTest, RefusesWhatItCannotDo) {
  EXPECT_EQ(Govern(Policy::kFifo, 0), Errno::kEINVAL);
  EXPECT_EQ(Govern(Policy::kFifo, kReplacementFramesMax + 1), Errno::kEINVAL);
  Sim without;
  EXPECT_EQ(without.Do(SetReplacement{Policy::kFifo, 3, {}}).error,
            Errno::kENXIO)
      << "there is no swap area";
  EXPECT_EQ(Govern(Policy::kNone, 0), Errno::kOk);
}

TEST_F(ReplacementTest, EndsWithNoneAndIsNotInherited) {
  ASSERT_EQ(Govern(Policy::kFifo, 1), Errno::kOk);
  const auto child = static_cast<Pid>(s_.Do(Fork{}).value);
  s_.Do(Access{.addr = At(1), .count = 4}, child);
  EXPECT_EQ(k().replacements.count(), 1);
  ASSERT_EQ(Govern(Policy::kNone, 0), Errno::kOk);
  EXPECT_EQ(k().replacements.count(), 0);
  EXPECT_EQ(EventOf(Read(1)), nullptr);
}

}  // namespace
}  // namespace faultline

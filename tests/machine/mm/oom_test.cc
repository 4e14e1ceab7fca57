// Whom the OOM killer may take, and which requests ask it at all.
#include <gtest/gtest.h>

#include <string>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kPages = 4096;  // of the window: 16 MiB

// 32 MiB that may be overcommitted.
Sim Small(uint64_t swap = 0) {
  MachineConfig config;
  config.ram_bytes = 32 * kMiB;
  config.swap_bytes = swap;
  Sim s(config);
  s.SetSysctl("vm.overcommit_memory", 1);
  return s;
}

bool Lives(const Sim& s, Pid pid) {
  const auto it = s.kernel().pids.find(pid);
  return it != s.kernel().pids.end() &&
         s.kernel().tasks[it->second].state == TaskState::kRunning;
}
uint64_t Kills(const Sim& s) { return s.kernel().vmstat.events[kOomKill]; }
std::string ScoreOf(const Sim& s, Pid pid) {
  return ReadProc(s.kernel(), "/proc/" + std::to_string(pid) + "/oom_score")
      .value();
}

Outcome Write(Sim& s, uint64_t first, uint64_t count, Pid pid) {
  return s.Do(Access{AccessKind::kWrite, At(first), count, kPageSize, 1}, pid);
}
Outcome Map(Sim& s, uint64_t first, uint64_t count, Pid pid) {
  return s.Do(Mmap{At(first), count * kPageSize, kRw, 0x32, -1, 0}, pid);
}

constexpr uint64_t kCloneVm = 0x100, kCloneVfork = 0x4000, kSigchld = 17;

TEST(OomVictim, ProcessOneIsNoneThoughItSharesTheMemory) {
  Sim s = Small();
  s.Run("fork =2");
  Map(s, 0, kPages, 2);
  Map(s, 0, kPages, 1);
  Write(s, 0, 3500, 1);
  s.Do(Clone{kCloneVm | kSigchld});
  Write(s, 0, kPages, 2);
  EXPECT_EQ(Kills(s), 2u) << "the first gave nothing back";
  EXPECT_FALSE(Lives(s, 2));
  EXPECT_FALSE(Lives(s, 3));
  EXPECT_TRUE(Lives(s, 1));
}

TEST(OomVictim, AChildOfVforkIsNone) {
  Sim s = Small();
  s.Run("fork =2");
  Map(s, 0, kPages, 2);
  Write(s, 0, 3000, 2);
  s.Do(Clone{kCloneVm | kCloneVfork | kSigchld}, 2);
  s.Do(Clone{kCloneVm | kSigchld}, 2);
  EXPECT_EQ(ScoreOf(s, 3), "0\n") << "as on Linux 6.18";
  EXPECT_NE(ScoreOf(s, 2), "0\n");
  EXPECT_EQ(ScoreOf(s, 4), ScoreOf(s, 2)) << "the parent does not wait for it";
}

TEST(OomVictim, WhoSwapsOffDiesFirst) {
  Sim s = Small(64 * kMiB);
  s.Run("fork =2; fork =3");
  for (Pid pid : {2, 3}) {
    Map(s, 0, kPages, pid);
    Write(s, 0, pid == 2 ? kPages : 3500, pid);
  }
  const Outcome out = s.Do(Swapoff{"/dev/vda", 0}, 3);
  EXPECT_TRUE(out.exited);
  EXPECT_TRUE(Lives(s, 2));
  EXPECT_FALSE(Lives(s, 3));
  EXPECT_EQ(Kills(s), 1u);
  // By now there is room.
  EXPECT_EQ(ResultOf(s.Do(Swapoff{"/dev/vda", 0}, 1)), "OK");
}

TEST(OomVictim, SwapoffFromOutsideKillsNobody) {
  Sim s = Small(64 * kMiB);
  s.Run("fork =2; fork =3");
  for (Pid pid : {2, 3}) {
    Map(s, 0, kPages, pid);
    Write(s, 0, kPages, pid);
  }
  EXPECT_EQ(ResultOf(s.Do(Swapoff{"/dev/vda", 0}, 0)), "ENOMEM");
  EXPECT_EQ(Kills(s), 0u);
  EXPECT_TRUE(Lives(s, 2) && Lives(s, 3));
}

// Takes all that a request gets without anybody dying.
void Exhaust(Sim& s, uint32_t gfp, uint32_t order) {
  while (s.Apply(AllocPages{gfp, order}, 0).error == Errno::kOk) {
  }
}

TEST(OomKiller, IsNotAskedForOneNodeAlone) {
  Sim s = Small();
  s.Run("fork =2");
  Map(s, 0, kPages, 2);
  Write(s, 0, 2000, 2);
  Exhaust(s, gfp::kKernel | gfp::kThisnode, 0);
  EXPECT_TRUE(Lives(s, 2));
  EXPECT_EQ(ResultOf(s.Apply(AllocPages{gfp::kKernel, 0}, 0)), "OK");
  EXPECT_FALSE(Lives(s, 2));
}

// A large request fails before the reserve of atomic ones is given up for it.
TEST(OomKiller, ALargeRequestLeavesTheAtomicReserve) {
  MachineConfig config;
  config.ram_bytes = 512 * kMiB;
  Sim s(config);
  Exhaust(s, gfp::kKernel | gfp::kNoWarn, 10);
  // An atomic request below the low watermark makes a block its own.
  while (s.kernel().zones[1].nr_reserved_highatomic == 0 &&
         s.Apply(AllocPages{gfp::kAtomic | gfp::kNoWarn, 3}, 0).error ==
             Errno::kOk) {
  }
  const auto reserved = [&] {
    uint64_t pages = 0;
    for (const Zone& z : s.kernel().zones) pages += z.nr_reserved_highatomic;
    return pages;
  };
  const uint64_t before = reserved();
  ASSERT_GT(before, 0u);
  Exhaust(s, gfp::kKernel | gfp::kNoWarn, 4);
  EXPECT_EQ(reserved(), before);
}

}  // namespace
}  // namespace faultline

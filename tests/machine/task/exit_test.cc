// fork, clone, exit, wait and kill; pids and threads.
#include <gtest/gtest.h>

#include <string>

#include "tests/machine/sim.h"

namespace faultline {
namespace {

// CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD.
constexpr const char* kThread = "clone 0x10f00";

// The status that wait4 gave, -1 without one.
int Status(const Outcome& out) {
  if (out.data.size() != 4) return -1;
  int status = 0;
  for (int i = 3; i >= 0; i--) {
    status = status << 8 | static_cast<unsigned char>(out.data[i]);
  }
  return status;
}

TEST(Wait, GivesTheExitStatusOnce) {
  Sim s;
  s.Run("fork =2; 2: exit 3");
  Outcome out = s.Do(Wait{});
  EXPECT_EQ(out.value, 2);
  EXPECT_EQ(Status(out), 3 << 8);
  s.Run("wait =ECHILD");
}

TEST(Wait, NoneHasEndedIsZeroAndNoneAtAllIsEchild) {
  Sim s;
  s.Run("wait =ECHILD; fork =2; wait =0; 2: wait =ECHILD");
  EXPECT_EQ(ResultOf(s.Do(Wait{77, true})), "ECHILD");
}

TEST(Wait, ChoosesTheChildAskedFor) {
  Sim s;
  s.Run("fork =2; fork =3; 2: exit 1; 3: exit 2");
  Outcome out = s.Do(Wait{3, true});
  EXPECT_EQ(out.value, 3);
  EXPECT_EQ(Status(out), 2 << 8);
  s.Run("wait =2");
}

TEST(Exit, EndsTheProcessButKeepsAZombie) {
  Sim s;
  uint64_t free = s.free_pages();
  s.Run("fork =2; 2: map 0-50 rw; 2: write 0-50");
  EXPECT_TRUE(s.Do(Exit{0, true}, 2).exited);
  EXPECT_TRUE(s.Do(Fork{}, 2).no_process);
  EXPECT_EQ(s.task(2).state, TaskState::kZombie);
  EXPECT_EQ(s.free_pages(), free);
  s.Run("wait =2");
  EXPECT_FALSE(s.kernel().pids.contains(2));
}

TEST(Exit, OrphansGoToInit) {
  Sim s;
  s.Run("fork =2; 2: fork =3; 2: exit; wait =2; 3: exit 7");
  EXPECT_EQ(s.Do(Wait{}).value, 3);
}

TEST(Exit, OfInitLeavesNobodyToWait) {
  Sim s;
  s.Run("fork =2; exit");
  EXPECT_FALSE(s.kernel().pids.contains(1));
  EXPECT_TRUE(s.Do(Fork{}, 1).no_process);
  s.Run("2: exit");
  EXPECT_TRUE(s.kernel().pids.empty());
}

TEST(Kill, SignalsByTheirDefaultAction) {
  struct Row {
    int32_t signal;
    int status;  // -1: survives
  };
  const Row rows[] = {{9, 9},   {15, 15}, {1, 1},   {11, 11 | 0x80},
                      {6, 134}, {7, 135}, {17, -1}, {18, -1},
                      {23, -1}, {28, -1}, {0, -1},  {64, 64}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.signal);
    Sim s;
    s.Run("fork =2");
    EXPECT_EQ(ResultOf(s.Do(Kill{2, row.signal})), "OK");
    EXPECT_EQ(Status(s.Do(Wait{})), row.status);
  }
}

TEST(Kill, Errnos) {
  Sim s;
  s.Run("fork =2");
  EXPECT_EQ(ResultOf(s.Do(Kill{2, 65})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Kill{2, -1})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Kill{99, 9})), "ESRCH");
  EXPECT_EQ(ResultOf(s.Do(Kill{99, 9}, 0)), "ESRCH");
  s.DropCapabilities();
  EXPECT_EQ(ResultOf(s.Do(Kill{2, 9})), "EPERM");
  EXPECT_EQ(ResultOf(s.Do(Kill{2, 9}, 0)), "OK") << "administration may";
}

TEST(Kill, OneselfEndsTheCommand) {
  Sim s;
  s.Run("fork =2");
  EXPECT_TRUE(s.Do(Kill{2, 9}, 2).exited);
}

TEST(Threads, ShareMemoryAndDescriptors) {
  Sim s;
  s.Run(
      "fork =2; 2: map 0 rw; 2: clone 0x10f00 =3; 3: write 0 v5;"
      "2: read 0 =5; 3: map 4 rw; 2: write 4");
  EXPECT_EQ(s.task(3).tgid, 2u);
  EXPECT_EQ(s.mm(2).mm_users, 2u);
  s.File("/f", 1);
  EXPECT_EQ(s.Do(Open{"/f", 0, 9}, 3).value, 9);
  s.Run("2: map 8 r fd9; 3: close 9; 2: close 9 =EBADF");
}

TEST(Threads, OneMayExitAlone) {
  Sim s;
  s.Run("fork =2; 2: map 0 rw; 2: write 0 v5; 2: clone 0x10f00 =3");
  s.Do(Exit{1, false}, 3);
  EXPECT_FALSE(s.kernel().pids.contains(3));
  s.Run("2: read 0 =5; wait =0; 2: exit; wait =2");
}

TEST(Threads, ExitGroupEndsAll) {
  Sim s;
  s.Run("fork =2; 2: clone 0x10f00 =3; 2: clone 0x10f00 =4; 3: exit 5");
  Outcome out = s.Do(Wait{});
  EXPECT_EQ(out.value, 2);
  EXPECT_EQ(Status(out), 5 << 8);
  EXPECT_EQ(s.kernel().pids.size(), 1u);
}

// delay_group_leader(): the process lives as long as one thread does.
TEST(Threads, ALeaderThatExitsIsNotWaitedForBeforeTheOthers) {
  Sim s;
  s.Run("fork =2; 2: clone 0x10f00 =3; 2: fork =4");
  s.Do(Exit{1, false}, 2);
  s.Run("wait =0");
  EXPECT_EQ(s.task(4).ppid, 2u) << "still a child of the process";
  s.Run("3: map 0 rw; 3: write 0; 4: exit; 3: wait =4");
  s.Do(Exit{2, false}, 3);
  Outcome out = s.Do(Wait{});
  EXPECT_EQ(out.value, 2);
  EXPECT_EQ(Status(out), 1 << 8);
  EXPECT_EQ(s.kernel().pids.size(), 1u);
}

TEST(Threads, AKilledProcessWhoseLeaderExitedDies) {
  Sim s;
  s.Run("fork =2; 2: clone 0x10f00 =3");
  s.Do(Exit{0, false}, 2);
  s.Do(Kill{2, 9});
  EXPECT_TRUE(s.Do(Fork{}, 3).no_process);
  EXPECT_EQ(Status(s.Do(Wait{})), 9);
}

TEST(Threads, TheLastOfInitsThreadsLeavesNothing) {
  Sim s;
  s.Run(kThread);
  s.Do(Exit{0, false}, 1);
  s.Run("2: map 0 rw; 2: write 0");
  s.Do(Exit{0, false}, 2);
  EXPECT_TRUE(s.kernel().pids.empty());
}

TEST(Clone, Errnos) {
  Sim s;
  struct Row {
    const char* name;
    uint64_t flags;
  };
  const Row rows[] = {{"thread without sighand", 0x10000},
                      {"sighand without vm", 0x800},
                      {"newns with fs", 0x20200},
                      {"newuser with fs", 0x10000200},
                      {"parent from init", 0x8000}};
  for (const Row& row : rows) {
    EXPECT_EQ(ResultOf(s.Do(Clone{row.flags})), "EINVAL") << row.name;
  }
}

TEST(Clone, NamespacesAreForAdministrators) {
  constexpr uint64_t kNewNs = 0x20000, kNewPid = 0x20000000, kPidFd = 0x1000;
  Sim s;
  EXPECT_EQ(ResultOf(s.Do(Clone{kNewPid})), "OK");
  s.DropCapabilities();
  EXPECT_EQ(ResultOf(s.Do(Clone{kNewNs})), "EPERM");
  EXPECT_EQ(ResultOf(s.Do(Clone{kNewPid})), "EPERM");
  EXPECT_EQ(ResultOf(s.Do(Clone{kPidFd})), "EFAULT");
}

TEST(Clone, VforkSharesMemory) {
  Sim s;
  s.Run(
      "map 0 rw; write 0 v1; clone 0x4111 =2; 2: write 0 v2; read 0 =2;"
      "2: exit; read 0 =2; wait =2");
}

TEST(Clone, FilesOfAForkAreItsOwn) {
  Sim s;
  s.File("/f", 1);
  s.Run("fork =2; 2: close 3; map 0 r fd3; 2: close 3 =EBADF");
}

TEST(Clone, TheProcessLimitIsEagain) {
  Sim s;
  s.Limit(kRlimitNproc, 2);
  s.DropCapabilities();
  s.Run("fork; fork =EAGAIN; 2: exit; fork =EAGAIN; wait; fork");
}

TEST(Pids, AreNotReusedAtOnceAndWrapToThreeHundred) {
  Sim s;
  s.Run("fork =2; 2: exit; wait; fork =3");
  s.Edit([](Kernel& k) { k.last_pid = 4194302; });
  s.Run("fork =4194303; fork =300; fork =301");
  s.Edit([](Kernel& k) { k.last_pid = 299; });
  s.Run("fork =302");
}

TEST(Pids, ForkCopiesLimitsAndAccounting) {
  Sim s;
  s.Limit(kRlimitStack, 1 << 20);
  s.Run("map 0-10 rw; map 20-30 r; fork =2");
  EXPECT_EQ(s.task(2).rlim[kRlimitStack].soft, 1u << 20);
  EXPECT_EQ(s.mm(2).total_vm, s.mm(1).total_vm);
  EXPECT_EQ(s.mm(2).data_vm, s.mm(1).data_vm);
  EXPECT_EQ(s.mm(2).map_count, s.mm(1).map_count);
  EXPECT_EQ(s.task(2).min_flt, 0u);
}

TEST(Rlimits, AreChecked) {
  Sim s;
  EXPECT_EQ(ResultOf(s.Do(Setrlimit{99, 1, 1})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Setrlimit{3, 2, 1})), "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Setrlimit{3, 1, 5})), "OK");
  s.DropCapabilities();
  EXPECT_EQ(ResultOf(s.Do(Setrlimit{3, 1, 6})), "EPERM");
  EXPECT_EQ(ResultOf(s.Do(Setrlimit{3, 2, 4})), "OK");
  EXPECT_EQ(s.task().rlim[3].hard, 4u);
}

TEST(OutOfMemory, KillsTheLargestAndTheOtherGoesOn) {
  MachineConfig config;
  config.ram_bytes = uint64_t{32} << 20;
  Sim s(config);
  s.SetSysctl("vm.overcommit_memory", 1);
  s.Run("fork =2; map 0-4000 rw; 2: map 0-4000 rw; 2: write 0-3000");
  Outcome out = s.Do(Access{AccessKind::kWrite, At(0), 3500, kPageSize, 1});
  EXPECT_EQ(out.accesses, 3500u);
  EXPECT_TRUE(s.Do(Fork{}, 2).no_process);
  EXPECT_EQ(Status(s.Do(Wait{})), 9);
  EXPECT_EQ(s.kernel().vmstat.events[kOomKill], 1u);
}

}  // namespace
}  // namespace faultline

// A machine in memory is a cache of its journal: it sleeps, it wakes, and after
// a restart it is where it was.

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

class WakingTest : public SessionTest {
 protected:
  void SetUp() override {
    UseDisk();
    Open();
  }
};

SessionTable::Options Machines(size_t machines_max) {
  SessionTable::Options options;
  options.machines_max = machines_max;
  return options;
}

TEST_F(WakingTest, AfterARestartASessionIsWhereItWas) {
  ASSERT_TRUE(Create("lab", SmallConfig(3)).ok());
  ASSERT_TRUE(RunBatch("lab", SomeCommands(50)).ok());
  ASSERT_TRUE(Run("lab", {1, Fork{}}).ok());
  const uint64_t before = FingerprintOfLive("lab");
  Restart();
  EXPECT_EQ(table().live_machines(), 0) << "nothing is rebuilt before its time";
  EXPECT_EQ(table().Get("lab")->revision, 52);
  EXPECT_EQ(FingerprintOfLive("lab"), before);
  EXPECT_EQ(table().live_machines(), 1);
  const auto next = Run("lab", Unmap(50));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->revision, 53);
}

TEST_F(WakingTest, CommandsWaitWhileTheMachineIsRebuilt) {
  ASSERT_TRUE(Create("lab").ok());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(RunBatch("lab", SomeCommands(400)).ok());
  }
  Restart();
  std::vector<PendingRun> runs(10);
  for (PendingRun& run : runs) {
    table().Execute("lab", Poke(0), {}, run.answer());
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto result = runs[i].Wait();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->revision, 20 * 401 + static_cast<int64_t>(i) + 1);
  }
  EXPECT_TRUE(table().Verify("lab", {})->ok());
}

TEST_F(WakingTest, IdleMachinesGoToSleepForOthers) {
  Restart(Machines(2));
  constexpr int kSessions = 6;
  std::vector<uint64_t> fingerprints;
  for (int i = 0; i < kSessions; ++i) {
    const std::string id = absl::StrCat("lab-", i);
    ASSERT_TRUE(Create(id, SmallConfig(static_cast<uint64_t>(i))).ok());
    ASSERT_TRUE(RunBatch(id, SomeCommands(i + 1)).ok());
    fingerprints.push_back(FingerprintOfLive(id));
    EXPECT_LE(table().live_machines(), 2);
  }
  for (int i = 0; i < kSessions; ++i) {
    const std::string id = absl::StrCat("lab-", i);
    EXPECT_EQ(FingerprintOfLive(id), fingerprints[static_cast<size_t>(i)])
        << id;
    EXPECT_LE(table().live_machines(), 2);
  }
}

TEST_F(WakingTest, WhatIsBusyIsNotPutToSleep) {
  UseSyncedDisk();
  Restart(Machines(1));
  ASSERT_TRUE(Create("busy").ok());
  ASSERT_TRUE(Create("other").ok());
  ASSERT_TRUE(Run("busy", MapPages(1)).ok());
  {
    WriterStop stop(store());
    PendingRun pending;
    table().Execute("busy", Poke(0), {}, pending.answer());
    EXPECT_EQ(Reason(Run("other", MapPages(1))), "MACHINES_LIMIT");
    stop.Release();
    EXPECT_TRUE(pending.Wait().ok());
  }
  EXPECT_TRUE(Run("other", MapPages(1)).ok());
  EXPECT_EQ(table().live_machines(), 1);
}

TEST_F(WakingTest, NamesThatDoNotExistPutNobodyToSleep) {
  Restart(Machines(2));
  ASSERT_TRUE(Create("a").ok());
  ASSERT_TRUE(Create("b").ok());
  ASSERT_TRUE(Run("a", MapPages(1)).ok());
  ASSERT_TRUE(Run("b", MapPages(1)).ok());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Reason(Run(absl::StrCat("none-", i), MapPages(1))),
              "SESSION_NOT_FOUND");
  }
  EXPECT_EQ(table().live_machines(), 2);
}

TEST_F(WakingTest, AClosedSessionStaysClosed) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(Run("lab", MapPages(1)).ok());
  ASSERT_TRUE(Close("lab").ok());
  Restart();
  EXPECT_EQ(Reason(Run("lab", Unmap(1))), "SESSION_CLOSED");
  EXPECT_EQ(table().Get("lab")->revision, 1);
  EXPECT_EQ(table().live_machines(), 0);
}

}  // namespace
}  // namespace faultline::testing

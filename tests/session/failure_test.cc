// What happens to a session, and to the others, when the simulator, the disk or
// the journal fails.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "absl/strings/str_cat.h"
#include "tests/session/session_testing.h"
#include "tests/storage/fault_vfs.h"

namespace faultline::testing {
namespace {

using ::testing::HasSubstr;

class PanicTest : public SessionTest {
 protected:
  void SetUp() override {
    UseDisk();
    Open(Breaking());
    for (const char* id : {"lab", "other"}) {
      ASSERT_TRUE(Create(id).ok());
      ASSERT_TRUE(Run(id, MapPages(4)).ok());
    }
  }
  static SessionTable::Options Breaking() {
    SessionTable::Options options;
    options.runner = BreakingRunner();
    return options;
  }
};

TEST_F(PanicTest, EndsOneSessionAndNoOther) {
  const auto broken = Run("lab", Breaker());
  EXPECT_EQ(Reason(broken), "SIMULATOR_BUG");
  EXPECT_EQ(broken.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(broken.status().message()),
              HasSubstr("kernel BUG at"));
  EXPECT_EQ(Reason(Run("lab", Poke(0))), "SESSION_PANICKED");
  EXPECT_EQ(Reason(Look("lab")), "SESSION_PANICKED");
  EXPECT_TRUE(Run("other", Poke(0)).ok());
  EXPECT_EQ(table().live_machines(), 1);
}

TEST_F(PanicTest, KeepsTheKillingCommandAndSaysWhatBroke) {
  ASSERT_FALSE(Run("lab", Breaker(), WithId("kill")).ok());
  const auto info = table().Get("lab");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->life, SessionLife::kPanicked);
  EXPECT_EQ(info->revision, 2);
  EXPECT_THAT(info->panic, HasSubstr("kernel BUG at"));
  const auto page = table().ListCommands("lab", 2, 1, 1 << 20);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->commands.size(), 1);
  EXPECT_TRUE(page->commands[0].command.has_tick());
  EXPECT_EQ(page->commands[0].digest, absl::nullopt);
  EXPECT_EQ(Reason(Run("lab", Breaker(), WithId("kill"))), "SIMULATOR_BUG")
      << "a repetition is answered as the first was";
}

TEST_F(PanicTest, OutlivesARestart) {
  ASSERT_FALSE(Run("lab", Breaker()).ok());
  Restart(Breaking());
  EXPECT_EQ(Reason(Run("lab", Poke(0))), "SESSION_PANICKED");
  EXPECT_TRUE(Run("other", Poke(0)).ok());
}

TEST_F(PanicTest, EndsABatchWhereItHappens) {
  const auto batch =
      RunBatch("lab", {Poke(0), Poke(1), Breaker(), Poke(2), Poke(3)});
  EXPECT_EQ(Reason(batch), "SIMULATOR_BUG");
  EXPECT_EQ(table().Get("lab")->revision, 4);
}

TEST_F(PanicTest, IsFoundInTheJournalWhenTheStateWasNotWritten) {
  // As if the server had died between the two.
  ASSERT_FALSE(Run("lab", Breaker()).ok());
  ASSERT_TRUE(storage::Wait([&](storage::Done done) {
                return store().SetSessionState(
                    "lab", storage::SessionState::kActive, "", std::move(done));
              }).ok());
  Restart(Breaking());
  EXPECT_EQ(Reason(Run("lab", Poke(0))), "SESSION_PANICKED");
  Restart(Breaking());
  EXPECT_EQ(table().Get("lab")->life, SessionLife::kPanicked);
}

TEST_F(PanicTest, IsReplayedAsItWas) {
  ASSERT_FALSE(Run("lab", Breaker()).ok());
  const auto replay = table().Replay("lab", 0, {});
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_EQ(replay->commands, 2);
  EXPECT_EQ(replay->equal, 2);
  EXPECT_FALSE(replay->divergence.has_value());
  EXPECT_FALSE(replay->fingerprint.has_value());
  EXPECT_TRUE(table().Verify("lab", {})->ok());
  EXPECT_EQ(Reason(table().Fingerprint("lab", absl::nullopt, {})),
            "SESSION_PANICKED");
  EXPECT_TRUE(table().Fingerprint("lab", 1, {}).ok());
}

TEST_F(PanicTest, ThatIsMendedIsADivergence) {
  ASSERT_FALSE(Run("lab", Breaker()).ok());
  Restart();
  const auto replay = table().Replay("lab", 0, {});
  ASSERT_TRUE(replay.ok());
  EXPECT_EQ(replay->equal, 1);
  ASSERT_TRUE(replay->divergence.has_value());
  EXPECT_EQ(replay->divergence->kind, DivergenceKind::kExtra);
  EXPECT_EQ(replay->divergence->revision, 2);
}

TEST_F(PanicTest, ThatIsNewIsADivergenceAndLeavesTheSessionAlone) {
  Restart();
  ASSERT_TRUE(Run("lab", Breaker()).ok()) << "it is an ordinary command here";
  Restart(Breaking());
  const auto replay = table().Replay("lab", 0, {});
  ASSERT_TRUE(replay.ok());
  ASSERT_TRUE(replay->divergence.has_value());
  EXPECT_EQ(replay->divergence->kind, DivergenceKind::kMissing);
  EXPECT_EQ(Reason(Run("lab", Poke(0))), "SIMULATOR_BUG");
  EXPECT_EQ(table().Get("lab")->life, SessionLife::kOpen);
  Restart();
  EXPECT_TRUE(Run("lab", Poke(0)).ok());
}

TEST_F(SessionTest, WithoutMemoryNothingIsRecordedAndTheSessionGoesOn) {
  auto full = std::make_shared<bool>(false);
  SessionTable::Options options;
  options.runner = [full](Machine& machine, const Command& command,
                          EventLevel level) {
    if (*full) throw std::bad_alloc();
    return machine.Apply(command, level);
  };
  Open(options);
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(Run("lab", MapPages(1)).ok());
  *full = true;
  EXPECT_EQ(Reason(Run("lab", Poke(0))), "OUT_OF_MEMORY");
  *full = false;
  const auto next = Run("lab", Poke(0));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->revision, 2);
}

// Every command waits for the disk.
class DiskTest : public SessionTest {
 protected:
  virtual void ChooseDisk() { UseSyncedDisk(vfs_.name()); }
  void SetUp() override {
    ChooseDisk();
    Open();
    ASSERT_TRUE(Create("lab").ok());
    ASSERT_TRUE(Run("lab", MapPages(200)).ok());
  }
  void TearDown() override {
    vfs_.Heal();
    Stop();
  }
  void BreakDisk() {
    vfs_.FailChange(1, storage::FaultVfs::Fault::kDiskFull,
                    storage::FaultVfs::Times::kForever);
  }

  storage::FaultVfs vfs_;
};

TEST_F(DiskTest, ACommandThatCannotBeRecordedIsNotAcknowledgedNorSeen) {
  const uint64_t before = FingerprintOfLive("lab");
  BreakDisk();
  const auto lost = Run("lab", Poke(0), WithId("a"));
  EXPECT_EQ(Reason(lost), "JOURNAL_UNAVAILABLE");
  EXPECT_EQ(lost.status().code(), absl::StatusCode::kUnavailable);
  vfs_.Heal();
  EXPECT_EQ(FingerprintOfLive("lab"), before) << "rebuilt from the journal";
  const auto again = Run("lab", Poke(0), WithId("a"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision, 2);
  EXPECT_EQ(again->outcome.min_flt, 1) << "it was executed now, not before";
}

TEST_F(DiskTest, AllThatFollowAFailureFailAndTheSessionGoesOnAfterwards) {
  std::vector<PendingRun> runs(100);
  std::vector<PendingView> views(100);
  {
    WriterStop stop(store());
    for (size_t i = 0; i < runs.size(); ++i) {
      table().Execute("lab", Poke(i), {}, runs[i].answer());
      table().Look("lab", absl::nullopt, views[i].answer());
    }
    BreakDisk();
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto result = runs[i].Wait();
    EXPECT_EQ(Reason(result), "JOURNAL_UNAVAILABLE");
    // A view is of what is durable, or it is refused.
    const auto view = views[i].Wait();
    if (view.ok()) {
      EXPECT_EQ((*view)->revision, 1);
    }
  }
  vfs_.Heal();
  const auto next = Run("lab", Poke(0));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->revision, 2);
  EXPECT_TRUE(table().Verify("lab", {})->ok());
}

TEST_F(DiskTest, EveryDiskFaultLeavesAJournalThatVerifies) {
  int64_t acknowledged = 1;
  for (int64_t nth = 1; nth <= 40; ++nth) {
    vfs_.FailChange(nth % 5 + 1, storage::FaultVfs::Fault::kIoError,
                    storage::FaultVfs::Times::kOnce);
    std::vector<PendingRun> runs(5);
    for (PendingRun& run : runs) {
      table().Execute("lab", Poke(static_cast<uint64_t>(nth)), {},
                      run.answer());
    }
    for (PendingRun& run : runs) {
      const auto result = run.Wait();
      if (result.ok()) {
        EXPECT_EQ(result->revision, ++acknowledged);
      }
    }
    vfs_.Heal();
    // A failed append may have been written: what counts is what is durable.
    const auto view = Look("lab");
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_GE((*view)->revision, acknowledged);
    acknowledged = (*view)->revision;
  }
  const auto verified = table().Verify("lab", {});
  ASSERT_TRUE(verified.ok());
  EXPECT_TRUE(verified->ok()) << verified->checks[0].text;
}

TEST_F(DiskTest, ClosingAndDeletingFailWithTheDiskAndWorkAfterwards) {
  BreakDisk();
  EXPECT_EQ(Reason(Close("lab")), "JOURNAL_UNAVAILABLE");
  EXPECT_EQ(Reason(Delete("lab")), "JOURNAL_UNAVAILABLE");
  EXPECT_EQ(Reason(Create("new")), "JOURNAL_UNAVAILABLE");
  vfs_.Heal();
  EXPECT_TRUE(Run("lab", Poke(0)).ok());
  EXPECT_TRUE(Close("lab").ok());
  EXPECT_TRUE(Delete("lab").ok());
}

// Short commands are acknowledged from the spool.
class SpoolingDiskTest : public DiskTest {
 protected:
  void ChooseDisk() override { UseDisk(vfs_.name()); }
};

TEST_F(SpoolingDiskTest, WhatWasAcknowledgedIsThereWhenTheDiskIsBack) {
  BreakDisk();
  for (uint64_t page = 0; page < 50; ++page) {
    const auto result = Run("lab", Poke(page), WithId(absl::StrCat("r", page)));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->revision, static_cast<int64_t>(page) + 2);
  }
  // Looks show it; what has to be read from the disk is not to be had.
  EXPECT_EQ((*Look("lab"))->revision, 51);
  EXPECT_EQ(Reason(table().Get("lab")), "JOURNAL_UNAVAILABLE");
  const uint64_t fingerprint = FingerprintOfLive("lab");
  vfs_.Heal();
  EXPECT_EQ(table().Get("lab")->revision, 51);
  EXPECT_TRUE(table().Verify("lab", {})->ok());
  Restart();
  EXPECT_EQ(FingerprintOfLive("lab"), fingerprint);
  const auto again = Run("lab", Poke(7), WithId("r7"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision, 9);
}

TEST_F(SpoolingDiskTest, WhatTheServerTookAlongIsThereAtTheNextStart) {
  BreakDisk();
  ASSERT_TRUE(Run("lab", Poke(0)).ok());
  ASSERT_TRUE(Run("lab", Poke(1)).ok());
  const uint64_t fingerprint = FingerprintOfLive("lab");
  Stop();
  vfs_.Heal();
  Open();
  EXPECT_EQ(table().Get("lab")->revision, 3);
  EXPECT_EQ(FingerprintOfLive("lab"), fingerprint);
}

TEST_F(SpoolingDiskTest, EveryDiskFaultLeavesAJournalThatVerifies) {
  int64_t acknowledged = 1;
  for (int64_t nth = 1; nth <= 40; ++nth) {
    vfs_.FailChange(nth % 5 + 1, storage::FaultVfs::Fault::kIoError,
                    storage::FaultVfs::Times::kOnce);
    for (int i = 0; i < 5; ++i) {
      const auto result = Run("lab", Poke(static_cast<uint64_t>(nth)));
      if (!result.ok()) continue;
      EXPECT_GT(result->revision, acknowledged);
      acknowledged = result->revision;
    }
    vfs_.Heal();
    EXPECT_GE((*Look("lab"))->revision, acknowledged);
  }
  EXPECT_GE(table().Get("lab")->revision, acknowledged);
  const auto verified = table().Verify("lab", {});
  ASSERT_TRUE(verified.ok());
  EXPECT_TRUE(verified->ok()) << verified->checks[0].text;
}

class DamageTest : public SessionTest {
 protected:
  void SetUp() override {
    UseSyncedDisk();  // a chunk for each command
    Open();
    for (const char* id : {"lab", "other"}) {
      ASSERT_TRUE(Create(id).ok());
      for (uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(Run(id, MapPages(i)).ok());
    }
    Stop();
    storage::ExecuteOn(database(),
                       "UPDATE journal_chunks SET time_us = time_us + 1 "
                       "WHERE first_revision = 2 AND session_key = "
                       "(SELECT session_key FROM sessions WHERE id = 'lab')");
    Open();
  }
};

TEST_F(DamageTest, ADamagedSessionSaysSoAndTheOthersGoOn) {
  EXPECT_EQ(Reason(Run("lab", Poke(0))), "HISTORY_CORRUPT");
  EXPECT_EQ(Reason(Look("lab")), "HISTORY_CORRUPT");
  EXPECT_EQ(Reason(table().Replay("lab", 0, {})), "HISTORY_CORRUPT");
  EXPECT_TRUE(Run("other", MapPages(1)).ok());
  EXPECT_EQ(table().live_machines(), 1);
}

TEST_F(DamageTest, VerifyNamesTheDamageAndHowFarItIsGood) {
  const auto report = table().Verify("lab", {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->ok());
  EXPECT_EQ(report->checks[0].name, "journal");
  EXPECT_FALSE(report->checks[0].ok);
  EXPECT_THAT(report->checks[0].text, HasSubstr("revision 2"));
  ASSERT_TRUE(report->replay.has_value());
  EXPECT_EQ(report->replay->equal, 1);
}

TEST_F(DamageTest, ADamagedSessionCanBeClosedAndDeleted) {
  EXPECT_TRUE(Close("lab").ok());
  EXPECT_TRUE(Delete("lab").ok());
  EXPECT_EQ(Reason(table().Get("lab")), "SESSION_NOT_FOUND");
}

}  // namespace
}  // namespace faultline::testing

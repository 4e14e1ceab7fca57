// Machines of the past, and sessions that start from one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kLast = 201;

// Session "lab" with 201 revisions; no snapshot but those that a test takes.
class PastTest : public SessionTest {
 protected:
  void SetUp() override {
    UseDisk();
    Open(Options());
    ASSERT_TRUE(Create("lab", SmallConfig(3)).ok());
    ASSERT_TRUE(RunBatch("lab", SomeCommands(200)).ok());
  }
  SessionTable::Options Options() {
    SessionTable::Options options;
    options.runner = CountingRunner(executed_);
    options.snapshots = {.commands = 0, .bytes = 0};
    return options;
  }
  int64_t Executed() { return executed_->exchange(0); }
  uint64_t FingerprintAt(const std::string& id, int64_t revision) {
    const auto view = LookAt(id, revision);
    EXPECT_TRUE(view.ok()) << view.status();
    if (!view.ok()) return 0;
    EXPECT_EQ((*view)->revision, revision);
    return (*view)->machine.Fingerprint();
  }
  // What a replay from the start gives. Its commands are not counted.
  uint64_t Replayed(const std::string& id, int64_t revision) {
    const auto report = table().Replay(id, revision, {});
    EXPECT_TRUE(report.ok()) << report.status();
    *executed_ -= revision;
    return report->fingerprint->total;
  }

  std::shared_ptr<std::atomic<int64_t>> executed_ =
      std::make_shared<std::atomic<int64_t>>(0);
};

TEST_F(PastTest, IsTheMachineOfTheReplay) {
  EXPECT_EQ(FingerprintAt("lab", 0), Machine(SmallConfig(3)).Fingerprint());
  for (const int64_t revision : {200, 1, 65, 66, 130, 64, 201}) {
    EXPECT_EQ(FingerprintAt("lab", revision), Replayed("lab", revision))
        << revision;
  }
  EXPECT_EQ(FingerprintAt("lab", kLast), FingerprintOfLive("lab"));
}

TEST_F(PastTest, GetFingerprintUsesIt) {
  ASSERT_TRUE(Snapshot("lab", "snap", 100).ok());
  Restart(Options());
  Executed();
  const auto report = table().Fingerprint("lab", 101, {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Executed(), 1);
  EXPECT_EQ(report->revision, 101);
  EXPECT_EQ(report->total, Replayed("lab", 101));
}

TEST_F(PastTest, SteppingForwardExecutesOneCommandAStep) {
  ASSERT_TRUE(LookAt("lab", 20).ok());
  Executed();
  for (int64_t revision = 21; revision <= 120; ++revision) {
    ASSERT_TRUE(LookAt("lab", revision).ok());
    ASSERT_EQ(Executed(), 1) << revision;
  }
}

TEST_F(PastTest, SteppingBackExecutesFewCommandsAStep) {
  ASSERT_TRUE(LookAt("lab", 200).ok());
  Executed();
  for (int64_t revision = 199; revision >= 1; --revision) {
    ASSERT_TRUE(LookAt("lab", revision).ok());
    ASSERT_LE(Executed(), 200) << revision;
  }
  // In all it is much less than half of the history a step.
  ASSERT_TRUE(LookAt("lab", 200).ok());
  Executed();
  int64_t total = 0;
  for (int64_t revision = 199; revision >= 137; --revision) {
    ASSERT_TRUE(LookAt("lab", revision).ok());
    total += Executed();
  }
  EXPECT_LE(total, 63 * 64);
}

TEST_F(PastTest, TheSameLookTwiceExecutesNothing) {
  ASSERT_TRUE(LookAt("lab", 50).ok());
  Executed();
  const auto again = LookAt("lab", 50);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(Executed(), 0);
}

TEST_F(PastTest, ASnapshotIsUsedWhereItIsNearer) {
  ASSERT_TRUE(Snapshot("lab", "snap", 150).ok());
  Restart(Options());
  ASSERT_TRUE(LookAt("lab", 100).ok());
  Executed();
  ASSERT_TRUE(LookAt("lab", 160).ok());
  EXPECT_EQ(Executed(), 10);
  ASSERT_TRUE(LookAt("lab", 149).ok());
  EXPECT_EQ(Executed(), 49);
}

TEST_F(PastTest, ADamagedSnapshotIsPassedOver) {
  ASSERT_TRUE(Snapshot("lab", "snap", 150).ok());
  const uint64_t want = Replayed("lab", 160);
  Stop();
  storage::ExecuteOn(database(), "UPDATE block_bodies SET body = x'00'");
  Open(Options());
  EXPECT_EQ(FingerprintAt("lab", 160), want);
}

TEST_F(PastTest, WorksForClosedSessionsAndBeforeTheEndOfPanickedOnes) {
  ASSERT_TRUE(Close("lab").ok());
  EXPECT_EQ(FingerprintAt("lab", 77), Replayed("lab", 77));
  ASSERT_TRUE(Create("broken").ok());
  ASSERT_TRUE(RunBatch("broken", SomeCommands(3)).ok());
  ASSERT_FALSE(Run("broken", Breaker()).ok());
  EXPECT_EQ(FingerprintAt("broken", 4), Replayed("broken", 4));
  EXPECT_EQ(Reason(LookAt("broken", 5)), "SESSION_PANICKED");
}

TEST_F(PastTest, SaysWhatThereIsNot) {
  EXPECT_EQ(Reason(LookAt("lab", kLast + 1)), "REVISION_OUT_OF_RANGE");
  EXPECT_EQ(Reason(LookAt("lab", -1)), "REVISION_OUT_OF_RANGE");
  EXPECT_EQ(Reason(LookAt("none", 0)), "SESSION_NOT_FOUND");
}

TEST_F(PastTest, CanBeCancelled) {
  Restart(Options());
  Executed();
  EXPECT_EQ(
      Reason(table().LookAt("lab", 200, "at_revision",
                            [](int64_t done, int64_t) { return done < 10; })),
      "CANCELLED");
  EXPECT_EQ(Executed(), 10);
}

TEST_F(PastTest, ADamagedJournalSaysSo) {
  Stop();
  storage::ExecuteOn(database(), "UPDATE journal_chunks SET time_us = 1");
  Open(Options());
  EXPECT_EQ(Reason(LookAt("lab", 3)), "HISTORY_CORRUPT");
  EXPECT_TRUE(LookAt("lab", 0).ok());
}

TEST_F(PastTest, AnotherSessionOfTheSameIdHasItsOwnPast) {
  const uint64_t first = FingerprintAt("lab", 1);
  ASSERT_TRUE(Delete("lab").ok());
  EXPECT_EQ(Reason(LookAt("lab", 1)), "SESSION_NOT_FOUND");
  ASSERT_TRUE(Create("lab", SmallConfig(99)).ok());
  EXPECT_EQ(Reason(LookAt("lab", 1)), "REVISION_OUT_OF_RANGE");
  ASSERT_TRUE(Run("lab", MapPages(9)).ok());
  EXPECT_NE(FingerprintAt("lab", 1), first);
  EXPECT_EQ(FingerprintAt("lab", 1), Replayed("lab", 1));
}

TEST_F(PastTest, ASessionThatIsReplacedMeanwhileIsNotCalledDamaged) {
  constexpr int64_t kRevision = 100;
  bool replaced = false;
  const auto replace = [&](int64_t done, int64_t) {
    // Where the machine for a step back is copied, the journal is opened again.
    if (replaced || done != kRevision - limits::kPastStepsBack) return true;
    replaced = true;
    EXPECT_TRUE(Delete("lab").ok());
    EXPECT_TRUE(Create("lab", SmallConfig(99)).ok());
    // Refused in this machine, and not in the other one.
    EXPECT_TRUE(RunBatch("lab", std::vector<Command>(kRevision, Poke(0))).ok());
    return true;
  };
  EXPECT_EQ(Reason(table().LookAt("lab", kRevision, "at_revision", replace)),
            "SESSION_NOT_FOUND");
  EXPECT_TRUE(replaced);
  EXPECT_EQ((*LookAt("lab", 1))->revision, 1) << "the one of now";
}

TEST_F(PastTest, NotMoreMachinesAreKeptThanTheLimit) {
  const std::weak_ptr<const MachineView> first = *LookAt("lab", 1);
  for (size_t i = 2; i < 2 + limits::kPastMachinesMax; ++i) {
    EXPECT_FALSE(first.expired());
    ASSERT_TRUE(LookAt("lab", static_cast<int64_t>(i)).ok());
  }
  EXPECT_TRUE(first.expired());
}

TEST_F(PastTest, ManyMayLookAtOnce) {
  std::vector<uint64_t> want;
  for (int64_t revision = 0; revision <= 40; ++revision) {
    want.push_back(revision == 0 ? Machine(SmallConfig(3)).Fingerprint()
                                 : Replayed("lab", revision));
  }
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 60; ++i) {
        const int64_t revision = (i * (thread + 3) + thread) % 41;
        EXPECT_EQ(FingerprintAt("lab", revision),
                  want[static_cast<size_t>(revision)]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// --- Restored sessions.

class RestoreTest : public PastTest {
 protected:
  void SetUp() override {
    PastTest::SetUp();
    ASSERT_TRUE(Snapshot("lab", "snap", 100).ok());
  }
};

TEST_F(RestoreTest, StartsWhereTheSnapshotIs) {
  const auto info = Restore("lab", "copy");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->id, "copy");
  EXPECT_EQ(info->display_name, "restored");
  EXPECT_EQ(info->revision, 0);
  EXPECT_EQ(info->config.seed, 3);
  const auto read = table().Get("copy");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_TRUE(read->origin.has_value());
  EXPECT_EQ(read->origin->snapshot, "sessions/lab/snapshots/snap");
  EXPECT_EQ(read->origin->revision, 100);
  EXPECT_EQ(read->origin->fingerprint, Replayed("lab", 100));
  EXPECT_EQ(FingerprintOfLive("copy"), read->origin->fingerprint);
  EXPECT_EQ(FingerprintAt("copy", 0), read->origin->fingerprint);
  EXPECT_FALSE(table().Get("lab")->origin.has_value());
}

TEST_F(RestoreTest, GoesOnAsTheSourceDid) {
  ASSERT_TRUE(Restore("lab", "copy").ok());
  int64_t revision = 0;
  for (const storage::Entry& entry :
       storage::Read(store(), "lab", 101).entries) {
    const auto page = table().ListCommands("lab", entry.revision, 1, 1 << 20);
    ASSERT_TRUE(page.ok());
    const auto run =
        Run("copy", Poke(static_cast<uint64_t>(entry.revision) - 2));
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(run->revision, ++revision);
    EXPECT_EQ(run->outcome.Digest(), *page->commands[0].digest);
  }
  EXPECT_EQ(FingerprintOfLive("copy"), FingerprintOfLive("lab"));
  EXPECT_TRUE(table().Verify("copy", {})->ok());
}

TEST_F(RestoreTest, NeedsItsSourceNoLonger) {
  ASSERT_TRUE(Restore("lab", "copy").ok());
  ASSERT_TRUE(Run("copy", Poke(0)).ok());
  const uint64_t before = FingerprintOfLive("copy");
  ASSERT_TRUE(table().DeleteSnapshot("lab", "snap").ok());
  ASSERT_TRUE(Delete("lab").ok());
  storage::Purge(store());
  Restart(Options());
  EXPECT_EQ(FingerprintOfLive("copy"), before);
  EXPECT_TRUE(table().Verify("copy", {})->ok());
  EXPECT_EQ(table().Replay("copy", 0, {})->fingerprint->total, before);
  // And again from it.
  ASSERT_TRUE(Snapshot("copy", "next").ok());
  ASSERT_TRUE(Restore("copy", "second", "next").ok());
  ASSERT_TRUE(Delete("copy").ok());
  storage::Purge(store());
  Restart(Options());
  EXPECT_EQ(FingerprintOfLive("second"), before);
  EXPECT_EQ(table().Get("second")->origin->snapshot,
            "sessions/copy/snapshots/next");
  ASSERT_TRUE(Run("second", Poke(1)).ok());
  EXPECT_TRUE(table().Verify("second", {})->ok());
}

TEST_F(RestoreTest, ASnapshotOfItIsOfItsOwnRevisions) {
  ASSERT_TRUE(Restore("lab", "copy").ok());
  ASSERT_TRUE(Run("copy", Poke(0, 9)).ok());
  const auto taken = Snapshot("copy", "own");
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->revision, 1);
  Restart(Options());
  Executed();
  ASSERT_TRUE(Look("copy").ok());
  EXPECT_EQ(Executed(), 0);
  EXPECT_TRUE(Verified("copy", "snapshots").ok);
}

TEST_F(RestoreTest, ErrorsSayWhatIsWrong) {
  EXPECT_EQ(Reason(Restore("lab", "copy", "none")), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(Reason(Restore("none", "copy")), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(Restore("lab", "lab")), "SESSION_ALREADY_EXISTS");
  SessionTable::Options options = Options();
  options.sessions_max = 1;
  Restart(options);
  EXPECT_EQ(Reason(Restore("lab", "copy")), "SESSIONS_LIMIT");
  EXPECT_EQ(Reason(table().Get("copy")), "SESSION_NOT_FOUND");
}

TEST_F(RestoreTest, TheServerChoosesANameWhereNoneIsGiven) {
  const auto info = Restore("lab", "");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->id.size(), 12u);
  EXPECT_TRUE(table().Get(info->id).ok());
}

TEST_F(RestoreTest, FromADamagedSnapshotIsRefused) {
  Stop();
  storage::ExecuteOn(database(), "UPDATE block_bodies SET body = x'00'");
  Open(Options());
  const auto info = Restore("lab", "copy");
  EXPECT_EQ(Reason(info), "SNAPSHOT_CORRUPT");
  EXPECT_EQ(info.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Reason(table().Get("copy")), "SESSION_NOT_FOUND");
}

TEST_F(RestoreTest, ADamagedBaseIsDataLossAndLeavesTheOthersAlone) {
  ASSERT_TRUE(Restore("lab", "copy").ok());
  ASSERT_TRUE(Run("copy", Poke(0)).ok());
  Stop();
  storage::ExecuteOn(database(), "UPDATE block_bodies SET body = x'00'");
  Open(Options());
  for (const absl::Status& status :
       {Run("copy", Poke(0)).status(), Look("copy").status(),
        LookAt("copy", 1).status(), table().Replay("copy", 0, {}).status()}) {
    EXPECT_EQ(Reason(status), "HISTORY_CORRUPT");
    EXPECT_THAT(std::string(status.message()), HasSubstr("started from"));
  }
  const auto report = table().Verify("copy", {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->ok());
  EXPECT_THAT(report->checks[0].text, HasSubstr("started from"));
  EXPECT_TRUE(Run("lab", Poke(0)).ok());
  EXPECT_TRUE(Close("copy").ok());
  EXPECT_TRUE(Delete("copy").ok());
}

TEST_F(RestoreTest, ABaseOfAnotherStateVersionSaysWhatToDo) {
  // As a server of another version would have restored it.
  ASSERT_TRUE(
      storage::Snapshot(store(), "lab", "a machine of the future",
                        {.id = "future", .state_version = kStateVersion + 1})
          .ok());
  const auto snapshot = store().GetSnapshot("lab", "future");
  auto record = store().GetSession("lab");
  ASSERT_TRUE(record.ok() && snapshot.ok());
  record->id = "copy";
  record->base =
      storage::SessionBase{"", snapshot->state_version, snapshot->fingerprint};
  ASSERT_TRUE(storage::Wait([&](storage::Done done) {
                return store().RestoreSession(*record, "lab", "future",
                                              std::move(done));
              }).ok());
  for (const absl::Status& status :
       {Run("copy", Poke(0)).status(), LookAt("copy", 0).status(),
        table().Replay("copy", 0, {}).status(),
        table().Verify("copy", {}).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Reason(status), "STATE_VERSION_MISMATCH");
    EXPECT_THAT(std::string(status.message()), HasSubstr("use a server"));
  }
}

}  // namespace
}  // namespace faultline::testing

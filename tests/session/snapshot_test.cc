// Snapshots: taken while the session goes on, by users and by the server, and
// what they are good for.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "server/session/automatic_snapshots.h"
#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SnapshotTest : public SessionTest {
 protected:
  void SetUp() override {
    UseDisk();
    Open(Options());
    ASSERT_TRUE(Create("lab", SmallConfig(3)).ok());
    ASSERT_TRUE(RunBatch("lab", SomeCommands(20)).ok());
  }
  // Automatic ones: after so many commands; 0: none.
  SessionTable::Options Options(int64_t snapshot_commands = 0) {
    SessionTable::Options options;
    options.runner = CountingRunner(executed_);
    options.snapshots = {.commands = snapshot_commands, .bytes = 0};
    return options;
  }
  // How many commands were executed since the last question.
  int64_t Executed() { return executed_->exchange(0); }
  void DoSome(const std::string& id, int commands) {
    for (int i = 0; i < commands; ++i) {
      ASSERT_TRUE(Run(id, Poke(static_cast<uint64_t>(i) % 20)).ok());
    }
  }
  uint64_t Replayed(const std::string& id, int64_t revision) {
    if (revision == 0) return table().Fingerprint(id, 0, {})->total;
    const auto report = table().Replay(id, revision, {});
    EXPECT_TRUE(report.ok()) << report.status();
    return report->fingerprint->total;
  }
  void DamageBlocks() {
    storage::ExecuteOn(database(), "UPDATE block_bodies SET body = x'00'");
  }

  std::shared_ptr<std::atomic<int64_t>> executed_ =
      std::make_shared<std::atomic<int64_t>>(0);
};

TEST_F(SnapshotTest, IsOfTheMachineAsItIs) {
  const auto taken = Snapshot("lab");
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->session, "lab");
  EXPECT_EQ(taken->id, "snap");
  EXPECT_FALSE(taken->automatic);
  EXPECT_EQ(taken->revision, 21);
  EXPECT_EQ(taken->display_name, "of lab");
  EXPECT_EQ(taken->fingerprint, FingerprintOfLive("lab"));
  EXPECT_GT(taken->bytes, 10'000);
  EXPECT_GT(taken->stored_bytes, 0);
  const auto read = table().GetSnapshot("lab", "snap");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->fingerprint, taken->fingerprint);
  EXPECT_EQ(read->create_time, taken->create_time);
  EXPECT_EQ(read->bytes, taken->bytes);
}

TEST_F(SnapshotTest, IsOfAnOlderRevision) {
  const auto taken = Snapshot("lab", "older", 7);
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->revision, 7);
  EXPECT_EQ(taken->fingerprint, Replayed("lab", 7));
  EXPECT_EQ(Reason(Snapshot("lab", "future", 22)), "REVISION_OUT_OF_RANGE");
}

TEST_F(SnapshotTest, TheServerChoosesANameWhereNoneIsGiven) {
  const auto first = Snapshot("lab", "");
  const auto second = Snapshot("lab", "");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_THAT(first->id, ::testing::MatchesRegex("r21-[a-z0-9]+"));
  EXPECT_NE(first->id, second->id);
}

TEST_F(SnapshotTest, AreListedAndDeleted) {
  for (const int64_t revision : {9, 3, 21}) {
    ASSERT_TRUE(Snapshot("lab", absl::StrCat("r", revision), revision).ok());
  }
  std::vector<std::string> ids;
  for (const SnapshotInfo& s : Snapshots("lab")) ids.push_back(s.id);
  EXPECT_THAT(ids, ElementsAre("r3", "r9", "r21"));
  EXPECT_TRUE(table().DeleteSnapshot("lab", "r9").ok());
  EXPECT_EQ(Reason(table().DeleteSnapshot("lab", "r9")), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(Reason(table().GetSnapshot("lab", "r9")), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(Snapshots("lab").size(), 2u);
  EXPECT_EQ(Reason(table().DeleteSnapshot("none", "r3")), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(table().ListSnapshots("none", -1, "", 9)),
            "SESSION_NOT_FOUND");
}

TEST_F(SnapshotTest, ErrorsSayWhatIsWrong) {
  ASSERT_TRUE(Snapshot("lab").ok());
  EXPECT_EQ(Reason(Snapshot("lab")), "SNAPSHOT_ALREADY_EXISTS");
  Executed();
  EXPECT_EQ(Reason(Snapshot("lab", "snap", 7)), "SNAPSHOT_ALREADY_EXISTS");
  EXPECT_EQ(Executed(), 0) << "no replay for what is refused";
  EXPECT_EQ(Reason(Snapshot("none")), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(table().CreateSnapshot(
                "lab", {.id = "x", .display_name = "", .revision = 5},
                [](int64_t, int64_t) { return false; })),
            "CANCELLED");
  EXPECT_EQ(Snapshots("lab").size(), 1u);
}

TEST_F(SnapshotTest, AUserMayHaveOnlySoMany) {
  for (int64_t i = 0; i < limits::kUserSnapshotsMax; ++i) {
    ASSERT_TRUE(
        storage::Snapshot(store(), "lab", "bytes", {.id = absl::StrCat("s", i)})
            .ok());
  }
  EXPECT_EQ(Reason(Snapshot("lab")), "SNAPSHOTS_LIMIT");
  Executed();
  EXPECT_EQ(Reason(Snapshot("lab", "older", 7)), "SNAPSHOTS_LIMIT");
  EXPECT_EQ(Executed(), 0) << "no replay for what is refused";
  ASSERT_TRUE(table().DeleteSnapshot("lab", "s0").ok());
  EXPECT_TRUE(Snapshot("lab").ok());
}

TEST_F(SnapshotTest, OfAClosedSessionAndOfAPanickedOneBeforeItsEnd) {
  ASSERT_TRUE(Create("broken").ok());
  ASSERT_TRUE(Run("broken", MapPages(1)).ok());
  ASSERT_FALSE(Run("broken", Breaker()).ok());
  EXPECT_EQ(Reason(Snapshot("broken")), "SESSION_PANICKED");
  EXPECT_EQ(Reason(Snapshot("broken", "snap", 2)), "SESSION_PANICKED");
  EXPECT_TRUE(Snapshot("broken", "snap", 1).ok());
  const uint64_t fingerprint = FingerprintOfLive("lab");
  ASSERT_TRUE(Close("lab").ok());
  const auto taken = Snapshot("lab");
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->fingerprint, fingerprint);
}

// What is not durable yet is in no snapshot.
TEST_F(SnapshotTest, WaitsForWhatItShows) {
  UseSyncedDisk();
  Restart();
  PendingRun pending;
  absl::StatusOr<SnapshotInfo> taken;
  {
    WriterStop stop(store());
    table().Execute("lab", Poke(0), {}, pending.answer());
    std::thread snapshot([&] { taken = Snapshot("lab"); });
    EXPECT_FALSE(pending.given());
    stop.Release();
    snapshot.join();
  }
  ASSERT_TRUE(pending.Wait().ok());
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->fingerprint, Replayed("lab", taken->revision));
}

TEST_F(SnapshotTest, TheSessionGoesOnMeanwhile) {
  std::atomic<bool> done = false;
  std::thread snapshots([&] {
    for (int i = 0; i < 20; ++i) {
      const auto taken = Snapshot("lab", absl::StrCat("s", i));
      EXPECT_TRUE(taken.ok()) << taken.status();
    }
    done = true;
  });
  int64_t revision = 21;
  while (!done) {
    const auto run = Run("lab", Poke(static_cast<uint64_t>(revision) % 20));
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(run->revision, ++revision);
  }
  snapshots.join();
  EXPECT_EQ(Snapshots("lab").size(), 20u);
  const auto check = Verified("lab", "snapshots");
  EXPECT_TRUE(check.ok) << check.text;
  EXPECT_THAT(check.text, HasSubstr("20 snapshots"));
}

// --- Waking.

TEST_F(SnapshotTest, ASessionWakesFromTheNewestAndWhatFollows) {
  ASSERT_TRUE(Snapshot("lab", "old", 5).ok());
  ASSERT_TRUE(Snapshot("lab", "new").ok());
  DoSome("lab", 3);
  const uint64_t before = FingerprintOfLive("lab");
  Restart(Options());
  Executed();
  EXPECT_EQ(FingerprintOfLive("lab"), before);
  EXPECT_EQ(Executed(), 3);
  const auto next = Run("lab", Poke(0));
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->revision, 25);
  EXPECT_TRUE(table().Verify("lab", {})->ok());
}

TEST_F(SnapshotTest, RequestIdsFromBeforeTheSnapshotAreKnown) {
  const auto first = Run("lab", Poke(1), WithId("before"));
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(Snapshot("lab").ok());
  const auto second = Run("lab", Poke(2), WithId("after"));
  ASSERT_TRUE(second.ok());
  Restart(Options());
  Executed();
  ASSERT_TRUE(Look("lab").ok());
  EXPECT_EQ(Executed(), 1);
  EXPECT_EQ(Run("lab", Poke(1), WithId("before"))->revision, first->revision);
  EXPECT_EQ(Run("lab", Poke(2), WithId("after"))->revision, second->revision);
  EXPECT_EQ(Reason(Run("lab", Poke(9), WithId("before"))), "REQUEST_ID_REUSED");
  EXPECT_EQ(Executed(), 0);
  EXPECT_EQ(Run("lab", Poke(1), WithId("new"))->revision, 24);
}

TEST_F(SnapshotTest, ManyRequestIdsAreAllKnown) {
  for (int i = 0; i < 10; ++i) {
    std::vector<PendingRun> runs(1000);
    for (size_t j = 0; j < runs.size(); ++j) {
      table().Execute("lab", Poke(j % 20), WithId(absl::StrCat(i, "-", j)),
                      runs[j].answer());
    }
    for (PendingRun& run : runs) ASSERT_TRUE(run.Wait().ok());
  }
  ASSERT_TRUE(Snapshot("lab").ok());
  Restart(Options());
  ASSERT_TRUE(Look("lab").ok());
  Executed();
  for (const char* id : {"0-0", "4-999", "9-999", "3-500"}) {
    EXPECT_EQ(Reason(Run("lab", Poke(0), WithId(id))),
              std::string(id) == "0-0" || std::string(id) == "3-500"
                  ? ""
                  : "REQUEST_ID_REUSED");
  }
  EXPECT_EQ(Executed(), 0);
}

TEST_F(SnapshotTest, ADamagedOneIsPassedOver) {
  ASSERT_TRUE(Snapshot("lab", "good", 10).ok());
  ASSERT_TRUE(Snapshot("lab", "bad").ok());
  const uint64_t before = FingerprintOfLive("lab");
  Stop();
  // One block that only the second has.
  storage::ExecuteOn(
      database(),
      "UPDATE block_bodies SET body = x'00' WHERE block_key = (SELECT "
      "max(block_key) FROM block_bodies)");
  Open(Options());
  Executed();
  EXPECT_EQ(FingerprintOfLive("lab"), before);
  EXPECT_EQ(Executed(), 11);
  const auto check = Verified("lab", "snapshots");
  EXPECT_FALSE(check.ok);
  EXPECT_THAT(check.text, HasSubstr("snapshot bad at revision 21"));
  EXPECT_THAT(check.text, HasSubstr("1 snapshots are the machine"));
  EXPECT_TRUE(Verified("lab", "replay").ok);
  EXPECT_TRUE(Verified("lab", "journal").ok);
}

TEST_F(SnapshotTest, WhenAllAreDamagedTheJournalIsThere) {
  ASSERT_TRUE(Snapshot("lab", "one", 10).ok());
  ASSERT_TRUE(Snapshot("lab", "two").ok());
  const uint64_t before = FingerprintOfLive("lab");
  Stop();
  DamageBlocks();
  storage::ExecuteOn(database(),
                     "UPDATE snapshots SET revision = 3 WHERE id = 'one'");
  Open(Options());
  Executed();
  EXPECT_EQ(FingerprintOfLive("lab"), before);
  EXPECT_EQ(Executed(), 21);
  const auto check = Verified("lab", "snapshots");
  EXPECT_FALSE(check.ok);
  EXPECT_THAT(check.text, HasSubstr("2 damaged: snapshot one"));
}

TEST_F(SnapshotTest, OneOfAnotherStateVersionIsPassedOver) {
  ASSERT_TRUE(
      storage::Snapshot(
          store(), "lab", "a machine of the future",
          {.id = "foreign", .revision = 21, .state_version = kStateVersion + 1})
          .ok());
  Restart(Options());
  Executed();
  ASSERT_TRUE(Look("lab").ok());
  EXPECT_EQ(Executed(), 21);
  const auto check = Verified("lab", "snapshots");
  EXPECT_TRUE(check.ok) << check.text;
  EXPECT_THAT(check.text, HasSubstr("of 1 by another version"));
  EXPECT_EQ(Reason(Restore("lab", "new", "foreign")), "STATE_VERSION_MISMATCH");
}

// Not damage that the store could find: the wrong machine, well kept.
TEST_F(SnapshotTest, VerifyFindsOneThatIsAnotherMachine) {
  ASSERT_TRUE(
      storage::Snapshot(
          store(), "lab", Machine(SmallConfig()).Save(),
          {.id = "wrong", .revision = 5, .state_version = kStateVersion})
          .ok());
  const auto check = Verified("lab", "snapshots");
  EXPECT_FALSE(check.ok);
  EXPECT_THAT(check.text, HasSubstr("snapshot wrong at revision 5"));
  EXPECT_THAT(check.text, HasSubstr("fingerprint"));
  EXPECT_EQ(Reason(Restore("lab", "new", "wrong")), "SNAPSHOT_CORRUPT");
}

TEST_F(SnapshotTest, VerifyDoesNotSpeakOfSnapshotsWhereThereAreNone) {
  EXPECT_EQ(Verified("lab", "snapshots").text, "was not made");
}

TEST_F(SnapshotTest, VerifyDoesNotCallASessionDamagedThatIsReplaced) {
  ASSERT_TRUE(Snapshot("lab", "stop", 9).ok());
  bool replaced = false;
  const auto replace = [&](int64_t done, int64_t) {
    // Where a snapshot is compared, the journal is opened again.
    if (replaced || done != 9) return true;
    replaced = true;
    EXPECT_TRUE(Delete("lab").ok());
    EXPECT_TRUE(Create("lab", SmallConfig(99)).ok());
    // Refused in this machine, and not in the other one.
    EXPECT_TRUE(RunBatch("lab", std::vector<Command>(21, Poke(0))).ok());
    return true;
  };
  EXPECT_EQ(Reason(table().Verify("lab", replace)), "SESSION_NOT_FOUND");
  EXPECT_TRUE(replaced);
  EXPECT_TRUE(Verified("lab", "replay").ok);
}

TEST_F(SnapshotTest, VerifySaysWhatLiesPastADivergence) {
  ASSERT_TRUE(Snapshot("lab", "before", 3).ok());
  ASSERT_TRUE(Snapshot("lab", "after").ok());
  ASSERT_TRUE(Create("copy", SmallConfig(3)).ok());
  for (storage::Entry entry : storage::Read(store(), "lab").entries) {
    if (entry.revision == 9) entry.digest[0] ^= 1;
    ASSERT_TRUE(storage::Append(store(), "copy", std::move(entry)).ok());
  }
  for (const int64_t revision : {3, 12}) {
    ASSERT_TRUE(storage::Snapshot(store(), "copy",
                                  (*LookAt("lab", revision))->machine.Save(),
                                  {.id = absl::StrCat("s", revision),
                                   .revision = revision,
                                   .state_version = kStateVersion + 1})
                    .ok());
  }
  const auto check = Verified("copy", "snapshots");
  EXPECT_THAT(check.text, HasSubstr("1 are past the end of the replay"));
  EXPECT_FALSE(Verified("copy", "replay").ok);
}

// --- Automatic ones.

TEST_F(SnapshotTest, AreTakenAfterSoManyCommands) {
  Restart(Options(10));
  DoSome("lab", 1);  // the 21 before count
  AwaitAutomatic("lab", 1);
  EXPECT_EQ(Snapshots("lab")[0].id, "auto-22");
  DoSome("lab", 9);
  EXPECT_EQ(Snapshots("lab").size(), 1u);
  // The first may not be quite done when the second is due.
  while (Snapshots("lab").size() < 2) DoSome("lab", 1);
  const SnapshotInfo second = Snapshots("lab")[1];
  EXPECT_GE(second.revision, 32);
  EXPECT_EQ(second.fingerprint, Replayed("lab", second.revision));
  EXPECT_TRUE(table().Verify("lab", {})->ok());
  const int64_t revision = table().Get("lab")->revision;
  Restart(Options());
  // On a busy machine a third was due by then.
  const int64_t newest = Snapshots("lab").back().revision;
  Executed();
  ASSERT_TRUE(Look("lab").ok());
  EXPECT_EQ(Executed(), revision - newest);
}

TEST_F(SnapshotTest, AreTakenAfterSoManyBytes) {
  SessionTable::Options options = Options();
  options.snapshots = {.commands = 0, .bytes = 100'000};
  Restart(options);
  Command large{1, CreateFile{.path = "/large", .data = ""}};
  std::get<CreateFile>(large.op).content = FileContent::kBytes;
  std::get<CreateFile>(large.op).data = std::string(60'000, 'x');
  ASSERT_TRUE(Run("lab", large).ok());
  EXPECT_THAT(Snapshots("lab"), IsEmpty());
  ASSERT_TRUE(Run("lab", large).ok());
  AwaitAutomatic("lab", 1);
  EXPECT_EQ(Snapshots("lab")[0].revision, 23);
}

TEST_F(SnapshotTest, AreThinnedSoThatTheySpreadOverTheHistory) {
  Restart(Options(5));
  std::string newest;
  for (int taken = 0; taken < 40; ++taken) {
    const std::string before = newest;
    while (newest == before) {
      DoSome("lab", 1);
      const std::vector<SnapshotInfo> snapshots = Snapshots("lab");
      if (!snapshots.empty()) newest = snapshots.back().id;
      // One more until the thread that took it has thinned them.
      EXPECT_LE(static_cast<int64_t>(snapshots.size()),
                limits::kAutomaticSnapshotsMax + 1);
    }
  }
  const int64_t last = table().Get("lab")->revision;
  int64_t before = 0;
  for (const SnapshotInfo& s : Snapshots("lab")) {
    EXPECT_LE(s.revision - before, last / 2) << "a part is far from all";
    before = s.revision;
  }
  EXPECT_TRUE(table().Verify("lab", {})->ok());
}

TEST_F(SnapshotTest, OfUsersAreNotThinned) {
  ASSERT_TRUE(Snapshot("lab", "mine", 5).ok());
  Restart(Options(2));
  for (int i = 0; i < 60; ++i) {
    DoSome("lab", 2);
    if (i % 10 == 0) AwaitAutomatic("lab", 1);
  }
  EXPECT_TRUE(table().GetSnapshot("lab", "mine").ok());
}

TEST_F(SnapshotTest, AClosedSessionGetsNone) {
  UseSyncedDisk();
  Restart(Options(1));
  {
    WriterStop stop(store());
    PendingRun run;
    PendingInfo close;
    table().Execute("lab", Poke(0), {}, run.answer());
    table().Close("lab", close.answer());
    stop.Release();
    ASSERT_TRUE(run.Wait().ok());
    ASSERT_TRUE(close.Wait().ok());
  }
  Stop();  // finishes or gives up what is under way
  Open(Options());
  for (const SnapshotInfo& s : Snapshots("lab")) {
    EXPECT_LE(s.revision, 22);
  }
  ASSERT_TRUE(Delete("lab").ok());
  ASSERT_TRUE(Create("lab").ok());
  EXPECT_THAT(Snapshots("lab"), IsEmpty());
}

// Whatever a snapshot does, the command has its answer.
TEST_F(SnapshotTest, NeverFailACommand) {
  Restart(Options(1));
  ASSERT_TRUE(Run("lab", Poke(0)).ok());
  AwaitAutomatic("lab", 1);
  Stop();
  storage::ExecuteOn(database(), "DROP TABLE image_blocks");
  Open(Options(1));
  for (uint64_t i = 0; i < 20; ++i) {
    const auto run = Run("lab", Poke(i));
    ASSERT_TRUE(run.ok()) << run.status();
  }
  EXPECT_EQ(table().Get("lab")->revision, 42);
}

storage::SnapshotRecord At(int64_t revision, int64_t version = 1) {
  storage::SnapshotRecord record;
  record.id = absl::StrCat(revision);
  record.revision = revision;
  record.state_version = version;
  return record;
}

TEST(SnapshotsToDropTest, KeepsTheNewestAndSpreadsTheOthers) {
  EXPECT_THAT(SnapshotsToDrop({}, 1, 3), IsEmpty());
  EXPECT_THAT(SnapshotsToDrop({At(1), At(2), At(3)}, 1, 3), IsEmpty());
  EXPECT_THAT(SnapshotsToDrop({At(10), At(20), At(21), At(30)}, 1, 3),
              ElementsAre("21"));
  EXPECT_THAT(SnapshotsToDrop({At(10), At(20), At(30), At(40)}, 1, 3),
              ElementsAre("10"));
  EXPECT_THAT(SnapshotsToDrop({At(10), At(20), At(30), At(31)}, 1, 1),
              ElementsAre("30", "10", "20"));
  EXPECT_THAT(SnapshotsToDrop({At(5)}, 1, 0), IsEmpty());
}

TEST(SnapshotsToDropTest, OthersStateVersionsGoFirst) {
  EXPECT_THAT(SnapshotsToDrop({At(10), At(11, 2), At(500, 2), At(900)}, 1, 2),
              ElementsAre("11", "500"));
}

TEST(SnapshotsToDropTest, NoPartOfALongHistoryIsFarAway) {
  std::vector<storage::SnapshotRecord> kept;
  for (int64_t revision = 10; revision <= 10'000; revision += 10) {
    kept.push_back(At(revision));
    for (const std::string& id : SnapshotsToDrop(kept, 1, 16)) {
      kept.erase(std::find_if(kept.begin(), kept.end(),
                              [&](const auto& s) { return s.id == id; }));
    }
    ASSERT_LE(kept.size(), 16u);
    ASSERT_EQ(kept.back().revision, revision);
    int64_t before = 0;
    for (const storage::SnapshotRecord& s : kept) {
      ASSERT_LE(s.revision - before, std::max<int64_t>(10, revision / 4))
          << "at " << revision;
      before = s.revision;
    }
  }
}

TEST(SnapshotPaceTest, ALargeMachineTakesMoreCommands) {
  storage::Store::Options options;
  options.path = ":memory:";
  auto store = storage::MustOpen(options);
  AutomaticSnapshots snapshots(*store, {.commands = 10, .bytes = 0});
  SnapshotPace pace;
  pace.commands = 10;
  EXPECT_TRUE(snapshots.Due(pace));
  pace.machine_bytes = 4 * limits::kSnapshotWorthBytes;
  EXPECT_FALSE(snapshots.Due(pace));
  pace.commands = 40;
  EXPECT_TRUE(snapshots.Due(pace));
  pace.under_way = true;
  EXPECT_FALSE(snapshots.Due(pace));
  const AutomaticSnapshots off(*store, {.commands = 0, .bytes = 0});
  pace.under_way = false;
  EXPECT_FALSE(off.Due(pace));
}

}  // namespace
}  // namespace faultline::testing

// A replay gives what is recorded, or names the first place where it does not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

using ::testing::HasSubstr;

class ReplayTest : public SessionTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(Create("lab").ok());
    ASSERT_TRUE(RunBatch("lab", SomeCommands(30)).ok());
    ASSERT_TRUE(Run("lab", {1, Fork{}}, WithId("fork")).ok());
    ASSERT_TRUE(Run("lab", Poke(3)).ok());
  }
  static constexpr int64_t kRevisions = 33;

  // Copies the session, entry by entry, with a change.
  void Copy(const std::string& to,
            const std::function<void(storage::Entry&)>& change) {
    auto record = store().GetSession("lab");
    ASSERT_TRUE(record.ok());
    record->id = to;
    ASSERT_TRUE(storage::Wait([&](storage::Done done) {
                  return store().CreateSession(*record, std::move(done));
                }).ok());
    for (storage::Entry entry : storage::Read(store(), "lab").entries) {
      change(entry);
      ASSERT_TRUE(storage::Append(store(), to, std::move(entry)).ok());
    }
  }
};

TEST_F(ReplayTest, EveryOutcomeIsAsRecorded) {
  const auto report = table().Replay("lab", 0, {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->commands, kRevisions);
  EXPECT_EQ(report->equal, kRevisions);
  EXPECT_FALSE(report->divergence.has_value());
  ASSERT_TRUE(report->fingerprint.has_value());
  EXPECT_EQ(report->fingerprint->total, FingerprintOfLive("lab"));
}

TEST_F(ReplayTest, ManyAccessesAreReplayedAndVerified) {
  std::vector<Command> commands;
  for (uint64_t i = 0; i < 20; ++i) {
    AccessMany many{.base = kArea, .kind = {AccessKind::kWrite}};
    for (uint64_t j = 0; j < 100; ++j) {
      many.addr.push_back((i * 7919 + j * 104729) % (4 * 4096));
    }
    commands.push_back({1, many});
  }
  const auto batch = RunBatch("lab", commands);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->outcomes.back().accesses, 100U);
  const uint64_t fingerprint = FingerprintOfLive("lab");
  const auto report = table().Verify("lab", {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok());
  EXPECT_EQ(report->replay->equal, kRevisions + 20);
  EXPECT_EQ(report->replay->fingerprint->total, fingerprint);
}

TEST_F(ReplayTest, GoesToTheRevisionAskedFor) {
  const auto report = table().Replay("lab", 7, {});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->commands, 7);
  EXPECT_EQ(report->equal, 7);
  EXPECT_EQ(report->fingerprint->revision, 7);
  EXPECT_EQ(Reason(table().Replay("lab", kRevisions + 1, {})),
            "REVISION_OUT_OF_RANGE");
}

TEST_F(ReplayTest, OfAnEmptyHistoryIsAMachineThatJustBooted) {
  ASSERT_TRUE(Create("empty").ok());
  const auto report = table().Replay("empty", 0, {});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->commands, 0);
  EXPECT_EQ(report->fingerprint->total, Machine(SmallConfig()).Fingerprint());
}

TEST_F(ReplayTest, NamesTheFirstOutcomeThatDiffers) {
  Copy("copy", [](storage::Entry& entry) {
    if (entry.revision == 5 || entry.revision == 9) entry.digest[0] ^= 1;
  });
  const auto report = table().Replay("copy", 0, {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->commands, kRevisions);
  EXPECT_EQ(report->equal, 4);
  ASSERT_TRUE(report->divergence.has_value());
  const Divergence& divergence = *report->divergence;
  EXPECT_EQ(divergence.kind, DivergenceKind::kDifferent);
  EXPECT_EQ(divergence.revision, 5);
  EXPECT_TRUE(divergence.command.has_access());
  EXPECT_EQ(*divergence.recorded_digest ^ 1, *divergence.digest);
  EXPECT_EQ(divergence.outcome->Digest(), *divergence.digest);
  ASSERT_TRUE(divergence.after.has_value());
  EXPECT_FALSE(divergence.after->subsystems.empty());
  EXPECT_THAT(divergence.Say(), HasSubstr("revision 5: "));
  EXPECT_THAT(divergence.Say(), HasSubstr("access"));
}

TEST_F(ReplayTest, NoMachineIsServedWhoseReplayDiffers) {
  Copy("copy", [](storage::Entry& entry) {
    if (entry.revision == 5) entry.digest[0] ^= 1;
  });
  const auto run = Run("copy", Poke(0));
  EXPECT_EQ(Reason(run), "HISTORY_CORRUPT");
  EXPECT_THAT(std::string(run.status().message()), HasSubstr("revision 5"));
  EXPECT_TRUE(Run("lab", Poke(0)).ok());
}

TEST_F(ReplayTest, ACommandThatIsNoneIsNamed) {
  Copy("copy", [](storage::Entry& entry) {
    if (entry.revision == 6) entry.command = "\xff\xff";
  });
  const auto replay = table().Replay("copy", 0, {});
  EXPECT_EQ(Reason(replay), "HISTORY_CORRUPT");
  EXPECT_THAT(std::string(replay.status().message()), HasSubstr("revision 6"));
  EXPECT_TRUE(table().Replay("copy", 5, {}).ok());
}

TEST_F(ReplayTest, TellsItsProgressAndStopsWhenTold) {
  std::vector<int64_t> seen;
  const auto report = table().Replay("lab", 0, [&](int64_t done, int64_t all) {
    EXPECT_EQ(all, kRevisions);
    seen.push_back(done);
    return true;
  });
  ASSERT_TRUE(report.ok());
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.front(), 0);
  EXPECT_EQ(seen.back(), kRevisions);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(Reason(table().Replay(
                "lab", 0, [](int64_t done, int64_t) { return done < 3; })),
            "CANCELLED");
}

TEST_F(ReplayTest, VerifyChecksTheJournalTheReplayTheInvariantsAndTheMachine) {
  const auto report = table().Verify("lab", {});
  ASSERT_TRUE(report.ok()) << report.status();
  std::string names;
  for (const VerifyReport::Check& check : report->checks) {
    EXPECT_TRUE(check.ok) << check.name << ": " << check.text;
    names += check.name + " ";
  }
  EXPECT_EQ(names, "journal replay invariants live ");
  EXPECT_EQ(report->replay->equal, kRevisions);
}

TEST_F(ReplayTest, VerifyOfASleepingSessionLeavesItAsleep) {
  Restart();
  const auto report = table().Verify("lab", {});
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->ok());
  EXPECT_EQ(report->checks.size(), 3);
  EXPECT_EQ(table().live_machines(), 0);
}

TEST_F(ReplayTest, VerifyFindsAMachineThatIsNotWhatTheJournalSays) {
  const auto view = Look("lab");
  ASSERT_TRUE(view.ok());
  MachineView wrong = **view;
  wrong.machine.Apply(Poke(29, 99));
  const auto report = Verify(store(), "lab", ApplyRunner(), &wrong, Progress());
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->ok());
  EXPECT_EQ(report->checks.back().name, "live");
  EXPECT_FALSE(report->checks.back().ok);
  EXPECT_THAT(report->checks.back().text, HasSubstr("differs"));
}

TEST_F(ReplayTest, FingerprintsAreOfTheRevisionAskedFor) {
  const auto now = table().Fingerprint("lab", absl::nullopt, {});
  ASSERT_TRUE(now.ok());
  EXPECT_EQ(now->revision, kRevisions);
  EXPECT_EQ(now->total, FingerprintOfLive("lab"));
  const auto boot = table().Fingerprint("lab", 0, {});
  ASSERT_TRUE(boot.ok());
  EXPECT_EQ(boot->total, Machine(SmallConfig()).Fingerprint());
  const auto between = table().Fingerprint("lab", 9, {});
  ASSERT_TRUE(between.ok());
  EXPECT_EQ(between->revision, 9);
  EXPECT_NE(between->total, now->total);
  ASSERT_TRUE(Close("lab").ok());
  const auto closed = table().Fingerprint("lab", absl::nullopt, {});
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->total, now->total);
}

TEST_F(ReplayTest, TheSessionTakesCommandsMeanwhile) {
  bool ran = false;
  const auto report = table().Replay("lab", 0, [&](int64_t, int64_t) {
    if (!ran) ran = Run("lab", Poke(1)).ok();
    return true;
  });
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(ran);
  EXPECT_EQ(report->equal, kRevisions);
}

}  // namespace
}  // namespace faultline::testing

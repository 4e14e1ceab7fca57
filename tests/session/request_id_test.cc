// A request id makes a repetition harmless, whatever happened in between.

#include <gtest/gtest.h>

#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

class RequestIdTest : public SessionTest {
 protected:
  void SetUp() override {
    UseDisk();
    Open();
    ASSERT_TRUE(Create("lab").ok());
    ASSERT_TRUE(Run("lab", MapPages(4)).ok());
  }
  int64_t Revision() { return table().Get("lab")->revision; }
};

TEST_F(RequestIdTest, ARepetitionIsAnsweredAndNotExecuted) {
  const auto first = Run("lab", Poke(0), WithId("a"));
  ASSERT_TRUE(first.ok());
  ASSERT_FALSE(first->outcome.events.empty());
  ASSERT_TRUE(Run("lab", Poke(1)).ok());
  const auto again = Run("lab", Poke(0), WithId("a"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision, first->revision);
  EXPECT_EQ(again->outcome.Digest(), first->outcome.Digest());
  EXPECT_EQ(again->outcome.min_flt, 1);
  EXPECT_TRUE(again->outcome.events.empty());
  EXPECT_EQ(Revision(), 3);
}

TEST_F(RequestIdTest, ARepetitionNeedsNoExpectedRevision) {
  ExecuteOptions options = AtRevision(1);
  options.request_id = "a";
  const auto first = Run("lab", Poke(0), options);
  ASSERT_TRUE(first.ok());
  const auto again = Run("lab", Poke(0), options);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision, 2);
}

TEST_F(RequestIdTest, AnotherRequestOfTheSameIdIsRefused) {
  ASSERT_TRUE(Run("lab", Poke(0), WithId("a")).ok());
  EXPECT_EQ(Reason(Run("lab", Poke(1), WithId("a"))), "REQUEST_ID_REUSED");
  EXPECT_EQ(Reason(RunBatch("lab", {Poke(0), Poke(0)}, WithId("a"))),
            "REQUEST_ID_REUSED");
  EXPECT_EQ(Revision(), 2);
  EXPECT_TRUE(Run("lab", Poke(1), WithId("b")).ok());
}

TEST_F(RequestIdTest, AnIdNamesAWholeBatch) {
  const std::vector<Command> commands = {Poke(0), Poke(1), Poke(2)};
  const auto first = RunBatch("lab", commands, WithId("batch"));
  ASSERT_TRUE(first.ok());
  const auto again = RunBatch("lab", commands, WithId("batch"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision, 4);
  ASSERT_EQ(again->outcomes.size(), 3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(again->outcomes[i].Digest(), first->outcomes[i].Digest());
  }
  EXPECT_EQ(
      Reason(RunBatch("lab", {Poke(0), Poke(3), Poke(2)}, WithId("batch"))),
      "REQUEST_ID_REUSED");
  EXPECT_EQ(Reason(RunBatch("lab", {Poke(1), Poke(2)}, WithId("batch"))),
            "REQUEST_ID_REUSED");
  EXPECT_EQ(Revision(), 4);
}

TEST_F(RequestIdTest, ManyAccessesAreAnsweredWithTheirFaultsAgain) {
  const Command many{1, AccessMany{.addr = {kArea, kArea + 8192},
                                   .kind = {AccessKind::kRead},
                                   .count = {2, 1},
                                   .data = true}};
  const auto first = Run("lab", many, WithId("a"));
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->outcome.faulted.size(), 2U);
  EXPECT_EQ(first->outcome.data.size(), 3U);
  Restart();
  const auto again = Run("lab", many, WithId("a"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->outcome.Digest(), first->outcome.Digest());
  EXPECT_EQ(again->outcome.faulted[0].min_flt, 2U);
  Command other = many;
  std::get<AccessMany>(other.op).addr[1]++;
  EXPECT_EQ(Reason(Run("lab", other, WithId("a"))), "REQUEST_ID_REUSED");
}

TEST_F(RequestIdTest, IsKnownAfterARestart) {
  const auto first = Run("lab", Poke(0), WithId("a"));
  ASSERT_TRUE(first.ok());
  Restart();
  const auto again = Run("lab", Poke(0), WithId("a"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision, 2);
  EXPECT_EQ(again->outcome.Digest(), first->outcome.Digest());
  EXPECT_EQ(Reason(Run("lab", Poke(2), WithId("a"))), "REQUEST_ID_REUSED");
  EXPECT_EQ(Revision(), 2);
}

TEST_F(RequestIdTest, IsKnownAfterTheSessionWasClosed) {
  ASSERT_TRUE(Run("lab", Poke(0), WithId("a")).ok());
  ASSERT_TRUE(Close("lab").ok());
  const auto again = Run("lab", Poke(0), WithId("a"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision, 2);
  EXPECT_EQ(Reason(Run("lab", Poke(0), WithId("b"))), "SESSION_CLOSED");
}

TEST_F(RequestIdTest, ARepetitionWaitsForTheFirstThatIsStillBeingWritten) {
  UseSyncedDisk();
  Restart();
  WriterStop stop(store());
  std::vector<PendingRun> runs(3);
  for (PendingRun& run : runs) {
    table().Execute("lab", Poke(0), WithId("a"), run.answer());
  }
  PendingRun other;
  table().Execute("lab", Poke(1), WithId("a"), other.answer());
  EXPECT_EQ(Reason(Look("none")), "SESSION_NOT_FOUND");
  EXPECT_FALSE(runs.back().given());
  stop.Release();
  for (PendingRun& run : runs) {
    const auto result = run.Wait();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->revision, 2);
  }
  EXPECT_EQ(Reason(other.Wait()), "REQUEST_ID_REUSED");
  EXPECT_EQ(Revision(), 2);
}

}  // namespace
}  // namespace faultline::testing

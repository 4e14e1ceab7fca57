// Who is in a session, who may send commands, and who sent which.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/limits.h"
#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kAda[] = "sessions/lab/participants/ada";

ExecuteOptions SentBy(std::string participant) {
  ExecuteOptions options;
  options.participant = std::move(participant);
  options.peer = "ipv4:127.0.0.1:1";
  return options;
}

ExecuteOptions From(std::string peer) {
  ExecuteOptions options;
  options.peer = std::move(peer);
  return options;
}

class ParticipantsTest : public SessionTest {
 protected:
  void SetUp() override {
    UseDisk();
    Open({.runner = BreakingRunner()});
    ASSERT_TRUE(Create("lab").ok());
    ASSERT_TRUE(Run("lab", MapPages(8), From("setup")).ok());
  }

  absl::StatusOr<Joined> Join(const std::string& session, std::string id,
                              Role role = Role::kDriver) {
    Pending<absl::StatusOr<Joined>> pending;
    Participant participant;
    participant.id = std::move(id);
    participant.role = role;
    participant.display_name = "someone";
    participant.peer = "ipv4:127.0.0.1:40112";
    table().Join(session, std::move(participant), pending.answer());
    return pending.Wait();
  }
  absl::StatusOr<Participant> Leave(const std::string& session,
                                    const std::string& id) {
    Pending<absl::StatusOr<Participant>> pending;
    table().Leave(session, id, pending.answer());
    return pending.Wait();
  }
  std::vector<std::string> There(WhoLeft who_left = WhoLeft::kLeaveOut) {
    const auto list = table().ListParticipants("lab", "", who_left, 100);
    EXPECT_TRUE(list.ok()) << list.status();
    std::vector<std::string> ids;
    for (const Participant& one : *list) ids.push_back(one.id);
    return ids;
  }
  std::vector<std::string> Senders() {
    const auto page = table().ListCommands("lab", 1, 100, 1 << 20);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> senders;
    for (const RecordedCommand& one : page->commands) {
      senders.push_back(one.sender);
      EXPECT_GT(one.time, absl::Now() - absl::Hours(1));
      EXPECT_LE(one.time, absl::Now());
    }
    return senders;
  }
};

TEST_F(ParticipantsTest, AnybodyMayJoinAndIsListed) {
  const auto ada = Join("lab", "ada");
  ASSERT_TRUE(ada.ok()) << ada.status();
  EXPECT_EQ(ada->participant.id, "ada");
  EXPECT_EQ(ada->revision, 1);
  const auto chosen = Join("lab", "", Role::kObserver);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_FALSE(chosen->participant.id.empty());
  EXPECT_EQ(There().size(), 2u);
  const auto list = table().ListParticipants("lab", "", WhoLeft::kInclude, 1);
  ASSERT_EQ(list->size(), 1u);
  EXPECT_EQ(list->front().display_name, "someone");
  EXPECT_EQ(list->front().peer, "ipv4:127.0.0.1:40112");
  EXPECT_FALSE(list->front().leave_time.has_value());
}

TEST_F(ParticipantsTest, ACommandIsRecordedWithItsSender) {
  ASSERT_TRUE(Join("lab", "ada").ok());
  ASSERT_TRUE(Run("lab", Poke(0), SentBy("ada")).ok());
  ASSERT_TRUE(RunBatch("lab", {Poke(1), Poke(2)}, From("unix:")).ok());
  ASSERT_TRUE(Run("lab", Poke(3), SentBy("ada")).ok());
  EXPECT_THAT(Senders(), ElementsAre("setup", kAda, "unix:", "unix:", kAda));
  Restart();
  EXPECT_THAT(Senders(), ElementsAre("setup", kAda, "unix:", "unix:", kAda));
}

TEST_F(ParticipantsTest, ARepetitionKeepsTheFirstSender) {
  ASSERT_TRUE(Join("lab", "ada").ok());
  ExecuteOptions first = SentBy("ada");
  first.request_id = "once";
  ASSERT_TRUE(Run("lab", Poke(0), first).ok());
  ExecuteOptions second = From("ipv4:127.0.0.1:2");
  second.request_id = "once";
  const auto again = Run("lab", Poke(0), second);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision, 2);
  EXPECT_THAT(Senders(), ElementsAre("setup", kAda));
  // Whoever lost the answer gets it, having left or not.
  ASSERT_TRUE(Leave("lab", "ada").ok());
  EXPECT_TRUE(Run("lab", Poke(0), first).ok());
}

TEST_F(ParticipantsTest, OnlyDriversThatAreThereSendCommands) {
  ASSERT_TRUE(Join("lab", "ada").ok());
  ASSERT_TRUE(Join("lab", "bob", Role::kObserver).ok());
  EXPECT_EQ(Reason(Run("lab", Poke(0), SentBy("bob"))),
            "PARTICIPANT_IS_OBSERVER");
  EXPECT_EQ(Reason(Run("lab", Poke(0), SentBy("carol"))),
            "PARTICIPANT_NOT_FOUND");
  ASSERT_TRUE(Run("lab", Poke(0), SentBy("ada")).ok());
  const auto left = Leave("lab", "ada");
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_TRUE(left->leave_time.has_value());
  EXPECT_EQ(Reason(Run("lab", Poke(1), SentBy("ada"))),
            "PARTICIPANT_NOT_FOUND");
  EXPECT_EQ(table().Get("lab")->revision, 2);
}

TEST_F(ParticipantsTest, LeavesOnceAndForGood) {
  ASSERT_TRUE(Join("lab", "ada").ok());
  ASSERT_TRUE(Join("lab", "bob").ok());
  const auto first = Leave("lab", "ada");
  const auto second = Leave("lab", "ada");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->leave_time, first->leave_time);
  EXPECT_THAT(There(), ElementsAre("bob"));
  EXPECT_THAT(There(WhoLeft::kInclude), ElementsAre("ada", "bob"));
  EXPECT_EQ(Reason(Join("lab", "ada")), "PARTICIPANT_ALREADY_EXISTS");
  EXPECT_EQ(Reason(Leave("lab", "carol")), "PARTICIPANT_NOT_FOUND");
}

TEST_F(ParticipantsTest, OutlivesTheServer) {
  ASSERT_TRUE(Join("lab", "ada").ok());
  ASSERT_TRUE(Join("lab", "bob").ok());
  ASSERT_TRUE(Leave("lab", "bob").ok());
  Restart();
  EXPECT_TRUE(Run("lab", Poke(0), SentBy("ada")).ok());
  EXPECT_EQ(Reason(Run("lab", Poke(0), SentBy("bob"))),
            "PARTICIPANT_NOT_FOUND");
  EXPECT_EQ(Reason(Join("lab", "bob")), "PARTICIPANT_ALREADY_EXISTS");
}

TEST_F(ParticipantsTest, NobodyJoinsWhereNothingCanBeDone) {
  EXPECT_EQ(Reason(Join("no-lab", "ada")), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(Leave("no-lab", "ada")), "SESSION_NOT_FOUND");
  ASSERT_TRUE(Join("lab", "ada").ok());
  ASSERT_TRUE(Close("lab").ok());
  EXPECT_EQ(Reason(Join("lab", "bob")), "SESSION_CLOSED");
  EXPECT_TRUE(Leave("lab", "ada").ok());
  ASSERT_TRUE(Create("broken").ok());
  EXPECT_EQ(Reason(Run("broken", Breaker())), "SIMULATOR_BUG");
  EXPECT_EQ(Reason(Join("broken", "bob")), "SESSION_PANICKED");
  ASSERT_TRUE(Delete("lab").ok());
  EXPECT_EQ(Reason(Join("lab", "bob")), "SESSION_NOT_FOUND");
  ASSERT_TRUE(Create("lab").ok());
  EXPECT_THAT(There(WhoLeft::kInclude), IsEmpty());
}

TEST_F(ParticipantsTest, ASessionHasNotMoreThanItMay) {
  std::vector<PendingStatus> pending(limits::kParticipantsPerSessionMax);
  for (size_t i = 0; i < pending.size(); ++i) {
    const absl::Status refused =
        store().JoinSession("lab",
                            {.id = absl::StrCat("p", i),
                             .role = 1,
                             .display_name = "",
                             .peer = "",
                             .join_time = absl::Now(),
                             .leave_time = absl::nullopt},
                            pending[i].answer());
    ASSERT_TRUE(refused.ok()) << refused;
  }
  for (PendingStatus& one : pending) ASSERT_TRUE(one.Wait().ok());
  EXPECT_EQ(Reason(Join("lab", "ada")), "PARTICIPANTS_LIMIT");
  ASSERT_TRUE(Leave("lab", "p0").ok());
  EXPECT_EQ(Reason(Join("lab", "ada")), "PARTICIPANTS_LIMIT");
}

// Whoever is told that somebody has left sees no command of theirs after it.
TEST_F(ParticipantsTest, WhatIsUnderWayIsBeforeTheLeavingOrRefused) {
  ASSERT_TRUE(Join("lab", "ada").ok());
  std::vector<PendingRun> runs(200);
  Pending<absl::StatusOr<Participant>> leaving;
  for (size_t i = 0; i < runs.size(); ++i) {
    table().Execute("lab", Poke(i % 8), SentBy("ada"), runs[i].answer());
    if (i == 100) table().Leave("lab", "ada", leaving.answer());
  }
  ASSERT_TRUE(leaving.Wait().ok());
  for (size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(Reason(runs[i].Wait()), i <= 100 ? "" : "PARTICIPANT_NOT_FOUND")
        << i;
  }
}

TEST_F(ParticipantsTest, AJournalThatFailsRefusesToJoin) {
  ASSERT_TRUE(Join("lab", "ada").ok());
  Stop();
  storage::ExecuteOn(database(), "UPDATE participants SET role = 9");
  Open();
  EXPECT_EQ(Reason(Run("lab", Poke(0), SentBy("ada"))), "HISTORY_CORRUPT");
  EXPECT_TRUE(Run("lab", Poke(0)).ok()) << "the others go on";
}

}  // namespace
}  // namespace faultline::testing

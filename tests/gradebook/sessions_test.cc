// The sessions of attempts: how they begin, what is graded of them, and what
// becomes of an attempt when something happens to its session.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "server/codec/command.h"
#include "server/grading/variant.h"
#include "server/machine/base/bug.h"
#include "tests/gradebook/gradebook_testing.h"
#include "tests/grading/grading_testing.h"

namespace faultline::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class AttemptSessionTest : public GradebookTest {};

TEST_F(AttemptSessionTest, BeginsWhereTheSetUpEnds) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  const std::string session = SessionOf(attempt);
  EXPECT_THAT(session, StartsWith("touch-a"));
  const auto info = table().Get(session);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->revision, attempt.start_revision());
  const grading::Exercise exercise = grading::MustRead(TouchYaml());
  const grading::Played played(exercise, "ada@x.edu");
  EXPECT_EQ(FingerprintOfLive(session),
            played.stage().trial->machine().Fingerprint());
  const auto page = table().ListCommands(session, 1, 10, 1 << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->commands.size(), 2);
  EXPECT_EQ(page->commands[0].sender, "exercises/touch");
  for (const char* check : {"journal", "replay", "invariants"}) {
    EXPECT_TRUE(Verified(session, check).ok) << check;
  }
}

TEST_F(AttemptSessionTest, IsGradedByWhatTheMachineDid) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  const int n = PagesOf(attempt);
  Touch(attempt, n);
  HandIn(attempt);
  BeginAgain();
  const v1::Grade grade = Grade(attempt, "", "sesame");
  EXPECT_EQ(grade.report().score(), 4) << grade.DebugString();
  EXPECT_EQ(grade.report().submission(),
            absl::StrCat(attempt.session(), "@", 2 + n));
  EXPECT_EQ(CheckOf(grade, "faults").evidence(),
            absl::StrCat(attempt.session(), "@", 2 + n));
  EXPECT_EQ(grade.report().message(), "");
}

TEST_F(AttemptSessionTest, WhatComesAfterTheHandedInRevisionDoesNotCount) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  const int n = PagesOf(attempt);
  Touch(attempt, n - 1);
  HandIn(attempt);
  MustRun(SessionOf(attempt), TouchPage(n - 1));
  EXPECT_EQ(Grade(attempt, "", "sesame").report().score(), 1);
}

TEST_F(AttemptSessionTest, ARuleThatIsBrokenEndsWhatCounts) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  MustRun(SessionOf(attempt), TouchPage(0));
  MustRun(SessionOf(attempt), {1, Fork{}});
  Touch(attempt, PagesOf(attempt));
  HandIn(attempt);
  const v1::Grade grade = Grade(attempt, "", "sesame");
  EXPECT_EQ(grade.report().score(), 1) << "the first page holds its byte";
  EXPECT_THAT(grade.report().message(),
              HasSubstr("revision 4: fork is not allowed here"));
}

TEST_F(AttemptSessionTest, ABudgetThatIsUsedUpEndsWhatCounts) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  for (int i = 0; i < 20; ++i) MustRun(SessionOf(attempt), TouchPage(15));
  Touch(attempt, PagesOf(attempt));
  HandIn(attempt);
  const v1::Grade grade = Grade(attempt, "", "sesame");
  EXPECT_EQ(grade.report().score(), 0);
  EXPECT_THAT(grade.report().message(), HasSubstr("21 commands of 20"));
}

// Grading keeps each command and what it gave: a session that is full of data
// is not graded to its end.
TEST_F(AttemptSessionTest, TooMuchDataEndsWhatCounts) {
  Add(Replaced(TouchYaml(), ", budget: {commands: 20}", ""));
  const v1::Attempt attempt = Start("touch");
  const std::string session = SessionOf(attempt);
  CreateFile file;
  file.path = "/big";
  file.size = limits::kDataBytesMax;
  MustRun(session, {1, file});
  faultline::Open open;
  open.path = file.path;
  MustRun(session, {1, open});
  const Read read{.fd = 3, .length = limits::kDataBytesMax};
  for (int i = 0; i < 17; ++i) MustRun(session, {1, read});
  HandIn(attempt);
  EXPECT_THAT(Grade(attempt).report().message(),
              HasSubstr("revision 21: more than 33554432 bytes"));
}

TEST_F(AttemptSessionTest, WhoeverSentACommandItCounts) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  const std::string session = SessionOf(attempt);
  Pending<absl::StatusOr<Joined>> joined;
  Participant eve;
  eve.id = "eve";
  eve.role = Role::kDriver;
  table().Join(session, eve, joined.answer());
  ASSERT_TRUE(joined.Wait().ok());
  for (int i = 0; i < PagesOf(attempt); ++i) {
    ExecuteOptions options;
    if (i % 2 == 0) options.participant = "eve";
    MustRun(session, TouchPage(i), options);
  }
  HandIn(attempt);
  EXPECT_EQ(Grade(attempt, "", "sesame").report().score(), 4);
}

TEST_F(AttemptSessionTest, OneThatIsClosedIsHandedInAndGraded) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  Touch(attempt, PagesOf(attempt));
  ASSERT_TRUE(Close(SessionOf(attempt)).ok());
  HandIn(attempt);
  EXPECT_EQ(Grade(attempt, "", "sesame").report().score(), 4);
}

TEST_F(AttemptSessionTest, OneThatPanickedIsGradedUpToThen) {
  End();
  table_options.runner = BreakingRunner();
  Begin();
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  Touch(attempt, PagesOf(attempt));
  EXPECT_EQ(Reason(Run(SessionOf(attempt), Breaker())), "SIMULATOR_BUG");
  EXPECT_EQ(HandIn(attempt).submitted_revision(), 2 + PagesOf(attempt) + 1);
  const v1::Grade grade = Grade(attempt, "", "sesame");
  EXPECT_EQ(grade.report().score(), 4);
  EXPECT_THAT(grade.report().message(), HasSubstr("a fault of its own"));
}

TEST_F(AttemptSessionTest, OneThatWasDeletedCannotBeHandedInOrGraded) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch", "ada", "r1");
  Touch(attempt, 1);
  HandIn(attempt);
  ASSERT_TRUE(Delete(SessionOf(attempt)).ok());
  for (const auto& status :
       {TryHandIn(attempt).status(), TryGrade(attempt).status()}) {
    EXPECT_EQ(Reason(status), "SESSION_NOT_FOUND");
    EXPECT_THAT(std::string(status.message()), HasSubstr("was deleted"));
  }
  EXPECT_EQ(Start("touch", "ada", "r1").name(), attempt.name());
  EXPECT_THAT(SessionIds(), IsEmpty()) << "it is not made again";
}

// What a student made in its place is not what was set up.
TEST_F(AttemptSessionTest, AnotherOfItsNameIsNotTheAttempts) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  HandIn(attempt);
  const auto before = table().Get(SessionOf(attempt));
  ASSERT_TRUE(before.ok());
  ASSERT_TRUE(Delete(SessionOf(attempt)).ok());
  ASSERT_TRUE(Create(SessionOf(attempt), before->config).ok());
  Touch(attempt, 5);
  EXPECT_EQ(Reason(TryHandIn(attempt)), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(TryGrade(attempt)), "SESSION_NOT_FOUND");
}

// Of a table whose machines do something else than grading's.
TEST_F(AttemptSessionTest, AHistoryThatCannotBeRepeatedIsDataLoss) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  End();
  table_options.runner = [](Machine& machine, const Command& command,
                            EventLevel level) {
    Outcome outcome = machine.Apply(command, level);
    outcome.value += 1;
    return outcome;
  };
  Begin();
  const auto info = table().Get(SessionOf(attempt));
  ASSERT_TRUE(info.ok());
  Add(Replaced(TouchYaml(), "id: touch", "id: odd"));
  const v1::Attempt odd = Start("odd");
  Touch(odd, 1);
  HandIn(odd);
  const auto refused = TryGrade(odd);
  EXPECT_EQ(Reason(refused), "HISTORY_CORRUPT");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("revision 3"));
}

TEST_F(AttemptSessionTest, ADamagedJournalIsDataLoss) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  Touch(attempt, 3);
  HandIn(attempt);
  End();
  storage::ExecuteOn(database(),
                     "UPDATE journal_chunks SET hash = zeroblob(32)");
  Begin();
  const auto refused = TryGrade(attempt);
  EXPECT_EQ(Reason(refused), "HISTORY_CORRUPT");
  EXPECT_FALSE(Get(attempt).graded());
}

TEST_F(AttemptSessionTest, GradingThatNobodyWantsGivesNone) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  Touch(attempt, 3);
  HandIn(attempt);
  const auto stopped =
      book().Grade({IdsOf(attempt), "", ""}, [] { return false; });
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(Get(attempt).graded());
}

TEST_F(AttemptSessionTest, WhatIsHandedInMeanwhileIsWhatIsGraded) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  Touch(attempt, PagesOf(attempt));
  HandIn(attempt, 3);
  bool first = true;
  const auto grade = book().Grade({IdsOf(attempt), "", "sesame"}, [&] {
    if (first) HandIn(attempt);
    first = false;
    return true;
  });
  ASSERT_TRUE(grade.ok()) << grade.status();
  EXPECT_EQ(grade->report().score(), 4);
  EXPECT_EQ(List("touch").size(), 1);
}

TEST_F(AttemptSessionTest, WhoHandsInAllTheTimeIsNotGraded) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  Touch(attempt, 1);
  HandIn(attempt);
  const auto grade = book().Grade({IdsOf(attempt), "", ""}, [&] {
    HandIn(attempt);
    return true;
  });
  EXPECT_EQ(Reason(grade), "SUBMISSION_REPLACED");
  EXPECT_EQ(grade.status().code(), absl::StatusCode::kAborted);
}

TEST_F(AttemptSessionTest, ASetUpThatBreaksTheSimulatorStartsNothing) {
  Add(TouchYaml());
  End();
  table_options.runner = [](Machine& machine, const Command& command,
                            EventLevel level) {
    VM_BUG_ON(std::holds_alternative<Access>(command.op));
    return machine.Apply(command, level);
  };
  Begin();
  for (int i = 0; i < 2; ++i) {
    const auto broken = TryStart("touch", "ada");
    EXPECT_EQ(Reason(broken), "SIMULATOR_BUG");
    EXPECT_EQ(broken.status().code(), absl::StatusCode::kInternal);
  }
  ASSERT_EQ(SessionIds().size(), 1) << "it is kept, to be looked into";
  ASSERT_TRUE(Delete(SessionIds().front()).ok());
  End();
  table_options.runner = {};
  Begin();
  EXPECT_EQ(Start("touch", "ada").number(), 1);
}

}  // namespace
}  // namespace faultline::testing

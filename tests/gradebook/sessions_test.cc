// The sessions of attempts: how they begin, what is graded of them, and what
// becomes of an attempt when something happens to its session.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "server/codec/command.h"
#include "server/grading/variant.h"
#include "tests/gradebook/gradebook_testing.h"
#include "tests/grading/grading_testing.h"
#include "tests/storage/fault_vfs.h"

namespace faultline::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class AttemptSessionTest : public GradebookTest {
 protected:
  int PagesOf(const v1::Attempt& attempt) {
    const grading::Exercise exercise = grading::MustRead(TouchYaml());
    const grading::Played played(exercise, attempt.student());
    return static_cast<int>(played.values().at("n").number());
  }
  std::vector<std::string> SessionIds() {
    std::vector<std::string> ids;
    const auto all = table().List("", 1000);
    EXPECT_TRUE(all.ok()) << all.status();
    for (const SessionInfo& info : *all) ids.push_back(info.id);
    return ids;
  }
  void MustRun(const std::string& session, Command command,
               ExecuteOptions options = {}) {
    const auto ran = Run(session, std::move(command), std::move(options));
    ASSERT_TRUE(ran.ok()) << ran.status();
  }
};

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

// --- A server that dies while an attempt is started

class HalfStartedTest : public AttemptSessionTest {
 protected:
  void SetUp() override {
    UseDisk(vfs_.name());
    Begin();
    Add(TouchYaml());
  }
  // Fails the `nth` write that starting an attempt makes; the server then stops
  // and starts again. False when there are not so many.
  bool StartIsCutAt(int64_t nth, const std::string& student,
                    const std::string& request_id) {
    vfs_.FailChange(nth, storage::FaultVfs::Fault::kIoError,
                    storage::FaultVfs::Times::kForever);
    const auto started = TryStart("touch", student, request_id);
    const bool cut = vfs_.failed();
    EXPECT_EQ(started.ok(), !cut) << started.status();
    EXPECT_EQ(Reason(started), cut ? "JOURNAL_UNAVAILABLE" : "");
    End();
    vfs_.Heal();
    Begin();
    return cut;
  }

  storage::FaultVfs vfs_;
};

TEST_F(HalfStartedTest, WhateverIsMissingARetryMakes) {
  int64_t nth = 1;
  for (;; ++nth) {
    const std::string student = absl::StrCat("student-", nth);
    const std::string request = absl::StrCat("r", nth);
    const bool cut = StartIsCutAt(nth, student, request);
    const v1::Attempt attempt = Start("touch", student, request);
    EXPECT_EQ(attempt.number(), 1);
    EXPECT_EQ(table().Get(SessionOf(attempt))->revision, 2);
    EXPECT_EQ(SessionIds().size(), nth) << "no session is left over";
    EXPECT_EQ(Reason(TryStart("touch", student)), "ATTEMPTS_USED");
    Touch(attempt, PagesOf(attempt));
    HandIn(attempt);
    EXPECT_EQ(Grade(attempt, "", "sesame").report().score(), 4);
    if (!cut) break;
  }
  EXPECT_GE(nth, 4) << "a session, a set-up, an attempt";
}

TEST_F(HalfStartedTest, ARetryNeedsNoRequestId) {
  int64_t nth = 1;
  while (StartIsCutAt(nth, "ada", "") && SessionIds().empty()) ++nth;
  ASSERT_EQ(SessionIds().size(), 1);
  const std::string left = SessionIds().front();
  EXPECT_EQ(SessionOf(Start("touch", "ada")), left);
}

// Between the death of the server and the retry somebody takes the name.
class TakenNameTest : public HalfStartedTest {
 protected:
  void SetUp() override {
    HalfStartedTest::SetUp();
    for (int64_t nth = 1; SessionIds().empty(); ++nth) {
      ASSERT_TRUE(StartIsCutAt(nth, "ada", "r1"));
    }
    id_ = SessionIds().front();
    config_ = table().Get(id_)->config;
    ASSERT_TRUE(Delete(id_).ok());
  }
  void ExpectTaken() {
    const auto refused = TryStart("touch", "ada", "r1");
    EXPECT_EQ(Reason(refused), "SESSION_NAME_TAKEN");
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
    ASSERT_TRUE(Delete(id_).ok());
    EXPECT_EQ(SessionOf(Start("touch", "ada", "r1")), id_);
  }

  std::string id_;
  MachineConfig config_;
};

TEST_F(TakenNameTest, ByAnotherMachine) {
  ASSERT_TRUE(Create(id_, SmallConfig(77)).ok());
  ExpectTaken();
}

TEST_F(TakenNameTest, ByOneThatHasDoneSomethingElse) {
  ASSERT_TRUE(Create(id_, config_).ok());
  MustRun(id_, MapPages(2));
  ExpectTaken();
}

TEST_F(TakenNameTest, ByOneThatIsClosed) {
  ASSERT_TRUE(Create(id_, config_).ok());
  ASSERT_TRUE(Close(id_).ok());
  ExpectTaken();
}

// It is at revision 0 and has the right configuration, and yet it is prepared.
TEST_F(TakenNameTest, ByOneRestoredFromASnapshot) {
  ASSERT_TRUE(Create("prepared", config_).ok());
  MustRun("prepared", MapPages(2));
  ASSERT_TRUE(Snapshot("prepared").ok());
  ASSERT_TRUE(Restore("prepared", id_).ok());
  ExpectTaken();
}

TEST_F(TakenNameTest, AnEmptySessionOfTheSameMachineIsAsGood) {
  ASSERT_TRUE(Create(id_, config_).ok());
  const v1::Attempt attempt = Start("touch", "ada", "r1");
  EXPECT_EQ(table().Get(id_)->revision, attempt.start_revision());
}

}  // namespace
}  // namespace faultline::testing

// Attempts: what is drawn, for whom, how often, and what may be handed in.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "server/grading/variant.h"
#include "tests/gradebook/gradebook_testing.h"
#include "tests/grading/grading_testing.h"

namespace faultline::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AttemptsTest : public GradebookTest {};

TEST_F(AttemptsTest, ShowWhatWasDrawnAsOffline) {
  for (const std::string& yaml : {GuessYaml(2), TouchYaml(2)}) {
    const grading::Exercise exercise = grading::MustRead(yaml);
    Add(yaml);
    const v1::Attempt attempt = Start(exercise.proto.id());
    const grading::Played played(exercise, "ada@x.edu");
    const auto variant =
        grading::ToVariant(exercise.proto, played.drawn(), played.stage());
    ASSERT_TRUE(variant.ok()) << variant.status();
    EXPECT_EQ(attempt.variant().SerializeAsString(),
              variant->SerializeAsString());
    EXPECT_EQ(attempt.student(), "ada@x.edu");
    EXPECT_EQ(attempt.number(), 1);
    EXPECT_EQ(attempt.attempts(), 2);
    EXPECT_FALSE(attempt.submitted());
    EXPECT_FALSE(attempt.graded());
    EXPECT_EQ(Get(attempt).SerializeAsString(), attempt.SerializeAsString());
  }
}

TEST_F(AttemptsTest, NeverHoldTheAnswers) {
  const std::string yaml = GuessYaml();
  Add(yaml);
  const v1::Attempt attempt = Start("guess");
  const grading::Exercise exercise = grading::MustRead(yaml);
  const grading::Answers solution =
      grading::Played(exercise, "ada@x.edu").Solution();
  EXPECT_THAT(attempt.SerializeAsString(), Not(HasSubstr(solution.at("n"))));
  EXPECT_THAT(attempt.SerializeAsString(), Not(HasSubstr(solution.at("at"))));
  EXPECT_THAT(attempt.SerializeAsString(), Not(HasSubstr("sesame")));
}

TEST_F(AttemptsTest, EachStudentHasAsManyAsTheExerciseSays) {
  Add(GuessYaml(2));
  EXPECT_EQ(Start("guess", "ada").number(), 1);
  EXPECT_EQ(Start("guess", "bob").number(), 1);
  BeginAgain();
  EXPECT_EQ(Start("guess", "ada").number(), 2);
  const auto refused = TryStart("guess", "ada");
  EXPECT_EQ(Reason(refused), "ATTEMPTS_USED");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("2 attempts"));
  EXPECT_EQ(Start("guess", "bob").number(), 2);
  Add(GuessYaml(3), Gradebook::Replace::kYes);
  EXPECT_EQ(Start("guess", "ada").number(), 3) << "the exercise gives more now";
}

TEST_F(AttemptsTest, ARepetitionIsAnsweredWithTheFirst) {
  Add(TouchYaml(1));
  const v1::Attempt first = Start("touch", "ada", "r1");
  EXPECT_EQ(Start("touch", "ada", "r1").SerializeAsString(),
            first.SerializeAsString());
  BeginAgain();
  EXPECT_EQ(Start("touch", "ada", "r1").SerializeAsString(),
            first.SerializeAsString());
  const auto other = TryStart("touch", "bob", "r1");
  EXPECT_EQ(Reason(other), "REQUEST_ID_REUSED");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Reason(TryStart("touch", "ada", "r2")), "ATTEMPTS_USED");
}

TEST_F(AttemptsTest, ARequestIdIsOneOfItsExercise) {
  Add(GuessYaml());
  Add(TouchYaml());
  EXPECT_EQ(Start("guess", "ada", "r").variant().exercise(), "guess");
  EXPECT_EQ(Start("touch", "bob", "r").variant().exercise(), "touch");
}

TEST_F(AttemptsTest, AVariantThatCannotBeDrawnIsTheExercisesFault) {
  End();
  book_options.lint_variants = 0;
  Begin();
  const std::string never =
      Replaced(GuessYaml(), "hide_setup: true", "require: [n < 0]");
  const std::string broken =
      Replaced(GuessYaml(), "writer $a 2 1p", "writer $a {n} 1");  // too many
  const std::string unanswerable =
      Replaced(GuessYaml(), "    answer: n\n", "    answer: n / (n - n)\n");
  for (const std::string& yaml : {never, broken, unanswerable}) {
    Add(yaml, Gradebook::Replace::kYes);
    const auto refused = TryStart("guess", "ada");
    EXPECT_EQ(Reason(refused), "VARIANT_IMPOSSIBLE") << yaml;
    EXPECT_THAT(std::string(refused.status().message()),
                Not(HasSubstr("n - n")))
        << "it would tell what is right";
  }
  Add(GuessYaml(), Gradebook::Replace::kYes);
  EXPECT_EQ(Start("guess", "ada").number(), 1) << "nothing was used up";
}

TEST_F(AttemptsTest, ThereAreOnlySoMany) {
  End();
  book_options.attempts_max = 2;
  Begin();
  Add(GuessYaml());
  Start("guess", "ada");
  EXPECT_EQ(Reason(TryStart("guess", "ada")), "ATTEMPTS_USED");
  Start("guess", "bob");
  EXPECT_EQ(Reason(TryStart("guess", "eve")), "ATTEMPTS_LIMIT");
  BeginAgain();
  EXPECT_EQ(Reason(TryStart("guess", "eve")), "ATTEMPTS_LIMIT");
}

TEST_F(AttemptsTest, StartsThatFailTakeNoRoom) {
  End();
  book_options.attempts_max = 1;
  table_options.sessions_max = 0;
  Begin();
  Add(TouchYaml());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Reason(TryStart("touch", "ada")), "SESSIONS_LIMIT");
  }
  End();
  table_options.sessions_max = 1;
  Begin();
  EXPECT_EQ(Start("touch", "ada").number(), 1);
}

// --- Handing in

TEST_F(AttemptsTest, AnswersTakeThePlaceOfThoseBefore) {
  Add(GuessYaml());
  const v1::Attempt attempt = Start("guess");
  const v1::Attempt first = Answer(attempt, {{"n", "1"}, {"faults", "2"}});
  EXPECT_TRUE(first.submitted());
  EXPECT_FALSE(first.graded());
  BeginAgain();
  Answer(attempt, {{"at", "0x1000"}});
  const v1::Grade grade = Grade(attempt);
  EXPECT_EQ(CheckOf(grade, "n").actual(), "");
  EXPECT_EQ(CheckOf(grade, "at").actual(), "0x1000");
  EXPECT_TRUE(Get(attempt).graded());
  EXPECT_EQ(Reason(TryAnswer(attempt, {{"n", "1"}})), "ATTEMPT_GRADED");
}

std::string FieldOf(const absl::StatusOr<v1::Attempt>& refused) {
  EXPECT_EQ(Reason(refused), "FIELD_INVALID") << refused.status();
  const std::string message(refused.status().message());
  return message.substr(0, message.find(": "));
}

TEST_F(AttemptsTest, WhatCannotBeAnAnswerIsRefused) {
  Add(GuessYaml());
  const v1::Attempt attempt = Start("guess");
  EXPECT_EQ(FieldOf(TryAnswer(attempt, {{"m", "1"}})), "answers.answers.m");
  const std::string longest(limits::kAnswerBytesMax, '1');
  EXPECT_EQ(FieldOf(TryAnswer(attempt, {{"n", longest + "1"}})),
            "answers.answers.n");
  Answers many;
  for (int i = 0; i <= limits::kChecksMax; ++i) many[absl::StrCat("q", i)];
  EXPECT_EQ(FieldOf(TryAnswer(attempt, many)), "answers.answers");
  EXPECT_EQ(FieldOf(TryHandIn(attempt)), "session");
  EXPECT_FALSE(Get(attempt).submitted());
  Answer(attempt, {{"n", longest}});
  Answer(attempt, {});
  EXPECT_EQ(Grade(attempt).report().status(), v1::REPORT_STATUS_GRADED);
}

TEST_F(AttemptsTest, ASessionIsHandedInAtARevisionOfTheStudents) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  ASSERT_EQ(attempt.start_revision(), 2);
  EXPECT_EQ(HandIn(attempt).submitted_revision(), 2);
  Touch(attempt, 3);
  EXPECT_EQ(HandIn(attempt).submitted_revision(), 5);
  EXPECT_EQ(HandIn(attempt, 4).submitted_revision(), 4);
  EXPECT_EQ(Get(attempt).submitted_revision(), 4);
  const auto beyond = TryHandIn(attempt, 6);
  EXPECT_EQ(Reason(beyond), "REVISION_OUT_OF_RANGE");
  EXPECT_EQ(beyond.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(FieldOf(TryHandIn(attempt, 1)), "session.revision");
  EXPECT_EQ(FieldOf(TryHandIn(attempt, -1)), "session.revision");
  EXPECT_EQ(FieldOf(TryAnswer(attempt, {{"faults", "1"}})), "answers");
  EXPECT_EQ(Get(attempt).submitted_revision(), 4);
}

TEST_F(AttemptsTest, AnAttemptThatIsNotThereIsNotFound) {
  Add(GuessYaml());
  v1::Attempt attempt;
  attempt.set_name("exercises/guess/attempts/a7f");
  EXPECT_EQ(Reason(book().GetAttempt(IdsOf(attempt))), "ATTEMPT_NOT_FOUND");
  EXPECT_EQ(Reason(TryAnswer(attempt, {})), "ATTEMPT_NOT_FOUND");
  EXPECT_EQ(Reason(TryGrade(attempt)), "ATTEMPT_NOT_FOUND");
}

}  // namespace
}  // namespace faultline::testing

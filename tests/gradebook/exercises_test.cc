// Exercises: what is taken, what is refused, and what stays when they go.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "server/grading/draw.h"
#include "tests/gradebook/gradebook_testing.h"

namespace faultline::testing {
namespace {

using ::testing::HasSubstr;

// The violations, a line each: "field: description".
std::string Violations(const absl::Status& status) {
  google::rpc::BadRequest bad;
  const auto payload =
      status.GetPayload("type.googleapis.com/google.rpc.BadRequest");
  if (!payload || !bad.ParseFromString(std::string(*payload))) return "";
  std::string text;
  for (const auto& v : bad.field_violations()) {
    absl::StrAppend(&text, v.field(), ": ", v.description(), "\n");
  }
  return text;
}

class ExercisesTest : public GradebookTest {};

TEST_F(ExercisesTest, KeepsWhatIsPublic) {
  const std::string yaml = GuessYaml(3);
  const v1::ExerciseSummary added = Add(yaml);
  EXPECT_EQ(added.name(), "exercises/guess");
  EXPECT_EQ(added.title(), "Guess");
  EXPECT_EQ(added.kind(), v1::EXERCISE_KIND_PREDICT);
  EXPECT_EQ(added.points(), 3) << "without the hidden question";
  EXPECT_EQ(added.attempts(), 3);
  EXPECT_EQ(added.sha256(), grading::Sha256Hex(yaml));
  EXPECT_EQ(added.create_time().seconds(), added.update_time().seconds());
  const auto read = book().GetExercise("guess");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), added.SerializeAsString());
  EXPECT_EQ(Add(TouchYaml()).kind(), v1::EXERCISE_KIND_ACHIEVE);
}

TEST_F(ExercisesTest, AreThereAfterARestart) {
  const v1::ExerciseSummary added = Add(GuessYaml());
  BeginAgain();
  const auto read = book().GetExercise("guess");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), added.SerializeAsString());
}

TEST_F(ExercisesTest, AreListedByNameAPageAtATime) {
  for (const char* id : {"b", "c", "a"}) {
    Add(Replaced(GuessYaml(), "id: guess", absl::StrCat("id: ", id)));
  }
  const auto names = [&](const std::string& after, int64_t limit) {
    std::string text;
    const auto page = book().ListExercises(after, limit);
    EXPECT_TRUE(page.ok()) << page.status();
    for (const auto& exercise : *page) absl::StrAppend(&text, exercise.name());
    return text;
  };
  EXPECT_EQ(names("", 2), "exercises/aexercises/b");
  EXPECT_EQ(names("b", 2), "exercises/c");
  EXPECT_EQ(names("c", 2), "");
}

TEST_F(ExercisesTest, OneOfTheSameNameIsReplacedOnlyWhenThatIsSaid) {
  const v1::ExerciseSummary first = Add(GuessYaml(1));
  EXPECT_EQ(Reason(TryAdd(GuessYaml(2))), "EXERCISE_ALREADY_EXISTS");
  EXPECT_EQ(book().GetExercise("guess")->attempts(), 1);
  const v1::ExerciseSummary second =
      Add(GuessYaml(2), Gradebook::Replace::kYes);
  EXPECT_EQ(second.attempts(), 2);
  EXPECT_NE(second.sha256(), first.sha256());
  EXPECT_EQ(second.create_time().SerializeAsString(),
            first.create_time().SerializeAsString());
  EXPECT_NE(second.update_time().SerializeAsString(),
            first.update_time().SerializeAsString());
}

TEST_F(ExercisesTest, WhatIsWrongIsSaidWithLineAndColumn) {
  const auto refused =
      TryAdd(Replaced(GuessYaml(), "    points: 2\n", "    points: -2\n"));
  EXPECT_EQ(Reason(refused), "FIELD_INVALID");
  EXPECT_THAT(Violations(refused.status()),
              ::testing::MatchesRegex("yaml: 1[0-9]:[0-9]+: .*points.*\n"));
  EXPECT_EQ(Reason(book().GetExercise("guess")), "EXERCISE_NOT_FOUND");
}

TEST_F(ExercisesTest, ASolutionThatDoesNotAchieveIsRefused) {
  const auto refused =
      TryAdd(Replaced(TouchYaml(), "solution: writer $a {n} 1p 1",
                      "solution: writer $a {n - 1} 1p 1"));
  EXPECT_EQ(Reason(refused), "FIELD_INVALID");
  EXPECT_THAT(Violations(refused.status()), HasSubstr("it does not achieve"));
}

TEST_F(ExercisesTest, ManyProblemsStillFitIntoAnError) {
  std::string yaml = "id: many\ntitle: Many\ntext: Many\nquestions:\n";
  for (int i = 0; i < 60; ++i) {
    absl::StrAppend(&yaml, "  - {id: q", i, ", text: '{", std::string(300, 'x'),
                    "}', answer: '1 +'}\n");
  }
  const auto refused = TryAdd(yaml);
  EXPECT_EQ(Reason(refused), "FIELD_INVALID");
  EXPECT_NE(Violations(refused.status()), "");
  EXPECT_LE(Violations(refused.status()).size(),
            limits::kFieldViolationsBytesMax);
}

TEST_F(ExercisesTest, WhatOnlyLooksWrongIsAWarning) {
  const std::string yaml = Replaced(GuessYaml(), "answer: n + 1", "answer: n");
  const auto created = book().CreateExercise(yaml, Gradebook::Replace::kNo, {});
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_EQ(created->warnings.size(), 1);
  EXPECT_THAT(created->warnings[0], HasSubstr("this is the right answer"));
}

TEST_F(ExercisesTest, AFileOrATitleCanBeTooLong) {
  std::string yaml = GuessYaml();
  absl::StrAppend(&yaml, "# ", std::string(limits::kExerciseBytesMax, 'x'));
  EXPECT_EQ(Reason(TryAdd(yaml)), "FIELD_INVALID");
  const auto refused =
      TryAdd(Replaced(GuessYaml(), "title: Guess",
                      absl::StrCat("title: ", std::string(257, 'x'))));
  EXPECT_THAT(Violations(refused.status()), HasSubstr("title: has 257 bytes"));
}

TEST_F(ExercisesTest, NobodyIsShownMoreThanAResponseHolds) {
  const std::string much(60'000, 'x');
  std::string yaml = absl::StrCat("id: much\ntitle: Much\ntext: Much\n",
                                  "variables:\n  - {name: x, choices: [", much,
                                  "]}\nsetup: brk 0\nquestions:\n");
  for (int i = 0; i < 20; ++i) {
    absl::StrAppend(&yaml, "  - {id: q", i, ", text: '{x}', answer: '1'}\n");
  }
  const auto refused = TryAdd(yaml);
  EXPECT_THAT(Violations(refused.status()),
              HasSubstr("what a student is shown has"));
}

TEST_F(ExercisesTest, WorkThatNobodyWantsEndsAndAddsNothing) {
  int asked = 0;
  const auto stopped = book().CreateExercise(
      GuessYaml(), Gradebook::Replace::kNo, [&] { return ++asked < 3; });
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(Reason(book().GetExercise("guess")), "EXERCISE_NOT_FOUND");
}

TEST_F(ExercisesTest, ThereAreOnlySoMany) {
  End();
  book_options.exercises_max = 1;
  Begin();
  Add(GuessYaml());
  EXPECT_EQ(Reason(TryAdd(TouchYaml())), "EXERCISES_LIMIT");
  Add(GuessYaml(2), Gradebook::Replace::kYes);
}

TEST_F(ExercisesTest, OneThatIsNotThereCannotBeReadOrDeleted) {
  EXPECT_EQ(Reason(book().GetExercise("guess")), "EXERCISE_NOT_FOUND");
  EXPECT_EQ(Reason(book().DeleteExercise("guess", Gradebook::Force::kNo)),
            "EXERCISE_NOT_FOUND");
  EXPECT_EQ(Reason(TryStart("guess", "ada")), "EXERCISE_NOT_FOUND");
  EXPECT_EQ(Reason(TryStart("guess", "ada", "r1")), "EXERCISE_NOT_FOUND");
  EXPECT_EQ(Reason(TryList("guess")), "EXERCISE_NOT_FOUND");
  EXPECT_EQ(Reason(book().GetAttempt({"guess", "a"})), "ATTEMPT_NOT_FOUND");
  EXPECT_EQ(Reason(book().Grade({{"guess", "a"}, "", ""}, {})),
            "ATTEMPT_NOT_FOUND");
}

TEST_F(ExercisesTest, AttemptsGoWithItByForceOnlyAndSessionsStay) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  EXPECT_EQ(Reason(book().DeleteExercise("touch", Gradebook::Force::kNo)),
            "EXERCISE_HAS_ATTEMPTS");
  EXPECT_EQ(Get(attempt).name(), attempt.name());
  ASSERT_TRUE(book().DeleteExercise("touch", Gradebook::Force::kYes).ok());
  EXPECT_EQ(Reason(book().GetAttempt(IdsOf(attempt))), "ATTEMPT_NOT_FOUND");
  EXPECT_TRUE(table().Get(SessionOf(attempt)).ok());
}

TEST_F(ExercisesTest, OneMadeAnewStartsAnew) {
  Add(TouchYaml());
  const v1::Attempt before = Start("touch");
  ASSERT_TRUE(book().DeleteExercise("touch", Gradebook::Force::kYes).ok());
  Add(TouchYaml());
  const v1::Attempt after = Start("touch");
  EXPECT_EQ(after.number(), 1);
  EXPECT_NE(after.session(), before.session());
  EXPECT_EQ(after.variant().SerializeAsString(),
            before.variant().SerializeAsString());
}

TEST_F(ExercisesTest, DamageIsDataLoss) {
  Add(GuessYaml());
  const v1::Attempt attempt = Start("guess");
  Answer(attempt, {{"n", "1"}});
  Grade(attempt);
  End();
  storage::ExecuteOn(database(), "UPDATE grades SET report = x'00'");
  storage::ExecuteOn(database(), "UPDATE attempts SET drawn = x'00'");
  Begin();
  EXPECT_EQ(Reason(TryList("guess")), "GRADE_CORRUPT");
  EXPECT_EQ(Reason(book().GetAttempt(IdsOf(attempt))), "ATTEMPT_CORRUPT");
  EXPECT_EQ(Reason(TryGrade(attempt)), "ATTEMPT_CORRUPT");
}

}  // namespace
}  // namespace faultline::testing

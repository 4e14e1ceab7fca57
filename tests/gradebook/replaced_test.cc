// Exercises that are replaced between an attempt and its grade.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/gradebook/gradebook_testing.h"

namespace faultline::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ReplacedTest : public GradebookTest {
 protected:
  void Replace(const std::string& yaml) { Add(yaml, Gradebook::Replace::kYes); }
  // The message of the refusal, for a student and for graders.
  void ExpectUnfit(const v1::Attempt& attempt, const std::string& why) {
    const auto student = TryGrade(attempt);
    EXPECT_EQ(Reason(student), "EXERCISE_CHANGED");
    EXPECT_EQ(student.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(student.status().message()), Not(HasSubstr(why)));
    const auto grader = TryGrade(attempt, "", "sesame");
    EXPECT_EQ(Reason(grader), "EXERCISE_CHANGED");
    EXPECT_THAT(std::string(grader.status().message()), HasSubstr(why));
    EXPECT_FALSE(Get(attempt).graded());
  }
};

TEST_F(ReplacedTest, AnAttemptKeepsWhatWasDrawnAndIsGradedByTheNewOne) {
  Add(GuessYaml());
  const v1::Attempt attempt = Start("guess");
  Answer(attempt, {{"n", "0"}});
  const v1::Grade before = Grade(attempt, "", "sesame");
  EXPECT_EQ(before.report().score(), 0);
  // All others draw other numbers now, and everybody gets the points.
  const std::string mended = Replaced(
      Replaced(GuessYaml(), "min: 1000000", "min: 1500000"), "    answer: n\n",
      "    answer: n\n    tolerance_percent: 100\n");
  Replace(mended);
  const v1::Grade after = Grade(attempt, "", "sesame");
  EXPECT_EQ(after.report().score(), 2);
  EXPECT_EQ(after.report().variables(0).value(),
            before.report().variables(0).value());
  EXPECT_EQ(after.report().seed(), before.report().seed());
  EXPECT_NE(after.report().exercise_sha256(),
            before.report().exercise_sha256());
  EXPECT_EQ(Get(attempt).variant().SerializeAsString(),
            attempt.variant().SerializeAsString());
  EXPECT_EQ(List("guess").size(), 2) << "the earlier grade stays";
}

TEST_F(ReplacedTest, ASessionIsGradedByTheNewGoals) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  Touch(attempt, 2);
  HandIn(attempt);
  EXPECT_EQ(Grade(attempt, "", "sesame").report().score(), 1);
  Replace(Replaced(TouchYaml(), "at_least: n", "at_least: 2"));
  EXPECT_EQ(Grade(attempt, "", "sesame").report().score(), 3);
}

TEST_F(ReplacedTest, AVariableThatWasNotDrawnDoesNotFit) {
  Add(GuessYaml());
  const v1::Attempt attempt = Start("guess");
  Answer(attempt, {{"n", "0"}});
  Replace(Replaced(GuessYaml(), "variables:\n",
                   "variables:\n  - {name: m, range: {min: 1, max: 2}}\n"));
  ExpectUnfit(attempt, "no value was drawn for variable m");
  Replace(GuessYaml());
  EXPECT_TRUE(TryGrade(attempt).ok()) << "put back, it fits again";
}

TEST_F(ReplacedTest, QuestionsInPlaceOfGoalsDoNotFit) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  HandIn(attempt);
  Replace(Replaced(GuessYaml(), "id: guess", "id: touch"));
  ExpectUnfit(attempt, "it has questions now");
  EXPECT_EQ(Reason(TryHandIn(attempt)), "")
      << "what is handed in is for what was drawn";
}

TEST_F(ReplacedTest, AnotherSetUpOrMachineDoesNotFitASession) {
  Add(TouchYaml());
  const v1::Attempt attempt = Start("touch");
  HandIn(attempt);
  Replace(
      Replaced(TouchYaml(), "writer $a+15p 1 1p 7", "writer $a+14p 1 1p 7"));
  ExpectUnfit(attempt, "command 2 of its set-up is another now");
  Replace(Replaced(TouchYaml(), "  writer $a+15p 1 1p 7\n", ""));
  ExpectUnfit(attempt, "its set-up has 1 commands");
  Replace(Replaced(TouchYaml(), "rules:", "machine: {cpus: 2}\nrules:"));
  ExpectUnfit(attempt, "its machine is another now");
}

TEST_F(ReplacedTest, OneThatCannotBeComputedForTheVariantDoesNotFit) {
  Add(GuessYaml());
  const v1::Attempt attempt = Start("guess");
  Answer(attempt, {{"n", "0"}});
  End();
  book_options.lint_variants = 0;
  Begin();
  Replace(
      Replaced(GuessYaml(), "    answer: n\n", "    answer: n / (n - n)\n"));
  ExpectUnfit(attempt, "question n");
}

}  // namespace
}  // namespace faultline::testing

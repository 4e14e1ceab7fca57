// Grades: how they are given, what students see of them, and when.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/gradebook/gradebook_testing.h"
#include "tests/grading/grading_testing.h"

namespace faultline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class GradesTest : public GradebookTest {
 protected:
  // The right answers of a student to GuessYaml().
  static Answers Solution(const std::string& student = "ada@x.edu") {
    const grading::Exercise exercise = grading::MustRead(GuessYaml());
    return grading::Played(exercise, student).Solution();
  }
  static void ExpectTellsNothing(const v1::Grade& grade) {
    const std::string bytes = grade.SerializeAsString();
    const Answers solution = Solution(grade.report().student());
    for (const char* question : {"n", "at"}) {
      EXPECT_THAT(bytes, Not(HasSubstr(solution.at(question))));
    }
    EXPECT_THAT(bytes, Not(HasSubstr("It was drawn to be")));
    EXPECT_THAT(bytes, Not(HasSubstr("sesame")));
  }
  static void ExpectTellsAnswers(const v1::Grade& grade) {
    const Answers solution = Solution(grade.report().student());
    EXPECT_EQ(CheckOf(grade, "n").expected(), solution.at("n"));
    EXPECT_THAT(CheckOf(grade, "n").explanation(), HasSubstr(solution.at("n")));
    EXPECT_EQ(CheckOf(grade, "at").expected(), solution.at("at"));
  }
  static void ExpectHidesTheHidden(const v1::Grade& grade) {
    EXPECT_EQ(grade.report().checks_size(), 2);
    EXPECT_TRUE(grade.report().redacted());
    EXPECT_EQ(grade.report().score(), 0);
    EXPECT_EQ(grade.report().score_max(), 0);
    for (const v1::GradedCheck& check : grade.report().checks()) {
      EXPECT_FALSE(check.hidden());
      EXPECT_EQ(check.staff_message(), "");
    }
  }
  static std::vector<std::string> NamesOf(const std::vector<v1::Grade>& all) {
    std::vector<std::string> names;
    for (const v1::Grade& grade : all) names.push_back(grade.name());
    return names;
  }
};

TEST_F(GradesTest, NothingHandedInIsNotGraded) {
  Add(GuessYaml());
  const v1::Attempt attempt = Start("guess");
  const auto refused = TryGrade(attempt);
  EXPECT_EQ(Reason(refused), "NOTHING_SUBMITTED");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(Get(attempt).graded());
}

TEST_F(GradesTest, AreThereAfterARestart) {
  Add(GuessYaml());
  const v1::Attempt attempt = Start("guess");
  Answer(attempt, Solution());
  BeginAgain();
  const v1::Grade grade = Grade(attempt, "g1", "sesame");
  EXPECT_EQ(grade.report().score(), 4);
  EXPECT_EQ(grade.report().score_max(), 4);
  EXPECT_EQ(grade.report().submission(), attempt.name());
  EXPECT_THAT(grade.name(), HasSubstr(attempt.name() + "/grades/"));
  BeginAgain();
  EXPECT_EQ(Grade(attempt, "g1", "sesame").SerializeAsString(),
            grade.SerializeAsString());
  ASSERT_EQ(List("guess", "", "sesame").size(), 1);
  EXPECT_EQ(List("guess", "", "sesame")[0].SerializeAsString(),
            grade.SerializeAsString());
}

TEST_F(GradesTest, EachStepMayBeInAnotherLifeOfTheServer) {
  Add(GuessYaml());
  Add(TouchYaml());
  BeginAgain();
  const v1::Attempt guess = Start("guess");
  const v1::Attempt touch = Start("touch");
  BeginAgain();
  Answer(guess, Solution());
  Touch(touch, PagesOf(touch) - 1);
  BeginAgain();
  MustRun(SessionOf(touch), TouchPage(PagesOf(touch) - 1));
  BeginAgain();
  HandIn(touch);
  BeginAgain();
  EXPECT_EQ(Grade(guess, "g", "sesame").report().score(), 4);
  BeginAgain();
  EXPECT_EQ(Grade(touch, "g", "sesame").report().score(), 4);
  BeginAgain();
  EXPECT_EQ(List("guess").size(), 1);
  EXPECT_EQ(List("touch").size(), 1);
  EXPECT_EQ(Reason(TryStart("touch", "ada@x.edu")), "ATTEMPTS_USED");
}

TEST_F(GradesTest, ARequestIdIsOneOfItsExercise) {
  Add(GuessYaml());
  const v1::Attempt ada = Start("guess", "ada", "r1");
  const v1::Attempt bob = Start("guess", "bob");
  Answer(ada, {});
  Answer(bob, {});
  Grade(ada, "r1");
  const auto reused = TryGrade(bob, "r1");
  EXPECT_EQ(Reason(reused), "REQUEST_ID_REUSED");
  EXPECT_EQ(reused.status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(reused.status().message()),
              HasSubstr("another attempt"));
  EXPECT_FALSE(Get(bob).graded());
  EXPECT_NE(Grade(bob, "r2").name(), "");
}

TEST_F(GradesTest, EachCallWithoutARequestIdGivesAFurtherOne) {
  Add(GuessYaml());
  const v1::Attempt ada = Start("guess", "ada");
  const v1::Attempt bob = Start("guess", "bob");
  Answer(ada, {});
  Answer(bob, {});
  const std::string first = Grade(ada).name();
  const std::string second = Grade(bob).name();
  const std::string third = Grade(ada).name();
  EXPECT_THAT(NamesOf(List("guess")), ElementsAre(first, second, third));
  EXPECT_THAT(NamesOf(List("guess", "ada")), ElementsAre(first, third));
  EXPECT_THAT(NamesOf(List("guess", "eve")), ElementsAre());
}

TEST_F(GradesTest, AreListedAPageAtATime) {
  Add(GuessYaml());
  const v1::Attempt ada = Start("guess", "ada");
  Answer(ada, {});
  std::vector<std::string> given;
  for (int i = 0; i < 40; ++i) given.push_back(Grade(ada).name());
  Gradebook::GradesAsked asked;
  asked.exercise = "guess";
  asked.limit = 17;
  asked.bytes_max = 1 << 20;
  std::vector<std::string> listed;
  std::vector<size_t> sizes;
  while (true) {
    const auto page = book().ListGrades(asked);
    ASSERT_TRUE(page.ok()) << page.status();
    sizes.push_back(page->grades.size());
    for (const auto& grade : page->grades) listed.push_back(grade.name());
    if (!page->more) break;
    asked.after_position = page->last_position;
  }
  EXPECT_EQ(listed, given);
  EXPECT_THAT(sizes, ElementsAre(17, 17, 6));
  asked.after_position = 0;
  asked.bytes_max = 1;
  const auto page = book().ListGrades(asked);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->grades.size(), 1) << "a page has one at least";
  EXPECT_TRUE(page->more);
}

TEST_F(GradesTest, ThereAreOnlySoManyOfAnAttempt) {
  End();
  book_options.grades_per_attempt_max = 2;
  Begin();
  Add(GuessYaml());
  const v1::Attempt ada = Start("guess", "ada");
  Answer(ada, {});
  Grade(ada);
  Grade(ada, "g2");
  EXPECT_EQ(Reason(TryGrade(ada)), "GRADES_LIMIT");
  EXPECT_TRUE(TryGrade(ada, "g2").ok()) << "a repetition is no further one";
}

// --- What students see

TEST_F(GradesTest, BeforeTheLastAttemptNothingTellsTheAnswers) {
  Add(GuessYaml(2));
  const v1::Attempt first = Start("guess");
  Answer(first, {{"n", "7"}, {"at", "8"}});
  const v1::Grade grade = Grade(first);
  ExpectTellsNothing(grade);
  ExpectHidesTheHidden(grade);
  EXPECT_EQ(CheckOf(grade, "n").actual(), "7");
  EXPECT_EQ(CheckOf(grade, "n").status(), v1::CHECK_STATUS_FAILED);
  for (const v1::Grade& listed : List("guess")) ExpectTellsNothing(listed);

  // All that is drawn for the second is that of the first.
  const v1::Attempt second = Start("guess");
  ExpectTellsNothing(Grade(first));
  Answer(second, {});
  for (const v1::Grade& listed : List("guess")) ExpectTellsNothing(listed);

  ExpectTellsAnswers(Grade(second));
  ExpectTellsAnswers(Grade(first));
  for (const v1::Grade& listed : List("guess")) {
    ExpectTellsAnswers(listed);
    ExpectHidesTheHidden(listed);
  }
}

TEST_F(GradesTest, AnEarlierAttemptThatIsOpenStillHidesTheAnswers) {
  Add(GuessYaml(2));
  const v1::Attempt first = Start("guess");
  const v1::Attempt last = Start("guess");
  Answer(last, {});
  ExpectTellsNothing(Grade(last));
  Answer(first, {});
  ExpectTellsAnswers(Grade(first));
  ExpectTellsAnswers(Grade(last));
}

TEST_F(GradesTest, WhatOneMayKnowTheOtherMayNot) {
  Add(GuessYaml(2));
  for (const char* request : {"1", "2"}) {
    const v1::Attempt attempt = Start("guess", "ada", request);
    Answer(attempt, {});
    Grade(attempt);
  }
  const v1::Attempt bob = Start("guess", "bob");
  Answer(bob, {});
  Grade(bob);
  const std::vector<v1::Grade> all = List("guess");
  ASSERT_EQ(all.size(), 3);
  ExpectTellsAnswers(all[0]);
  ExpectTellsAnswers(all[1]);
  ExpectTellsNothing(all[2]);
  Add(GuessYaml(3), Gradebook::Replace::kYes);
  for (const v1::Grade& grade : List("guess")) ExpectTellsNothing(grade);
}

TEST_F(GradesTest, TheSecretShowsAll) {
  Add(GuessYaml(2));
  const v1::Attempt attempt = Start("guess");
  Answer(attempt, {{"n", Solution().at("n")}, {"faults", "2"}});
  const v1::Grade grade = Grade(attempt, "", "sesame");
  ExpectTellsAnswers(grade);
  EXPECT_EQ(grade.report().checks_size(), 3);
  EXPECT_EQ(grade.report().score(), 3);
  EXPECT_EQ(grade.report().score_max(), 4);
  EXPECT_FALSE(grade.report().redacted());
  EXPECT_NE(CheckOf(grade, "faults").staff_message(), "");
  EXPECT_EQ(grade.report().variables_size(), 1);
  const v1::Grade seen = Grade(attempt);
  EXPECT_EQ(CheckOf(seen, "n").message(), "right");
  EXPECT_EQ(CheckOf(seen, "n").expected(), "");
  EXPECT_THAT(seen.SerializeAsString(), Not(HasSubstr(Solution().at("at"))));
}

TEST_F(GradesTest, AnyOtherSecretIsRefused) {
  Add(GuessYaml());
  Add(Replaced(GuessYaml(1, ""), "id: guess", "id: open"));
  for (const char* exercise : {"guess", "open"}) {
    const v1::Attempt attempt = Start(exercise);
    Answer(attempt, {});
    for (const char* secret : {"Sesame", "sesame ", "x"}) {
      const auto refused = TryGrade(attempt, "", secret);
      EXPECT_EQ(Reason(refused), "SECRET_WRONG");
      EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied);
      EXPECT_EQ(Reason(TryList(exercise, "", secret)), "SECRET_WRONG");
    }
    EXPECT_FALSE(Get(attempt).graded());
    EXPECT_TRUE(TryList(exercise).ok());
  }
}

TEST_F(GradesTest, AReportFitsIntoAResponse) {
  const std::string much(60'000, 'x');
  std::string yaml =
      absl::StrCat("id: much\ntitle: Much\ntext: Much\nsecret: sesame\n",
                   "variables:\n  - {name: x, choices: [", much,
                   "]}\nsetup: brk 0\nquestions:\n");
  for (int i = 0; i < limits::kChecksMax; ++i) {
    absl::StrAppend(&yaml, "  - {id: q", i,
                    ", text: Why, type: text, answer: x, explanation: "
                    "'{x}'}\n");
  }
  Add(yaml);
  const v1::Attempt attempt = Start("much");
  Answers answers;
  for (int i = 0; i < limits::kChecksMax; ++i) {
    answers[absl::StrCat("q", i)] = std::string(limits::kAnswerBytesMax, 'y');
  }
  Answer(attempt, answers);
  const v1::Grade grade = Grade(attempt, "", "sesame");
  EXPECT_LT(grade.ByteSizeLong(), limits::kResponseBytesMax);
  EXPECT_EQ(grade.report().checks_size(), limits::kChecksMax);
  EXPECT_THAT(CheckOf(grade, "q3").expected(), HasSubstr("xxx…"));
}

}  // namespace
}  // namespace faultline::testing

// Exercises, attempts and grades: what is kept, what is refused, what goes with
// what, and damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "tests/storage/grading_testing.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Exercise "ex", in which ada has begun her first attempt.
class GradingTest : public testing::Test {
 protected:
  GradingTest() {
    options_.path = directory_.data();
    Reopen();
    EXPECT_TRUE(Put(*store_, MakeExercise("ex")).ok());
    EXPECT_TRUE(Start(*store_, MakeAttempt("ex", "ada", 1)).ok());
  }
  void Reopen() {
    store_.reset();
    store_ = MustOpen(options_);
  }
  std::string HandInReason(const std::string& attempt) {
    return ReasonOf(HandIn(*store_, "ex", attempt, "answers"));
  }
  std::vector<std::string> ExerciseIds(const std::string& after,
                                       int64_t limit) {
    const auto page = store_->ListExercises(after, limit);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> ids;
    for (const ExerciseRecord& one : *page) ids.push_back(one.id);
    return ids;
  }
  // The attempts of the grades of a page.
  std::vector<std::string> Graded(const std::string& student, int64_t after,
                                  int64_t limit) {
    const auto page = store_->ListGrades("ex", student, after, limit);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> attempts;
    for (const GradeRecord& one : *page) attempts.push_back(one.attempt);
    return attempts;
  }
  int64_t Count(const char* sql) { return QueryOn(directory_.database(), sql); }

  TempDirectory directory_;
  Store::Options options_;
  std::unique_ptr<Store> store_;
};

// --- What is kept.

TEST_F(GradingTest, KeepsAllOfItOverARestart) {
  AttemptRecord attempt = MakeAttempt("ex", "bob", 1);
  attempt.request_id = "start";
  ASSERT_TRUE(Start(*store_, attempt).ok());
  ASSERT_TRUE(HandIn(*store_, "ex", "bob-1", "answers").ok());
  GradeRecord grade = MakeGrade("ex", "bob-1", "g");
  grade.request_id = "give";
  ASSERT_TRUE(Give(*store_, grade).ok());
  Reopen();
  attempt.submission = "answers";
  attempt.submissions = 1;
  attempt.grades = 1;
  grade.position = 1;
  EXPECT_EQ(*store_->GetExercise("ex"), MakeExercise("ex"));
  EXPECT_EQ(*store_->GetAttempt("ex", "bob-1"), attempt);
  EXPECT_EQ(*store_->FindAttempt("ex", "start"), attempt);
  EXPECT_EQ(*store_->GetGrade("ex", "bob-1", "g"), grade);
  EXPECT_EQ(*store_->FindGrade("ex", "give"), grade);
  EXPECT_EQ(*store_->GetAttempt("ex", "ada-1"), MakeAttempt("ex", "ada", 1));
}

TEST_F(GradingTest, CompressesLongReportsOnly) {
  ASSERT_TRUE(HandIn(*store_, "ex", "ada-1", "answers").ok());
  ASSERT_TRUE(Give(*store_, MakeGrade("ex", "ada-1", "long")).ok());
  GradeRecord grade = MakeGrade("ex", "ada-1", "short");
  grade.report = "7 of 8";
  ASSERT_TRUE(Give(*store_, grade).ok());
  EXPECT_LT(Count("SELECT length(report) FROM grades WHERE id = 'long'"), 200);
  EXPECT_EQ(Count("SELECT length(report) FROM grades WHERE id = 'short'"), 6);
  EXPECT_EQ(store_->GetGrade("ex", "ada-1", "long")->report,
            MakeGrade("ex", "ada-1", "long").report);
  EXPECT_EQ(store_->GetGrade("ex", "ada-1", "short")->report, "7 of 8");
}

TEST_F(GradingTest, AnEmptySubmissionIsOne) {
  EXPECT_FALSE(store_->GetAttempt("ex", "ada-1")->submission.has_value());
  ASSERT_TRUE(HandIn(*store_, "ex", "ada-1", "").ok());
  EXPECT_EQ(store_->GetAttempt("ex", "ada-1")->submission, "");
}

TEST_F(GradingTest, ASubmissionTakesThePlaceOfTheOneBefore) {
  ASSERT_TRUE(HandIn(*store_, "ex", "ada-1", "first").ok());
  ASSERT_TRUE(HandIn(*store_, "ex", "ada-1", "second").ok());
  const auto attempt = store_->GetAttempt("ex", "ada-1");
  EXPECT_EQ(attempt->submission, "second");
  EXPECT_EQ(attempt->submissions, 2);
}

TEST_F(GradingTest, AReplacedExerciseKeepsItsCreateTimeAndItsAttempts) {
  ExerciseRecord other = MakeExercise("ex", " as it is now");
  other.create_time += absl::Hours(1);
  other.update_time += absl::Hours(1);
  ASSERT_TRUE(Put(*store_, other, Replace::kYes).ok());
  other.create_time = MakeExercise("ex").create_time;
  EXPECT_EQ(*store_->GetExercise("ex"), other);
  EXPECT_TRUE(store_->GetAttempt("ex", "ada-1").ok());
  ASSERT_TRUE(Put(*store_, MakeExercise("new"), Replace::kYes).ok());
  EXPECT_TRUE(store_->GetExercise("new").ok());
}

TEST_F(GradingTest, ListsExercisesInPagesWithoutBodies) {
  for (const char* id : {"c", "a", "b"}) {
    ASSERT_TRUE(Put(*store_, MakeExercise(id)).ok());
  }
  EXPECT_THAT(ExerciseIds("", 2), ElementsAre("a", "b"));
  EXPECT_THAT(ExerciseIds("b", 10), ElementsAre("c", "ex"));
  EXPECT_THAT(ExerciseIds("ex", 10), IsEmpty());
  const auto page = store_->ListExercises("", 1);
  EXPECT_EQ(page->front().summary, "summary of a");
  EXPECT_EQ(page->front().body, "");
}

TEST_F(GradingTest, ListsGradesInTheOrderInWhichTheyWereGiven) {
  ASSERT_TRUE(Put(*store_, MakeExercise("other")).ok());
  ASSERT_TRUE(Start(*store_, MakeAttempt("other", "ada", 1)).ok());
  ASSERT_TRUE(Start(*store_, MakeAttempt("ex", "bob", 1)).ok());
  for (const char* id : {"bob-1", "ada-1"}) {
    ASSERT_TRUE(HandIn(*store_, "ex", id, "answers").ok());
  }
  ASSERT_TRUE(Give(*store_, MakeGrade("ex", "bob-1", "z")).ok());
  ASSERT_TRUE(Give(*store_, MakeGrade("other", "ada-1", "z"), 0).ok());
  ASSERT_TRUE(Give(*store_, MakeGrade("ex", "ada-1", "z")).ok());
  ASSERT_TRUE(Give(*store_, MakeGrade("ex", "bob-1", "a")).ok());
  EXPECT_THAT(Graded("", 0, 10), ElementsAre("bob-1", "ada-1", "bob-1"));
  EXPECT_THAT(Graded("", 0, 2), ElementsAre("bob-1", "ada-1"));
  const auto first = store_->ListGrades("ex", "", 0, 1);
  EXPECT_THAT(Graded("", first->back().position, 10),
              ElementsAre("ada-1", "bob-1"));
  EXPECT_THAT(Graded("bob", 0, 10), ElementsAre("bob-1", "bob-1"));
  EXPECT_THAT(Graded("bob", first->back().position, 10), ElementsAre("bob-1"));
  EXPECT_THAT(Graded("nobody", 0, 10), IsEmpty());
}

TEST_F(GradingTest, CountsTheAttemptsOfAStudent) {
  ASSERT_TRUE(Start(*store_, MakeAttempt("ex", "ada", 2)).ok());
  ASSERT_TRUE(Start(*store_, MakeAttempt("ex", "bob", 1)).ok());
  EXPECT_EQ(*store_->CountAttempts("ex", "ada"), 2);
  EXPECT_EQ(*store_->CountAttempts("ex", "bob"), 1);
  EXPECT_EQ(*store_->CountAttempts("ex", "eve"), 0);
}

TEST_F(GradingTest, CountsTheAttemptsWithoutAGrade) {
  const int64_t before = *store_->CountAllAttempts();
  ASSERT_TRUE(Put(*store_, MakeExercise("cow")).ok());
  for (int64_t number = 1; number <= 3; ++number) {
    ASSERT_TRUE(Start(*store_, MakeAttempt("cow", "ada", number)).ok());
  }
  ASSERT_TRUE(Start(*store_, MakeAttempt("cow", "bob", 1)).ok());
  EXPECT_EQ(*store_->CountUngradedAttempts("cow", "ada"), 3);
  ASSERT_TRUE(HandIn(*store_, "cow", "ada-2", "x").ok());
  EXPECT_EQ(*store_->CountUngradedAttempts("cow", "ada"), 3);
  ASSERT_TRUE(Give(*store_, MakeGrade("cow", "ada-2", "g1")).ok());
  ASSERT_TRUE(Give(*store_, MakeGrade("cow", "ada-2", "g2")).ok());
  EXPECT_EQ(*store_->CountUngradedAttempts("cow", "ada"), 2);
  EXPECT_EQ(*store_->CountUngradedAttempts("cow", "bob"), 1);
  EXPECT_EQ(*store_->CountUngradedAttempts("cow", "eve"), 0);
  EXPECT_EQ(ReasonOf(store_->CountUngradedAttempts("no", "ada").status()),
            "EXERCISE_NOT_FOUND");
  EXPECT_EQ(*store_->CountAllAttempts(), before + 4);
}

TEST_F(GradingTest, FindsNothingForNoRequestId) {
  ASSERT_TRUE(HandIn(*store_, "ex", "ada-1", "answers").ok());
  ASSERT_TRUE(Give(*store_, MakeGrade("ex", "ada-1", "g")).ok());
  EXPECT_FALSE(store_->FindAttempt("ex", "")->has_value());
  EXPECT_FALSE(store_->FindAttempt("ex", "other")->has_value());
  EXPECT_FALSE(store_->FindGrade("ex", "")->has_value());
  EXPECT_FALSE(store_->FindGrade("ex", "other")->has_value());
}

// --- What is refused.

TEST_F(GradingTest, SaysWhatIsNotThere) {
  const auto exercise_missing = [](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    EXPECT_EQ(ReasonOf(status), "EXERCISE_NOT_FOUND");
  };
  exercise_missing(store_->GetExercise("no").status());
  exercise_missing(RemoveExercise(*store_, "no"));
  exercise_missing(Start(*store_, MakeAttempt("no", "ada", 1)));
  exercise_missing(HandIn(*store_, "no", "ada-1", ""));
  exercise_missing(store_->GetAttempt("no", "ada-1").status());
  exercise_missing(store_->FindAttempt("no", "r").status());
  exercise_missing(store_->CountAttempts("no", "ada").status());
  exercise_missing(Give(*store_, MakeGrade("no", "ada-1", "g")));
  exercise_missing(store_->GetGrade("no", "ada-1", "g").status());
  exercise_missing(store_->FindGrade("no", "r").status());
  exercise_missing(store_->ListGrades("no", "", 0, 1).status());
  EXPECT_EQ(HandInReason("no"), "ATTEMPT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(store_->GetAttempt("ex", "no").status()),
            "ATTEMPT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Give(*store_, MakeGrade("ex", "no", "g"))),
            "ATTEMPT_NOT_FOUND");
  for (const char* attempt : {"ada-1", "no"}) {
    EXPECT_EQ(ReasonOf(store_->GetGrade("ex", attempt, "g").status()),
              "GRADE_NOT_FOUND");
  }
}

TEST_F(GradingTest, RefusesExercisesThatAreThereOrTooMany) {
  EXPECT_EQ(ReasonOf(Put(*store_, MakeExercise("ex"))), "EXERCISE_EXISTS");
  const absl::Status full =
      Put(*store_, MakeExercise("second"), Replace::kYes, 1);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_EQ(ReasonOf(full), "EXERCISES_LIMIT");
  // One in place of another is no more than before.
  EXPECT_TRUE(Put(*store_, MakeExercise("ex"), Replace::kYes, 1).ok());
}

TEST_F(GradingTest, AttemptsAreNumberedWithoutAGap) {
  for (const int64_t number : {1, 3}) {
    AttemptRecord attempt = MakeAttempt("ex", "ada", number);
    attempt.id = "fresh";
    EXPECT_EQ(ReasonOf(Start(*store_, attempt)), "ATTEMPT_NUMBER_TAKEN");
  }
  EXPECT_TRUE(Start(*store_, MakeAttempt("ex", "ada", 2), 2).ok());
  const absl::Status used = Start(*store_, MakeAttempt("ex", "ada", 3), 2);
  EXPECT_EQ(used.code(), absl::StatusCode::kFailedPrecondition) << used;
  EXPECT_EQ(ReasonOf(used), "ATTEMPTS_USED");
  EXPECT_TRUE(Start(*store_, MakeAttempt("ex", "bob", 1), 2).ok());
}

TEST_F(GradingTest, ARequestIdMakesOneAttemptAndOneGrade) {
  AttemptRecord second = MakeAttempt("ex", "ada", 2);
  second.request_id = "r";
  ASSERT_TRUE(Start(*store_, second, 2).ok());
  // Said before anything else that would be wrong, too.
  EXPECT_EQ(ReasonOf(Start(*store_, second, 2)), "REQUEST_ID_REUSED");
  ASSERT_TRUE(HandIn(*store_, "ex", "ada-2", "answers").ok());
  GradeRecord grade = MakeGrade("ex", "ada-2", "g");
  grade.request_id = "r";
  ASSERT_TRUE(Give(*store_, grade, 1, 1).ok());
  EXPECT_EQ(ReasonOf(Give(*store_, grade, 1, 1)), "REQUEST_ID_REUSED");
  // In another exercise it is another one.
  ASSERT_TRUE(Put(*store_, MakeExercise("other")).ok());
  AttemptRecord elsewhere = MakeAttempt("other", "ada", 1);
  elsewhere.request_id = "r";
  EXPECT_TRUE(Start(*store_, elsewhere).ok());
}

TEST_F(GradingTest, IdsAreTakenOnce) {
  AttemptRecord attempt = MakeAttempt("ex", "bob", 1);
  attempt.id = "ada-1";
  EXPECT_EQ(ReasonOf(Start(*store_, attempt)), "ATTEMPT_EXISTS");
  ASSERT_TRUE(Give(*store_, MakeGrade("ex", "ada-1", "g"), 0).ok());
  EXPECT_EQ(ReasonOf(Give(*store_, MakeGrade("ex", "ada-1", "g"), 0)),
            "GRADE_EXISTS");
}

TEST_F(GradingTest, NothingIsHandedInAfterAGrade) {
  ASSERT_TRUE(HandIn(*store_, "ex", "ada-1", "answers").ok());
  ASSERT_TRUE(Give(*store_, MakeGrade("ex", "ada-1", "g")).ok());
  EXPECT_EQ(HandInReason("ada-1"), "ATTEMPT_GRADED");
  EXPECT_EQ(store_->GetAttempt("ex", "ada-1")->submissions, 1);
}

TEST_F(GradingTest, AGradeIsOfWhatIsHandedInNow) {
  ASSERT_TRUE(HandIn(*store_, "ex", "ada-1", "first").ok());
  ASSERT_TRUE(HandIn(*store_, "ex", "ada-1", "second").ok());
  const absl::Status late = Give(*store_, MakeGrade("ex", "ada-1", "g"), 1);
  EXPECT_EQ(late.code(), absl::StatusCode::kAborted) << late;
  EXPECT_EQ(ReasonOf(late), "SUBMISSION_REPLACED");
  EXPECT_TRUE(Give(*store_, MakeGrade("ex", "ada-1", "g"), 2).ok());
  EXPECT_EQ(ReasonOf(Give(*store_, MakeGrade("ex", "ada-1", "h"), 2, 1)),
            "GRADES_LIMIT");
  EXPECT_TRUE(Give(*store_, MakeGrade("ex", "ada-1", "h"), 2, 2).ok());
  EXPECT_EQ(store_->GetAttempt("ex", "ada-1")->grades, 2);
}

TEST_F(GradingTest, TheStudentOfAGradeIsThatOfItsAttempt) {
  GradeRecord grade = MakeGrade("ex", "ada-1", "g");
  grade.student = "eve";
  ASSERT_TRUE(Give(*store_, grade, 0).ok());
  EXPECT_EQ(store_->GetGrade("ex", "ada-1", "g")->student, "ada");
}

TEST_F(GradingTest, RefusesWhatNoRowIsMeantFor) {
  ExerciseRecord large = MakeExercise("large");
  large.body.resize(kEntryBytesMax + 1);
  const absl::Status status = Put(*store_, large);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ReasonOf(status), "ENTRY_TOO_LARGE");
}

// What concerns one write does not disturb those it shares a commit with.
TEST_F(GradingTest, OfTwoWhoAskAtOnceOneIsToldToAskAgain) {
  std::vector<absl::Status> answers;
  const auto keep = [&answers](absl::Status status) {
    answers.push_back(std::move(status));
  };
  const absl::Status last = Wait([&](Done done) {
    for (const char* id : {"one", "two"}) {
      AttemptRecord attempt = MakeAttempt("ex", "ada", 2);
      attempt.id = id;
      EXPECT_TRUE(store_->StartAttempt(attempt, 10, keep).ok());
    }
    return store_->SubmitAttempt("ex", "ada-1", "answers", std::move(done));
  });
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers[0].ok()) << answers[0];
  EXPECT_EQ(ReasonOf(answers[1]), "ATTEMPT_NUMBER_TAKEN");
  EXPECT_TRUE(last.ok()) << last;
}

// --- What goes with what.

TEST_F(GradingTest, AnExerciseWithAttemptsIsDeletedByForceOnly) {
  const absl::Status status = RemoveExercise(*store_, "ex");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_EQ(ReasonOf(status), "EXERCISE_HAS_ATTEMPTS");
  EXPECT_TRUE(store_->GetAttempt("ex", "ada-1").ok());
  EXPECT_TRUE(RemoveExercise(*store_, "ex", Force::kYes).ok());
  EXPECT_FALSE(store_->GetAttempt("ex", "ada-1").ok());
  ASSERT_TRUE(Put(*store_, MakeExercise("idle")).ok());
  EXPECT_TRUE(RemoveExercise(*store_, "idle").ok());
}

TEST_F(GradingTest, AttemptsAndGradesGoWithTheirExerciseBitByBit) {
  for (int i = 0; i < 150; ++i) {
    const std::string student = absl::StrCat("s", i);
    ASSERT_TRUE(Start(*store_, MakeAttempt("ex", student, 1)).ok());
    ASSERT_TRUE(Give(*store_, MakeGrade("ex", student + "-1", "g"), 0).ok());
  }
  ASSERT_TRUE(RemoveExercise(*store_, "ex", Force::kYes).ok());
  // Another one of the same id has nothing to do with them.
  ASSERT_TRUE(Put(*store_, MakeExercise("ex")).ok());
  EXPECT_EQ(*store_->CountAttempts("ex", "s1"), 0);
  EXPECT_THAT(Graded("", 0, 10), IsEmpty());
  ASSERT_TRUE(Start(*store_, MakeAttempt("ex", "s1", 1)).ok());
  ASSERT_TRUE(Give(*store_, MakeGrade("ex", "s1-1", "g"), 0).ok());
  Reopen();  // perhaps in the middle
  Purge(*store_, 10);
  EXPECT_EQ(Count("SELECT count(*) FROM exercise_purges"), 0);
  EXPECT_EQ(Count("SELECT count(*) FROM grades"), 1);
  EXPECT_EQ(Count("SELECT count(*) FROM attempts"), 1);
  EXPECT_TRUE(store_->GetAttempt("ex", "s1-1").ok());
  EXPECT_GT(store_->GetGrade("ex", "s1-1", "g")->position, 150);
}

}  // namespace
}  // namespace faultline::storage

// Exercises, attempts and grades that are not as they were written: each column
// that was changed behind the store's back is DATA_LOSS, never data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "storage/reason.h"
#include "tests/storage/grading_testing.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

using testing::HasSubstr;

struct Damage {
  const char* name;
  const char* sql;
};
std::string NameOf(const testing::TestParamInfo<Damage>& row) {
  return row.param.name;
}

// Exercise "ex" with a graded attempt, and exercise "ez" with nothing; then the
// damage.
class GradingDamageTest : public testing::TestWithParam<Damage> {
 protected:
  GradingDamageTest() {
    options_.path = directory_.data();
    store_ = MustOpen(options_);
    EXPECT_TRUE(Put(*store_, MakeExercise("ex")).ok());
    EXPECT_TRUE(Put(*store_, MakeExercise("ez")).ok());
    EXPECT_TRUE(Start(*store_, MakeAttempt("ex", "ada", 1)).ok());
    EXPECT_TRUE(HandIn(*store_, "ex", "ada-1", "answers").ok());
    EXPECT_TRUE(Give(*store_, MakeGrade("ex", "ada-1", "g")).ok());
    ExecuteOn(directory_.database(), GetParam().sql);
  }
  static void ExpectDataLoss(const absl::Status& status,
                             const std::string& reason) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_EQ(ReasonOf(status), reason);
    EXPECT_THAT(std::string(status.message()), HasSubstr("exercise \"e"));
  }

  TempDirectory directory_;
  Store::Options options_;
  std::unique_ptr<Store> store_;
};

class ExerciseDamageTest : public GradingDamageTest {};

INSTANTIATE_TEST_SUITE_P(
    Columns, ExerciseDamageTest,
    testing::Values(
        Damage{"CreateTime", "UPDATE exercises SET create_time_us = 1"},
        Damage{"UpdateTime", "UPDATE exercises SET update_time_us = 1"},
        Damage{"Summary", "UPDATE exercises SET summary = x'00'"},
        Damage{"Body", "UPDATE exercises SET body = x'00'"},
        Damage{"BodyHash", "UPDATE exercises SET body_hash = zeroblob(32)"},
        Damage{"Hash", "UPDATE exercises SET hash = zeroblob(32)"},
        Damage{"Id",
               "UPDATE exercises SET id = 'ey' WHERE id = 'ex';"
               "UPDATE exercises SET id = 'ex' WHERE id = 'ez'"}),
    NameOf);

TEST_P(ExerciseDamageTest, IsFoundAndHealedByAReplacement) {
  ExpectDataLoss(store_->GetExercise("ex").status(), "EXERCISE_CORRUPT");
  // A list does not read the body.
  if (GetParam().name != std::string("Body")) {
    ExpectDataLoss(store_->ListExercises("", 10).status(), "EXERCISE_CORRUPT");
  }
  EXPECT_EQ(ReasonOf(Put(*store_, MakeExercise("ex"))), "EXERCISE_EXISTS");
  ASSERT_TRUE(Put(*store_, MakeExercise("ex"), Replace::kYes).ok());
  EXPECT_EQ(*store_->GetExercise("ex"), MakeExercise("ex"));
}

class AttemptDamageTest : public GradingDamageTest {};

INSTANTIATE_TEST_SUITE_P(
    Columns, AttemptDamageTest,
    testing::Values(
        Damage{"Exercise", "UPDATE attempts SET exercise_key = 2"},
        Damage{"Student", "UPDATE attempts SET student = 'eve'"},
        Damage{"Number", "UPDATE attempts SET number = 7"},
        Damage{"RequestId", "UPDATE attempts SET request_id = 'other'"},
        Damage{"CreateTime", "UPDATE attempts SET create_time_us = 1"},
        Damage{"Session", "UPDATE attempts SET session = ''"},
        Damage{"StartRevision", "UPDATE attempts SET start_revision = 0"},
        Damage{"Submissions", "UPDATE attempts SET submissions = 2"},
        Damage{"SubmissionLost", "UPDATE attempts SET submissions = 0"},
        Damage{"Submission", "UPDATE attempts SET submission = x'00'"},
        Damage{"Drawn", "UPDATE attempts SET drawn = x'00'"},
        Damage{"Hash", "UPDATE attempts SET hash = zeroblob(32)"}),
    NameOf);

TEST_P(AttemptDamageTest, IsFoundAndNothingIsBuiltOnIt) {
  const bool moved = GetParam().name == std::string("Exercise");
  const std::string exercise = moved ? "ez" : "ex";
  ExpectDataLoss(store_->GetAttempt(exercise, "ada-1").status(),
                 "ATTEMPT_CORRUPT");
  ExpectDataLoss(HandIn(*store_, exercise, "ada-1", "answers"),
                 "ATTEMPT_CORRUPT");
  ExpectDataLoss(Give(*store_, MakeGrade(exercise, "ada-1", "h")),
                 "ATTEMPT_CORRUPT");
  EXPECT_TRUE(RemoveExercise(*store_, exercise, Force::kYes).ok());
}

class GradeDamageTest : public GradingDamageTest {};

INSTANTIATE_TEST_SUITE_P(
    Columns, GradeDamageTest,
    testing::Values(
        Damage{"Exercise", "UPDATE grades SET exercise_key = 2"},
        Damage{"Attempt", "UPDATE attempts SET id = 'ada-2'"},
        Damage{"AttemptLost", "DELETE FROM attempts"},
        Damage{"Id", "UPDATE grades SET id = 'h'"},
        Damage{"Student", "UPDATE grades SET student = 'eve'"},
        Damage{"RequestId", "UPDATE grades SET request_id = 'other'"},
        Damage{"CreateTime", "UPDATE grades SET create_time_us = 1"},
        Damage{"Encoding", "UPDATE grades SET encoding = 0"},
        Damage{"Size", "UPDATE grades SET unpacked_bytes = 1 << 60"},
        Damage{"Report", "UPDATE grades SET report = x'00'"},
        Damage{"Hash", "UPDATE grades SET hash = zeroblob(32)"}),
    NameOf);

TEST_P(GradeDamageTest, IsFound) {
  const bool moved = GetParam().name == std::string("Exercise");
  ExpectDataLoss(store_->ListGrades(moved ? "ez" : "ex", "", 0, 10).status(),
                 "GRADE_CORRUPT");
  // By its names it is found damaged, or not at all: never as if it were whole.
  EXPECT_FALSE(store_->GetGrade("ex", "ada-1", "g").ok());
}

}  // namespace
}  // namespace faultline::storage

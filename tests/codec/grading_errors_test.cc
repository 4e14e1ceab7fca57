#include "server/codec/grading_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "server/codec/errors.h"

namespace faultline {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

struct Named {
  absl::Status status;
  absl::StatusCode code;
  const char* reason;
};

std::vector<Named> All() {
  using absl::StatusCode;
  const char* exercise = "exercises/cow";
  const char* attempt = "exercises/cow/attempts/a7f";
  return {
      {errors::ExerciseNotFound(exercise), StatusCode::kNotFound,
       "EXERCISE_NOT_FOUND"},
      {errors::AttemptNotFound(attempt), StatusCode::kNotFound,
       "ATTEMPT_NOT_FOUND"},
      {errors::AttemptSessionGone(attempt, "sessions/cow-a7f"),
       StatusCode::kNotFound, "SESSION_NOT_FOUND"},
      {errors::ExerciseAlreadyExists(exercise), StatusCode::kAlreadyExists,
       "EXERCISE_ALREADY_EXISTS"},
      {errors::SessionNameTaken("sessions/cow-a7f"), StatusCode::kAlreadyExists,
       "SESSION_NAME_TAKEN"},
      {errors::SecretWrong(exercise), StatusCode::kPermissionDenied,
       "SECRET_WRONG"},
      {errors::ExerciseHasAttempts(exercise), StatusCode::kFailedPrecondition,
       "EXERCISE_HAS_ATTEMPTS"},
      {errors::AttemptsUsed(exercise, "ada", 3),
       StatusCode::kFailedPrecondition, "ATTEMPTS_USED"},
      {errors::AttemptGraded(attempt), StatusCode::kFailedPrecondition,
       "ATTEMPT_GRADED"},
      {errors::NothingSubmitted(attempt), StatusCode::kFailedPrecondition,
       "NOTHING_SUBMITTED"},
      {errors::VariantImpossible(exercise, "ada", "why"),
       StatusCode::kFailedPrecondition, "VARIANT_IMPOSSIBLE"},
      {errors::ExerciseChanged(attempt, ""), StatusCode::kFailedPrecondition,
       "EXERCISE_CHANGED"},
      {errors::GradingRequestIdReused(exercise, "r"), StatusCode::kAborted,
       "REQUEST_ID_REUSED"},
      {errors::AttemptNumberTaken(exercise, "ada"), StatusCode::kAborted,
       "ATTEMPT_NUMBER_TAKEN"},
      {errors::SubmissionReplaced(attempt), StatusCode::kAborted,
       "SUBMISSION_REPLACED"},
      {errors::ExercisesLimit(9), StatusCode::kResourceExhausted,
       "EXERCISES_LIMIT"},
      {errors::AttemptsLimit(9), StatusCode::kResourceExhausted,
       "ATTEMPTS_LIMIT"},
      {errors::GradesLimit(attempt, 9), StatusCode::kResourceExhausted,
       "GRADES_LIMIT"},
      {errors::GradebookCorrupt(exercise, "EXERCISE_CORRUPT", "x"),
       StatusCode::kDataLoss, "EXERCISE_CORRUPT"},
  };
}

TEST(GradingErrors, EachHasItsCodeReasonAndDomain) {
  std::set<std::string> reasons;
  for (const Named& e : All()) {
    EXPECT_EQ(e.status.code(), e.code) << e.status;
    const auto payload =
        e.status.GetPayload("type.googleapis.com/google.rpc.ErrorInfo");
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(payload && info.ParseFromString(std::string(*payload)));
    EXPECT_EQ(info.reason(), e.reason);
    EXPECT_EQ(info.domain(), "faultline.dev");
    EXPECT_TRUE(reasons.insert(info.reason()).second) << info.reason();
    for (const auto& [key, value] : info.metadata()) {
      EXPECT_THAT(key, MatchesRegex("[a-z][a-zA-Z0-9_-]+"));
      EXPECT_THAT(std::string(e.status.message()), HasSubstr(value))
          << "the metadata hold the parts of the message";
    }
  }
}

TEST(GradingErrors, SayWhatToDo) {
  for (const Named& e : All()) {
    EXPECT_THAT(std::string(e.status.message()),
                AnyOf(HasSubstr(": "), HasSubstr("; ")))
        << e.status;
  }
}

TEST(GradingErrors, LeaveOutAReasonThatIsNotGiven) {
  EXPECT_THAT(
      std::string(
          errors::VariantImpossible("exercises/cow", "ada", "").message()),
      Not(HasSubstr("(")));
  EXPECT_THAT(
      std::string(errors::VariantImpossible("exercises/cow", "ada", "n is 0")
                      .message()),
      HasSubstr("(n is 0)"));
}

}  // namespace
}  // namespace faultline

#include "server/codec/grading_errors.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/codec/error_parts.h"

namespace faultline::errors {
namespace {

using absl::StatusCode;

std::string InBrackets(absl::string_view why) {
  return why.empty() ? "" : absl::StrCat(" (", Quote(why), ")");
}

}  // namespace

absl::Status ExerciseNotFound(absl::string_view exercise) {
  absl::Status status =
      Make(StatusCode::kNotFound,
           absl::StrCat("there is no exercise ", Quote(exercise),
                        ": ListExercises shows those there are, "
                        "CreateExercise makes one"),
           "EXERCISE_NOT_FOUND", {{"exercise", std::string(exercise)}});
  SetResource(status, "Exercise", exercise, "not found");
  return status;
}

absl::Status AttemptNotFound(absl::string_view attempt) {
  absl::Status status = Make(
      StatusCode::kNotFound,
      absl::StrCat("there is no attempt ", Quote(attempt),
                   ": take the name that StartAttempt answered with, or start "
                   "another attempt"),
      "ATTEMPT_NOT_FOUND", {{"attempt", std::string(attempt)}});
  SetResource(status, "Attempt", attempt, "not found");
  return status;
}

absl::Status AttemptSessionGone(absl::string_view attempt,
                                absl::string_view session) {
  absl::Status status = Make(
      StatusCode::kNotFound,
      absl::StrCat("the session of ", Quote(attempt), ", ", Quote(session),
                   ", was deleted, and with it what was done: start "
                   "another attempt"),
      "SESSION_NOT_FOUND",
      {{"session", std::string(session)}, {"attempt", std::string(attempt)}});
  SetResource(status, "Session", session, "not found");
  return status;
}

absl::Status ExerciseAlreadyExists(absl::string_view exercise) {
  absl::Status status =
      Make(StatusCode::kAlreadyExists,
           absl::StrCat("there is an exercise ", Quote(exercise),
                        " already: choose another id, or say `replace`, which "
                        "keeps its attempts and grades"),
           "EXERCISE_ALREADY_EXISTS", {{"exercise", std::string(exercise)}});
  SetResource(status, "Exercise", exercise, "already exists");
  return status;
}

absl::Status SessionNameTaken(absl::string_view session) {
  absl::Status status =
      Make(StatusCode::kAlreadyExists,
           absl::StrCat(Quote(session),
                        " is the name that the session of this attempt gets, "
                        "and somebody else has made a session of it: delete "
                        "that session with DeleteSession and repeat this"),
           "SESSION_NAME_TAKEN", {{"session", std::string(session)}});
  SetResource(status, "Session", session, "already exists");
  return status;
}

absl::Status SecretWrong(absl::string_view exercise) {
  return Make(StatusCode::kPermissionDenied,
              absl::StrCat("this is not the secret of ", Quote(exercise),
                           ": it stands in the exercise's file; leave it "
                           "empty to see what the student sees"),
              "SECRET_WRONG", {{"exercise", std::string(exercise)}});
}

absl::Status ExerciseHasAttempts(absl::string_view exercise) {
  absl::Status status =
      Make(StatusCode::kFailedPrecondition,
           absl::StrCat(Quote(exercise),
                        " has attempts, which would be deleted with it, and "
                        "their grades: say `force` if they may go"),
           "EXERCISE_HAS_ATTEMPTS", {{"exercise", std::string(exercise)}});
  SetPrecondition(status, "ATTEMPTS", exercise, "must have no attempts");
  return status;
}

absl::Status AttemptsUsed(absl::string_view exercise, absl::string_view student,
                          int64_t attempts_max) {
  absl::Status status =
      Make(StatusCode::kFailedPrecondition,
           absl::StrCat(Quote(student), " has had ", attempts_max,
                        attempts_max == 1 ? " attempt" : " attempts", " at ",
                        Quote(exercise),
                        ", which is all there are: `attempts` in the "
                        "exercise's file says how many"),
           "ATTEMPTS_USED",
           {{"exercise", std::string(exercise)},
            {"student", std::string(student)},
            {"attempts-max", absl::StrCat(attempts_max)}});
  SetPrecondition(status, "ATTEMPTS", student,
                  absl::StrCat("must have had fewer than ", attempts_max));
  return status;
}

absl::Status AttemptGraded(absl::string_view attempt) {
  absl::Status status = Make(
      StatusCode::kFailedPrecondition,
      absl::StrCat(Quote(attempt),
                   " is graded, so nothing can be handed in any more: start "
                   "another attempt"),
      "ATTEMPT_GRADED", {{"attempt", std::string(attempt)}});
  SetPrecondition(status, "ATTEMPT_STATE", attempt, "must not be graded");
  return status;
}

absl::Status NothingSubmitted(absl::string_view attempt) {
  absl::Status status =
      Make(StatusCode::kFailedPrecondition,
           absl::StrCat("nothing was handed in for ", Quote(attempt),
                        ": call Submit first"),
           "NOTHING_SUBMITTED", {{"attempt", std::string(attempt)}});
  SetPrecondition(status, "ATTEMPT_STATE", attempt, "must be submitted");
  return status;
}

absl::Status VariantImpossible(absl::string_view exercise,
                               absl::string_view student,
                               absl::string_view why) {
  absl::Status status = Make(
      StatusCode::kFailedPrecondition,
      absl::StrCat(Quote(exercise), " has no variant for ", Quote(student),
                   InBrackets(why),
                   ": its author has to mend it; `faultline exercise "
                   "show FILE --student WHO` says what is wrong"),
      "VARIANT_IMPOSSIBLE",
      {{"exercise", std::string(exercise)}, {"student", std::string(student)}});
  SetPrecondition(status, "EXERCISE", exercise,
                  "must have a variant for each student");
  return status;
}

absl::Status ExerciseChanged(absl::string_view attempt, absl::string_view why) {
  absl::Status status =
      Make(StatusCode::kFailedPrecondition,
           absl::StrCat("the exercise was replaced, and what ", Quote(attempt),
                        " drew does not fit it any more", InBrackets(why),
                        ": its author has to replace it by one with the same "
                        "variables and the same set-up"),
           "EXERCISE_CHANGED", {{"attempt", std::string(attempt)}});
  SetPrecondition(status, "EXERCISE", attempt, "must fit what was drawn");
  return status;
}

absl::Status GradingRequestIdReused(absl::string_view exercise,
                                    absl::string_view request_id) {
  return Make(StatusCode::kAborted,
              absl::StrCat("request_id ", Quote(request_id), " was used in ",
                           Quote(exercise),
                           " for another student or another attempt: nothing "
                           "was done; take a new request_id for a new request"),
              "REQUEST_ID_REUSED",
              {{"exercise", std::string(exercise)},
               {"request-id", std::string(request_id)}});
}

absl::Status AttemptNumberTaken(absl::string_view exercise,
                                absl::string_view student) {
  return Make(
      StatusCode::kAborted,
      absl::StrCat("attempts of ", Quote(student), " at ", Quote(exercise),
                   " are being started elsewhere at the same time: "
                   "nothing was done; repeat it"),
      "ATTEMPT_NUMBER_TAKEN",
      {{"exercise", std::string(exercise)}, {"student", std::string(student)}});
}

absl::Status SubmissionReplaced(absl::string_view attempt) {
  return Make(StatusCode::kAborted,
              absl::StrCat("something else was handed in for ", Quote(attempt),
                           " while it was graded: no grade was given; repeat "
                           "it"),
              "SUBMISSION_REPLACED", {{"attempt", std::string(attempt)}});
}

absl::Status ExercisesLimit(int64_t exercises_max) {
  absl::Status status =
      Make(StatusCode::kResourceExhausted,
           absl::StrCat("the server keeps at most ", exercises_max,
                        " exercises: delete one with DeleteExercise"),
           "EXERCISES_LIMIT", {{"exercises-max", absl::StrCat(exercises_max)}});
  SetQuota(status, "server",
           absl::StrCat("at most ", exercises_max, " exercises"));
  return status;
}

absl::Status AttemptsLimit(int64_t attempts_max) {
  absl::Status status =
      Make(StatusCode::kResourceExhausted,
           absl::StrCat("the server keeps at most ", attempts_max,
                        " attempts: delete an exercise that is over, with "
                        "DeleteExercise"),
           "ATTEMPTS_LIMIT", {{"attempts-max", absl::StrCat(attempts_max)}});
  SetQuota(status, "server",
           absl::StrCat("at most ", attempts_max, " attempts"));
  return status;
}

absl::Status GradesLimit(absl::string_view attempt, int64_t grades_max) {
  absl::Status status =
      Make(StatusCode::kResourceExhausted,
           absl::StrCat(Quote(attempt), " has ", grades_max,
                        " grades, which is as many as it may: ListGrades "
                        "shows them"),
           "GRADES_LIMIT",
           {{"attempt", std::string(attempt)},
            {"grades-max", absl::StrCat(grades_max)}});
  SetQuota(status, attempt, absl::StrCat("at most ", grades_max, " grades"));
  return status;
}

absl::Status GradebookCorrupt(absl::string_view name, absl::string_view reason,
                              absl::string_view why) {
  absl::Status status = Make(
      StatusCode::kDataLoss,
      absl::StrCat("what is stored of ", Quote(name), " fails its checks (",
                   Quote(why), "): restore a backup of the data directory"),
      reason, {{"name", std::string(name)}, {"cause", std::string(why)}});
  SetResource(status, "Gradebook", name, "is damaged");
  return status;
}

}  // namespace faultline::errors

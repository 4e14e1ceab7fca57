// The failures of exercises, attempts and grades; see errors.h. What is named
// `exercise`, `attempt` or `session` is a resource name:
// "exercises/cow", "exercises/cow/attempts/a7f".
#ifndef FAULTLINE_SERVER_CODEC_GRADING_ERRORS_H_
#define FAULTLINE_SERVER_CODEC_GRADING_ERRORS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace faultline::errors {

// NOT_FOUND.
absl::Status ExerciseNotFound(absl::string_view exercise);
absl::Status AttemptNotFound(absl::string_view attempt);
// The session of an attempt was deleted, whether another has its name or not.
absl::Status AttemptSessionGone(absl::string_view attempt,
                                absl::string_view session);
// ALREADY_EXISTS.
absl::Status ExerciseAlreadyExists(absl::string_view exercise);
absl::Status SessionNameTaken(absl::string_view session);
// PERMISSION_DENIED.
absl::Status SecretWrong(absl::string_view exercise);
// FAILED_PRECONDITION.
absl::Status ExerciseHasAttempts(absl::string_view exercise);
absl::Status AttemptsUsed(absl::string_view exercise, absl::string_view student,
                          int64_t attempts_max);
absl::Status AttemptGraded(absl::string_view attempt);
absl::Status NothingSubmitted(absl::string_view attempt);
// `why` is for graders: it may tell what is right. Empty: it is left out.
absl::Status VariantImpossible(absl::string_view exercise,
                               absl::string_view student,
                               absl::string_view why);
absl::Status ExerciseChanged(absl::string_view attempt, absl::string_view why);
// ABORTED.
absl::Status GradingRequestIdReused(absl::string_view exercise,
                                    absl::string_view request_id);
absl::Status AttemptNumberTaken(absl::string_view exercise,
                                absl::string_view student);
absl::Status SubmissionReplaced(absl::string_view attempt);
// RESOURCE_EXHAUSTED.
absl::Status ExercisesLimit(int64_t exercises_max);
absl::Status AttemptsLimit(int64_t attempts_max);
absl::Status GradesLimit(absl::string_view attempt, int64_t grades_max);
// DATA_LOSS. `reason` is EXERCISE_CORRUPT, ATTEMPT_CORRUPT or GRADE_CORRUPT.
absl::Status GradebookCorrupt(absl::string_view name, absl::string_view reason,
                              absl::string_view why);

}  // namespace faultline::errors

#endif  // FAULTLINE_SERVER_CODEC_GRADING_ERRORS_H_

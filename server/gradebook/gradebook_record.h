// What the gradebook keeps in storage's bytes, and storage's errors as the
// errors of the service.
//
// An exercise's `body` is its file, its `summary` an ExerciseSummary without
// name and times. An attempt's `drawn` is a DrawnVariant, its `submission` a
// SubmitRequest without the attempt's name, the revision always filled in. A
// grade's `report` is a GradeReport with all that graders see.
#ifndef FAULTLINE_SERVER_GRADEBOOK_GRADEBOOK_RECORD_H_
#define FAULTLINE_SERVER_GRADEBOOK_GRADEBOOK_RECORD_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "faultline/v1/drawn.pb.h"
#include "faultline/v1/grading.pb.h"
#include "server/gradebook/names.h"
#include "server/grading/exercise.h"
#include "storage/store.h"

namespace faultline {

// An error of the store as one of the service. `ids.attempt` is empty where it
// is about an exercise. What the caller knows more about (whose request_id,
// whose attempts) it looks at first.
absl::Status GradebookError(const AttemptIds& ids, const absl::Status& status);

// How many a student has: 1 or more.
int64_t AttemptsOf(const v1::Exercise& exercise);

// DATA_LOSS when the file cannot be read any more.
absl::StatusOr<grading::Exercise> ExerciseOf(
    const storage::ExerciseRecord& record);
v1::ExerciseSummary SummaryOf(const grading::Exercise& exercise);
absl::StatusOr<v1::ExerciseSummary> SummaryOf(
    const storage::ExerciseRecord& record);

absl::StatusOr<v1::DrawnVariant> DrawnOf(const storage::AttemptRecord& record);
// REQUIRES: something was handed in.
absl::StatusOr<v1::SubmitRequest> SubmissionOf(
    const storage::AttemptRecord& record);
absl::StatusOr<v1::GradeReport> ReportOf(const storage::GradeRecord& record);

// As students see it. `attempts`: how many the student has.
absl::StatusOr<v1::Attempt> AttemptOf(const storage::AttemptRecord& record,
                                      int32_t attempts);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_GRADEBOOK_GRADEBOOK_RECORD_H_

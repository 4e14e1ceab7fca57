#include "server/gradebook/gradebook_record.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "server/codec/errors.h"
#include "server/codec/grading_errors.h"
#include "server/codec/status_macros.h"
#include "server/codec/time.h"
#include "server/session/record.h"
#include "storage/reason.h"

namespace faultline {
namespace {

template <class Message>
absl::StatusOr<Message> Parse(const std::string& bytes, const std::string& name,
                              absl::string_view reason) {
  Message message;
  if (message.ParseFromString(bytes)) return message;
  return errors::GradebookCorrupt(name, reason, "it cannot be read");
}

double PointsOfAll(const v1::Exercise& exercise) {
  double points = 0;
  for (const v1::Question& question : exercise.questions()) {
    if (!question.hidden()) points += grading::PointsOf(question);
  }
  for (const v1::Goal& goal : exercise.goals()) {
    if (!goal.hidden()) points += grading::PointsOf(goal);
  }
  return points;
}

}  // namespace

absl::Status GradebookError(const AttemptIds& ids, const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  const std::string exercise = ExerciseName(ids.exercise);
  const std::string attempt = AttemptName(ids);
  if (reason == "EXERCISE_NOT_FOUND" && ids.attempt.empty()) {
    return errors::ExerciseNotFound(exercise);
  }
  if (reason == "EXERCISE_NOT_FOUND" || reason == "ATTEMPT_NOT_FOUND") {
    return errors::AttemptNotFound(attempt);
  }
  if (reason == "EXERCISE_EXISTS") {
    return errors::ExerciseAlreadyExists(exercise);
  }
  if (reason == "EXERCISE_HAS_ATTEMPTS") {
    return errors::ExerciseHasAttempts(exercise);
  }
  if (reason == "ATTEMPT_GRADED") return errors::AttemptGraded(attempt);
  if (reason == "SUBMISSION_REPLACED") {
    return errors::SubmissionReplaced(attempt);
  }
  if (status.code() == absl::StatusCode::kDataLoss) {
    const bool corrupt = absl::EndsWith(reason, "_CORRUPT");
    return errors::GradebookCorrupt(ids.attempt.empty() ? exercise : attempt,
                                    corrupt ? reason : "EXERCISE_CORRUPT",
                                    status.message());
  }
  return errors::JournalUnavailable(status.message());
}

int64_t AttemptsOf(const v1::Exercise& exercise) {
  return std::max<int64_t>(exercise.attempts(), 1);
}

absl::StatusOr<grading::Exercise> ExerciseOf(
    const storage::ExerciseRecord& record) {
  absl::StatusOr<grading::Exercise> exercise =
      grading::ReadExercise("", record.body);
  if (exercise.ok()) return exercise;
  return errors::GradebookCorrupt(ExerciseName(record.id), "EXERCISE_CORRUPT",
                                  exercise.status().message());
}

v1::ExerciseSummary SummaryOf(const grading::Exercise& exercise) {
  v1::ExerciseSummary summary;
  summary.set_title(exercise.proto.title());
  summary.set_kind(exercise.predicts() ? v1::EXERCISE_KIND_PREDICT
                                       : v1::EXERCISE_KIND_ACHIEVE);
  summary.set_points(PointsOfAll(exercise.proto));
  summary.set_attempts(static_cast<int32_t>(AttemptsOf(exercise.proto)));
  summary.set_sha256(exercise.sha256);
  return summary;
}

absl::StatusOr<v1::ExerciseSummary> SummaryOf(
    const storage::ExerciseRecord& record) {
  const std::string name = ExerciseName(record.id);
  FL_ASSIGN_OR_RETURN(
      v1::ExerciseSummary summary,
      Parse<v1::ExerciseSummary>(record.summary, name, "EXERCISE_CORRUPT"));
  summary.set_name(name);
  TimeToProto(record.create_time, summary.mutable_create_time());
  TimeToProto(record.update_time, summary.mutable_update_time());
  return summary;
}

absl::StatusOr<v1::DrawnVariant> DrawnOf(const storage::AttemptRecord& record) {
  return Parse<v1::DrawnVariant>(record.drawn,
                                 AttemptName({record.exercise, record.id}),
                                 "ATTEMPT_CORRUPT");
}

absl::StatusOr<v1::SubmitRequest> SubmissionOf(
    const storage::AttemptRecord& record) {
  return Parse<v1::SubmitRequest>(*record.submission,
                                  AttemptName({record.exercise, record.id}),
                                  "ATTEMPT_CORRUPT");
}

absl::StatusOr<v1::GradeReport> ReportOf(const storage::GradeRecord& record) {
  return Parse<v1::GradeReport>(
      record.report, GradeName({record.exercise, record.attempt}, record.id),
      "GRADE_CORRUPT");
}

absl::StatusOr<v1::Attempt> AttemptOf(const storage::AttemptRecord& record,
                                      int32_t attempts) {
  FL_ASSIGN_OR_RETURN(v1::DrawnVariant drawn, DrawnOf(record));
  v1::Attempt attempt;
  attempt.set_name(AttemptName({record.exercise, record.id}));
  attempt.set_student(record.student);
  *attempt.mutable_variant() = std::move(*drawn.mutable_variant());
  if (!record.session.empty()) {
    attempt.set_session(ResourceName(record.session));
  }
  attempt.set_start_revision(record.start_revision);
  TimeToProto(record.create_time, attempt.mutable_create_time());
  attempt.set_number(static_cast<int32_t>(record.number));
  attempt.set_attempts(attempts);
  attempt.set_submitted(record.submission.has_value());
  attempt.set_graded(record.grades > 0);
  if (!record.submission) return attempt;
  FL_ASSIGN_OR_RETURN(const v1::SubmitRequest submission, SubmissionOf(record));
  if (submission.has_session()) {
    attempt.set_submitted_revision(submission.session().revision());
  }
  return attempt;
}

}  // namespace faultline

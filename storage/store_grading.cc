// Exercises, attempts and grades in the store.
#include <utility>

#include "storage/status_macros.h"
#include "storage/store.h"

namespace faultline::storage {

absl::Status Store::CreateExercise(ExerciseRecord exercise, Replace replace,
                                   int64_t count_max, Done done) {
  return Submit({"", ExerciseWrite{std::move(exercise), replace, count_max},
                 std::move(done)});
}

absl::Status Store::DeleteExercise(absl::string_view id, Force force,
                                   Done done) {
  return Submit(
      {"", ExerciseDeleteWrite{std::string(id), force}, std::move(done)});
}

absl::StatusOr<ExerciseRecord> Store::GetExercise(absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return ReadExercise(*database, id);
}

absl::StatusOr<std::vector<ExerciseRecord>> Store::ListExercises(
    absl::string_view after_id, int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return ReadExercises(*database, after_id, limit);
}

absl::Status Store::StartAttempt(AttemptRecord attempt, int64_t attempts_max,
                                 Done done) {
  return Submit(
      {"", AttemptWrite{std::move(attempt), attempts_max}, std::move(done)});
}

absl::Status Store::SubmitAttempt(absl::string_view exercise,
                                  absl::string_view attempt,
                                  std::string submission, Done done) {
  return Submit({"",
                 SubmissionWrite{std::string(exercise), std::string(attempt),
                                 std::move(submission)},
                 std::move(done)});
}

absl::StatusOr<AttemptRecord> Store::GetAttempt(absl::string_view exercise,
                                                absl::string_view attempt) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  FAULTLINE_ASSIGN_OR_RETURN(StoredAttempt stored,
                             ReadAttempt(*database, exercise, attempt));
  return std::move(stored.record);
}

absl::StatusOr<absl::optional<AttemptRecord>> Store::FindAttempt(
    absl::string_view exercise, absl::string_view request_id) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return FindAttemptByRequest(*database, exercise, request_id);
}

absl::StatusOr<int64_t> Store::CountAttempts(absl::string_view exercise,
                                             absl::string_view student) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return CountAttemptRows(*database, exercise, student);
}

absl::StatusOr<int64_t> Store::CountUngradedAttempts(
    absl::string_view exercise, absl::string_view student) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return CountUngradedAttemptRows(*database, exercise, student);
}

absl::StatusOr<int64_t> Store::CountAllAttempts() {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return CountAllAttemptRows(*database);
}

// Compresses on the caller's thread: all sessions wait for the writer's.
absl::Status Store::GiveGrade(GradeRecord grade, int64_t of_submission,
                              int64_t grades_max, Done done) {
  Compressed report = CompressWhereItPays(std::move(grade.report));
  grade.report.clear();
  return Submit({"",
                 GradeWrite{std::move(grade), std::move(report),
                            GradeRules{of_submission, grades_max}},
                 std::move(done)});
}

absl::StatusOr<GradeRecord> Store::GetGrade(absl::string_view exercise,
                                            absl::string_view attempt,
                                            absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return ReadGrade(*database, exercise, attempt, id);
}

absl::StatusOr<absl::optional<GradeRecord>> Store::FindGrade(
    absl::string_view exercise, absl::string_view request_id) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return FindGradeByRequest(*database, exercise, request_id);
}

absl::StatusOr<std::vector<GradeRecord>> Store::ListGrades(
    absl::string_view exercise, absl::string_view student,
    int64_t after_position, int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return ReadGrades(*database, exercise, student, after_position, limit);
}

}  // namespace faultline::storage

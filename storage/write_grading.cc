// The writes of exercises, attempts and grades.
#include "storage/write.h"

namespace faultline::storage {
namespace {

size_t BytesOf(const ExerciseWrite& write) {
  return write.record.summary.size() + write.record.body.size();
}
size_t BytesOf(const AttemptWrite& write) { return write.record.drawn.size(); }
size_t BytesOf(const SubmissionWrite& write) { return write.submission.size(); }
size_t BytesOf(const GradeWrite& write) {
  return static_cast<size_t>(write.report.unpacked_bytes);
}
template <class Other>
size_t BytesOf(const Other&) {
  return 0;
}

}  // namespace

size_t GradingBytes(const Write& write) {
  return std::visit([](const auto& what) { return BytesOf(what); }, write.what);
}

absl::Status WriteGroup::Do(const std::string&, const ExerciseWrite& write) {
  return InsertExercise(database_, write.record, write.replace,
                        write.count_max);
}

absl::Status WriteGroup::Do(const std::string&,
                            const ExerciseDeleteWrite& remove) {
  return RemoveExercise(database_, remove.id, remove.force);
}

absl::Status WriteGroup::Do(const std::string&, const AttemptWrite& write) {
  return InsertAttempt(database_, write.record, write.attempts_max);
}

absl::Status WriteGroup::Do(const std::string&, const SubmissionWrite& write) {
  return UpdateSubmission(database_, write.exercise, write.attempt,
                          write.submission);
}

absl::Status WriteGroup::Do(const std::string&, const GradeWrite& write) {
  return InsertGrade(database_, write.record, write.report, write.rules);
}

}  // namespace faultline::storage

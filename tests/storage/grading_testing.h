// The verbs the tests of exercises, attempts and grades are written in.
#ifndef FAULTLINE_TESTS_STORAGE_GRADING_TESTING_H_
#define FAULTLINE_TESTS_STORAGE_GRADING_TESTING_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "storage/store.h"

namespace faultline::storage {

// Records whose contents follow from their arguments.
ExerciseRecord MakeExercise(const std::string& id,
                            const std::string& text = "");
// Its id is "student-number".
AttemptRecord MakeAttempt(const std::string& exercise,
                          const std::string& student, int64_t number);
GradeRecord MakeGrade(const std::string& exercise, const std::string& attempt,
                      const std::string& id);
// Long enough to be compressed.
std::string MakeReport(const std::string& text);

absl::Status Put(Store& store, const ExerciseRecord& exercise,
                 Replace replace = Replace::kNo, int64_t count_max = 1000);
absl::Status RemoveExercise(Store& store, const std::string& id,
                            Force force = Force::kNo);
absl::Status Start(Store& store, const AttemptRecord& attempt,
                   int64_t attempts_max = 1000);
absl::Status HandIn(Store& store, const std::string& exercise,
                    const std::string& attempt, const std::string& submission);
absl::Status Give(Store& store, const GradeRecord& grade,
                  int64_t of_submission = 1, int64_t grades_max = 1000);

}  // namespace faultline::storage

#endif  // FAULTLINE_TESTS_STORAGE_GRADING_TESTING_H_

// The grades table: what each attempt was given, and why.
//
// The functions that change something run inside the writer's transaction; all
// errors are found before anything is changed. All of them, also those that
// read: NOT_FOUND with reason EXERCISE_NOT_FOUND.
#ifndef FAULTLINE_STORAGE_GRADES_H_
#define FAULTLINE_STORAGE_GRADES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "storage/compress.h"
#include "storage/database.h"

namespace faultline::storage {

struct GradeRecord {
  std::string exercise;
  std::string attempt;
  std::string id;  // unique in its attempt
  // Its place in the lists of its exercise. Greater than those before, and
  // never used twice; not taken from here when the grade is given.
  int64_t position = 0;
  std::string student;     // that of the attempt; not taken from here either
  std::string request_id;  // "" for none; else unique in the exercise
  absl::Time create_time;  // kept to the microsecond
  std::string report;      // opaque; compressed where that saves much

  friend bool operator==(const GradeRecord&, const GradeRecord&) = default;
};

struct GradeRules {
  int64_t of_submission =
      0;                  // which one was graded: AttemptRecord::submissions
  int64_t count_max = 0;  // of the attempt
};

// `report` stands for that of the record. In this order: NOT_FOUND with reason
// ATTEMPT_NOT_FOUND; ABORTED with reason REQUEST_ID_REUSED; ABORTED with reason
// SUBMISSION_REPLACED when something else was handed in meanwhile;
// RESOURCE_EXHAUSTED with reason GRADES_LIMIT; ALREADY_EXISTS with reason
// GRADE_EXISTS for the id.
absl::Status InsertGrade(Database& database, const GradeRecord& grade,
                         const Compressed& report, const GradeRules& rules);

// NOT_FOUND with reason GRADE_NOT_FOUND, also where there is no such attempt.
// This and the next two: DATA_LOSS with reason GRADE_CORRUPT when a row is not
// as it was written.
absl::StatusOr<GradeRecord> ReadGrade(Database& database,
                                      absl::string_view exercise,
                                      absl::string_view attempt,
                                      absl::string_view id);
// The grade that was given with `request_id`.
absl::StatusOr<absl::optional<GradeRecord>> FindGradeByRequest(
    Database& database, absl::string_view exercise,
    absl::string_view request_id);
// Up to `limit` of a student, "" for all, after `after_position`, in the order
// in which they were given.
absl::StatusOr<std::vector<GradeRecord>> ReadGrades(Database& database,
                                                    absl::string_view exercise,
                                                    absl::string_view student,
                                                    int64_t after_position,
                                                    int64_t limit);

// Removes up to `rows_max` grades of a removed exercise; how many it found.
absl::StatusOr<int64_t> PurgeGrades(Database& database, int64_t exercise_key,
                                    int64_t rows_max);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_GRADES_H_

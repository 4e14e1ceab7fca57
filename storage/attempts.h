// The attempts table: who tried which exercise, with what, and what was handed
// in.
//
// The functions that change something run inside the writer's transaction; all
// errors are found before anything is changed. All of them, also those that
// read: NOT_FOUND with reason EXERCISE_NOT_FOUND.
#ifndef FAULTLINE_STORAGE_ATTEMPTS_H_
#define FAULTLINE_STORAGE_ATTEMPTS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "storage/database.h"

namespace faultline::storage {

struct AttemptRecord {
  std::string exercise;
  std::string id;  // unique in its exercise
  std::string student;
  int64_t number = 0;      // of the student's, from 1
  std::string request_id;  // "" for none; else unique in the exercise
  absl::Time create_time;  // kept to the microsecond
  std::string drawn;       // opaque; what was drawn for it
  std::string session;     // "" for none
  int64_t start_revision = 0;
  // What follows is not taken from here when the attempt is started.
  absl::optional<std::string> submission;  // opaque; absent: not handed in
  int64_t submissions = 0;  // how often it was: which one `submission` is
  int64_t grades = 0;       // how many were given

  friend bool operator==(const AttemptRecord&, const AttemptRecord&) = default;
};

// Starts the student's next attempt. In this order: ABORTED with reason
// REQUEST_ID_REUSED; FAILED_PRECONDITION with reason ATTEMPTS_USED when the
// student has had `attempts_max`; ABORTED with reason ATTEMPT_NUMBER_TAKEN when
// `number` is not the next; ALREADY_EXISTS with reason ATTEMPT_EXISTS for the
// id.
absl::Status InsertAttempt(Database& database, const AttemptRecord& attempt,
                           int64_t attempts_max);

// Takes the place of what was handed in before. NOT_FOUND with reason
// ATTEMPT_NOT_FOUND, FAILED_PRECONDITION with reason ATTEMPT_GRADED, DATA_LOSS.
absl::Status UpdateSubmission(Database& database, absl::string_view exercise,
                              absl::string_view id,
                              absl::string_view submission);

// An attempt and what stands for it in other tables.
struct StoredAttempt {
  AttemptRecord record;
  int64_t exercise_key = 0;
  int64_t key = 0;
};
// NOT_FOUND with reason ATTEMPT_NOT_FOUND. This and the next: DATA_LOSS with
// reason ATTEMPT_CORRUPT when the row is not as it was written.
absl::StatusOr<StoredAttempt> ReadAttempt(Database& database,
                                          absl::string_view exercise,
                                          absl::string_view id);
// The attempt that was started with `request_id`.
absl::StatusOr<absl::optional<AttemptRecord>> FindAttemptByRequest(
    Database& database, absl::string_view exercise,
    absl::string_view request_id);

// How many the student has had: the number of the last.
absl::StatusOr<int64_t> CountAttemptRows(Database& database,
                                         absl::string_view exercise,
                                         absl::string_view student);

// How many of the student's have no grade yet.
absl::StatusOr<int64_t> CountUngradedAttemptRows(Database& database,
                                                 absl::string_view exercise,
                                                 absl::string_view student);
// Of all exercises, those included that PurgeAttempts has not come to yet. It
// reads an index from end to end.
absl::StatusOr<int64_t> CountAllAttemptRows(Database& database);

// Whether the exercise with this key has any.
absl::StatusOr<bool> HasAttempts(Database& database, int64_t exercise_key);
// Removes up to `rows_max` attempts of a removed exercise; how many it found.
absl::StatusOr<int64_t> PurgeAttempts(Database& database, int64_t exercise_key,
                                      int64_t rows_max);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_ATTEMPTS_H_

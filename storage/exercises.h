// The exercises table: what students are asked to do.
//
// The functions that change something run inside the writer's transaction.
#ifndef FAULTLINE_STORAGE_EXERCISES_H_
#define FAULTLINE_STORAGE_EXERCISES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/database.h"

namespace faultline::storage {

struct ExerciseRecord {
  std::string id;          // unique
  absl::Time create_time;  // kept to the microsecond, as is update_time
  absl::Time update_time;
  std::string summary;  // opaque, small: what a list shows
  std::string body;     // opaque; lists come without it

  friend bool operator==(const ExerciseRecord&,
                         const ExerciseRecord&) = default;
};

enum class Replace { kNo, kYes };
enum class Force { kNo, kYes };

// NOT_FOUND, reason EXERCISE_NOT_FOUND.
absl::Status ExerciseNotFound(absl::string_view id);

// With kYes it takes the place of one of the same id, whose attempts, grades
// and create time stay. ALREADY_EXISTS with reason EXERCISE_EXISTS, or
// RESOURCE_EXHAUSTED with reason EXERCISES_LIMIT when there are `count_max`.
absl::Status InsertExercise(Database& database, const ExerciseRecord& exercise,
                            Replace replace, int64_t count_max);

// Removes the exercise at once and leaves its attempts and grades to
// PurgeExercises. NOT_FOUND; without kYes also FAILED_PRECONDITION with reason
// EXERCISE_HAS_ATTEMPTS.
absl::Status RemoveExercise(Database& database, absl::string_view id,
                            Force force);

// Both: DATA_LOSS, reason EXERCISE_CORRUPT, when a row is not as it was
// written.
absl::StatusOr<ExerciseRecord> ReadExercise(Database& database,
                                            absl::string_view id);
// Up to `limit` with an id greater than `after_id`, by id and without bodies.
absl::StatusOr<std::vector<ExerciseRecord>> ReadExercises(
    Database& database, absl::string_view after_id, int64_t limit);

// What stands for the exercise in the other tables; never used twice.
absl::StatusOr<int64_t> ReadExerciseKey(Database& database,
                                        absl::string_view id);

// Removes up to `rows_max` rows that removed exercises left behind. False when
// there is nothing left.
absl::StatusOr<bool> PurgeExercises(Database& database, int64_t rows_max);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_EXERCISES_H_

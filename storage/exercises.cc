#include "storage/exercises.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/attempts.h"
#include "storage/grades.h"
#include "storage/reason.h"
#include "storage/sha256.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr absl::string_view kExerciseTag = "faultline exercise 1";

constexpr char kSelectKey[] = R"sql(
SELECT exercise_key
  FROM exercises
 WHERE id = ?
)sql";

constexpr char kSelectOne[] = R"sql(
SELECT id, create_time_us, update_time_us, summary, body_hash, hash, body
  FROM exercises
 WHERE id = ?
)sql";

constexpr char kSelectPage[] = R"sql(
SELECT id, create_time_us, update_time_us, summary, body_hash, hash
  FROM exercises
 WHERE id > ?
 ORDER BY id
 LIMIT ?
)sql";

constexpr char kCount[] = "SELECT count(*) FROM exercises";

constexpr char kUpsert[] = R"sql(
INSERT INTO exercises
  (id, create_time_us, update_time_us, summary, body_hash, hash, body)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE
   SET create_time_us = excluded.create_time_us,
       update_time_us = excluded.update_time_us,
       summary = excluded.summary,
       body_hash = excluded.body_hash,
       hash = excluded.hash,
       body = excluded.body
)sql";

constexpr char kInsertPurge[] = R"sql(
INSERT INTO exercise_purges (exercise_key)
VALUES (?)
)sql";

constexpr char kDelete[] = R"sql(
DELETE FROM exercises
 WHERE exercise_key = ?
)sql";

constexpr char kSelectPurge[] = R"sql(
SELECT exercise_key
  FROM exercise_purges
 ORDER BY exercise_key
 LIMIT 1
)sql";

constexpr char kDeletePurge[] = R"sql(
DELETE FROM exercise_purges
 WHERE exercise_key = ?
)sql";

std::string HashOf(const ExerciseRecord& exercise,
                   absl::string_view body_hash) {
  return std::move(Sha256()
                       .Add(kExerciseTag)
                       .AddSized(exercise.id)
                       .AddInt(absl::ToUnixMicros(exercise.create_time))
                       .AddInt(absl::ToUnixMicros(exercise.update_time))
                       .AddSized(exercise.summary)
                       .Add(body_hash))
      .Digest();
}

std::string BodyHash(absl::string_view body) {
  return std::move(Sha256().Add(body)).Digest();
}

absl::Status Corrupt(absl::string_view id) {
  return ErrorWithReason(
      absl::StatusCode::kDataLoss, "EXERCISE_CORRUPT",
      absl::StrCat("exercise \"", id,
                   "\" is damaged: it is not as it was written; create it "
                   "again in its own place, which leaves its attempts alone"));
}

// Without its body.
absl::StatusOr<ExerciseRecord> OfRow(const Statement& row) {
  ExerciseRecord exercise;
  exercise.id = std::string(row.Bytes(0));
  exercise.create_time = absl::FromUnixMicros(row.Int64(1));
  exercise.update_time = absl::FromUnixMicros(row.Int64(2));
  exercise.summary = std::string(row.Bytes(3));
  if (HashOf(exercise, row.Bytes(4)) == row.Bytes(5)) return exercise;
  return Corrupt(exercise.id);
}

// What `exercise` is to be written as: of one that is there, and can be read,
// the create time stays.
absl::StatusOr<ExerciseRecord> FindItsPlace(Database& database,
                                            const ExerciseRecord& exercise,
                                            Replace replace,
                                            int64_t count_max) {
  ExerciseRecord written = exercise;
  const auto before = ReadExercise(database, exercise.id);
  if (absl::IsNotFound(before.status())) {
    FAULTLINE_ASSIGN_OR_RETURN(const int64_t count,
                               database.QueryInt64(kCount));
    if (count < count_max) return written;
    return ErrorWithReason(
        absl::StatusCode::kResourceExhausted, "EXERCISES_LIMIT",
        absl::StrCat("there are ", count, " exercises already; delete one"));
  }
  const bool damaged = ReasonOf(before.status()) == "EXERCISE_CORRUPT";
  if (!before.ok() && !damaged) return before.status();
  if (replace == Replace::kNo) {
    return ErrorWithReason(
        absl::StatusCode::kAlreadyExists, "EXERCISE_EXISTS",
        absl::StrCat("there is an exercise \"", exercise.id,
                     "\" already; choose another id, or replace it"));
  }
  if (!damaged) written.create_time = before->create_time;
  return written;
}

}  // namespace

absl::Status ExerciseNotFound(absl::string_view id) {
  return ErrorWithReason(
      absl::StatusCode::kNotFound, "EXERCISE_NOT_FOUND",
      absl::StrCat("there is no exercise \"", id,
                   "\"; list the exercises to see those there are"));
}

absl::Status InsertExercise(Database& database, const ExerciseRecord& exercise,
                            Replace replace, int64_t count_max) {
  FAULTLINE_ASSIGN_OR_RETURN(
      const ExerciseRecord written,
      FindItsPlace(database, exercise, replace, count_max));
  const std::string body_hash = BodyHash(written.body);
  const std::string hash = HashOf(written, body_hash);
  FAULTLINE_ASSIGN_OR_RETURN(Statement upsert, database.Prepare(kUpsert));
  return upsert.BindText(1, written.id)
      .Bind(2, absl::ToUnixMicros(written.create_time))
      .Bind(3, absl::ToUnixMicros(written.update_time))
      .BindBlob(4, written.summary)
      .BindBlob(5, body_hash)
      .BindBlob(6, hash)
      .BindBlob(7, written.body)
      .Run();
}

absl::Status RemoveExercise(Database& database, absl::string_view id,
                            Force force) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t key, ReadExerciseKey(database, id));
  FAULTLINE_ASSIGN_OR_RETURN(const bool attempts, HasAttempts(database, key));
  if (attempts && force == Force::kNo) {
    return ErrorWithReason(
        absl::StatusCode::kFailedPrecondition, "EXERCISE_HAS_ATTEMPTS",
        absl::StrCat("exercise \"", id,
                     "\" has attempts; force its deletion to delete them and "
                     "their grades with it"));
  }
  FAULTLINE_ASSIGN_OR_RETURN(Statement purge, database.Prepare(kInsertPurge));
  FAULTLINE_RETURN_IF_ERROR(purge.Bind(1, key).Run());
  FAULTLINE_ASSIGN_OR_RETURN(Statement remove, database.Prepare(kDelete));
  return remove.Bind(1, key).Run();
}

absl::StatusOr<ExerciseRecord> ReadExercise(Database& database,
                                            absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectOne));
  select.BindText(1, id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return ExerciseNotFound(id);
  FAULTLINE_ASSIGN_OR_RETURN(ExerciseRecord exercise, OfRow(select));
  exercise.body = std::string(select.Bytes(6));
  if (BodyHash(exercise.body) != select.Bytes(4)) return Corrupt(id);
  return exercise;
}

absl::StatusOr<std::vector<ExerciseRecord>> ReadExercises(
    Database& database, absl::string_view after_id, int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectPage));
  select.BindText(1, after_id).Bind(2, limit);
  std::vector<ExerciseRecord> exercises;
  while (true) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return exercises;
    FAULTLINE_ASSIGN_OR_RETURN(ExerciseRecord exercise, OfRow(select));
    exercises.push_back(std::move(exercise));
  }
}

absl::StatusOr<int64_t> ReadExerciseKey(Database& database,
                                        absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectKey));
  select.BindText(1, id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return ExerciseNotFound(id);
  return select.Int64(0);
}

absl::StatusOr<bool> PurgeExercises(Database& database, int64_t rows_max) {
  int64_t key = 0;
  {
    FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                               database.Prepare(kSelectPurge));
    FAULTLINE_ASSIGN_OR_RETURN(const bool any, select.Step());
    if (!any) return false;
    key = select.Int64(0);
  }
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t grades,
                             PurgeGrades(database, key, rows_max));
  if (grades > 0) return true;
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t attempts,
                             PurgeAttempts(database, key, rows_max));
  if (attempts > 0) return true;
  FAULTLINE_ASSIGN_OR_RETURN(Statement done, database.Prepare(kDeletePurge));
  FAULTLINE_RETURN_IF_ERROR(done.Bind(1, key).Run());
  return true;
}

}  // namespace faultline::storage

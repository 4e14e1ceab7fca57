#include "storage/attempts.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/exercises.h"
#include "storage/reason.h"
#include "storage/sha256.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr absl::string_view kAttemptTag = "faultline attempt 1";

constexpr char kInsert[] = R"sql(
INSERT INTO attempts
  (exercise_key, id, student, number, request_id, create_time_us, session,
   start_revision, submissions, hash, drawn, submission)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, x'')
ON CONFLICT (exercise_key, id) DO NOTHING
)sql";

constexpr char kSelectOne[] = R"sql(
SELECT attempt_key, id, student, number, request_id, create_time_us, session,
       start_revision, submissions, hash, drawn, submission,
       (SELECT count(*)
          FROM grades AS g
         WHERE g.attempt_key = attempts.attempt_key)
  FROM attempts
 WHERE exercise_key = ?
   AND id = ?
)sql";

constexpr char kSelectByRequest[] = R"sql(
SELECT attempt_key, id, student, number, request_id, create_time_us, session,
       start_revision, submissions, hash, drawn, submission,
       (SELECT count(*)
          FROM grades AS g
         WHERE g.attempt_key = attempts.attempt_key)
  FROM attempts
 WHERE exercise_key = ?
   AND request_id = ?
   AND request_id <> ''
)sql";

constexpr char kSelectLastNumber[] = R"sql(
SELECT ifnull(max(number), 0)
  FROM attempts
 WHERE exercise_key = ?
   AND student = ?
)sql";

constexpr char kCountUngraded[] = R"sql(
SELECT count(*)
  FROM attempts AS a
 WHERE exercise_key = ?
   AND student = ?
   AND NOT EXISTS (SELECT 1
                     FROM grades AS g
                    WHERE g.attempt_key = a.attempt_key)
)sql";

constexpr char kCountAll[] = R"sql(
SELECT count(*)
  FROM attempts
)sql";

constexpr char kSelectAny[] = R"sql(
SELECT EXISTS (SELECT 1
                 FROM attempts
                WHERE exercise_key = ?)
)sql";

constexpr char kUpdateSubmission[] = R"sql(
UPDATE attempts
   SET submissions = ?, hash = ?, submission = ?
 WHERE attempt_key = ?
)sql";

constexpr char kPurge[] = R"sql(
DELETE FROM attempts
 WHERE attempt_key IN (SELECT attempt_key
                         FROM attempts
                        WHERE exercise_key = ?
                        ORDER BY id
                        LIMIT ?)
)sql";

// Of what the row says. How many grades there are is counted, not said.
std::string HashOf(int64_t exercise_key, const AttemptRecord& attempt) {
  return std::move(Sha256()
                       .Add(kAttemptTag)
                       .AddInt(exercise_key)
                       .AddSized(attempt.id)
                       .AddSized(attempt.student)
                       .AddInt(attempt.number)
                       .AddSized(attempt.request_id)
                       .AddInt(absl::ToUnixMicros(attempt.create_time))
                       .AddSized(attempt.session)
                       .AddInt(attempt.start_revision)
                       .AddInt(attempt.submissions)
                       .AddSized(attempt.drawn)
                       .AddSized(attempt.submission.value_or("")))
      .Digest();
}

absl::Status NotFound(absl::string_view exercise, absl::string_view id) {
  return ErrorWithReason(
      absl::StatusCode::kNotFound, "ATTEMPT_NOT_FOUND",
      absl::StrCat("exercise \"", exercise, "\" has no attempt \"", id,
                   "\"; start one"));
}

absl::Status Corrupt(absl::string_view exercise, absl::string_view id) {
  return ErrorWithReason(
      absl::StatusCode::kDataLoss, "ATTEMPT_CORRUPT",
      absl::StrCat("attempt \"", id, "\" of exercise \"", exercise,
                   "\" is damaged: it is not as it was written; restore the "
                   "database from a backup, or start another attempt"));
}

absl::StatusOr<StoredAttempt> OfRow(absl::string_view exercise,
                                    int64_t exercise_key,
                                    const Statement& row) {
  StoredAttempt stored;
  stored.exercise_key = exercise_key;
  stored.key = row.Int64(0);
  AttemptRecord& attempt = stored.record;
  attempt.exercise = std::string(exercise);
  attempt.id = std::string(row.Bytes(1));
  attempt.student = std::string(row.Bytes(2));
  attempt.number = row.Int64(3);
  attempt.request_id = std::string(row.Bytes(4));
  attempt.create_time = absl::FromUnixMicros(row.Int64(5));
  attempt.session = std::string(row.Bytes(6));
  attempt.start_revision = row.Int64(7);
  attempt.submissions = row.Int64(8);
  attempt.drawn = std::string(row.Bytes(10));
  if (attempt.submissions > 0) attempt.submission = std::string(row.Bytes(11));
  attempt.grades = row.Int64(12);
  if (HashOf(exercise_key, attempt) == row.Bytes(9)) return stored;
  return Corrupt(exercise, attempt.id);
}

absl::StatusOr<int64_t> LastNumber(Database& database, int64_t exercise_key,
                                   absl::string_view student) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectLastNumber));
  select.Bind(1, exercise_key).BindText(2, student);
  FAULTLINE_RETURN_IF_ERROR(select.Step().status());
  return select.Int64(0);
}

absl::Status CheckRequest(Database& database, int64_t exercise_key,
                          const AttemptRecord& attempt) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectByRequest));
  select.Bind(1, exercise_key).BindText(2, attempt.request_id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool taken, select.Step());
  if (!taken) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kAborted, "REQUEST_ID_REUSED",
      absl::StrCat("exercise \"", attempt.exercise,
                   "\" has an attempt with the request id \"",
                   attempt.request_id, "\" already; use a new one"));
}

absl::Status CheckNumber(Database& database, int64_t exercise_key,
                         const AttemptRecord& attempt, int64_t attempts_max) {
  FAULTLINE_ASSIGN_OR_RETURN(
      const int64_t last, LastNumber(database, exercise_key, attempt.student));
  if (last >= attempts_max) {
    return ErrorWithReason(
        absl::StatusCode::kFailedPrecondition, "ATTEMPTS_USED",
        absl::StrCat(attempt.student, " has had all ", attempts_max,
                     " attempts at exercise \"", attempt.exercise, "\""));
  }
  if (attempt.number == last + 1) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kAborted, "ATTEMPT_NUMBER_TAKEN",
      absl::StrCat(attempt.student, " has had ", last,
                   " attempts at exercise \"", attempt.exercise,
                   "\", so that number ", attempt.number,
                   " is not the next; ask again"));
}

}  // namespace

absl::Status InsertAttempt(Database& database, const AttemptRecord& attempt,
                           int64_t attempts_max) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t exercise_key,
                             ReadExerciseKey(database, attempt.exercise));
  FAULTLINE_RETURN_IF_ERROR(CheckRequest(database, exercise_key, attempt));
  FAULTLINE_RETURN_IF_ERROR(
      CheckNumber(database, exercise_key, attempt, attempts_max));
  AttemptRecord started = attempt;
  started.submission.reset();
  started.submissions = 0;
  const std::string hash = HashOf(exercise_key, started);
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsert));
  insert.Bind(1, exercise_key)
      .BindText(2, started.id)
      .BindText(3, started.student)
      .Bind(4, started.number)
      .BindText(5, started.request_id)
      .Bind(6, absl::ToUnixMicros(started.create_time))
      .BindText(7, started.session)
      .Bind(8, started.start_revision)
      .BindBlob(9, hash)
      .BindBlob(10, started.drawn);
  FAULTLINE_RETURN_IF_ERROR(insert.Run());
  if (database.changes() == 1) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kAlreadyExists, "ATTEMPT_EXISTS",
      absl::StrCat("exercise \"", attempt.exercise, "\" has an attempt \"",
                   attempt.id, "\" already; choose another id"));
}

absl::Status UpdateSubmission(Database& database, absl::string_view exercise,
                              absl::string_view id,
                              absl::string_view submission) {
  FAULTLINE_ASSIGN_OR_RETURN(StoredAttempt attempt,
                             ReadAttempt(database, exercise, id));
  if (attempt.record.grades > 0) {
    return ErrorWithReason(
        absl::StatusCode::kFailedPrecondition, "ATTEMPT_GRADED",
        absl::StrCat("attempt \"", id, "\" of exercise \"", exercise,
                     "\" has been graded; start another one"));
  }
  attempt.record.submission = std::string(submission);
  ++attempt.record.submissions;
  const std::string hash = HashOf(attempt.exercise_key, attempt.record);
  FAULTLINE_ASSIGN_OR_RETURN(Statement update,
                             database.Prepare(kUpdateSubmission));
  return update.Bind(1, attempt.record.submissions)
      .BindBlob(2, hash)
      .BindBlob(3, submission)
      .Bind(4, attempt.key)
      .Run();
}

absl::StatusOr<StoredAttempt> ReadAttempt(Database& database,
                                          absl::string_view exercise,
                                          absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t exercise_key,
                             ReadExerciseKey(database, exercise));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectOne));
  select.Bind(1, exercise_key).BindText(2, id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return NotFound(exercise, id);
  return OfRow(exercise, exercise_key, select);
}

absl::StatusOr<absl::optional<AttemptRecord>> FindAttemptByRequest(
    Database& database, absl::string_view exercise,
    absl::string_view request_id) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t exercise_key,
                             ReadExerciseKey(database, exercise));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectByRequest));
  select.Bind(1, exercise_key).BindText(2, request_id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return absl::optional<AttemptRecord>();
  FAULTLINE_ASSIGN_OR_RETURN(StoredAttempt attempt,
                             OfRow(exercise, exercise_key, select));
  return absl::optional<AttemptRecord>(std::move(attempt.record));
}

absl::StatusOr<int64_t> CountAttemptRows(Database& database,
                                         absl::string_view exercise,
                                         absl::string_view student) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t exercise_key,
                             ReadExerciseKey(database, exercise));
  return LastNumber(database, exercise_key, student);
}

absl::StatusOr<int64_t> CountUngradedAttemptRows(Database& database,
                                                 absl::string_view exercise,
                                                 absl::string_view student) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t exercise_key,
                             ReadExerciseKey(database, exercise));
  FAULTLINE_ASSIGN_OR_RETURN(Statement count, database.Prepare(kCountUngraded));
  count.Bind(1, exercise_key).BindText(2, student);
  FAULTLINE_RETURN_IF_ERROR(count.Step().status());
  return count.Int64(0);
}

absl::StatusOr<int64_t> CountAllAttemptRows(Database& database) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement count, database.Prepare(kCountAll));
  FAULTLINE_RETURN_IF_ERROR(count.Step().status());
  return count.Int64(0);
}

absl::StatusOr<bool> HasAttempts(Database& database, int64_t exercise_key) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectAny));
  select.Bind(1, exercise_key);
  FAULTLINE_RETURN_IF_ERROR(select.Step().status());
  return select.Int64(0) != 0;
}

absl::StatusOr<int64_t> PurgeAttempts(Database& database, int64_t exercise_key,
                                      int64_t rows_max) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement purge, database.Prepare(kPurge));
  FAULTLINE_RETURN_IF_ERROR(
      purge.Bind(1, exercise_key).Bind(2, rows_max).Run());
  return database.changes();
}

}  // namespace faultline::storage

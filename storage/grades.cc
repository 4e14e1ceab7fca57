#include "storage/grades.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/attempts.h"
#include "storage/exercises.h"
#include "storage/reason.h"
#include "storage/sha256.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr absl::string_view kGradeTag = "faultline grade 1";

constexpr char kInsert[] = R"sql(
INSERT INTO grades
  (exercise_key, attempt_key, id, student, request_id, create_time_us,
   encoding, unpacked_bytes, hash, report)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (attempt_key, id) DO NOTHING
)sql";

// A grade whose attempt is lost does not have its hash.
constexpr char kSelectOne[] = R"sql(
SELECT g.grade_key, g.exercise_key, ifnull(a.id, ''), g.id, g.student,
       g.request_id, g.create_time_us, g.encoding, g.unpacked_bytes, g.hash,
       g.report
  FROM attempts AS a
  JOIN grades AS g USING (attempt_key)
 WHERE a.exercise_key = ?
   AND a.id = ?
   AND g.id = ?
)sql";

constexpr char kSelectByRequest[] = R"sql(
SELECT g.grade_key, g.exercise_key, ifnull(a.id, ''), g.id, g.student,
       g.request_id, g.create_time_us, g.encoding, g.unpacked_bytes, g.hash,
       g.report
  FROM grades AS g
  LEFT JOIN attempts AS a USING (attempt_key)
 WHERE g.exercise_key = ?
   AND g.request_id = ?
   AND g.request_id <> ''
)sql";

constexpr char kSelectPage[] = R"sql(
SELECT g.grade_key, g.exercise_key, ifnull(a.id, ''), g.id, g.student,
       g.request_id, g.create_time_us, g.encoding, g.unpacked_bytes, g.hash,
       g.report
  FROM grades AS g
  LEFT JOIN attempts AS a USING (attempt_key)
 WHERE g.exercise_key = ?
   AND g.grade_key > ?
 ORDER BY g.grade_key
 LIMIT ?
)sql";

constexpr char kSelectPageOfStudent[] = R"sql(
SELECT g.grade_key, g.exercise_key, ifnull(a.id, ''), g.id, g.student,
       g.request_id, g.create_time_us, g.encoding, g.unpacked_bytes, g.hash,
       g.report
  FROM grades AS g
  LEFT JOIN attempts AS a USING (attempt_key)
 WHERE g.exercise_key = ?
   AND g.grade_key > ?
   AND g.student = ?
 ORDER BY g.grade_key
 LIMIT ?
)sql";

constexpr char kPurge[] = R"sql(
DELETE FROM grades
 WHERE grade_key IN (SELECT grade_key
                       FROM grades
                      WHERE exercise_key = ?
                      ORDER BY grade_key
                      LIMIT ?)
)sql";

std::string HashOf(int64_t exercise_key, const GradeRecord& grade,
                   const Compressed& report) {
  return std::move(Sha256()
                       .Add(kGradeTag)
                       .AddInt(exercise_key)
                       .AddSized(grade.attempt)
                       .AddSized(grade.id)
                       .AddSized(grade.student)
                       .AddSized(grade.request_id)
                       .AddInt(absl::ToUnixMicros(grade.create_time))
                       .AddInt(static_cast<int64_t>(report.encoding))
                       .AddInt(report.unpacked_bytes)
                       .Add(report.body))
      .Digest();
}

absl::Status Corrupt(const GradeRecord& grade, absl::string_view why) {
  return ErrorWithReason(
      absl::StatusCode::kDataLoss, "GRADE_CORRUPT",
      absl::StrCat("grade \"", grade.id, "\" of attempt \"", grade.attempt,
                   "\" of exercise \"", grade.exercise, "\" is damaged: ", why,
                   "; restore the database from a backup, or grade the attempt "
                   "again"));
}

absl::StatusOr<GradeRecord> OfRow(absl::string_view exercise,
                                  const Statement& row) {
  GradeRecord grade;
  grade.exercise = std::string(exercise);
  grade.position = row.Int64(0);
  grade.attempt = std::string(row.Bytes(2));
  grade.id = std::string(row.Bytes(3));
  grade.student = std::string(row.Bytes(4));
  grade.request_id = std::string(row.Bytes(5));
  grade.create_time = absl::FromUnixMicros(row.Int64(6));
  const Compressed report = {static_cast<Compressed::Encoding>(row.Int64(7)),
                             row.Int64(8), std::string(row.Bytes(10))};
  if (HashOf(row.Int64(1), grade, report) != row.Bytes(9)) {
    return Corrupt(grade, "it is not as it was written");
  }
  absl::StatusOr<std::string> unpacked = Unpack(report);
  if (!unpacked.ok()) return Corrupt(grade, unpacked.status().message());
  grade.report = *std::move(unpacked);
  return grade;
}

absl::Status CheckRequest(Database& database, int64_t exercise_key,
                          const GradeRecord& grade) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectByRequest));
  select.Bind(1, exercise_key).BindText(2, grade.request_id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool taken, select.Step());
  if (!taken) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kAborted, "REQUEST_ID_REUSED",
      absl::StrCat("exercise \"", grade.exercise,
                   "\" has a grade with the request id \"", grade.request_id,
                   "\" already; use a new one"));
}

absl::Status CheckRules(const AttemptRecord& attempt, const GradeRules& rules) {
  if (attempt.submissions != rules.of_submission) {
    return ErrorWithReason(
        absl::StatusCode::kAborted, "SUBMISSION_REPLACED",
        absl::StrCat("attempt \"", attempt.id, "\" of exercise \"",
                     attempt.exercise,
                     "\" has handed in something else meanwhile; grade it "
                     "again"));
  }
  if (attempt.grades < rules.count_max) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, "GRADES_LIMIT",
      absl::StrCat("attempt \"", attempt.id, "\" of exercise \"",
                   attempt.exercise, "\" has ", attempt.grades,
                   " grades, the limit is ", rules.count_max,
                   "; list them instead"));
}

}  // namespace

absl::Status InsertGrade(Database& database, const GradeRecord& grade,
                         const Compressed& report, const GradeRules& rules) {
  FAULTLINE_ASSIGN_OR_RETURN(
      const StoredAttempt attempt,
      ReadAttempt(database, grade.exercise, grade.attempt));
  FAULTLINE_RETURN_IF_ERROR(
      CheckRequest(database, attempt.exercise_key, grade));
  FAULTLINE_RETURN_IF_ERROR(CheckRules(attempt.record, rules));
  GradeRecord given = grade;
  given.student = attempt.record.student;
  const std::string hash = HashOf(attempt.exercise_key, given, report);
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsert));
  insert.Bind(1, attempt.exercise_key)
      .Bind(2, attempt.key)
      .BindText(3, given.id)
      .BindText(4, given.student)
      .BindText(5, given.request_id)
      .Bind(6, absl::ToUnixMicros(given.create_time))
      .Bind(7, static_cast<int64_t>(report.encoding))
      .Bind(8, report.unpacked_bytes)
      .BindBlob(9, hash)
      .BindBlob(10, report.body);
  FAULTLINE_RETURN_IF_ERROR(insert.Run());
  if (database.changes() == 1) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kAlreadyExists, "GRADE_EXISTS",
      absl::StrCat("attempt \"", grade.attempt, "\" of exercise \"",
                   grade.exercise, "\" has a grade \"", grade.id,
                   "\" already; choose another id"));
}

absl::StatusOr<GradeRecord> ReadGrade(Database& database,
                                      absl::string_view exercise,
                                      absl::string_view attempt,
                                      absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t exercise_key,
                             ReadExerciseKey(database, exercise));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectOne));
  select.Bind(1, exercise_key).BindText(2, attempt).BindText(3, id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (found) return OfRow(exercise, select);
  return ErrorWithReason(
      absl::StatusCode::kNotFound, "GRADE_NOT_FOUND",
      absl::StrCat("attempt \"", attempt, "\" of exercise \"", exercise,
                   "\" has no grade \"", id,
                   "\"; list the grades to see those there are"));
}

absl::StatusOr<absl::optional<GradeRecord>> FindGradeByRequest(
    Database& database, absl::string_view exercise,
    absl::string_view request_id) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t exercise_key,
                             ReadExerciseKey(database, exercise));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectByRequest));
  select.Bind(1, exercise_key).BindText(2, request_id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return absl::optional<GradeRecord>();
  FAULTLINE_ASSIGN_OR_RETURN(GradeRecord grade, OfRow(exercise, select));
  return absl::optional<GradeRecord>(std::move(grade));
}

absl::StatusOr<std::vector<GradeRecord>> ReadGrades(Database& database,
                                                    absl::string_view exercise,
                                                    absl::string_view student,
                                                    int64_t after_position,
                                                    int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t exercise_key,
                             ReadExerciseKey(database, exercise));
  const bool of_all = student.empty();
  FAULTLINE_ASSIGN_OR_RETURN(
      Statement select,
      database.Prepare(of_all ? kSelectPage : kSelectPageOfStudent));
  select.Bind(1, exercise_key).Bind(2, after_position);
  if (!of_all) select.BindText(3, student);
  select.Bind(of_all ? 3 : 4, limit);
  std::vector<GradeRecord> grades;
  while (true) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return grades;
    FAULTLINE_ASSIGN_OR_RETURN(GradeRecord grade, OfRow(exercise, select));
    grades.push_back(std::move(grade));
  }
}

absl::StatusOr<int64_t> PurgeGrades(Database& database, int64_t exercise_key,
                                    int64_t rows_max) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement purge, database.Prepare(kPurge));
  FAULTLINE_RETURN_IF_ERROR(
      purge.Bind(1, exercise_key).Bind(2, rows_max).Run());
  return database.changes();
}

}  // namespace faultline::storage

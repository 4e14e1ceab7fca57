#include "storage/schema.h"

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/status_macros.h"
#include "storage/transaction.h"

namespace faultline::storage {
namespace {

// storage/README.md says what each column holds.
constexpr char kVersion1[] = R"sql(
CREATE TABLE sessions (
  session_key    INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT    NOT NULL UNIQUE,
  state          INTEGER NOT NULL,
  state_detail   TEXT    NOT NULL,
  create_time_us INTEGER NOT NULL,
  config         BLOB    NOT NULL,
  genesis        BLOB    NOT NULL
) STRICT;

CREATE TABLE journal_heads (
  session_key    INTEGER NOT NULL PRIMARY KEY,
  last_revision  INTEGER NOT NULL,
  update_time_us INTEGER NOT NULL,
  hash           BLOB    NOT NULL
) STRICT;

CREATE TABLE journal_chunks (
  session_key    INTEGER NOT NULL,
  first_revision INTEGER NOT NULL,
  last_revision  INTEGER NOT NULL,
  time_us        INTEGER NOT NULL,
  encoding       INTEGER NOT NULL,
  unpacked_bytes INTEGER NOT NULL,
  hash           BLOB    NOT NULL,
  body           BLOB    NOT NULL,
  PRIMARY KEY (session_key, first_revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal_requests (
  session_key INTEGER NOT NULL,
  request_id  TEXT    NOT NULL,
  revision    INTEGER NOT NULL,
  PRIMARY KEY (session_key, request_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE purges (
  session_key INTEGER NOT NULL PRIMARY KEY
) STRICT;
)sql";

constexpr char kVersion2[] = R"sql(
CREATE TABLE blocks (
  block_key INTEGER PRIMARY KEY,
  hash      BLOB    NOT NULL UNIQUE,
  refs      INTEGER NOT NULL
) STRICT;

CREATE TABLE block_bodies (
  block_key      INTEGER PRIMARY KEY,
  encoding       INTEGER NOT NULL,
  unpacked_bytes INTEGER NOT NULL,
  body           BLOB    NOT NULL
) STRICT;

CREATE TABLE images (
  image_key INTEGER PRIMARY KEY,
  bytes     INTEGER NOT NULL,
  blocks    INTEGER NOT NULL,
  hash      BLOB    NOT NULL
) STRICT;

CREATE TABLE image_blocks (
  image_key INTEGER NOT NULL,
  position  INTEGER NOT NULL,
  block_key INTEGER NOT NULL,
  PRIMARY KEY (image_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE image_purges (
  image_key INTEGER NOT NULL PRIMARY KEY
) STRICT;

CREATE TABLE snapshots (
  session_key    INTEGER NOT NULL,
  id             TEXT    NOT NULL,
  kind           INTEGER NOT NULL,
  revision       INTEGER NOT NULL,
  display_name   TEXT    NOT NULL,
  create_time_us INTEGER NOT NULL,
  state_version  INTEGER NOT NULL,
  fingerprint    INTEGER NOT NULL,
  image_key      INTEGER NOT NULL,
  stored_bytes   INTEGER NOT NULL,
  hash           BLOB    NOT NULL,
  PRIMARY KEY (session_key, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX snapshots_by_revision ON snapshots (session_key, revision, id);
CREATE INDEX snapshots_by_image ON snapshots (image_key);

CREATE TABLE session_bases (
  session_key   INTEGER NOT NULL PRIMARY KEY,
  image_key     INTEGER NOT NULL,
  state_version INTEGER NOT NULL,
  fingerprint   INTEGER NOT NULL,
  origin        BLOB    NOT NULL
) STRICT;

CREATE INDEX session_bases_by_image ON session_bases (image_key);
)sql";

constexpr char kVersion3[] = R"sql(
CREATE TABLE participants (
  session_key   INTEGER NOT NULL,
  id            TEXT    NOT NULL,
  role          INTEGER NOT NULL,
  display_name  TEXT    NOT NULL,
  peer          TEXT    NOT NULL,
  join_time_us  INTEGER NOT NULL,
  leave_time_us INTEGER NOT NULL,
  PRIMARY KEY (session_key, id)
) STRICT, WITHOUT ROWID;
)sql";

constexpr char kVersion4[] = R"sql(
CREATE TABLE journal_bodies (
  body_key INTEGER PRIMARY KEY,
  body     BLOB    NOT NULL
) STRICT;

ALTER TABLE journal_chunks ADD COLUMN body_key INTEGER NOT NULL DEFAULT 0;
)sql";

// A row of `exercises` that is replaced keeps its key. The long columns are the
// last: whoever does not ask for them does not read them.
constexpr char kVersion5[] = R"sql(
CREATE TABLE exercises (
  exercise_key   INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT    NOT NULL UNIQUE,
  create_time_us INTEGER NOT NULL,
  update_time_us INTEGER NOT NULL,
  summary        BLOB    NOT NULL,
  body_hash      BLOB    NOT NULL,
  hash           BLOB    NOT NULL,
  body           BLOB    NOT NULL
) STRICT;

CREATE TABLE exercise_purges (
  exercise_key INTEGER NOT NULL PRIMARY KEY
) STRICT;

CREATE TABLE attempts (
  attempt_key    INTEGER PRIMARY KEY AUTOINCREMENT,
  exercise_key   INTEGER NOT NULL,
  id             TEXT    NOT NULL,
  student        TEXT    NOT NULL,
  number         INTEGER NOT NULL,
  request_id     TEXT    NOT NULL,
  create_time_us INTEGER NOT NULL,
  session        TEXT    NOT NULL,
  start_revision INTEGER NOT NULL,
  submissions    INTEGER NOT NULL,
  hash           BLOB    NOT NULL,
  drawn          BLOB    NOT NULL,
  submission     BLOB    NOT NULL,
  UNIQUE (exercise_key, id),
  UNIQUE (exercise_key, student, number)
) STRICT;

CREATE UNIQUE INDEX attempts_by_request ON attempts (exercise_key, request_id)
 WHERE request_id <> '';

CREATE TABLE grades (
  grade_key      INTEGER PRIMARY KEY AUTOINCREMENT,
  exercise_key   INTEGER NOT NULL,
  attempt_key    INTEGER NOT NULL,
  id             TEXT    NOT NULL,
  student        TEXT    NOT NULL,
  request_id     TEXT    NOT NULL,
  create_time_us INTEGER NOT NULL,
  encoding       INTEGER NOT NULL,
  unpacked_bytes INTEGER NOT NULL,
  hash           BLOB    NOT NULL,
  report         BLOB    NOT NULL,
  UNIQUE (attempt_key, id)
) STRICT;

CREATE INDEX grades_by_exercise ON grades (exercise_key, grade_key);
CREATE INDEX grades_by_student ON grades (exercise_key, student, grade_key);
CREATE UNIQUE INDEX grades_by_request ON grades (exercise_key, request_id)
 WHERE request_id <> '';
)sql";

constexpr Migration kMigrations[] = {
    {1, kVersion1}, {2, kVersion2}, {3, kVersion3},
    {4, kVersion4}, {5, kVersion5},
};

constexpr char kApplicationIdQuery[] = "PRAGMA application_id";
constexpr char kUserVersionQuery[] = "PRAGMA user_version";
constexpr char kTableCount[] = "SELECT count(*) FROM sqlite_schema";

absl::Status ApplyStep(Database& database, const Migration& step) {
  FAULTLINE_ASSIGN_OR_RETURN(
      Transaction transaction,
      Transaction::Begin(database, Transaction::Mode::kWrite));
  FAULTLINE_RETURN_IF_ERROR(database.Execute(step.sql));
  // Pragmas take no parameters. Both numbers live in the file's header and are
  // part of the transaction.
  FAULTLINE_RETURN_IF_ERROR(
      database.Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId,
                                    "; PRAGMA user_version = ", step.version)));
  return transaction.Commit();
}

}  // namespace

absl::Span<const Migration> Migrations() { return kMigrations; }

absl::StatusOr<int64_t> CheckVersion(Database& database, int64_t newest) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t application,
                             database.QueryInt64(kApplicationIdQuery));
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t version,
                             database.QueryInt64(kUserVersionQuery));
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t tables,
                             database.QueryInt64(kTableCount));
  const bool empty = application == 0 && version == 0 && tables == 0;
  if (!empty && application != kApplicationId) {
    return ErrorWithReason(
        absl::StatusCode::kFailedPrecondition, "FOREIGN_DATABASE",
        absl::StrCat(database.path(),
                     " is another program's database (its application_id is ",
                     application, ", ours is ", kApplicationId,
                     "); choose another data directory"));
  }
  if (version > newest) {
    return ErrorWithReason(
        absl::StatusCode::kFailedPrecondition, "SCHEMA_TOO_NEW",
        absl::StrCat(database.path(), " has schema version ", version,
                     ", this faultline knows versions up to ", newest,
                     "; use the newer faultline that wrote it, or choose "
                     "another data directory"));
  }
  return version;
}

absl::Status Migrate(Database& database,
                     absl::Span<const Migration> migrations) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t version,
                             CheckVersion(database, migrations.back().version));
  for (const Migration& step : migrations) {
    if (step.version <= version) continue;
    FAULTLINE_RETURN_IF_ERROR(ApplyStep(database, step));
  }
  return absl::OkStatus();
}

}  // namespace faultline::storage

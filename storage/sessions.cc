#include "storage/sessions.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/chunk.h"
#include "storage/reason.h"
#include "storage/sha256.h"
#include "storage/snapshots.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr char kInsertSession[] = R"sql(
INSERT INTO sessions (id, state, state_detail, create_time_us, config, genesis)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING
)sql";

constexpr char kInsertHead[] = R"sql(
INSERT INTO journal_heads (session_key, last_revision, update_time_us, hash)
SELECT session_key, 0, create_time_us, genesis
  FROM sessions
 WHERE id = ?
)sql";

constexpr char kSelectSession[] = R"sql(
SELECT s.id, s.state, s.state_detail, s.create_time_us, s.config, s.genesis,
       h.last_revision, h.update_time_us, s.session_key,
       b.session_key IS NOT NULL, ifnull(b.state_version, 0),
       ifnull(b.fingerprint, 0), ifnull(b.origin, x'')
  FROM sessions AS s
  JOIN journal_heads AS h USING (session_key)
  LEFT JOIN session_bases AS b USING (session_key)
 WHERE s.id = ?
)sql";

constexpr char kSelectSessions[] = R"sql(
SELECT s.id, s.state, s.state_detail, s.create_time_us, s.config, s.genesis,
       h.last_revision, h.update_time_us, s.session_key,
       b.session_key IS NOT NULL, ifnull(b.state_version, 0),
       ifnull(b.fingerprint, 0), ifnull(b.origin, x'')
  FROM sessions AS s
  JOIN journal_heads AS h USING (session_key)
  LEFT JOIN session_bases AS b USING (session_key)
 WHERE s.id > ?
 ORDER BY s.id
 LIMIT ?
)sql";

constexpr char kCountSessions[] = "SELECT count(*) FROM sessions";

constexpr char kUpdateState[] = R"sql(
UPDATE sessions
   SET state = ?, state_detail = ?
 WHERE id = ?
)sql";

constexpr char kTouchHead[] = R"sql(
UPDATE journal_heads
   SET update_time_us = ?
 WHERE session_key = (SELECT session_key FROM sessions WHERE id = ?)
)sql";

constexpr char kInsertPurge[] = R"sql(
INSERT INTO purges (session_key)
SELECT session_key
  FROM sessions
 WHERE id = ?
)sql";

constexpr char kDeleteHead[] = R"sql(
DELETE FROM journal_heads
 WHERE session_key = (SELECT session_key FROM sessions WHERE id = ?)
)sql";

constexpr char kDeleteSession[] = R"sql(
DELETE FROM sessions
 WHERE id = ?
)sql";

constexpr char kSelectPurge[] = R"sql(
SELECT session_key
  FROM purges
 ORDER BY session_key
 LIMIT 1
)sql";

// Those of the rows that kPurgeChunks finds.
constexpr char kPurgeBodies[] = R"sql(
DELETE FROM journal_bodies
 WHERE body_key IN (SELECT body_key
                      FROM journal_chunks
                     WHERE session_key = ?1
                     ORDER BY first_revision
                     LIMIT ?2)
)sql";

constexpr char kPurgeChunks[] = R"sql(
DELETE FROM journal_chunks
 WHERE session_key = ?1
   AND first_revision IN (SELECT first_revision
                            FROM journal_chunks
                           WHERE session_key = ?1
                           ORDER BY first_revision
                           LIMIT ?2)
)sql";

constexpr char kPurgeRequests[] = R"sql(
DELETE FROM journal_requests
 WHERE session_key = ?1
   AND request_id IN (SELECT request_id
                        FROM journal_requests
                       WHERE session_key = ?1
                       ORDER BY request_id
                       LIMIT ?2)
)sql";

constexpr char kPurgeParticipants[] = R"sql(
DELETE FROM participants
 WHERE session_key = ?1
   AND id IN (SELECT id
                FROM participants
               WHERE session_key = ?1
               ORDER BY id
               LIMIT ?2)
)sql";

constexpr char kDeletePurge[] = R"sql(
DELETE FROM purges
 WHERE session_key = ?
)sql";

absl::Status RunWithId(Database& database, const char* sql,
                       absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  return statement.BindText(1, id).Run();
}

std::string GenesisOf(const SessionRecord& session) {
  std::string base;
  if (session.base.has_value()) {
    base =
        std::move(Sha256()
                      .AddInt(session.base->state_version)
                      .AddInt(static_cast<int64_t>(session.base->fingerprint))
                      .Add(session.base->origin))
            .Digest();
  }
  return GenesisHash(session.id, session.create_time, session.config, base);
}

absl::StatusOr<SessionRecord> SessionOfRow(const Statement& row) {
  SessionRecord session;
  session.id = std::string(row.Bytes(0));
  session.state = static_cast<SessionState>(row.Int64(1));
  session.state_detail = std::string(row.Bytes(2));
  session.create_time = absl::FromUnixMicros(row.Int64(3));
  session.config = std::string(row.Bytes(4));
  session.last_revision = row.Int64(6);
  session.update_time = absl::FromUnixMicros(row.Int64(7));
  session.key = row.Int64(8);
  if (row.Int64(9) != 0) {
    session.base = SessionBase{std::string(row.Bytes(12)), row.Int64(10),
                               static_cast<uint64_t>(row.Int64(11))};
  }
  if (GenesisOf(session) == row.Bytes(5)) return session;
  return ErrorWithReason(
      absl::StatusCode::kDataLoss, "JOURNAL_CORRUPT",
      absl::StrCat("session \"", session.id,
                   "\": its configuration is not the one it was created with; "
                   "restore the database from a backup"));
}

// Deletes up to `rows_max` rows of the session; how many it found.
absl::StatusOr<int64_t> PurgeRows(Database& database, const char* sql,
                                  int64_t key, int64_t rows_max) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement purge, database.Prepare(sql));
  FAULTLINE_RETURN_IF_ERROR(purge.Bind(1, key).Bind(2, rows_max).Run());
  return database.changes();
}

}  // namespace

absl::Status SessionNotFound(absl::string_view id) {
  return ErrorWithReason(
      absl::StatusCode::kNotFound, "SESSION_NOT_FOUND",
      absl::StrCat("there is no session \"", id,
                   "\"; list the sessions to see those there are"));
}

absl::Status InsertSession(Database& database, const SessionRecord& session) {
  const std::string genesis = GenesisOf(session);
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert,
                             database.Prepare(kInsertSession));
  insert.BindText(1, session.id)
      .Bind(2, static_cast<int64_t>(session.state))
      .BindText(3, session.state_detail)
      .Bind(4, absl::ToUnixMicros(session.create_time))
      .BindBlob(5, session.config)
      .BindBlob(6, genesis);
  FAULTLINE_RETURN_IF_ERROR(insert.Run());
  if (database.changes() == 0) {
    return ErrorWithReason(
        absl::StatusCode::kAlreadyExists, "SESSION_EXISTS",
        absl::StrCat("there is a session \"", session.id,
                     "\" already; choose another id, or delete it first"));
  }
  return RunWithId(database, kInsertHead, session.id);
}

absl::StatusOr<SessionRecord> ReadSession(Database& database,
                                          absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectSession));
  select.BindText(1, id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  return found ? SessionOfRow(select) : SessionNotFound(id);
}

absl::StatusOr<std::vector<SessionRecord>> ReadSessions(
    Database& database, absl::string_view after_id, int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectSessions));
  select.BindText(1, after_id).Bind(2, limit);
  std::vector<SessionRecord> sessions;
  while (true) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return sessions;
    FAULTLINE_ASSIGN_OR_RETURN(SessionRecord session, SessionOfRow(select));
    sessions.push_back(std::move(session));
  }
}

absl::StatusOr<int64_t> CountSessionRows(Database& database) {
  return database.QueryInt64(kCountSessions);
}

absl::Status UpdateSessionState(Database& database, absl::string_view id,
                                SessionState state, absl::string_view detail,
                                absl::Time time) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement update, database.Prepare(kUpdateState));
  update.Bind(1, static_cast<int64_t>(state)).BindText(2, detail);
  FAULTLINE_RETURN_IF_ERROR(update.BindText(3, id).Run());
  if (database.changes() == 0) return SessionNotFound(id);
  FAULTLINE_ASSIGN_OR_RETURN(Statement touch, database.Prepare(kTouchHead));
  return touch.Bind(1, absl::ToUnixMicros(time)).BindText(2, id).Run();
}

absl::Status RemoveSession(Database& database, absl::string_view id) {
  FAULTLINE_RETURN_IF_ERROR(RunWithId(database, kInsertPurge, id));
  if (database.changes() == 0) return SessionNotFound(id);
  FAULTLINE_RETURN_IF_ERROR(RunWithId(database, kDeleteHead, id));
  return RunWithId(database, kDeleteSession, id);
}

absl::StatusOr<bool> PurgeSessions(Database& database, int64_t rows_max) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectPurge));
  FAULTLINE_ASSIGN_OR_RETURN(const bool any, select.Step());
  if (!any) return false;
  const int64_t key = select.Int64(0);
  select.Reset();
  for (const char* sql :
       {kPurgeBodies, kPurgeChunks, kPurgeRequests, kPurgeParticipants}) {
    FAULTLINE_ASSIGN_OR_RETURN(const int64_t rows,
                               PurgeRows(database, sql, key, rows_max));
    if (rows > 0) return true;
  }
  FAULTLINE_ASSIGN_OR_RETURN(const bool snapshots,
                             PurgeSnapshots(database, key, rows_max));
  if (snapshots) return true;
  FAULTLINE_ASSIGN_OR_RETURN(Statement done, database.Prepare(kDeletePurge));
  FAULTLINE_RETURN_IF_ERROR(done.Bind(1, key).Run());
  return true;
}

}  // namespace faultline::storage

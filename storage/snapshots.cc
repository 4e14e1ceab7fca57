#include "storage/snapshots.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "storage/journal.h"
#include "storage/reason.h"
#include "storage/sha256.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr absl::string_view kSnapshotTag = "faultline snapshot 1";

constexpr char kInsertSnapshot[] = R"sql(
INSERT INTO snapshots
  (session_key, id, kind, revision, display_name, create_time_us,
   state_version, fingerprint, image_key, stored_bytes, hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
)sql";

constexpr char kSelectSnapshot[] = R"sql(
SELECT n.id, n.kind, n.revision, n.display_name, n.create_time_us,
       n.state_version, n.fingerprint, n.stored_bytes, n.hash, n.session_key,
       n.image_key, ifnull(i.bytes, 0), ifnull(i.blocks, 0),
       ifnull(i.hash, x'')
  FROM snapshots AS n
  LEFT JOIN images AS i USING (image_key)
 WHERE n.session_key = (SELECT session_key FROM sessions WHERE id = ?)
   AND n.id = ?
)sql";

constexpr char kSelectSnapshots[] = R"sql(
SELECT n.id, n.kind, n.revision, n.display_name, n.create_time_us,
       n.state_version, n.fingerprint, n.stored_bytes, n.hash, n.session_key,
       n.image_key, ifnull(i.bytes, 0), ifnull(i.blocks, 0),
       ifnull(i.hash, x'')
  FROM snapshots AS n
  LEFT JOIN images AS i USING (image_key)
 WHERE n.session_key = (SELECT session_key FROM sessions WHERE id = ?)
   AND (n.revision, n.id) > (?, ?)
 ORDER BY n.revision, n.id
 LIMIT ?
)sql";

constexpr char kSelectSnapshotsBefore[] = R"sql(
SELECT n.id, n.kind, n.revision, n.display_name, n.create_time_us,
       n.state_version, n.fingerprint, n.stored_bytes, n.hash, n.session_key,
       n.image_key, ifnull(i.bytes, 0), ifnull(i.blocks, 0),
       ifnull(i.hash, x'')
  FROM snapshots AS n
  LEFT JOIN images AS i USING (image_key)
 WHERE n.session_key = (SELECT session_key FROM sessions WHERE id = ?)
   AND n.revision <= ?
   AND n.state_version = ?
 ORDER BY n.revision DESC, n.id
)sql";

constexpr char kSelectSession[] = R"sql(
SELECT s.session_key, s.state, h.last_revision
  FROM sessions AS s
  JOIN journal_heads AS h USING (session_key)
 WHERE s.id = ?
)sql";

constexpr char kCountOfKind[] = R"sql(
SELECT count(*)
  FROM snapshots
 WHERE session_key = ?
   AND kind = ?
)sql";

constexpr char kSelectImage[] = R"sql(
SELECT image_key
  FROM snapshots
 WHERE session_key = (SELECT session_key FROM sessions WHERE id = ?)
   AND id = ?
)sql";

constexpr char kDeleteSnapshot[] = R"sql(
DELETE FROM snapshots
 WHERE session_key = (SELECT session_key FROM sessions WHERE id = ?)
   AND id = ?
)sql";

constexpr char kSelectOfSession[] = R"sql(
SELECT id, image_key
  FROM snapshots
 WHERE session_key = ?
 ORDER BY id
 LIMIT ?
)sql";

constexpr char kDeleteOfSession[] = R"sql(
DELETE FROM snapshots
 WHERE session_key = ?
   AND id = ?
)sql";

constexpr char kInsertBase[] = R"sql(
INSERT INTO session_bases
  (session_key, image_key, state_version, fingerprint, origin)
SELECT session_key, ?, ?, ?, ?
  FROM sessions
 WHERE id = ?
)sql";

constexpr char kSelectBase[] = R"sql(
SELECT b.image_key, ifnull(i.bytes, 0), ifnull(i.blocks, 0), ifnull(i.hash, x'')
  FROM session_bases AS b
  LEFT JOIN images AS i USING (image_key)
 WHERE b.session_key = (SELECT session_key FROM sessions WHERE id = ?)
)sql";

constexpr char kSelectBaseOfKey[] = R"sql(
SELECT image_key
  FROM session_bases
 WHERE session_key = ?
)sql";

constexpr char kDeleteBase[] = R"sql(
DELETE FROM session_bases
 WHERE session_key = ?
)sql";

std::string HashOf(int64_t session_key, const SnapshotRecord& snapshot,
                   const ImageSeal& seal) {
  Sha256 hash;
  hash.Add(kSnapshotTag)
      .AddInt(session_key)
      .AddSized(snapshot.id)
      .AddSized(snapshot.display_name)
      .AddInt(static_cast<int64_t>(snapshot.kind))
      .AddInt(snapshot.revision)
      .AddInt(absl::ToUnixMicros(snapshot.create_time))
      .AddInt(snapshot.state_version)
      .AddInt(static_cast<int64_t>(snapshot.fingerprint))
      .AddInt(snapshot.stored_bytes)
      .AddInt(seal.bytes)
      .AddInt(seal.blocks)
      .Add(seal.hash);
  return std::move(hash).Digest();
}

StoredSnapshot SnapshotOfRow(const Statement& row) {
  StoredSnapshot stored;
  SnapshotRecord& record = stored.record;
  record.id = std::string(row.Bytes(0));
  record.kind = static_cast<SnapshotKind>(row.Int64(1));
  record.revision = row.Int64(2);
  record.display_name = std::string(row.Bytes(3));
  record.create_time = absl::FromUnixMicros(row.Int64(4));
  record.state_version = row.Int64(5);
  record.fingerprint = static_cast<uint64_t>(row.Int64(6));
  record.stored_bytes = row.Int64(7);
  stored.image_key = row.Int64(10);
  stored.seal = {row.Int64(11), row.Int64(12), std::string(row.Bytes(13))};
  record.bytes = stored.seal.bytes;
  record.whole = HashOf(row.Int64(9), record, stored.seal) == row.Bytes(8);
  return stored;
}

absl::Status CheckSession(Database& database, absl::string_view session,
                          const SnapshotRecord& snapshot,
                          const SnapshotRules& rules) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectSession));
  select.BindText(1, session);
  FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
  if (!row || select.Int64(0) != rules.session_key) {
    return SessionNotFound(session);
  }
  const bool active =
      select.Int64(1) == static_cast<int64_t>(SessionState::kActive);
  if (rules.active_only && !active) {
    return ErrorWithReason(
        absl::StatusCode::kFailedPrecondition, "SESSION_NOT_ACTIVE",
        absl::StrCat("session \"", session, "\" is not active any more"));
  }
  if (snapshot.revision >= 0 && snapshot.revision <= select.Int64(2)) {
    return absl::OkStatus();
  }
  return ErrorWithReason(
      absl::StatusCode::kOutOfRange, "REVISION_NOT_RECORDED",
      absl::StrCat("session \"", session, "\" has no revision ",
                   snapshot.revision, ": its last is ", select.Int64(2)));
}

absl::Status CheckCount(Database& database, absl::string_view session,
                        const SnapshotRecord& snapshot,
                        const SnapshotRules& rules) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement count, database.Prepare(kCountOfKind));
  count.Bind(1, rules.session_key).Bind(2, static_cast<int64_t>(snapshot.kind));
  FAULTLINE_RETURN_IF_ERROR(count.Step().status());
  if (count.Int64(0) < rules.count_max) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, "SNAPSHOTS_LIMIT",
      absl::StrCat("session \"", session, "\" has ", count.Int64(0),
                   " snapshots of this kind; delete one"));
}

absl::StatusOr<absl::optional<int64_t>> FindImage(Database& database,
                                                  absl::string_view session,
                                                  absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectImage));
  select.BindText(1, session).BindText(2, id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
  if (!row) return absl::optional<int64_t>();
  return absl::optional<int64_t>(select.Int64(0));
}

// A session that is not there has no snapshots, but another error.
absl::Status CheckSessionExists(Database& database, absl::string_view session) {
  return ReadJournalHead(database, session).status();
}

// True when there was one.
absl::StatusOr<bool> PurgeBase(Database& database, int64_t session_key) {
  int64_t image_key = 0;
  {
    FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                               database.Prepare(kSelectBaseOfKey));
    select.Bind(1, session_key);
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return false;
    image_key = select.Int64(0);
  }
  FAULTLINE_ASSIGN_OR_RETURN(Statement remove, database.Prepare(kDeleteBase));
  FAULTLINE_RETURN_IF_ERROR(remove.Bind(1, session_key).Run());
  FAULTLINE_RETURN_IF_ERROR(ReleaseImage(database, image_key));
  return true;
}

}  // namespace

absl::Status SnapshotNotFound(absl::string_view session, absl::string_view id) {
  return ErrorWithReason(
      absl::StatusCode::kNotFound, "SNAPSHOT_NOT_FOUND",
      absl::StrCat("session \"", session, "\" has no snapshot \"", id,
                   "\"; list its snapshots to see those there are"));
}

absl::Status SnapshotCorrupt(absl::string_view session, absl::string_view id,
                             absl::string_view why) {
  return ErrorWithReason(
      absl::StatusCode::kDataLoss, "SNAPSHOT_CORRUPT",
      absl::StrCat("snapshot \"", id, "\" of session \"", session,
                   "\" is damaged: ", why,
                   "; delete it and take it again from the journal"));
}

absl::Status InsertSnapshot(Database& database, absl::string_view session,
                            const SnapshotRecord& snapshot,
                            const SnapshotRules& rules, int64_t image_key,
                            const ImageSeal& seal) {
  FAULTLINE_RETURN_IF_ERROR(CheckSession(database, session, snapshot, rules));
  FAULTLINE_ASSIGN_OR_RETURN(const absl::optional<int64_t> taken,
                             FindImage(database, session, snapshot.id));
  if (taken.has_value()) {
    return ErrorWithReason(
        absl::StatusCode::kAlreadyExists, "SNAPSHOT_EXISTS",
        absl::StrCat("session \"", session, "\" has a snapshot \"", snapshot.id,
                     "\" already; choose another id, or delete it first"));
  }
  FAULTLINE_RETURN_IF_ERROR(CheckCount(database, session, snapshot, rules));
  FAULTLINE_RETURN_IF_ERROR(FinishImage(database, image_key, seal));
  const std::string hash = HashOf(rules.session_key, snapshot, seal);
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert,
                             database.Prepare(kInsertSnapshot));
  return insert.Bind(1, rules.session_key)
      .BindText(2, snapshot.id)
      .Bind(3, static_cast<int64_t>(snapshot.kind))
      .Bind(4, snapshot.revision)
      .BindText(5, snapshot.display_name)
      .Bind(6, absl::ToUnixMicros(snapshot.create_time))
      .Bind(7, snapshot.state_version)
      .Bind(8, static_cast<int64_t>(snapshot.fingerprint))
      .Bind(9, image_key)
      .Bind(10, snapshot.stored_bytes)
      .BindBlob(11, hash)
      .Run();
}

absl::Status RemoveSnapshot(Database& database, absl::string_view session,
                            absl::string_view id) {
  FAULTLINE_RETURN_IF_ERROR(CheckSessionExists(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(const absl::optional<int64_t> image_key,
                             FindImage(database, session, id));
  if (!image_key.has_value()) return SnapshotNotFound(session, id);
  FAULTLINE_ASSIGN_OR_RETURN(Statement remove,
                             database.Prepare(kDeleteSnapshot));
  FAULTLINE_RETURN_IF_ERROR(remove.BindText(1, session).BindText(2, id).Run());
  return ReleaseImage(database, *image_key);
}

absl::StatusOr<StoredSnapshot> ReadSnapshot(Database& database,
                                            absl::string_view session,
                                            absl::string_view id) {
  FAULTLINE_RETURN_IF_ERROR(CheckSessionExists(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectSnapshot));
  select.BindText(1, session).BindText(2, id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
  if (!row) return SnapshotNotFound(session, id);
  StoredSnapshot stored = SnapshotOfRow(select);
  if (stored.record.whole) return stored;
  return SnapshotCorrupt(session, id,
                         "its row is not the one that was written");
}

absl::StatusOr<std::vector<SnapshotRecord>> ReadSnapshots(
    Database& database, absl::string_view session, int64_t after_revision,
    absl::string_view after_id, int64_t limit) {
  FAULTLINE_RETURN_IF_ERROR(CheckSessionExists(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectSnapshots));
  select.BindText(1, session)
      .Bind(2, after_revision)
      .BindText(3, after_id)
      .Bind(4, limit);
  std::vector<SnapshotRecord> snapshots;
  while (true) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return snapshots;
    snapshots.push_back(SnapshotOfRow(select).record);
  }
}

absl::StatusOr<std::vector<SnapshotRecord>> ReadSnapshotsBefore(
    Database& database, absl::string_view session, int64_t revision,
    int64_t state_version, int64_t limit) {
  FAULTLINE_RETURN_IF_ERROR(CheckSessionExists(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectSnapshotsBefore));
  select.BindText(1, session).Bind(2, revision).Bind(3, state_version);
  std::vector<SnapshotRecord> snapshots;
  while (static_cast<int64_t>(snapshots.size()) < limit) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) break;
    SnapshotRecord record = SnapshotOfRow(select).record;
    if (record.whole) snapshots.push_back(std::move(record));
  }
  return snapshots;
}

absl::Status InsertBase(Database& database, absl::string_view session,
                        const SessionBase& base, int64_t image_key) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertBase));
  return insert.Bind(1, image_key)
      .Bind(2, base.state_version)
      .Bind(3, static_cast<int64_t>(base.fingerprint))
      .BindBlob(4, base.origin)
      .BindText(5, session)
      .Run();
}

absl::StatusOr<bool> ReadBaseImage(Database& database,
                                   absl::string_view session,
                                   int64_t& image_key, ImageSeal& seal) {
  FAULTLINE_RETURN_IF_ERROR(CheckSessionExists(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectBase));
  select.BindText(1, session);
  FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
  if (!row) return false;
  image_key = select.Int64(0);
  seal = {select.Int64(1), select.Int64(2), std::string(select.Bytes(3))};
  return true;
}

absl::StatusOr<bool> PurgeSnapshots(Database& database, int64_t session_key,
                                    int64_t rows_max) {
  std::vector<std::pair<std::string, int64_t>> snapshots;
  {
    FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                               database.Prepare(kSelectOfSession));
    select.Bind(1, session_key).Bind(2, rows_max);
    while (true) {
      FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
      if (!row) break;
      snapshots.emplace_back(std::string(select.Bytes(0)), select.Int64(1));
    }
  }
  if (snapshots.empty()) return PurgeBase(database, session_key);
  for (const auto& [id, image_key] : snapshots) {
    FAULTLINE_ASSIGN_OR_RETURN(Statement remove,
                               database.Prepare(kDeleteOfSession));
    FAULTLINE_RETURN_IF_ERROR(
        remove.Bind(1, session_key).BindText(2, id).Run());
    FAULTLINE_RETURN_IF_ERROR(ReleaseImage(database, image_key));
  }
  return true;
}

}  // namespace faultline::storage

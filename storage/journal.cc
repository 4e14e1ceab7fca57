#include "storage/journal.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sessions.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

// A page of a cursor ends after the chunk that reaches this.
constexpr size_t kPageBytes = 1 << 20;
// What is longer lies in journal_bodies: SQLite reads the whole of a row that
// does not fit into a page of an index (1002 bytes) whenever it looks for one.
constexpr size_t kInlineBytesMax = 896;

constexpr char kSelectHead[] = R"sql(
SELECT h.session_key, h.last_revision, h.hash, s.genesis
  FROM sessions AS s
  JOIN journal_heads AS h USING (session_key)
 WHERE s.id = ?
)sql";

constexpr char kInsertChunk[] = R"sql(
INSERT INTO journal_chunks
  (session_key, first_revision, last_revision, time_us, encoding,
   unpacked_bytes, hash, body, body_key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
)sql";

constexpr char kInsertBody[] = R"sql(
INSERT INTO journal_bodies (body)
VALUES (?)
RETURNING body_key
)sql";

constexpr char kInsertRequest[] = R"sql(
INSERT INTO journal_requests (session_key, request_id, revision)
VALUES (?, ?, ?)
ON CONFLICT (session_key, request_id) DO NOTHING
)sql";

constexpr char kUpdateHead[] = R"sql(
UPDATE journal_heads
   SET last_revision = ?, update_time_us = ?, hash = ?
 WHERE session_key = ?
   AND last_revision = ?
)sql";

constexpr char kSelectRequest[] = R"sql(
SELECT revision
  FROM journal_requests
 WHERE session_key = ?
   AND request_id = ?
)sql";

constexpr char kSelectRequestIds[] = R"sql(
SELECT request_id
  FROM journal_requests
 WHERE session_key = ?
   AND request_id > ?
 ORDER BY request_id
 LIMIT ?
)sql";

constexpr char kSelectGenesis[] = R"sql(
SELECT genesis
  FROM sessions
 WHERE session_key = ?
)sql";

// The chunk that holds a revision, when the journal is whole.
constexpr char kSelectFirstOfChunk[] = R"sql(
SELECT first_revision
  FROM journal_chunks
 WHERE session_key = ?
   AND first_revision <= ?
 ORDER BY first_revision DESC
 LIMIT 1
)sql";

constexpr char kSelectHashBefore[] = R"sql(
SELECT hash
  FROM journal_chunks
 WHERE session_key = ?
   AND first_revision < ?
 ORDER BY first_revision DESC
 LIMIT 1
)sql";

constexpr char kSelectChunks[] = R"sql(
SELECT first_revision, last_revision, time_us, encoding, unpacked_bytes, hash,
       CASE body_key
         WHEN 0 THEN body
         ELSE (SELECT b.body
                 FROM journal_bodies AS b
                WHERE b.body_key = journal_chunks.body_key)
       END
  FROM journal_chunks
 WHERE session_key = ?
   AND first_revision >= ?
   AND first_revision <= ?
 ORDER BY first_revision
)sql";

// Writes a body apart from its row; its key.
absl::StatusOr<int64_t> InsertBody(Database& database, absl::string_view body) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertBody));
  insert.BindBlob(1, body);
  FAULTLINE_RETURN_IF_ERROR(insert.Step().status());
  const int64_t key = insert.Int64(0);
  FAULTLINE_RETURN_IF_ERROR(insert.Step().status());  // to its end
  return key;
}

absl::Status InsertChunk(Database& database, int64_t key, const Chunk& chunk) {
  const bool is_inline = chunk.body.size() <= kInlineBytesMax;
  int64_t body_key = 0;
  if (!is_inline) {
    FAULTLINE_ASSIGN_OR_RETURN(body_key, InsertBody(database, chunk.body));
  }
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertChunk));
  return insert.Bind(1, key)
      .Bind(2, chunk.first_revision)
      .Bind(3, chunk.last_revision)
      .Bind(4, absl::ToUnixMicros(chunk.time))
      .Bind(5, static_cast<int64_t>(chunk.encoding))
      .Bind(6, chunk.unpacked_bytes)
      .BindBlob(7, chunk.hash)
      .BindBlob(8, is_inline ? absl::string_view(chunk.body) : "")
      .Bind(9, body_key)
      .Run();
}

absl::Status InsertRequest(Database& database, absl::string_view session,
                           int64_t key, const Entry& entry,
                           TakenRequestId taken) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert,
                             database.Prepare(kInsertRequest));
  insert.Bind(1, key).BindText(2, entry.request_id).Bind(3, entry.revision);
  FAULTLINE_RETURN_IF_ERROR(insert.Run());
  if (database.changes() == 1 || taken == TakenRequestId::kKeep) {
    return absl::OkStatus();
  }
  return ErrorWithReason(
      absl::StatusCode::kAlreadyExists, "REQUEST_ID_EXISTS",
      absl::StrCat("session \"", session, "\" has seen the request id \"",
                   entry.request_id, "\" before; use a new one"));
}

absl::Status UpdateHead(Database& database, absl::string_view session,
                        int64_t revision_before, absl::Time time,
                        const JournalHead& head) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement update, database.Prepare(kUpdateHead));
  update.Bind(1, head.last_revision)
      .Bind(2, absl::ToUnixMicros(time))
      .BindBlob(3, head.hash)
      .Bind(4, head.session_key)
      .Bind(5, revision_before);
  FAULTLINE_RETURN_IF_ERROR(update.Run());
  return database.changes() == 1 ? absl::OkStatus() : SessionNotFound(session);
}

// How many of `entries` go into one chunk: at least one.
size_t ChunkLength(absl::Span<const Entry* const> entries) {
  size_t bytes = 0;
  size_t count = 0;
  while (count < entries.size() && count < kChunkEntriesMax) {
    bytes += EntryBytes(*entries[count]);
    if (count > 0 && bytes > kChunkBytesMax) break;
    ++count;
  }
  return count;
}

Chunk ChunkOfRow(const Statement& row) {
  Chunk chunk;
  chunk.first_revision = row.Int64(0);
  chunk.last_revision = row.Int64(1);
  chunk.time = absl::FromUnixMicros(row.Int64(2));
  chunk.encoding = static_cast<Encoding>(row.Int64(3));
  chunk.unpacked_bytes = row.Int64(4);
  chunk.hash = std::string(row.Bytes(5));
  chunk.body = std::string(row.Bytes(6));
  return chunk;
}

}  // namespace

absl::StatusOr<JournalHead> ReadJournalHead(Database& database,
                                            absl::string_view session) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectHead));
  select.BindText(1, session);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return SessionNotFound(session);
  return JournalHead{select.Int64(0), select.Int64(1),
                     std::string(select.Bytes(2)),
                     std::string(select.Bytes(3))};
}

absl::Status AppendEntries(Database& database, absl::string_view session,
                           absl::Span<const Entry* const> entries,
                           absl::Time time, TakenRequestId taken,
                           JournalHead& head) {
  const int64_t revision_before = head.last_revision;
  while (!entries.empty()) {
    const absl::Span<const Entry* const> part =
        entries.first(ChunkLength(entries));
    const Chunk chunk = PackChunk(part, time, head.hash);
    FAULTLINE_RETURN_IF_ERROR(InsertChunk(database, head.session_key, chunk));
    for (const Entry* entry : part) {
      if (entry->request_id.empty()) continue;
      FAULTLINE_RETURN_IF_ERROR(
          InsertRequest(database, session, head.session_key, *entry, taken));
    }
    head.last_revision = chunk.last_revision;
    head.hash = chunk.hash;
    entries.remove_prefix(part.size());
  }
  return UpdateHead(database, session, revision_before, time, head);
}

absl::StatusOr<absl::optional<int64_t>> FindRevision(
    Database& database, const JournalHead& head, absl::string_view request_id) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectRequest));
  select.Bind(1, head.session_key).BindText(2, request_id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return absl::optional<int64_t>();
  return absl::optional<int64_t>(select.Int64(0));
}

absl::StatusOr<std::vector<std::string>> ReadRequestIds(
    Database& database, const JournalHead& head, absl::string_view after_id,
    int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                             database.Prepare(kSelectRequestIds));
  select.Bind(1, head.session_key).BindText(2, after_id).Bind(3, limit);
  std::vector<std::string> ids;
  while (true) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return ids;
    ids.emplace_back(select.Bytes(0));
  }
}

absl::StatusOr<JournalCursor> JournalCursor::Open(Database& database,
                                                  absl::string_view session,
                                                  int64_t from_revision) {
  FAULTLINE_ASSIGN_OR_RETURN(JournalHead head,
                             ReadJournalHead(database, session));
  JournalCursor cursor(session, std::move(head));
  const int64_t key = cursor.head_.session_key;
  cursor.first_wanted_ = std::max<int64_t>(from_revision, 1);
  cursor.next_revision_ = cursor.first_wanted_;
  if (cursor.first_wanted_ > cursor.head_.last_revision) return cursor;

  FAULTLINE_ASSIGN_OR_RETURN(Statement first,
                             database.Prepare(kSelectFirstOfChunk));
  first.Bind(1, key).Bind(2, cursor.first_wanted_);
  FAULTLINE_ASSIGN_OR_RETURN(const bool inside, first.Step());
  if (!inside) return cursor.Missing(database);
  cursor.next_revision_ = first.Int64(0);

  const bool at_start = cursor.next_revision_ == 1;
  FAULTLINE_ASSIGN_OR_RETURN(
      Statement hash,
      database.Prepare(at_start ? kSelectGenesis : kSelectHashBefore));
  hash.Bind(1, key);
  if (!at_start) hash.Bind(2, cursor.next_revision_);
  FAULTLINE_ASSIGN_OR_RETURN(const bool chained, hash.Step());
  if (!chained) return cursor.Missing(database);
  cursor.previous_hash_ = std::string(hash.Bytes(0));
  return cursor;
}

JournalCursor::Page JournalCursor::NextPage(Database& database) {
  Page page;
  page.status = Fill(database, page.entries);
  return page;
}

absl::Status JournalCursor::Fill(Database& database,
                                 std::vector<StoredEntry>& page) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectChunks));
  select.Bind(1, head_.session_key)
      .Bind(2, next_revision_)
      .Bind(3, head_.last_revision);
  size_t bytes = 0;
  while (next_revision_ <= head_.last_revision &&
         (bytes < kPageBytes || page.empty())) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return Missing(database);
    const Chunk chunk = ChunkOfRow(select);
    bytes += chunk.body.size() +
             static_cast<size_t>(std::max<int64_t>(chunk.unpacked_bytes, 0));
    FAULTLINE_RETURN_IF_ERROR(Take(chunk, page));
  }
  return absl::OkStatus();
}

// Verifies `chunk` as the next one and adds its wanted entries to `page`.
absl::Status JournalCursor::Take(const Chunk& chunk,
                                 std::vector<StoredEntry>& page) {
  if (chunk.first_revision != next_revision_) {
    return Corrupt(next_revision_, "its chunk is missing");
  }
  absl::StatusOr<std::vector<Entry>> entries =
      UnpackChunk(previous_hash_, chunk);
  if (!entries.ok()) {
    return Corrupt(chunk.first_revision, entries.status().message());
  }
  if (entries->empty()) return Corrupt(chunk.first_revision, "it is empty");
  if (chunk.last_revision >= head_.last_revision && chunk.hash != head_.hash) {
    return Corrupt(chunk.first_revision, "it is not the recorded last chunk");
  }
  for (Entry& entry : *entries) {
    if (entry.revision < first_wanted_) continue;
    page.push_back({std::move(entry), chunk.time});
  }
  next_revision_ = chunk.last_revision + 1;
  previous_hash_ = chunk.hash;
  return absl::OkStatus();
}

absl::Status JournalCursor::Corrupt(int64_t revision,
                                    absl::string_view why) const {
  return ErrorWithReason(
      absl::StatusCode::kDataLoss, "JOURNAL_CORRUPT",
      absl::StrCat("the journal of session \"", session_,
                   "\" is damaged at revision ", revision, ": ", why,
                   "; restore the database from a backup, or read the "
                   "revisions before"));
}

// A row that should be there is not: the session was deleted, or it is damage.
absl::Status JournalCursor::Missing(Database& database) const {
  FAULTLINE_ASSIGN_OR_RETURN(const JournalHead now,
                             ReadJournalHead(database, session_));
  if (now.session_key != head_.session_key) return SessionNotFound(session_);
  return Corrupt(next_revision_, "its chunk is missing");
}

}  // namespace faultline::storage

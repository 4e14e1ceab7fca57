// The journal's tables: appending chunks and reading them back, verified.
#ifndef FAULTLINE_STORAGE_JOURNAL_H_
#define FAULTLINE_STORAGE_JOURNAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "storage/chunk.h"
#include "storage/database.h"

namespace faultline::storage {

// A chunk holds at most this much; more is written as several chunks.
inline constexpr size_t kChunkEntriesMax = 4096;
inline constexpr size_t kChunkBytesMax = 1 << 20;

// Where a session's journal ends.
struct JournalHead {
  int64_t session_key = 0;
  int64_t last_revision = 0;
  std::string hash;     // of the last chunk, or the genesis hash
  std::string genesis;  // tells the session from others of the same id
};

// What to do with a request id that the session has seen before.
enum class TakenRequestId {
  kRefuse,  // ALREADY_EXISTS, reason REQUEST_ID_EXISTS
  kKeep,    // it stays with its first revision
};

// NOT_FOUND when there is no such session.
absl::StatusOr<JournalHead> ReadJournalHead(Database& database,
                                            absl::string_view session);

// Writes `entries` after `head` and advances it. Runs inside the writer's
// transaction. After an error the transaction must be rolled back and `head`
// forgotten. REQUIRES: the entries follow head.last_revision without a gap.
absl::Status AppendEntries(Database& database, absl::string_view session,
                           absl::Span<const Entry* const> entries,
                           absl::Time time, TakenRequestId taken,
                           JournalHead& head);

// The revision that `request_id` was given, if any.
absl::StatusOr<absl::optional<int64_t>> FindRevision(
    Database& database, const JournalHead& head, absl::string_view request_id);

// Up to `limit` request ids after `after_id`, in order.
absl::StatusOr<std::vector<std::string>> ReadRequestIds(
    Database& database, const JournalHead& head, absl::string_view after_id,
    int64_t limit);

// An entry as it was read back.
struct StoredEntry {
  Entry entry;
  absl::Time time;  // when it was written
};

// Reads a journal in pages. It does not hold on to a connection between pages,
// so a slow reader holds up nobody, and sees the journal as it was when the
// cursor was opened.
//
// Every chunk is verified against the one before, and the last against the
// head: a changed byte and a missing, foreign or reordered row are DATA_LOSS,
// reason JOURNAL_CORRUPT, with the session and the revision in the message.
class JournalCursor {
 public:
  // Positions the cursor on `from_revision`, which is at least 1.
  static absl::StatusOr<JournalCursor> Open(Database& database,
                                            absl::string_view session,
                                            int64_t from_revision);

  // Consecutive entries, none at the end. With an error: those before it.
  struct Page {
    std::vector<StoredEntry> entries;
    absl::Status status;
  };
  Page NextPage(Database& database);

  int64_t last_revision() const { return head_.last_revision; }

 private:
  JournalCursor(absl::string_view session, JournalHead head)
      : session_(session), head_(std::move(head)) {}

  absl::Status Corrupt(int64_t revision, absl::string_view why) const;
  absl::Status Missing(Database& database) const;
  absl::Status Fill(Database& database, std::vector<StoredEntry>& page);
  absl::Status Take(const Chunk& chunk, std::vector<StoredEntry>& page);

  std::string session_;
  JournalHead head_;
  std::string previous_hash_;
  int64_t next_revision_ = 1;  // the first of the next chunk
  int64_t first_wanted_ = 1;   // entries before it are verified, not returned
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_JOURNAL_H_

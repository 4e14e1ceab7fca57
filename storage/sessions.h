// The sessions table: which sessions there are and what each started from.
//
// The functions that change something run inside the writer's transaction.
#ifndef FAULTLINE_STORAGE_SESSIONS_H_
#define FAULTLINE_STORAGE_SESSIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "storage/database.h"

namespace faultline::storage {

enum class SessionState : int64_t { kActive = 1, kClosed = 2, kPanicked = 3 };

// What a restored session started from, besides its config: an image.
struct SessionBase {
  std::string origin;         // opaque; where it comes from
  int64_t state_version = 0;  // as in the snapshot that it was
  uint64_t fingerprint = 0;

  friend bool operator==(const SessionBase&, const SessionBase&) = default;
};

struct SessionRecord {
  std::string id;
  SessionState state = SessionState::kActive;
  std::string state_detail;  // text for people, such as why it panicked
  absl::Time create_time;    // kept to the microsecond
  std::string config;        // opaque; what the session's machine is built from
  absl::optional<SessionBase> base;
  // Of its journal; not taken from here when the session is created.
  int64_t last_revision = 0;
  absl::Time update_time;  // of the last append or change of state
  // Tells this session from another that had the same id before or will have it
  // later; not taken from here either.
  int64_t key = 0;

  friend bool operator==(const SessionRecord&, const SessionRecord&) = default;
};

// NOT_FOUND, reason SESSION_NOT_FOUND.
absl::Status SessionNotFound(absl::string_view id);

// Adds the session with an empty journal. What its base is, if it has one, the
// caller adds. ALREADY_EXISTS, reason SESSION_EXISTS.
absl::Status InsertSession(Database& database, const SessionRecord& session);

// Reads and checks the record: DATA_LOSS when id, create time, config or base
// are not those the session was created with.
absl::StatusOr<SessionRecord> ReadSession(Database& database,
                                          absl::string_view id);

// Up to `limit` sessions with an id greater than `after_id`, by id.
absl::StatusOr<std::vector<SessionRecord>> ReadSessions(
    Database& database, absl::string_view after_id, int64_t limit);

absl::Status UpdateSessionState(Database& database, absl::string_view id,
                                SessionState state, absl::string_view detail,
                                absl::Time time);

absl::StatusOr<int64_t> CountSessionRows(Database& database);

// Removes the session at once and leaves its journal and its snapshots to
// PurgeSessions.
absl::Status RemoveSession(Database& database, absl::string_view id);

// Removes up to `rows_max` rows that removed sessions left behind. False when
// there is nothing left.
absl::StatusOr<bool> PurgeSessions(Database& database, int64_t rows_max);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SESSIONS_H_

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
#include "storage/database.h"

namespace faultline::storage {

enum class SessionState : int64_t { kActive = 1, kClosed = 2, kPanicked = 3 };

struct SessionRecord {
  std::string id;
  SessionState state = SessionState::kActive;
  std::string state_detail;  // text for people, such as why it panicked
  absl::Time create_time;    // kept to the microsecond
  std::string config;        // opaque; what the session's machine is built from
  // Of its journal; not taken from here when the session is created.
  int64_t last_revision = 0;
  absl::Time update_time;  // of the last append or change of state

  friend bool operator==(const SessionRecord&, const SessionRecord&) = default;
};

// NOT_FOUND, reason SESSION_NOT_FOUND.
absl::Status SessionNotFound(absl::string_view id);

// Adds the session with an empty journal.
// ALREADY_EXISTS, reason SESSION_EXISTS.
absl::Status InsertSession(Database& database, const SessionRecord& session);

// Reads and checks the record: DATA_LOSS when id, create time or config are not
// those the session was created with.
absl::StatusOr<SessionRecord> ReadSession(Database& database,
                                          absl::string_view id);

// Up to `limit` sessions with an id greater than `after_id`, by id.
absl::StatusOr<std::vector<SessionRecord>> ReadSessions(
    Database& database, absl::string_view after_id, int64_t limit);

absl::Status UpdateSessionState(Database& database, absl::string_view id,
                                SessionState state, absl::string_view detail,
                                absl::Time time);

absl::StatusOr<int64_t> CountSessionRows(Database& database);

// Removes the session at once and leaves its journal to Purge.
absl::Status RemoveSession(Database& database, absl::string_view id);

// Removes up to `rows_max` rows that removed sessions left behind. False when
// there is nothing left.
absl::StatusOr<bool> Purge(Database& database, int64_t rows_max);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SESSIONS_H_

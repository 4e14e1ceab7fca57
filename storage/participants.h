// The participants table: who is, or was, in a session.
//
// The functions that change something run inside the writer's transaction.
#ifndef FAULTLINE_STORAGE_PARTICIPANTS_H_
#define FAULTLINE_STORAGE_PARTICIPANTS_H_

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

struct ParticipantRecord {
  std::string id;    // unique in its session, those that left included
  int64_t role = 0;  // opaque
  std::string display_name;
  std::string peer;      // where it joined from
  absl::Time join_time;  // kept to the microsecond, as is leave_time
  absl::optional<absl::Time> leave_time;  // absent: it is there

  friend bool operator==(const ParticipantRecord&,
                         const ParticipantRecord&) = default;
};

// SESSION_NOT_FOUND, or ALREADY_EXISTS with reason PARTICIPANT_EXISTS.
absl::Status InsertParticipant(Database& database, absl::string_view session,
                               const ParticipantRecord& participant);

// Sets the leave time, unless it has one. NOT_FOUND with reason
// SESSION_NOT_FOUND or PARTICIPANT_NOT_FOUND.
absl::Status SetLeaveTime(Database& database, absl::string_view session,
                          absl::string_view id, absl::Time time);

// Both: NOT_FOUND with reason SESSION_NOT_FOUND, the former also with reason
// PARTICIPANT_NOT_FOUND.
absl::StatusOr<ParticipantRecord> ReadParticipant(Database& database,
                                                  absl::string_view session,
                                                  absl::string_view id);
// Those that left are counted, too.
absl::StatusOr<int64_t> CountParticipantRows(Database& database,
                                             absl::string_view session);

enum class WhoLeft { kLeaveOut, kInclude };
// Up to `limit` participants with an id greater than `after_id`, by id.
// NOT_FOUND with reason SESSION_NOT_FOUND.
absl::StatusOr<std::vector<ParticipantRecord>> ReadParticipants(
    Database& database, absl::string_view session, absl::string_view after_id,
    WhoLeft who_left, int64_t limit);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_PARTICIPANTS_H_

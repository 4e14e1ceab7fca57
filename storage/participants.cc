#include "storage/participants.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sessions.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

// In the column leave_time_us: it is there.
constexpr int64_t kNever = 0;

constexpr char kSelectKey[] = R"sql(
SELECT session_key
  FROM sessions
 WHERE id = ?
)sql";

constexpr char kInsert[] = R"sql(
INSERT INTO participants
  (session_key, id, role, display_name, peer, join_time_us, leave_time_us)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (session_key, id) DO NOTHING
)sql";

constexpr char kUpdateLeaveTime[] = R"sql(
UPDATE participants
   SET leave_time_us = ?
 WHERE session_key = ?
   AND id = ?
   AND leave_time_us = 0
)sql";

constexpr char kSelectOne[] = R"sql(
SELECT id, role, display_name, peer, join_time_us, leave_time_us
  FROM participants
 WHERE session_key = ?
   AND id = ?
)sql";

constexpr char kCount[] = R"sql(
SELECT count(*)
  FROM participants
 WHERE session_key = ?
)sql";

constexpr char kSelectPage[] = R"sql(
SELECT id, role, display_name, peer, join_time_us, leave_time_us
  FROM participants
 WHERE session_key = ?
   AND id > ?
   AND (leave_time_us = 0 OR ?)
 ORDER BY id
 LIMIT ?
)sql";

absl::StatusOr<int64_t> KeyOf(Database& database, absl::string_view session) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectKey));
  select.BindText(1, session);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return SessionNotFound(session);
  return select.Int64(0);
}

absl::Status NotFound(absl::string_view session, absl::string_view id) {
  return ErrorWithReason(
      absl::StatusCode::kNotFound, "PARTICIPANT_NOT_FOUND",
      absl::StrCat("session \"", session, "\" has no participant \"", id,
                   "\"; list its participants to see those there are"));
}

ParticipantRecord OfRow(const Statement& row) {
  ParticipantRecord participant;
  participant.id = std::string(row.Bytes(0));
  participant.role = row.Int64(1);
  participant.display_name = std::string(row.Bytes(2));
  participant.peer = std::string(row.Bytes(3));
  participant.join_time = absl::FromUnixMicros(row.Int64(4));
  if (row.Int64(5) != kNever) {
    participant.leave_time = absl::FromUnixMicros(row.Int64(5));
  }
  return participant;
}

}  // namespace

absl::Status InsertParticipant(Database& database, absl::string_view session,
                               const ParticipantRecord& participant) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t key, KeyOf(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsert));
  insert.Bind(1, key)
      .BindText(2, participant.id)
      .Bind(3, participant.role)
      .BindText(4, participant.display_name)
      .BindText(5, participant.peer)
      .Bind(6, absl::ToUnixMicros(participant.join_time))
      .Bind(7, participant.leave_time
                   ? absl::ToUnixMicros(*participant.leave_time)
                   : kNever);
  FAULTLINE_RETURN_IF_ERROR(insert.Run());
  if (database.changes() == 1) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kAlreadyExists, "PARTICIPANT_EXISTS",
      absl::StrCat("session \"", session, "\" has had a participant \"",
                   participant.id, "\" already; choose another id"));
}

absl::Status SetLeaveTime(Database& database, absl::string_view session,
                          absl::string_view id, absl::Time time) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t key, KeyOf(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(Statement update,
                             database.Prepare(kUpdateLeaveTime));
  update.Bind(1, absl::ToUnixMicros(time)).Bind(2, key).BindText(3, id);
  FAULTLINE_RETURN_IF_ERROR(update.Run());
  if (database.changes() == 1) return absl::OkStatus();
  return ReadParticipant(database, session, id).status();
}

absl::StatusOr<ParticipantRecord> ReadParticipant(Database& database,
                                                  absl::string_view session,
                                                  absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t key, KeyOf(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectOne));
  select.Bind(1, key).BindText(2, id);
  FAULTLINE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return NotFound(session, id);
  return OfRow(select);
}

absl::StatusOr<int64_t> CountParticipantRows(Database& database,
                                             absl::string_view session) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t key, KeyOf(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(Statement count, database.Prepare(kCount));
  count.Bind(1, key);
  FAULTLINE_RETURN_IF_ERROR(count.Step().status());
  return count.Int64(0);
}

absl::StatusOr<std::vector<ParticipantRecord>> ReadParticipants(
    Database& database, absl::string_view session, absl::string_view after_id,
    WhoLeft who_left, int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t key, KeyOf(database, session));
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectPage));
  select.Bind(1, key)
      .BindText(2, after_id)
      .Bind(3, who_left == WhoLeft::kInclude ? 1 : 0)
      .Bind(4, limit);
  std::vector<ParticipantRecord> participants;
  while (true) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return participants;
    participants.push_back(OfRow(select));
  }
}

}  // namespace faultline::storage

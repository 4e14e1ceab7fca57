#include "server/session/participant.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"
#include "server/session/record.h"
#include "storage/reason.h"

namespace faultline {

std::string ParticipantName(absl::string_view session, absl::string_view id) {
  return absl::StrCat(ResourceName(session), "/participants/", id);
}

storage::ParticipantRecord RecordOf(const Participant& participant) {
  return {.id = participant.id,
          .role = static_cast<int64_t>(participant.role),
          .display_name = participant.display_name,
          .peer = participant.peer,
          .join_time = participant.join_time,
          .leave_time = participant.leave_time};
}

absl::StatusOr<Participant> ParticipantOf(
    absl::string_view session, const storage::ParticipantRecord& record) {
  if (record.role != static_cast<int64_t>(Role::kDriver) &&
      record.role != static_cast<int64_t>(Role::kObserver)) {
    return errors::HistoryCorrupt(
        ResourceName(session),
        absl::StrCat("participant ", record.id, " has the role ", record.role));
  }
  return Participant{.id = record.id,
                     .role = static_cast<Role>(record.role),
                     .display_name = record.display_name,
                     .peer = record.peer,
                     .join_time = record.join_time,
                     .leave_time = record.leave_time};
}

absl::Status ParticipantError(absl::string_view session, absl::string_view id,
                              const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  const std::string name = ParticipantName(session, id);
  if (reason == "PARTICIPANT_NOT_FOUND") {
    return errors::ParticipantNotFound(name);
  }
  if (reason == "PARTICIPANT_EXISTS") {
    return errors::ParticipantAlreadyExists(name);
  }
  return StorageError(session, status);
}

absl::StatusOr<Participant> ReadParticipant(storage::Store& store,
                                            absl::string_view session,
                                            absl::string_view id) {
  const absl::StatusOr<storage::ParticipantRecord> record =
      store.GetParticipant(session, id);
  if (!record.ok()) return ParticipantError(session, id, record.status());
  return ParticipantOf(session, *record);
}

}  // namespace faultline

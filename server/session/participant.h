// The clients that work together in one session.
#ifndef FAULTLINE_SERVER_SESSION_PARTICIPANT_H_
#define FAULTLINE_SERVER_SESSION_PARTICIPANT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "storage/store.h"

namespace faultline {

// The numbers are stored.
enum class Role : uint8_t {
  kDriver = 1,    // sends commands
  kObserver = 2,  // looks and watches
};

struct Participant {
  std::string id;  // the last part of sessions/{session}/participants/{id}
  Role role = Role::kDriver;
  std::string display_name;
  std::string peer;  // where it joined from
  absl::Time join_time;
  absl::optional<absl::Time> leave_time;  // absent: it is there
};

using WhoLeft = storage::WhoLeft;

// Who joined, and the session's revision then.
struct Joined {
  Participant participant;
  int64_t revision = 0;
};

// "sessions/lab-1/participants/ada".
std::string ParticipantName(absl::string_view session, absl::string_view id);

storage::ParticipantRecord RecordOf(const Participant& participant);
absl::StatusOr<Participant> ParticipantOf(
    absl::string_view session, const storage::ParticipantRecord& record);

// An error of the store about one participant, as an error of the service.
absl::Status ParticipantError(absl::string_view session, absl::string_view id,
                              const absl::Status& status);

absl::StatusOr<Participant> ReadParticipant(storage::Store& store,
                                            absl::string_view session,
                                            absl::string_view id);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_PARTICIPANT_H_

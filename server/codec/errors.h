// The failures of the service: one named constructor per error. Each makes an
// absl::Status that carries, as payloads, the details of google.rpc.Status:
// always an ErrorInfo (reason, domain, metadata) and what fits the case.
// service/ turns such a status into a grpc::Status; session/ makes most of
// them. There is no function from Errno to absl::Status: what the simulated
// program got wrong is an Outcome.
#ifndef FAULTLINE_SERVER_CODEC_ERRORS_H_
#define FAULTLINE_SERVER_CODEC_ERRORS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace faultline {

inline constexpr char kErrorDomain[] = "faultline.dev";

// One field of a request that cannot be used.
struct FieldViolation {
  std::string field;        // its path, "commands[3].mmap.length"
  std::string description;  // what is wrong and what would be right
  bool missing = false;     // it is required and absent
};

namespace errors {

// INVALID_ARGUMENT. Reason FIELD_MISSING or FIELD_INVALID, BadRequest.
// REQUIRES: violations is not empty; the first few are sent.
absl::Status InvalidFields(const std::vector<FieldViolation>& violations);
absl::Status InvalidField(absl::string_view field,
                          absl::string_view description);
absl::Status MissingField(absl::string_view field,
                          absl::string_view description);
// RESOURCE_EXHAUSTED: REQUEST_TOO_LARGE.
absl::Status RequestTooLarge(size_t bytes, size_t bytes_max);

// NOT_FOUND. `session` is the resource name, "sessions/lab-1".
absl::Status SessionNotFound(absl::string_view session);
absl::Status ProcessNotFound(absl::string_view session, uint32_t pid);
absl::Status PageNotFound(absl::string_view session, uint64_t pfn);
absl::Status FileNotFound(absl::string_view session, absl::string_view file);
// `participant` is the resource name, "sessions/lab-1/participants/ada".
absl::Status ParticipantNotFound(absl::string_view participant);
// `snapshot` is the resource name, "sessions/lab-1/snapshots/before".
absl::Status SnapshotNotFound(absl::string_view snapshot);
// ALREADY_EXISTS.
absl::Status SessionAlreadyExists(absl::string_view session);
absl::Status ParticipantAlreadyExists(absl::string_view participant);
absl::Status SnapshotAlreadyExists(absl::string_view snapshot);
// PERMISSION_DENIED.
absl::Status ParticipantIsObserver(absl::string_view participant);
// FAILED_PRECONDITION.
absl::Status VictimStreamExists(absl::string_view session, uint32_t pid);
absl::Status VictimTooLate(int64_t seconds_max);
absl::Status NoReplacement(absl::string_view session, uint32_t pid);
absl::Status SessionClosed(absl::string_view session);
absl::Status SessionPanicked(absl::string_view session, absl::string_view what);
// `name` of a snapshot, or of a session that was restored from one.
absl::Status StateVersionMismatch(absl::string_view name, int64_t version,
                                  int64_t our_version);
// ABORTED.
absl::Status RevisionMismatch(absl::string_view session, int64_t expected,
                              int64_t actual);
absl::Status RequestIdReused(absl::string_view session,
                             absl::string_view request_id);
// OUT_OF_RANGE. `field` is the one that holds the revision asked for.
absl::Status RevisionOutOfRange(absl::string_view session,
                                absl::string_view field, int64_t asked,
                                int64_t current);
// RESOURCE_EXHAUSTED.
absl::Status SessionsLimit(int64_t sessions_max);
absl::Status MachinesLimit(int64_t machines_max);
absl::Status SnapshotsLimit(absl::string_view session, int64_t snapshots_max);
absl::Status QueueLimit(absl::string_view session, int64_t commands_max);
absl::Status WorkLimit(int64_t requests_max);
absl::Status WatchersLimit(int64_t watchers_max);
absl::Status WatchedSessionsLimit(int64_t sessions_max);
absl::Status ParticipantsLimit(absl::string_view session,
                               int64_t participants_max);
// UNAVAILABLE, with RetryInfo.
absl::Status ShuttingDown();
absl::Status JournalUnavailable(absl::string_view why);
// DATA_LOSS.
absl::Status HistoryCorrupt(absl::string_view session, absl::string_view why);
absl::Status SnapshotCorrupt(absl::string_view snapshot, absl::string_view why);
// INTERNAL: the simulator broke one of its own rules.
absl::Status SimulatorBug(absl::string_view session, absl::string_view what);
// CANCELLED, DEADLINE_EXCEEDED: work that was not started, or stopped half way.
absl::Status Cancelled();
absl::Status DeadlineExceeded();
// UNIMPLEMENTED: there is no such method.
absl::Status NoSuchMethod(absl::string_view method);

// The reason of a status, "" when it has none.
std::string ReasonOf(const absl::Status& status);

// Gives a status its ErrorInfo; for errors that are not in the list above.
void SetErrorInfo(
    absl::Status& status, absl::string_view reason,
    const std::vector<std::pair<std::string, std::string>>& metadata = {});
// Adds or replaces one entry of the ErrorInfo's metadata.
void AddMetadata(absl::Status& status, absl::string_view key,
                 absl::string_view value);
// Adds a message of google/rpc/error_details.proto.
void SetDetail(absl::Status& status, const google::protobuf::Message& detail);

}  // namespace errors
}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_ERRORS_H_

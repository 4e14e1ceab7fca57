// What the session layer keeps in storage's bytes, and storage's errors as the
// errors of the service.
//
// A session's `config` is a CreateSessionRequest with display_name and config.
// A journal entry's `command` is a faultline.v1.Command, its `digest` eight
// bytes, little-endian, or none when the command broke the simulator. A request
// id names a batch and stands at its last command, whose `outcome` is a
// RunResponse with all outcomes of the batch, without events.
#ifndef FAULTLINE_SERVER_SESSION_RECORD_H_
#define FAULTLINE_SERVER_SESSION_RECORD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "faultline/v1/command.pb.h"
#include "server/machine/command.h"
#include "server/machine/outcome.h"
#include "server/session/session_types.h"
#include "storage/store.h"

namespace faultline {

// The time, to the microsecond: what the store keeps of it.
absl::Time NowAsStored();

// "lab-1" -> "sessions/lab-1".
std::string ResourceName(absl::string_view id);

// The same error, sharing nothing with `status`.
absl::Status CopyOf(const absl::Status& status);

// An error of the store about one session, as an error of the service.
absl::Status StorageError(absl::string_view id, const absl::Status& status);

storage::SessionRecord RecordOf(const SessionInfo& info);
absl::StatusOr<SessionInfo> InfoOf(const storage::SessionRecord& record);
absl::StatusOr<SessionInfo> ReadInfo(storage::Store& store,
                                     absl::string_view id);

// INVALID_ARGUMENT when a text of the command is not UTF-8.
absl::StatusOr<std::string> CommandBytes(const Command& command);
absl::StatusOr<v1::Command> CommandMessageOf(absl::string_view id,
                                             const storage::Entry& entry);
absl::StatusOr<Command> CommandOf(absl::string_view id,
                                  const storage::Entry& entry);

std::string DigestBytes(uint64_t digest);
// nullopt when the command broke the simulator.
absl::StatusOr<absl::optional<uint64_t>> DigestOf(absl::string_view id,
                                                  const storage::Entry& entry);

std::string ResultBytes(const BatchResult& result);
absl::StatusOr<BatchResult> ResultOf(absl::string_view id,
                                     const storage::Entry& entry);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_RECORD_H_

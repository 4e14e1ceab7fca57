// What the requests of several rpcs have in common: names, sizes, pages.
#ifndef FAULTLINE_SERVER_SERVICE_REQUEST_H_
#define FAULTLINE_SERVER_SERVICE_REQUEST_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/outcome.pb.h"
#include "google/protobuf/message_lite.h"
#include "server/gradebook/names.h"
#include "server/session/session_types.h"

namespace faultline {

// RESOURCE_EXHAUSTED when the message is longer than a request may be. gRPC
// itself receives somewhat more, so that such an error can say what to do.
absl::Status CheckSize(const google::protobuf::MessageLite& request);
absl::Status CheckSize(size_t bytes);

// "sessions/lab-1" -> "lab-1". A name that no session can have is
// INVALID_ARGUMENT.
absl::StatusOr<std::string> SessionIdOf(const std::string& session);
std::string SessionName(absl::string_view id);

// 1 to 63 of a-z, 0-9 and -, first a letter, last no -.
absl::Status CheckSessionId(absl::string_view field, absl::string_view id);
absl::Status CheckParticipantId(absl::string_view field, absl::string_view id);
absl::Status CheckDisplayName(absl::string_view display_name);

// "sessions/lab-1/snapshots/before" -> "lab-1", "before".
struct SnapshotIds {
  std::string session;
  std::string snapshot;
};
absl::StatusOr<SnapshotIds> SnapshotIdsOf(const std::string& snapshot);

// As a session's id.
absl::Status CheckSnapshotId(absl::string_view field, absl::string_view id);
absl::Status CheckDisplayName(absl::string_view display_name);

// "exercises/cow" -> "cow"; "exercises/cow/attempts/a7f" -> "cow", "a7f".
absl::StatusOr<std::string> ExerciseIdOf(const std::string& exercise);
absl::StatusOr<AttemptIds> AttemptIdsOf(const std::string& attempt);
// As grading::CheckStudent, about the field `student`.
absl::Status CheckStudentField(const std::string& student);

// 1 to 64 printable ASCII characters, or empty.
absl::Status CheckRequestId(absl::string_view field,
                            absl::string_view request_id);
absl::Status CheckRevision(absl::string_view field, int64_t revision);

// "sessions/lab-1/participants/ada" taken apart. A name that no participant can
// have is INVALID_ARGUMENT.
struct ParticipantPath {
  std::string session;  // their ids
  std::string participant;
};
absl::StatusOr<ParticipantPath> ParticipantPathOf(absl::string_view field,
                                                  const std::string& name);

// Of a call from `peer` that changes the machine of session `id`.
absl::StatusOr<ExecuteOptions> OptionsOf(const v1::CallOptions& options,
                                         absl::string_view id,
                                         absl::string_view peer);

// Where a call comes from, "ipv6:[::1]:40112", of what gRPC calls the peer,
// "ipv6:%5B::1%5D:40112".
std::string PeerOf(absl::string_view peer_uri);

// 0 is `size_default`, more than `size_max` counts as `size_max`, less than 0
// is INVALID_ARGUMENT.
absl::StatusOr<int> PageSize(int32_t asked, int size_default, int size_max);

// Page tokens: opaque, URL-safe, and good only for the rpc (`kind`) and the
// other fields of the request (`scope`) that they were made for.
std::string PageToken(absl::string_view kind, absl::string_view scope,
                      absl::string_view cursor);
// The cursor in `token`, "" of an empty token.
absl::StatusOr<std::string> PageCursor(absl::string_view token,
                                       absl::string_view kind,
                                       absl::string_view scope);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_REQUEST_H_

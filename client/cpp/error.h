// What a failed call says, beyond its code: the reason and the details that
// the server attaches (google.rpc.ErrorInfo, BadRequest, RetryInfo), kept in
// the absl::Status and read back with DetailsOf.
//
//   absl::StatusOr<client::Session> s = client.GetSession("sessions/lab-1");
//   if (!s.ok()) {
//     std::cerr << client::Explain(s.status()) << "\n";
//     if (client::ReasonOf(s.status()) == "SESSION_NOT_FOUND") …
//   }
//
// The failures of a simulated program (ENOMEM, SIGSEGV) are never here: they
// are data in an Outcome.

#ifndef FAULTLINE_CLIENT_CPP_ERROR_H_
#define FAULTLINE_CLIENT_CPP_ERROR_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "grpcpp/support/status.h"

namespace faultline::client {

// google.rpc.BadRequest.FieldViolation.
struct FieldViolation {
  std::string field;        // "mmap.length"
  std::string description;  // what is wrong and what would be right
};

struct ErrorDetails {
  std::string reason;  // "SESSION_NOT_FOUND"
  std::string domain;  // "faultline.dev"
  std::map<std::string, std::string> metadata;
  std::vector<FieldViolation> violations;
  absl::optional<absl::Duration> retry_delay;
};

// A gRPC status as an absl::Status: the same code, the message made fit to
// read, the details as a payload. `address` is where the call went; a failure
// to get there is diagnosed (nothing listens, no such host, not a Faultline).
absl::Status FromGrpc(const grpc::Status& status, absl::string_view address);

// The details of a status that FromGrpc made; nothing when it has none.
absl::optional<ErrorDetails> DetailsOf(const absl::Status& status);

// The reason, or an empty string.
std::string ReasonOf(const absl::Status& status);

// The message and, one per line, what is wrong with each field of the request.
std::string Explain(const absl::Status& status);

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_ERROR_H_

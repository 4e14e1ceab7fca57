// Says in words why a server could not be reached: gRPC's own text names
// neither the likely cause nor what to do.

#ifndef FAULTLINE_CLIENT_CPP_DIAGNOSIS_H_
#define FAULTLINE_CLIENT_CPP_DIAGNOSIS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/support/status.h"

namespace faultline::client {

// Where `faultline serve` listens unless told otherwise.
inline constexpr int kDefaultPort = 50051;

// "host", "host:port", "[::1]:port", ":port" or "unix:/path" as gRPC wants it,
// with the default port when there is none. INVALID_ARGUMENT says what is
// wrong with an address that cannot be one.
absl::StatusOr<std::string> NormalizeAddress(absl::string_view address);

// True for localhost, 127.0.0.0/8, ::1 and Unix sockets: where a proxy has no
// business.
bool IsLoopback(absl::string_view address);

// The message for a status that carries no details of a Faultline server.
std::string Diagnose(const grpc::Status& status, absl::string_view address);

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_DIAGNOSIS_H_

// The address that a server listens on, and what is wrong with it.
#ifndef FAULTLINE_SERVER_SERVICE_LISTEN_H_
#define FAULTLINE_SERVER_SERVICE_LISTEN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace faultline {

struct ListenAddress {
  std::string text;  // as gRPC takes it
  std::string host;  // "127.0.0.1", "[::1]"; empty for a Unix socket
  int port = 0;      // 0: any free one
  bool is_unix = false;
  bool loopback = false;  // only this computer can reach it
};

// Takes "host:port", "[::1]:port" and "unix:/path". INVALID_ARGUMENT, reason
// LISTEN_ADDRESS_INVALID.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view listen);

// FAILED_PRECONDITION, reason LISTEN_ADDRESS_REMOTE: there is no
// authentication, so it has to be asked for.
absl::Status RemoteRefused(const ListenAddress& listen);

// OK when the address is free and ours; the system's error otherwise, which
// gRPC would only log. Reason LISTEN_ADDRESS_IN_USE or LISTEN_FAILED.
absl::Status CheckFree(const ListenAddress& listen);

// The same for an address that gRPC has refused.
absl::Status ListenFailed(const ListenAddress& listen);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_LISTEN_H_

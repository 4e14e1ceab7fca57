#include "server/service/listen.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"

namespace faultline {
namespace {

absl::Status Error(absl::StatusCode code, absl::string_view reason,
                   absl::string_view listen, absl::string_view message) {
  absl::Status status(code, message);
  errors::SetErrorInfo(status, reason, {{"listen", std::string(listen)}});
  return status;
}

absl::Status Invalid(absl::string_view listen, absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "LISTEN_ADDRESS_INVALID",
               listen,
               absl::StrCat("'", listen, "' is no address to listen on: ", why,
                            "; write host:port, [ipv6]:port or unix:/path, for "
                            "example 127.0.0.1:50051"));
}

bool IsLoopbackHost(absl::string_view host) {
  return host == "localhost" || host == "[::1]" ||
         absl::StartsWith(host, "127.");
}

// The system's error for binding the address, 0 when it binds now.
int BindError(const ListenAddress& listen) {
  std::string host = listen.host;
  if (!host.empty() && host.front() == '[') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), absl::StrCat(listen.port).c_str(), &hints,
                  &found) != 0) {
    return EADDRNOTAVAIL;
  }
  const int fd = socket(found->ai_family, SOCK_STREAM, 0);
  const int on = 1;
  int error = 0;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(fd, 1) != 0) {
    error = errno;
  }
  if (fd >= 0) close(fd);
  freeaddrinfo(found);
  return error;
}

absl::Status Failed(const ListenAddress& listen, absl::string_view why) {
  return Error(absl::StatusCode::kUnavailable, "LISTEN_FAILED", listen.text,
               absl::StrCat("cannot listen on ", listen.text, ": ", why,
                            "; choose another address with --listen"));
}

}  // namespace

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text) {
  ListenAddress listen;
  listen.text = std::string(text);
  if (absl::StartsWith(text, "unix:")) {
    if (text.size() == strlen("unix:")) return Invalid(text, "no path");
    listen.is_unix = true;
    listen.loopback = true;
    return listen;
  }
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Invalid(text, "no port");
  const absl::string_view host = text.substr(0, colon);
  const absl::string_view port = text.substr(colon + 1);
  if (host.empty()) return Invalid(text, "no host");
  const bool brackets = host.front() == '[' && host.back() == ']';
  if (!brackets && absl::StrContains(host, ':')) {
    return Invalid(text, "an IPv6 address needs brackets");
  }
  if (!absl::SimpleAtoi(port, &listen.port) || listen.port < 0 ||
      listen.port > 65535) {
    return Invalid(text, "a port is 0 to 65535");
  }
  listen.host = std::string(host);
  listen.loopback = IsLoopbackHost(host);
  return listen;
}

absl::Status RemoteRefused(const ListenAddress& listen) {
  return Error(
      absl::StatusCode::kFailedPrecondition, "LISTEN_ADDRESS_REMOTE",
      listen.text,
      absl::StrCat(listen.text,
                   " can be reached from other computers, and there is no "
                   "authentication: listen on 127.0.0.1, or add --allow-remote "
                   "if everyone on that network may use and delete sessions"));
}

absl::Status CheckFree(const ListenAddress& listen) {
  const int error = listen.is_unix ? 0 : BindError(listen);
  if (error == 0) return absl::OkStatus();
  if (error == EADDRINUSE) {
    return Error(
        absl::StatusCode::kAlreadyExists, "LISTEN_ADDRESS_IN_USE", listen.text,
        absl::StrCat("port ", listen.port, " of ", listen.host,
                     " is in use, perhaps by another faultline: stop that "
                     "program (`ss -ltnp` shows it), or choose another port, "
                     "for example --listen ",
                     listen.host, ":0 for any"));
  }
  return Failed(listen, strerror(error));
}

absl::Status ListenFailed(const ListenAddress& listen) {
  const absl::Status status = CheckFree(listen);
  if (!status.ok()) return status;
  return Failed(listen, listen.is_unix
                            ? "the path must be free, at most 107 bytes long, "
                              "and its directory writable"
                            : "gRPC could not open it");
}

}  // namespace faultline

// The C++ client library of Faultline.
//
//   absl::StatusOr<client::Client> client =
//   client::Client::Connect("localhost"); absl::StatusOr<client::Session> lab =
//   client->CreateSession({.id = "lab-1"}); absl::StatusOr<v1::Outcome> r =
//   lab->Mmap(1, {.length = 4096, …}); r->value();                       // the
//   address, or a negative errno lab->ReadProc("/proc/1/maps");    // Linux's
//   text
//
// Every call has a deadline (kDefaultDeadline; CallSettings overrides it). A
// call that fails with UNAVAILABLE is repeated a few times, and only when that
// is harmless: it changes nothing, or it carries a request_id, which the
// library makes for every command, or a name that the library made. Errors:
// client/cpp/error.h.

#ifndef FAULTLINE_CLIENT_CPP_CLIENT_H_
#define FAULTLINE_CLIENT_CPP_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cpp/connection.h"
#include "client/cpp/grading.h"
#include "client/cpp/session.h"

namespace faultline::client {

struct SessionSpec {
  std::string id{};  // empty: the server chooses
  std::string display_name{};
  v1::MachineConfig config{};
};

// A server. Cheap to copy; thread-safe.
class Client {
 public:
  // Takes "host", "host:port", "[::1]:port" or "unix:/path". INVALID_ARGUMENT
  // for what cannot be an address. Does not wait for the server: the first
  // call tells whether there is one.
  static absl::StatusOr<Client> Connect(absl::string_view address);

  const std::string& address() const { return connection_->address(); }

  absl::StatusOr<Session> CreateSession(const SessionSpec& spec);
  // A handle at the revision that the session has now. `name` is
  // "sessions/lab-1" or "lab-1".
  absl::StatusOr<Session> OpenSession(absl::string_view name);
  // What the server knows of a session.
  absl::StatusOr<v1::Session> GetSession(absl::string_view name);
  // All sessions, page by page, in the order of their names.
  absl::StatusOr<std::vector<v1::Session>> ListSessions();
  absl::StatusOr<v1::Session> CloseSession(absl::string_view name);
  absl::Status DeleteSession(absl::string_view name);

  // Exercises, attempts and grades.
  Grading grading() const { return Grading(connection_); }

 private:
  explicit Client(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  std::shared_ptr<Connection> connection_;
};

// "sessions/lab-1" for both "lab-1" and "sessions/lab-1".
std::string SessionName(absl::string_view id_or_name);

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_CLIENT_H_

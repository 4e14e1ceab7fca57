// A connection to a server: the channel, the stubs, and how a call is made.
// Client and Session are thin over it.

#ifndef FAULTLINE_CLIENT_CPP_CONNECTION_H_
#define FAULTLINE_CLIENT_CPP_CONNECTION_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "faultline/v1/grading.pb.h"
#include "faultline/v1/history.pb.h"
#include "faultline/v1/inspect.pb.h"
#include "faultline/v1/machine.pb.h"
#include "faultline/v1/session.pb.h"
#include "grpcpp/client_context.h"

namespace faultline::client {

// Every call ends after this long unless its own options say otherwise.
inline constexpr absl::Duration kDefaultDeadline = absl::Seconds(30);
// For calls whose work grows with a session's history or with an exercise:
// Replay, VerifySession, CreateExercise, Grade.
inline constexpr absl::Duration kLongDeadline = absl::Hours(2);
// A call that may be repeated is made at most this often.
inline constexpr int kAttemptsMax = 4;
// The wait before the second attempt; it doubles from attempt to attempt, up to
// the last one, and each is varied by a fifth.
inline constexpr absl::Duration kFirstBackoff = absl::Milliseconds(100);
inline constexpr absl::Duration kLastBackoff = absl::Seconds(5);

// Whether a call may be made again after UNAVAILABLE: it changes nothing, or
// it carries a request_id by which the server knows it.
enum class Repeat { kNo, kYes };

struct Stubs;  // client/cpp/stubs.h

class Connection {
 public:
  // `address` is normalized. Does not wait for the server.
  explicit Connection(std::string address);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  const std::string& address() const { return address_; }

  Stubs& stubs() { return *stubs_; }

  // Makes a unary call until it succeeds, fails with something other than
  // UNAVAILABLE, or has used its attempts or its deadline.
  absl::Status Call(
      absl::Duration deadline, Repeat repeat,
      const std::function<grpc::Status(grpc::ClientContext&)>& attempt);

  // How long to wait after attempt `attempt`, from 0, failed with `status`.
  static absl::Duration Backoff(int attempt, const absl::Status& status);

  // A request_id that no other call has: random per connection, then counted.
  std::string NewRequestId();

  // Gives `context` a deadline from now.
  static void SetDeadline(grpc::ClientContext& context,
                          absl::Duration deadline);

 private:
  std::string address_;
  std::unique_ptr<Stubs> stubs_;
  std::string id_prefix_;
  std::atomic<uint64_t> next_id_{1};
};

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_CONNECTION_H_

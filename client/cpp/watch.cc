#include "client/cpp/watch.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "client/cpp/error.h"
#include "client/cpp/session.h"
#include "client/cpp/stubs.h"
#include "grpcpp/support/sync_stream.h"

namespace faultline::client {
namespace {

v1::WatchEventsRequest RequestOf(const std::string& session,
                                 const WatchOptions& options) {
  v1::WatchEventsRequest request;
  request.set_session(session);
  if (options.start_revision) {
    request.set_start_revision(*options.start_revision);
  }
  if (options.end_revision) request.set_end_revision(*options.end_revision);
  request.mutable_pids()->Assign(options.pids.begin(), options.pids.end());
  request.mutable_kinds()->Assign(options.kinds.begin(), options.kinds.end());
  request.set_event_level(options.event_level);
  request.set_include_commands(options.include_commands);
  return request;
}

// The connection or the server went away; whoever asks again may be answered. A
// server that has an error to report says more.
bool WasCut(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return true;
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return !DetailsOf(status).has_value();
    default:
      return false;
  }
}

// One watch, resumed as often as need be.
class Watching {
 public:
  Watching(Connection& connection, v1::WatchEventsRequest request,
           const WatchCallback& callback, absl::Duration patience,
           Cancellation& cancellation)
      : connection_(connection),
        request_(std::move(request)),
        callback_(callback),
        patience_(patience),
        cancellation_(cancellation) {}

  absl::Status Run() {
    while (true) {
      absl::Status status = Read();
      if (cancellation_.cancelled()) {
        return absl::CancelledError("the watch was cancelled");
      }
      if (WasCut(status) && IsOver()) return absl::OkStatus();
      if (!WasCut(status) || GivesUp()) return status;
      cancellation_.Sleep(Connection::Backoff(failures_++, status));
    }
  }

 private:
  // Until the call ends.
  absl::Status Read() {
    grpc::ClientContext context;
    cancellation_.Attach(&context);
    auto reader = connection_.stubs().history.WatchEvents(&context, request_);
    v1::WatchEventsResponse response;
    while (reader->Read(&response)) Take(response);
    const grpc::Status status = reader->Finish();
    cancellation_.Attach(nullptr);
    return FromGrpc(status, connection_.address());
  }

  // The next call goes on after what has come.
  void Take(const v1::WatchEventsResponse& response) {
    request_.set_start_revision(response.revision() + 1);
    last_message_ = absl::Now();
    failures_ = 0;
    callback_(response);
  }

  // All has come; only the end got lost.
  bool IsOver() const {
    return request_.has_end_revision() && request_.has_start_revision() &&
           request_.start_revision() > request_.end_revision();
  }

  bool GivesUp() const {
    return last_message_ ? absl::Now() - *last_message_ > patience_
                         : failures_ + 1 >= kAttemptsMax;
  }

  Connection& connection_;
  v1::WatchEventsRequest request_;
  const WatchCallback& callback_;
  const absl::Duration patience_;
  Cancellation& cancellation_;
  absl::optional<absl::Time> last_message_;
  int failures_ = 0;  // since the last message
};

}  // namespace

void Cancellation::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

bool Cancellation::cancelled() const {
  absl::MutexLock lock(&mutex_);
  return cancelled_;
}

void Cancellation::Attach(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  context_ = context;
  if (cancelled_ && context != nullptr) context->TryCancel();
}

void Cancellation::Sleep(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&cancelled_), duration);
}

absl::Status Session::Watch(const WatchOptions& options,
                            const WatchCallback& callback,
                            Cancellation* cancellation) {
  Cancellation never;
  return Watching(*connection_, RequestOf(name_, options), callback,
                  options.patience,
                  cancellation == nullptr ? never : *cancellation)
      .Run();
}

}  // namespace faultline::client

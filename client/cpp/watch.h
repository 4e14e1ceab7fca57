// Watching a session: what its commands did, past and future.

#ifndef FAULTLINE_CLIENT_CPP_WATCH_H_
#define FAULTLINE_CLIENT_CPP_WATCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "faultline/v1/watch.pb.h"
#include "grpcpp/client_context.h"

namespace faultline::client {

// See v1::WatchEventsRequest.
struct WatchOptions {
  absl::optional<int64_t> start_revision{};  // absent: the next command
  absl::optional<int64_t> end_revision{};    // absent: without end
  std::vector<uint32_t> pids{};              // empty: all
  std::vector<std::string> kinds{};          // empty: all
  v1::EventLevel event_level = v1::EVENT_LEVEL_FAULTS;
  bool include_commands = false;
  // A watch that was cut off is resumed; when nothing has come for this long it
  // is given up.
  absl::Duration patience = absl::Minutes(2);
};

// Called with each message: changes in the order of their revisions, each of
// them once however often the watch was cut, and the revision up to which all
// that was asked for has come.
using WatchCallback = std::function<void(const v1::WatchEventsResponse&)>;

// Ends what was started with it, from any thread, the callback's too.
// Thread-safe; must outlive what was started with it.
class Cancellation {
 public:
  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);
  bool cancelled() const ABSL_LOCKS_EXCLUDED(mutex_);

  // For the library: a call that is under way; null when it is over.
  void Attach(grpc::ClientContext* context) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits, at most until it is cancelled.
  void Sleep(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_WATCH_H_

// Watching a session: what the service gives and gets.
#ifndef FAULTLINE_SERVER_SESSION_WATCH_H_
#define FAULTLINE_SERVER_SESSION_WATCH_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "server/session/event_filter.h"
#include "server/session/event_segment.h"

namespace faultline {

struct WatchRequest {
  absl::optional<int64_t> start;  // the first revision; absent: the next one
  absl::optional<int64_t> end;    // the last; absent: as long as there are any
  EventFilter filter;
};

// Where a watch goes. Its calls come from any thread, one at a time but for
// End, which may come while another one runs; they must not block, nor call the
// Watcher before they return.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  // A v1::WatchEventsResponse in the wire format: the parts one after the
  // other. The next one comes after Watcher::Sent().
  virtual void Send(std::vector<SharedBytes> parts) = 0;
  // The last call that counts, perhaps while a message is being sent.
  virtual void End(absl::Status status) = 0;
};

// One who watches, as the sink's owner holds it. Thread-safe.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // The message that was given to the sink is on its way.
  virtual void Sent() = 0;
  // Ends the watch: End(why) is called unless it has ended.
  virtual void Stop(absl::Status why) = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_WATCH_H_

// What the commands of one session did, derived from its journal.
#ifndef FAULTLINE_SERVER_SESSION_EVENT_LOG_H_
#define FAULTLINE_SERVER_SESSION_EVENT_LOG_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/session/event_segment.h"
#include "server/session/execute.h"
#include "server/session/replayer.h"
#include "server/session/session_types.h"
#include "storage/store.h"

namespace faultline {

// Events are not stored. A replica of the session's machine executes the
// journal with all events on, so that they are the same for the past and the
// present and whatever the driver asked for. Used by one thread at a time.
class EventLog {
 public:
  // `store` and `runner` must outlive it.
  EventLog(storage::Store& store, const MachineRunner& runner, std::string id)
      : store_(store), runner_(runner), id_(std::move(id)) {}

  // Offers a copy of the session's machine, as good as a replay up to there.
  void Offer(const MachineView& view);

  struct Derived {
    // Consecutive; the first begins with the revision asked for. None: it takes
    // longer, ask again.
    std::vector<std::shared_ptr<EventSegment>> segments;
    // Why the revision asked for cannot be had: DATA_LOSS where the journal is
    // damaged or another machine comes out of it than the recorded one.
    absl::Status status;
    // The last of them is of a command that broke the simulator.
    bool panicked = false;
  };
  // Derives what the commands from revision `from` on did, up to `to` at most,
  // which is recorded. Works for about 50 ms.
  Derived Derive(int64_t from, int64_t to);

 private:
  struct Replica {
    Replayer replayer;
    uint64_t used = 0;
    int64_t bound_for = 0;  // the revision that it was made for

    bool MayGoTo(int64_t revision) const;
  };

  // The replica from which `from` is nearest.
  absl::StatusOr<Replica*> NearestTo(int64_t from);
  absl::StatusOr<Replica*> NewReplica(const Replica* nearest, int64_t from);
  Replica* Add(Replayer replayer);
  absl::Status CheckReached(const Replica& replica, int64_t revision) const;
  Derived Fill(Replica& replica, int64_t to, absl::Time end);

  storage::Store& store_;
  const MachineRunner& runner_;
  const std::string id_;
  std::list<Replica> replicas_;
  uint64_t uses_ = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_EVENT_LOG_H_

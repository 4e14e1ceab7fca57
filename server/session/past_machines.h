// Machines as they were: at any revision of any session, open or not.
#ifndef FAULTLINE_SERVER_SESSION_PAST_MACHINES_H_
#define FAULTLINE_SERVER_SESSION_PAST_MACHINES_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/limits.h"
#include "server/session/execute.h"
#include "server/session/replayer.h"
#include "server/session/session_types.h"
#include "storage/store.h"

namespace faultline {

// Thread-safe. It starts from the nearest snapshot before the revision, or from
// a machine that it made for another look if that is nearer, and replays the
// rest. The machines that were asked for last are kept, so that a step to a
// neighbouring revision is cheap in both directions.
class PastMachines {
 public:
  using View = std::shared_ptr<const MachineView>;

  // `store` and `runner` must outlive it.
  PastMachines(storage::Store& store, const MachineRunner& runner,
               size_t kept_max = limits::kPastMachinesMax)
      : store_(store), runner_(runner), kept_max_(kept_max) {}

  // On the calling thread, and as long as the replay takes. `field` is the one
  // that asked. NOT_FOUND; OUT_OF_RANGE when there is no such revision yet;
  // FAILED_PRECONDITION when the command of that revision broke the simulator;
  // DATA_LOSS; CANCELLED when `progress`, which may be empty, returns false.
  absl::StatusOr<View> At(absl::string_view id, int64_t revision,
                          absl::string_view field, const Progress& progress);

 private:
  // The machine that is kept of the session with the highest revision up to
  // `revision`; null: none.
  View FindKept(int64_t session_key, int64_t revision)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Keep(View view) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Replayer> StartNear(const SessionInfo& info, int64_t revision,
                                     const View& kept);

  storage::Store& store_;
  const MachineRunner& runner_;
  const size_t kept_max_;

  absl::Mutex mutex_;
  std::list<View> kept_ ABSL_GUARDED_BY(mutex_);  // used last: at the front
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_PAST_MACHINES_H_

// The snapshots that the server takes by itself, so that waking a session and
// looking at its past need no replay of everything.
#ifndef FAULTLINE_SERVER_SESSION_AUTOMATIC_SNAPSHOTS_H_
#define FAULTLINE_SERVER_SESSION_AUTOMATIC_SNAPSHOTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "server/limits.h"
#include "server/session/session_types.h"
#include "server/session/work_queue.h"
#include "storage/store.h"

namespace faultline {

// What a session did since its last snapshot. The counts belong to who has the
// session's turn.
struct SnapshotPace {
  int64_t commands = 0;
  int64_t bytes = 0;  // in the journal

  std::atomic<int64_t> machine_bytes{0};  // of the last snapshot; 0: not known
  std::atomic<bool> under_way{false};     // a snapshot is

  void Add(const storage::Entry& entry);
};

// Which automatic snapshots go when there are more than `keep_max`. The newest
// stays; those of another state version go first; of the others the one whose
// neighbours are nearest to each other (the oldest of such), so that they
// spread over the history and an old revision stays within reach. `snapshots`
// are in the order of their revisions.
std::vector<std::string> SnapshotsToDrop(
    absl::Span<const storage::SnapshotRecord> snapshots, int64_t state_version,
    size_t keep_max);

// Thread-safe. Saves copies of machines on a thread of its own. It never fails
// a command: a snapshot that cannot be taken is not taken.
class AutomaticSnapshots {
 public:
  struct Options {
    // A snapshot is due after so many commands, or bytes in the journal; more
    // for a large machine. 0: never because of these.
    int64_t commands = limits::kSnapshotCommands;
    int64_t bytes = limits::kSnapshotBytes;
  };

  // `store` must outlive it.
  AutomaticSnapshots(storage::Store& store, const Options& options)
      : store_(store), options_(options), saver_(1) {}
  // Gives up what is not saved yet.
  ~AutomaticSnapshots();

  // Whether one should be taken now, and one more copy may wait.
  bool Due(const SnapshotPace& pace) const;

  // To be called when one is due: begins a new count, and returns what takes
  // the copy of the machine, or the error in its place. That may be called on
  // any thread and does not block.
  Answer<std::shared_ptr<const MachineView>> Begin(
      std::string session, const std::shared_ptr<SnapshotPace>& pace);

 private:
  // One that is under way, from Begin on until it is saved or given up.
  class UnderWay;

  void Save(const std::string& session, const MachineView& view,
            SnapshotPace& pace);
  void Thin(const std::string& session);

  storage::Store& store_;
  const Options options_;
  // Shared: a request that was answered may outlive this.
  const std::shared_ptr<std::atomic<size_t>> waiting_ =
      std::make_shared<std::atomic<size_t>>(0);
  std::atomic<bool> stopping_{false};
  WorkQueue saver_;  // last: it uses all of the above
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_AUTOMATIC_SNAPSHOTS_H_

// Which sessions are in memory, and how many of them may have a machine.
#ifndef FAULTLINE_SERVER_SESSION_SESSION_MAP_H_
#define FAULTLINE_SERVER_SESSION_SESSION_MAP_H_

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "server/session/execute.h"
#include "server/session/outstanding.h"
#include "server/session/work_queue.h"
#include "storage/store.h"

namespace faultline {

class AutomaticSnapshots;
class Session;
class SessionMap;
class WatchTable;

// What a session lives in; outlives all of them.
struct SessionContext {
  storage::Store& store;
  const MachineRunner runner;
  SessionMap& sessions;
  Outstanding& outstanding;
  WorkQueue& workers;   // that execute
  WorkQueue& wakers;    // that rebuild
  WatchTable& watches;  // rung when a journal has grown
  AutomaticSnapshots& snapshots;
};

// The right to have a machine in memory.
class MachineSlot {
 public:
  explicit MachineSlot(std::atomic<size_t>& used) : used_(&used) {}
  MachineSlot(MachineSlot&& other) noexcept
      : used_(std::exchange(other.used_, nullptr)) {}
  MachineSlot& operator=(MachineSlot&&) = delete;
  ~MachineSlot() {
    if (used_ != nullptr) --*used_;
  }

 private:
  std::atomic<size_t>* used_;
};

// Thread-safe. In it are the sessions that have a machine or work to do, the
// one that was used last at the end. The others are in the store only.
class SessionMap {
 public:
  explicit SessionMap(size_t machines_max) : machines_max_(machines_max) {}

  std::shared_ptr<Session> FindOrMake(SessionContext& context,
                                      absl::string_view id)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Null when it is not in memory.
  std::shared_ptr<Session> Find(absl::string_view id)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets this session; its id may have another already.
  void Remove(const Session& session) ABSL_LOCKS_EXCLUDED(mutex_);
  void Clear() ABSL_LOCKS_EXCLUDED(mutex_);

  // Puts the idle session that was used longest ago to sleep if need be.
  // nullopt when all machines are busy.
  absl::optional<MachineSlot> AcquireSlot() ABSL_LOCKS_EXCLUDED(mutex_);

  size_t machines() const { return machines_; }
  size_t machines_max() const { return machines_max_; }

 private:
  using Order = std::list<std::shared_ptr<Session>>;

  bool TakeSlot();
  std::shared_ptr<Session> RetireOne() ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t machines_max_;
  std::atomic<size_t> machines_{0};

  absl::Mutex mutex_;
  Order order_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Order::iterator> by_id_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_SESSION_MAP_H_

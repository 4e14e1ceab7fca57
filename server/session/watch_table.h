// All who watch the sessions of a server.
#ifndef FAULTLINE_SERVER_SESSION_WATCH_TABLE_H_
#define FAULTLINE_SERVER_SESSION_WATCH_TABLE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/limits.h"
#include "server/session/event_log.h"
#include "server/session/execute.h"
#include "server/session/pacer.h"
#include "server/session/segment_cache.h"
#include "server/session/session_types.h"
#include "server/session/watch.h"
#include "server/session/work_queue.h"
#include "storage/store.h"

namespace faultline {

// Thread-safe. The journal is the only source: sessions ring when theirs has
// grown, and never wait for anything here.
//
// A watcher goes round: it waits for the journal to grow, it is ready, it gets
// a turn in which it is sent what it has not seen, it waits until that is on
// its way. One thread gives the turns, in the order of their coming and at a
// bounded pace (Pacer), so that a thousand watchers leave the machines their
// time. What is not in the cache is derived by another thread; the watcher is
// parked until it is there. Who does not read is in no queue and holds one
// message.
//
// The turns' thread alone reads segments and moves a watcher forward.
class WatchTable {
 public:
  struct Options {
    Pacer::Rates rates = {.turns_per_second = limits::kWatchTurnsPerSecond,
                          .bytes_per_second = limits::kWatchBytesPerSecond,
                          .turns_burst = limits::kWatchTurnsBurst};
    // A mark of progress comes this long after a message.
    absl::Duration mark_every = absl::Milliseconds(limits::kWatchMarkMillis);
    int64_t watchers_max = limits::kWatchersMax;
    size_t cache_bytes_max = limits::kWatchCacheBytesMax;
  };
  // Answers with a copy of a session's machine, or an error when it has none in
  // memory.
  using Look = std::function<void(
      absl::string_view id, Answer<std::shared_ptr<const MachineView>> answer)>;

  // `store` and `runner` must outlive it.
  WatchTable(storage::Store& store, const MachineRunner& runner, Look look,
             const Options& options);
  // Ends all watches. Nothing may ring any more.
  ~WatchTable();
  WatchTable(const WatchTable&) = delete;
  WatchTable& operator=(const WatchTable&) = delete;

  // A new watcher, which does nothing before Open.
  std::shared_ptr<Watcher> Make(absl::string_view id, WatchRequest request,
                                std::shared_ptr<WatchSink> sink);
  // Starts it; reads the store. NOT_FOUND and other errors go to its sink.
  void Open(const std::shared_ptr<Watcher>& watcher);

  // What the sessions ring. One load while nobody watches.
  //
  // All up to `revision` is durable.
  void Grew(absl::string_view id, int64_t revision) {
    if (watched_.load(std::memory_order_acquire) > 0) RingGrew(id, revision);
  }
  // It takes no command any more.
  void Ended(absl::string_view id) {
    if (watched_.load(std::memory_order_acquire) > 0) RingEnded(id);
  }
  // It is deleted.
  void Gone(absl::string_view id) {
    if (watched_.load(std::memory_order_acquire) > 0) RingGone(id);
  }

  // Sessions that are watched.
  size_t watched() const { return watched_; }

 private:
  class Place;  // a watcher
  using PlacePtr = std::shared_ptr<Place>;
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

  // A session that is watched.
  struct Watched {
    Watched(EventLog log, uint64_t number)
        : number(number), log(std::move(log)) {}

    const uint64_t number;         // never used twice
    EventLog log;                  // of whoever derives
    std::atomic<int64_t> head{0};  // the last durable revision
    // The first revision that somebody waits for; changed with mutex_ held.
    std::atomic<int64_t> wanted{kNone};

    // The rest is guarded by mutex_.
    enum class Asked : uint8_t { kNot, kAsking, kAnswered };
    Asked asked = Asked::kNot;                   // for a copy of its machine
    std::vector<PlacePtr> asking;                // who begins then
    std::shared_ptr<const MachineView> present;  // what came of it
    bool ended = false;
    bool gone = false;
    bool deriving = false;
    size_t watchers = 0;
    absl::flat_hash_set<PlacePtr> waiting;  // for the journal to grow
    absl::flat_hash_set<PlacePtr> parked;   // for what is being derived
  };
  using WatchedPtr = std::shared_ptr<Watched>;

  // Rings.
  void RingGrew(absl::string_view id, int64_t revision)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void RingEnded(absl::string_view id) ABSL_LOCKS_EXCLUDED(mutex_);
  void RingGone(absl::string_view id) ABSL_LOCKS_EXCLUDED(mutex_);
  WatchedPtr Find(absl::string_view id) ABSL_LOCKS_EXCLUDED(names_mutex_);

  // Opening.
  absl::Status Enter(const PlacePtr& place) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<WatchedPtr> FindOrMake(const std::string& id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AskAndBegin(const PlacePtr& place) ABSL_LOCKS_EXCLUDED(mutex_);
  void Answered(const WatchedPtr& watched,
                absl::StatusOr<std::shared_ptr<const MachineView>> view)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Begin(const PlacePtr& place, int64_t next) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckBegin(const Place& place, int64_t next) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void Forget(absl::string_view id, const WatchedPtr& watched)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Going round.
  void Sent(const PlacePtr& place) ABSL_LOCKS_EXCLUDED(mutex_);
  void MakeReady(const PlacePtr& place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasSomething(const Place& place) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void WakeWaiting(Watched& watched) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wait(const PlacePtr& place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Park(const PlacePtr& place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const PlacePtr& place, absl::Status status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<WatchSink> Leave(const PlacePtr& place)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The turns' thread.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  PlacePtr Next() ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Time NextAlarm() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void TakeMarks(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Turn(const PlacePtr& place) ABSL_LOCKS_EXCLUDED(mutex_);
  // What the watcher is to see next, as far as it is there.
  std::vector<std::shared_ptr<EventSegment>> Collect(Place& place, int64_t last)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Advance(const PlacePtr& place,
               const std::vector<std::shared_ptr<EventSegment>>& segments,
               int64_t last) ABSL_LOCKS_EXCLUDED(mutex_);
  void Send(const PlacePtr& place, std::vector<SharedBytes> parts)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Mark(const PlacePtr& place) ABSL_LOCKS_EXCLUDED(mutex_);

  // The deriver's thread.
  void Derive(const WatchedPtr& watched) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::optional<int64_t> FirstParked(const Watched& watched) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::vector<PlacePtr> Give(Watched& watched, int64_t from,
                             const EventLog::Derived& derived)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  storage::Store& store_;
  const MachineRunner& runner_;
  const Look look_;
  const Options options_;
  std::atomic<size_t> watched_{0};

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t numbers_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t watchers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<WatchedPtr> rung_ ABSL_GUARDED_BY(mutex_);
  std::deque<PlacePtr> ready_ ABSL_GUARDED_BY(mutex_);
  std::list<PlacePtr> marks_ ABSL_GUARDED_BY(mutex_);  // the oldest first
  SegmentCache cache_ ABSL_GUARDED_BY(mutex_);
  Pacer pacer_ ABSL_GUARDED_BY(mutex_);
  bool resting_ ABSL_GUARDED_BY(mutex_) = false;  // until the pacer allows more
  absl::Time alarm_ ABSL_GUARDED_BY(mutex_);  // until when it waits, at most

  // Of its own, so that a ring waits for nobody's turn.
  absl::Mutex names_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  absl::flat_hash_map<std::string, WatchedPtr> by_id_
      ABSL_GUARDED_BY(names_mutex_);

  WorkQueue deriver_;
  std::thread turns_;  // last: it uses all of the above
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_WATCH_TABLE_H_

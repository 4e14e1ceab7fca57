// Ends what would keep a server from stopping: streams that a client may hold
// open for ever.
#ifndef FAULTLINE_SERVER_SERVICE_DRAIN_H_
#define FAULTLINE_SERVER_SERVICE_DRAIN_H_

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"

namespace faultline {

// Something that should come to an end when the server stops.
class Drainable {
 public:
  virtual ~Drainable() = default;
  // Finish what was accepted, accept nothing more. Called at most once, maybe
  // from within Add. Must call neither Add nor Remove.
  virtual void Drain() = 0;
};

// Thread-safe.
class DrainList {
 public:
  // From now on until Remove. Drains it at once when the server stops already.
  void Add(Drainable* one) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(Drainable* one) ABSL_LOCKS_EXCLUDED(mutex_);

  // Drains all, those that come later too.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  bool started() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<Drainable*> all_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_DRAIN_H_

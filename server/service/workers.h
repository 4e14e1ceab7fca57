// Threads for work that takes long: gRPC has few threads of its own, and one
// that replays a session answers nobody else.
#ifndef FAULTLINE_SERVER_SERVICE_WORKERS_H_
#define FAULTLINE_SERVER_SERVICE_WORKERS_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace faultline {

// Thread-safe. The destructor finishes what was accepted.
class Workers {
 public:
  Workers(size_t threads, size_t queue_max);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Runs `work` on one of the threads. False, and nothing happens, when
  // `queue_max` works wait already.
  [[nodiscard]] bool Submit(std::function<void()> work)
      ABSL_LOCKS_EXCLUDED(mutex_);
  size_t queue_max() const { return queue_max_; }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queue_.empty();
  }

  const size_t queue_max_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_WORKERS_H_

// Threads that execute and rebuild machines, so that no caller has to.
#ifndef FAULTLINE_SERVER_SESSION_WORK_QUEUE_H_
#define FAULTLINE_SERVER_SESSION_WORK_QUEUE_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace faultline {

// Thread-safe. Without a bound of its own: a session is in it once at most, and
// bounds what waits for it. The destructor finishes what was submitted.
class WorkQueue {
 public:
  explicit WorkQueue(int threads);
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Runs `work` on one of the threads, in the order of submission.
  void Submit(std::function<void()> work) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Ready() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queue_.empty();
  }

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_WORK_QUEUE_H_

// Counts what must end before its owner may go.
#ifndef FAULTLINE_SERVER_SESSION_OUTSTANDING_H_
#define FAULTLINE_SERVER_SESSION_OUTSTANDING_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace faultline {

// Thread-safe.
class Outstanding {
 public:
  // One thing that has not ended yet.
  class Token {
   public:
    explicit Token(Outstanding& owner) : owner_(owner) {
      absl::MutexLock lock(&owner_.mutex_);
      ++owner_.count_;
    }
    ~Token() {
      absl::MutexLock lock(&owner_.mutex_);
      --owner_.count_;
    }
    Token(const Token&) = delete;
    Token& operator=(const Token&) = delete;

   private:
    Outstanding& owner_;
  };

  // Blocks until there is no token.
  void AwaitNone() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int64_t* count) { return *count == 0; }, &count_));
  }

 private:
  absl::Mutex mutex_;
  int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_OUTSTANDING_H_

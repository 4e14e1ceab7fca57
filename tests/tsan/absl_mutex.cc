// Tells ThreadSanitizer about absl::Mutex.
//
// Debian's Abseil is built without ThreadSanitizer, so that what happens in an
// absl::Mutex is invisible, and everything that one protects looks like a race.
// The preset `tsan` links this file into each program: it takes the place of
// the public methods of Mutex, CondVar and Notification, tells the sanitizer
// which lock is taken and given back, and calls the library's own method.
//
// The names of the library's methods hold Debian's version of the ABI; the
// program stops with a message when they are not found.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);

namespace {

void* Find(const char* symbol) {
  void* found = dlsym(RTLD_NEXT, symbol);
  if (found == nullptr) {
    std::fprintf(stderr, "tests/tsan/absl_mutex.cc: Abseil has no %s\n",
                 symbol);
    std::abort();
  }
  return found;
}

// Calls the library's own `symbol`, a method of `self`.
#define CALL(result, symbol, self, parameters, ...)           \
  [&] {                                                       \
    static auto* const real =                                 \
        reinterpret_cast<result(*) parameters>(Find(symbol)); \
    return real(self, ##__VA_ARGS__);                         \
  }()

#define ABSL "_ZN4absl7debian3"
#define ABSL_CONST "_ZNK4absl7debian3"

constexpr unsigned kShared = __tsan_mutex_read_lock;
constexpr unsigned kTry = __tsan_mutex_try_lock;

// A lock is being taken for as long as one of these lives.
class Taking {
 public:
  Taking(void* mutex, unsigned flags) : mutex_(mutex), flags_(flags) {
    __tsan_mutex_pre_lock(mutex_, flags_);
  }
  Taking(const Taking&) = delete;
  ~Taking() { __tsan_mutex_post_lock(mutex_, flags_, 0); }

  // What a TryLock() answered.
  bool Got(bool got) {
    if (!got) flags_ |= __tsan_mutex_try_lock_failed;
    return got;
  }

 private:
  void* mutex_;
  unsigned flags_;
};

// A lock is being given back for as long as one of these lives.
class Giving {
 public:
  explicit Giving(void* mutex, unsigned flags = 0)
      : mutex_(mutex), flags_(flags) {
    __tsan_mutex_pre_unlock(mutex_, flags_);
  }
  Giving(const Giving&) = delete;
  ~Giving() { __tsan_mutex_post_unlock(mutex_, flags_); }

 private:
  void* mutex_;
  unsigned flags_;
};

// A wait gives the lock back, and has it again when it ends.
class Waiting {
 public:
  explicit Waiting(void* mutex) : mutex_(mutex) { Giving giving(mutex_); }
  Waiting(const Waiting&) = delete;
  ~Waiting() { Taking taking(mutex_, 0); }

 private:
  void* mutex_;
};

}  // namespace

namespace absl {

Mutex::~Mutex() {
  __tsan_mutex_destroy(this, 0);
  CALL(void, ABSL "5MutexD1Ev", this, (Mutex*));
}

void Mutex::Lock() {
  Taking taking(this, 0);
  CALL(void, ABSL "5Mutex4LockEv", this, (Mutex*));
}

void Mutex::Unlock() {
  Giving giving(this);
  CALL(void, ABSL "5Mutex6UnlockEv", this, (Mutex*));
}

bool Mutex::TryLock() {
  Taking taking(this, kTry);
  return taking.Got(CALL(bool, ABSL "5Mutex7TryLockEv", this, (Mutex*)));
}

void Mutex::ReaderLock() {
  Taking taking(this, kShared);
  CALL(void, ABSL "5Mutex10ReaderLockEv", this, (Mutex*));
}

void Mutex::ReaderUnlock() {
  Giving giving(this, kShared);
  CALL(void, ABSL "5Mutex12ReaderUnlockEv", this, (Mutex*));
}

bool Mutex::ReaderTryLock() {
  Taking taking(this, kShared | kTry);
  return taking.Got(CALL(bool, ABSL "5Mutex13ReaderTryLockEv", this, (Mutex*)));
}

void Mutex::LockWhen(const Condition& condition) {
  Taking taking(this, 0);
  CALL(void, ABSL "5Mutex8LockWhenERKNS0_9ConditionE", this,
       (Mutex*, const Condition&), condition);
}

// In the library WithTimeout may call WithDeadline, which would be a second
// lock to the sanitizer; here it always does, and only that one speaks.
bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  return LockWhenWithDeadline(condition, Now() + timeout);
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  Taking taking(this, 0);
  return CALL(bool,
              ABSL "5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE",
              this, (Mutex*, const Condition&, Time), condition, deadline);
}

void Mutex::Await(const Condition& condition) {
  Waiting waiting(this);
  CALL(void, ABSL "5Mutex5AwaitERKNS0_9ConditionE", this,
       (Mutex*, const Condition&), condition);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  return AwaitWithDeadline(condition, Now() + timeout);
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  Waiting waiting(this);
  return CALL(bool,
              ABSL "5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE",
              this, (Mutex*, const Condition&, Time), condition, deadline);
}

// The thread that unlocks looks at the conditions of those who wait while the
// library still holds the lock for it, but the sanitizer thinks it given back.
bool Condition::Eval() const {
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  const bool met =
      CALL(bool, ABSL_CONST "9Condition4EvalEv", this, (const Condition*));
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  return met;
}

void CondVar::Wait(Mutex* mutex) {
  Waiting waiting(mutex);
  CALL(void, ABSL "7CondVar4WaitEPNS0_5MutexE", this, (CondVar*, Mutex*),
       mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  return WaitWithDeadline(mutex, Now() + timeout);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  Waiting waiting(mutex);
  return CALL(bool, ABSL "7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE",
              this, (CondVar*, Mutex*, Time), mutex, deadline);
}

void Notification::Notify() {
  __tsan_release(this);
  CALL(void, ABSL "12Notification6NotifyEv", this, (Notification*));
}

void Notification::WaitForNotification() const {
  CALL(void, ABSL_CONST "12Notification19WaitForNotificationEv", this,
       (const Notification*));
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  const bool notified =
      CALL(bool,
           ABSL_CONST
           "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE",
           this, (const Notification*, Duration), timeout);
  __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

}  // namespace absl

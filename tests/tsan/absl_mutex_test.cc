// ThreadSanitizer knows what an absl::Mutex protects, and still sees a race.

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace {

constexpr int kRounds = 2000;

// Runs `body(i)` in `count` threads and waits for them.
template <class Body>
void InThreads(int count, Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

// A report ends the process with status 66, so that each test below fails by
// not ending well if the sanitizer calls its access a race.

TEST(AbslMutex, ProtectsWhatItGuards) {
  absl::Mutex mutex;
  int sum = 0;
  InThreads(4, [&](int) {
    for (int i = 0; i < kRounds; ++i) {
      absl::MutexLock lock(&mutex);
      ++sum;
    }
  });
  EXPECT_EQ(sum, 4 * kRounds);
}

TEST(AbslMutex, ReadersAndTriesAreOrderedToo) {
  absl::Mutex mutex;
  int value = 0;
  InThreads(4, [&](int thread) {
    for (int i = 0; i < kRounds; ++i) {
      if (thread == 0 && mutex.TryLock()) {
        ++value;
        mutex.Unlock();
      } else {
        absl::ReaderMutexLock lock(&mutex);
        EXPECT_GE(value, 0);
      }
    }
  });
}

TEST(AbslMutex, AwaitGivesTheLockAwayAndTakesItBack) {
  absl::Mutex mutex;
  int turn = 0;
  InThreads(2, [&](int me) {
    for (int i = 0; i < kRounds; ++i) {
      absl::MutexLock lock(&mutex);
      auto mine = [&] { return turn % 2 == me; };
      mutex.Await(absl::Condition(&mine));
      ++turn;
    }
  });
  EXPECT_EQ(turn, 2 * kRounds);
}

TEST(AbslMutex, ACondVarGivesTheLockAwayAndTakesItBack) {
  absl::Mutex mutex;
  absl::CondVar changed;
  int turn = 0;
  InThreads(2, [&](int me) {
    for (int i = 0; i < kRounds; ++i) {
      absl::MutexLock lock(&mutex);
      while (turn % 2 != me) changed.WaitWithTimeout(&mutex, absl::Seconds(9));
      ++turn;
      changed.SignalAll();
    }
  });
  EXPECT_EQ(turn, 2 * kRounds);
}

TEST(AbslMutex, ANotificationOrdersWhatCameBefore) {
  for (int i = 0; i < 100; ++i) {
    absl::Notification done;
    int value = 0;
    std::thread writer([&] {
      value = 1;
      done.Notify();
    });
    done.WaitForNotification();
    EXPECT_EQ(value, 1);
    writer.join();
  }
}

TEST(AbslMutexDeathTest, ARaceIsStillSeen) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        int value = 0;
        absl::Mutex one;
        absl::Mutex other;
        InThreads(2, [&](int me) {
          for (int i = 0; i < kRounds; ++i) {
            absl::MutexLock lock(me == 0 ? &one : &other);
            ++value;
          }
        });
        std::exit(0);
      },
      testing::ExitedWithCode(66), "data race");
}

}  // namespace

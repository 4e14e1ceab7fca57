#include "server/service/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "absl/synchronization/notification.h"

namespace faultline {
namespace {

TEST(Workers, FinishWhatTheyAcceptedAndRefuseMoreThanTheyMayHold) {
  std::atomic<int> done{0};
  absl::Notification started;
  absl::Notification go_on;
  auto workers = std::make_unique<Workers>(1, 2);
  ASSERT_TRUE(workers->Submit([&] {
    started.Notify();
    go_on.WaitForNotification();
    ++done;
  }));
  started.WaitForNotification();
  EXPECT_TRUE(workers->Submit([&] { ++done; }));
  EXPECT_TRUE(workers->Submit([&] { ++done; }));
  EXPECT_FALSE(workers->Submit([&] { ++done; })) << "two wait already";
  go_on.Notify();
  workers.reset();
  EXPECT_EQ(done, 3);
}

TEST(Workers, RunAsManyAtATimeAsThereAreThreads) {
  absl::Notification first;
  Workers workers(2, 2);
  absl::Notification done;
  ASSERT_TRUE(workers.Submit([&] {
    first.WaitForNotification();
    done.Notify();
  }));
  ASSERT_TRUE(workers.Submit([&] { first.Notify(); }));
  done.WaitForNotification();
}

}  // namespace
}  // namespace faultline

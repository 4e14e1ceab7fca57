// Many at the same time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "tests/gradebook/gradebook_testing.h"

namespace faultline::testing {
namespace {

constexpr int kThreads = 8;

class ThreadsTest : public GradebookTest {
 protected:
  // Runs `body(i)` on a thread of its own each.
  template <class Body>
  static void Together(Body body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back([=] { body(i); });
    for (std::thread& thread : threads) thread.join();
  }
};

TEST_F(ThreadsTest, AStudentNeverGetsMoreAttemptsThanThereAre) {
  for (const std::string& yaml : {GuessYaml(3), TouchYaml(3)}) {
    const std::string exercise = Add(yaml).name().substr(10);
    absl::Mutex mutex;
    std::set<std::string> names, sessions;
    std::set<int> numbers;
    std::multiset<std::string> reasons;
    Together([&](int) {
      const auto started = TryStart(exercise, "ada");
      absl::MutexLock lock(&mutex);
      if (!started.ok()) {
        reasons.insert(Reason(started));
        return;
      }
      names.insert(started->name());
      sessions.insert(started->session());
      numbers.insert(started->number());
    });
    EXPECT_THAT(numbers, ::testing::ElementsAre(1, 2, 3));
    EXPECT_EQ(names.size(), 3);
    EXPECT_EQ(sessions.size(), exercise == "touch" ? 3 : 1);
    EXPECT_EQ(reasons.count("ATTEMPTS_USED"), kThreads - 3);
  }
  EXPECT_EQ(table().List("", 100)->size(), 3) << "and no session is left over";
}

TEST_F(ThreadsTest, OneRequestIdStartsOneAttempt) {
  Add(TouchYaml(5));
  absl::Mutex mutex;
  std::set<std::string> names;
  Together([&](int) {
    const v1::Attempt attempt = Start("touch", "ada", "r1");
    absl::MutexLock lock(&mutex);
    names.insert(attempt.name());
  });
  EXPECT_EQ(names.size(), 1);
  EXPECT_EQ(Start("touch", "ada").number(), 2);
  EXPECT_EQ(table().List("", 100)->size(), 2);
}

TEST_F(ThreadsTest, OneRequestIdGivesOneGrade) {
  Add(GuessYaml());
  const v1::Attempt attempt = Start("guess");
  Answer(attempt, {{"n", "1"}});
  absl::Mutex mutex;
  std::set<std::string> names;
  Together([&](int) {
    const v1::Grade grade = Grade(attempt, "g1");
    absl::MutexLock lock(&mutex);
    names.insert(grade.name());
  });
  EXPECT_EQ(names.size(), 1);
  EXPECT_EQ(List("guess").size(), 1);
}

TEST_F(ThreadsTest, AClassBeginsWorksAndIsGradedWhileTheExerciseIsReplaced) {
  Add(TouchYaml());
  Together([&](int i) {
    if (i == 0) {
      for (int n = 0; n < 5; ++n) Add(TouchYaml(), Gradebook::Replace::kYes);
      return;
    }
    for (int n = 0; n < 5; ++n) {
      const v1::Attempt attempt =
          Start("touch", absl::StrCat("student-", i, "-", n));
      Touch(attempt, 6);
      HandIn(attempt);
      EXPECT_EQ(Grade(attempt, "", "sesame").report().score(), 4);
    }
  });
  EXPECT_EQ(List("touch").size(), 5 * (kThreads - 1));
}

}  // namespace
}  // namespace faultline::testing

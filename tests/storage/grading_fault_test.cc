// Exercises, attempts and grades on a disk that fails and in a server that is
// killed: what was acknowledged is there, whole, and nothing but it.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "tests/storage/fault_vfs.h"
#include "tests/storage/grading_testing.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

std::string AttemptId(int64_t number) { return absl::StrCat("ada-", number); }

// Each attempt takes three writes: it is started, handed in, graded. How far
// `number` is, from 0 to 3; fails when it is not as it was written, or in a
// state between.
int64_t StepsOf(Store& store, int64_t number) {
  const auto attempt = store.GetAttempt("ex", AttemptId(number));
  if (absl::IsNotFound(attempt.status())) return 0;
  EXPECT_TRUE(attempt.ok()) << attempt.status();
  if (!attempt.ok()) return -1;
  AttemptRecord expected = MakeAttempt("ex", "ada", number);
  if (attempt->submissions > 0) expected.submission = AttemptId(number);
  expected.submissions = attempt->submissions;
  expected.grades = attempt->grades;
  EXPECT_EQ(*attempt, expected);
  EXPECT_LE(attempt->submissions, 1);
  EXPECT_LE(attempt->grades, attempt->submissions);
  const auto grade = store.GetGrade("ex", AttemptId(number), "g");
  EXPECT_EQ(grade.ok(), attempt->grades == 1) << grade.status();
  if (grade.ok()) {
    EXPECT_EQ(grade->report, MakeGrade("ex", AttemptId(number), "g").report);
  }
  return 1 + attempt->submissions + attempt->grades;
}

// Takes the step after `step`, which counts from 0 over all attempts.
absl::Status TakeStep(Store& store, int64_t step) {
  const int64_t number = step / 3 + 1;
  switch (step % 3) {
    case 0:
      return Start(store, MakeAttempt("ex", "ada", number));
    case 1:
      return HandIn(store, "ex", AttemptId(number), AttemptId(number));
    default:
      return Give(store, MakeGrade("ex", AttemptId(number), "g"));
  }
}

// All steps that are in the store.
int64_t CountSteps(Store& store) {
  const auto attempts = store.CountAttempts("ex", "ada");
  EXPECT_TRUE(attempts.ok()) << attempts.status();
  int64_t steps = 0;
  for (int64_t number = 1; number <= attempts.value_or(0); ++number) {
    const int64_t of_this = StepsOf(store, number);
    if (number < *attempts) {
      EXPECT_EQ(of_this, 3);
    }
    steps += of_this;
  }
  EXPECT_EQ(StepsOf(store, *attempts + 1), 0);
  return steps;
}

// --- A disk that fails.

constexpr int64_t kSteps = 7;

bool IsDiskTrouble(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "DISK_FULL" || reason == "DISK_ERROR";
}

// Takes kSteps steps, then replaces exercise "ex" and deletes exercise "gone"
// with its attempt. How many of the nine writes were acknowledged, up to the
// first that was not.
int64_t Work(const Store::Options& options) {
  auto store = Store::Open(options);
  if (!store.ok()) {
    EXPECT_TRUE(IsDiskTrouble(store.status())) << store.status();
    return 0;
  }
  for (int64_t done = 0; done < kSteps + 2; ++done) {
    const absl::Status status =
        done < kSteps ? TakeStep(**store, done)
        : done == kSteps
            ? Put(**store, MakeExercise("ex", " new"), Replace::kYes)
            : RemoveExercise(**store, "gone", Force::kYes);
    EXPECT_TRUE(status.ok() || IsDiskTrouble(status)) << status;
    if (!status.ok()) return done;
  }
  return kSteps + 2;
}

// As many writes as were acknowledged are there, at most one more.
void ExpectWhole(const TempDirectory& directory, int64_t acknowledged) {
  Store::Options options;
  options.path = directory.data();
  auto store = MustOpen(options);
  int64_t there = CountSteps(*store);
  const auto exercise = store->GetExercise("ex");
  ASSERT_TRUE(exercise.ok()) << exercise.status();
  if (exercise->body == MakeExercise("ex", " new").body) ++there;
  if (!store->GetExercise("gone").ok()) {
    ++there;
    Purge(*store, 10);
    EXPECT_EQ(QueryOn(directory.database(),
                      "SELECT count(*) FROM attempts WHERE student = 'eve'"),
              0);
    EXPECT_EQ(
        QueryOn(directory.database(), "SELECT count(*) FROM exercise_purges"),
        0);
  } else {
    EXPECT_TRUE(store->GetAttempt("gone", "eve-1").ok());
  }
  EXPECT_GE(there, acknowledged);
  EXPECT_LE(there, acknowledged + 1);
}

using Disk = std::tuple<FaultVfs::Fault, FaultVfs::Times>;

std::string DiskName(const testing::TestParamInfo<Disk>& row) {
  const auto [fault, times] = row.param;
  return absl::StrCat(fault == FaultVfs::Fault::kDiskFull ? "Full" : "Broken",
                      times == FaultVfs::Times::kOnce ? "Once" : "ForGood");
}

class GradingFaultTest : public testing::TestWithParam<Disk> {};

INSTANTIATE_TEST_SUITE_P(
    Disks, GradingFaultTest,
    testing::Combine(
        testing::Values(FaultVfs::Fault::kDiskFull, FaultVfs::Fault::kIoError),
        testing::Values(FaultVfs::Times::kOnce, FaultVfs::Times::kForever)),
    DiskName);

TEST_P(GradingFaultTest, LosesNothingWhicheverChangeFails) {
  const auto [fault, times] = GetParam();
  FaultVfs vfs;
  int64_t nth = 0;
  bool failed = true;
  while (failed) {
    SCOPED_TRACE(absl::StrCat("change ", ++nth));
    ASSERT_LT(nth, 1000);
    TempDirectory directory;
    Store::Options options;
    options.path = directory.data();
    {
      auto store = MustOpen(options);
      ASSERT_TRUE(Put(*store, MakeExercise("ex")).ok());
      ASSERT_TRUE(Put(*store, MakeExercise("gone")).ok());
      ASSERT_TRUE(Start(*store, MakeAttempt("gone", "eve", 1)).ok());
    }
    options.vfs = vfs.name();
    vfs.FailChange(nth, fault, times);
    const int64_t acknowledged = Work(options);
    failed = vfs.failed();
    vfs.Heal();
    if (!failed) {
      EXPECT_EQ(acknowledged, kSteps + 2);
    }
    ExpectWhole(directory, acknowledged);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(nth, 15) << "the faults were not where the writes are";
}

// --- A server that is killed.

// Takes one step after the other until it is killed; writes the number of steps
// into the pipe after each that was acknowledged.
[[noreturn]] void GradeForever(const std::string& path, int pipe) {
  Store::Options options;
  options.path = path;
  auto store = MustOpen(options);
  for (int64_t step = CountSteps(*store);; ++step) {
    const int64_t steps = step + 1;
    if (!TakeStep(*store, step).ok() ||
        write(pipe, &steps, sizeof steps) != sizeof steps) {
      _exit(1);
    }
  }
}

// The steps that were acknowledged when it died.
void GradeAndKill(const std::string& path, int acknowledgements_min,
                  int64_t& steps) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    GradeForever(path, ends[1]);
  }
  close(ends[1]);
  bool killed = false;
  for (int count = 0; read(ends[0], &steps, sizeof steps) == sizeof steps;
       ++count) {
    // The rest of the pipe was acknowledged, too.
    if (count == acknowledgements_min) killed = kill(child, SIGKILL) == 0;
  }
  close(ends[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(killed);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(GradingCrashTest, NoAcknowledgedAttemptOrGradeIsLost) {
  TempDirectory directory;
  Store::Options options;
  options.path = directory.data();
  ASSERT_TRUE(Put(*MustOpen(options), MakeExercise("ex")).ok());
  std::mt19937 random(20261129);
  int64_t acknowledged = 0;
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round));
    GradeAndKill(directory.data(), static_cast<int>(random() % 100),
                 acknowledged);
    if (HasFatalFailure()) return;
    auto store = MustOpen(options);
    const int64_t there = CountSteps(*store);
    EXPECT_GE(there, acknowledged);
    // One step at a time is under way.
    EXPECT_LE(there, acknowledged + 1);
  }
}

}  // namespace
}  // namespace faultline::storage

#include "client/cli/session_tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/client/cli/recorded_machine.h"

namespace faultline::cli {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;
using C = ChangeClass;

std::vector<ChangeClass> ClassesOf(const std::string& scenario) {
  RecordedMachine machine(scenario);
  std::vector<ChangeClass> classes;
  for (const v1::Change& change : machine.changes()) {
    classes.push_back(ClassOf(change));
  }
  return classes;
}

SessionTally TallyOf(const std::string& scenario) {
  RecordedMachine machine(scenario);
  SessionTally tally;
  for (const v1::Change& change : machine.changes()) tally.Add(change);
  return tally;
}

TEST(SessionTallyTest, ACommandIsOfTheClassThatTellsMost) {
  EXPECT_THAT(ClassesOf("a: mmap 0 4p rw- PRIVATE|ANON\n"
                        "read $a\n"
                        "write $a+1p 1\n"
                        "write $a 1\n"
                        "fork\n"
                        "@1 write $a+1p 2\n"
                        "@0 munmap $a 4p\n"
                        "read $a\n"
                        "mmap 0 0 r-- PRIVATE|ANON\n"
                        "@1 exit\n"
                        "@0 brk 0\n"),
              ElementsAre(C::kOther, C::kZeroPage, C::kMinor, C::kCopyOnWrite,
                          C::kProcess, C::kCopyOnWrite, C::kOther, C::kSignal,
                          C::kRefused, C::kProcess, C::kOther));
}

TEST(SessionTallyTest, AFaultThatWaitsForADiskIsMajor) {
  v1::Change change;
  change.mutable_command()->mutable_access();
  change.mutable_outcome()->set_maj_flt(1);
  EXPECT_EQ(ClassOf(change), C::kMajor);
  change.add_events()->mutable_fault_resolved()->set_major(true);
  EXPECT_EQ(ClassOf(change), C::kMajor);
}

TEST(SessionTallyTest, MemoryThatRunsOutIsNoKill) {
  const auto classes = ClassesOf(
      "boot ram=64m\n"
      "a: mmap 0 256m rw- PRIVATE|ANON|NORESERVE\n"
      "writer $a 65536\n");
  ASSERT_FALSE(classes.empty());
  EXPECT_EQ(classes.back(), C::kOutOfMemory);
  RecordedMachine machine("fork\n");
  v1::Command command;
  command.set_pid(1);
  command.mutable_kill()->set_target(2);
  command.mutable_kill()->set_signal(9);
  EXPECT_EQ(ClassOf(machine.Apply(command)), C::kProcess);
}

TEST(SessionTallyTest, FaultsAreCountedWithoutTheirEvents) {
  v1::Change change;
  change.mutable_outcome()->set_min_flt(3);
  EXPECT_EQ(ClassOf(change), C::kMinor);
  v1::Change broken;
  broken.mutable_command()->mutable_fork();
  EXPECT_EQ(ClassOf(broken), C::kBroken);
}

TEST(SessionTallyTest, SumsUpASession) {
  const SessionTally tally = TallyOf(
      "a: mmap 0 4p rw- PRIVATE|ANON\n"
      "read $a\n"
      "write $a+1p 1\n"
      "write $a 1\n"
      "munmap $a 4p\n"
      "read $a\n"
      "mmap 0 0 r-- PRIVATE|ANON\n");
  EXPECT_EQ(tally.minor_faults(), 3u);
  EXPECT_EQ(tally.major_faults(), 0u);
  EXPECT_GT(tally.cost_ns(), 0u);
  EXPECT_THAT(
      tally.resolutions(),
      UnorderedElementsAre(Pair(v1::FAULT_RESOLUTION_ANON_ZERO_PAGE, 1),
                           Pair(v1::FAULT_RESOLUTION_ANON_PAGE, 1),
                           Pair(v1::FAULT_RESOLUTION_COW_ZERO_PAGE, 1)));
  EXPECT_THAT(tally.signals(), ElementsAre(Pair(11, 1)));
  EXPECT_THAT(tally.errors(), ElementsAre(Pair(v1::ERRNO_EINVAL, 1)));
}

TEST(SessionTallyTest, KnowsWhoMayStillBeThere) {
  RecordedMachine machine("fork\nfork\nfork\n@1 exit\n@2 exit\n@3 brk 0\n");
  v1::Command wait;
  wait.set_pid(1);
  wait.mutable_wait()->set_pid(2);
  machine.Apply(wait);
  SessionTally tally;
  for (const v1::Change& change : machine.changes()) tally.Add(change);
  EXPECT_THAT(tally.PidsLeft(), ElementsAre(1, 3, 4))
      << "2 was waited for, 3 is a zombie";
  ASSERT_NE(tally.EndOf(2), nullptr);
  EXPECT_EQ(tally.EndOf(2)->revision, 4);
  EXPECT_EQ(tally.EndOf(4), nullptr);
}

}  // namespace
}  // namespace faultline::cli

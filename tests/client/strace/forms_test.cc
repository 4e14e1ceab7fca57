// Real output of strace 6.1 with its various options: every line is used.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "tests/client/strace/describe.h"

namespace faultline::strace {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

Reading ReadForm(const std::string& name) {
  Reading reading = ReadFile(TracesDirectory() / "forms" / (name + ".txt"));
  EXPECT_EQ(reading.totals.skipped, 0) << name;
  EXPECT_THAT(Describe(reading.diagnostics), IsEmpty()) << name;
  EXPECT_TRUE(reading.verdict.usable()) << name;
  EXPECT_EQ(reading.totals.unfinished, 0) << name;
  return reading;
}

// The last `count` records that are not about libraries being loaded.
std::vector<std::string> Tail(const Reading& reading, size_t count) {
  std::vector<std::string> lines = Describe(reading.records);
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - count);
  return lines;
}

TEST(FormsTest, ExecByAThread) {
  for (const char* name : {"exec-by-thread", "stderr-exec-by-thread"}) {
    const Reading reading = ReadForm(name);
    const auto at = std::find_if(
        reading.records.begin(), reading.records.end(), [](const Record& r) {
          return std::holds_alternative<Superseded>(r.event);
        });
    ASSERT_NE(at, reading.records.end()) << name;
    // The execve that began in the thread completes in the leader.
    const auto& next = *(at + 1);
    EXPECT_EQ(next.pid, at->pid);
    const auto* call = std::get_if<Syscall>(&next.event);
    ASSERT_NE(call, nullptr);
    EXPECT_EQ(std::get<Execve>(call->call).path, "/bin/true");
    EXPECT_EQ(reading.totals.tasks, 2);
    EXPECT_THAT(Tail(reading, 1), Contains(::testing::EndsWith(" exited 0")));
  }
}

TEST(FormsTest, RawFlagsAndAllTimes) {
  const Reading reading = ReadForm("raw-flags-all-times");
  for (const Record& record : reading.records) {
    ASSERT_TRUE(record.time.has_value());
    EXPECT_EQ(record.time->kind, Timestamp::Kind::kEpoch);
    if (const auto* call = std::get_if<Syscall>(&record.event)) {
      EXPECT_TRUE(call->duration_ns.has_value());
      if (const auto* mmap = std::get_if<Mmap>(&call->call)) {
        EXPECT_NE(mmap->flags, 0U);
      }
    }
  }
  EXPECT_THAT(Tail(reading, 2), ElementsAre(StartsWith("0 SIGSEGV 0x2 0x7f"),
                                            "0 killed SIGSEGV"));
}

TEST(FormsTest, VerboseFlagsPathsAndCommandNames) {
  const Reading reading = ReadForm("stderr-vfork-verbose");
  EXPECT_THAT(Describe(reading.records), Contains(StartsWith("0 vfork = ")));
  EXPECT_THAT(Tail(reading, 2), ElementsAre("0 exit_group = ?", "0 exited 3"));
  EXPECT_EQ(reading.totals.tasks, 2);
}

TEST(FormsTest, AThreadOnStderr) {
  const Reading reading = ReadForm("stderr-thread");
  EXPECT_EQ(reading.totals.tasks, 2);
  EXPECT_EQ(reading.totals.typed_calls, reading.totals.syscalls);
}

TEST(FormsTest, InstructionPointersAndCallNumbers) {
  const Reading reading = ReadForm("pointers-and-numbers");
  EXPECT_THAT(
      Tail(reading, 6),
      ElementsAre("0 mmap = ENOMEM", Not(IsEmpty()), "0 madvise = EINVAL",
                  "0 personality = 0", "0 exit_group = ?", "0 exited 3"));
}

TEST(FormsTest, HexStrings) {
  const Reading reading = ReadForm("hex-strings");
  const auto& first = std::get<Syscall>(reading.records.front().event);
  const auto& execve = std::get<Execve>(first.call);
  EXPECT_EQ(execve.path, "./demo");
  EXPECT_TRUE(execve.argv_cut);
  EXPECT_EQ(execve.env_count, 5U);
}

TEST(FormsTest, AFilterThatHidesTheForkIsNamed) {
  const Reading reading = ReadFile(TracesDirectory() / "forms/one-path.txt");
  EXPECT_EQ(reading.totals.skipped, 0);
  EXPECT_EQ(reading.totals.notes, 1);
  EXPECT_TRUE(reading.verdict.usable());
}

}  // namespace
}  // namespace faultline::strace

// Whole recordings of real programs: every line is used, every call of memory
// and processes has its typed view, and the tasks come out as they were.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "tests/client/strace/describe.h"

namespace faultline::strace {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

// Every recording directory: one that holds strace.txt.
std::vector<fs::path> Recordings() {
  std::vector<fs::path> found;
  for (const auto& entry :
       fs::recursive_directory_iterator(TracesDirectory())) {
    if (entry.path().filename() == "strace.txt") {
      found.push_back(entry.path().parent_path());
    }
  }
  return found;
}

TEST(RecordingsTest, EveryLineOfEveryRecordingIsUsed) {
  const std::vector<fs::path> recordings = Recordings();
  EXPECT_GE(recordings.size(), 4U);
  for (const fs::path& directory : recordings) {
    const Reading reading = ReadFile(directory / "strace.txt");
    EXPECT_EQ(reading.totals.used, reading.totals.lines) << directory;
    EXPECT_THAT(Describe(reading.diagnostics), IsEmpty()) << directory;
    EXPECT_EQ(reading.totals.unfinished, 0) << directory;
    EXPECT_TRUE(reading.verdict.usable()) << directory;
  }
}

TEST(RecordingsTest, EveryTaskBeginsAndEnds) {
  for (const fs::path& directory : Recordings()) {
    const Reading reading = ReadFile(directory / "strace.txt");
    int64_t ended = 0;
    for (const Record& record : reading.records) {
      if (std::holds_alternative<Exited>(record.event) ||
          std::holds_alternative<Killed>(record.event) ||
          std::holds_alternative<Superseded>(record.event)) {
        ++ended;
      }
    }
    EXPECT_EQ(ended, reading.totals.tasks) << directory;
  }
}

// strace.raw is the same program with -X raw: the numbers must be the same.
TEST(RecordingsTest, SymbolicAndRawFlagsMeanTheSame) {
  for (const char* name : {"ls", "sort"}) {
    const fs::path directory = TracesDirectory() / "6.18-filtered" / name;
    const Reading symbolic = ReadFile(directory / "strace.txt");
    const Reading raw = ReadFile(directory / "strace.raw");
    ASSERT_EQ(symbolic.records.size(), raw.records.size());
    for (size_t i = 0; i < raw.records.size(); ++i) {
      const auto* a = std::get_if<Syscall>(&symbolic.records[i].event);
      const auto* b = std::get_if<Syscall>(&raw.records[i].event);
      ASSERT_EQ(a == nullptr, b == nullptr);
      if (a == nullptr) continue;
      ASSERT_EQ(a->name, b->name);
      ASSERT_EQ(a->call.index(), b->call.index());
      if (const auto* mmap = std::get_if<Mmap>(&a->call)) {
        const auto& other = std::get<Mmap>(b->call);
        EXPECT_EQ(mmap->prot, other.prot);
        EXPECT_EQ(mmap->flags, other.flags);
        EXPECT_EQ(mmap->fd, other.fd);
        EXPECT_EQ(a->result.value, b->result.value);
      }
    }
  }
}

TEST(RecordingsTest, AShellWithAPipe) {
  const Reading reading =
      ReadFile(TracesDirectory() / "6.18-filtered/sh/strace.txt");
  EXPECT_EQ(reading.totals.tasks, 3);
  EXPECT_EQ(reading.totals.typed_calls, reading.totals.syscalls);
  const std::vector<std::string> records = Describe(reading.records);
  EXPECT_THAT(records, Contains("28796 clone = 28797"));
  EXPECT_THAT(records, Contains("28797 execve = 0"));
}

TEST(RecordingsTest, APythonWithThreads) {
  const Reading reading =
      ReadFile(TracesDirectory() / "6.18-filtered/pythr/strace.txt");
  EXPECT_EQ(reading.totals.tasks, 4);
  EXPECT_THAT(Describe(reading.records), Contains("28899 clone3 = 28902"));
  for (const Record& record : reading.records) {
    const auto* call = std::get_if<Syscall>(&record.event);
    if (call == nullptr || call->name != "clone3") continue;
    EXPECT_TRUE(std::get<Clone>(call->call).is_thread());
  }
}

}  // namespace
}  // namespace faultline::strace

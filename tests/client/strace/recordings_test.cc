// Whole recordings of real programs: every line is used, every call of memory
// and processes has its typed view, and the tasks come out as they were.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "tests/client/strace/describe.h"

namespace faultline::strace {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
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
  EXPECT_GE(recordings.size(), 13U);
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

// The recordings that carry the heads of their ELF files.
std::vector<fs::path> CompleteRecordings() {
  std::vector<fs::path> found;
  for (const fs::path& directory : Recordings()) {
    if (fs::exists(directory / "snap/elf")) found.push_back(directory);
  }
  return found;
}

// One row of snap/elf/index.tsv.
struct IndexRow {
  std::string path;
  std::string real;
  std::string size;
  std::string file;
};

std::vector<IndexRow> ReadIndex(const fs::path& directory) {
  std::istringstream in(FileText(directory / "snap/elf/index.tsv"));
  std::vector<IndexRow> rows;
  IndexRow row;
  while (std::getline(in, row.path, '\t') && std::getline(in, row.real, '\t') &&
         std::getline(in, row.size, '\t') && std::getline(in, row.file)) {
    rows.push_back(row);
  }
  return rows;
}

TEST(RecordingsTest, EveryExecutedFileHasItsHead) {
  EXPECT_GE(CompleteRecordings().size(), 9U);
  for (const fs::path& directory : CompleteRecordings()) {
    std::set<std::string> known;
    for (const IndexRow& row : ReadIndex(directory)) {
      known.insert(row.path);
      const std::string head = FileText(directory / "snap/elf" / row.file);
      EXPECT_EQ(head.substr(0, 4),
                "\x7f"
                "ELF")
          << row.file;
      EXPECT_GE(std::stoul(row.size), head.size()) << row.file;
    }
    for (const Record& record : ReadFile(directory / "strace.txt").records) {
      const auto* call = std::get_if<Syscall>(&record.event);
      if (call == nullptr || !call->result.ok()) continue;
      const auto* execve = std::get_if<Execve>(&call->call);
      if (execve == nullptr) continue;
      EXPECT_EQ(known.count(execve->path), 1U)
          << directory << " has no head of " << execve->path;
    }
  }
}

// The snapshots are of the right processes: the maps at an image's end name
// the file that its execve ran.
TEST(RecordingsTest, EveryImageHasItsMaps) {
  for (const fs::path& directory : CompleteRecordings()) {
    std::map<std::string, std::string> real;
    for (const IndexRow& row : ReadIndex(directory)) real[row.path] = row.real;
    std::map<Pid, int> numbers;
    std::map<Pid, int> images;
    const auto number = [&numbers](Pid pid) {
      return numbers.emplace(pid, static_cast<int>(numbers.size()) + 1)
          .first->second;
    };
    for (const Record& record : ReadFile(directory / "strace.txt").records) {
      const int n = number(record.pid);
      const auto* call = std::get_if<Syscall>(&record.event);
      if (call == nullptr || !call->result.ok()) continue;
      if (std::holds_alternative<Clone>(call->call)) {
        number(static_cast<Pid>(call->result.value));
      }
      const auto* execve = std::get_if<Execve>(&call->call);
      if (execve == nullptr) continue;
      const std::string image = std::to_string(n) + ".";
      const std::string k = std::to_string(++images[record.pid]);
      for (const std::string& moment : {"exec" + k, "exit" + k}) {
        const std::string maps =
            FileText(directory / "snap" / (image + moment + ".maps"));
        EXPECT_THAT(maps, HasSubstr(real[execve->path]))
            << directory << " " << n << " " << moment;
        EXPECT_THAT(maps, HasSubstr("[stack]"));
      }
    }
  }
}

TEST(RecordingsTest, AProgramThatDiesOfASignal) {
  const Reading reading = ReadFile(TracesDirectory() / "6.18/segv/strace.txt");
  const std::vector<std::string> records = Describe(reading.records);
  const std::string pid = std::to_string(reading.records.back().pid);
  EXPECT_EQ(records.back(), pid + " killed SIGSEGV");
  EXPECT_EQ(records[records.size() - 2],
            pid + " SIGSEGV SEGV_ACCERR 0x7ffff7fbd000");
}

TEST(RecordingsTest, SpawnedProgramsComeBeforeTheirParentGoesOn) {
  const Reading reading = ReadFile(TracesDirectory() / "6.18/spawn/strace.txt");
  EXPECT_EQ(reading.totals.tasks, 4);
  int spawns = 0;
  for (const Record& record : reading.records) {
    const auto* call = std::get_if<Syscall>(&record.event);
    if (call == nullptr) continue;
    const auto* clone = std::get_if<Clone>(&call->call);
    if (clone == nullptr) continue;
    ++spawns;
    EXPECT_TRUE(clone->shares_memory() && clone->waits_for_child());
    EXPECT_LT(record.first_line, record.line);
  }
  EXPECT_EQ(spawns, 3);
}

}  // namespace
}  // namespace faultline::strace

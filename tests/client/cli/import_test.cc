// `faultline import strace`: recordings of real programs must come out as the
// real kernel had them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kTraces[] = "tests/traces/";

Finished Import(const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {"import", "strace"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return Faultline(arguments);
}

struct Recording {
  const char* name;
  const char* says;  // of its maps
};

class RecordingTest : public testing::TestWithParam<Recording> {};

TEST_P(RecordingTest, ComesOutEqual) {
  const Finished import =
      Import({absl::StrCat(kTraces, "6.18/", GetParam().name)});
  EXPECT_EQ(import.code, kExitOk) << import.out << import.err;
  EXPECT_THAT(import.out, HasSubstr(": 0 differences"));
  EXPECT_THAT(import.out, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Programs, RecordingTest,
    testing::Values(Recording{"ls", "maps: 2 of 2 equal"},
                    Recording{"python", "maps: 2 of 2 equal"},
                    Recording{"segv", "maps: 2 of 2 equal"},
                    Recording{"sh", "maps: 8 of 8 equal"},
                    Recording{"sort", "maps: 2 of 2 equal"},
                    Recording{"spawn", "maps: 11 of 11 equal"},
                    Recording{"static", "maps: 2 of 2 equal"},
                    Recording{"static-pie", "maps: 2 of 2 equal"},
                    Recording{"threads", "maps: 2 of 2 equal"},
                    Recording{"threads-race", "maps: 2 of 2 equal"}),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

struct Filtered {
  const char* name;
  const char* heads;  // of the whole recording that ran the same programs
  const char* file;
  const char* says;
};

class FilteredTest : public testing::TestWithParam<Filtered> {};

TEST_P(FilteredTest, ComesOutEqual) {
  const std::string directory =
      absl::StrCat(kTraces, "6.18-filtered/", GetParam().name);
  const Finished import =
      Import({absl::StrCat(directory, "/", GetParam().file), "--maps-dir",
              directory + "/snap", "--heads",
              absl::StrCat(kTraces, "6.18/", GetParam().heads, "/snap/elf")});
  EXPECT_EQ(import.code, kExitOk) << import.out << import.err;
  EXPECT_THAT(import.out, HasSubstr(": 0 differences"));
  EXPECT_THAT(import.out, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Programs, FilteredTest,
    testing::Values(
        Filtered{"ls", "ls", "strace.txt", "maps: 2 of 2 equal"},
        Filtered{"ls", "ls", "strace.raw", "maps: 2 of 2 equal"},
        Filtered{"sh", "sh", "strace.txt", "maps: 6 of 6 equal"},
        Filtered{"sh", "sh", "strace.raw", "maps: 6 of 6 equal"},
        Filtered{"sort", "sort", "strace.txt", "maps: 2 of 2 equal"},
        Filtered{"pythr", "python", "strace.txt", "maps: 2 of 2 equal"}));

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// `text` with the addresses that begin with `prefix` lower by `distance`.
std::string Moved(const std::string& text, const std::string& prefix,
                  uint64_t distance) {
  std::string moved;
  size_t at = 0;
  while (true) {
    const size_t next = text.find(prefix, at);
    moved += text.substr(at, next - at);
    if (next == std::string::npos) return moved;
    size_t digits = 0;
    const uint64_t address = std::stoull(text.substr(next), &digits, 16);
    absl::StrAppend(&moved, "0x", absl::Hex(address - distance));
    at = next + digits;
  }
}

// A recording of ls with one line changed.
class ChangedTest : public testing::Test {
 protected:
  Finished ImportWith(const std::string& find, const std::string& replace) {
    std::string text = ReadFile(absl::StrCat(kTraces, "6.18/ls/strace.txt"));
    const size_t at = text.find(find);
    EXPECT_NE(at, std::string::npos) << find;
    if (at != std::string::npos) text.replace(at, find.size(), replace);
    return Import({WriteTemporary("changed.strace", text), "--heads",
                   absl::StrCat(kTraces, "6.18/ls/snap/elf")});
  }
};

TEST_F(ChangedTest, AnAddressThatDiffersIsToldByLineAndOnlyOnce) {
  const Finished import =
      ImportWith("-1, 0) = 0x7ffff7fc0000", "-1, 0) = 0x7ffff7fbf000");
  EXPECT_EQ(import.code, kExitFailed);
  EXPECT_THAT(import.out, HasSubstr("= 0x7ffff7fbf000 on the real kernel; here "
                                    "0x7ffff7fc0000"));
  EXPECT_THAT(import.out, Not(HasSubstr(": 0 differences")));
}

TEST_F(ChangedTest, AnErrnoThatDiffersIsTold) {
  const Finished import =
      ImportWith("PROT_READ) = 0\n", "PROT_READ) = -1 EINVAL (Invalid)\n");
  EXPECT_EQ(import.code, kExitFailed);
  EXPECT_THAT(import.out, HasSubstr("= -1 EINVAL on the real kernel; here 0"));
  EXPECT_THAT(import.out, HasSubstr(": 1 difference\n"));
}

TEST_F(ChangedTest, ALineOfNoUseIsCountedAndNamed) {
  const Finished import = ImportWith("brk(NULL)", "brk(NULL");
  EXPECT_THAT(import.out, HasSubstr("skipped: "));
  EXPECT_THAT(import.out, HasSubstr(", 1 of no use"));
}

TEST(ImportTest, ExplainsEachFault) {
  const Finished import =
      Import({absl::StrCat(kTraces, "6.18/ls"), "--explain"});
  EXPECT_EQ(import.code, kExitOk);
  EXPECT_THAT(import.out, HasSubstr("line 1: execve("));
  EXPECT_THAT(import.out, HasSubstr("private copy"));
}

// What Linux did with randomisation on: the same calls with every address of
// the mapping area lower by 0x1234000, the executable and the heap elsewhere.
TEST_F(ChangedTest, RandomisedAddressesAreComparedRelativeToTheImage) {
  std::string text = ReadFile(absl::StrCat(kTraces, "6.18/ls/strace.txt"));
  text = Moved(Moved(text, "0x7ffff7", 0x1234000), "0x5555555", 0x300000000);
  const Finished import =
      Import({WriteTemporary("random.strace", text), "--heads",
              absl::StrCat(kTraces, "6.18/ls/snap/elf")});
  EXPECT_EQ(import.code, kExitOk) << import.out << import.err;
  EXPECT_THAT(import.out, HasSubstr(": 0 differences"));
}

struct Bad {
  const char* name;
  const char* text;
  const char* says;
};

class BadRecordingTest : public testing::TestWithParam<Bad> {};

TEST_P(BadRecordingTest, SaysWhatIsWrongAndWhatToDo) {
  const Finished import =
      Import({WriteTemporary("bad.strace", GetParam().text)});
  EXPECT_EQ(import.code, kExitCannot);
  EXPECT_THAT(import.err, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Recordings, BadRecordingTest,
    testing::Values(
        Bad{"Empty", "", "bad.strace"},
        Bad{"Foreign", "hello\nworld\n", "does not look like strace output"},
        Bad{"Attached", "7 brk(NULL) = 0x5000\n",
            "line 1: the recording does not begin with an execve"},
        Bad{"NoProgram",
            "7 execve(\"/no/such\", [\"such\"], 0x1 /* 0 vars */) = 0\n",
            "cannot read /no/such"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace faultline::cli

// `faultline run` on a machine in the same process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/exit_code.h"
#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Finished RunScript(const std::string& script,
                   const std::vector<std::string>& flags = {}) {
  std::vector<std::string> arguments = {"run",
                                        WriteTemporary("script.s", script)};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return Faultline(arguments);
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

constexpr char kLesson[] =
    "a: mmap 0 4p rw- PRIVATE|ANON   # four pages\n"
    "write $a 7\n"
    "fork\n"
    "@1 write $a 8\n"
    "@0 read $a\n"
    "munmap $a+1p 1p\n"
    "read $a+1p\n";

TEST(RunTest, PrintsOneJsonObjectPerOperation) {
  const Finished run = RunScript(kLesson, {"--format=jsonl"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(
      Lines(run.out),
      ElementsAre(
          R"({"i":1,"p":0,"op":"a: mmap 0 4p rw- PRIVATE|ANON","ret":"7ffff7ffb000"})",
          R"({"i":2,"p":0,"op":"write $a 7","min":1,"maj":0})",
          R"({"i":3,"p":0,"op":"fork","child":1,"cmin":0,"cmaj":0,"ret":"1"})",
          R"({"i":4,"p":1,"op":"@1 write $a 8","min":1,"maj":0})",
          R"({"i":5,"p":0,"op":"@0 read $a","val":7})",
          R"({"i":6,"p":0,"op":"munmap $a+1p 1p","ret":"0"})",
          R"({"i":7,"p":0,"op":"read $a+1p","sig":11,"code":1,"addr":"7ffff7ffc000"})"));
}

TEST(RunTest, SeveralAccessesAreOneOperation) {
  const Finished run = RunScript(
      "a: mmap 0 4p rw- PRIVATE|ANON\n"
      "accesses read $a; write $a 7; writer $a+2p 2 1p 9\n"
      "expect min 4\n"
      "accesses write $a 8; readr $a+2p 3; write $a 9\n"
      "expect sig SIGSEGV\n"
      "read $a\n"
      "read $a+3p\n",
      {"--format=jsonl"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(
      Lines(run.out),
      ElementsAre(
          HasSubstr("mmap"),
          R"({"i":2,"p":0,"op":"accesses read $a; write $a 7; writer $a+2p 2 1p 9","min":4,"maj":0})",
          R"({"i":3,"p":0,"op":"accesses write $a 8; readr $a+2p 3; write $a 9","sig":11,"code":1,"addr":"7ffff7fff000"})",
          R"({"i":4,"p":0,"op":"read $a","val":8})",
          R"({"i":5,"p":0,"op":"read $a+3p","val":9})"));
}

TEST(RunTest, TellsAPersonWhatHappenedAndWhy) {
  const Finished run = RunScript(kLesson);
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.out, HasSubstr("a: mmap 0 4p rw- PRIVATE|ANON  = "
                                 "0x7ffff7ffb000"));
  EXPECT_THAT(run.out, HasSubstr("@1 write $a 8  = done  1 minor fault"));
  EXPECT_THAT(run.out, HasSubstr("private copy"));
  EXPECT_THAT(run.out, HasSubstr("SIGSEGV (SEGV_MAPERR) at 0x7ffff7ffc000"));
  EXPECT_THAT(run.out, HasSubstr("7 operations, 2 minor faults"));
  EXPECT_THAT(run.out,
              HasSubstr("1 x a private copy of a shared page (wp_page_copy)"));
  EXPECT_THAT(run.out, Not(HasSubstr("\033["))) << "no colours in a pipe";
}

TEST(RunTest, FilesHaveTheirPatternAndTheirMode) {
  const Finished run = RunScript(
      "file 2 2p\n"
      "file 3 1p r\n"
      "pread 2 4096\n"
      "pread 2 8192\n"
      "pwrite 2 4096 9\n"
      "m: mmap 0 2p r-- SHARED 2 0\n"
      "read $m+1p\n"
      "pwrite 3 0 1\n"
      "mmap 0 1p rw- SHARED 3\n"
      "mmap 0 1p r-- PRIVATE 9\n",
      {"--format=jsonl"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<std::string> lines = Lines(run.out);
  ASSERT_EQ(lines.size(), 8u) << run.out;
  // Page 1 of file 2: (2*37 + 1*7 + 1) & 0xff.
  EXPECT_THAT(lines[0], HasSubstr("\"ret\":82}"));
  EXPECT_THAT(lines[1], HasSubstr("\"ret\":-1000}")) << "the end of the file";
  EXPECT_THAT(lines[2], HasSubstr("\"ret\":1}"));
  EXPECT_THAT(lines[4], HasSubstr("\"val\":9"));
  EXPECT_THAT(lines[5], HasSubstr("\"ret\":-9}")) << "EBADF";
  EXPECT_THAT(lines[6], HasSubstr("\"err\":\"EACCES\""));
  EXPECT_THAT(lines[7], HasSubstr("\"err\":\"EBADF\""));
}

TEST(RunTest, AnOperationOfADeadProcessIsSkipped) {
  const Finished run = RunScript(
      "fork\n@1 exit\n@1 read 0\n@7 read 0\ndump maps\n", {"--format=jsonl"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<std::string> lines = Lines(run.out);
  ASSERT_EQ(lines.size(), 5u) << run.out;
  EXPECT_THAT(lines[1], HasSubstr("\"exited\":1}"));
  EXPECT_THAT(lines[2], HasSubstr("\"skip\":1}"));
  EXPECT_THAT(lines[3], HasSubstr("\"skip\":1}"));
  EXPECT_THAT(lines[4], HasSubstr("{\"dump\":4,\"p\":0,")) << "only the living";
}

TEST(RunTest, MapsEachDumpsAfterEachOperationInPlaceOfTheScriptsDumps) {
  const Finished run =
      RunScript("mmap 0x10000000 1p r-- PRIVATE|ANON|FIXED\ndump all\n",
                {"--format=jsonl", "--maps-each"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<std::string> lines = Lines(run.out);
  ASSERT_EQ(lines.size(), 2u) << run.out;
  EXPECT_EQ(
      lines[1],
      R"({"dump":1,"p":0,"maps":[["10000000","10001000","r--p","0",0,""],)"
      R"(["7ffffffde000","7ffffffff000","rw-p","0",0,"[stack]"]]})");
}

TEST(RunTest, ExpectationsThatHoldAreSilentInJson) {
  const Finished run = RunScript(
      "mmap 0 0 r-- PRIVATE|ANON\n"
      "expect err EINVAL\n"
      "read 0\n"
      "expect sig SIGSEGV\n"
      "expect code SEGV_MAPERR\n"
      "expect vmas 1\n"
      "expect status.VmSize > 0\n"
      "expect cat /proc/self/maps contains [stack]\n",
      {"--format=jsonl"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(Lines(run.out).size(), 2u);
}

TEST(RunTest, AFailedExpectationEndsTheRunWithStatusOne) {
  const Finished run = RunScript("brk 0\nexpect err ENOMEM\nread 0\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("script.s:2:1: expected err == ENOMEM"));
  EXPECT_THAT(run.out, Not(HasSubstr("read 0"))) << "nothing after it ran";
}

TEST(RunTest, BootChoosesTheMachine) {
  const Finished run = RunScript(
      "boot ram=64m\ncat /proc/meminfo\nexpect meminfo.MemTotal < 65536\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const Finished late = RunScript("brk 0\nboot ram=64m\n");
  EXPECT_NE(late.code, kExitOk);
}

TEST(RunTest, ReadsAScenarioFromStandardInput) {
  const Finished run = Faultline({"run", "-", "--format=jsonl"}, "brk 0\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(Lines(run.out).size(), 1u);
}

struct BadLine {
  const char* name;
  const char* script;
  const char* says;
};

class BadScriptTest : public testing::TestWithParam<BadLine> {};

TEST_P(BadScriptTest, SaysWhereAndWhatAndRunsNothing) {
  const Finished run = RunScript(GetParam().script, {"--format=jsonl"});
  EXPECT_EQ(run.code, kExitCannot);
  EXPECT_THAT(run.err, HasSubstr(absl::StrCat("script.s:", GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    Lines, BadScriptTest,
    testing::Values(
        BadLine{"UnknownOp", "brk 0\n  munmp 0 1p\n",
                "2:3: unknown op 'munmp'; did you mean 'munmap'?"},
        BadLine{"UnknownFlag", "mmap 0 1p rw- PRIVAT|ANON\n",
                "1:15: unknown mmap flag 'PRIVAT'; did you mean 'PRIVATE'?"},
        BadLine{"TooFewArguments", "munmap 0\n", "1:1: "},
        BadLine{"UnknownLabel", "read $nowhere\n", "1:6: "},
        BadLine{"NotYet", "sysctl swappiness\n",
                "1:1: sysctl without a value is part of the language, but the "
                "machines of this version do not have it"},
        BadLine{"NoSuchFile", "cat /proc/nonsense\n", "1:1: "}),
    [](const auto& info) { return info.param.name; });

// The recordings of the real kernel, where they are complete: returns, errnos,
// signals, faults and maps after each operation.
TEST(RunTest, ARecordedScriptGivesTheSameLinesAsLinux) {
  const std::string directory = "tests/scenarios/recorded/";
  for (const char* name : {"vma-105", "anon-101", "file-101", "full-101"}) {
    const std::string script = absl::StrCat(directory, "scripts/", name, ".s");
    std::ifstream recorded(
        absl::StrCat(directory, "linux-6.18/", name, ".maps.jsonl"));
    ASSERT_TRUE(recorded) << "no recording of " << name;
    std::ostringstream expected;
    expected << recorded.rdbuf();
    const Finished run =
        Faultline({"run", script, "--format=jsonl", "--maps-each"});
    EXPECT_EQ(run.code, kExitOk) << run.err;
    EXPECT_EQ(run.out, expected.str()) << name;
  }
}

}  // namespace
}  // namespace faultline::cli

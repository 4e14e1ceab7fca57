// `faultline show` and `faultline export` against a server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/exit_code.h"
#include "client/cli/picture.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/lab.h"
#include "tests/client/cli/trace_reader.h"

namespace faultline::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr char kScript[] =
    "a: mmap 0x10000000 4p rw- PRIVATE|ANON|FIXED\n"
    "write $a 7\n"
    "read $a+1p\n"
    "fork\n"
    "@1 write $a 8\n"
    "@0 munmap $a+2p 1p\n"
    "read $a+2p\n";

class ShowCommandTest : public LabTest {
 protected:
  ShowCommandTest() : LabTest(kScript) {
    environment_["LC_ALL"] = "C.UTF-8";
    environment_["COLUMNS"] = "80";
    environment_["TERM"] = "xterm";
  }
};

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_F(ShowCommandTest, DrawsASession) {
  const Finished shown = Do({"show", "lab"});
  EXPECT_EQ(shown.code, kExitOk) << shown.err;
  EXPECT_THAT(shown.out, StartsWith("sessions/lab after revision 7 of 7\n"));
  EXPECT_THAT(shown.out, HasSubstr("Process 2 "));
  EXPECT_THAT(shown.out, HasSubstr("┌────────────────┐ 10000000-10002000"));
  EXPECT_THAT(shown.out, HasSubstr("  process 1   ·●○◇ ·!\n"));
  EXPECT_THAT(shown.out, HasSubstr("  process 2       ◐\n"));
  EXPECT_THAT(shown.out, Not(HasSubstr("\033["))) << "no colours in a pipe";
  EXPECT_THAT(shown.err, IsEmpty());
}

TEST_F(ShowCommandTest, APlaceInItsHistoryIsNamedAsGradesNameIt) {
  EXPECT_EQ(Do({"show", "sessions/lab@3"}).out,
            Do({"show", "lab", "--at", "3"}).out);
  EXPECT_EQ(Do({"cat", "/proc/1/maps", "--session", "lab@0"}).out,
            Do({"cat", "/proc/1/maps", "--session", "lab", "--at", "0"}).out);
  EXPECT_THAT(Do({"replay", "lab@3"}).out, StartsWith("replayed 3 of 3 "));
  EXPECT_EQ(Do({"show", "lab@8"}).code, kExitCannot);
}

TEST_F(ShowCommandTest, APlaceThatIsNoneIsExplained) {
  const auto usage = [this](const std::vector<std::string>& arguments) {
    const Finished done = Do(arguments);
    EXPECT_EQ(done.code, kExitUsage) << done.out;
    return done.err;
  };
  for (const char* place : {"lab@", "lab@x", "lab@-1", "lab@1@2"}) {
    EXPECT_THAT(usage({"show", place}),
                HasSubstr("after @ comes the number of a revision"));
  }
  EXPECT_THAT(usage({"show", "lab@3", "--at", "2"}),
              HasSubstr("'lab@3' and --at 2 both name a revision"));
  EXPECT_THAT(usage({"replay", "lab@3", "--to", "2"}),
              HasSubstr("'lab@3' and --to 2 both name a revision"));
  EXPECT_THAT(usage({"replay", "lab@0"}), HasSubstr("before revision 1"));
  EXPECT_EQ(Do({"replay", "lab", "--to", "0"}).code, kExitUsage);
}

TEST_F(ShowCommandTest, ThePastIsShownAlsoAfterTheServerDied) {
  const Finished before = Do({"show", "lab", "--at", "3"});
  EXPECT_EQ(before.code, kExitOk) << before.err;
  EXPECT_THAT(before.out, HasSubstr("after revision 3 of 7"));
  EXPECT_THAT(before.out, HasSubstr("10000000-10004000"));
  EXPECT_THAT(before.out, Not(HasSubstr("Process 2")));
  server_.KillAndRestart();
  EXPECT_EQ(Do({"show", "lab", "--at", "3"}).out, before.out);
  ASSERT_EQ(Do({"session", "close", "lab"}).code, kExitOk);
  // The same but for the head line, which tells that it is closed.
  const auto picture = [](const std::string& out) {
    return out.substr(out.find('\n'));
  };
  EXPECT_EQ(picture(Do({"show", "lab", "--at", "3"}).out), picture(before.out));
  EXPECT_THAT(Do({"show", "lab"}).out, HasSubstr("of 7, closed"));
}

TEST_F(ShowCommandTest, FollowsTheLocaleTheWidthAndTheWishForColour) {
  environment_["COLUMNS"] = "100";
  size_t widest = 0;
  for (absl::string_view line :
       absl::StrSplit(Do({"show", "lab", "--color", "never"}).out, '\n')) {
    widest = std::max<size_t>(widest, static_cast<size_t>(ColumnsOf(line)));
  }
  EXPECT_LE(widest, 100u);
  environment_["LC_ALL"] = "C";
  EXPECT_THAT(Do({"show", "lab", "--width", "120"}).out,
              HasSubstr("+--------------------------------+ 10000000"));
  EXPECT_THAT(Do({"show", "lab", "--color", "always"}).out,
              HasSubstr("\033[38;5;"));
}

TEST_F(ShowCommandTest, ATerminalGetsColourAndItsWidth) {
  OnTerminal show({"show", "lab"}, environment_);
  const std::string out = show.ReadUntil("Time");
  EXPECT_THAT(out, HasSubstr("\033[38;5;"));
  EXPECT_THAT(out, HasSubstr("┌────────────────────────────────┐"))
      << "it has 200 columns";
}

TEST_F(ShowCommandTest, WhatCannotBeShownIsExplained) {
  EXPECT_THAT(Do({"show", "nobody"}).err, HasSubstr("no session"));
  const Finished beyond = Do({"show", "lab", "--at", "8"});
  EXPECT_EQ(beyond.code, kExitCannot);
  EXPECT_THAT(beyond.err, HasSubstr("has no revision 8; it is at 7"));
  EXPECT_THAT(Do({"show", "lab", "--pid", "9"}).err,
              HasSubstr("there is no process 9; there are: 1, 2"));
  EXPECT_EQ(Do({"show", "lab", "--width", "10"}).code, kExitUsage);
  EXPECT_EQ(Do({"show", "lab", "--color", "red"}).code, kExitUsage);
  EXPECT_EQ(Do({"show"}).code, kExitUsage);
}

TEST_F(ShowCommandTest, ExportsJsonLines) {
  const Finished exported = Do({"export", "lab"});
  EXPECT_EQ(exported.code, kExitOk) << exported.err;
  const std::vector<std::string> lines =
      absl::StrSplit(exported.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 7u);
  const json write = json::parse(lines[1]);
  EXPECT_EQ(write["revision"], 2);
  EXPECT_EQ(write["command"], "access");
  EXPECT_THAT(write["sender"].get<std::string>(), HasSubstr("127.0.0.1"));
  EXPECT_THAT(write["time"].get<std::string>(), HasSubstr("T"));
  EXPECT_EQ(write["events"].size(), 2u);
  EXPECT_THAT(Do({"export", "lab", "--events=none"}).out,
              Not(HasSubstr("page_fault_user")));
  EXPECT_THAT(Do({"export", "lab", "--events=all"}).out,
              HasSubstr("mm_page_alloc"));
}

TEST_F(ShowCommandTest, ExportsATraceThatIsTheSameForAnEqualSession) {
  const std::string one = TemporaryDirectory() + "/one.pftrace";
  const Finished exported =
      Do({"export", "lab", "--format=perfetto", "-o", one});
  EXPECT_EQ(exported.code, kExitOk) << exported.err;
  EXPECT_THAT(exported.out, IsEmpty());
  const auto trace = ReadPerfetto(Contents(one));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->Named("access").size(), 4u);
  ASSERT_EQ(
      Do({"run", "-", "--server", server_.address(), "--session", "again"},
         kScript)
          .code,
      kExitOk);
  server_.KillAndRestart();
  const Finished piped = Do({"export", "again", "--format=perfetto"});
  EXPECT_EQ(piped.out, Contents(one));
}

TEST_F(ShowCommandTest, ExportsChromesTraceEvents) {
  const json trace = json::parse(Do({"export", "lab", "--format=chrome"}).out);
  EXPECT_GT(trace["traceEvents"].size(), 14u);
}

TEST_F(ShowCommandTest, ATerminalIsSparedABinaryTrace) {
  OnTerminal exported({"export", "lab", "--format=perfetto"}, environment_);
  EXPECT_THAT(exported.ReadUntil("a pipe"), HasSubstr("is binary"));
  EXPECT_EQ(exported.Wait(), kExitUsage);
}

TEST_F(ShowCommandTest, AFileThatCannotBeWrittenIsNamed) {
  const Finished exported = Do({"export", "lab", "-o", "/nowhere/x"});
  EXPECT_EQ(exported.code, kExitCannot);
  EXPECT_THAT(exported.err, HasSubstr("/nowhere/x cannot be written"));
  const Finished full = Do({"export", "lab", "-o", "/dev/full"});
  EXPECT_EQ(full.code, kExitCannot);
  EXPECT_THAT(full.err, HasSubstr("/dev/full is incomplete"));
}

}  // namespace
}  // namespace faultline::cli

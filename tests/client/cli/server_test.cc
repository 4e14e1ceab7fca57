// The command against a server: sessions, what is recorded of them, and what
// is left after the server died.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kScript[] =
    "a: mmap 0x10000000 2p rw- PRIVATE|ANON|FIXED\n"
    "write $a 7\n"
    "fork\n"
    "@1 write $a 8\n";

class ServerTest : public testing::Test {
 protected:
  Finished Do(std::vector<std::string> arguments,
              const std::string& input = "") {
    return Faultline(arguments, input,
                     {{"FAULTLINE_SERVER", server_.address()}});
  }
  Finished RunIn(const std::string& session, const std::string& script) {
    return Do({"run", "-", "--server", server_.address(), "--session", session},
              script);
  }

  Server server_;
};

TEST_F(ServerTest, ASessionIsMadeShownListedAndDeleted) {
  EXPECT_EQ(Do({"session", "list"}).out,
            "no sessions; `faultline session create` makes one\n");
  const Finished made = Do({"session", "create", "lab", "--title", "Lesson one",
                            "--boot", "ram=64m personality=linux-6.1"});
  EXPECT_EQ(made.code, kExitOk) << made.err;
  EXPECT_EQ(made.out, "sessions/lab\n");
  const Finished shown = Do({"session", "show", "lab"});
  EXPECT_THAT(shown.out, HasSubstr("Lesson one"));
  EXPECT_THAT(shown.out, HasSubstr("64 MiB RAM"));
  EXPECT_THAT(shown.out, HasSubstr("PERSONALITY_LINUX_6_1"));
  EXPECT_THAT(Do({"session", "list"}).out, HasSubstr("sessions/lab"));
  EXPECT_EQ(Do({"session", "delete", "sessions/lab"}).code, kExitOk);
  const Finished gone = Do({"session", "delete", "lab"});
  EXPECT_EQ(gone.code, kExitCannot);
  EXPECT_THAT(gone.err, HasSubstr("no session sessions/lab"));
}

TEST_F(ServerTest, ARunIsRecordedAndVerifiedAfterTheServerDied) {
  const Finished run = RunIn("lab", kScript);
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.err, HasSubstr("recorded as sessions/lab"));
  server_.KillAndRestart();
  const Finished maps = Do({"cat", "/proc/1/maps", "--session", "lab"});
  EXPECT_THAT(maps.out, HasSubstr("10000000-10002000 rw-p")) << maps.err;
  EXPECT_THAT(Do({"replay", "lab"}).out, HasSubstr("replayed 4 of 4 commands"));
  EXPECT_THAT(Do({"replay", "lab", "--to", "2"}).out,
              HasSubstr("replayed 2 of 2 commands"));
  const Finished verified = Do({"verify", "lab"});
  EXPECT_EQ(verified.code, kExitOk) << verified.out << verified.err;
  EXPECT_THAT(verified.out,
              HasSubstr("verified 4 of 4 commands of sessions/lab"));
}

TEST_F(ServerTest, ASecondRunGoesOnWhereTheFirstEnded) {
  ASSERT_EQ(RunIn("lab", kScript).code, kExitOk);
  const Finished more = RunIn("lab", "read 0x10000000\nexpect val 7\n");
  EXPECT_EQ(more.code, kExitOk) << more.err;
  const Finished booted = RunIn("lab", "boot ram=64m\nread 0\n");
  EXPECT_EQ(booted.code, kExitCannot);
  EXPECT_THAT(booted.err, HasSubstr("sessions/lab already"));
}

TEST_F(ServerTest, TheServerGivesTheSameLinesAsAMachineInThisProcess) {
  const std::string script = "tests/scenarios/recorded/scripts/anon-101.s";
  const Finished here = Faultline({"run", script, "--format=jsonl"});
  const Finished there =
      Do({"run", script, "--format=jsonl", "--server", server_.address()});
  EXPECT_EQ(there.code, kExitOk) << there.err;
  EXPECT_EQ(there.out, here.out);
  EXPECT_THAT(here.out, Not(IsEmpty()));
}

TEST_F(ServerTest, AnImportIsASessionOfItsOwn) {
  const std::vector<std::string> import = {
      "import",   "strace",          "tests/traces/6.18/sh",
      "--server", server_.address(), "--session",
      "sh"};
  const Finished first = Do(import);
  EXPECT_EQ(first.code, kExitOk) << first.out << first.err;
  EXPECT_THAT(first.out, HasSubstr("maps: 8 of 8 equal"));
  const Finished second = Do(import);
  EXPECT_EQ(second.code, kExitCannot);
  EXPECT_THAT(second.err, HasSubstr("sessions/sh already"));
  EXPECT_EQ(Do({"verify", "sh"}).code, kExitOk);
}

TEST_F(ServerTest, AClosedSessionCanBeVerifiedAndNotDriven) {
  ASSERT_EQ(RunIn("lab", kScript).code, kExitOk);
  EXPECT_EQ(Do({"session", "close", "lab"}).code, kExitOk);
  const Finished run = RunIn("lab", "read 0\n");
  EXPECT_EQ(run.code, kExitCannot);
  EXPECT_THAT(run.err, HasSubstr("closed"));
  EXPECT_EQ(Do({"verify", "lab"}).code, kExitOk);
}

TEST_F(ServerTest, ReplDrivesASession) {
  const Finished repl =
      Do({"repl", "--server", server_.address(), "--session", "lab"},
         "a: mmap 0 1p rw- PRIVATE|ANON\nwrite $a 5\nread $a\n");
  EXPECT_EQ(repl.code, kExitOk) << repl.err;
  EXPECT_THAT(repl.out, HasSubstr("read $a  = 5"));
  EXPECT_THAT(Do({"verify", "lab"}).out, HasSubstr("verified 3 of 3"));
}

TEST_F(ServerTest, WhatTheServerRefusesIsExplained) {
  EXPECT_THAT(Do({"session", "create", "Bad_Name"}).err,
              HasSubstr("1 to 63 of a-z, 0-9 and -"));
  EXPECT_THAT(Do({"session", "create", "lab", "--boot", "ram=1k"}).err,
              HasSubstr("out of range"));
  EXPECT_THAT(Do({"session", "create", "lab", "--boot", "rma=1m"}).err,
              HasSubstr("unknown boot key 'rma'; did you mean 'ram'?"));
  EXPECT_THAT(Do({"verify", "nobody"}).err, HasSubstr("no session"));
  ASSERT_EQ(RunIn("lab", kScript).code, kExitOk);
  EXPECT_THAT(Do({"cat", "/proc/9/maps", "--session", "lab"}).err,
              HasSubstr("/proc/9/maps: ENOENT"));
}

}  // namespace
}  // namespace faultline::cli

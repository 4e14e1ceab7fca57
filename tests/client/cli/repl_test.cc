// `faultline repl`, with lines from a pipe and with a person at a terminal.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "client/cli/exit_code.h"
#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ReplTest, TakesLinesFromAPipe) {
  const Finished repl = Faultline(
      {"repl"}, "a: mmap 0 1p rw- PRIVATE|ANON\nwrite $a 5\nread $a\n");
  EXPECT_EQ(repl.code, kExitOk) << repl.err;
  EXPECT_THAT(repl.out, HasSubstr("read $a  = 5"));
  EXPECT_THAT(repl.out, Not(HasSubstr("@0>"))) << "no prompt in a pipe";
}

TEST(ReplTest, GoesOnAfterAnErrorAndSaysSoAtTheEnd) {
  const Finished repl = Faultline({"repl"}, "mmpa 0\nbrk 0\n");
  EXPECT_EQ(repl.code, kExitCannot);
  EXPECT_THAT(repl.err, HasSubstr("unknown op 'mmpa'; did you mean 'mmap'?"));
  EXPECT_THAT(repl.out, HasSubstr("brk 0  = 0x"));
}

TEST(ReplTest, AFailedExpectationIsStatusOne) {
  const Finished repl = Faultline({"repl"}, "brk 0\nexpect err ENOMEM\n");
  EXPECT_EQ(repl.code, kExitFailed);
  EXPECT_THAT(repl.out, HasSubstr("FAILS: expect err ENOMEM"));
}

TEST(ReplTest, Helps) {
  const Finished repl = Faultline({"repl"}, "help\nhelp mmap\nhelp mmpa\n");
  EXPECT_THAT(repl.out, HasSubstr("munmap"));
  EXPECT_THAT(repl.out, HasSubstr("mmap ADDR LEN PROT FLAGS [FILE|- [PGOFF]]"));
  EXPECT_THAT(repl.err, HasSubstr("no op 'mmpa'; did you mean 'mmap'?"));
}

class TerminalTest : public testing::Test {
 protected:
  Environment environment_ = {{"XDG_STATE_HOME", TemporaryDirectory()},
                              {"TERM", "xterm"},
                              {"NO_COLOR", "1"}};
};

TEST_F(TerminalTest, PromptsCompletesAndKeepsHistory) {
  {
    OnTerminal repl({"repl"}, environment_);
    EXPECT_THAT(repl.ReadUntil("@0> "), HasSubstr("A simulated Linux machine"));
    repl.Type("label: mma\t0 1p rw- PRIVATE|POPU\t\n");
    EXPECT_THAT(repl.ReadUntil("@0> "),
                HasSubstr("label: mmap 0 1p rw- PRIVATE|POPULATE"));
    repl.Type("label: mmap 0 1p rw- PRIVATE|ANON\n");
    EXPECT_THAT(repl.ReadUntil("@0> "), HasSubstr("= 0x7ffff7ffe000"));
    repl.Type("read $la\t\n");
    EXPECT_THAT(repl.ReadUntil("@0> "), HasSubstr("read $label  = 0"));
    repl.Type("quit\n");
    EXPECT_EQ(repl.Wait(), kExitOk);
  }
  OnTerminal again({"repl"}, environment_);
  again.ReadUntil("@0> ");
  again.Type("\x10\x10");  // Ctrl-P: quit, and the line before it
  EXPECT_THAT(again.ReadUntil("$label"), HasSubstr("read $label"));
  again.Type("\x15quit\n");  // Ctrl-U: forget the line
  EXPECT_EQ(again.Wait(), kExitOk);
}

TEST_F(TerminalTest, ControlDEnds) {
  OnTerminal repl({"repl"}, environment_);
  repl.ReadUntil("@0> ");
  repl.Type("\x04");
  EXPECT_EQ(repl.Wait(), kExitOk);
}

TEST_F(TerminalTest, ColoursAreForTerminalsThatWantThem) {
  const std::string script = WriteTemporary("color.s", "read 0\n");
  {
    OnTerminal run({"run", script}, environment_);
    EXPECT_THAT(run.ReadUntil("operation"), Not(HasSubstr("\033[31m")));
  }
  environment_["NO_COLOR"] = "";
  {
    OnTerminal run({"run", script}, environment_);
    EXPECT_THAT(run.ReadUntil("operation"), HasSubstr("\033[31mSIGSEGV"));
  }
  environment_["TERM"] = "dumb";
  OnTerminal run({"run", script}, environment_);
  EXPECT_THAT(run.ReadUntil("operation"), Not(HasSubstr("\033[31m")));
}

}  // namespace
}  // namespace faultline::cli

// One line at a time, and how lines of several tasks are put in order.

#include "client/cli/strace/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "tests/client/strace/describe.h"

namespace faultline::strace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The single record of a line.
Record One(const std::string& line) {
  const Reading reading = ReadText(line + "\n");
  EXPECT_THAT(Describe(reading.diagnostics), IsEmpty());
  EXPECT_THAT(reading.records, SizeIs(1)) << line;
  return reading.records.empty() ? Record() : reading.records.front();
}

std::vector<std::string> Records(const std::string& text) {
  return Describe(ReadText(text).records);
}

TEST(PrefixTest, EveryFormOfPid) {
  EXPECT_EQ(Describe(One("brk(NULL) = 0x555500")), "0 brk = 0x555500");
  EXPECT_EQ(Describe(One("28 brk(NULL) = 1")), "28 brk = 1");
  EXPECT_EQ(Describe(One("28    brk(NULL)        = 1")), "28 brk = 1");
  EXPECT_EQ(Describe(One("28<a b> brk(NULL) = 1")), "28 brk = 1");
}

TEST(PrefixTest, APrefixInBracketsNamesTheFirstTaskToo) {
  EXPECT_THAT(
      Records("[pid    28] brk(NULL) = 1\n[pid 29<ls>] brk(NULL) = 2\n"),
      ElementsAre("28 brk = 1", "29 brk = 2"));
}

TEST(PrefixTest, EveryFormOfTime) {
  const auto time = [](const std::string& prefix) {
    return One(prefix + "brk(NULL) = 1").time.value_or(Timestamp());
  };
  using Kind = Timestamp::Kind;
  EXPECT_EQ(time("10:20:30 ").kind, Kind::kTimeOfDay);
  EXPECT_EQ(time("10:20:30 ").nanoseconds, 37230'000'000'000);
  EXPECT_EQ(time("28 10:20:30.000001 ").nanoseconds, 37230'000'001'000);
  EXPECT_EQ(time("28 1700000000.123456 ").kind, Kind::kEpoch);
  EXPECT_EQ(time("1700000000 ").nanoseconds, 1700000000'000'000'000);
  EXPECT_EQ(time("28      0.000123 ").kind, Kind::kRelative);
  EXPECT_EQ(time("     0.000123 ").nanoseconds, 123'000);
  EXPECT_EQ(time("28 1700000000.5 (+     0.000123) ").nanoseconds,
            1700000000'500'000'000);
}

TEST(PrefixTest, InstructionPointerAndCallNumber) {
  EXPECT_EQ(Describe(One("28 [00007f48945ac9b3] brk(NULL) = 1")), "28 brk = 1");
  EXPECT_EQ(Describe(One("[  12] [????????????????] brk(NULL) = 1")),
            "0 brk = 1");
}

TEST(ResultTest, EveryForm) {
  const auto result = [](const std::string& ending) {
    return Describe(One("7 brk(NULL)" + ending));
  };
  EXPECT_EQ(result(" = 0x7f0000000000"), "7 brk = 0x7f0000000000");
  EXPECT_EQ(result("                = -1 ENOMEM (Cannot allocate memory)"),
            "7 brk = ENOMEM");
  EXPECT_EQ(result(" = ?"), "7 brk = ?");
  EXPECT_EQ(result(" = ? ERESTARTSYS (To be restarted if SA_RESTART is set)"),
            "7 brk = ? ERESTARTSYS");
  EXPECT_EQ(result(" = 3</lib/x y>"), "7 brk = 3 /lib/x y");
  EXPECT_EQ(result(" = 0 (Timeout)"), "7 brk = 0");
  EXPECT_EQ(result(" = 0x1 (flags FD_CLOEXEC)"), "7 brk = 1");
  EXPECT_EQ(result(" = ? <unavailable>"), "7 brk = ?");
}

TEST(ResultTest, ErrorsHaveNumbers) {
  const auto result = [](const std::string& ending) {
    return std::get<Syscall>(One("7 brk(NULL)" + ending).event).result;
  };
  EXPECT_EQ(result(" = -1 ENOMEM (Cannot allocate memory)").error, 12);
  EXPECT_EQ(result(" = -1 EVERYNEW (Unknown)").error, 0);
  EXPECT_EQ(result(" = -1 EVERYNEW (Unknown)").error_name, "EVERYNEW");
  EXPECT_EQ(result(" = -1 (errno 530)").error, 530);
  EXPECT_EQ(result(" = -1").value, ~uint64_t{0});
}

TEST(ResultTest, DurationAndTampering) {
  const auto call = [](const std::string& ending) {
    return std::get<Syscall>(One("7 brk(NULL)" + ending).event);
  };
  EXPECT_EQ(call(" = 1 <0.000123>").duration_ns, 123'000);
  EXPECT_EQ(call(" = 3</x> <0.5>").result.path, "/x");
  EXPECT_EQ(call(" = -1 ENOMEM (Cannot) (INJECTED) <1.5>").duration_ns,
            1'500'000'000);
  EXPECT_TRUE(call(" = -1 ENOMEM (Cannot) (INJECTED)").injected);
  EXPECT_FALSE(call(" = 1 (DELAYED)").injected);
  EXPECT_EQ(call(" = 1 (DELAYED)").result.value, 1U);
}

TEST(EventTest, SignalsAndEnds) {
  EXPECT_EQ(Describe(One("7 --- SIGSEGV {si_signo=SIGSEGV, "
                         "si_code=SEGV_MAPERR, si_addr=0x10} ---")),
            "7 SIGSEGV SEGV_MAPERR 0x10");
  EXPECT_EQ(Describe(One("7 --- SIGSEGV {si_signo=SIGSEGV, "
                         "si_code=SEGV_MAPERR, si_addr=NULL} ---")),
            "7 SIGSEGV SEGV_MAPERR 0");
  EXPECT_EQ(Describe(One("7 --- SIGCHLD {si_signo=SIGCHLD, "
                         "si_code=CLD_EXITED, si_pid=8, si_status=0} ---")),
            "7 SIGCHLD CLD_EXITED");
  EXPECT_EQ(Describe(One("7 --- SIGRT_1 {si_signo=SIGRT_1} ---")), "7 SIGRT_1");
  EXPECT_EQ(Describe(One("7 --- stopped by SIGTTOU ---")), "7 stopped SIGTTOU");
  EXPECT_EQ(Describe(One("7 +++ exited with 3 +++")), "7 exited 3");
  EXPECT_EQ(Describe(One("7 +++ killed by SIGKILL +++")), "7 killed SIGKILL");
  EXPECT_EQ(Describe(One("7 +++ killed by SIGSEGV (core dumped) +++")),
            "7 killed SIGSEGV core");
}

TEST(EventTest, SignalNumbers) {
  EXPECT_EQ(std::get<Signal>(One("7 --- SIGBUS {si_signo=7} ---").event).number,
            7);
  EXPECT_EQ(std::get<Killed>(One("7 +++ killed by SIGRT_3 +++").event).number,
            35);
}

TEST(ReaderTest, ArgumentsAreKeptAsWritten) {
  const Record record =
      One("7 write(1</dev/pts/0>, \"a, b)\"..., 4096) = 4096");
  const Syscall& call = std::get<Syscall>(record.event);
  EXPECT_THAT(call.arguments,
              ElementsAre("1</dev/pts/0>", "\"a, b)\"...", "4096"));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(call.call));
}

TEST(ReaderTest, LinesMayEndAsOnWindows) {
  EXPECT_THAT(Records("7 brk(NULL) = 1\r\n\r\n7 brk(NULL) = 2\r\n"),
              ElementsAre("7 brk = 1", "7 brk = 2"));
}

TEST(InterleavingTest, ACallIsDeliveredWhereItCompletes) {
  const Reading reading = ReadText(
      "1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 "
      "<unfinished ...>\n"
      "2 brk(NULL <unfinished ...>\n"
      "1 <... mmap resumed>) = 0x7f0000000000\n"
      "2 <... brk resumed>)                = 0x5550000\n");
  EXPECT_THAT(Describe(reading.records),
              ElementsAre("1 mmap = 0x7f0000000000", "2 brk = 0x5550000"));
  EXPECT_EQ(reading.records[0].line, 3);
  EXPECT_EQ(reading.records[0].first_line, 1);
  const auto& call = std::get<Syscall>(reading.records[0].event);
  EXPECT_EQ(std::get<Mmap>(call.call).length, 4096U);
}

TEST(InterleavingTest, ArgumentsMayBeSplitAnywhere) {
  const Reading reading = ReadText(
      "1 prlimit64(0, RLIMIT_STACK, NULL,  <unfinished ...>\n"
      "1 <... prlimit64 resumed>{rlim_cur=1, rlim_max=2}) = 0\n"
      "1 wait4(-1,  <unfinished ...>\n"
      "1 <... wait4 resumed> [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, "
      "NULL) = 9\n"
      "1 munmap(0x1000, 4096 <unfinished ...>\n"
      "1 <... munmap resumed> )             = 0\n"
      "1 vfork( <unfinished ...>\n"
      "1 <... vfork resumed>) = 10\n");
  EXPECT_THAT(Describe(reading.diagnostics), IsEmpty());
  EXPECT_THAT(Describe(reading.records),
              ElementsAre("1 prlimit64 = 0", "1 wait4 = 9", "1 munmap = 0",
                          "1 vfork = 10"));
  const auto& limit = std::get<Syscall>(reading.records[0].event);
  EXPECT_EQ(std::get<Rlimit>(limit.call).got->hard, 2U);
}

TEST(InterleavingTest, EndsOfCallsThatNeverBeganAreNamed) {
  const Reading reading = ReadText(
      "1 brk(NULL) = 1\n"
      "1 <... mmap resumed>) = 0x7f0000000000\n"
      "1 brk(NULL <unfinished ...>\n"
      "1 <... munmap resumed>) = 0\n");
  EXPECT_THAT(
      Describe(reading.diagnostics),
      ElementsAre(
          "2: it resumes a call whose beginning is not in the recording",
          "4: it resumes munmap, but brk of line 3 is unfinished",
          "3: brk of task 1 never completes in this recording"));
  EXPECT_EQ(reading.totals.unfinished, 1);
}

TEST(CloneTest, TheChildMayComeAfterTheParentsReturn) {
  const Reading reading = ReadText("1 fork() = 2\n2 brk(NULL) = 5\n");
  EXPECT_THAT(Describe(reading.records),
              ElementsAre("1 fork = 2", "2 brk = 5"));
  EXPECT_THAT(Describe(reading.diagnostics), IsEmpty());
  EXPECT_EQ(reading.totals.tasks, 2);
}

TEST(CloneTest, TheChildMayComeBeforeTheParentsReturn) {
  const Reading reading = ReadText(
      "1 clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD, stack=0x7f}, "
      "88 <unfinished ...>\n"
      "2 execve(\"/bin/true\", [\"true\"], 0x7f /* 1 var */) = 0\n"
      "2 exit_group(0) = ?\n"
      "1 <... clone3 resumed>) = 2\n"
      "2 +++ exited with 0 +++\n");
  EXPECT_THAT(Describe(reading.records),
              ElementsAre("1 clone3 = 2", "2 execve = 0", "2 exit_group = ?",
                          "2 exited 0"));
  EXPECT_THAT(Describe(reading.diagnostics), IsEmpty());
  const auto& call = std::get<Syscall>(reading.records[0].event);
  EXPECT_EQ(std::get<Clone>(call.call).flags, kCloneVm | kCloneVfork);
}

TEST(CloneTest, OfSeveralUnfinishedClonesTheRightOneIsTheMaker) {
  // 3 appears while both 1 and 2 are in clone; only later lines tell whose
  // child it is.
  const Reading reading = ReadText(
      "1 clone(child_stack=NULL, flags=SIGCHLD) = 2\n"
      "1 vfork( <unfinished ...>\n"
      "2 fork( <unfinished ...>\n"
      "3 brk(NULL) = 5\n"
      "4 brk(NULL) = 6\n"
      "2 <... fork resumed>) = 3\n"
      "1 <... vfork resumed>) = 4\n"
      "3 exit_group(0) = ?\n");
  EXPECT_THAT(Describe(reading.records),
              ElementsAre("1 clone = 2", "2 fork = 3", "3 brk = 5",
                          "1 vfork = 4", "4 brk = 6", "3 exit_group = ?"));
  EXPECT_THAT(Describe(reading.diagnostics), IsEmpty());
}

TEST(CloneTest, WhoseChildItIsMayNeverBecomeClear) {
  const Reading reading = ReadText(
      "1 fork() = 2\n"
      "1 fork( <unfinished ...>\n"
      "2 fork( <unfinished ...>\n"
      "3 brk(NULL) = 5\n");
  EXPECT_THAT(Describe(reading.records),
              ElementsAre("1 fork = 2", "1 fork = 3", "3 brk = 5"));
  EXPECT_THAT(Describe(reading.diagnostics),
              ElementsAre("4: task 3 could be the child of several calls; "
                          "taken for that of line 2",
                          "3: fork of task 2 never completes in this "
                          "recording"));
}

TEST(CloneTest, WaitingForTheMakerIsBounded) {
  std::ostringstream text;
  text << "1 fork() = 2\n1 fork( <unfinished ...>\n2 fork( <unfinished ...>\n";
  for (size_t i = 0; i < Reader::kHeldRecordsMax + 10; ++i) {
    text << "3 brk(NULL) = 5\n";
  }
  text << "2 <... fork resumed>) = 3\n";
  const Reading reading = ReadText(text.str());
  EXPECT_EQ(Describe(reading.records[1]), "1 fork = 3");
  ASSERT_FALSE(reading.diagnostics.empty());
  EXPECT_THAT(reading.diagnostics[0].reason, HasSubstr("several calls"));
}

TEST(CloneTest, AWrongGuessIsNamed) {
  const Reading reading = ReadText(
      "1 fork( <unfinished ...>\n2 brk(NULL) = 5\n1 <... fork resumed>) = 9\n");
  EXPECT_THAT(Describe(reading.diagnostics),
              ElementsAre("3: task 2 was taken for the child of this call, "
                          "which it is not"));
}

TEST(CloneTest, AFailedCloneMakesNobody) {
  EXPECT_THAT(
      Records("1 fork() = -1 EAGAIN (Resource temporarily unavailable)\n"
              "1 fork( <unfinished ...>\n"
              "1 <... fork resumed>) = ? ERESTARTNOINTR (To be restarted)\n"),
      ElementsAre("1 fork = EAGAIN", "1 fork = ? ERESTARTNOINTR"));
}

TEST(CloneTest, ATaskWithoutAMakerIsNamed) {
  const Reading reading = ReadText("1 brk(NULL) = 1\n2 brk(NULL) = 2\n");
  EXPECT_THAT(Describe(reading.diagnostics),
              ElementsAre("2: task 2 appears without the call that made it"));
}

TEST(CloneTest, APidMayBeUsedAgain) {
  const Reading reading = ReadText(
      "1 fork() = 2\n2 +++ exited with 0 +++\n1 fork() = 2\n"
      "2 brk(NULL) = 7\n");
  EXPECT_THAT(
      Describe(reading.records),
      ElementsAre("1 fork = 2", "2 exited 0", "1 fork = 2", "2 brk = 7"));
  EXPECT_THAT(Describe(reading.diagnostics), IsEmpty());
  EXPECT_EQ(reading.totals.tasks, 3);
}

TEST(ExecTest, AThreadsExecveGoesOnUnderTheLeadersPid) {
  const Reading reading = ReadText(
      "1 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD) = 2\n"
      "2 execve(\"/bin/true\", [\"true\"], NULL <unfinished ...>\n"
      "1 pause( <unfinished ...>\n"
      "1 <... pause resumed>) = ?\n"
      "1 +++ superseded by execve in pid 2 +++\n"
      "1 <... execve resumed>) = 0\n"
      "1 +++ exited with 0 +++\n");
  EXPECT_THAT(Describe(reading.records),
              ElementsAre("1 clone = 2", "1 pause = ?", "1 superseded by 2",
                          "1 execve = 0", "1 exited 0"));
  EXPECT_THAT(Describe(reading.diagnostics), IsEmpty());
}

TEST(StderrTest, AttachedInTheMiddleOfACloneIsJoined) {
  const Reading reading = ReadText(
      "vfork(strace: Process 3 attached\n"
      " <unfinished ...>\n"
      "[pid     3] execve(\"/bin/true\", [\"true\"], 0x7f /* 1 var */) = 0\n"
      "[pid     2] <... vfork resumed>)        = 3\n"
      "[pid     3] +++ exited with 0 +++\n"
      "exit_group(3)                           = ?\n"
      "+++ exited with 3 +++\n");
  EXPECT_THAT(Describe(reading.records),
              ElementsAre("0 vfork = 3", "3 execve = 0", "3 exited 0",
                          "0 exit_group = ?", "0 exited 3"));
  EXPECT_THAT(Describe(reading.diagnostics), IsEmpty());
}

TEST(StderrTest, TheCloneMayEndOnTheNextLine) {
  EXPECT_THAT(Records("clone(child_stack=NULL, flags=SIGCHLD, "
                      "child_tidptr=0x7fstrace: Process 3 attached\n"
                      ") = 3\n"
                      "[pid 2] brk(NULL) = 1\n"
                      "[pid 3] brk(NULL) = 2\n"),
              ElementsAre("0 clone = 3", "0 brk = 1", "3 brk = 2"));
}

TEST(StderrTest, TheFirstTaskMayEndFirst) {
  EXPECT_THAT(Records("fork() = 3\n"
                      "strace: Process 3 attached\n"
                      "[pid 2] exit_group(0) = ?\n"
                      "[pid 2] +++ exited with 0 +++\n"
                      "brk(NULL) = 4\n"
                      "strace: Process 3 detached\n"),
              ElementsAre("0 fork = 3", "0 exit_group = ?", "0 exited 0",
                          "3 brk = 4", "3 detached"));
}

TEST(StderrTest, TheProgramsOwnOutputIsSkippedByLine) {
  const Reading reading = ReadText(
      "execve(\"/bin/echo\", [\"echo\"], 0x7f /* 1 var */) = 0\n"
      "hello from the program\n"
      "brk(NULL) = 1\n");
  EXPECT_THAT(Describe(reading.records),
              ElementsAre("0 execve = 0", "0 brk = 1"));
  ASSERT_THAT(reading.diagnostics, SizeIs(1));
  EXPECT_EQ(reading.diagnostics[0].kind, Diagnostic::Kind::kSkipped);
  EXPECT_EQ(reading.diagnostics[0].line, 2);
  EXPECT_EQ(reading.diagnostics[0].excerpt, "hello from the program");
  EXPECT_TRUE(reading.verdict.usable());
}

TEST(DetachTest, AnUnfinishedCallMayEndDetached) {
  EXPECT_THAT(Records("1 read(0,  <detached ...>\n"),
              ElementsAre("1 detached"));
}

TEST(ReaderTest, ALineOfManyMegabytesIsSkipped) {
  const Reading reading = ReadText("1 brk(NULL) = 1\n1 write(1, \"" +
                                   std::string(Reader::kLineBytesMax, 'x') +
                                   "\", 1) = 1\n1 brk(NULL) = 2\n");
  EXPECT_THAT(Describe(reading.records), ElementsAre("1 brk = 1", "1 brk = 2"));
  EXPECT_THAT(Describe(reading.diagnostics),
              ElementsAre("2: it is longer than 1048576 bytes"));
}

TEST(ReaderTest, UnfinishedCallsAreBoundedInNumberAndInSize) {
  std::ostringstream many;
  for (size_t i = 1; i <= Tasks::kPendingMax + 5; ++i) {
    many << i << " brk(NULL <unfinished ...>\n";
  }
  EXPECT_EQ(ReadText(many.str()).totals.skipped, 5);
  std::ostringstream large;
  const std::string half_mebibyte(size_t{1} << 19, 'x');
  constexpr size_t kFit = Tasks::kPendingBytesMax >> 19;
  for (size_t i = 1; i <= kFit + 5; ++i) {
    large << i << " write(1, \"" << half_mebibyte << " <unfinished ...>\n";
  }
  EXPECT_GE(ReadText(large.str()).totals.skipped, 5);
}

TEST(ReaderTest, DiagnosticsAreBoundedAndTotalsExact) {
  std::ostringstream text;
  text << "1 brk(NULL) = 1\n";
  for (int i = 0; i < 5000; ++i) text << "nonsense\n";
  const Reading reading = ReadText(text.str());
  EXPECT_THAT(reading.diagnostics, SizeIs(Diagnostics::kKeptMax));
  EXPECT_EQ(reading.totals.skipped, 5000);
  EXPECT_EQ(reading.totals.used, 1);
}

TEST(ReaderTest, ACutOffLastLineIsNamed) {
  const Reading reading = ReadText("1 brk(NULL) = 1\n1 mmap(NULL, 40");
  EXPECT_THAT(Describe(reading.diagnostics),
              ElementsAre("2: the call's closing bracket is missing",
                          "2: the recording is cut off: its last line has no "
                          "end"));
}

TEST(ReaderTest, ArgumentsThatDoNotFitAreNamedAndDeliveredAsText) {
  const Reading reading = ReadText("1 munmap({}, 4096) = 0\n");
  EXPECT_THAT(Describe(reading.records), ElementsAre("1 munmap = 0"));
  EXPECT_THAT(Describe(reading.diagnostics),
              ElementsAre("1: munmap: argument 1 ({}) is not a number; "
                          "delivered as text only"));
}

TEST(ReaderTest, UnknownFlagsAreNamed) {
  EXPECT_THAT(
      Describe(
          ReadText("1 mprotect(0x1000, 4096, PROT_NEW) = 0\n").diagnostics),
      ElementsAre("1: mprotect: unknown flag PROT_NEW is left out"));
}

}  // namespace
}  // namespace faultline::strace

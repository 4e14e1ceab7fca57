// Grading what a student did: goals, rules, and how far a submission counts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/grading/grading_testing.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;

// An exercise whose goals are `goals`, with `more` at its end.
std::string WithGoals(const std::string& goals, const std::string& more = "") {
  return absl::StrCat(
      "id: demo\ntitle: A demonstration\ntext: Do it\n"
      "variables:\n  - {name: n, range: {min: 3, max: 3}}\n"
      "setup: |\n"
      "  buf: mmap 0x10000000 8p rw- PRIVATE|ANON|FIXED\n"
      "  fill: writer $buf 2 1p 1\n"
      "solution: brk 0\n"
      "goals:\n",
      goals, more);
}

class Achieve : public testing::Test {
 protected:
  // What `scenario` gets for an exercise of these goals.
  v1::GradeReport Grade(const std::string& goals, const std::string& scenario,
                        const std::string& more = "") {
    exercise_ = MustRead(WithGoals(goals, more));
    Played played(exercise_);
    v1::GradeReport report = played.Perform(scenario);
    stopped_ = played.stopped();
    return report;
  }

  Exercise exercise_;
  absl::Status stopped_;
};

constexpr char kThree[] =
    "  - {id: three, text: Three, state: 'frames() == n + at(fill, "
    "frames())',\n"
    "     hint: 'There are {frames()}.'}\n";

TEST_F(Achieve, AStateIsThatAtTheEnd) {
  const v1::GradeReport good = Grade(kThree, "writer $buf+2p 3 1p 1\n");
  EXPECT_EQ(good.score(), 1) << good.DebugString();
  EXPECT_EQ(CheckOf(good, "three").message(), "achieved");
  const v1::GradeReport undone =
      Grade(kThree, "writer $buf+2p 3 1p 1\nmunmap $buf+2p 1p\n");
  EXPECT_EQ(undone.score(), 0);
  EXPECT_EQ(CheckOf(undone, "three").message(), "There are 5.");
}

TEST_F(Achieve, WhatDecidedIsTheLastThatShapedTheState) {
  const v1::GradedCheck check =
      CheckOf(Grade(kThree, "brk 0\nwriter $buf+2p 2 1p 1\nbrk 0\n"), "three");
  EXPECT_THAT(check.deciding_event(), HasSubstr("0x10003000"));
  EXPECT_EQ(check.evidence(), "mine.s, operation 2");
}

TEST_F(Achieve, AStateThatCannotBeAskedForIsNotAchieved) {
  const v1::GradedCheck check = CheckOf(
      Grade("  - {id: gone, text: t, state: vmas(1) == 2}\n", "brk 0\n"),
      "gone");
  EXPECT_EQ(check.points(), 0);
  EXPECT_THAT(check.actual(), HasSubstr("there is no process 1"));
}

constexpr char kCopies[] =
    "  - id: copies\n"
    "    text: Two copies\n"
    "    points: 2\n"
    "    event: {event: cow_copy, process: 1, where: event.address < $buf + "
    "8192,\n"
    "            at_least: n - 1, at_most: n - 1}\n";

TEST_F(Achieve, EventsAreCounted) {
  const v1::GradedCheck good =
      CheckOf(Grade(kCopies, "fork\n@1 writer $buf 2 1p 5\n"), "copies");
  EXPECT_EQ(good.points(), 2);
  EXPECT_EQ(good.actual(), "2 x cow_copy");
  EXPECT_THAT(good.deciding_event(), HasSubstr("0x10001000"));
  EXPECT_EQ(good.evidence(), "mine.s, operation 2");
  const v1::GradedCheck few =
      CheckOf(Grade(kCopies, "fork\n@1 write $buf 5\n"), "copies");
  EXPECT_EQ(few.points(), 0);
  EXPECT_THAT(few.deciding_event(), HasSubstr("0x10000000"))
      << "as far as it went";
  EXPECT_EQ(CheckOf(Grade(kCopies, "fork\n@0 writer $buf 2 1p 5\n"), "copies")
                .actual(),
            "0 x cow_copy")
      << "of another process";
  EXPECT_EQ(
      CheckOf(Grade(kCopies,
                    "fork\n@1 writer $buf 2 1p 5\nfork\n@1 write $buf 5\n"),
              "copies")
          .points(),
      0)
      << "three are too many";
}

TEST_F(Achieve, ASequenceIsInOrderWithOthersBetween) {
  constexpr char kGoal[] =
      "  - {id: order, text: t, sequence: [{event: vma_split}, {event: "
      "vma_merge}]}\n";
  constexpr char kSplit[] = "mprotect $buf+2p 1p r--\n";
  constexpr char kMerge[] = "mprotect $buf+2p 1p rw-\n";
  EXPECT_EQ(Grade(kGoal, absl::StrCat(kSplit, "brk 0\nfork\n", kMerge)).score(),
            1);
  const v1::GradedCheck check = CheckOf(Grade(kGoal, kSplit), "order");
  EXPECT_EQ(check.points(), 0);
  EXPECT_EQ(check.actual(), "1 of 2 events in order, then no vma_merge");
  EXPECT_THAT(check.deciding_event(), HasSubstr("split"));
}

TEST_F(Achieve, WhatTheSetupDidDoesNotCount) {
  EXPECT_EQ(CheckOf(Grade("  - {id: e, text: t, event: {event: anon_page}}\n",
                          "brk 0\n"),
                    "e")
                .actual(),
            "0 x anon_page");
}

constexpr char kCheap[] =
    "  - {id: got, text: t, state: present($buf + 8192)}\n"
    "  - {id: cheap, text: t, within: {commands: 2, minor_faults: 1}}\n";

TEST_F(Achieve, EconomyCountsOnceTheRestIsAchieved) {
  EXPECT_EQ(Grade(kCheap, "write $buf+2p 1\n").score(), 2);
  const v1::GradeReport idle = Grade(kCheap, "");
  EXPECT_EQ(idle.score(), 0);
  EXPECT_EQ(CheckOf(idle, "cheap").message(),
            "counts once the other goals are achieved");
  const v1::GradeReport dear = Grade(kCheap, "brk 0\nbrk 0\nwrite $buf+2p 1\n");
  EXPECT_EQ(dear.score(), 1);
  EXPECT_EQ(CheckOf(dear, "cheap").evidence(), "mine.s, operation 3");
  EXPECT_THAT(CheckOf(dear, "cheap").actual(), HasSubstr("3 commands"));
  EXPECT_EQ(Grade(kCheap, "writer $buf+2p 2 1p 1\n").score(), 1)
      << "two faults";
}

TEST_F(Achieve, RulesCutTheSubmissionOff) {
  constexpr char kRules[] =
      "rules: {allow: [access, brk], budget: {commands: 2}}\n";
  const v1::GradeReport forbidden =
      Grade(kThree, "fork\nwriter $buf+2p 3 1p 1\n", kRules);
  EXPECT_EQ(forbidden.score(), 0);
  EXPECT_THAT(forbidden.message(),
              HasSubstr("mine.s:1:1: fork is not allowed here, only access, "
                        "brk"));
  const v1::GradeReport reached =
      Grade(kThree, "writer $buf+2p 3 1p 1\nfork\n", kRules);
  EXPECT_EQ(reached.score(), 1) << "what came before counts";
  const v1::GradeReport late =
      Grade(kThree, "brk 0\nbrk 0\nwriter $buf+2p 3 1p 1\n", kRules);
  EXPECT_EQ(late.score(), 0);
  EXPECT_THAT(late.message(),
              HasSubstr("mine.s:3:1: the budget is used up: 3 commands of 2"));
  EXPECT_THAT(
      Grade(kThree, "munmap $buf 1p\n", "rules: {deny: [munmap]}\n").message(),
      HasSubstr("munmap is not allowed here"));
}

TEST_F(Achieve, ACommandThatBreaksTheBudgetIsUndone) {
  const v1::GradeReport report = Grade(kThree, "writer $buf+2p 3 1p 1\n",
                                       "rules: {budget: {minor_faults: 2}}\n");
  EXPECT_EQ(report.score(), 0) << "the state before it is what counts";
  EXPECT_EQ(CheckOf(report, "three").message(), "There are 3.");
  EXPECT_THAT(report.message(), HasSubstr("3 minor faults of 2"));
}

TEST_F(Achieve, TheServersOwnBoundsHoldToo) {
  const v1::GradeReport report = Grade(kThree, "readr $buf 2000000 0\n");
  EXPECT_THAT(report.message(), HasSubstr("more than 1048576 accesses"));
  EXPECT_EQ(report.status(), v1::REPORT_STATUS_GRADED);
}

TEST_F(Achieve, AFailedExpectationOfTheStudentsOwnEndsIt) {
  const v1::GradeReport report =
      Grade(kThree, "brk 0\nexpect ret == 1\nwriter $buf+2p 3 1p 1\n");
  EXPECT_EQ(report.score(), 0);
  EXPECT_THAT(report.message(), HasSubstr("mine.s:2:1: expected ret"));
}

TEST_F(Achieve, LabelsOfTheSetupCannotBeTaken) {
  constexpr char kGoal[] =
      "  - {id: g, text: t, state: present($buf + 8192)}\n";
  EXPECT_EQ(
      Grade(kGoal, "buf: mmap 0 8p rw- PRIVATE|ANON\nwriter $buf 8 1p 1\n")
          .score(),
      0)
      << "$buf is that of the set-up";
}

TEST_F(Achieve, WhatIsNoScenarioIsRefused) {
  Grade(kThree, "wirter $buf 1\n");
  EXPECT_TRUE(absl::IsInvalidArgument(stopped_));
  EXPECT_THAT(std::string(stopped_.message()),
              HasSubstr("mine.s:1:1: unknown op 'wirter'; did you mean "
                        "'writer'?"));
  Grade(kThree, "boot ram=1g\n");
  EXPECT_THAT(std::string(stopped_.message()),
              HasSubstr("'boot' must be the first line"));
}

TEST_F(Achieve, TotalsAreOfTheStudentAlone) {
  EXPECT_EQ(
      Grade("  - {id: g, text: t, state: total.min == 1 && total.commands "
            "== 1 && events(anon_page) == 1}\n",
            "write $buf+4p 1\n")
          .score(),
      1);
}

}  // namespace
}  // namespace faultline::grading

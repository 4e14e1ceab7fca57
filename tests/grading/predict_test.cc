// Grading answers: points, feedback, and the event that decided.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/grading/grading_testing.h"

namespace faultline::grading {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kDemo[] = R"yaml(
id: demo
title: A demonstration
text: Some text
setup: |
  a: mmap 0x10000000 6p rw- PRIVATE|ANON|FIXED
  r: readr $a 2 1p
  w: writer $a 4 1p 1
  bad: munmap $a 0
  seg: read 0x1000
  u: munmap $a+2p 1p
questions:
  - id: faults
    text: How many?
    points: 3
    answer: w.min
    explanation: "It is {w.min}."
    misconceptions:
      - {tag: fresh-only, answer: w.min - r.min, note: "Not only {w.min - r.min}."}
      - {tag: even, answer: "2", note: An even number.}
  - {id: list, text: "Which?", points: 4, type: numbers, answer: "[r.min, w.min]"}
  - {id: errno, text: "Which?", type: errno, answer: bad.err}
  - {id: code, text: "Which?", type: signal_code, answer: seg.code}
  - {id: vmas, text: "How many?", answer: vmas()}
  - {id: rss, text: "How many?", answer: "at(w, status(VmRSS))"
}
  - {id: hidden, text: "Secret?", answer: total.min, hidden: true, points: 2}
)yaml";

class Predict : public testing::Test {
 protected:
  v1::GradedCheck Graded(const std::string& id, const std::string& answer) {
    return CheckOf(played_.Answer({{id, answer}}), id);
  }

  const Exercise exercise_ = MustRead(kDemo);
  const Played played_{exercise_};
};

TEST_F(Predict, TheSolutionGetsAllPoints) {
  const v1::GradeReport report = played_.Answer(played_.Solution());
  EXPECT_EQ(report.score(), 13);
  EXPECT_EQ(report.score_max(), 13);
  EXPECT_TRUE(IsFull(report));
  EXPECT_EQ(report.status(), v1::REPORT_STATUS_GRADED);
  EXPECT_EQ(report.exercise(), "demo");
  EXPECT_EQ(report.student(), "ada@x.edu");
  EXPECT_EQ(report.exercise_sha256().size(), 64u);
}

TEST_F(Predict, NothingGetsNothing) {
  const v1::GradeReport report = played_.Answer({});
  EXPECT_EQ(report.score(), 0);
  EXPECT_EQ(report.score_max(), 13);
  for (const v1::GradedCheck& check : report.checks()) {
    EXPECT_EQ(check.status(), v1::CHECK_STATUS_FAILED);
    EXPECT_EQ(check.message(), "no answer was given");
  }
  EXPECT_EQ(Graded("faults", "  \n ").message(), "no answer was given");
}

TEST_F(Predict, AWrongNumberIsToldWhereItsCountEnds) {
  const v1::GradedCheck check = Graded("faults", "3");
  EXPECT_EQ(check.points(), 0);
  EXPECT_EQ(check.message(), "not right");
  EXPECT_EQ(check.expected(), "4");
  EXPECT_EQ(check.actual(), "3");
  EXPECT_EQ(check.explanation(), "It is 4.");
  EXPECT_THAT(check.deciding_event(),
              StartsWith("Minor fault: a first write at 0x10003000 got a new "
                         "zeroed page"))
      << "three faults were foreseen; this is the fourth";
  EXPECT_EQ(check.evidence(), "setup.s, operation 3");
  EXPECT_THAT(Graded("faults", "0").deciding_event(), HasSubstr("0x10000000"));
  EXPECT_THAT(Graded("faults", "7").deciding_event(), HasSubstr("0x10003000"));
}

TEST_F(Predict, AMisconceptionIsNamed) {
  const v1::GradedCheck check = Graded("faults", "2");
  EXPECT_THAT(check.tags(), ElementsAre("fresh-only", "even"));
  EXPECT_EQ(check.message(), "Not only 2. An even number.");
  EXPECT_THAT(Graded("faults", "4").tags(), IsEmpty());
  EXPECT_THAT(Graded("faults", "5").tags(), IsEmpty());
}

TEST_F(Predict, PartsOfAnAnswerGetPartsOfThePoints) {
  const v1::GradedCheck check = Graded("list", "2, 7");
  EXPECT_EQ(check.points(), 2);
  EXPECT_EQ(check.status(), v1::CHECK_STATUS_PARTIAL);
  EXPECT_EQ(check.message(), "1 of 2 numbers are right: number 1");
}

TEST_F(Predict, WhatDecidedIsAnOutcomeWhereThereIsNoEvent) {
  EXPECT_EQ(Graded("errno", "none").deciding_event(),
            "`bad: munmap $a 0` returned -1 EINVAL.");
  EXPECT_EQ(Graded("code", "SEGV_ACCERR").deciding_event(),
            "The access at 0x1000 is refused, nothing is mapped there: "
            "SIGSEGV.");
}

TEST_F(Predict, OfStateTheLastEventThatShapedIt) {
  EXPECT_THAT(Graded("vmas", "9").deciding_event(), HasSubstr("0x10002000"));
  EXPECT_EQ(Graded("vmas", "9").evidence(), "setup.s, operation 6");
  EXPECT_THAT(Graded("rss", "9").deciding_event(),
              StartsWith("Minor fault: a first write at 0x10003000"))
      << "not what came after w:";
}

TEST_F(Predict, AnswersThatCannotBeReadSayWhatWouldDo) {
  EXPECT_THAT(Graded("faults", "four").message(),
              HasSubstr("'four' cannot be read: the answer is a number"));
  EXPECT_THAT(Graded("errno", "EWRONG").message(),
              HasSubstr("the name of an errno"));
}

TEST_F(Predict, AnAnswerToNoQuestionIsIgnored) {
  EXPECT_EQ(played_.Answer({{"nothing", "4"}}).score(), 0);
}

TEST_F(Predict, RedactingHidesChecksAndTotal) {
  v1::GradeReport report = played_.Answer(played_.Solution());
  EXPECT_NE(CheckOf(report, "hidden").expected(), "");
  RedactHidden(&report);
  EXPECT_TRUE(report.redacted());
  EXPECT_EQ(report.score(), 0);
  EXPECT_EQ(report.score_max(), 0);
  EXPECT_EQ(report.checks_size(), 6);
  for (const v1::GradedCheck& check : report.checks()) {
    EXPECT_NE(check.id(), "hidden");
    EXPECT_EQ(check.staff_message(), "");
  }
  EXPECT_THAT(report.DebugString(), testing::Not(HasSubstr("Secret")));
}

TEST_F(Predict, RedactingAnswersLeavesNothingThatTellsThem) {
  v1::GradeReport report = played_.Answer({{"faults", "2"}, {"vmas", "9"}});
  RedactAnswers(&report);
  for (const v1::GradedCheck& check : report.checks()) {
    EXPECT_EQ(check.expected(), "");
    EXPECT_EQ(check.explanation(), "");
    EXPECT_EQ(check.deciding_event(), "");
    EXPECT_EQ(check.evidence(), "");
    EXPECT_EQ(check.staff_message(), "");
  }
  EXPECT_EQ(CheckOf(report, "vmas").message(), "not right");
  EXPECT_EQ(CheckOf(report, "faults").message(), "Not only 2. An even number.");
}

TEST_F(Predict, WhatCannotBeGradedHasNoChecksAndAllPointsToGet) {
  const v1::GradeReport report =
      NotGradable(played_.MakeCase(), "no such file");
  EXPECT_EQ(report.status(), v1::REPORT_STATUS_NOT_GRADABLE);
  EXPECT_EQ(report.score(), 0);
  EXPECT_EQ(report.score_max(), 13);
  EXPECT_FALSE(IsFull(report));
}

TEST_F(Predict, AVariantTellsNoAnswer) {
  const auto variant =
      ToVariant(exercise_.proto, played_.drawn(), played_.stage());
  ASSERT_TRUE(variant.ok());
  const std::string text = variant->DebugString();
  for (const char* secret : {"w.min", "It is 4", "fresh-only", "Not only"}) {
    EXPECT_THAT(text, testing::Not(HasSubstr(secret)));
  }
  EXPECT_EQ(variant->questions(6).points(), 0) << "of a hidden one";
}

}  // namespace
}  // namespace faultline::grading

// What running variants shows.
#include "server/grading/lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/grading/grading_testing.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string Lint(const std::string& yaml, int seeds = 5) {
  const Exercise exercise = MustRead(yaml);
  std::string text;
  for (const Problem& problem : LintVariants(exercise, seeds, {})) {
    absl::StrAppend(&text, ToText("f", problem), "\n");
  }
  return text;
}

constexpr char kPredict[] =
    "id: demo\n"
    "title: t\n"
    "text: t\n"
    "variables:\n"
    "  - {name: n, range: {min: 2, max: 5}}\n"
    "setup: |\n"
    "  a: mmap 0 8p rw- PRIVATE|ANON\n"
    "  w: writer $a {n} 1p 1\n"
    "questions:\n"
    "  - id: q\n"
    "    text: t\n"
    "    answer: w.min\n"
    "    explanation: Because of {w.min}.\n"
    "    misconceptions:\n"
    "      - {tag: m, answer: n + 1, note: 'Not {n}.'}\n";

struct Change {
  const char* from;
  const char* to;
  const char* says;
};

TEST(Lint, AGoodExerciseHasNoProblems) {
  EXPECT_THAT(Lint(kPredict), IsEmpty());
}

TEST(Lint, WhatOnlyARunShows) {
  constexpr Change kChanges[] = {
      {"writer $a", "wirter $a",
       "f:8:6: setup: line 2: unknown op 'wirter'; did you mean 'writer'? "
       "(student lint-0)"},
      {"$a {n}", "$b {n}", "f:8:13: setup: line 2: "},
      {"w: writer", "a: writer",
       "f:8:6: setup: line 2: the label 'a' is given "
       "twice"},
      {"rw- PRIVATE", "rw- PRIVATE|FIXD",
       "f:7:28: setup: line 1: unknown mmap flag 'FIXD'"},
      {"w.min\n    exp", "x.min\n    exp",
       "f:10:5: questions[0]: question q: `x.min`: no operation of the set-up"},
      {"answer: w.min", "answer: maps()",
       "questions[0]: question q: `maps()`: it gives a text, not a number"},
      {"{w.min}.", "{vmas(4)}.",
       "question q: line 1 of the text, there is no "
       "process 4"},
      {"answer: n + 1", "answer: n / 0",
       "questions[0].misconceptions[0]: `n / "
       "0`: a division by 0"},
      {"answer: n + 1", "answer: maps()",
       "questions[0].misconceptions[0]: `maps()`: it gives a text"},
      {"Not {n}.", "Not {vmas(9)}.", "questions[0].misconceptions[0]: line 1"},
      {"setup:", "require: [n > 9]\nsetup:",
       "f:6:10: require: none of 1000 draws"},
      {"setup:", "  - {name: m, value: n / 0}\nsetup:",
       "f:5:3: variables: variable m: `n / 0`: a division by 0"},
      {"text: t\nvar", "text: '{n / 0}'\nvar",
       "line 1 of the text, a division"},
  };
  for (const Change& change : kChanges) {
    ASSERT_THAT(kPredict, HasSubstr(change.from));
    EXPECT_THAT(Lint(absl::StrReplaceAll(kPredict, {{change.from, change.to}})),
                HasSubstr(change.says))
        << change.to;
  }
}

TEST(Lint, AMisconceptionThatMayBeRightIsAWarning) {
  const std::string text = Lint(
      absl::StrReplaceAll(kPredict, {{"answer: n + 1", "answer: '3'"}}), 40);
  EXPECT_THAT(text,
              HasSubstr("f:15:9: warning: questions[0].misconceptions[0]: "
                        "in "));
  EXPECT_THAT(text, HasSubstr(" of 40 variants this is the right answer: "
                              "exclude them with `require`"));
  EXPECT_FALSE(
      HasErrors(LintVariants(MustRead(absl::StrReplaceAll(
                                 kPredict, {{"answer: n + 1", "answer: '3'"}})),
                             40, {})));
}

constexpr char kAchieve[] =
    "id: demo\n"
    "title: t\n"
    "text: t\n"
    "setup: |\n"
    "  a: mmap 0 8p rw- PRIVATE|ANON\n"
    "goals:\n"
    "  - {id: g, text: t, state: present($a)}\n"
    "  - {id: cheap, text: t, within: {commands: 1}}\n"
    "solution: write $a 1\n"
    "wrong:\n"
    "  - {name: w, scenario: write $a+1p 1}\n";

TEST(Lint, SolutionsMustSolveAndWrongOnesMustNot) {
  EXPECT_THAT(Lint(kAchieve), IsEmpty());
  constexpr Change kChanges[] = {
      {"solution: write $a 1", "solution: write $a+1p 1",
       "f:9:11: solution: it does not achieve 'g': it does not hold"},
      {"solution: write $a 1", "solution: wirte $a 1",
       "f:9:11: solution: solution:1:1: unknown op 'wirte'"},
      {"commands: 1}", "commands: 0}", "solution: it does not achieve 'cheap'"},
      {"write $a+1p 1", "write $a 2",
       "f:11:25: wrong[0].scenario: it gets all points"},
      {"write $a+1p 1", "wirte $a 2", "wrong[0].scenario: "},
      {"present($a)", "vmas() > 0",
       "f:7:5: goals[0]: it is achieved before the "
       "student has done anything"},
      {"write $a 1\nwrong", "write $a 1\nrules: {deny: [access]}\nwrong",
       "access is not allowed here"},
  };
  for (const Change& change : kChanges) {
    ASSERT_THAT(kAchieve, HasSubstr(change.from));
    EXPECT_THAT(Lint(absl::StrReplaceAll(kAchieve, {{change.from, change.to}})),
                HasSubstr(change.says))
        << change.to;
  }
}

TEST(Lint, EndsWhenNobodyWants) {
  int asked = 0;
  const Exercise exercise = MustRead(kPredict);
  EXPECT_THAT(LintVariants(exercise, 1000, [&] { return ++asked < 4; }),
              IsEmpty());
  EXPECT_EQ(asked, 4);
}

}  // namespace
}  // namespace faultline::grading

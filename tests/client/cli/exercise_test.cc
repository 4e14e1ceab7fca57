// `faultline exercise` and `faultline grade`, without a server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/exit_code.h"
#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr char kPredict[] = "server/grading/exercises/zero-page.yaml";
constexpr char kAchieve[] = "server/grading/exercises/rss-against-vsz.yaml";

Finished Grade(const std::string& exercise, const std::string& submission,
               std::vector<std::string> flags = {},
               const std::string& student = "ada@x.edu") {
  flags.insert(flags.begin(),
               {"grade", exercise, submission, "--student", student});
  return Faultline(flags);
}

std::string Solution(const std::string& exercise) {
  const Finished solved =
      Faultline({"exercise", "solve", exercise, "--student", "ada@x.edu"});
  EXPECT_EQ(solved.code, kExitOk) << solved.err;
  return solved.out;
}

TEST(ExerciseTest, LintSaysThatAllIsWell) {
  const Finished lint =
      Faultline({"exercise", "lint", kPredict, kAchieve, "--variants", "7"});
  EXPECT_EQ(lint.code, kExitOk) << lint.out << lint.err;
  EXPECT_EQ(
      lint.out,
      absl::StrCat(kPredict, ": zero-page is good in 7 ", "variants\n",
                   kAchieve, ": rss-against-vsz is good in 7 variants\n"));
}

TEST(ExerciseTest, LintSaysWhatIsWrongAndWhere) {
  const std::string path =
      WriteTemporary("bad.yaml", "id: bad\ntitel: x\nquestions: none\n");
  const Finished lint = Faultline({"exercise", "lint", path, kPredict});
  EXPECT_EQ(lint.code, kExitFailed);
  EXPECT_THAT(lint.out, HasSubstr(absl::StrCat(path,
                                               ":2:1: there is no field "
                                               "'titel' here; did you mean "
                                               "'title'?")));
  EXPECT_THAT(lint.out,
              HasSubstr(absl::StrCat(path, ":3:12: questions must ")));
  EXPECT_THAT(lint.out, HasSubstr("zero-page is good"));
}

TEST(ExerciseTest, AFileThatIsNotThereCannotBeChecked) {
  const Finished lint = Faultline({"exercise", "lint", "/nowhere.yaml"});
  EXPECT_EQ(lint.code, kExitCannot);
  EXPECT_THAT(lint.err, HasSubstr("cannot read /nowhere.yaml"));
  EXPECT_EQ(
      Faultline({"exercise", "show", "/nowhere.yaml", "--student", "a"}).code,
      kExitCannot);
}

TEST(ExerciseTest, ShowHasTextProgramQuestionsAndSheet) {
  const Finished show =
      Faultline({"exercise", "show", kPredict, "--student", "ada@x.edu"});
  EXPECT_EQ(show.code, kExitOk) << show.err;
  EXPECT_THAT(show.out, StartsWith("zero-page: The page of zeros\nstudent "
                                   "ada@x.edu, variant "));
  EXPECT_THAT(show.out, HasSubstr("The program:\n  a: mmap 0 "));
  EXPECT_THAT(show.out, HasSubstr("Questions:\n"));
  EXPECT_THAT(show.out, HasSubstr("Answer sheet:\n\nexercise: zero-page\n"
                                  "student: \"ada@x.edu\"\nanswers:\n"));
  EXPECT_THAT(show.out, Not(HasSubstr("read.min")));
}

TEST(ExerciseTest, StudentsDifferAndASeedCanBeGiven) {
  const auto shown = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"exercise", "show", kPredict,
                                          "--program"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Faultline(arguments).out;
  };
  EXPECT_EQ(shown({"--student", "ada"}), shown({"--student", "ada"}));
  EXPECT_NE(shown({"--student", "ada"}), shown({"--student", "bob"}));
  EXPECT_EQ(shown({"--student", "ada", "--seed", "7"}),
            shown({"--student", "bob", "--seed", "7"}));
}

TEST(ExerciseTest, TheProgramRuns) {
  const Finished program = Faultline(
      {"exercise", "show", kPredict, "--student", "ada", "--program"});
  const Finished run =
      Faultline({"run", WriteTemporary("program.s", program.out)});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.out, HasSubstr("   4  write: writer"));
}

TEST(GradeTest, ASolutionGetsAllPoints) {
  for (const char* exercise : {kPredict, kAchieve}) {
    const Finished grade =
        Grade(exercise, WriteTemporary("solution", Solution(exercise)));
    EXPECT_EQ(grade.code, kExitOk) << grade.out << grade.err;
    EXPECT_THAT(grade.out, HasSubstr("\nscore "));
  }
  const Finished piped = Faultline(
      {"grade", kPredict, "-", "--student", "ada@x.edu"}, Solution(kPredict));
  EXPECT_EQ(piped.code, kExitOk) << piped.err;
  EXPECT_THAT(piped.out, HasSubstr("submission <stdin>"));
}

TEST(GradeTest, AnEmptySheetGetsNothing) {
  const Finished sheet = Faultline(
      {"exercise", "show", kPredict, "--student", "ada@x.edu", "--sheet"});
  const Finished grade = Grade(kPredict, WriteTemporary("empty", sheet.out));
  EXPECT_EQ(grade.code, kExitFailed);
  EXPECT_THAT(grade.out, HasSubstr("score 0 of 9"));
}

TEST(GradeTest, FeedbackNamesTheEventAndWhereToSeeIt) {
  const Finished grade =
      Grade(kPredict, WriteTemporary("a.yaml", "answers: {read: 0}\n"));
  EXPECT_EQ(grade.code, kExitFailed);
  EXPECT_THAT(grade.out, HasSubstr("shows     reads-are-free"));
  EXPECT_THAT(grade.out, HasSubstr("decided   Minor fault: a first read at "));
  EXPECT_THAT(grade.out,
              HasSubstr(absl::StrCat("see       ", kPredict, ", operation 2")));
}

TEST(GradeTest, FeedbackOfAScenarioNamesItsOperation) {
  const std::string path = WriteTemporary(
      "mine.s", "b: mmap 0 3p rw- PRIVATE|ANON\nwriter $b 3 1p 1\n");
  const Finished grade = Grade(kAchieve, path);
  EXPECT_EQ(grade.code, kExitFailed);
  EXPECT_THAT(grade.out, HasSubstr(absl::StrCat(path, ", operation 2")));
  EXPECT_THAT(grade.out, HasSubstr("VmRSS has grown by 12 kB"));
}

TEST(GradeTest, WhatCannotBeReadIsAResultAllTheSame) {
  const std::string path = WriteTemporary("a.yaml", "answers:\n  raed: 3\n");
  for (const char* format : {"text", "gradescope", "junit"}) {
    const Finished grade =
        Grade(kPredict, path, {absl::StrCat("--format=", format)});
    EXPECT_EQ(grade.code, kExitFailed);
    EXPECT_THAT(grade.out, HasSubstr(":2:3: there is no question "));
    EXPECT_THAT(grade.out, HasSubstr("did you mean "));
  }
  const Finished scenario =
      Grade(kAchieve, WriteTemporary("mine.s", "wirte 1 2\n"));
  EXPECT_EQ(scenario.code, kExitFailed);
  EXPECT_THAT(scenario.out, HasSubstr("unknown op 'wirte'"));
}

TEST(GradeTest, AnotherStudentsSheetIsRefused) {
  const Finished grade = Grade(
      kPredict, WriteTemporary("a.yaml", Solution(kPredict)), {}, "bob@x.edu");
  EXPECT_EQ(grade.code, kExitFailed);
  EXPECT_THAT(
      grade.out,
      HasSubstr("these are the answers of ada@x.edu, not of bob@x.edu"));
}

TEST(GradeTest, AnswersCanBeHidden) {
  const std::string path = WriteTemporary("a.yaml", "answers: {read: 0}\n");
  const Finished grade = Grade(kPredict, path, {"--hide-answers"});
  EXPECT_THAT(grade.out, HasSubstr("reads-are-free"));
  EXPECT_THAT(grade.out, Not(HasSubstr("right     ")));
  EXPECT_THAT(grade.out, Not(HasSubstr("decided   ")));
}

TEST(GradeTest, HiddenChecksAreForStaff) {
  const std::string exercise = WriteTemporary(
      "hidden.yaml",
      "id: hidden\ntitle: t\ntext: t\nsetup: 'a: brk 0'\nquestions:\n"
      "  - {id: shown, text: t, answer: a.min}\n"
      "  - {id: secret, text: t, answer: a.min, hidden: true}\n");
  const std::string sheet =
      WriteTemporary("a.yaml", "answers: {shown: 0, secret: 0}\n");
  const Finished student = Grade(exercise, sheet);
  EXPECT_EQ(student.code, kExitOk) << student.err;
  EXPECT_THAT(student.out, Not(HasSubstr("secret")));
  EXPECT_THAT(student.out, Not(HasSubstr("score 2")));
  const Finished staff = Grade(exercise, sheet, {"--staff"});
  EXPECT_THAT(staff.out, HasSubstr("secret: t (hidden)"));
  EXPECT_THAT(staff.out, HasSubstr("score 2 of 2"));
  EXPECT_THAT(Grade(exercise, sheet, {"--format=gradescope"}).out,
              HasSubstr("\"visibility\": \"hidden\""));
  EXPECT_THAT(Grade(exercise, sheet, {"--format=junit"}).out,
              Not(HasSubstr("secret")));
}

TEST(GradeTest, ABrokenExerciseCannotGrade) {
  const std::string exercise = WriteTemporary(
      "broken.yaml",
      "id: broken\ntitle: t\ntext: t\nsetup: wirte 1 2\nquestions:\n"
      "  - {id: q, text: t, answer: total.min}\n");
  const Finished grade =
      Grade(exercise, WriteTemporary("a.yaml", "answers: {q: 0}\n"));
  EXPECT_EQ(grade.code, kExitCannot);
  EXPECT_THAT(grade.err, HasSubstr("setup:1:1: unknown op 'wirte'"));
  EXPECT_THAT(grade.err, HasSubstr("faultline exercise lint"));
}

TEST(GradeTest, WrongUsageIsToldSo) {
  EXPECT_EQ(Faultline({"grade", kPredict}).code, kExitUsage);
  EXPECT_EQ(
      Faultline({"grade", kPredict, "x", "--student", "a", "--format=pdf"})
          .code,
      kExitUsage);
  EXPECT_THAT(Faultline({"exercise", "lnit"}).err,
              HasSubstr("did you mean 'lint'?"));
  EXPECT_THAT(Faultline({"grade", kPredict, "x", "--studnet", "a"}).err,
              HasSubstr("did you mean '--student'?"));
  const Finished odd = Grade(kPredict, "x", {}, "a b");
  EXPECT_EQ(odd.code, kExitCannot);
  EXPECT_THAT(odd.err, HasSubstr("printable ASCII characters without spaces"));
}

TEST(GradeTest, HelpHasExamples) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"exercise", "--help"},
        std::vector<std::string>{"grade", "--help"}}) {
    const Finished help = Faultline(arguments);
    EXPECT_EQ(help.code, kExitOk);
    EXPECT_THAT(help.out, HasSubstr("Examples:\n  faultline "));
  }
}

}  // namespace
}  // namespace faultline::cli

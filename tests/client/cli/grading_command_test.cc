// faultline exercise add, list and delete, faultline attempt and faultline
// grades, against a server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/cli/exit_code.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

using nlohmann::json;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

constexpr char kGoals[] = "server/grading/exercises/rss-against-vsz.yaml";

constexpr char kQuestions[] =
    "id: heap\n"
    "title: A brk\n"
    "text: The heap grows by {n} pages.\n"
    "secret: staff\n"
    "attempts: 2\n"
    "variables: [{name: n, range: {min: 2, max: 9}}]\n"
    "setup: |\n"
    "  a: brk 0\n"
    "  b: brk $a+{n}p\n"
    "questions:\n"
    "  - {id: faults, text: 'How many minor faults?', answer: total.min}\n"
    "  - {id: pages, text: 'How many pages?', answer: n, points: 2}\n";

std::string Hidden() {
  return absl::StrReplaceAll(
      kQuestions, {{"id: heap", "id: hidden"}, {"points: 2", "hidden: true"}});
}

class GradingCommandTest : public testing::Test {
 protected:
  Finished Do(const std::vector<std::string>& arguments,
              const std::string& input = "") {
    return Faultline(arguments, input,
                     {{"FAULTLINE_SERVER", server_.address()}});
  }
  // It must succeed.
  std::string Out(const std::vector<std::string>& arguments,
                  const std::string& input = "") {
    const Finished done = Do(arguments, input);
    EXPECT_EQ(done.code, kExitOk) << done.out << done.err;
    EXPECT_THAT(done.err, IsEmpty());
    return done.out;
  }
  // It must not be possible.
  std::string Refused(const std::vector<std::string>& arguments,
                      int code = kExitCannot) {
    const Finished done = Do(arguments);
    EXPECT_EQ(done.code, code) << done.out;
    EXPECT_THAT(done.out, IsEmpty());
    return done.err;
  }
  void Add(const std::string& yaml) {
    Out({"exercise", "add", WriteTemporary("exercise.yaml", yaml)});
  }
  // The short name of a new attempt.
  std::string Start(const std::string& exercise, const std::string& student) {
    const std::string out =
        Out({"attempt", "start", exercise, "--student", student});
    const std::string name = out.substr(0, out.find('\n'));
    EXPECT_THAT(name,
                StartsWith(absl::StrCat("exercises/", exercise, "/attempts/")));
    return absl::StrCat(exercise, "/", name.substr(name.rfind('/') + 1));
  }
  // Hands in answers and grades.
  void Grade(const std::string& attempt, const std::string& answers) {
    Out({"attempt", "submit", attempt, "-"}, answers);
    const Finished grade = Do({"attempt", "grade", attempt});
    EXPECT_LE(grade.code, kExitFailed) << grade.err;
  }
  static std::vector<std::string> Lines(const std::string& text) {
    return absl::StrSplit(text, '\n', absl::SkipEmpty());
  }

  Server server_;
};

// --- exercise

TEST_F(GradingCommandTest, AnExerciseIsAddedListedReplacedAndDeleted) {
  const std::string file = WriteTemporary("heap.yaml", kQuestions);
  EXPECT_EQ(Out({"exercise", "list"}),
            "no exercises; `faultline exercise add` adds one\n");
  EXPECT_EQ(Out({"exercise", "add", file}), "exercises/heap is added\n");
  EXPECT_EQ(Out({"exercise", "add", kGoals}),
            "exercises/rss-against-vsz is added\n");
  const auto lines = Lines(Out({"exercise", "list"}));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0],
              MatchesRegex("heap +questions +3 points  2 attempts +20[-0-9: ]+ "
                           " A brk"));
  EXPECT_THAT(lines[1],
              MatchesRegex("rss-against-vsz +goals +8 points  1 attempt +20"
                           "[-0-9: ]+  Large on paper, small in memory"));
  EXPECT_THAT(Refused({"exercise", "add", file}), HasSubstr("--replace"));
  EXPECT_EQ(Out({"exercise", "add", file, "--replace"}),
            "exercises/heap is replaced\n");
  server_.KillAndRestart();
  EXPECT_EQ(Out({"exercise", "delete", "heap"}), "exercises/heap is deleted\n");
  EXPECT_THAT(Refused({"exercise", "delete", "exercises/heap"}),
              HasSubstr("no exercise exercises/heap"));
  EXPECT_EQ(Lines(Out({"exercise", "list"})).size(), 1u);
}

TEST_F(GradingCommandTest, AWrongFileIsToldAsLintTellsIt) {
  const std::string file =
      WriteTemporary("bad.yaml", "id: bad\ntitel: x\nquestions: none\n");
  const Finished lint = Do({"exercise", "lint", file});
  const std::string refused = Refused({"exercise", "add", file});
  EXPECT_THAT(refused, HasSubstr(absl::StrCat(file,
                                              ":2:1: there is no field "
                                              "'titel'")));
  EXPECT_EQ(refused, lint.out);
  const std::string odd = WriteTemporary(
      "odd.yaml", absl::StrReplaceAll(kQuestions, {{"brk $a+{n}p", "brk"}}));
  EXPECT_EQ(Refused({"exercise", "add", odd}),
            Do({"exercise", "lint", odd}).out)
      << "what only variants show";
  EXPECT_THAT(Refused({"exercise", "add", "/nowhere.yaml"}),
              HasSubstr("cannot read /nowhere.yaml"));
  const Finished some = Do({"exercise", "add", file, kGoals});
  EXPECT_EQ(some.code, kExitCannot);
  EXPECT_EQ(some.out, "exercises/rss-against-vsz is added\n");
}

TEST_F(GradingCommandTest, AnExerciseWithAttemptsGoesByForceOnly) {
  Add(kQuestions);
  Start("heap", "ada");
  EXPECT_THAT(Refused({"exercise", "delete", "heap"}),
              HasSubstr("has attempts"));
  EXPECT_THAT(Refused({"exercise", "delete", "heap"}), HasSubstr("--force"));
  Out({"exercise", "delete", "heap", "--force"});
}

// --- attempt, with questions

TEST_F(GradingCommandTest, AStudentReadsAnswersAndIsGraded) {
  Add(kQuestions);
  const std::string attempt = Start("heap", "ada@x.edu");
  const std::string shown = Out({"attempt", "show", attempt});
  EXPECT_THAT(shown, HasSubstr("  student    ada@x.edu\n"
                               "  attempt    1 of 2\n"));
  EXPECT_THAT(shown, HasSubstr("  handed in  nothing yet\n"));
  EXPECT_THAT(shown, HasSubstr("The program:\n  a: brk 0\n"));
  EXPECT_THAT(shown, HasSubstr("  faults      How many minor faults? (1)\n"));
  const std::string sheet = Out({"attempt", "show", attempt, "--sheet"});
  EXPECT_EQ(sheet, absl::StrCat("# faultline attempt submit ", attempt,
                                " THIS-FILE\nexercise: heap\nstudent: "
                                "\"ada@x.edu\"\nanswers:\n  faults:\n  "
                                "pages:\n"));
  EXPECT_THAT(shown, HasSubstr(sheet));
  EXPECT_THAT(Out({"run", "-"}, Out({"attempt", "show", attempt, "--program"})),
              HasSubstr("b: brk $a+"));

  const std::string filled = absl::StrReplaceAll(
      sheet, {{"faults:", "faults: 0"}, {"pages:", "pages: 3333"}});
  EXPECT_THAT(Out({"attempt", "submit", attempt,
                   WriteTemporary("answers.yaml", filled)}),
              HasSubstr("  handed in  answers\n"));
  const Finished grade = Do({"attempt", "grade", attempt});
  EXPECT_EQ(grade.code, kExitFailed) << grade.err;
  EXPECT_THAT(grade.out, HasSubstr("passed     1/1  faults: "));
  EXPECT_THAT(grade.out, HasSubstr("failed     0/2  pages: "));
  EXPECT_THAT(grade.out, Not(HasSubstr("right     "))) << "one is left";
  EXPECT_THAT(grade.out, HasSubstr("score 1 of 3\n"));
  EXPECT_THAT(Out({"attempt", "show", attempt}), HasSubstr("  graded     yes"));
  EXPECT_THAT(Refused({"attempt", "submit", attempt,
                       WriteTemporary("answers.yaml", filled)}),
              HasSubstr("start another attempt"));
}

TEST_F(GradingCommandTest, AllPointsAreAnExitStatusOf0) {
  Add(kQuestions);
  const std::string attempt = Start("heap", "ada");
  const std::string file = WriteTemporary("exercise.yaml", kQuestions);
  const std::string solution =
      Out({"exercise", "solve", file, "--student", "ada"});
  Out({"attempt", "submit", attempt, "-"}, solution);
  EXPECT_THAT(Out({"attempt", "grade", attempt}), HasSubstr("score 3 of 3\n"));
}

TEST_F(GradingCommandTest, TheLastAttemptTellsWhatIsRight) {
  Add(kQuestions);
  Grade(Start("heap", "ada"), "answers: {faults: 1}\n");
  const std::string attempt = Start("heap", "ada");
  Out({"attempt", "submit", attempt, "-"}, "answers: {faults: 1}\n");
  const Finished grade = Do({"attempt", "grade", attempt});
  EXPECT_THAT(grade.out, HasSubstr("right     0\n"));
  EXPECT_THAT(Refused({"attempt", "start", "heap", "--student", "ada"}),
              HasSubstr("ada has had 2 attempts at exercises/heap"));
}

TEST_F(GradingCommandTest, ARepetitionGivesTheSame) {
  Add(kQuestions);
  const std::vector<std::string> start = {
      "attempt", "start", "heap", "--student", "ada", "--request-id", "first"};
  const std::string first = Out(start);
  server_.KillAndRestart();
  EXPECT_EQ(Out(start), first);
  EXPECT_THAT(Refused({"attempt", "start", "heap", "--student", "bob",
                       "--request-id", "first"}),
              HasSubstr("take a new request_id"));
}

TEST_F(GradingCommandTest, GradesComeInTheFormatsOfPlatforms) {
  Add(kQuestions);
  const std::string attempt = Start("heap", "ada");
  Out({"attempt", "submit", attempt, "-"}, "answers: {faults: 0}\n");
  const Finished scope =
      Do({"attempt", "grade", attempt, "--format=gradescope"});
  EXPECT_EQ(scope.code, kExitFailed) << scope.err;
  const json results = json::parse(scope.out);
  EXPECT_EQ(results["tests"].size(), 2u);
  EXPECT_EQ(results["tests"][0]["status"], "passed");
  const Finished junit = Do({"attempt", "grade", attempt, "--format=junit"});
  EXPECT_THAT(junit.out, HasSubstr("<testsuite "));
}

TEST_F(GradingCommandTest, WhatCannotBeHandedInIsExplained) {
  Add(kQuestions);
  const std::string attempt = Start("heap", "ada");
  const auto submit = [&](const std::string& sheet) {
    return Refused(
        {"attempt", "submit", attempt, WriteTemporary("sheet.yaml", sheet)});
  };
  EXPECT_THAT(submit("answers:\n  fualts: 3\n"),
              HasSubstr("sheet.yaml:2:3: there is no question 'fualts'; did "
                        "you mean 'faults'?"));
  EXPECT_THAT(submit("student: bob\nanswers: {faults: 3}\n"),
              HasSubstr("these are the answers of bob, and the attempt is of "
                        "ada"));
  EXPECT_THAT(submit("exercise: cow\nanswers: {faults: 3}\n"),
              HasSubstr("these are answers to 'cow', not to 'heap'"));
  EXPECT_THAT(Refused({"attempt", "submit", attempt, "/nowhere"}),
              HasSubstr("cannot read /nowhere"));
  EXPECT_THAT(Refused({"attempt", "submit", attempt}, kExitUsage),
              HasSubstr(absl::StrCat("`faultline attempt show ", attempt,
                                     " --sheet` prints")));
  EXPECT_THAT(
      Refused({"attempt", "submit", attempt, "x", "--at", "3"}, kExitUsage),
      HasSubstr("--at is for goals"));
  EXPECT_THAT(Refused({"attempt", "grade", attempt}),
              HasSubstr("nothing was handed in"));
}

TEST_F(GradingCommandTest, WhatIsNotThereIsSaid) {
  Add(kQuestions);
  EXPECT_THAT(Refused({"attempt", "start", "cow", "--student", "ada"}),
              HasSubstr("no exercise exercises/cow"));
  for (const char* verb : {"show", "submit", "grade"}) {
    EXPECT_THAT(Refused({"attempt", verb, "heap/a999"}),
                HasSubstr("no attempt exercises/heap/attempts/a999"));
  }
  EXPECT_THAT(Refused({"grades", "cow"}),
              HasSubstr("no exercise exercises/cow"));
  EXPECT_THAT(Refused({"attempt", "start", "heap", "--student", "a b"}),
              HasSubstr("printable ASCII characters without spaces"));
}

// --- attempt, with goals

TEST_F(GradingCommandTest, ASessionIsDrivenAndGraded) {
  Out({"exercise", "add", kGoals});
  const std::string attempt = Start("rss-against-vsz", "ada");
  const std::string shown = Out({"attempt", "show", attempt});
  EXPECT_THAT(shown, ContainsRegex("  machine    sessions/[^,]+, yours after "
                                   "revision [0-9]+\n"));
  EXPECT_THAT(shown, HasSubstr("\nGoals:\n"));
  const size_t at = shown.find("sessions/");
  const std::string session = shown.substr(at, shown.find(',', at) - at);
  EXPECT_THAT(Refused({"attempt", "show", attempt, "--sheet"}),
              HasSubstr("has goals and no answer sheet"));
  EXPECT_THAT(Refused({"attempt", "submit", attempt, "mine.s"}, kExitUsage),
              HasSubstr(absl::StrCat("`faultline attempt run ", attempt,
                                     " mine.s` first")));

  const std::string solution =
      Out({"exercise", "solve", kGoals, "--student", "ada"});
  EXPECT_THAT(Out({"attempt", "run", attempt, "-"}, solution),
              StartsWith("   1  b: mmap 0 "));
  EXPECT_THAT(
      Out({"attempt", "submit", attempt, "--at", "2"}),
      HasSubstr(absl::StrCat("  handed in  ", session, " up to revision 2\n")));
  EXPECT_THAT(Refused({"attempt", "submit", attempt, "--at", "99"}),
              HasSubstr("beyond the history"));
  EXPECT_THAT(Out({"attempt", "submit", attempt}),
              ContainsRegex("up to revision [0-9]+\n"));
  server_.KillAndRestart();
  const std::string grade = Out({"attempt", "grade", attempt});
  EXPECT_THAT(grade, HasSubstr("score 8 of 8\n"));
  EXPECT_THAT(grade, HasSubstr(absl::StrCat("submission ", session, "@")));
}

TEST_F(GradingCommandTest, TheEvidenceOfAGradeCanBeLookedAt) {
  Out({"exercise", "add", kGoals});
  const std::string attempt = Start("rss-against-vsz", "ada");
  const std::string shown = Out({"attempt", "show", attempt});
  const size_t at = shown.find("sessions/");
  const std::string session = shown.substr(at, shown.find(',', at) - at);
  Out({"attempt", "run", attempt, "-"},
      "b: mmap 0 3p rw- PRIVATE|ANON\nwriter $b 3 1p 1\n");
  Out({"attempt", "submit", attempt});
  const Finished grade = Do({"attempt", "grade", attempt});
  EXPECT_EQ(grade.code, kExitFailed);
  const size_t see = grade.out.find("see       ");
  ASSERT_NE(see, std::string::npos) << grade.out;
  const std::string place =
      grade.out.substr(see + 10, grade.out.find('\n', see) - see - 10);
  EXPECT_THAT(place, MatchesRegex("sessions/[-a-z0-9]+@[0-9]+"));
  const std::string revision = place.substr(place.find('@') + 1);
  EXPECT_THAT(Out({"show", place}),
              StartsWith(absl::StrCat(session, " after revision ", revision)));
  EXPECT_THAT(Out({"replay", place}),
              StartsWith(absl::StrCat("replayed ", revision, " of ")));
  EXPECT_EQ(
      Out({"cat", "/proc/1/maps", "--session", place}),
      Out({"cat", "/proc/1/maps", "--session", session, "--at", revision}));
}

constexpr char kForked[] =
    "id: forked\n"
    "title: A child\n"
    "text: The child at work.\n"
    "setup: |\n"
    "  a: mmap 0 4p rw- PRIVATE|ANON\n"
    "  write $a 7\n"
    "  fork\n"
    "goals:\n"
    "  - {id: copy, text: A copy., event: {event: cow_copy, process: 1}}\n"
    "solution: '@1 write $a 8'\n";

TEST_F(GradingCommandTest, AScenarioGoesOnWhereTheSetUpEnds) {
  Add(kForked);
  const std::string attempt = Start("forked", "ada");
  EXPECT_THAT(Out({"attempt", "run", attempt, "-"},
                  "read $a\nexpect val == 7\n@1 fork\n@2 write $a+1p 8\n"
                  "expect min == 1\n"),
              StartsWith("   1  read $a  = 7\n"));
  // What an earlier one has made is there, and what it has ended is not.
  EXPECT_THAT(Out({"attempt", "run", attempt, "-"},
                  "@2 read $a+1p\nexpect val == 8\n@2 exit\n"),
              HasSubstr("holds: expect val == 8\n"));
  EXPECT_THAT(Out({"attempt", "run", attempt, "-"}, "@2 read $a\n@1 fork\n"),
              HasSubstr("skipped: 1 (their process had ended)"));
  EXPECT_THAT(
      Out({"attempt", "run", attempt, "-"}, "@3 read $a\nexpect val == 7\n"),
      HasSubstr("1 operation, "));
  EXPECT_THAT(Out({"session", "list"}), HasSubstr("revision 10 "))
      << "three of the set-up, and seven that were done";
}

TEST_F(GradingCommandTest, AScenarioThatCannotRunLeavesNothing) {
  Add(kForked);
  const std::string attempt = Start("forked", "ada");
  const auto refused = [&](const std::string& text) {
    return Refused({"attempt", "run", attempt, WriteTemporary("mine.s", text)});
  };
  EXPECT_THAT(refused("read $a\nwirte $a 7\n"),
              HasSubstr("mine.s:2:1: unknown op 'wirte'"));
  EXPECT_THAT(refused("read $nothing\n"), HasSubstr("nothing"));
  EXPECT_THAT(refused("boot ram=64m\n"),
              HasSubstr("'boot' must be the first line"));
  const Finished failed =
      Do({"attempt", "run", attempt, "-"}, "read $a\nexpect val == 8\n");
  EXPECT_EQ(failed.code, kExitFailed);
  EXPECT_THAT(failed.err, HasSubstr("<stdin>:2:"));
  EXPECT_THAT(Out({"session", "list"}), HasSubstr("revision 4 "));
}

TEST_F(GradingCommandTest, ASetUpThatIsNotShownHasProcessesAndNoLabels) {
  Add(absl::StrCat(
      absl::StrReplaceAll(kForked, {{"PRIVATE|ANON", "PRIVATE|ANON|FIXED"},
                                    {"mmap 0 ", "mmap 0x10000000 "}}),
      "hide_setup: true\n"));
  const std::string attempt = Start("forked", "ada");
  EXPECT_THAT(Out({"attempt", "show", attempt}), Not(HasSubstr("mmap")));
  EXPECT_THAT(Out({"attempt", "run", attempt, "-"},
                  "@1 write 0x10000000 8\nexpect min == 1\n"),
              HasSubstr("holds: expect min == 1"));
  EXPECT_THAT(Refused({"attempt", "run", attempt,
                       WriteTemporary("mine.s", "read $a\n")}),
              HasSubstr("mine.s:1:"));
  EXPECT_THAT(Refused({"attempt", "show", attempt, "--program"}),
              HasSubstr("has no program that is shown"));
}

TEST_F(GradingCommandTest, QuestionsHaveNoMachineToRunOn) {
  Add(kQuestions);
  const std::string attempt = Start("heap", "ada");
  EXPECT_THAT(Refused({"attempt", "run", attempt, "x.s"}),
              HasSubstr("has questions and no machine"));
}

// --- grades

TEST_F(GradingCommandTest, TheGradesOfAClassAreListed) {
  Add(kQuestions);
  EXPECT_EQ(Out({"grades", "heap"}),
            "no grades of exercises/heap; `faultline attempt grade` gives "
            "one\n");
  const std::string first = Start("heap", "ada");
  Grade(first, "answers: {faults: 9}\n");
  Grade(Start("heap", "bob"), "answers: {faults: 0}\n");
  Grade(Start("heap", "ada"), "answers: {faults: 0}\n");
  ASSERT_LE(Do({"attempt", "grade", first}).code, kExitFailed);
  const auto lines = Lines(Out({"grades", "heap"}));
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_THAT(lines[1], ContainsRegex("^ada +heap/.* 0/3 .*  faults 0/1, pages "
                                      "0/2$"));
  EXPECT_EQ(lines[5], "4 grades of 2 students");
  EXPECT_EQ(Lines(Out({"grades", "heap", "--per=attempt"})).size(), 5u);
  EXPECT_EQ(Lines(Out({"grades", "heap", "--student", "bob"})).size(), 3u);
  const auto csv =
      Lines(Out({"grades", "exercises/heap", "--per=student", "--format=csv"}));
  ASSERT_EQ(csv.size(), 3u);
  EXPECT_THAT(csv[0], HasSubstr(",score,score_max,check.faults,check.pages,"));
  EXPECT_THAT(csv[1], ContainsRegex("^bob,heap/.*,graded,1,3,1,0,"));
  EXPECT_THAT(csv[2], ContainsRegex("^ada,heap/.*,graded,1,3,1,0,"));
  const json all = json::parse(Out({"grades", "heap", "--format=json"}));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[3]["report"]["student"], "ada");
  EXPECT_EQ(all[3]["report"]["score_max"], 3);
  EXPECT_EQ(
      json::parse(Out({"grades", "heap", "--format=json", "--student", "eve"}))
          .size(),
      0u);
}

TEST_F(GradingCommandTest, HiddenChecksAreForThoseWhoKnowTheSecret) {
  Add(Hidden());
  const std::string attempt = Start("hidden", "ada");
  Out({"attempt", "submit", attempt, "-"}, "answers: {faults: 0}\n");
  const std::string grade = Out({"attempt", "grade", attempt});
  EXPECT_THAT(grade, HasSubstr("Not all checks are shown, and no score."));
  EXPECT_THAT(grade, Not(HasSubstr("pages")));
  const Finished whole = Do({"attempt", "grade", attempt, "--secret", "staff"});
  EXPECT_EQ(whole.code, kExitFailed);
  EXPECT_THAT(whole.out, HasSubstr("score 1 of 2\n"));
  EXPECT_THAT(Lines(Out({"grades", "hidden"}))[1], ContainsRegex(" -  20"));
  const Finished listed = Faultline(
      {"grades", "hidden", "--format=csv"}, "",
      {{"FAULTLINE_SERVER", server_.address()}, {"FAULTLINE_SECRET", "staff"}});
  EXPECT_THAT(listed.out, HasSubstr(",graded,1,2,1,0,"));
  EXPECT_THAT(Refused({"grades", "hidden", "--secret", "guess"}),
              HasSubstr("not the secret of exercises/hidden"));
}

// --- The command line

TEST_F(GradingCommandTest, AWrongCommandLineIsExplained) {
  const auto usage = [this](const std::vector<std::string>& arguments) {
    return Refused(arguments, kExitUsage);
  };
  EXPECT_THAT(usage({"attempt"}), HasSubstr("subcommand is required"));
  EXPECT_THAT(usage({"attempt", "strat"}), HasSubstr("did you mean 'start'?"));
  EXPECT_THAT(usage({"attempt", "start", "heap"}),
              HasSubstr("--student is required"));
  EXPECT_THAT(usage({"exercise", "ad", "x"}), HasSubstr("did you mean 'add'?"));
  EXPECT_THAT(usage({"grades"}), HasSubstr("exercise is required"));
  EXPECT_THAT(usage({"grades", "heap", "--format=pdf"}), HasSubstr("pdf"));
  EXPECT_THAT(usage({"grades", "heap", "--studnet", "a"}),
              HasSubstr("did you mean '--student'?"));
  EXPECT_EQ(Do({"attempt", "submit", "heap/a1", "--at", "-2"}).code,
            kExitUsage);
}

TEST(GradingHelpTest, HasExamplesAndIsWhereOneLooksForIt) {
  EXPECT_THAT(Faultline({"--help"}).out, HasSubstr("attempt start"));
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"exercise", "--help"},
        {"attempt", "--help"},
        {"grades", "--help"}}) {
    EXPECT_THAT(Faultline(command).out, HasSubstr("Examples:\n  faultline "));
  }
  for (const char* verb : {"start", "show", "run", "submit", "grade"}) {
    EXPECT_EQ(Faultline({"attempt", verb, "--help"}).code, kExitOk);
  }
}

TEST(GradingWithoutAServerTest, SaysWhereItLookedForOne) {
  const Environment nobody = {{"FAULTLINE_SERVER", "127.0.0.1:1"}};
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"exercise", "list"},
        {"attempt", "show", "cow/a1"},
        {"grades", "cow"}}) {
    const Finished done = Faultline(command, "", nobody);
    EXPECT_EQ(done.code, kExitCannot);
    EXPECT_THAT(done.err, HasSubstr("127.0.0.1:1"));
  }
}

}  // namespace
}  // namespace faultline::cli

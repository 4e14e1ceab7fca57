// What is wrong with an exercise that reads well: line, column and remedy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/grading/grading_testing.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kPredict[] =
    "id: demo\n"                                            // 1
    "title: A title\n"                                      // 2
    "text: Some text, {n}\n"                                // 3
    "machine: {ram_bytes: 64m}\n"                           // 4
    "variables:\n"                                          // 5
    "  - {name: n, range: {min: 1, max: 9}}\n"              // 6
    "setup: |\n"                                            // 7
    "  a: mmap 0 {n}p rw- PRIVATE|ANON\n"                   // 8
    "questions:\n"                                          // 9
    "  - id: q\n"                                           // 10
    "    text: What is {n}?\n"                              // 11
    "    answer: a.min\n"                                   // 12
    "    misconceptions:\n"                                 // 13
    "      - {tag: wrong, answer: n, note: It is not.}\n";  // 14

constexpr char kAchieve[] =
    "id: demo\n"                                          // 1
    "title: A title\n"                                    // 2
    "text: Do it\n"                                       // 3
    "setup: |\n"                                          // 4
    "  a: mmap 0 4p rw- PRIVATE|ANON\n"                   // 5
    "goals:\n"                                            // 6
    "  - id: g\n"                                         // 7
    "    text: Write\n"                                   // 8
    "    state: present($a)\n"                            // 9
    "solution: write $a 1\n"                              // 10
    "wrong:\n"                                            // 11
    "  - {name: idle, scenario: read $a+1p}\n"            // 12
    "rules: {allow: [access], budget: {commands: 3}}\n";  // 13

struct Change {
  const char* name;
  const char* base;
  const char* from;
  const char* to;
  const char* says;
};

void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

class CheckMistakes : public testing::TestWithParam<Change> {};

constexpr Change kChanges[] = {
    {"NoId", kPredict, "id: demo\n", "", "id: is missing; add `id: "},
    {"BadId", kPredict, "id: demo", "id: Demo", "1:5: id: must be 1 to 40 of"},
    {"LongId", kPredict, "id: demo",
     "id: a2345678901234567890123456789012345678901", "1:5: id: must be"},
    {"NoTitle", kPredict, "title: A title\n", "", "title: is missing"},
    {"BlankTitle", kPredict, "A title", "' '", "2:8: title: is missing"},
    {"NoText", kPredict, "text: Some text, {n}\n", "", "text: is missing"},
    {"BadSecret", kPredict, "id: demo", "id: demo\nsecret: a b",
     "2:9: secret: must be at most 64 printable"},
    {"TooManyAttempts", kPredict, "id: demo", "id: demo\nattempts: 101",
     "2:11: attempts: must be 1 to 100, not 101"},
    {"NegativeAttempts", kPredict, "id: demo", "id: demo\nattempts: -1",
     "attempts: must be 1 to 100"},
    {"SmallMachine", kPredict, "64m", "1k", "4:10: machine.ram_bytes"},
    {"NoSetup", kPredict, "setup: |\n  a: mmap 0 {n}p rw- PRIVATE|ANON\n", "",
     "setup: is missing"},
    {"RulesWithQuestions", kPredict, "id: demo",
     "id: demo\nrules: {allow: [mmap]}",
     "2:8: rules: belongs to an exercise with goals"},
    {"SolutionWithQuestions", kPredict, "id: demo", "id: demo\nsolution: x",
     "2:11: solution: belongs to an exercise with goals"},

    {"VariableWithoutName", kPredict, "name: n, ", "",
     "variables[0].name: is missing"},
    {"BadVariableName", kPredict, "name: n,", "name: 2n,",
     "6:12: variables[0].name: must be letters, digits and _"},
    {"VariableTwice", kPredict, "setup:", "  - {name: n, value: 3}\nsetup:",
     "7:12: variables[1].name: there is a variable 'n' already: rename one"},
    {"VariableWithoutSource", kPredict, ", range: {min: 1, max: 9}", "",
     "6:5: variables[0]: has none of range, choices and value"},
    {"VariableWithTwoSources", kPredict, "name: n, ", "name: n, value: 3, ",
     "6:5: variables[0]: has several of range, choices and value"},
    {"RangeTheWrongWayRound", kPredict, "min: 1, max: 9", "min: 9, max: 1",
     "variables[0].range.max: 1 is less than min, 9: swap them"},
    {"NegativeStep", kPredict, "max: 9", "max: 9, step: -2",
     "variables[0].range.step: must be 1 or more"},
    {"HugeRange", kPredict, "max: 9", "max: 0x7fffffffffffffff",
     "variables[0].range: has more than 2^32 values"},
    {"RequireWithoutVariable", kPredict, "setup:", "require: [m > 1]\nsetup:",
     "7:11: require[0]: there is no variable 'm' here"},
    {"RequireOfOutcome", kPredict, "setup:", "require: [a.min > 1]\nsetup:",
     "require[0]: a.min is not known here, before the set-up has run"},

    {"TextOfOutcome", kPredict, "text, {n}", "text, {$a:x}",
     "3:7: text: $a is not known here"},
    {"TextWithBrace", kPredict, "text, {n}", "text, {n",
     "3:7: text: line 1 of the text, a { without its }"},
    {"SetupOfFunction", kPredict, "0 {n}p", "0 {vmas()}p",
     "7:8: setup: vmas() is not known here"},

    {"QuestionWithoutId", kPredict, "id: q", "points: 1",
     "10:5: questions[0].id: is missing; add `id: faults`"},
    {"BadQuestionId", kPredict, "id: q", "id: q 1",
     "10:9: questions[0].id: must be letters, digits, - and _"},
    {"QuestionTwice", kPredict,
     "questions:", "questions:\n  - {id: q, text: Which, answer: '1'}",
     "11:9: questions[1].id: 'q' is used twice: rename one"},
    {"QuestionWithoutText", kPredict, "text: What is {n}?", "points: 1",
     "questions[0].text: is missing"},
    {"QuestionWithoutAnswer", kPredict, "answer: a.min", "points: 1",
     "questions[0].answer: is missing"},
    {"NoPoints", kPredict, "answer: a.min", "answer: a.min\n    points: 0",
     "13:13: questions[0].points: must be more than 0 and at most 1000"},
    {"EndlessPoints", kPredict, "answer: a.min",
     "answer: a.min\n    points: 1e999", "questions[0].points: must be"},
    {"AnswerDoesNotParse", kPredict, "answer: a.min", "answer: a.min +",
     "12:13: questions[0].answer: `a.min +`: at column 8: an operand is "
     "missing"},
    {"AnswerOfUnknownField", kPredict, "answer: a.min", "answer: a.mni",
     "12:13: questions[0].answer: there is no field a.mni; did you mean "
     "'min'?"},
    {"AnswerOfUnknownTotal", kPredict, "answer: a.min", "answer: total.val",
     "there is no field total.val"},
    {"AnswerOfUnknownFunction", kPredict, "answer: a.min", "answer: vma()",
     "there is no function 'vma'; did you mean 'vmas'?"},
    {"AnswerOfUnknownEvent", kPredict, "answer: a.min",
     "answer: events(cow_cpy)",
     "there is no event 'cow_cpy'; did you mean 'cow_copy'?"},
    {"AnswerOfUnknownVariable", kPredict, "answer: a.min", "answer: nn",
     "questions[0].answer: there is no variable 'nn' here; did you mean 'n'?"},
    {"WordThatIsNone", kPredict, "answer: a.min", "answer: status(3)",
     "argument 1 of status() must be a name"},
    {"EventFieldInAnswer", kPredict, "answer: a.min", "answer: event.address",
     "there is no field event.address"},
    {"NegativeTolerance", kPredict, "answer: a.min",
     "answer: a.min\n    tolerance: -1",
     "questions[0].tolerance: must be 0 or more"},
    {"ToleranceOfText", kPredict, "answer: a.min",
     "answer: a.min\n    type: errno\n    tolerance: 1",
     "questions[0].tolerance: belongs to `type: number`"},
    {"ChoicesOfNumber", kPredict, "answer: a.min",
     "answer: a.min\n    choices: [a, b]",
     "questions[0].choices: belong to `type: text`"},
    {"MisconceptionWithoutTag", kPredict, "tag: wrong, ", "",
     "questions[0].misconceptions[0].tag: is missing"},
    {"MisconceptionWithBadTag", kPredict, "tag: wrong", "tag: so wrong",
     "questions[0].misconceptions[0].tag: must be letters, digits and -"},
    {"MisconceptionWithoutAnswer", kPredict, "answer: n, ", "",
     "questions[0].misconceptions[0].answer: is missing"},
    {"MisconceptionWithoutNote", kPredict, ", note: It is not.", "",
     "questions[0].misconceptions[0].note: is missing"},

    {"NoSolution", kAchieve, "solution: write $a 1\n", "",
     "solution: is missing"},
    {"GoalOfNoKind", kAchieve, "state: present($a)", "points: 1",
     "7:5: goals[0]: has none of state, event, sequence and within"},
    {"GoalOfTwoKinds", kAchieve, "    state",
     "    within: {commands: 1}\n"
     "    state",
     "goals[0]: has several of state, event, sequence"},
    {"UnknownEvent", kAchieve, "state: present($a)", "event: {event: vma_splt}",
     "goals[0].event.event: there is no event 'vma_splt'; did you mean "
     "'vma_split'?"},
    {"UnknownEventField", kAchieve, "state: present($a)",
     "event: {event: vma_split, where: event.address == $a}",
     "goals[0].event.where: an event vma_split has no field 'address'; it has: "
     "pid, start, at, end"},
    {"SequenceWithoutEvent", kAchieve, "state: present($a)",
     "sequence: [{process: 1}]", "goals[0].sequence[0].event: is missing"},
    {"NegativeBudget", kAchieve, "commands: 3", "commands: -3",
     "13:45: rules.budget.commands: must be 0 or more"},
    {"NegativeWithin", kAchieve, "state: present($a)",
     "within: {minor_faults: -1}",
     "goals[0].within.minor_faults: must be 0 or more"},
    {"UnknownCommand", kAchieve, "allow: [access]", "allow: [reads]",
     "rules.allow[0]: there is no command 'reads'; did you mean 'read'?; loads "
     "and stores are `access`"},
    {"WrongWithoutName", kAchieve, "name: idle, ", "",
     "wrong[0].name: is missing"},
    {"WrongWithoutScenario", kAchieve, ", scenario: read $a+1p", "",
     "wrong[0].scenario: is missing"},
    {"BothKinds", kAchieve,
     "goals:", "questions: [{id: x, text: y, answer: '1'}]\ngoals:",
     "either questions, which are answered, or goals"},
};

INSTANTIATE_TEST_SUITE_P(All, CheckMistakes, testing::ValuesIn(kChanges),
                         [](const auto& info) { return info.param.name; });

TEST_P(CheckMistakes, SayLineColumnAndRemedy) {
  const Change& change = GetParam();
  ASSERT_THAT(change.base, HasSubstr(change.from)) << "the test is stale";
  EXPECT_THAT(
      Complaints(absl::StrReplaceAll(change.base, {{change.from, change.to}})),
      HasSubstr(change.says));
}

TEST(Check, GoodExercisesAreLeftAlone) {
  EXPECT_THAT(Complaints(kPredict), IsEmpty());
  EXPECT_THAT(Complaints(kAchieve), IsEmpty());
}

TEST(Check, AnExerciseAsksForSomething) {
  EXPECT_THAT(Complaints("id: demo\ntitle: t\ntext: t\n"),
              HasSubstr("1:1: an exercise has either questions, which are "
                        "answered, or goals, which are achieved; this has "
                        "neither"));
}

TEST(Check, TellsAllMistakesAtOnce) {
  const std::string text = Complaints(absl::StrReplaceAll(
      kPredict,
      {{"id: demo", "id: DEMO"}, {"a.min", "a.mni"}, {"{n}p", "{m}p"}}));
  EXPECT_THAT(text, AllOf(HasSubstr("1:5: id"), HasSubstr("12:13: "),
                          HasSubstr("7:8: setup: there is no variable 'm'")));
}

TEST(Check, TooLargeAFileIsRefusedBeforeItIsRead) {
  EXPECT_THAT(Complaints(std::string(300 << 10, '[')),
              HasSubstr("1:1: the file has 307200 bytes: at most 262144"));
}

TEST(Check, TooManyQuestionsAndVariables) {
  std::string many = "id: demo\ntitle: t\ntext: t\nsetup: brk 0\nquestions:\n";
  for (int i = 0; i < 65; ++i) {
    absl::StrAppend(&many, "  - {id: q", i, ", text: t, answer: '1'}\n");
  }
  EXPECT_THAT(Complaints(many),
              HasSubstr("questions: there are 65: at most 64"));
  std::string variables = absl::StrCat(kAchieve, "variables:\n");
  for (int i = 0; i < 65; ++i) {
    absl::StrAppend(&variables, "  - {name: v", i, ", value: '1'}\n");
  }
  EXPECT_THAT(Complaints(variables),
              HasSubstr("variables: there are 65: at most 64"));
}

}  // namespace
}  // namespace faultline::grading

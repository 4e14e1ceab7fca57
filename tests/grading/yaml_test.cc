// Reading YAML into messages: what is taken, and what each mistake is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "faultline/v1/exercise.pb.h"
#include "server/grading/yaml_message.h"
#include "server/grading/yaml_tree.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// The problems of a text as an exercise, a line each.
std::string Read(const std::string& yaml, v1::Exercise* exercise = nullptr) {
  v1::Exercise ignored;
  SourceMap source;
  Problems problems;
  ReadYaml(yaml, exercise != nullptr ? exercise : &ignored, &source, &problems);
  std::string text;
  for (const Problem& problem : problems) {
    absl::StrAppend(&text, ToText("", problem), "\n");
  }
  return text;
}

TEST(Yaml, SetsEveryKindOfField) {
  v1::Exercise exercise;
  EXPECT_THAT(Read("id: cow\n"
                   "hide_setup: true\n"
                   "attempts: 3\n"
                   "machine: {ram_bytes: 64m, thp: madvise, seed: 0x10}\n"
                   "require: [a > 1, \"b\"]\n"
                   "variables:\n"
                   "  - name: n\n"
                   "    range: {min: -2, max: 4p}\n"
                   "questions:\n"
                   "  - {id: q, type: errno, points: 1.5}\n"
                   "setup: |\n"
                   "  a: mmap\n"
                   "  b: mmap\n",
                   &exercise),
              IsEmpty());
  EXPECT_EQ(exercise.id(), "cow");
  EXPECT_TRUE(exercise.hide_setup());
  EXPECT_EQ(exercise.attempts(), 3);
  EXPECT_EQ(exercise.machine().ram_bytes(), 64u << 20);
  EXPECT_EQ(exercise.machine().thp(), v1::THP_MODE_MADVISE);
  EXPECT_EQ(exercise.machine().seed(), 16u);
  EXPECT_EQ(exercise.require(1), "b");
  EXPECT_EQ(exercise.variables(0).range().min(), -2);
  EXPECT_EQ(exercise.variables(0).range().max(), 16384);
  EXPECT_EQ(exercise.questions(0).type(), v1::ANSWER_TYPE_ERRNO);
  EXPECT_EQ(exercise.questions(0).points(), 1.5);
  EXPECT_EQ(exercise.setup(), "a: mmap\nb: mmap\n");
}

struct Mistake {
  const char* name;
  const char* yaml;
  const char* says;
};

void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.name;
}

class YamlMistakes : public testing::TestWithParam<Mistake> {};

constexpr Mistake kMistakes[] = {
    {"UnknownField", "id: a\ntitel: b\n",
     "2:1: there is no field 'titel' here; did you mean 'title'?"},
    {"UnknownFieldFarFromAll", "zzz: 1\n",
     "1:1: there is no field 'zzz' here; there are: id, title, text"},
    {"UnknownFieldDeepDown", "questions:\n  - id: q\n    pionts: 2\n",
     "3:5: there is no field 'pionts' here; did you mean 'points'?"},
    {"Doubled", "id: a\ntitle: b\nid: c\n",
     "3:1: 'id' is here twice, first in line 1: remove one of them"},
    {"TextForNumber", "attempts: many\n",
     "1:11: attempts must be a whole number, such as 64, 0x40 or 64k, not "
     "'many'"},
    {"FractionForWholeNumber", "attempts: 1.5\n", "1:11: attempts must be a"},
    {"TooLarge", "attempts: 3000000000\n",
     "1:11: attempts: 3000000000 is out of the range of int32"},
    {"NegativeForUnsigned", "machine: {ram_bytes: -1}\n",
     "1:22: ram_bytes: -1 is out of the range of uint64: use a smaller number "
     "that is not negative"},
    {"TextForPoints", "questions: [{points: two}]\n",
     "1:22: points must be a number, such as 2 or 1.5, not 'two'"},
    {"InfinitePoints", "questions: [{points: inf}]\n", "1:22: points must be"},
    {"WordForBool", "hide_setup: 1\n",
     "1:13: hide_setup must be true or false, not '1'"},
    {"UnknownEnum", "questions: [{type: erno}]\n",
     "1:20: there is no type 'erno' here; did you mean 'errno'?"},
    {"ListForText", "id: [a]\n", "1:5: id must be a single value"},
    {"MapForText", "id: {a: b}\n", "1:5: id must be a single value"},
    {"TextForList", "questions: none\n",
     "1:12: questions must be a list: a line `- ` for each, or [a, b]"},
    {"MapForList", "require: {a: b}\n", "1:10: require must be a list"},
    {"TextForMap", "machine: large\n",
     "1:10: machine must be a mapping, a line `field: value` for each of: "
     "profile"},
    {"NoValue", "id:\ntitle: b\n",
     "id has no value: give it one, or remove the line"},
    {"EmptyElement", "require:\n  -\n", "require[0] is empty: remove the `-`"},
    {"EmptyFile", "# nothing\n", "the file is empty"},
    {"TextAlone", "hello\n", "1:1: the file must be a mapping"},
    {"Alias", "id: &x a\ntitle: *x\n",
     "an anchor (&name) is not taken here: remove it"},
    {"Tag", "id: !!binary aGk=\n", "a tag (!name) is not taken here"},
    {"TwoDocuments", "id: a\n---\nid: b\n",
     "a second document: a file has one, without `---`"},
    {"NotYaml", "id: a: b\n", "1:6: this is not YAML (illegal map value)"},
    {"OpenBracket", "require: [a, b\n", "this is not YAML"},
    {"QuestionMark", "questions: [{text: How many?, id: q}]\n",
     "1:28: this is not YAML (unknown token): check the indentation"},
    {"CommaInAnExpression", "questions: [{answer: min(1, 2), id: q}]\n",
     "1:29: there is no field '2)' here: inside { } a text with a comma needs "
     "quotes"},
    {"Tab", "machine:\n\tseed: 1\n", "2:6: this is not YAML"},
    {"ListAsKey", "? [a]\n: b\n", "a key must be the name of a field"},
    {"ControlCharacter", "id: a\nti\x01tle: b\n",
     "2:3: a control character: remove it"},
    {"NotUtf8", "id: a\ntitle: \xff\n",
     "2:1: this is not UTF-8: save the file in that encoding"},
    {"TooDeep", "id: [[[[[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]]]]]\n",
     "this is nested deeper than 16 levels"},
};

INSTANTIATE_TEST_SUITE_P(All, YamlMistakes, testing::ValuesIn(kMistakes),
                         [](const auto& info) { return info.param.name; });

TEST_P(YamlMistakes, SayLineColumnAndRemedy) {
  EXPECT_THAT(Read(GetParam().yaml), HasSubstr(GetParam().says));
}

TEST(Yaml, TellsAllMistakesAtOnce) {
  EXPECT_THAT(
      Read("attempts: x\nhide_setup: y\ntitel: z\n"),
      AllOf(HasSubstr("1:11: "), HasSubstr("2:13: "), HasSubstr("3:1: ")));
}

TEST(Yaml, ManyBracketsAreAnErrorNotACrash) {
  EXPECT_THAT(Read(std::string(100'000, '[')), HasSubstr("1:"));
  EXPECT_THAT(Read("id: " + std::string(100'000, '{')), HasSubstr("1:"));
  std::string dashes;
  for (int i = 0; i < 20'000; ++i) dashes += "- ";
  EXPECT_THAT(Read(dashes), HasSubstr("1:"));
}

TEST(Yaml, AnswersAreTextsOrListsOfThem) {
  v1::Submission submission;
  SourceMap source;
  Problems problems;
  ReadYaml(
      "answers:\n  a: 12\n  b: [1, 2, 0x3]\n  c: |\n    x y\n    z\n  d:\n",
      &submission, &source, &problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(submission.answers().at("a"), "12");
  EXPECT_EQ(submission.answers().at("b"), "1, 2, 0x3");
  EXPECT_EQ(submission.answers().at("c"), "x y\nz\n");
  EXPECT_EQ(submission.answers().at("d"), "");
}

TEST(SourceMapTest, KnowsFieldsAndWhatTheyStandIn) {
  v1::Exercise exercise;
  SourceMap source;
  Problems problems;
  ReadYaml("id: a\nquestions:\n  - id: q\n    text: hm\n", &exercise, &source,
           &problems);
  EXPECT_EQ(source.Of("id"), (Mark{1, 5}));
  EXPECT_EQ(source.Of("questions[0].text"), (Mark{4, 11}));
  EXPECT_EQ(source.Of("questions[0].answer"), (Mark{3, 5}));
  EXPECT_EQ(source.Of("goals"), (Mark{1, 1}));
  EXPECT_TRUE(source.Has("questions[0]"));
  EXPECT_FALSE(source.Has("questions[1]"));
}

TEST(SourceMapTest, KnowsPlacesInsideABlock) {
  v1::Exercise exercise;
  SourceMap source;
  Problems problems;
  ReadYaml("setup: |\n\n    first\n    second\ntext: \"one line\"\n", &exercise,
           &source, &problems);
  EXPECT_EQ(source.Inside("setup", 3, 2), (Mark{4, 6}));
  EXPECT_EQ(source.Inside("text", 1, 3), source.Of("text"));
}

}  // namespace
}  // namespace faultline::grading

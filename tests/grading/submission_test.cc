// Answer sheets: what is taken and what is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/grading/export.h"
#include "tests/grading/grading_testing.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;

const Exercise& Demo() {
  static const auto& exercise = *new Exercise(MustRead(
      "id: demo\ntitle: t\ntext: t\nsetup: 'a: brk 0'\nquestions:\n"
      "  - {id: faults, text: 'How many?', answer: a.min}\n"
      "  - {id: brk, text: 'Where?', answer: a.ret, type: address}\n"));
  return exercise;
}

std::string Says(const std::string& yaml) {
  const auto sheet = ReadSubmission("sheet.yaml", yaml, Demo().proto);
  return sheet.ok() ? "" : std::string(sheet.status().message());
}

TEST(Submission, MistakesSayWhereAndWhat) {
  EXPECT_EQ(Says("answers: {faults: 3}\n"), "");
  EXPECT_EQ(Says("exercise: demo\nstudent: ada\nanswers:\n  faults:\n"), "");
  EXPECT_THAT(
      Says("exercise: demo\nanswers:\n  fautls: 3\n"),
      HasSubstr("sheet.yaml:3:3: there is no question 'fautls'; did you "
                "mean 'faults'?"));
  EXPECT_THAT(Says("exercise: other\n"),
              HasSubstr("1:11: these are answers to 'other', not to 'demo'"));
  EXPECT_THAT(Says("answers: 3\n"),
              HasSubstr("1:10: answers must be a mapping"));
  EXPECT_THAT(Says("answers: {faults: {a: 1}}\n"),
              HasSubstr("answers.faults must be a number, a text, or a list"));
  EXPECT_THAT(Says("answers: {faults: 1, faults: 2}\n"),
              HasSubstr("'faults' is here twice"));
  EXPECT_THAT(Says("answer: {faults: 1}\n"),
              HasSubstr("did you mean 'answers'?"));
  EXPECT_THAT(Says(""), HasSubstr("the file is empty"));
  EXPECT_THAT(Says("answers: {faults: " + std::string(20'000, '1') + "}\n"),
              HasSubstr("the answer has 20000 bytes: at most 16384"));
}

TEST(Submission, TheSheetThatIsShownReadsBack) {
  const Played played(Demo());
  const auto variant = ToVariant(Demo().proto, played.drawn(), played.stage());
  ASSERT_TRUE(variant.ok());
  const auto empty = ReadSubmission("", ToSheet(*variant, {}), Demo().proto);
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->exercise(), "demo");
  EXPECT_EQ(empty->student(), "ada@x.edu");
  const Answers odd = {{"faults", "a \"b\" \\ : # {"},
                       {"brk", "1-2 rw-p\n3-4 r--p\n"}};
  const auto filled = ReadSubmission("", ToSheet(*variant, odd), Demo().proto);
  ASSERT_TRUE(filled.ok()) << filled.status();
  EXPECT_EQ(filled->answers().at("faults"), odd.at("faults"));
  EXPECT_EQ(filled->answers().at("brk"), odd.at("brk"));
}

}  // namespace
}  // namespace faultline::grading

#include "server/grading/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/grading/draw.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;

std::string Filled(const std::string& text) {
  static const auto& values =
      *new Values{{"n", Value(int64_t{12})}, {"at", Value(int64_t{0x2000})}};
  const auto filled = Fill(text, VariableScope(values));
  return filled.ok() ? *filled : std::string(filled.status().message());
}

TEST(Template, FillsInExpressions) {
  EXPECT_EQ(Filled("no values"), "no values");
  EXPECT_EQ(Filled("{n} pages, {n * 4} kB"), "12 pages, 48 kB");
  EXPECT_EQ(Filled("at {at:x}, {at + 4096:x}"), "at 0x2000, 0x3000");
  EXPECT_EQ(Filled("{n > 10 ? 'many' : 'few'}"), "many");
  EXPECT_EQ(Filled("{'a } b'}"), "a } b");
  EXPECT_EQ(Filled("{n}"), "12");
  EXPECT_EQ(Filled(""), "");
}

TEST(Template, DoubledBracesAreBraces) {
  EXPECT_EQ(Filled("{{n}} is {n}"), "{n} is 12");
  EXPECT_EQ(Filled("a }} b {{"), "a } b {");
}

TEST(Template, MistakesSayTheLine) {
  EXPECT_THAT(Filled("ok\n{m}"), HasSubstr("line 2 of the text, there is no "
                                           "variable 'm'"));
  EXPECT_THAT(Filled("ok\nand {n"), HasSubstr("line 2 of the text, a { without "
                                              "its }"));
  EXPECT_THAT(Filled("a } b"), HasSubstr("a } without its {"));
  EXPECT_THAT(Filled("{n +}"), HasSubstr("`{n +}`: at column 4"));
  EXPECT_THAT(Filled("{}"), HasSubstr("an operand is missing"));
}

TEST(Template, IsBounded) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "{n}        ";
  EXPECT_THAT(Filled(text), HasSubstr("it is longer than 65536 bytes"));
}

}  // namespace
}  // namespace faultline::grading

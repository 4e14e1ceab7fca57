#include "server/grading/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/grading/draw.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;

const Values& Variables() {
  static const auto& values = *new Values{{"n", Value(int64_t{12})},
                                          {"kind", Value(std::string("rw-"))}};
  return values;
}

// The value as text, or the error.
std::string Of(const std::string& text) {
  const auto value = Evaluate(text, VariableScope(Variables()));
  return value.ok() ? value->ToText() : std::string(value.status().message());
}

TEST(Expression, Numbers) {
  EXPECT_EQ(Of("12"), "12");
  EXPECT_EQ(Of("0x10"), "16");
  EXPECT_EQ(Of("2p"), "8192");
  EXPECT_EQ(Of("3k + 1"), "3073");
  EXPECT_EQ(Of("0x7fffffffffffffff"), "9223372036854775807");
}

TEST(Expression, OperatorsBindAsInAlgebra) {
  EXPECT_EQ(Of("1 + 2 * 3"), "7");
  EXPECT_EQ(Of("(1 + 2) * 3"), "9");
  EXPECT_EQ(Of("20 - 5 - 3"), "12");
  EXPECT_EQ(Of("7 / 2 * 2 + 7 % 2"), "7");
  EXPECT_EQ(Of("-3 + 5"), "2");
  EXPECT_EQ(Of("- - 3"), "3");
  EXPECT_EQ(Of("1 << 4 | 3"), "19");
  EXPECT_EQ(Of("6 & 3 == 2"), "1") << "& binds more tightly than ==";
  EXPECT_EQ(Of("~0 & 0xff"), "255");
  EXPECT_EQ(Of("0x1000 >> 12"), "1");
}

TEST(Expression, TruthIsOneOrZero) {
  EXPECT_EQ(Of("2 < 3 && 3 <= 3"), "1");
  EXPECT_EQ(Of("2 > 3 || 3 != 3"), "0");
  EXPECT_EQ(Of("!5"), "0");
  EXPECT_EQ(Of("!0"), "1");
  EXPECT_EQ(Of("7 && 8"), "1");
}

TEST(Expression, ChoosesWithoutLookingAtTheOther) {
  EXPECT_EQ(Of("n > 10 ? 1 : 1 / 0"), "1");
  EXPECT_EQ(Of("0 && 1 / 0"), "0");
  EXPECT_EQ(Of("1 || nothing"), "1");
  EXPECT_EQ(Of("0 ? 1 : 0 ? 2 : 3"), "3");
}

TEST(Expression, TextsAndLists) {
  EXPECT_EQ(Of("kind == 'rw-'"), "1");
  EXPECT_EQ(Of("kind != 'r--'"), "1");
  EXPECT_EQ(Of("kind == 1"), "0");
  EXPECT_EQ(Of("'a { b'"), "a { b");
  EXPECT_EQ(Of("[n, n + 1, 0x10]"), "12, 13, 16");
  EXPECT_EQ(Of("[]"), "");
}

TEST(Expression, PureFunctions) {
  EXPECT_EQ(Of("min(3, n)"), "3");
  EXPECT_EQ(Of("max(3, n)"), "12");
  EXPECT_EQ(Of("pages(1)"), "1");
  EXPECT_EQ(Of("pages(4096)"), "1");
  EXPECT_EQ(Of("pages(4097)"), "2");
  EXPECT_EQ(Of("index(4, 0x7ffff7ffb000)"), "255");
  EXPECT_EQ(Of("index(3, 0x7ffff7ffb000)"), "511");
  EXPECT_EQ(Of("index(2, 0x7ffff7ffb000)"), "447");
  EXPECT_EQ(Of("index(1, 0x7ffff7ffb000)"), "507");
  EXPECT_EQ(Of("index(2, 0xb7ffb000, 10)"), "735");
  EXPECT_EQ(Of("index(1, 0xb7ffb000, 10)"), "1019");
}

TEST(Expression, WrapsAroundAndNeverTraps) {
  EXPECT_EQ(Of("0x7fffffffffffffff + 1"), "-9223372036854775808");
  EXPECT_EQ(Of("(0x7fffffffffffffff + 1) / -1"), "-9223372036854775808");
  EXPECT_EQ(Of("(0x7fffffffffffffff + 1) % -1"), "0");
  EXPECT_EQ(Of("1 << 64"), "0");
  EXPECT_EQ(Of("1 << (0 - 1)"), "0");
  EXPECT_EQ(Of("0x7fffffffffffffff * 3"), "9223372036854775805");
}

struct Mistake {
  const char* text;
  const char* says;
};

TEST(Expression, MistakesSayWhereAndWhat) {
  constexpr Mistake kMistakes[] = {
      {"", "at column 1: an operand is missing at the end"},
      {"1 +", "at column 4: an operand is missing at the end"},
      {"1 + * 2", "at column 5: an operand is missing before '*'"},
      {"1 2", "at column 3: an operator is missing before '2'"},
      {"(1", "')' is missing at the end"},
      {"(1 2)", "at column 4: ')' is missing before '2'"},
      {"[1, 2", "']' is missing at the end"},
      {"'abc", "has no closing '"},
      {"1 < 2 < 3", "comparisons do not chain: write a < b && b < c"},
      {"1 ? 2", "':' is missing at the end"},
      {"$ + 1", "the name of a label is missing after $"},
      {"w. + 1", "the name of a field is missing after 'w.'"},
      {"0xg", "at column 1: expected a number, found '0xg'"},
      {"1 = 2", "an operator is missing before '='"},
      {"m + 1", "there is no variable 'm'"},
      {"kin", "there is no variable 'kin'; did you mean 'kind'?"},
      {"mim(1, 2)", "there is no function 'mim'; did you mean 'min'?"},
      {"min(1)", "min does not take 1 arguments: write min(a, b)"},
      {"1 / (n - 12)", "a division by 0"},
      {"kind + 1", "'+' takes numbers, not a text"},
      {"!kind", "'!' takes numbers, not a text"},
      {"[kind]", "'[' takes numbers, not a text"},
      {"min(1, kind)", "argument 2 of min() must be a number, not a text"},
      {"index(5, 0)", "index() takes a level from 1 to 4, not 5"},
      {"index(1, 0, 11)", "index() takes 9 or 10 bits a level, not 11"},
      {"w.min", "w.min is known only after the set-up has run"},
      {"$a", "$a is known only after the set-up has run"},
      {"vmas()", "vmas() is known only after the set-up has run"},
  };
  for (const Mistake& mistake : kMistakes) {
    EXPECT_THAT(Of(mistake.text), HasSubstr(mistake.says)) << mistake.text;
  }
}

TEST(Expression, IsBoundedInDepthAndLength) {
  std::string deep(10'000, '(');
  EXPECT_THAT(Of(deep), HasSubstr("nested deeper than 64 levels"));
  EXPECT_THAT(Of(std::string(10'000, '!')), HasSubstr("nested deeper"));
  EXPECT_THAT(Of(std::string(10'000, '[')), HasSubstr("nested deeper"));
  std::string conditions;
  for (int i = 0; i < 10'000; ++i) conditions += "1?";
  EXPECT_THAT(Of(conditions), HasSubstr("nested deeper"));
  std::string sum = "1";
  for (int i = 0; i < 10'000; ++i) sum += "+1";
  EXPECT_THAT(Of(sum), HasSubstr("more than 256 operands"));
  std::string fits = "1";
  for (int i = 0; i < 100; ++i) fits += "+1";
  EXPECT_EQ(Of(fits), "101");
}

}  // namespace
}  // namespace faultline::grading

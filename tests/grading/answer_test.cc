// Reading what people write, and comparing it.
#include "server/grading/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace faultline::grading {
namespace {

using testing::HasSubstr;

v1::Question Of(v1::AnswerType type) {
  v1::Question question;
  question.set_type(type);
  return question;
}

double Fraction(const v1::Question& question, const Value& right,
                const std::string& given) {
  return Judge(question, right, given).fraction;
}
double Number(int64_t right, const std::string& given) {
  return Fraction(Of(v1::ANSWER_TYPE_NUMBER), Value(right), given);
}

TEST(NumberAnswer, IsReadInAnyBase) {
  for (const char* given :
       {"4096", "0x1000", "0X1000", "0o10000", "0b1000000000000", "1p", "4k",
        " 4096 ", "4 096", "4,096", "4_096", "+4096", "4096.0"}) {
    EXPECT_EQ(Number(4096, given), 1) << given;
  }
  EXPECT_EQ(Number(-5, "-5"), 1);
  EXPECT_EQ(Number(-5, "5"), 0);
  EXPECT_EQ(Number(0, "0"), 1);
  EXPECT_EQ(Number(0x7ffff7ffb000, "0x7ffff7ffb000"), 1);
}

TEST(NumberAnswer, WhatIsNoNumberIsToldSo) {
  for (const char* given : {"many", "12 pages", "0x", "1.2.3", "--5", "1e3",
                            "99999999999999999999999", "0b12", "nan", "."}) {
    const Judgement judgement =
        Judge(Of(v1::ANSWER_TYPE_NUMBER), Value(int64_t{12}), given);
    EXPECT_EQ(judgement.fraction, 0) << given;
    EXPECT_THAT(judgement.unreadable,
                HasSubstr("the answer is a number without a unit"))
        << given;
  }
}

TEST(NumberAnswer, MayBeCloseEnough) {
  v1::Question question = Of(v1::ANSWER_TYPE_NUMBER);
  EXPECT_EQ(Fraction(question, Value(int64_t{100}), "101"), 0);
  question.set_tolerance(2);
  EXPECT_EQ(Fraction(question, Value(int64_t{100}), "102"), 1);
  EXPECT_EQ(Fraction(question, Value(int64_t{100}), "98.0"), 1);
  EXPECT_EQ(Fraction(question, Value(int64_t{100}), "97.9"), 0);
  question.set_tolerance_percent(10);
  EXPECT_EQ(Fraction(question, Value(int64_t{100}), "110"), 1);
  EXPECT_EQ(Fraction(question, Value(int64_t{-100}), "-90"), 1);
  EXPECT_EQ(Fraction(question, Value(int64_t{100}), "111"), 0);
}

TEST(AddressAnswer, NeedsNo0x) {
  const v1::Question question = Of(v1::ANSWER_TYPE_ADDRESS);
  for (const char* given : {"0x555555558000", "555555558000", "0X555555558000",
                            " 5555_5555_8000 "}) {
    EXPECT_EQ(Fraction(question, Value(int64_t{0x555555558000}), given), 1)
        << given;
  }
  EXPECT_EQ(Fraction(question, Value(int64_t{0x1000}), "4096"), 1)
      << "decimal is a number as well";
  EXPECT_EQ(Fraction(question, Value(int64_t{0x1000}), "7ffff7ffb000"), 0);
  EXPECT_EQ(Judge(question, Value(int64_t{0x1000}), "7ffff7ffb000").unreadable,
            "");
  EXPECT_NE(Judge(question, Value(int64_t{0x1000}), "heap").unreadable, "");
}

TEST(NameAnswer, TakesNamesAndNumbers) {
  const v1::Question error = Of(v1::ANSWER_TYPE_ERRNO);
  for (const char* given :
       {"EINVAL", "einval", "-EINVAL", "22", "-22", " EINVAL ", "inval"}) {
    EXPECT_EQ(Fraction(error, Value(int64_t{22}), given), 1) << given;
  }
  for (const char* given : {"none", "NONE", "ok", "0", "success"}) {
    EXPECT_EQ(Fraction(error, Value(int64_t{0}), given), 1) << given;
    EXPECT_EQ(Fraction(error, Value(int64_t{22}), given), 0) << given;
  }
  EXPECT_THAT(Judge(error, Value(int64_t{22}), "ENVAL").unreadable,
              HasSubstr("the name of an errno, such as EINVAL, or none"));
  const v1::Question signal = Of(v1::ANSWER_TYPE_SIGNAL);
  for (const char* given : {"SIGSEGV", "segv", "11"}) {
    EXPECT_EQ(Fraction(signal, Value(int64_t{11}), given), 1) << given;
  }
  const v1::Question code = Of(v1::ANSWER_TYPE_SIGNAL_CODE);
  for (const char* given : {"SEGV_ACCERR", "accerr", "2"}) {
    EXPECT_EQ(Fraction(code, Value(int64_t{2}), given), 1) << given;
  }
  EXPECT_EQ(Fraction(code, Value(int64_t{2}), "SEGV_MAPERR"), 0);
  EXPECT_EQ(Fraction(code, Value(int64_t{0}), "none"), 1);
}

TEST(TextAnswer, LetterCaseAndBlanksDoNotCount) {
  v1::Question question = Of(v1::ANSWER_TYPE_TEXT);
  const Value right(std::string("the Zero page"));
  EXPECT_EQ(Fraction(question, right, "  The zero\n PAGE "), 1);
  EXPECT_EQ(Fraction(question, right, "a zero page"), 0);
  question.add_choices("the zero page");
  question.add_choices("a frame");
  EXPECT_EQ(Judge(question, right, "A frame").unreadable, "");
  EXPECT_THAT(Judge(question, right, "a page").unreadable,
              HasSubstr("one of: the zero page, a frame"));
}

TEST(NumbersAnswer, EachIsWorthItsPart) {
  const v1::Question question = Of(v1::ANSWER_TYPE_NUMBERS);
  const Value right(std::vector<int64_t>{4, 0, 7, 9});
  EXPECT_EQ(Fraction(question, right, "4, 0, 7, 9"), 1);
  EXPECT_EQ(Fraction(question, right, "[4 0x0 7; 9]"), 1);
  EXPECT_EQ(Fraction(question, right, "4, 1, 7, 8"), 0.5);
  EXPECT_EQ(Judge(question, right, "4, 1, 7, 8").parts,
            "2 of 4 numbers are right: number 1, 3");
  EXPECT_EQ(Fraction(question, right, "4"), 0.25);
  EXPECT_EQ(Fraction(question, right, "4, 0, 7, 9, 1, 1, 1, 1"), 0.5)
      << "guessing more costs";
  EXPECT_NE(Judge(question, right, "4, x").unreadable, "");
}

constexpr char kMaps[] =
    "10000000-10002000 rw-p 00000000 00:00 0 \n"
    "10004000-10006000 r--p 00000000 00:00 0 \n";

TEST(MapsAnswer, RangesAndPermissionsCount) {
  const v1::Question question = Of(v1::ANSWER_TYPE_MAPS);
  const Value right{std::string(kMaps)};
  EXPECT_EQ(Fraction(question, right, kMaps), 1);
  EXPECT_EQ(Fraction(question, right,
                     "0x10000000-0x10002000   RW-P\n\n10004000-10006000 r--p"),
            1);
  EXPECT_EQ(Fraction(question, right,
                     "10000000-10002000 r--p\n10004000-10007000 r--p"),
            0.5);
  EXPECT_EQ(Fraction(question, right, "10000000-10006000 rw-p"), 0.25);
  EXPECT_EQ(Fraction(question, right,
                     std::string(kMaps) + "20000000-20001000 rw-p\n" +
                         "20001000-20002000 rw-p\n"),
            0.5);
  EXPECT_THAT(Judge(question, right, "10000000-10006000 rw-p").parts,
              HasSubstr("1 of 4 ranges and permissions are right; 1 lines "
                        "instead of 2 are given"));
}

TEST(MapsAnswer, WhatIsNoLineIsToldSo) {
  const v1::Question question = Of(v1::ANSWER_TYPE_MAPS);
  const Value right{std::string(kMaps)};
  for (const char* given : {"10000000", "10000000-x rw-p", "a b c",
                            "10000000-10002000", "1-2-3 rw-p"}) {
    EXPECT_THAT(Judge(question, right, given).unreadable,
                HasSubstr("lines as in /proc/PID/maps"))
        << given;
  }
}

TEST(AnswerTypes, WhatIsRightIsTakenForRight) {
  const struct {
    v1::AnswerType type;
    Value right;
  } kCases[] = {
      {v1::ANSWER_TYPE_NUMBER, Value(int64_t{-3})},
      {v1::ANSWER_TYPE_ADDRESS, Value(int64_t{0x7ffff7ffb000})},
      {v1::ANSWER_TYPE_ERRNO, Value(int64_t{12})},
      {v1::ANSWER_TYPE_ERRNO, Value(int64_t{0})},
      {v1::ANSWER_TYPE_SIGNAL, Value(int64_t{7})},
      {v1::ANSWER_TYPE_SIGNAL_CODE, Value(int64_t{1})},
      {v1::ANSWER_TYPE_TEXT, Value(std::string("rw-p"))},
      {v1::ANSWER_TYPE_NUMBERS, Value(std::vector<int64_t>{1, -2})},
      {v1::ANSWER_TYPE_MAPS, Value(std::string(kMaps))},
  };
  for (const auto& [type, right] : kCases) {
    const v1::Question question = Of(type);
    EXPECT_EQ(CheckAnswerType(type, right), "");
    EXPECT_EQ(Fraction(question, right, ToAnswer(question, right)), 1)
        << ToAnswer(question, right);
  }
  EXPECT_NE(CheckAnswerType(v1::ANSWER_TYPE_NUMBER, Value(std::string("1"))),
            "");
  EXPECT_NE(CheckAnswerType(v1::ANSWER_TYPE_MAPS, Value(int64_t{1})), "");
  EXPECT_NE(CheckAnswerType(v1::ANSWER_TYPE_NUMBERS, Value(int64_t{1})), "");
}

}  // namespace
}  // namespace faultline::grading

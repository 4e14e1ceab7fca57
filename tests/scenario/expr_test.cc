#include "server/scenario/expr.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace faultline::scenario {
namespace {

std::optional<uint64_t> Lookup(absl::string_view name) {
  if (name == "r1") return 0x10000;
  if (name == "err") return 0 - uint64_t{14};
  return std::nullopt;
}

uint64_t Eval(absl::string_view text) {
  int column = 0;
  auto expr = ParseExpr(text, 1, &column);
  EXPECT_TRUE(expr.ok()) << text << ": " << expr.status();
  auto value = Evaluate(*expr, Lookup);
  EXPECT_TRUE(value.ok()) << text << ": " << value.status();
  return value.value_or(0);
}

TEST(Expr, NumbersHaveSuffixes) {
  EXPECT_EQ(Eval("0"), 0u);
  EXPECT_EQ(Eval("17"), 17u);
  EXPECT_EQ(Eval("0xffffffffffffffff"), ~uint64_t{0});
  EXPECT_EQ(Eval("3p"), 3u * 4096);
  EXPECT_EQ(Eval("0x10p"), 16u * 4096);
  EXPECT_EQ(Eval("2k"), 2048u);
  EXPECT_EQ(Eval("1m"), 1u << 20);
  EXPECT_EQ(Eval("4g"), uint64_t{4} << 30);
}

TEST(Expr, SumsWrapAsAddressesDo) {
  EXPECT_EQ(Eval("$r1+2p+5"), 0x10000u + 2 * 4096 + 5);
  EXPECT_EQ(Eval("$r1-1p"), 0xf000u);
  EXPECT_EQ(Eval("$err+2178"), 0x874u) << "an errno is its negative value";
  EXPECT_EQ(Eval("0-1"), ~uint64_t{0});
  EXPECT_EQ(Eval("-1000"), 0 - uint64_t{1000});
  EXPECT_EQ(Eval("-1p+1"), 0 - uint64_t{4095});
}

TEST(Expr, AnUnknownSymbolIsNamed) {
  int column = 0;
  auto expr = ParseExpr("$nobody", 1, &column);
  ASSERT_TRUE(expr.ok());
  EXPECT_FALSE(expr->IsConstant());
  auto value = Evaluate(*expr, Lookup);
  ASSERT_FALSE(value.ok());
  EXPECT_NE(value.status().message().find("$nobody"), std::string::npos);
}

struct BadCase {
  const char* text;
  int column;
  const char* says;
};

TEST(Expr, BadOnesSayWhatAndWhere) {
  for (const BadCase& bad : {
           BadCase{"12q", 5, "'12q' is not a number"},
           BadCase{"0x", 5, "expected a number, found '0x'"},
           BadCase{"$r1+", 9, "is missing in '$r1+'"},
           BadCase{"$r1+zz", 9, "'zz' is not a number"},
           BadCase{"-", 6, "is missing in '-'"},
           BadCase{"--1", 6, "is missing in '--1'"},
           BadCase{"$", 5, "'$' is not a name"},
           BadCase{"$1a", 5, "'$1a' is not a name"},
           BadCase{"0x10000000000000000", 5, "does not fit in 64 bits"},
           BadCase{"0x10000000000000p", 5, "does not fit in 64 bits"},
           BadCase{"18446744073709551616", 5, "does not fit in 64 bits"},
       }) {
    int column = 0;
    auto expr = ParseExpr(bad.text, 5, &column);
    ASSERT_FALSE(expr.ok()) << bad.text;
    EXPECT_EQ(column, bad.column) << bad.text;
    EXPECT_NE(expr.status().message().find(bad.says), std::string::npos)
        << bad.text << " gave: " << expr.status();
  }
}

}  // namespace
}  // namespace faultline::scenario

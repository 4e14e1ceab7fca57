#include "tests/bench/comparison.h"

#include <gtest/gtest.h>

#include <string>

namespace faultline::bench {
namespace {

TEST(Comparison, TheMedianIsTheMiddle) {
  EXPECT_EQ(Median({5, 1, 3}), 3);
  EXPECT_EQ(Median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(Median({7}), 7);
}

TEST(Comparison, BothSidesAreMeasuredInTurn) {
  std::string turns;
  const Comparison result = Compare(
      "x", "ns/call", 0.5,
      [&] {
        turns += 'o';
        return 10.0;
      },
      [&] {
        turns += 'r';
        return 40.0;
      },
      {.seconds = 0, .rounds_min = 3});
  EXPECT_EQ(turns, "orrororo") << "one round to warm up, then three";
  EXPECT_EQ(result.rounds, 3);
  EXPECT_EQ(result.ratio, 0.25);
  EXPECT_TRUE(result.Met());
}

TEST(Comparison, OneSlowRoundDoesNotDecide) {
  int round = 0;
  const Comparison result = Compare(
      "x", "ns/call", 0.5, [&] { return ++round == 3 ? 1e9 : 10.0; },
      [] { return 40.0; }, {.seconds = 0, .rounds_min = 5});
  EXPECT_EQ(result.ours, 10);
  EXPECT_EQ(result.ratio, 0.25);
}

TEST(Comparison, ABoundMayBeOfOurSideAlone) {
  Comparison result;
  result.ours = 100;
  result.ratio = 7;
  result.wanted = 100;
  result.wanted_of = WantedOf::kOurs;
  EXPECT_TRUE(result.Met());
  EXPECT_NE(JsonLine(result).find(R"("wanted":100,"of":"ours","met":true)"),
            std::string::npos)
      << JsonLine(result);
  result.wanted = 99;
  EXPECT_FALSE(result.Met());
}

TEST(Comparison, PrintsOneJsonObject) {
  Comparison result;
  result.name = "fork";
  result.unit = "ns/fork";
  result.ours = 100;
  result.reference = 1000;
  result.ratio = 0.1;
  result.wanted = 0.05;
  EXPECT_EQ(
      JsonLine(result),
      R"({"name":"fork","ours":100.0,"reference":1000.0,)"
      R"("unit":"ns/fork","ratio":0.1000,"wanted":0.05,"of":"ratio","met":false})");
  result.wanted = 0.1;
  EXPECT_TRUE(result.Met()) << "the bound itself is met";
  result.wanted.reset();
  EXPECT_EQ(
      JsonLine(result),
      R"({"name":"fork","ours":100.0,"reference":1000.0,)"
      R"("unit":"ns/fork","ratio":0.1000,"wanted":null,"of":null,"met":null})");
}

}  // namespace
}  // namespace faultline::bench

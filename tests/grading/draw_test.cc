// Drawing variants: documented, deterministic, and spread over what is allowed.
#include "server/grading/draw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "server/machine/base/prng.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;

v1::Exercise WithVariables() {
  v1::Exercise exercise;
  exercise.set_id("demo");
  v1::Variable* n = exercise.add_variables();
  n->set_name("n");
  n->mutable_range()->set_min(-4);
  n->mutable_range()->set_max(11);
  n->mutable_range()->set_step(3);
  v1::Variable* kind = exercise.add_variables();
  kind->set_name("kind");
  for (const char* choice : {"rw-", "r--", "4p"}) kind->add_choices(choice);
  v1::Variable* size = exercise.add_variables();
  size->set_name("size");
  for (const char* choice : {"1p", "2p"}) size->add_choices(choice);
  v1::Variable* twice = exercise.add_variables();
  twice->set_name("twice");
  twice->set_value("n * 2");
  return exercise;
}

TEST(Draw, IsWhatTheHeaderSays) {
  v1::Exercise exercise = WithVariables();
  exercise.set_secret("s");
  // SHA-256 of "faultline variant 1\ndemo\ns\nada", by sha256sum.
  EXPECT_EQ(Sha256Hex("faultline variant 1\ndemo\ns\nada"),
            "808b2345b0eeb36db7488ffca53bc92570a786581954600e04b715c45d1b753c");
  EXPECT_EQ(SeedOf(exercise, "ada"), 0x6db3eeb045238b80);
  // n has six values, and is the first that is drawn.
  Prng prng(0x6db3eeb045238b80);
  const auto r = static_cast<double>(prng.Next()) / 18446744073709551616.0;
  EXPECT_EQ(Draw(exercise, 0x6db3eeb045238b80)->at("n").number(),
            -4 + 3 * static_cast<int64_t>(r * 6));
}

TEST(Draw, TheSameSeedGivesTheSameValues) {
  const v1::Exercise exercise = WithVariables();
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(*Draw(exercise, seed), *Draw(exercise, seed));
  }
}

TEST(Draw, DependsOnExerciseSecretAndStudent) {
  v1::Exercise exercise = WithVariables();
  const uint64_t seed = SeedOf(exercise, "ada");
  EXPECT_NE(SeedOf(exercise, "bob"), seed);
  exercise.set_secret("x");
  EXPECT_NE(SeedOf(exercise, "ada"), seed);
  exercise.set_secret("");
  exercise.set_id("other");
  EXPECT_NE(SeedOf(exercise, "ada"), seed);
}

TEST(Draw, ReachesEveryValueAndNoOther) {
  const v1::Exercise exercise = WithVariables();
  std::set<int64_t> numbers;
  std::set<std::string> kinds;
  std::set<int64_t> sizes;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const Values values = *Draw(exercise, seed);
    numbers.insert(values.at("n").number());
    kinds.insert(values.at("kind").text());
    sizes.insert(values.at("size").number());
    EXPECT_EQ(values.at("twice").number(), values.at("n").number() * 2);
  }
  EXPECT_EQ(numbers, (std::set<int64_t>{-4, -1, 2, 5, 8, 11}));
  EXPECT_EQ(kinds, (std::set<std::string>{"rw-", "r--", "4p"}))
      << "one that is no number makes all of them texts";
  EXPECT_EQ(sizes, (std::set<int64_t>{4096, 8192}));
}

TEST(Draw, DrawsAgainUntilRequirementsHold) {
  v1::Exercise exercise = WithVariables();
  exercise.add_require("n > 0 && n % 2 == 1");
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const int64_t n = Draw(exercise, seed)->at("n").number();
    EXPECT_TRUE(n == 5 || n == 11) << n;
  }
}

TEST(Draw, GivesUpOnWhatCannotBe) {
  v1::Exercise exercise = WithVariables();
  exercise.add_require("n > 100");
  const auto drawn = Draw(exercise, 1);
  EXPECT_TRUE(absl::IsOutOfRange(drawn.status()));
  EXPECT_THAT(std::string(drawn.status().message()), HasSubstr("loosen it"));
}

TEST(Draw, KeptValuesComeBack) {
  const v1::Exercise exercise = WithVariables();
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Values values = *Draw(exercise, seed);
    const auto again = FromProto(exercise, ToProto(exercise, values));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, values);
  }
}

TEST(Draw, KeptValuesDoNotFitAnExerciseThatDrawsMore) {
  v1::Exercise exercise = WithVariables();
  const DrawnValues drawn = ToProto(exercise, *Draw(exercise, 1));
  exercise.mutable_variables(3)->set_value("n * 3");
  EXPECT_TRUE(FromProto(exercise, drawn).ok()) << "computed ones may change";
  v1::Variable* more = exercise.add_variables();
  more->set_name("more");
  more->add_choices("1");
  EXPECT_THAT(std::string(FromProto(exercise, drawn).status().message()),
              HasSubstr("no value was drawn for variable more"));
}

}  // namespace
}  // namespace faultline::grading

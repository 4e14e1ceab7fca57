// Every sequence of three calls in the four-page world; `exhaustive` tries
// longer ones.
#include <gtest/gtest.h>

#include "tests/exhaustive/world.h"
#include "tests/model/lockstep.h"

namespace faultline::exhaustive {
namespace {

TEST(FourPages, EverySequenceOfThreeCallsAgreesAndVerifies) {
  const Explored explored = Explore(WorldCommands(), 3);
  EXPECT_EQ(explored.why, "") << model::ScenarioText(explored.sequence);
  EXPECT_GT(explored.sequences, 40'000u);
}

TEST(FourPages, ASequenceIsCountedOnce) {
  const std::vector<Command> two = {WorldCommands()[0], WorldCommands()[1]};
  const Explored explored = Explore(two, 3);
  EXPECT_EQ(explored.sequences, 8u);
  EXPECT_EQ(explored.steps, 2u + (2 + 4) + (2 + 4 + 8));
}

}  // namespace
}  // namespace faultline::exhaustive

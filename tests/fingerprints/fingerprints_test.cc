// Random lives of machines are the same each time. Whether they are with every
// compiler, fingerprints.sh says.
#include <gtest/gtest.h>

#include "tests/fingerprints/lives.h"

namespace faultline {
namespace {

TEST(Fingerprints, AreTheSameTwice) {
  EXPECT_EQ(LivesText(3, 5, 300), LivesText(3, 5, 300));
}

TEST(Fingerprints, DifferBySeedAndByTheLastCommand) {
  const Life life = LiveOf(1, 300);
  EXPECT_NE(life.outcomes, LiveOf(2, 300).outcomes);
  EXPECT_NE(life.state, LiveOf(2, 300).state);
  EXPECT_NE(life.outcomes, LiveOf(1, 301).outcomes);
  EXPECT_NE(life.state, LiveOf(1, 301).state);
}

}  // namespace
}  // namespace faultline

#include "client/cli/layout.h"

#include <gtest/gtest.h>

namespace faultline::cli {
namespace {

constexpr uint64_t kOurBreak = 0x555555576000;
constexpr uint64_t kRealBreak = 0x559a98c84000;
constexpr uint64_t kOurMapping = 0x7ffff7fc0000;
constexpr uint64_t kRealMapping = 0x7fbf0bf1f000;

Layout Randomised() {
  Layout layout;
  layout.LearnBreak(kRealBreak, kOurBreak);
  layout.LearnMapping(kRealMapping, kOurMapping);
  return layout;
}

TEST(LayoutTest, WithoutRandomisationEveryAddressIsItself) {
  Layout layout;
  layout.LearnBreak(kOurBreak, kOurBreak);
  layout.LearnMapping(kRealMapping, kOurMapping);
  EXPECT_FALSE(layout.randomised());
  EXPECT_EQ(layout.ToOurs(kRealMapping), kRealMapping);
  EXPECT_FALSE(layout.NeedsExecutable(0x559a7d419000));
}

TEST(LayoutTest, MovesTheHeapAndTheMappingsEachByItsOwnDistance) {
  const Layout layout = Randomised();
  EXPECT_TRUE(layout.randomised());
  EXPECT_EQ(layout.ToOurs(kRealBreak + 0x21000), kOurBreak + 0x21000);
  EXPECT_EQ(layout.ToOurs(kRealMapping - 0x1000), kOurMapping - 0x1000);
  EXPECT_EQ(layout.ToOurs(0), 0u) << "no address at all";
}

TEST(LayoutTest, LearnsTheExecutableWhenItIsSpokenOf) {
  Layout layout = Randomised();
  constexpr uint64_t kRelro = 0x559a7d419000;
  EXPECT_TRUE(layout.NeedsExecutable(kRelro));
  layout.LearnExecutable(kRelro, 0x555555557000);
  EXPECT_FALSE(layout.NeedsExecutable(kRelro));
  EXPECT_EQ(layout.ToOurs(kRelro + 0x1000), 0x555555558000u);
}

TEST(LayoutTest, AProgramThatIsNotPositionIndependentStays) {
  Layout layout;
  layout.LearnBreak(0xb12000, 0xaca000);
  layout.LearnMapping(kRealMapping, kOurMapping);
  EXPECT_FALSE(layout.NeedsExecutable(0x945000));
  EXPECT_EQ(layout.ToOurs(0x945000), 0x945000u);
  EXPECT_EQ(layout.ToOurs(0xb33000), 0xaeb000u);
}

TEST(LayoutTest, AWrongBreakIsNoRandomisation) {
  Layout layout;
  layout.LearnBreak(kOurBreak + 0x1000, kOurBreak);
  layout.LearnMapping(kOurMapping, kOurMapping);
  EXPECT_FALSE(layout.randomised());
  EXPECT_EQ(layout.ToOurs(kOurBreak + 0x1000), kOurBreak + 0x1000);
}

}  // namespace
}  // namespace faultline::cli

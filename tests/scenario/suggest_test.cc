#include "server/scenario/suggest.h"

#include <gtest/gtest.h>

namespace faultline::scenario {
namespace {

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(EditDistance("mmap", "mmap"), 0);
  EXPECT_EQ(EditDistance("mmap", "MMAP"), 0) << "case costs nothing";
  EXPECT_EQ(EditDistance("mmap", "munmap"), 2);
  EXPECT_EQ(EditDistance("fokr", "fork"), 1) << "a swap is one edit";
  EXPECT_EQ(EditDistance("", "abc"), 3);
}

TEST(Suggest, NamesTheNearestWordOrNone) {
  EXPECT_EQ(NearestWord("mprotct", {"mmap", "mprotect", "munmap"}), "mprotect");
  EXPECT_EQ(NearestWord("zebra", {"mmap", "mprotect"}), "");
  EXPECT_EQ(DidYouMean("fixed", {"FIXED"}), "; did you mean 'FIXED'?");
  EXPECT_EQ(DidYouMean("zebra", {"FIXED"}), "");
}

}  // namespace
}  // namespace faultline::scenario

// faultline mm, as a user sees it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/cli/exit_code.h"
#include "tests/client/cli/lab.h"

namespace faultline::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class MmCommandTest : public LabTest {
 protected:
  MmCommandTest()
      : LabTest(
            "mmap 0x10000000 2p rw- PRIVATE|ANON|FIXED\n"
            "a: malloc 100\n"
            "free $a\n") {}
};

TEST_F(MmCommandTest, PrintsTheStructTheTreeAndTheHeap) {
  const Finished done = Do({"mm", "lab", "--tree", "--heap"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  EXPECT_THAT(done.out, ContainsRegex("map_count +3\n"));
  EXPECT_THAT(done.out, ContainsRegex("mmap +0x10000000\n"));
  EXPECT_THAT(done.out,
              ContainsRegex("get_unmapped_area +arch_get_unmapped_area_topd"));
  EXPECT_THAT(done.out, HasSubstr("\n3 VMAs, height 2, black height 1;"));
  EXPECT_THAT(done.out, ContainsRegex("  R 000010000000-000010002000"));
  EXPECT_THAT(done.out, ContainsRegex("0x5555555552a0 +112  tcache 5\n"));
  EXPECT_THAT(done.out, ContainsRegex("0x[0-9a-f]+ +134400  top\n"));
}

TEST_F(MmCommandTest, LooksBack) {
  const Finished done = Do({"mm", "lab@1", "--heap"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  EXPECT_THAT(done.out, ContainsRegex("map_count +2\n"));
  EXPECT_THAT(done.out, HasSubstr("has not called malloc yet"));
  EXPECT_THAT(done.out, Not(HasSubstr("VMAs, height")));
}

TEST_F(MmCommandTest, SaysThatThereIsNoSuchProcess) {
  const Finished done = Do({"mm", "lab", "--pid", "7"});
  EXPECT_EQ(done.code, kExitCannot);
  EXPECT_THAT(done.err, HasSubstr("7"));
}

}  // namespace
}  // namespace faultline::cli

// faultline cache, as a user sees it.

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

class CacheCommandTest : public LabTest {
 protected:
  CacheCommandTest()
      : LabTest(
            "file 1 80p dc\n"
            "pread 1 0\n"
            "pwrite 1 70p 7\n"
            "tick 10\n") {}
};

TEST_F(CacheCommandTest, PrintsTheAddressSpaceAndItsPages) {
  const Finished done = Do({"cache", "lab", "/f1", "--pages"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  EXPECT_THAT(done.out, ContainsRegex("page_tree +height 2, 3 nodes\n"));
  EXPECT_THAT(done.out, ContainsRegex("nrpages +5\n"));
  EXPECT_THAT(done.out, ContainsRegex("tagged dirty +1\n"));
  EXPECT_THAT(done.out, HasSubstr("disk 8:0: window 32 pages"));
  EXPECT_THAT(done.out, HasSubstr("tagged dirty\n"));
}

TEST_F(CacheCommandTest, LooksBackAndSaysThatThereIsNoSuchFile) {
  const Finished before = Do({"cache", "lab@2", "/f1"});
  EXPECT_EQ(before.code, kExitOk) << before.err;
  EXPECT_THAT(before.out, ContainsRegex("nrpages +0\n"));
  EXPECT_THAT(before.out, Not(HasSubstr("frame")));
  const Finished none = Do({"cache", "lab", "/nothing"});
  EXPECT_EQ(none.code, kExitCannot);
  EXPECT_THAT(none.err, HasSubstr("there is no file /nothing"));
}

}  // namespace
}  // namespace faultline::cli

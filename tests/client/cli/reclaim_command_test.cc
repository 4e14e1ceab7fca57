// faultline slabs, lru and swaps, as a user sees them.

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

class ReclaimCommandTest : public LabTest {
 protected:
  ReclaimCommandTest()
      : LabTest(
            "boot ram=64m swap=16m\n"
            "mmap 0x10000000 4p rw PRIVATE|ANON|FIXED\n"
            "writer 0x10000000 4\n"
            "madvise 0x10000000 2p PAGEOUT\n"
            "kmalloc 100 KERNEL\n") {}
};

TEST_F(ReclaimCommandTest, SlabsHasALineForEachCache) {
  const Finished done = Do({"slabs", "lab"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  // One slab of 32 objects, all of which count as active: the CPU has it.
  EXPECT_THAT(done.out, ContainsRegex("\nkmalloc-128 +32 +32 +128 +0 +32 "));
  const Finished before = Do({"slabs", "lab@3"});
  EXPECT_THAT(before.out, ContainsRegex("\nkmalloc-128 +0 +0 +128 +0 +32 "));
}

TEST_F(ReclaimCommandTest, LruHasTheListsAndThePagesOfOne) {
  const Finished done = Do({"lru", "lab"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  EXPECT_THAT(done.out, ContainsRegex("inactive_anon +[0-9]+ pages\n"));
  EXPECT_THAT(done.out, HasSubstr("kswapd_failures 0\n"));
  EXPECT_THAT(done.out, Not(HasSubstr("frame")));
  const Finished pages = Do({"lru", "lab", "--list", "inactive_anon"});
  EXPECT_THAT(pages.out,
              ContainsRegex("frame pages maps flags\n( +[0-9]+){3}"));
  const Finished none = Do({"lru", "lab", "--list", "tepid"});
  EXPECT_EQ(none.code, kExitCannot);
  EXPECT_THAT(none.err, HasSubstr("names no list"));
}

TEST_F(ReclaimCommandTest, SwapsHasTheAreasAndLooksBack) {
  const Finished done = Do({"swaps", "lab"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  EXPECT_THAT(done.out,
              ContainsRegex("0 /dev/vda +partition +4095 +2 +-[0-9]\n"));
  EXPECT_THAT(done.out, HasSubstr("0 pages are in memory as well\n"));
  const Finished before = Do({"swaps", "lab", "--at", "2"});
  EXPECT_THAT(before.out, ContainsRegex("/dev/vda +partition +4095 +0 "));
}

}  // namespace
}  // namespace faultline::cli

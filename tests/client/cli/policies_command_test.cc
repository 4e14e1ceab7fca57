// faultline policies, as a user sees it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/cli/exit_code.h"
#include "tests/client/cli/lab.h"
#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

using testing::HasSubstr;

Finished Policies(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "policies");
  return Faultline(arguments, "", {});
}

TEST(PoliciesCommandTest, ShowsTheFramesAfterEachAccess) {
  const Finished done = Policies({"--policy", "fifo", "--frames", "3", "1", "2",
                                  "3", "4", "1", "2", "5", "1w"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  EXPECT_EQ(done.out,
            "fifo, 3 frames: 7 faults of 8 accesses\n"
            "access    1  2  3  4  1  2  5 1w\n"
            "frame 0   1  1  1  4  4  4  5  5\n"
            "frame 1      2  2  2  1  1  1  1\n"
            "frame 2         3  3  3  2  2  2\n"
            "fault     *  *  *  *  *  *  *\n");
}

TEST(PoliciesCommandTest, ShowsBeladysAnomaly) {
  const Finished done =
      Policies({"--policy", "fifo", "--frames", "1-5", "1", "2", "3", "4", "1",
                "2", "5", "1", "2", "3", "4", "5"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  EXPECT_THAT(done.out, HasSubstr("fifo             12   12    9   10    5\n"));
}

TEST(PoliciesCommandTest, ComparesAll) {
  const Finished done =
      Policies({"7", "0", "1", "2", "0", "3", "0", "4", "2", "3",
                "0", "3", "2", "1", "2", "0", "1", "7", "0", "1"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  for (const char* row : {"fifo             15\n", "lru              12\n",
                          "opt               9\n", "random "}) {
    EXPECT_THAT(done.out, HasSubstr(row));
  }
}

// What a session recorded is the reference string, and OPT's future.
class RecordedPoliciesTest : public LabTest {
 protected:
  RecordedPoliciesTest()
      : LabTest(
            "a: mmap 0x10000000 8p rw- PRIVATE|ANON|FIXED\n"
            "writer $a+1p 4 0x2000 7\n"  // pages 1 3 5 7 of the area
            "read $a+1p\n"
            "fork\n"
            "@1 read $a\n"
            "@0 read $a+3p\n"
            "write 0x20000000 1\n") {}  // is not done

  Finished Recorded(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"policies", "--session", "lab"});
    return Do(arguments);
  }
};

TEST_F(RecordedPoliciesTest, AreOfTheAccessesThatWereDone) {
  const Finished lru = Recorded({"--policy", "lru"});
  EXPECT_EQ(lru.code, kExitOk) << lru.err;
  EXPECT_EQ(lru.out,
            "lru, 3 frames: 6 faults of 6 accesses\n"
            "access   0w 1w 2w 3w  0  1\n"
            "frame 0   0  0  0  3  3  3\n"
            "frame 1      1  1  1  0  0\n"
            "frame 2         2  2  2  1\n"
            "fault     *  *  *  *  *  *\n");
  EXPECT_THAT(Recorded({"--policy", "opt"}).out,
              HasSubstr("opt, 3 frames: 4 faults of 6 accesses\n"));
}

TEST_F(RecordedPoliciesTest, AreOfOneProcess) {
  EXPECT_THAT(Recorded({"--pid", "2", "--policy", "fifo"}).out,
              HasSubstr("fifo, 3 frames: 1 fault"));
  const Finished nobody = Recorded({"--pid", "9"});
  EXPECT_EQ(nobody.code, kExitCannot);
  EXPECT_THAT(nobody.err, HasSubstr("process 9 accessed nothing"));
}

TEST(PoliciesCommandTest, SaysWhatIsWrong) {
  EXPECT_THAT(Policies({}).err, HasSubstr("give the pages, or with --session"));
  EXPECT_THAT(Policies({"--session", "lab", "1"}).err,
              HasSubstr("give the pages"));
  EXPECT_THAT(Policies({"x"}).err, HasSubstr("'x' is no page"));
  EXPECT_THAT(Policies({"--frames", "0", "1"}).err, HasSubstr("--frames 0"));
  EXPECT_THAT(Policies({"--frames", "3-2", "1"}).err, HasSubstr("3-2"));
  const Finished policy = Policies({"--policy", "lruu", "1"});
  EXPECT_THAT(policy.err, HasSubstr("no policy 'lruu'"));
  EXPECT_EQ(policy.code, kExitUsage);
}

}  // namespace
}  // namespace faultline::cli

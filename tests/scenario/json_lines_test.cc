#include "server/scenario/json_lines.h"

#include <gtest/gtest.h>

namespace faultline::scenario {
namespace {

OpResult Result(int number, int process, const char* op) {
  OpResult result;
  result.number = number;
  result.process = process;
  result.op = op;
  return result;
}

// Each of these is a line as the real kernel's recordings have it.
TEST(JsonLines, ASystemCallHasAHexReturnOrAnErrno) {
  OpResult call = Result(11, 0, "@0 r3: mmap 0x10029000 5p --- PRIVATE|ANON");
  call.ret = 0x10029000;
  EXPECT_EQ(JsonLine(call),
            R"({"i":11,"p":0,"op":"@0 r3: mmap 0x10029000 5p --- )"
            R"(PRIVATE|ANON","ret":"10029000"})");
  OpResult failed = Result(4, 0, "@0 mremap 1 2 3 0");
  failed.error = 14;
  EXPECT_EQ(JsonLine(failed),
            R"({"i":4,"p":0,"op":"@0 mremap 1 2 3 0","err":"EFAULT"})");
}

TEST(JsonLines, ASignalledAccessKeepsTheFaultsBeforeIt) {
  OpResult access = Result(62, 0, "@0 writer 0x10018000 9 4096 43");
  access.signal = OpResult::Signal{11, 1, 0x10019000};
  access.minor_faults = 1;
  EXPECT_EQ(JsonLine(access),
            R"({"i":62,"p":0,"op":"@0 writer 0x10018000 9 4096 43","sig":11,)"
            R"("code":1,"addr":"10019000","min":1,"maj":0})");
}

TEST(JsonLines, FetchForkExitAndFileCalls) {
  OpResult fetch = Result(75, 2, "@2 exec $r20");
  fetch.signal = OpResult::Signal{11, 1, 0x7ffff7fcf000};
  fetch.fetch_fault = 1;
  EXPECT_EQ(JsonLine(fetch),
            R"({"i":75,"p":2,"op":"@2 exec $r20","sig":11,"code":1,)"
            R"("addr":"7ffff7fcf000","fetchfault":1})");
  OpResult fork = Result(35, 0, "@0 fork");
  fork.child = OpResult::Child{1, 0, 0};
  fork.ret = 1;
  EXPECT_EQ(JsonLine(fork), R"({"i":35,"p":0,"op":"@0 fork","child":1,)"
                            R"("cmin":0,"cmaj":0,"ret":"1"})");
  OpResult exit = Result(64, 1, "@1 exit");
  exit.exited = true;
  EXPECT_EQ(JsonLine(exit), R"({"i":64,"p":1,"op":"@1 exit","exited":1})");
  OpResult pread = Result(72, 0, "@0 pread 3 160188");
  pread.file_ret = -1000;
  EXPECT_EQ(JsonLine(pread),
            R"({"i":72,"p":0,"op":"@0 pread 3 160188","ret":-1000})");
}

TEST(JsonLines, ADumpLeavesZeroFieldsAndUnaskedPartsOut) {
  DumpResult dump;
  dump.number = 80;
  dump.process = 1;
  dump.parts.maps = dump.parts.smaps = dump.parts.pagemap = true;
  dump.maps = {{0x10017000, 0x10019000, "rw-s", 0, 1, "zero"}};
  dump.smaps = {{0x10017000,
                 0x10019000,
                 {{"Rss", 0}, {"Pss", 0}, {"Shared_Clean", 0}, {"Swap", 4}},
                 "rd wr"}};
  dump.pages = {{0x10017, "PFE", false, 1, 1, 0x4828},
                {0x10018, "P", true, 0, 0, 0},
                {0x10019, "S", false, 0, 0, 0}};
  EXPECT_EQ(JsonLine(dump),
            R"({"dump":80,"p":1,"maps":[["10017000","10019000","rw-s","0",1,)"
            R"("zero"]],"smaps":[{"s":"10017000","e":"10019000","Rss":0,)"
            R"("Pss":0,"Swap":4,"f":"rd wr"}],"pm":["10017:PFE:1:1:4828",)"
            R"("10018:P:z:0:0","10019:S"]})");
}

TEST(JsonLines, StringsAreEscaped) {
  EXPECT_EQ(JsonString("a\"b\\c\n\x01"), R"("a\"b\\c\n\u0001")");
}

}  // namespace
}  // namespace faultline::scenario

#include "client/cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace faultline::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> At(const std::string& line) {
  CompletionState state;
  state.labels = {"a", "area"};
  state.files = {"0", "7"};
  state.processes = 2;
  return Complete(line, state);
}

TEST(CompletionTest, CompletesOps) {
  EXPECT_THAT(At("mu"), ElementsAre("munlock", "munlockall", "munmap"));
  EXPECT_THAT(At("@1 mun"), Contains("munmap"));
  EXPECT_THAT(At("@1 a: mun"), Contains("munmap"));
  EXPECT_THAT(At(""), Contains("mmap"));
  EXPECT_THAT(At("qu"), ElementsAre("quit"));
  EXPECT_THAT(At("help mprot"), ElementsAre("mprotect"));
}

TEST(CompletionTest, CompletesTheLastOfSeveralFlags) {
  EXPECT_THAT(At("mmap 0 1p rw- PRIVATE|POP"), ElementsAre("PRIVATE|POPULATE"));
  EXPECT_THAT(At("mmap 0 1p rw- priv"), ElementsAre("PRIVATE"));
  EXPECT_THAT(At("madvise 0 1p SEQ"), ElementsAre("SEQUENTIAL"));
}

TEST(CompletionTest, CompletesLabelsWithinExpressions) {
  EXPECT_THAT(At("read $a"), ElementsAre("$a", "$area"));
  EXPECT_THAT(At("read 4p+$b"), ElementsAre("4p+$brk"));
  EXPECT_THAT(At("accesses wr"), ElementsAre("write", "writer"));
}

TEST(CompletionTest, CompletesFilesPathsAndSubjects) {
  EXPECT_THAT(At("pread "), ElementsAre("0", "7"));
  EXPECT_THAT(At("cat /proc/2/sta"),
              ElementsAre("/proc/2/statm", "/proc/2/status"));
  EXPECT_THAT(At("cat /proc/3/"), IsEmpty());
  EXPECT_THAT(At("expect sta"), Contains("status.VmRSS"));
  EXPECT_THAT(At("dump maps,sm"), ElementsAre("maps,smaps"));
  EXPECT_THAT(At("boot pers"), Contains("personality=linux-6.1"));
}

TEST(CompletionTest, KnowsWhereNothingCanStand) {
  EXPECT_THAT(At("munmap $a 1p "), IsEmpty());
  EXPECT_THAT(At("nonsense "), IsEmpty());
  EXPECT_THAT(At("read "), Not(Contains("mmap")));
}

}  // namespace
}  // namespace faultline::cli

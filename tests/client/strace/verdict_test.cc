// Files that are not what they should be get one clear judgement.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/cli/strace/reader.h"
#include "tests/client/strace/describe.h"

namespace faultline::strace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kAdvice[] = "record with: strace -f -y -o FILE PROGRAM";

Verdict Judge(const std::string& text) { return ReadText(text).verdict; }

TEST(VerdictTest, Empty) {
  for (const char* text : {"", "\n", "  \n\n\t\n"}) {
    EXPECT_EQ(Judge(text).kind, Verdict::Kind::kEmpty);
    EXPECT_THAT(Judge(text).message,
                AllOf(HasSubstr("empty"), HasSubstr(kAdvice)));
  }
}

TEST(VerdictTest, Foreign) {
  const std::string texts[] = {
      "Dear diary,\n",
      "I  0401ab70,3\n S 1fff0006f8,8\n L 1fff0006f0,8\n",
      "{\"op\": \"mmap\"}\n",
      "#include <stdio.h>\nint main(void) { return 0; }\n",
      "malloc(10)                = 0x5555\nputs(\"hi\")  = 3\nhi\nhi\n",
  };
  for (const std::string& text : texts) {
    const Verdict verdict = Judge(text);
    EXPECT_EQ(verdict.kind, Verdict::Kind::kForeign) << text;
    EXPECT_THAT(verdict.message,
                AllOf(HasSubstr("does not look like strace output"),
                      HasSubstr(kAdvice)));
  }
}

TEST(VerdictTest, TheMessageShowsTheFirstLineSafely) {
  EXPECT_THAT(Judge("\x1b[31mred\xff\n").message,
              HasSubstr("the first is \"?[31mred?\""));
}

TEST(VerdictTest, KnownFormatsAreNamed) {
  EXPECT_THAT(Judge(std::string("\x7f"
                                "ELF\x02\x01\x00\x00",
                                8))
                  .message,
              HasSubstr("an ELF program"));
  EXPECT_THAT(Judge("\x1f\x8b\x08 junk").message, HasSubstr("gzip"));
  EXPECT_THAT(Judge(std::string("SQLite format 3\0\x10", 17)).message,
              HasSubstr("SQLite database"));
  EXPECT_THAT(Judge(std::string("\x01\x00\x02", 3)).message,
              HasSubstr("a binary file"));
  EXPECT_THAT(ReadFile(TracesDirectory() / "forms/summary.txt").verdict.message,
              HasSubstr("strace -c"));
}

TEST(VerdictTest, ALargeForeignFileIsNotReadToItsEnd) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "not strace\n";
  const Reading reading = ReadText(text);
  EXPECT_EQ(reading.verdict.kind, Verdict::Kind::kForeign);
  EXPECT_EQ(reading.totals.lines, Reader::kProbeLinesMax);
}

TEST(VerdictTest, NoCallThatMatters) {
  const Verdict verdict = Judge("1 read(0, \"\", 1) = 0\n1 getpid() = 1\n");
  EXPECT_EQ(verdict.kind, Verdict::Kind::kNoCalls);
  EXPECT_THAT(verdict.message, HasSubstr("-e trace=%memory,%process"));
}

TEST(VerdictTest, OneGoodCallIsEnough) {
  EXPECT_TRUE(Judge("1 brk(NULL) = 1\n").usable());
}

}  // namespace
}  // namespace faultline::strace

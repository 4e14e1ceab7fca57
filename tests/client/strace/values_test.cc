#include "client/cli/strace/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace faultline::strace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string_view> Split(std::string_view text) {
  const auto arguments = SplitArguments(text, ')');
  if (!arguments.has_value()) return {"<open>"};
  return arguments->slices;
}

TEST(SplitArgumentsTest, SplitsAtTopLevelCommasOnly) {
  EXPECT_THAT(Split(")"), IsEmpty());
  EXPECT_THAT(Split("NULL)"), ElementsAre("NULL"));
  EXPECT_THAT(
      Split("0, {a=1, b=[2, 3]}, [SIGINT, SIGTERM], (x, y)) = 0"),
      ElementsAre("0", "{a=1, b=[2, 3]}", "[SIGINT, SIGTERM]", "(x, y)"));
}

TEST(SplitArgumentsTest, StringsHideBracketsCommasAndQuotes) {
  EXPECT_THAT(Split(R"("a)b, \"c\\", "d"..., 3))"),
              ElementsAre(R"("a)b, \"c\\")", R"("d"...)", "3"));
}

TEST(SplitArgumentsTest, DescriptorPathsHideBracketsAndCommas) {
  EXPECT_THAT(Split("3</tmp/a, b) (c>, 4<pipe:[99]>)"),
              ElementsAre("3</tmp/a, b) (c>", "4<pipe:[99]>"));
  EXPECT_THAT(Split("3<TCP:[127.0.0.1:1->127.0.0.1:2]>, 1)"),
              ElementsAre("3<TCP:[127.0.0.1:1->127.0.0.1:2]>", "1"));
  EXPECT_THAT(Split("3</dev/null<char 1:3>>, 1)"),
              ElementsAre("3</dev/null<char 1:3>>", "1"));
  EXPECT_THAT(Split("-100 /* AT_FDCWD */</a)b>, 2)"),
              ElementsAre("-100 /* AT_FDCWD */</a)b>", "2"));
}

TEST(SplitArgumentsTest, CommentsAreSteppedOver) {
  EXPECT_THAT(Split("0x7ffc /* 37 vars, (odd */, 1)"),
              ElementsAre("0x7ffc /* 37 vars, (odd */", "1"));
}

TEST(SplitArgumentsTest, AnOpenEndIsRefusedOrAcceptedAsAsked) {
  EXPECT_THAT(Split("1, 2"), ElementsAre("<open>"));
  EXPECT_THAT(Split("1, \"2)"), ElementsAre("<open>"));
  const auto accepted = SplitArguments("1, 2", ')', OpenEnd::kAccept);
  ASSERT_TRUE(accepted.has_value());
  EXPECT_THAT(accepted->slices, ElementsAre("1", "2"));
}

TEST(ParseNumberTest, ReadsWhatStraceWrites) {
  EXPECT_EQ(ParseNumber("4096"), 4096U);
  EXPECT_EQ(ParseNumber("0x7ffff7fc0000"), 0x7ffff7fc0000U);
  EXPECT_EQ(ParseNumber("0644"), 0644U);
  EXPECT_EQ(ParseNumber("0"), 0U);
  EXPECT_EQ(ParseNumber("-1"), ~uint64_t{0});
  EXPECT_EQ(ParseNumber("8192*1024"), 8388608U);
  EXPECT_EQ(ParseNumber("1<<20"), 1048576U);
  EXPECT_EQ(ParseNumber("NULL"), 0U);
  EXPECT_EQ(ParseNumber("RLIM64_INFINITY"), ~uint64_t{0});
  EXPECT_EQ(ParseNumber("0x3 /* RLIMIT_STACK */"), 3U);
}

TEST(ParseNumberTest, RefusesEverythingElse) {
  for (const char* text :
       {"", "x", "0x", "12a", "--1", "-", "99999999999999999999999", "1<<99",
        "\"7\"", "FOO_BAR", "[1]", "1 2"}) {
    EXPECT_FALSE(ParseNumber(text).has_value()) << text;
  }
}

TEST(ParseFlagsTest, NamesNumbersAndTheirMixtures) {
  EXPECT_EQ(ParseFlags("PROT_READ|PROT_WRITE")->bits, 3U);
  EXPECT_EQ(ParseFlags("0x22 /* MAP_PRIVATE|MAP_ANONYMOUS */")->bits, 0x22U);
  EXPECT_EQ(ParseFlags("MAP_PRIVATE|0x400000")->bits, 0x400002U);
  EXPECT_EQ(ParseFlags("MAP_HUGETLB|21<<MAP_HUGE_SHIFT")->bits, 0x54040000U);
  EXPECT_EQ(ParseFlags("CLONE_CHILD_SETTID|SIGCHLD")->bits, 0x1000011U);
  EXPECT_EQ(ParseFlags("PROT_NONE")->bits, 0U);
}

TEST(ParseFlagsTest, UnknownNamesAreReportedAndTheRestIsKept) {
  const auto flags = ParseFlags("MAP_PRIVATE|MAP_FROM_THE_FUTURE|MAP_FIXED");
  ASSERT_TRUE(flags.has_value());
  EXPECT_EQ(flags->bits, 0x12U);
  EXPECT_THAT(flags->unknown, ElementsAre("MAP_FROM_THE_FUTURE"));
}

TEST(ParseFlagsTest, TextThatIsNoFlagIsRefused) {
  for (const char* text : {"", "|", "A||B", "\"x\"", "PROT_READ|", "{}"}) {
    EXPECT_FALSE(ParseFlags(text).has_value()) << text;
  }
}

TEST(ParseTextTest, DecodesEscapes) {
  EXPECT_EQ(ParseText(R"("a\"b\\c\n\t\r\v\f")")->bytes, "a\"b\\c\n\t\r\v\f");
  EXPECT_EQ(ParseText(R"("\0\18\377\x41\x7")")->bytes, std::string("\0\001"
                                                                   "8\377A\x7",
                                                                   6));
  EXPECT_FALSE(ParseText(R"("abc")")->cut);
  EXPECT_TRUE(ParseText(R"("abc"...)")->cut);
  EXPECT_FALSE(ParseText(R"("abc)").has_value());
  EXPECT_FALSE(ParseText("0x7ffe").has_value());
}

TEST(ParseDescriptorTest, NumbersPathsAndTheWorkingDirectory) {
  EXPECT_EQ(*ParseDescriptor("3"), (Descriptor{3, "", false}));
  EXPECT_EQ(*ParseDescriptor("-1"), (Descriptor{-1, "", false}));
  EXPECT_EQ(*ParseDescriptor("4294967295"), (Descriptor{-1, "", false}));
  EXPECT_EQ(*ParseDescriptor("3</lib/a b.so>"),
            (Descriptor{3, "/lib/a b.so", false}));
  EXPECT_EQ(*ParseDescriptor("3</tmp/x\\74y>(deleted)"),
            (Descriptor{3, "/tmp/x<y", true}));
  EXPECT_EQ(*ParseDescriptor("AT_FDCWD</home>"),
            (Descriptor{-100, "/home", false}));
  EXPECT_EQ(*ParseDescriptor("-100 /* AT_FDCWD */</home>"),
            (Descriptor{-100, "/home", false}));
  EXPECT_FALSE(ParseDescriptor("3</lib").has_value());
  EXPECT_FALSE(ParseDescriptor("</lib>").has_value());
  EXPECT_FALSE(ParseDescriptor("").has_value());
}

TEST(FieldOfTest, FindsByWholeName) {
  const std::string_view text =
      "{flags=CLONE_VM, stack=0x10, stack_size=0x20, set={a=1, b=2}} => {c=3}";
  EXPECT_EQ(FieldOf(text, "stack"), "0x10");
  EXPECT_EQ(FieldOf(text, "stack_size"), "0x20");
  EXPECT_EQ(FieldOf(text, "set"), "{a=1, b=2}");
  EXPECT_EQ(FieldOf(text, "c"), std::nullopt);
  EXPECT_EQ(FieldOf("0x7ffe", "flags"), std::nullopt);
}

}  // namespace
}  // namespace faultline::strace

#include "client/cli/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace faultline::cli {
namespace {

TEST(PictureTest, CountsColumnsNotBytes) {
  EXPECT_EQ(ColumnsOf("abc"), 3);
  EXPECT_EQ(ColumnsOf("─│▞█·◐…"), 7);
  EXPECT_EQ(ColumnsOf("é"), 1);
  EXPECT_EQ(ColumnsOf("内存"), 4);
  EXPECT_EQ(ColumnsOf("😀"), 2);
  EXPECT_EQ(ColumnsOf("\xff\xc3("), 3) << "bytes that are no UTF-8";
}

TEST(PictureTest, TextOfOthersCannotControlTheTerminal) {
  const PictureStyle unicode;
  const PictureStyle ascii{80, false, false};
  EXPECT_EQ(Printable("a\033[2Jb\n\tc\x7f", unicode), "a?[2Jb??c?");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "2J",
                      unicode),
            "?2J")
      << "U+009B is a CSI";
  EXPECT_EQ(Printable("/tmp/größe", unicode), "/tmp/größe");
  EXPECT_EQ(Printable("/tmp/größe", ascii), "/tmp/gr??e");
  EXPECT_EQ(Printable("\xff", unicode), "?");
}

TEST(PictureTest, FitsTextByCuttingOneEnd) {
  const PictureStyle unicode;
  const PictureStyle ascii{80, false, false};
  EXPECT_EQ(FitEnd("abcdef", 6, unicode), "abcdef");
  EXPECT_EQ(FitEnd("abcdef", 4, unicode), "abc…");
  EXPECT_EQ(FitStart("/lib/libc.so.6", 10, unicode), "…libc.so.6");
  EXPECT_EQ(FitStart("abcdef", 4, ascii), "~def");
  EXPECT_EQ(FitEnd("abcdef", 0, unicode), "");
  EXPECT_LE(ColumnsOf(FitEnd("内存内存", 4, unicode)), 4);
  EXPECT_LE(ColumnsOf(FitStart("内存内存", 4, unicode)), 4);
}

TEST(PictureTest, SizesHaveOneDecimalAtMost) {
  EXPECT_EQ(SizeText(0), "0 B");
  EXPECT_EQ(SizeText(4096), "4 KiB");
  EXPECT_EQ(SizeText(135168), "132 KiB");
  EXPECT_EQ(SizeText(uint64_t{3} << 19), "1.5 MiB");
  EXPECT_EQ(SizeText(uint64_t{1} << 47), "128 TiB");
  EXPECT_EQ(SizeText(~uint64_t{0}), "16 EiB");
}

TEST(PictureTest, ALineEndsAtTheWidthWhateverIsAdded) {
  const PictureStyle style{60, true, false};
  PictureLine line(style);
  line.Add(std::string(59, 'x')).Add("─").Add("never").PadTo(70);
  EXPECT_EQ(line.Take(), std::string(59, 'x') + "─\n");
  line.Add("a").PadTo(10).Add("");
  EXPECT_EQ(line.Take(), "a\n") << "no spaces at the end";
}

TEST(PictureTest, ColoursSurroundTextAndAreNoColumns) {
  const PictureStyle style{60, true, true};
  PictureLine line(style);
  line.Add("a").Add("b", Paint::kBlue).Add("c", Paint::kBlue).Add("d");
  EXPECT_EQ(line.columns(), 4);
  EXPECT_EQ(line.Take(), "a\033[38;5;32mbc\033[0md\n");
}

TEST(PictureTest, ALegendTakesAsManyLinesAsItNeeds) {
  const PictureStyle style{60, true, false};
  EXPECT_EQ(LegendText({{"·", "one"}, {"○", "two"}}, 2, style),
            "  · one   ○ two\n");
  std::vector<LegendEntry> many(8, {"█", "twelve chars"});
  EXPECT_EQ(LegendText(many, 2, style),
            "  █ twelve chars   █ twelve chars   █ twelve chars\n"
            "  █ twelve chars   █ twelve chars   █ twelve chars\n"
            "  █ twelve chars   █ twelve chars\n");
  EXPECT_EQ(LegendText({}, 2, style), "");
}

}  // namespace
}  // namespace faultline::cli

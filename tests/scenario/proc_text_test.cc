#include "server/scenario/proc_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace faultline::scenario {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr char kMaps[] =
    "555555554000-555555558000 r--p 00000000 fe:00 247728                     "
    "/usr/bin/ls\n"
    "555555579000-55555557a000 rw-p 00000000 00:00 0 \n"
    "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          "
    "[stack]\n";

TEST(ProcTextTest, ReadsMapsAndWritesTheSameBytes) {
  const auto lines = ParseMaps(kMaps);
  ASSERT_TRUE(lines.ok()) << lines.status();
  ASSERT_EQ(lines->size(), 3u);
  EXPECT_EQ((*lines)[0].device, "fe:00");
  EXPECT_EQ((*lines)[0].inode, 247728u);
  EXPECT_EQ((*lines)[1].name, "");
  std::string again;
  for (const MapsLine& line : *lines) {
    absl::StrAppend(&again, FormatMapsLine(line), "\n");
  }
  EXPECT_EQ(again, kMaps);
}

TEST(ProcTextTest, KeepsNamesWithBlanks) {
  const auto lines = ParseMaps(
      "1000-2000 rw-s 00000000 00:01 1045                             "
      "/dev/zero (deleted)\n");
  ASSERT_TRUE(lines.ok());
  EXPECT_EQ((*lines)[0].name, "/dev/zero (deleted)");
}

TEST(ProcTextTest, NamesTheLineThatIsNone) {
  const auto lines = ParseMaps("1000-2000 rw-p 00000000 00:00 0 \nRss: 4 kB\n");
  EXPECT_EQ(lines.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(lines.status().message()),
              HasSubstr("line 2 is not a line of /proc/PID/maps"));
}

TEST(ProcTextTest, ReadsSmaps) {
  const auto entries = ParseSmaps(
      "1000-2000 rw-p 00000000 00:00 0 \n"
      "Size:                  4 kB\n"
      "Rss:                   0 kB\n"
      "VmFlags: rd wr mr mw me ac \n");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_THAT((*entries)[0].kilobytes,
              ElementsAre(Pair("Size", 4u), Pair("Rss", 0u)));
  EXPECT_EQ((*entries)[0].vm_flags, "rd wr mr mw me ac");
}

TEST(ProcTextTest, ReadsFieldsAndLeavesOtherLinesOut) {
  EXPECT_THAT(ParseFields("Name:\tsh\nVmRSS:\t      36 kB\npgfault 12\n\n"),
              ElementsAre(Pair("VmRSS", 36u), Pair("pgfault", 12u)));
}

}  // namespace
}  // namespace faultline::scenario

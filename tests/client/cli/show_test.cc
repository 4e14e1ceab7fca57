// The pictures of small sessions, whole. After a change that is meant:
//   FAULTLINE_REWRITE=1 build/dev/bin/cli_test --gtest_filter='Show*'
// writes tests/client/cli/golden/ anew; read the difference.

#include "client/cli/show.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "client/cli/show_counters.h"
#include "client/cli/show_timeline.h"
#include "server/scenario/proc_text.h"
#include "tests/client/cli/recorded_machine.h"

namespace faultline::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kCopyOnWrite[] =
    "a: mmap 0 4p rw- PRIVATE|ANON\n"
    "write $a 7\n"
    "read $a+1p\n"
    "fork\n"
    "@1 write $a 9\n"
    "@0 read $a\n"
    "mprotect $a+1p 1p r--\n"
    "write $a+1p 1\n";

// A heap, a hole, files, a big mapping, and a stack that grew.
constexpr char kPlaces[] =
    "file 1 8p\n"
    "b: brk 0\n"
    "brk $b+5p\n"
    "writer $b 3\n"
    "t: mmap 0x400000 8p r-x PRIVATE|FIXED 1\n"
    "read $t+5p\n"
    "d: mmap 0x408000 2p rw- PRIVATE|FIXED 1 6\n"
    "write $d 1\n"
    "m: mmap 0x10000000 100p rw- PRIVATE|ANON|FIXED\n"
    "writer $m 64\n"
    "munmap $m+40p 20p\n"
    "s: mmap 0x20000000 8p rw- SHARED|FIXED 1\n"
    "write $s+1p 5\n"
    "read $s\n"
    "r: mmap 0x40000000 64m --- PRIVATE|ANON|FIXED|NORESERVE\n"
    "grow 0x7fffffffd000 1\n"
    "mmap 0 0 r-- PRIVATE|ANON\n";

constexpr char kExits[] =
    "a: mmap 0 2p rw- PRIVATE|ANON\n"
    "fork\n"
    "fork\n"
    "@1 write $a 1\n"
    "@1 exit\n"
    "@1 read 0\n"
    "@2 write $a 1\n";

PictureStyle Style(int width, bool unicode = true, bool color = false) {
  return {width, unicode, color};
}

std::string Shown(RecordedMachine& machine, const ShowRequest& request) {
  const auto text = ShowSession(machine, request);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

std::string Shown(const std::string& scenario, const PictureStyle& style) {
  RecordedMachine machine(scenario);
  ShowRequest request;
  request.style = style;
  return Shown(machine, request);
}

void ExpectGolden(const std::string& name, const std::string& text) {
  EXPECT_EQ(text, Golden(name, text)) << name;
}

std::string WithoutEscapes(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      i = text.find('m', i);
    } else {
      plain += text[i];
    }
  }
  return plain;
}

TEST(ShowGoldenTest, CopyOnWrite) {
  ExpectGolden("cow-80.txt", Shown(kCopyOnWrite, Style(80)));
  ExpectGolden("cow-120.txt", Shown(kCopyOnWrite, Style(120)));
  ExpectGolden("cow-ascii.txt", Shown(kCopyOnWrite, Style(80, false)));
}

TEST(ShowGoldenTest, Places) {
  ExpectGolden("places-80.txt", Shown(kPlaces, Style(80)));
  ExpectGolden("places-60-ascii.txt", Shown(kPlaces, Style(60, false)));
}

TEST(ShowGoldenTest, NothingHappened) {
  ExpectGolden("empty.txt", Shown("", Style(80)));
}

TEST(ShowGoldenTest, ProcessesThatEnded) {
  ExpectGolden("exits.txt", Shown(kExits, Style(80)));
}

TEST(ShowGoldenTest, MoreRevisionsThanColumns) {
  std::string scenario = "a: mmap 0 4m rw- PRIVATE|ANON\nfork\n";
  for (int i = 0; i < 500; ++i) {
    absl::StrAppendFormat(&scenario, "@%d %s $a+%dp %s\n", i / 100 % 2,
                          i % 7 == 0 ? "read" : "write", i,
                          i % 7 == 0 ? "" : "1");
  }
  scenario += "@0 writer $a+600p 300\nmunmap $a 4m\nread $a\n";
  const std::string text = Shown(scenario, Style(80));
  ExpectGolden("density.txt", text.substr(text.find("Timeline")));
}

TEST(ShowTest, NoLineIsWiderThanAskedFor) {
  for (const char* scenario : {"", kCopyOnWrite, kPlaces, kExits}) {
    RecordedMachine machine(scenario);
    for (int width = kPictureWidthMin; width <= 130; width += 5) {
      for (const bool unicode : {false, true}) {
        ShowRequest request;
        request.style = Style(width, unicode);
        for (absl::string_view line :
             absl::StrSplit(Shown(machine, request), '\n')) {
          EXPECT_LE(ColumnsOf(line), width) << line;
        }
      }
    }
  }
}

TEST(ShowTest, EveryVmaIsThereWithItsPermissionsAndOffset) {
  RecordedMachine machine(kPlaces);
  for (const int width : {kPictureWidthMin, 80, 120}) {
    ShowRequest request;
    request.style = Style(width);
    const std::string text = Shown(machine, request);
    const auto maps = machine.ReadProc("/proc/1/maps", 16);
    ASSERT_TRUE(maps.ok());
    const auto lines = scenario::ParseMaps(*maps);
    ASSERT_TRUE(lines.ok());
    ASSERT_GT(lines->size(), 7u);
    for (const scenario::MapsLine& line : *lines) {
      std::string range = absl::StrFormat("%08x-%08x", line.start, line.end);
      range.resize(std::max<size_t>(range.size(), 25), ' ');
      EXPECT_THAT(text, HasSubstr(absl::StrFormat("%s %s %08x", range,
                                                  line.perms, line.offset)));
    }
  }
}

TEST(ShowTest, AsciiIsAscii) {
  for (const char* scenario : {kCopyOnWrite, kPlaces, kExits}) {
    for (const char c : Shown(scenario, Style(80, false))) {
      ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
    }
  }
}

TEST(ShowTest, ColourAddsNothingButColour) {
  for (const char* scenario : {kCopyOnWrite, kPlaces, kExits}) {
    const std::string coloured = Shown(scenario, Style(80, true, true));
    EXPECT_THAT(coloured, HasSubstr("\033[38;5;"));
    EXPECT_EQ(WithoutEscapes(coloured), Shown(scenario, Style(80)));
  }
}

TEST(ShowTest, SaysThatNoProcessIsLeft) {
  EXPECT_THAT(Shown("exit\n", Style(80)), HasSubstr("No process is left"));
}

TEST(ShowTest, TheSameSessionGivesTheSamePicture) {
  EXPECT_EQ(Shown(kPlaces, Style(80)), Shown(kPlaces, Style(80)));
}

TEST(ShowTest, ShowsTheMachineAsItWas) {
  RecordedMachine machine(kCopyOnWrite);
  ShowRequest request;
  request.at = 3;
  const std::string text = Shown(machine, request);
  EXPECT_THAT(text, HasSubstr("sessions/test after revision 3 of 8"));
  EXPECT_THAT(text, Not(HasSubstr("Process 2"))) << "not yet forked";
  EXPECT_THAT(text, Not(HasSubstr("copy-on-write")));
  request.at = 0;
  EXPECT_THAT(Shown(machine, request), Not(HasSubstr("Timeline")));
  request.at = 9;
  const auto beyond = ShowSession(machine, request);
  EXPECT_TRUE(absl::IsOutOfRange(beyond.status()));
  EXPECT_EQ(std::string(beyond.status().message()),
            "sessions/test has no revision 9; it is at 8");
}

TEST(ShowTest, SharersAreNamedUpToThreeThenCounted) {
  const std::string write = "a: mmap 0 2p rw- PRIVATE|ANON\nwrite $a 1\n";
  const std::string three =
      Shown(write + "fork\n@0 fork\n@0 fork\n", Style(80));
  EXPECT_THAT(three, HasSubstr("1 frame shared with process 2, 1 frame"));
  EXPECT_THAT(three, HasSubstr("1 frame shared with process 4"));
  EXPECT_THAT(Shown(write + "fork\n@0 fork\n@0 fork\n@0 fork\n", Style(80)),
              HasSubstr("frames shared with 4 processes"));
}

TEST(ShowTest, OneProcessIsDrawnAndStillToldWithWhomItShares) {
  RecordedMachine machine(kCopyOnWrite);
  ShowRequest request;
  request.pid = 1;
  request.at = 4;
  const std::string text = Shown(machine, request);
  EXPECT_THAT(text, HasSubstr("1 frame shared with process 2"));
  EXPECT_THAT(text, Not(HasSubstr("Process 2 ")));
}

TEST(ShowTest, AProcessThatIsNotThereIsExplained) {
  RecordedMachine machine(kExits);
  v1::Command wait;
  wait.set_pid(1);
  wait.mutable_wait();
  machine.Apply(wait);
  ShowRequest request;
  request.pid = 2;
  auto ended = ShowSession(machine, request);
  EXPECT_TRUE(absl::IsNotFound(ended.status()));
  EXPECT_EQ(std::string(ended.status().message()),
            "at revision 7 there is no process 2: it ended at revision 5; look "
            "at it with --at 4");
  request.pid = 9;
  auto never = ShowSession(machine, request);
  EXPECT_EQ(std::string(never.status().message()),
            "at revision 7 there is no process 9; there are: 1, 3");
}

TEST(ShowTest, AClosedSessionIsShownAsItEnded) {
  RecordedMachine machine(kCopyOnWrite);
  machine.mutable_session().set_state(v1::SESSION_STATE_CLOSED);
  EXPECT_THAT(Shown(machine, ShowRequest()),
              HasSubstr("after revision 8 of 8, closed"));
}

TEST(ShowTest, APanickedSessionIsShownBeforeItsLastCommand) {
  RecordedMachine machine(kCopyOnWrite);
  machine.mutable_session().set_state(v1::SESSION_STATE_PANICKED);
  machine.mutable_changes().back().clear_outcome();
  machine.mutable_changes().back().clear_events();
  const std::string text = Shown(machine, ShowRequest());
  EXPECT_THAT(text, HasSubstr("after revision 7 of 8, broken by its last "
                              "command"));
  EXPECT_THAT(text, HasSubstr("# broke the simulator"));
  ShowRequest request;
  request.at = 8;
  const auto after = ShowSession(machine, request);
  EXPECT_TRUE(absl::IsFailedPrecondition(after.status()));
  EXPECT_THAT(std::string(after.status().message()), HasSubstr("use --at 7"));
}

TEST(ShowTest, OfManyProcessesAFewAreDrawnAndAnyCanBe) {
  std::string scenario;
  for (int i = 0; i < 12; ++i) scenario += "@0 fork\n";
  RecordedMachine machine(scenario);
  const std::string text = Shown(machine, ShowRequest());
  EXPECT_THAT(text, HasSubstr("Process 8 "));
  EXPECT_THAT(text, Not(HasSubstr("Process 9 ")));
  EXPECT_THAT(text, HasSubstr("and 5 more processes; --pid shows any one"));
  ShowRequest request;
  request.pid = 13;
  EXPECT_THAT(Shown(machine, request), HasSubstr("Process 13 "));
}

TEST(ShowTest, TheTimelineGivesTheLastRowToTheOthers) {
  Timeline timeline({1, 12}, Style(80));
  for (int i = 1; i <= 12; ++i) {
    v1::Change change;
    change.set_revision(i);
    change.mutable_command()->set_pid(static_cast<uint32_t>(i));
    change.mutable_outcome();
    timeline.Add(change);
  }
  const std::string text = timeline.Draw();
  EXPECT_THAT(text, HasSubstr("  process 8          ·"));
  EXPECT_THAT(text, HasSubstr("  others              ····\n"));
  EXPECT_THAT(text, Not(HasSubstr("process 9")));
}

TEST(ShowTest, ReadsTheZonesOfZoneinfo) {
  const auto zones = ParseZoneinfo(
      "Node 0, zone      DMA\n"
      "  per-node stats\n"
      "      nr_inactive_anon 0\n"
      "  pages free     3969\n"
      "        boost    0\n"
      "        managed  3969\n"
      "Node 0, zone  Movable\n"
      "  pages free     0\n"
      "        managed  0\n");
  EXPECT_THAT(zones, ElementsAre(ZoneLook{"DMA", 3969, 3969}));
}

TEST(ShowTest, TimesHaveTheUnitThatFits) {
  EXPECT_EQ(TimeText(999), "999 ns");
  EXPECT_EQ(TimeText(6900), "6.9 us");
  EXPECT_EQ(TimeText(1500000), "1.5 ms");
  EXPECT_EQ(TimeText(uint64_t{61} * 1000000000), "61.0 s");
}

}  // namespace
}  // namespace faultline::cli

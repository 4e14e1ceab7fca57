// Each scenario under recorded/ was run by a real kernel and is run again by a
// simulated machine, which must give the same in every field: returns, errnos,
// signals, faults, maps, smaps, page tables, status. The machine is verified
// after every command. Where they differ, recorded/departures.txt says why.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "server/scenario/parser.h"
#include "tests/native/compare.h"
#include "tests/scenarios/known_departures.h"
#include "tests/scenarios/recording.h"

namespace faultline::scenarios {
namespace {

constexpr char kDepartures[] = "tests/scenarios/recorded/departures.txt";

KnownDepartures Departures() {
  const auto text = scenario::ReadFile(kDepartures);
  if (!text.ok()) return {};  // the test of the file says it
  return ParseDepartures(*text).value_or(KnownDepartures());
}

// What differs besides `options.known`, as departures.txt would have it.
std::string Unexpected(const Recording& recording, const std::string& lines,
                       native::CompareOptions options) {
  constexpr int kShown = 40;
  std::string text;
  for (int i = 0; i < kShown; ++i) {
    std::ifstream real(recording.path);
    std::istringstream ours(lines);
    const auto found = native::CompareRuns(real, ours, options).difference;
    if (!found) break;
    text += recording.name + " | " + found->where + " | " + found->field +
            "      (" + found->a + ", here " + found->b + ")\n";
    options.known.push_back({found->where, found->field});
  }
  return text;
}

class Recorded : public testing::TestWithParam<Recording> {};

TEST_P(Recorded, IsWhatTheMachineDoes) {
  const Recording& recording = GetParam();
  std::ifstream real(recording.path);
  ASSERT_TRUE(real.is_open()) << recording.path;
  const auto lines = RunRecorded(recording);
  ASSERT_TRUE(lines.ok()) << lines.status();
  std::istringstream ours(*lines);
  native::CompareOptions options;
  options.hidden_page = native::Side::kA;
  options.hidden_on_both = recording.hidden_page;
  options.known = Departures()[recording.name];
  const auto result = native::CompareRuns(real, ours, options);
  EXPECT_FALSE(result.difference) << Unexpected(recording, *lines, options);
  EXPECT_GT(result.lines_equal, 0);
  for (const native::KnownDifference& gone : result.known_gone) {
    ADD_FAILURE() << gone.where << ", " << gone.field
                  << " agrees now: take it out of " << kDepartures;
  }
}

std::string TestName(const testing::TestParamInfo<Recording>& info) {
  std::string name = info.param.name.substr(info.param.kernel.size() + 1);
  name = name.substr(0, name.rfind('.'));
  for (char& c : name) {
    if (c == '-' || c == '.' || c == '/') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Linux618, Recorded,
                         testing::ValuesIn(RecordingsOf("linux-6.18")),
                         TestName);
INSTANTIATE_TEST_SUITE_P(Linux61, Recorded,
                         testing::ValuesIn(RecordingsOf("linux-6.1")),
                         TestName);
INSTANTIATE_TEST_SUITE_P(I386, Recorded,
                         testing::ValuesIn(RecordingsOf("i386-6.1")), TestName);

// 15 scenarios of each profile, each with maps and with all at the end; those
// of 1000 operations, the special ones and those of huge pages.
TEST(RecordedFiles, AllAreThere) {
  EXPECT_EQ(RecordingsOf("linux-6.18").size(), 120u + 3 + 4 + 8);
  EXPECT_EQ(RecordingsOf("linux-6.1").size(), 120u + 14);
  EXPECT_EQ(RecordingsOf("i386-6.1").size(), 20u);
}

TEST(RecordedFiles, DeparturesAreOfRecordings) {
  const auto text = scenario::ReadFile(kDepartures);
  ASSERT_TRUE(text.ok()) << text.status();
  const auto departures = ParseDepartures(*text);
  ASSERT_TRUE(departures.ok()) << departures.status();
  std::set<std::string> names;
  for (const char* kernel : {"linux-6.18", "linux-6.1", "i386-6.1"}) {
    for (const Recording& recording : RecordingsOf(kernel)) {
      names.insert(recording.name);
    }
  }
  for (const auto& [name, known] : *departures) {
    EXPECT_EQ(names.count(name), 1u) << name;
  }
}

TEST(Departures, NeedAReason) {
  EXPECT_TRUE(ParseDepartures("# why\na | b | c\n").ok());
  EXPECT_FALSE(ParseDepartures("a | b | c\n").ok());
  EXPECT_FALSE(ParseDepartures("# why\n\na | b | c\n").ok());
  EXPECT_FALSE(ParseDepartures("# why\na | b\n").ok());
}

}  // namespace
}  // namespace faultline::scenarios

// Each scenario under recorded/ was run by Linux 6.18 (tests/native) and is run
// again by the simulated machine, which must give the same in every field:
// returns, errnos, signals, faults, maps, smaps, page tables, status. The
// machine is verified after every command. The same scenarios as Linux 6.1 ran
// them are held against the second personality.
//
// A file X.jsonl dumps everything where the script says so, X.maps.jsonl dumps
// the maps of every process after every operation.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "server/scenario/parser.h"
#include "server/scenario/report.h"
#include "server/scenario/runner.h"
#include "tests/native/compare.h"
#include "tests/scenarios/verified_machine.h"

namespace faultline::scenarios {
namespace {

namespace fs = std::filesystem;

constexpr char kLinux618[] = "tests/scenarios/recorded/linux-6.18";
constexpr char kLinux61[] = "tests/scenarios/recorded/linux-6.1";
constexpr char kRecorded[] = "tests/scenarios/recorded";

// Where a recording is known to differ first, and why. One that becomes equal,
// or differs elsewhere, fails until its table says so.
struct Departure {
  const char* where;
  const char* field;
  const char* reason;
};
const std::map<std::string, Departure>& Departures() {
  static const auto& departures = *new std::map<std::string, Departure>{
      {"full-106.jsonl",
       {"dump 80 of process 0", "status VmHWM",
        "The recorder's hidden page is one page in the resident set's per-CPU "
        "counter, which therefore reaches its batch of 32 one page earlier; "
        "hiwater_rss is taken from what the counter shows at that moment."}},
  };
  return departures;
}

// The same of Linux 6.1, where who makes a page come or go tells the process's
// mm what it has counted (mm/rss_stat.h).
const std::map<std::string, Departure>& DeparturesOn61() {
  static const auto& departures = *new std::map<std::string, Departure>{
      {"file-111.jsonl",
       {"dump 80 of process 0", "status RssAnon",
        "The recorder truncated the file, not the process, which therefore "
        "told its mm nothing."}},
      {"full-108.jsonl",
       {"dump 80 of process 0", "status RssFile",
        "What the process fetched was read by the recorder first, when it set "
        "the process to a single step, and so was counted at once."}},
  };
  return departures;
}

using KnownDepartures = const std::map<std::string, Departure>&;

struct Recording {
  std::string name;    // vma-101.maps.jsonl
  std::string path;    // of the recording
  std::string script;  // its path
  bool maps_each = false;
};
void PrintTo(const Recording& recording, std::ostream* out) {
  *out << recording.name;
}

Recording RecordingOf(const fs::path& path) {
  Recording recording{.name = path.filename(), .path = path, .script = {}};
  const std::string stem = path.stem();
  const size_t dot = stem.find('.');
  recording.maps_each = dot != std::string::npos;
  const std::string folder =
      path.parent_path().filename() == "special" ? "special" : "scripts";
  recording.script =
      fs::path(kRecorded) / folder / (stem.substr(0, dot) + ".s");
  return recording;
}

// Tests are named before main, where the working directory may be another.
std::vector<Recording> Recordings(const char* folder) {
  std::vector<Recording> recordings;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.path().extension() != ".jsonl") continue;
    recordings.push_back(RecordingOf(entry.path()));
  }
  std::sort(recordings.begin(), recordings.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return recordings;
}

// Runs the script on a fresh machine, verified after every command; its JSON
// lines.
std::string RunScript(const Recording& recording, v1::Personality personality) {
  std::ostringstream lines;
  const auto script = scenario::ReadScript(recording.script);
  EXPECT_TRUE(script.ok()) << script.status();
  if (!script.ok()) return "";
  const auto printer = scenario::MakeJsonPrinter(lines);
  scenario::Runner runner(
      [personality](v1::MachineConfig config) {
        config.set_personality(personality);
        return MakeMachine(config, Verification::kAfterEveryCommand);
      },
      *printer,
      {.maps_each = recording.maps_each, .event_level = v1::EVENT_LEVEL_NONE},
      script->file_name);
  const absl::Status status = runner.Run(*script);
  EXPECT_TRUE(status.ok()) << status;
  return lines.str();
}

class Recorded : public testing::TestWithParam<Recording> {};

// The run is as recorded, or differs where that is known.
void ExpectAsRecorded(const Recording& recording, v1::Personality personality,
                      KnownDepartures departures) {
  std::ifstream real(recording.path);
  ASSERT_TRUE(real.is_open()) << recording.path;
  std::istringstream ours(RunScript(recording, personality));
  native::CompareOptions options;
  options.hidden_page = native::Side::kA;
  const auto result = native::CompareRuns(real, ours, options);
  const auto known = departures.find(recording.name);
  if (known == departures.end()) {
    EXPECT_FALSE(result.difference) << result.difference->Text();
    EXPECT_GT(result.lines_equal, 0);
    return;
  }
  const Departure& departure = known->second;
  ASSERT_TRUE(result.difference)
      << "equal now: take it out of the table, where it says: "
      << departure.reason;
  EXPECT_EQ(result.difference->where, departure.where);
  EXPECT_EQ(result.difference->field, departure.field);
}

TEST_P(Recorded, IsWhatTheMachineDoes) {
  ExpectAsRecorded(GetParam(), v1::PERSONALITY_LINUX_6_18, Departures());
}

std::string TestName(const testing::TestParamInfo<Recording>& info) {
  std::string name = info.param.name.substr(0, info.param.name.rfind('.'));
  for (char& c : name) {
    if (c == '-' || c == '.') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Linux618, Recorded,
                         testing::ValuesIn(Recordings(kLinux618)), TestName);

class RecordedOn61 : public testing::TestWithParam<Recording> {};

TEST_P(RecordedOn61, IsWhatThePersonalityDoes) {
  ExpectAsRecorded(GetParam(), v1::PERSONALITY_LINUX_6_1, DeparturesOn61());
}

INSTANTIATE_TEST_SUITE_P(Linux61, RecordedOn61,
                         testing::ValuesIn(Recordings(kLinux61)), TestName);

TEST(RecordedFiles, EveryProfileIsThere) {
  EXPECT_EQ(Recordings(kLinux61).size(), 120u);
  const std::vector<Recording> recordings = Recordings(kLinux618);
  for (const char* profile : {"vma-", "anon-", "file-", "full-"}) {
    const auto count = std::count_if(
        recordings.begin(), recordings.end(), [&](const Recording& recording) {
          return recording.name.rfind(profile, 0) == 0;
        });
    EXPECT_EQ(count, 30) << profile;
  }
  for (const auto& [name, departure] : Departures()) {
    EXPECT_TRUE(std::any_of(
        recordings.begin(), recordings.end(),
        [&name = name](const Recording& r) { return r.name == name; }))
        << name;
  }
}

}  // namespace
}  // namespace faultline::scenarios

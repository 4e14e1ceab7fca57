// Every script that has a recording of a real kernel must parse, each line as
// the recording numbers it.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/scenario/json_lines.h"
#include "server/scenario/parser.h"

namespace faultline::scenario {
namespace {

const char kRecorded[] = "tests/scenarios/recorded/";

// The recording has, in order, one line for each numbered op with the op's
// text in it.
void ExpectSameOps(const Script& script, const std::string& recording) {
  std::ifstream lines(recording);
  ASSERT_TRUE(lines) << recording;
  std::string line;
  int number = 0;
  for (const Op& op : script.ops) {
    if (!IsNumbered(op.kind)) continue;
    ++number;
    do {
      ASSERT_TRUE(std::getline(lines, line)) << recording << " is short";
    } while (line.rfind("{\"dump\"", 0) == 0);
    const std::string begins =
        absl::StrCat("{\"i\":", number, ",\"p\":", op.process,
                     ",\"op\":", JsonString(op.text));
    EXPECT_EQ(line.substr(0, begins.size()), begins) << recording;
  }
}

// A recording of the script, of 6.18 where there is one.
std::string RecordingOf(const std::string& folder, const std::string& name) {
  // What was recorded under other settings has their name.
  const std::string thp = name == "thp" ? "thp-always" : name;
  const std::string path = folder == "scripts" ? "" : folder + "/";
  for (const char* kernel : {"linux-6.18/", "linux-6.1/"}) {
    const std::string file =
        absl::StrCat(kRecorded, kernel, path, thp, ".jsonl");
    if (std::filesystem::exists(file)) return file;
  }
  return "";
}

TEST(RecordedScripts, AllParseAsTheyWereRecorded) {
  int scripts = 0;
  for (const char* folder : {"scripts", "special", "long", "huge"}) {
    const std::string path = absl::StrCat(kRecorded, folder);
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      auto script = ReadScript(entry.path().string());
      ASSERT_TRUE(script.ok()) << script.status();
      ExpectSameOps(*script, RecordingOf(folder, entry.path().stem().string()));
      ++scripts;
    }
  }
  EXPECT_EQ(scripts, 60 + 5 + 4 + 8);
}

}  // namespace
}  // namespace faultline::scenario

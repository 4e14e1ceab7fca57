#include "tests/scenarios/recording.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/codec/status_macros.h"
#include "server/scenario/parser.h"
#include "server/scenario/report.h"
#include "server/scenario/runner.h"
#include "tests/native/tracee.h"
#include "tests/scenarios/verified_machine.h"
#include "tests/scenarios/with_hidden_page.h"

namespace faultline::scenarios {
namespace {

namespace fs = std::filesystem;

constexpr char kRecorded[] = "tests/scenarios/recorded";

// How a recording was made where that is not as its folder's others were.
struct Making {
  std::string script = {};  // where it has another name
  std::string boot = {};    // what the kernel's settings were
  char files = 0;           // where they are: the letter of `file`
  bool thp_disabled = false;
};

const std::map<std::string, Making>& Makings() {
  static const auto& makings = *new std::map<std::string, Making>{
      {"diff61.plain.jsonl",
       {.script = "diff61", .boot = "thp=always", .thp_disabled = true}},
      {"diff61.thp.jsonl", {.script = "diff61", .boot = "thp=always"}},
      {"ext4.jsonl", {.files = 'd'}},
      {"fa-ramfs-4096.jsonl",
       {.script = "faround", .boot = "fault_around_bytes=4096"}},
      {"fa-ramfs-16384.jsonl",
       {.script = "faround", .boot = "fault_around_bytes=16384"}},
      {"fa-ramfs-65536.jsonl", {.script = "faround"}},
      {"fa-ramfs-131072.jsonl",
       {.script = "faround", .boot = "fault_around_bytes=131072"}},
      {"fa-tmpfs-65536.jsonl", {.script = "faround", .files = 'm'}},
      {"swap.jsonl", {.boot = "swap=64m"}},
      {"swaptmpfs.jsonl", {.script = "swap", .boot = "swap=64m", .files = 'm'}},
      {"thp-always.jsonl", {.script = "thp", .boot = "thp=always"}},
      {"thp-madvise.jsonl", {.script = "thp", .boot = "thp=madvise"}},
      {"thp-never.jsonl",
       {.script = "thp", .boot = "thp=madvise thp.enabled=0"}},
      {"thp-prctl.jsonl",
       {.script = "thp", .boot = "thp=always", .thp_disabled = true}},
  };
  return makings;
}

Making MakingOf(const Recording& recording) {
  const auto found = Makings().find(fs::path(recording.path).filename());
  return found == Makings().end() ? Making() : found->second;
}

Recording RecordingOf(const fs::path& path, const std::string& kernel) {
  Recording recording;
  recording.name = fs::relative(path, kRecorded).string();
  recording.path = path.string();
  recording.kernel = kernel;
  recording.hidden_page = kernel == "linux-6.18";
  const std::string stem = path.stem();
  const Making making = MakingOf(recording);
  recording.maps_each = absl::EndsWith(stem, ".maps") || kernel == "i386-6.1";
  const std::string folder = path.parent_path().filename();
  const std::string name =
      making.script.empty() ? stem.substr(0, stem.find('.')) : making.script;
  recording.by_native = folder == "huge";
  // Those of a kernel's own folder are the common ones.
  recording.script =
      (fs::path(kRecorded) /
       (folder == kernel ? std::string("scripts") : folder) / (name + ".s"))
          .string();
  return recording;
}

std::string BootLine(const Recording& recording, const Making& making) {
  if (recording.kernel == "i386-6.1") {
    return "boot profile=i386 personality=linux-6.1";
  }
  return absl::StrCat("boot personality=", recording.kernel, " ", making.boot);
}

// "file 0 64p h" as it was where the files were on another file system.
std::string FileLine(absl::string_view line, char letter) {
  const std::vector<std::string> words =
      absl::StrSplit(line.substr(0, line.find('#')), ' ', absl::SkipEmpty());
  return absl::StrCat(words[0], " ", words[1], " ", words[2], " ",
                      words.size() > 3 ? words[3] : "", std::string(1, letter));
}

bool IsOperation(absl::string_view line) {
  return !line.empty() && line[0] != '#' && !absl::StartsWith(line, "file ") &&
         !absl::StartsWith(line, "dump");
}

// The scenario as it was recorded. On i386 the dumps at its end came besides
// those of the maps; elsewhere, instead.
absl::StatusOr<scenario::Script> ScriptOf(const Recording& recording,
                                          const Making& making) {
  FL_ASSIGN_OR_RETURN(const std::string text,
                      scenario::ReadFile(recording.script));
  std::string made;
  if (!absl::StartsWith(text, "boot ")) {
    absl::StrAppend(&made, BootLine(recording, making), "\n");
  }
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (making.files != 0 && absl::StartsWith(line, "file ")) {
      absl::StrAppend(&made, FileLine(line, making.files), "\n");
      continue;
    }
    const bool dump = absl::StartsWith(line, "dump");
    if (dump && recording.maps_each && recording.kernel != "i386-6.1") continue;
    absl::StrAppend(&made, line, "\n");
    if (recording.maps_each && IsOperation(line)) {
      absl::StrAppend(&made, "dump maps\n");
    }
  }
  return scenario::ParseScript(recording.script, made);
}

absl::Status DisableThp(scenario::Target& machine) {
  constexpr int kPrSetThpDisable = 41;
  v1::Command command;
  command.set_pid(1);
  command.mutable_prctl()->set_option(kPrSetThpDisable);
  command.mutable_prctl()->set_arg(1);
  return machine.Apply(command).status();
}

}  // namespace

void PrintTo(const Recording& recording, std::ostream* out) {
  *out << recording.name;
}

std::vector<Recording> RecordingsOf(const std::string& kernel) {
  std::vector<Recording> recordings;
  std::error_code error;
  const fs::path folder = fs::path(kRecorded) / kernel;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.path().extension() != ".jsonl") continue;
    recordings.push_back(RecordingOf(entry.path(), kernel));
  }
  std::sort(recordings.begin(), recordings.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return recordings;
}

absl::StatusOr<std::string> RunRecorded(const Recording& recording) {
  const Making making = MakingOf(recording);
  FL_ASSIGN_OR_RETURN(const scenario::Script script,
                      ScriptOf(recording, making));
  std::ostringstream lines;
  const auto printer = scenario::MakeJsonPrinter(lines);
  scenario::Runner runner(
      [&](v1::MachineConfig config)
          -> absl::StatusOr<std::unique_ptr<scenario::Target>> {
        FL_ASSIGN_OR_RETURN(
            std::unique_ptr<scenario::Target> machine,
            MakeMachine(config, Verification::kAfterEveryCommand));
        if (making.thp_disabled) FL_RETURN_IF_ERROR(DisableThp(*machine));
        if (!recording.hidden_page) return machine;
        return WithHiddenPage::Make(std::move(machine), native::kHiddenPage,
                                    recording.by_native
                                        ? WithHiddenPage::Mlockall::kLeavesIt
                                        : WithHiddenPage::Mlockall::kLocksIt);
      },
      *printer, {.event_level = v1::EVENT_LEVEL_NONE}, script.file_name);
  FL_RETURN_IF_ERROR(runner.Run(script));
  return lines.str();
}

}  // namespace faultline::scenarios

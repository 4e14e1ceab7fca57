#include "tests/native/conformance.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/scenario/parser.h"
#include "tests/native/native_runner.h"
#include "tests/native/proc_pid.h"
#include "tests/native/tracee.h"
#include "tests/scenarios/with_hidden_page.h"

namespace faultline::native {
namespace {

// Counts the operations that the first `lines` lines of a run tell of.
void CountOperations(const std::string& run, int lines, Conformance* result) {
  std::istringstream in(run);
  std::string line;
  while (lines-- > 0 && std::getline(in, line)) {
    if (!absl::StartsWith(line, "{\"i\":")) continue;
    ++result->operations;
    const auto op = nlohmann::json::parse(line, nullptr, false);
    if (!op.is_object() || op.contains("skip")) continue;
    KindCount& count = result->kinds[KindOf(op.value("op", ""))];
    ++count.operations;
    // A call on a file returns a negative errno.
    const auto ret = op.find("ret");
    const bool negative =
        ret != op.end() && ret->is_number() && ret->get<int64_t>() < 0;
    if (!op.contains("err") && !op.contains("sig") && !negative) {
      ++count.succeeded;
    }
  }
}

uint64_t NumberIn(const std::string& path) {
  return std::strtoull(ReadWholeFile(path).c_str(), nullptr, 10);
}

// What root may do here, and how the disk with the files is read.
scenarios::Sysctls SysctlsFor(const ConformanceOptions& options) {
  scenarios::Sysctls sysctls = {{"kernel.cap_bound", OwnCapabilities()}};
  struct stat facts;
  if (options.files.empty() || stat(options.files.c_str(), &facts) != 0) {
    return sysctls;
  }
  const std::string device =
      absl::StrCat(major(facts.st_dev), ":", minor(facts.st_dev));
  sysctls.emplace_back(
      "bdi.read_ahead_kb",
      NumberIn(absl::StrCat("/sys/class/bdi/", device, "/read_ahead_kb")));
  sysctls.emplace_back("bdi.max_sectors_kb",
                       NumberIn(absl::StrCat("/sys/dev/block/", device,
                                             "/queue/max_sectors_kb")));
  return sysctls;
}

}  // namespace

std::string KindOf(const std::string& line) {
  std::vector<std::string> words =
      absl::StrSplit(line, ' ', absl::SkipWhitespace());
  const auto taken = [](const std::string& word) {
    return word.front() == '@' || word.back() == ':';
  };
  while (!words.empty() && taken(words.front())) words.erase(words.begin());
  if (words.empty()) return "";
  const std::string& word = words.front();
  const auto with = [&](size_t at) {
    return words.size() > at ? absl::StrCat(word, " ", words[at]) : word;
  };
  if (word == "madvise") return with(3);
  if (word == "prctl" || word == "setrlimit" || word == "add_seals") {
    return with(1);
  }
  if (word == "mmap" && absl::StrContains(line, "HUGETLB")) {
    return "mmap HUGETLB";
  }
  constexpr size_t kWithRanges = 7;
  if (word == "process_madvise" && words.size() > kWithRanges) {
    return "process_madvise of several ranges";
  }
  return word;
}

Conformance RunBoth(const std::vector<std::string>& lines,
                    const ConformanceOptions& options) {
  Conformance result;
  const auto script =
      scenario::ParseScript("script", absl::StrJoin(lines, "\n"));
  if (!script.ok()) {
    result.problem = std::string(script.status().message());
    return result;
  }
  result.problem = NativeRunner::FirstUnsupported(*script);
  if (!result.problem.empty()) return result;
  std::ostringstream real;
  NativeRunner runner(*script, {.maps_each = false, .files = options.files},
                      real);
  result.problem = runner.Run();
  std::ostringstream ours;
  const std::string stopped = scenarios::SimulateWithHiddenPage(
      *script, kHiddenPage, SysctlsFor(options),
      options.verify ? scenarios::Verification::kAfterEveryCommand
                     : scenarios::Verification::kNone,
      ours);
  std::istringstream a(real.str());
  std::istringstream b(ours.str());
  CompareOptions compare;
  compare.hidden_page = Side::kA;
  compare.hidden_on_both = true;
  const CompareResult compared = CompareRuns(a, b, compare);
  CountOperations(real.str(), compared.lines_equal + 1, &result);
  result.difference = compared.difference;
  if (!stopped.empty()) {
    result.difference = Difference{.line_a = 0,
                                   .line_b = 0,
                                   .where = "the simulated machine",
                                   .field = "run",
                                   .a = "goes on",
                                   .b = stopped};
  }
  return result;
}

}  // namespace faultline::native

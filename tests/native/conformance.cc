#include "tests/native/conformance.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/scenario/parser.h"
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

Conformance RunBoth(RealKernel& kernel, const std::vector<std::string>& lines,
                    const ConformanceOptions& options) {
  Conformance result;
  const std::string text = absl::StrJoin(lines, "\n");
  const auto script = scenario::ParseScript("script", text);
  if (!script.ok()) {
    result.problem = std::string(script.status().message());
    return result;
  }
  const Answer real = kernel.Ask("script", text, options.on_disk);
  result.problem = real.problem + real.failure;
  if (!result.problem.empty()) return result;
  std::ostringstream ours;
  const std::string stopped = scenarios::SimulateWithHiddenPage(
      *script, kHiddenPage, kernel.facts().machine,
      options.verify ? scenarios::Verification::kAfterEveryCommand
                     : scenarios::Verification::kNone,
      ours);
  std::istringstream a(real.lines);
  std::istringstream b(ours.str());
  CompareOptions compare;
  compare.hidden_page = Side::kA;
  compare.hidden_on_both = true;
  const CompareResult compared = CompareRuns(a, b, compare);
  CountOperations(real.lines, compared.lines_equal + 1, &result);
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

#include "tests/native/conformance.h"

#include <sstream>

#include "absl/strings/str_join.h"
#include "server/scenario/parser.h"
#include "tests/native/native_runner.h"
#include "tests/native/proc_pid.h"
#include "tests/native/tracee.h"
#include "tests/scenarios/with_hidden_page.h"

namespace faultline::native {
namespace {

// How many operations the first `lines` lines of a run tell of.
int OperationsIn(const std::string& run, int lines) {
  std::istringstream in(run);
  int operations = 0;
  std::string line;
  while (lines-- > 0 && std::getline(in, line)) {
    if (line.rfind("{\"i\":", 0) == 0) ++operations;
  }
  return operations;
}

}  // namespace

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
      *script, kHiddenPage, OwnCapabilities(),
      options.verify ? scenarios::Verification::kAfterEveryCommand
                     : scenarios::Verification::kNone,
      ours);
  std::istringstream a(real.str());
  std::istringstream b(ours.str());
  CompareOptions compare;
  compare.hidden_page = Side::kA;
  compare.hidden_on_both = true;
  const CompareResult compared = CompareRuns(a, b, compare);
  result.operations = OperationsIn(real.str(), compared.lines_equal + 1);
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

#include "tests/native/conformance.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/codec/status_macros.h"
#include "server/scenario/parser.h"
#include "server/scenario/report.h"
#include "server/scenario/runner.h"
#include "tests/native/native_runner.h"
#include "tests/scenarios/verified_machine.h"

namespace faultline::native {
namespace {

constexpr uint64_t kPageBytes = 4096;

// A simulated machine with the page that the real process has (tracee.h), since
// it counts in the batches of the resident set's counters. No text shows it.
class WithHiddenPage final : public scenario::Target {
 public:
  static absl::StatusOr<std::unique_ptr<scenario::Target>> Make(
      std::unique_ptr<scenario::Target> target) {
    v1::Command map;
    map.set_pid(1);
    map.mutable_mmap()->set_addr(kHiddenPage);
    map.mutable_mmap()->set_length(kPageBytes);
    map.mutable_mmap()->set_prot(PROT_READ | PROT_WRITE);
    map.mutable_mmap()->set_flags(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
    v1::Command store;
    store.set_pid(1);
    store.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
    store.mutable_access()->set_addr(kHiddenPage);
    v1::Command protect;
    protect.set_pid(1);
    protect.mutable_mprotect()->set_addr(kHiddenPage);
    protect.mutable_mprotect()->set_length(kPageBytes);
    protect.mutable_mprotect()->set_prot(PROT_READ | PROT_EXEC);
    for (const v1::Command& command : {map, store, protect}) {
      FL_RETURN_IF_ERROR(target->Apply(command).status());
    }
    return std::unique_ptr<scenario::Target>(
        new WithHiddenPage(std::move(target)));
  }

  // As in NativeRunner, mlockall does not lock it.
  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override {
    auto outcome = target_->Apply(command);
    if (command.has_mlockall() && outcome.ok()) {
      v1::Command unlock;
      unlock.set_pid(command.pid());
      unlock.mutable_munlock()->set_addr(kHiddenPage);
      unlock.mutable_munlock()->set_length(kPageBytes);
      FL_RETURN_IF_ERROR(target_->Apply(unlock).status());
    }
    return outcome;
  }

  absl::StatusOr<std::string> ReadProc(const std::string& path) override {
    FL_ASSIGN_OR_RETURN(std::string text, target_->ReadProc(path));
    if (absl::EndsWith(path, "/maps") || absl::EndsWith(path, "/smaps")) {
      RemoveArea(text);
    }
    return text;
  }

  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override {
    return target_->ReadProcAt(path, offset, length);
  }

  void set_event_level(v1::EventLevel level) override {
    target_->set_event_level(level);
  }
  std::string Describe() const override { return target_->Describe(); }

 private:
  explicit WithHiddenPage(std::unique_ptr<scenario::Target> target)
      : target_(std::move(target)) {}

  // Its line and, in smaps, the lines of its counts, which no hexadecimal
  // digit of an address begins.
  static void RemoveArea(std::string& text) {
    const size_t at = text.find(absl::StrFormat("%x-", kHiddenPage));
    if (at == std::string::npos) return;
    size_t end = text.find('\n', at) + 1;
    while (end < text.size() && absl::ascii_isupper(text[end])) {
      end = text.find('\n', end) + 1;
    }
    text.erase(at, end - at);
  }

  const std::unique_ptr<scenario::Target> target_;
};

// The JSON lines of a simulated machine; the message when it cannot go on.
std::string Simulate(const scenario::Script& script, bool verify,
                     std::ostream& out) {
  const auto printer = scenario::MakeJsonPrinter(out);
  scenario::Runner runner(
      [verify](const v1::MachineConfig& config)
          -> absl::StatusOr<std::unique_ptr<scenario::Target>> {
        FL_ASSIGN_OR_RETURN(
            std::unique_ptr<scenario::Target> machine,
            scenarios::MakeMachine(
                config, verify ? scenarios::Verification::kAfterEveryCommand
                               : scenarios::Verification::kNone));
        return WithHiddenPage::Make(std::move(machine));
      },
      *printer, {.event_level = v1::EVENT_LEVEL_NONE}, script.file_name);
  const absl::Status status = runner.Run(script);
  return status.ok() ? "" : std::string(status.message());
}

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
  const std::string stopped = Simulate(*script, options.verify, ours);
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

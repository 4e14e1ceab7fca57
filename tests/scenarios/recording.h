// What a real kernel printed when it ran a scenario, and how a simulated
// machine runs the same.

#ifndef FAULTLINE_TESTS_SCENARIOS_RECORDING_H_
#define FAULTLINE_TESTS_SCENARIOS_RECORDING_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace faultline::scenarios {

// recorded/KERNEL/… has the recordings; the scenarios are beside, for several
// kernels ran each.
struct Recording {
  std::string name;        // linux-6.1/special/swap.jsonl
  std::string path;        // of the file
  std::string script;      // the scenario's path
  std::string kernel;      // linux-6.18, linux-6.1, i386-6.1
  bool maps_each = false;  // the maps after each operation
  // The recorder had a page of its own in the process, which counts in the
  // batches of its counters (tests/native/README.md). The machine gets one as
  // well, but for 6.1, where who brings a page into another's memory has it
  // counted at once and nothing else can tell.
  bool hidden_page = false;
  bool by_native = false;  // made by tests/native, not by an older recorder
};
void PrintTo(const Recording& recording, std::ostream* out);

// All recordings of a kernel, by name. Empty where there is no such folder, as
// when the working directory is another than the root of the source tree.
std::vector<Recording> RecordingsOf(const std::string& kernel);

// The JSON lines of a run on a fresh machine of that kernel, verified after
// every command.
absl::StatusOr<std::string> RunRecorded(const Recording& recording);

}  // namespace faultline::scenarios

#endif  // FAULTLINE_TESTS_SCENARIOS_RECORDING_H_

// bench [--only NAME] [--seconds S]: measures two sides in turn and prints one
// JSON line for each measurement: the simulator and the real kernel doing the
// same, on one CPU; our service and an empty one; our service under a load and
// without it.

#include <sched.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/comparison.h"
#include "tests/bench/native_mm.h"
#include "tests/bench/our_mm.h"
#include "tests/bench/restart.h"
#include "tests/bench/run_accesses.h"
#include "tests/bench/service_access.h"
#include "tests/bench/snapshot_pause.h"
#include "tests/bench/watchers.h"

namespace faultline::bench {
namespace {

// What a server does under a load of its own kind.
struct ServerMeasurement {
  const char* name;
  Comparison (*compare)(const ComparisonLimits& limits);
};
constexpr ServerMeasurement kServerMeasurements[] = {
    {kWatchersName, CompareWatchers},
    {kSnapshotPauseName, CompareSnapshotPause},
    {kSnapshotLongestCallName, CompareSnapshotLongestCall},
    {kRestartName, CompareRestart},
};

struct Row {
  const NativeMeasurement* measurement;
  std::unique_ptr<ReferenceProcess> reference;
};

int LastAllowedCpu() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 0;
  int last = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) last = cpu;
  }
  return last;
}

bool IsChosen(const std::vector<std::string>& only, const std::string& name) {
  return only.empty() ||
         std::find(only.begin(), only.end(), name) != only.end();
}

// The reference processes are forked here, before any machine exists.
std::vector<Row> MakeRows(const std::vector<std::string>& only, int cpu) {
  std::vector<Row> rows;
  for (const NativeMeasurement& measurement : NativeMeasurements()) {
    if (!IsChosen(only, measurement.name)) continue;
    rows.push_back(
        {&measurement, std::make_unique<ReferenceProcess>(measurement, cpu)});
  }
  return rows;
}

// Prints it; true when its bound is met.
bool Report(const Comparison& result) {
  std::cout << JsonLine(result) << std::endl;
  return result.Met();
}

bool RunMachine(std::vector<Row> rows, const ComparisonLimits& limits) {
  bool all_met = true;
  for (Row& row : rows) {
    const NativeMeasurement& measurement = *row.measurement;
    Comparison result = Compare(
        measurement.name, measurement.unit, measurement.wanted,
        OurMeasurement(measurement.name),
        [&] { return row.reference->Measure(); }, limits);
    result.wanted_of = measurement.wanted_of;
    all_met = Report(result) && all_met;
    row.reference.reset();
  }
  return all_met;
}

bool RunService(const std::vector<std::string>& only,
                const ComparisonLimits& limits) {
  bool all_met = true;
  for (const AccessMeasurement& measurement : AccessMeasurements()) {
    if (!IsChosen(only, measurement.name)) continue;
    all_met = Report(Compare(measurement, limits)) && all_met;
  }
  for (const RunMeasurement& measurement : RunMeasurements()) {
    if (!IsChosen(only, measurement.name)) continue;
    all_met = Report(Compare(measurement, limits)) && all_met;
  }
  for (const ServerMeasurement& measurement : kServerMeasurements) {
    if (!IsChosen(only, measurement.name)) continue;
    all_met = Report(measurement.compare(limits)) && all_met;
  }
  return all_met;
}

}  // namespace
}  // namespace faultline::bench

int main(int argc, char** argv) {
  using namespace faultline::bench;  // NOLINT(build/namespaces)
  CLI::App app{
      "Measures, in turn, the simulator and the real kernel doing the same, "
      "our service and an empty one, our service under a load and without."};
  std::vector<std::string> only;
  double seconds = 3;
  bool check = false;
  std::vector<std::string> names;
  for (const auto& measurement : NativeMeasurements()) {
    names.emplace_back(measurement.name);
  }
  for (const auto& measurement : AccessMeasurements()) {
    names.emplace_back(measurement.name);
  }
  for (const auto& measurement : RunMeasurements()) {
    names.emplace_back(measurement.name);
  }
  for (const auto& measurement : kServerMeasurements) {
    names.emplace_back(measurement.name);
  }
  app.add_option("--only", only, "Measure only these")
      ->check(CLI::IsMember(names));
  app.add_option("--seconds", seconds, "For each measurement (default 3)")
      ->check(CLI::PositiveNumber);
  app.add_flag("--check", check, "Exit code 1 when a wanted bound is not met");
  CLI11_PARSE(app, argc, argv);
  const ComparisonLimits limits{.seconds = seconds, .rounds_min = 5};
  const int cpu = LastAllowedCpu();
  std::vector<Row> rows = MakeRows(only, cpu);
  // Before this process is pinned: its servers and clients take all CPUs.
  bool all_met = RunService(only, limits);
  PinToCpu(cpu);
  all_met = RunMachine(std::move(rows), limits) && all_met;
  return check && !all_met ? 1 : 0;
}

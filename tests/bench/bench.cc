// bench [--only NAME] [--seconds S]: measures the simulator and the real kernel
// doing the same, in turn and on one CPU, and prints one JSON line for each.

#include <sched.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/comparison.h"
#include "tests/bench/native_mm.h"
#include "tests/bench/our_mm.h"

namespace faultline::bench {
namespace {

// The bounds that are promised: of the kernel's time, how much we may take.
std::optional<double> Wanted(const std::string& name) {
  if (name == "anonymous_write_fault" || name == "mmap_munmap") return 0.1;
  if (name == "fork_256mib") return 0.2;
  return std::nullopt;
}

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

// The reference processes are forked here, before any machine exists.
std::vector<Row> MakeRows(const std::vector<std::string>& only, int cpu) {
  std::vector<Row> rows;
  for (const NativeMeasurement& measurement : NativeMeasurements()) {
    bool chosen = only.empty();
    for (const std::string& name : only) chosen |= name == measurement.name;
    if (!chosen) continue;
    rows.push_back(
        {&measurement, std::make_unique<ReferenceProcess>(measurement, cpu)});
  }
  return rows;
}

bool Run(std::vector<Row> rows, double seconds) {
  bool all_met = true;
  for (Row& row : rows) {
    const std::string name = row.measurement->name;
    const Comparison result =
        Compare(name, row.measurement->unit, Wanted(name), OurMeasurement(name),
                [&] { return row.reference->Measure(); },
                {.seconds = seconds, .rounds_min = 5});
    std::cout << JsonLine(result) << std::endl;
    all_met = all_met && result.Met();
    row.reference.reset();
  }
  return all_met;
}

}  // namespace
}  // namespace faultline::bench

int main(int argc, char** argv) {
  using namespace faultline::bench;  // NOLINT(build/namespaces)
  CLI::App app{
      "Measures the simulator and the real kernel doing the same, in turn."};
  std::vector<std::string> only;
  double seconds = 3;
  bool check = false;
  std::vector<std::string> names;
  for (const auto& measurement : NativeMeasurements()) {
    names.emplace_back(measurement.name);
  }
  app.add_option("--only", only, "Measure only these")
      ->check(CLI::IsMember(names));
  app.add_option("--seconds", seconds, "For each measurement (default 3)")
      ->check(CLI::PositiveNumber);
  app.add_flag("--check", check, "Exit code 1 when a wanted bound is not met");
  CLI11_PARSE(app, argc, argv);
  const int cpu = LastAllowedCpu();
  std::vector<Row> rows = MakeRows(only, cpu);
  PinToCpu(cpu);
  const bool all_met = Run(std::move(rows), seconds);
  return check && !all_met ? 1 : 0;
}

// native FILE [--maps-each]: executes a scenario on the real kernel and prints
// the JSON lines that `faultline run --format=jsonl FILE` prints for a
// simulated machine. Needs root: page frame numbers, a ramfs, ptrace.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <string>

#include "server/scenario/parser.h"
#include "tests/native/affinity.h"
#include "tests/native/native_runner.h"

namespace {

constexpr int kExitExpectation = 1;
constexpr int kExitUsage = 2;

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Runs a scenario on the real kernel, in a process that only the "
      "scenario touches, and prints one JSON line per operation."};
  std::string file;
  faultline::native::RunnerOptions options;
  app.add_option("FILE", file, "The scenario; - is standard input")->required();
  app.add_flag("--maps-each", options.maps_each,
               "Dump maps after each operation instead of the script's dumps");
  app.add_option("--files", options.files,
                 "Directory for the scenario's files (default: a ramfs)")
      ->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);

  const auto script = faultline::scenario::ReadScript(file);
  if (!script.ok()) {
    std::cerr << "native: " << script.status().message() << "\n";
    return kExitUsage;
  }
  const std::string unsupported =
      faultline::native::NativeRunner::FirstUnsupported(*script);
  if (!unsupported.empty()) {
    std::cerr << "native: " << unsupported << "\n";
    return kExitUsage;
  }
  if (geteuid() != 0) {
    std::cerr << "native: run as root: it reads page frame numbers and mounts "
                 "a ramfs\n";
    return kExitUsage;
  }
  faultline::native::PinToFirstCpu();
  faultline::native::NativeRunner runner(*script, options, std::cout);
  const std::string failure = runner.Run();
  std::cout.flush();
  if (failure.empty()) return 0;
  std::cerr << failure << "\n";
  return kExitExpectation;
}

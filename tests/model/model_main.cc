// model [--first A] [--last B] [--ops N]: random commands on a machine and on
// the naive model of Linux, which must agree after each. A sequence on which
// they do not is made short and printed as a scenario, for `conformance
// --script` to ask the real kernel who is right.
//
// Exit code 0: they agree; 1: they do not; 2: it was called wrongly.

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "tests/model/lockstep.h"
#include "tests/model/workload.h"
#include "tests/native/shrink.h"

namespace faultline::model {
namespace {

constexpr int kShrinkTries = 5000;

int Run(uint64_t first, uint64_t last, int operations) {
  uint64_t done = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    std::vector<Command> commands = RandomCommands(seed, operations);
    if (RunCommands(commands, &done).empty()) continue;
    commands = native::Shrink(
        std::move(commands),
        [](const std::vector<Command>& fewer) {
          return !RunCommands(fewer).empty();
        },
        kShrinkTries);
    std::cout << "seed " << seed << ": " << RunCommands(commands) << "\n"
              << ScenarioText(commands);
    return 1;
  }
  std::cout << "seeds=" << last - first + 1 << " ops=" << done << " differ=0\n";
  return 0;
}

}  // namespace
}  // namespace faultline::model

int main(int argc, char** argv) {
  CLI::App app{"Random commands on a machine and on a naive model of Linux"};
  uint64_t first = 1;
  uint64_t last = 1000;
  int operations = 200;
  app.add_option("--first", first, "The first seed");
  app.add_option("--last", last, "The last seed");
  app.add_option("--ops", operations, "Commands in a sequence")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return faultline::model::Run(first, last, operations);
}

// exhaustive [--depth N]: every sequence of N calls in the four-page world. A
// sequence that fails is printed as a scenario, for `conformance --script` to
// ask the real kernel who is right.
//
// Exit code 0: none failed; 1: one did; 2: it was called wrongly.

#include <CLI/CLI.hpp>
#include <iostream>

#include "tests/exhaustive/world.h"
#include "tests/model/lockstep.h"

int main(int argc, char** argv) {
  CLI::App app{"Every sequence of calls in a world of four pages"};
  int depth = 4;
  app.add_option("--depth", depth, "Calls in a sequence; 4 takes minutes")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  const auto commands = faultline::exhaustive::WorldCommands();
  const auto explored = faultline::exhaustive::Explore(commands, depth);
  std::cout << "calls=" << commands.size() << " depth=" << depth
            << " sequences=" << explored.sequences
            << " steps=" << explored.steps << "\n";
  if (explored.why.empty()) return 0;
  std::cout << explored.why << "\n"
            << faultline::model::ScenarioText(explored.sequence);
  return 1;
}

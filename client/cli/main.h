// The faultline command, except for what only a server has: main.cc of the
// server gives that in as hooks.

#ifndef FAULTLINE_CLIENT_CLI_MAIN_H_
#define FAULTLINE_CLIENT_CLI_MAIN_H_

#include <functional>

#include "server/scenario/target.h"

namespace CLI {
class App;
}

namespace faultline::cli {

struct Hooks {
  // Declares the flags of `faultline serve` on its subcommand and gives back
  // what runs the server; its result is the exit status. Empty: no such
  // subcommand.
  std::function<std::function<int()>(CLI::App& serve)> serve;
  // Declares further subcommands; each sets the exit status when it has run.
  std::function<void(CLI::App& app, int* exit_code)> more;
  // Makes a machine in this process, for `run` and `repl` without a server.
  // Empty: they need one.
  scenario::TargetFactory local_machine;
};

// Parses the command line, does what it says, and gives the exit status
// (client/cli/exit_code.h).
int Main(int argc, char** argv, const Hooks& hooks);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_MAIN_H_

// The faultline executable: the command line of client/cli with what only the
// server's side has.
#include "client/cli/main.h"

#include "server/commands/command.h"
#include "server/local_machine.h"
#include "server/serve.h"

int main(int argc, char** argv) {
  return faultline::cli::Main(argc, argv,
                              {.serve = faultline::AddServe,
                               .more = faultline::AddExerciseCommands,
                               .local_machine = faultline::MakeLocalMachine});
}

// The subcommands of faultline. Each function declares one, with its flags,
// its help and what it does, on the given parser.

#ifndef FAULTLINE_CLIENT_CLI_SUBCOMMANDS_H_
#define FAULTLINE_CLIENT_CLI_SUBCOMMANDS_H_

#include "client/cli/context.h"

namespace faultline::cli {

void AddRun(CLI::App& app, Context& context);
void AddRepl(CLI::App& app, Context& context);
void AddImport(CLI::App& app, Context& context);
void AddSession(CLI::App& app, Context& context);
void AddSnapshot(CLI::App& app, Context& context);
void AddCat(CLI::App& app, Context& context);
void AddShow(CLI::App& app, Context& context);
void AddExport(CLI::App& app, Context& context);
void AddCache(CLI::App& app, Context& context);
void AddMm(CLI::App& app, Context& context);
void AddSlabs(CLI::App& app, Context& context);
void AddLru(CLI::App& app, Context& context);
void AddSwaps(CLI::App& app, Context& context);
void AddPolicies(CLI::App& app, Context& context);
void AddReplay(CLI::App& app, Context& context);
void AddVerify(CLI::App& app, Context& context);
void AddWatch(CLI::App& app, Context& context);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_SUBCOMMANDS_H_

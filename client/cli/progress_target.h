// Counts the commands that pass, and says on stderr how far a long run is.

#ifndef FAULTLINE_CLIENT_CLI_PROGRESS_TARGET_H_
#define FAULTLINE_CLIENT_CLI_PROGRESS_TARGET_H_

#include "client/cli/terminal.h"
#include "server/scenario/target.h"

namespace faultline::cli {

// `progress` must outlive the targets that the factory makes.
scenario::TargetFactory WithProgress(scenario::TargetFactory factory,
                                     Progress& progress);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_PROGRESS_TARGET_H_

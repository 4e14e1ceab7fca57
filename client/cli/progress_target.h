// Counts the commands that pass, and says on stderr how far a long run is.

#ifndef FAULTLINE_CLIENT_CLI_PROGRESS_TARGET_H_
#define FAULTLINE_CLIENT_CLI_PROGRESS_TARGET_H_

#include "client/cli/target.h"
#include "client/cli/terminal.h"

namespace faultline::cli {

// `progress` must outlive the targets that the factory makes.
TargetFactory WithProgress(TargetFactory factory, Progress& progress);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_PROGRESS_TARGET_H_

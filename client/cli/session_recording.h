// A session on a server as a Recording.

#ifndef FAULTLINE_CLIENT_CLI_SESSION_RECORDING_H_
#define FAULTLINE_CLIENT_CLI_SESSION_RECORDING_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/recording.h"

namespace faultline::cli {

// `server` and `name` as the command line has them.
absl::StatusOr<std::unique_ptr<Recording>> OpenRecording(
    const std::string& server, const std::string& name);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_SESSION_RECORDING_H_

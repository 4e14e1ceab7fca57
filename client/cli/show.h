// Shows a session to a person: address spaces, timeline, counters.

#ifndef FAULTLINE_CLIENT_CLI_SHOW_H_
#define FAULTLINE_CLIENT_CLI_SHOW_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "client/cli/picture.h"
#include "client/cli/recording.h"

namespace faultline::cli {

struct ShowRequest {
  absl::optional<int64_t> at;    // absent: as late as can be
  absl::optional<uint32_t> pid;  // absent: every process
  PictureStyle style;
};

// Called with the number of revisions read.
using RevisionCallback = std::function<void(int64_t done)>;

// Processes that are drawn when none was asked for. More are looked at, so that
// frames which they share can be told.
inline constexpr size_t kProcessesDrawnMax = 8;

// The whole picture. OUT_OF_RANGE: there is no such revision yet.
// FAILED_PRECONDITION: after that one there is no machine. NOT_FOUND: no such
// process then.
absl::StatusOr<std::string> ShowSession(
    Recording& recording, const ShowRequest& request,
    const RevisionCallback& progress = nullptr);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_SHOW_H_

// Exports a session, in one pass over its changes: its size on the way is that
// of one change and of the processes that live.

#ifndef FAULTLINE_CLIENT_CLI_EXPORT_H_
#define FAULTLINE_CLIENT_CLI_EXPORT_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "client/cli/recording.h"
#include "client/cli/show.h"

namespace faultline::cli {

enum class ExportFormat {
  kJsonl,     // export_jsonl.h
  kPerfetto,  // export_perfetto.h
  kChrome,    // export_chrome.h
};

struct ExportRequest {
  ExportFormat format = ExportFormat::kJsonl;
  v1::EventLevel level = v1::EVENT_LEVEL_FAULTS;
};

// Takes the next bytes of the file; not OK ends the export with that status.
using ByteSink = std::function<absl::Status(const std::string& bytes)>;

// The counters of a trace are read after this many revisions at most, which
// are spread evenly; of a session with fewer, after each.
inline constexpr int64_t kCounterLooksMax = 500;

absl::Status ExportSession(Recording& recording, const ExportRequest& request,
                           const ByteSink& sink,
                           const RevisionCallback& progress = nullptr);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_EXPORT_H_

// A recorded session as `show` and `export` read it: what its commands did, and
// its machine's /proc at any revision.

#ifndef FAULTLINE_CLIENT_CLI_RECORDING_H_
#define FAULTLINE_CLIENT_CLI_RECORDING_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cpp/session.h"
#include "faultline/v1/outcome.pb.h"
#include "faultline/v1/session.pb.h"
#include "faultline/v1/watch.pb.h"

namespace faultline::cli {

// A range of revisions, both included; empty when last < first.
struct Revisions {
  int64_t first = 1;
  int64_t last = 0;

  int64_t count() const { return last < first ? 0 : last - first + 1; }
};

class Recording {
 public:
  // Not OK ends the reading with that status.
  using ChangeCallback = std::function<absl::Status(const v1::Change&)>;

  virtual ~Recording() = default;

  // The session when the recording was opened. Later revisions are not shown.
  virtual const v1::Session& session() const = 0;

  // Calls `callback` for each revision of the range, in order, with command,
  // outcome and events. Holds one change at a time.
  virtual absl::Status ForEachChange(Revisions revisions, v1::EventLevel level,
                                     const ChangeCallback& callback) = 0;

  // A /proc file as it was after `revision`, whole. NOT_FOUND when the
  // simulated kernel had none of that name.
  virtual absl::StatusOr<std::string> ReadProc(const std::string& path,
                                               int64_t revision) = 0;
  // `length` bytes from `offset` on, fewer at the end: of pagemap, kpageflags.
  virtual absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                                 int64_t revision,
                                                 uint64_t offset,
                                                 uint64_t length) = 0;
};

// The last revision after which the session has a machine to look at: not that
// of the command which broke the simulator.
int64_t LastLook(const v1::Session& session);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_RECORDING_H_

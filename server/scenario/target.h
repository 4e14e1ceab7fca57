// Where commands go: a session on a server, or a machine in this process.

#ifndef FAULTLINE_SERVER_SCENARIO_TARGET_H_
#define FAULTLINE_SERVER_SCENARIO_TARGET_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "faultline/v1/command.pb.h"
#include "faultline/v1/outcome.pb.h"
#include "faultline/v1/session.pb.h"

namespace faultline::scenario {

// One machine. Not thread-safe. A simulated failure (an errno, a signal) is
// part of the Outcome; a Status that is not OK means that the target could not
// be asked.
class Target {
 public:
  virtual ~Target() = default;

  virtual absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) = 0;

  // The text of a /proc file, whole.
  virtual absl::StatusOr<std::string> ReadProc(const std::string& path) = 0;

  // `length` bytes from `offset` on, fewer at the end, of a binary file:
  // pagemap, kpagecount, kpageflags.
  virtual absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                                 uint64_t offset,
                                                 uint64_t length) = 0;

  // How many events Apply's outcomes carry from now on.
  virtual void set_event_level(v1::EventLevel level) = 0;

  // For messages: "sessions/lab-1 on localhost:50051", "a machine in this
  // process".
  virtual std::string Describe() const = 0;
};

// Makes a machine of this configuration.
using TargetFactory = std::function<absl::StatusOr<std::unique_ptr<Target>>(
    const v1::MachineConfig& config)>;

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_TARGET_H_

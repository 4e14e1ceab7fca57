// A machine in the caller's own process as a Target: what a scenario runs on
// when there is no server, and what grading runs everything on.
#ifndef FAULTLINE_SERVER_LOCAL_MACHINE_H_
#define FAULTLINE_SERVER_LOCAL_MACHINE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "faultline/v1/session.pb.h"
#include "server/machine/machine.h"
#include "server/scenario/target.h"

namespace faultline {

class LocalMachine final : public scenario::Target {
 public:
  // InvalidArgument for a config that no machine can have.
  static absl::StatusOr<std::unique_ptr<LocalMachine>> Boot(
      const v1::MachineConfig& config);

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override;
  absl::StatusOr<std::string> ReadProc(const std::string& path) override;
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override;
  void set_event_level(v1::EventLevel level) override;
  std::string Describe() const override { return "a machine in this process"; }

  // A copy of it is a checkpoint; assigning one goes back there.
  Machine& machine() { return machine_; }
  const Machine& machine() const { return machine_; }

 private:
  explicit LocalMachine(const MachineConfig& config) : machine_(config) {}

  Machine machine_;
  EventLevel level_ = EventLevel::kFaults;
};

// The same as a Target.
absl::StatusOr<std::unique_ptr<scenario::Target>> MakeLocalMachine(
    const v1::MachineConfig& config);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_LOCAL_MACHINE_H_

#include "server/local_machine.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/codec/command.h"
#include "server/codec/config.h"
#include "server/codec/errors.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "server/machine/base/bug.h"
#include "server/machine/machine.h"
#include "server/machine/proc/proc.h"

namespace faultline {
namespace {

// What ReadProc says of a path, for a person.
absl::Status ProcError(const std::string& path, Errno error) {
  return absl::NotFoundError(
      absl::StrCat(path, ": ", std::string(ErrnoName(error))));
}

class LocalMachine final : public scenario::Target {
 public:
  explicit LocalMachine(const MachineConfig& config) : machine_(config) {}

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override {
    FL_ASSIGN_OR_RETURN(const Command decoded, CommandFromProto(command));
    v1::Outcome outcome;
    try {
      OutcomeToProto(machine_.Apply(decoded, level_), &outcome);
    } catch (const KernelBug& bug) {
      return errors::SimulatorBug("this process", bug.what());
    }
    return outcome;
  }

  absl::StatusOr<std::string> ReadProc(const std::string& path) override {
    auto text = faultline::ReadProc(machine_.kernel(), path);
    if (!text.ok()) return ProcError(path, text.error());
    return std::move(text.value());
  }

  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override {
    auto bytes = faultline::ReadProcAt(machine_.kernel(), path, offset, length);
    if (!bytes.ok()) return ProcError(path, bytes.error());
    return std::move(bytes.value());
  }

  void set_event_level(v1::EventLevel level) override {
    const absl::StatusOr<EventLevel> decoded = EventLevelFromProto(level);
    if (decoded.ok()) level_ = *decoded;
  }

  std::string Describe() const override { return "a machine in this process"; }

 private:
  Machine machine_;
  EventLevel level_ = EventLevel::kFaults;
};

}  // namespace

absl::StatusOr<std::unique_ptr<scenario::Target>> MakeLocalMachine(
    const v1::MachineConfig& config) {
  FL_ASSIGN_OR_RETURN(const MachineConfig decoded,
                      ConfigFromProto(config, "config"));
  try {
    return std::make_unique<LocalMachine>(decoded);
  } catch (const ConfigError& error) {
    return errors::InvalidField("config", error.what());
  }
}

}  // namespace faultline

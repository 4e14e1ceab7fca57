#include "server/local_machine.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/codec/command.h"
#include "server/codec/config.h"
#include "server/codec/errors.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "server/machine/base/bug.h"
#include "server/machine/proc/proc.h"

namespace faultline {
namespace {

// What ReadProc says of a path, for a person.
absl::Status ProcError(const std::string& path, Errno error) {
  return absl::NotFoundError(
      absl::StrCat(path, ": ", std::string(ErrnoName(error))));
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalMachine>> LocalMachine::Boot(
    const v1::MachineConfig& config) {
  FL_ASSIGN_OR_RETURN(const MachineConfig decoded,
                      ConfigFromProto(config, "config"));
  try {
    return absl::WrapUnique(new LocalMachine(decoded));
  } catch (const ConfigError& error) {
    return errors::InvalidField("config", error.what());
  }
}

absl::StatusOr<v1::Outcome> LocalMachine::Apply(const v1::Command& command) {
  FL_ASSIGN_OR_RETURN(const Command decoded, CommandFromProto(command));
  v1::Outcome outcome;
  try {
    OutcomeToProto(machine_.Apply(decoded, level_), &outcome);
  } catch (const KernelBug& bug) {
    return errors::SimulatorBug("this process", bug.what());
  }
  return outcome;
}

absl::StatusOr<std::string> LocalMachine::ReadProc(const std::string& path) {
  auto text = faultline::ReadProc(machine_.kernel(), path);
  if (!text.ok()) return ProcError(path, text.error());
  return std::move(text.value());
}

absl::StatusOr<std::string> LocalMachine::ReadProcAt(const std::string& path,
                                                     uint64_t offset,
                                                     uint64_t length) {
  auto bytes = faultline::ReadProcAt(machine_.kernel(), path, offset, length);
  if (!bytes.ok()) return ProcError(path, bytes.error());
  return std::move(bytes.value());
}

void LocalMachine::set_event_level(v1::EventLevel level) {
  const absl::StatusOr<EventLevel> decoded = EventLevelFromProto(level);
  if (decoded.ok()) level_ = *decoded;
}

absl::StatusOr<std::unique_ptr<scenario::Target>> MakeLocalMachine(
    const v1::MachineConfig& config) {
  return LocalMachine::Boot(config);
}

}  // namespace faultline

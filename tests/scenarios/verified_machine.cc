#include "tests/scenarios/verified_machine.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/codec/command.h"
#include "server/codec/config.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "server/machine/machine.h"
#include "server/machine/proc/proc.h"

namespace faultline::scenarios {
namespace {

class VerifiedMachine final : public scenario::Target {
 public:
  VerifiedMachine(const MachineConfig& config, Verification verification)
      : machine_(config), verification_(verification) {}

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override {
    FL_ASSIGN_OR_RETURN(const Command decoded, CommandFromProto(command));
    v1::Outcome outcome;
    OutcomeToProto(machine_.Apply(decoded, level_), &outcome);
    if (verification_ == Verification::kNone) return outcome;
    if (const std::string broken = machine_.Verify(); !broken.empty()) {
      return absl::InternalError(absl::StrCat("Verify: ", broken));
    }
    return outcome;
  }

  absl::StatusOr<std::string> ReadProc(const std::string& path) override {
    return Text(path, faultline::ReadProc(machine_.kernel(), path));
  }

  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override {
    return Text(path,
                faultline::ReadProcAt(machine_.kernel(), path, offset, length));
  }

  // All events, or none: of the levels between nobody makes use here.
  void set_event_level(v1::EventLevel level) override {
    level_ =
        level == v1::EVENT_LEVEL_ALL ? EventLevel::kAll : EventLevel::kNone;
  }

  std::string Describe() const override { return "a machine under test"; }

 private:
  static absl::StatusOr<std::string> Text(const std::string& path,
                                          ErrnoOr<std::string> text) {
    if (text.ok()) return std::move(text.value());
    return absl::NotFoundError(
        absl::StrCat(path, ": ", std::string(ErrnoName(text.error()))));
  }

  Machine machine_;
  Verification verification_;
  EventLevel level_ = EventLevel::kNone;
};

}  // namespace

absl::StatusOr<std::unique_ptr<scenario::Target>> MakeMachine(
    const v1::MachineConfig& config, Verification verification) {
  FL_ASSIGN_OR_RETURN(const MachineConfig decoded,
                      ConfigFromProto(config, "config"));
  return std::make_unique<VerifiedMachine>(decoded, verification);
}

}  // namespace faultline::scenarios

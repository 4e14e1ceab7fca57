#include "server/grading/trial.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/codec/utf8.h"
#include "server/limits.h"

namespace faultline::grading {
namespace {

// At most one more than a trial may have.
uint64_t AccessesOf(const v1::AccessMany& many) {
  constexpr uint64_t kMany = limits::kTrialAccessesMax + 1;
  if (many.count().empty()) return static_cast<uint64_t>(many.addr_size());
  uint64_t accesses = 0;
  for (int i = 0; i < many.addr_size() && accesses < kMany; ++i) {
    const int at = std::min(i, many.count_size() - 1);
    accesses += std::min(many.count(at), kMany);
  }
  return std::min(accesses, kMany);
}

uint64_t AccessesOf(const v1::Command& command) {
  if (command.has_access_many()) return AccessesOf(command.access_many());
  if (!command.has_access()) return 0;
  return command.access().has_count() ? command.access().count() : 1;
}

bool MakesProcess(const v1::Command& command, const v1::Outcome& outcome) {
  return (command.has_fork() || command.has_clone()) &&
         outcome.error() == v1::ERRNO_UNSPECIFIED && !outcome.no_process() &&
         outcome.value() > 0;
}

}  // namespace

Trial::Trial(std::unique_ptr<LocalMachine> machine)
    : machine_(std::move(machine)), pids_{1} {
  machine_->set_event_level(v1::EVENT_LEVEL_ALL);
}

absl::StatusOr<std::unique_ptr<Trial>> Trial::Boot(
    const v1::MachineConfig& config) {
  FL_ASSIGN_OR_RETURN(std::unique_ptr<LocalMachine> machine,
                      LocalMachine::Boot(config));
  return absl::WrapUnique(new Trial(std::move(machine)));
}

absl::StatusOr<v1::Outcome> Trial::Apply(const v1::Command& command) {
  FL_RETURN_IF_ERROR(CheckBounds(command));
  if (!referee_) {
    FL_ASSIGN_OR_RETURN(v1::Outcome outcome, machine_->Apply(command));
    Add(command, outcome);
    return outcome;
  }
  FL_RETURN_IF_ERROR(referee_(command, nullptr));
  Machine before = machine_->machine();
  FL_ASSIGN_OR_RETURN(v1::Outcome outcome, machine_->Apply(command));
  absl::Status allowed = referee_(command, &outcome);
  if (!allowed.ok()) {
    machine_->machine() = std::move(before);
    return allowed;
  }
  Add(command, outcome);
  return outcome;
}

absl::Status Trial::CheckBounds(const v1::Command& command) const {
  const auto commands_max = setup_ended_
                                ? setup_steps_ + limits::kAttemptCommandsMax
                                : limits::kSetupCommandsMax;
  if (steps_.size() >= commands_max) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "more than ",
        setup_ended_ ? static_cast<size_t>(limits::kAttemptCommandsMax)
                     : limits::kSetupCommandsMax,
        " commands: an exercise takes fewer"));
  }
  if (accesses_ + AccessesOf(command) > limits::kTrialAccessesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", limits::kTrialAccessesMax,
                     " accesses in all: use fewer pages"));
  }
  if (events_ > limits::kTrialEventsMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", limits::kTrialEventsMax,
                     " events in all: use fewer pages"));
  }
  if (bytes_ + command.ByteSizeLong() > limits::kTrialBytesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", limits::kTrialBytesMax,
                     " bytes written and read in all: use less data"));
  }
  return absl::OkStatus();
}

void Trial::Add(const v1::Command& command, const v1::Outcome& outcome) {
  accesses_ += AccessesOf(command);
  events_ += static_cast<size_t>(outcome.events_size());
  bytes_ += command.ByteSizeLong() + outcome.data().size();
  if (MakesProcess(command, outcome)) {
    pids_.push_back(static_cast<uint32_t>(outcome.value()));
  }
  Step step;
  step.text = std::string(
      Utf8Prefix(command.ShortDebugString(), limits::kStepTextBytesMax));
  step.command = command;
  step.outcome = outcome;
  steps_.push_back(std::move(step));
}

void Trial::SetOperation(size_t first, const Step& operation) {
  for (size_t i = first; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    step.number = operation.number;
    step.line = operation.line;
    step.text = operation.text;
    step.label = operation.label;
  }
}

void Trial::SetLabel(const std::string& label, int64_t value) {
  labels_[label] = value;
}

void Trial::KeepMoment(const std::string& label) {
  moments_.insert_or_assign(label, machine_->machine());
}

void Trial::EndSetup(Referee referee) {
  setup_ended_ = true;
  setup_steps_ = steps_.size();
  referee_ = std::move(referee);
  accesses_ = 0;
  events_ = 0;
  bytes_ = 0;
}

int Trial::StepOf(const std::string& label) const {
  for (size_t i = steps_.size(); i > 0; --i) {
    if (steps_[i - 1].label == label) return static_cast<int>(i) - 1;
  }
  return -1;
}

const Machine* Trial::MomentOf(const std::string& label) const {
  const auto found = moments_.find(label);
  return found == moments_.end() ? nullptr : &found->second;
}

uint32_t Trial::PidOf(int64_t process) const {
  const auto i = static_cast<size_t>(process);
  return process >= 0 && i < pids_.size() ? pids_[i] : 0;
}

}  // namespace faultline::grading

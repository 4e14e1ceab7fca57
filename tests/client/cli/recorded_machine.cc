#include "tests/client/cli/recorded_machine.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "server/local_machine.h"
#include "server/scenario/parser.h"
#include "server/scenario/report.h"
#include "server/scenario/runner.h"

namespace faultline::cli {
namespace {

std::unique_ptr<scenario::Target> NewMachine(const v1::MachineConfig& config) {
  auto machine = MakeLocalMachine(config);
  if (!machine.ok()) std::abort();
  (*machine)->set_event_level(v1::EVENT_LEVEL_ALL);
  return *std::move(machine);
}

const v1::Change& Append(const v1::Command& command, v1::Outcome outcome,
                         std::vector<v1::Change>& changes) {
  v1::Change& change = changes.emplace_back();
  change.set_revision(static_cast<int64_t>(changes.size()));
  *change.mutable_command() = command;
  change.mutable_events()->Swap(outcome.mutable_events());
  *change.mutable_outcome() = std::move(outcome);
  return change;
}

// Writes down what is applied to a machine.
class RecordingTarget : public scenario::Target {
 public:
  RecordingTarget(std::unique_ptr<scenario::Target> target,
                  std::vector<v1::Change>& changes)
      : target_(std::move(target)), changes_(changes) {}

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override {
    absl::StatusOr<v1::Outcome> outcome = target_->Apply(command);
    if (outcome.ok()) Append(command, *outcome, changes_);
    return outcome;
  }
  absl::StatusOr<std::string> ReadProc(const std::string& path) override {
    return target_->ReadProc(path);
  }
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override {
    return target_->ReadProcAt(path, offset, length);
  }
  // The recording has all events, whatever the scenario wants to print.
  void set_event_level(v1::EventLevel) override {}
  std::string Describe() const override { return target_->Describe(); }

 private:
  std::unique_ptr<scenario::Target> target_;
  std::vector<v1::Change>& changes_;
};

bool IsOfLevelFaults(const v1::Event& event) {
  return event.has_page_fault_user() || event.has_fault_resolved() ||
         event.has_fault_refused() || event.has_sched_process_fork() ||
         event.has_sched_process_exec() || event.has_sched_process_exit() ||
         event.has_signal_generate() || event.has_events_lost();
}

v1::Change AtLevel(v1::EventLevel level, const v1::Change& all) {
  v1::Change change = all;
  change.clear_events();
  for (const v1::Event& event : all.events()) {
    const bool wanted =
        level == v1::EVENT_LEVEL_ALL ||
        (level == v1::EVENT_LEVEL_FAULTS && IsOfLevelFaults(event));
    if (wanted) *change.add_events() = event;
  }
  return change;
}

}  // namespace

RecordedMachine::RecordedMachine(const std::string& scenario) {
  auto script = scenario::ParseScript("test.s", scenario);
  EXPECT_TRUE(script.ok()) << script.status();
  if (!script.ok()) return;
  std::ostringstream printed;
  const auto printer = scenario::MakeJsonPrinter(printed);
  auto factory = [this](const v1::MachineConfig& config)
      -> absl::StatusOr<std::unique_ptr<scenario::Target>> {
    config_ = config;
    return std::make_unique<RecordingTarget>(NewMachine(config), changes_);
  };
  scenario::Runner runner(factory, *printer, scenario::RunOptions(), "test.s");
  const absl::Status status = runner.Run(*script);
  EXPECT_TRUE(status.ok()) << status;
  session_.set_name("sessions/test");
  session_.set_state(v1::SESSION_STATE_OPEN);
  session_.set_revision(static_cast<int64_t>(changes_.size()));
}

const v1::Change& RecordedMachine::Apply(const v1::Command& command) {
  const int64_t before = session_.revision();
  absl::StatusOr<v1::Outcome> outcome = At(before).Apply(command);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  session_.set_revision(before + 1);
  machines_[before + 1] = std::move(machines_[before]);
  return Append(command, outcome.value_or(v1::Outcome()), changes_);
}

absl::Status RecordedMachine::ForEachChange(Revisions revisions,
                                            v1::EventLevel level,
                                            const ChangeCallback& callback) {
  for (const v1::Change& change : changes_) {
    if (change.revision() < revisions.first) continue;
    if (change.revision() > revisions.last) break;
    absl::Status status = callback(AtLevel(level, change));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

scenario::Target& RecordedMachine::At(int64_t revision) {
  std::unique_ptr<scenario::Target>& machine = machines_[revision];
  if (machine == nullptr) {
    machine = NewMachine(config_);
    for (const v1::Change& change : changes_) {
      if (change.revision() > revision) break;
      EXPECT_TRUE(machine->Apply(change.command()).ok());
    }
  }
  return *machine;
}

absl::StatusOr<std::string> RecordedMachine::ReadProc(const std::string& path,
                                                      int64_t revision) {
  ++reads_;
  return At(revision).ReadProc(path);
}

absl::StatusOr<std::string> RecordedMachine::ReadProcAt(const std::string& path,
                                                        int64_t revision,
                                                        uint64_t offset,
                                                        uint64_t length) {
  ++reads_;
  return At(revision).ReadProcAt(path, offset, length);
}

std::string Golden(const std::string& name, const std::string& now) {
  const std::string path = "tests/client/cli/golden/" + name;
  if (std::getenv("FAULTLINE_REWRITE") != nullptr) {
    std::ofstream(path, std::ios::binary) << now;
    return now;
  }
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << "there is no " << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace faultline::cli

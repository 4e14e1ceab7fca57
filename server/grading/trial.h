// A trial: a machine and what commands did to it, step by step. Grading looks
// at nothing else: not at what a client says happened.
#ifndef FAULTLINE_SERVER_GRADING_TRIAL_H_
#define FAULTLINE_SERVER_GRADING_TRIAL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/command.pb.h"
#include "faultline/v1/outcome.pb.h"
#include "faultline/v1/session.pb.h"
#include "server/local_machine.h"

namespace faultline::grading {

// One command and what it did, all its events included.
struct Step {
  // The operation that it belongs to: its number in its file as `faultline run`
  // counts, 0 for a declaration; and its line. 0 of a recorded command.
  int number = 0;
  int line = 0;
  std::string text;   // the operation as it is written, or the command
  std::string label;  // of the operation
  v1::Command command;
  v1::Outcome outcome;
};

// A scenario runs on it as on any Target. What a submission may do to the
// server is bounded here: commands, accesses, events and bytes in all.
class Trial final : public scenario::Target {
 public:
  // Asked before a command and after it, with its outcome. What is not OK stops
  // the trial: the machine is put back to where it was before the command.
  using Referee = std::function<absl::Status(const v1::Command& command,
                                             const v1::Outcome* outcome)>;

  static absl::StatusOr<std::unique_ptr<Trial>> Boot(
      const v1::MachineConfig& config);

  // RESOURCE_EXHAUSTED at one of the bounds; what the referee said.
  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override;
  absl::StatusOr<std::string> ReadProc(const std::string& path) override {
    return machine_->ReadProc(path);
  }
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override {
    return machine_->ReadProcAt(path, offset, length);
  }
  // A trial keeps all events.
  void set_event_level(v1::EventLevel) override {}
  std::string Describe() const override { return "a trial"; }

  // Says which operation the steps from `first` on belong to.
  void SetOperation(size_t first, const Step& operation);
  // Gives a label its value, and keeps the machine as it is now for at().
  void SetLabel(const std::string& label, int64_t value);
  void KeepMoment(const std::string& label);
  // What comes now is the student's.
  void EndSetup(Referee referee);

  const Machine& machine() const { return machine_->machine(); }
  const std::vector<Step>& steps() const { return steps_; }
  // Of the student's first step.
  size_t setup_steps() const { return setup_steps_; }
  bool setup_ended() const { return setup_ended_; }

  // The step that a label belongs to; -1: none.
  int StepOf(const std::string& label) const;
  const std::map<std::string, int64_t>& labels() const { return labels_; }
  // Null when it was not kept.
  const Machine* MomentOf(const std::string& label) const;

  // Processes are numbered in the order in which they were made, from 0.
  // 0 when there is no such process.
  uint32_t PidOf(int64_t process) const;
  const std::vector<uint32_t>& pids() const { return pids_; }

 private:
  explicit Trial(std::unique_ptr<LocalMachine> machine);

  absl::Status CheckBounds(const v1::Command& command) const;
  void Add(const v1::Command& command, const v1::Outcome& outcome);

  const std::unique_ptr<LocalMachine> machine_;
  Referee referee_;
  std::vector<Step> steps_;
  size_t setup_steps_ = 0;
  bool setup_ended_ = false;
  uint64_t accesses_ = 0;
  size_t events_ = 0;
  size_t bytes_ = 0;
  std::vector<uint32_t> pids_;
  std::map<std::string, int64_t> labels_;
  std::map<std::string, Machine> moments_;
};

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_TRIAL_H_

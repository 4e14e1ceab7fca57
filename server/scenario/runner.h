// Executes a scenario on a machine, line by line.

#ifndef FAULTLINE_SERVER_SCENARIO_RUNNER_H_
#define FAULTLINE_SERVER_SCENARIO_RUNNER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/scenario/dump.h"
#include "server/scenario/report.h"
#include "server/scenario/script.h"
#include "server/scenario/target.h"

namespace faultline::scenario {

struct RunOptions {
  // Prints the maps of every live process after each operation, in place of
  // the script's own dumps.
  bool maps_each = false;
  v1::EventLevel event_level = v1::EVENT_LEVEL_FAULTS;
};

// Thrown together per run: processes by number, what labels stand for. The
// machine is made at the first line, by what `boot` says if that is it.
class Runner {
 public:
  // `printer` must outlive the runner. `file_name` is for messages.
  Runner(TargetFactory factory, Printer& printer, RunOptions options,
         std::string file_name);

  // One line. NOT OK: it could not be executed, or (ABORTED) an expectation
  // does not hold; the message begins with FILE:LINE:COLUMN, and what details
  // the target's status has are kept.
  absl::Status Execute(const Op& op);

  // All lines; stops at the first failure.
  absl::Status Run(const Script& script);

  // Makes the machine, the default one, unless it is there.
  absl::Status Start();
  // What was done on the machine by other means than lines: the processes that
  // it made and ended are known from now on. REQUIRES: it has been started.
  void Learn(const v1::Command& command, const v1::Outcome& outcome);
  // The lines to come are counted from 1; the summary is of them alone.
  void StartCounting();

  // What the lines to come are of, for messages.
  void set_file_name(std::string file_name) {
    file_name_ = std::move(file_name);
  }

  const Summary& summary() const { return summary_; }
  // Nothing before the first line.
  Target* target() { return target_.get(); }
  // The labels seen, for completion.
  const std::map<std::string, uint64_t>& labels() const { return labels_; }
  // The pid of a scenario process; 0 when there is none.
  uint32_t PidOf(int process) const;
  // The process of this pid; 0 when there is none.
  uint64_t NumberOf(uint32_t pid) const;
  int process_count() const { return static_cast<int>(processes_.size()); }

 private:
  struct Process {
    uint32_t pid = 0;
    bool live = true;
  };

  absl::Status ExecuteAny(const Op& op);
  absl::Status Boot(const v1::MachineConfig& config);
  absl::Status Declare(const v1::Command& create,
                       std::optional<v1::Command> open);
  absl::Status DeclareMemfd(const FileDeclaration& file);
  absl::Status Perform(const Op& op);
  absl::Status Print(const Op& op);
  absl::Status DumpLive(const DumpParts& parts);
  absl::Status Check(const Op& op);
  absl::StatusOr<uint64_t> Field(int process, absl::string_view subject);

  OpResult ResultOf(const Op& op, const v1::Outcome& outcome);
  void AddCall(const Op& op, const v1::Outcome& outcome, OpResult* result);
  void Remember(const Op& op, const OpResult& result,
                const v1::Outcome& outcome);
  SymbolLookup LookupFor(int process);
  std::optional<uint64_t> StartBrk(uint32_t pid);
  std::optional<uint64_t> StackStart(uint32_t pid);
  std::string ProcPath(const Op& op, const std::string& path) const;

  TargetFactory factory_;
  Printer& printer_;
  RunOptions options_;
  std::string file_name_;

  std::unique_ptr<Target> target_;
  std::unique_ptr<Dumper> dumper_;
  std::vector<Process> processes_;
  std::map<std::string, uint64_t> labels_;
  int number_ = 0;  // of the last numbered operation
  OpResult last_;   // its result, for expect
  Summary summary_;
};

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_RUNNER_H_

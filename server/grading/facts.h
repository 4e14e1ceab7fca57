// What expressions may ask about a trial.
//
//   $label       what the labelled operation of the set-up returned: a negative
//                errno for an error, the number of the process for fork
//   label.FIELD  of its outcome: ret err sig code addr val child min maj faults
//                accesses cost exited
//   total.FIELD  of all operations, or of the student's: min maj faults
//                accesses cost commands errors
//   functions    function.h
//
// Looking leaves traces in the scope, from which feedback is made: decide.h.
#ifndef FAULTLINE_SERVER_GRADING_FACTS_H_
#define FAULTLINE_SERVER_GRADING_FACTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/grading/draw.h"
#include "server/grading/expression.h"
#include "server/grading/function.h"
#include "server/grading/trial.h"

namespace faultline::grading {

// An event of a trial.
struct EventPlace {
  size_t step = 0;
  int event = 0;  // index in the outcome's events
};

// What an expression looked at.
struct Trace {
  // Events that were counted, in the order in which they happened.
  std::vector<EventPlace> counted;
  // The operation whose outcome was looked at last; -1: none.
  int step = -1;
  // The state that was looked at, after how many steps at the latest.
  bool memory = false;
  bool vmas = false;
  size_t steps_end = 0;
};

class TrialScope final : public Scope {
 public:
  // As the trial is now. Both must outlive the scope.
  TrialScope(const Trial& trial, const Values& values)
      : TrialScope(trial, values, trial.machine(), trial.steps().size()) {}

  absl::StatusOr<Value> Name(const std::string& name) const override;
  absl::StatusOr<Value> Label(const std::string& label) const override;
  absl::StatusOr<Value> Field(const std::string& label,
                              const std::string& field) const override;
  absl::StatusOr<Value> Call(const Expression& call) const override;

  const Trace& trace() const { return trace_; }
  void ForgetTrace() { trace_ = Trace(); }

 private:
  TrialScope(const Trial& trial, const Values& values, const Machine& machine,
             size_t steps_end)
      : trial_(trial),
        variables_(values),
        machine_(machine),
        steps_end_(steps_end) {}

  const Kernel& kernel() const { return machine_.kernel(); }
  // Of total.FIELD and events().
  size_t first_step() const {
    return trial_.setup_ended() ? trial_.setup_steps() : 0;
  }

  absl::StatusOr<size_t> StepOf(const std::string& label) const;
  absl::StatusOr<Value> TotalField(const std::string& field) const;
  void LookAt(bool Trace::*what) const;
  void CountFaults(size_t step, const std::string& field) const;
  absl::StatusOr<Value> At(const Expression& call) const;
  absl::StatusOr<Value> Events(const Expression& call) const;
  absl::StatusOr<Value> CallProc(Function function,
                                 const Expression& call) const;
  absl::StatusOr<Value> CallVmas(Function function,
                                 const Expression& call) const;
  absl::StatusOr<Value> CallMemory(Function function,
                                   const Expression& call) const;
  absl::StatusOr<Value> CallAt(Function function, int64_t address,
                               const Mm& mm) const;
  absl::StatusOr<const Mm*> MmOfProcess(int64_t process) const;
  absl::StatusOr<std::string> ProcText(int64_t process,
                                       absl::string_view file) const;
  int64_t CountLive() const;

  const Trial& trial_;
  const VariableScope variables_;
  const Machine& machine_;
  const size_t steps_end_;
  mutable Trace trace_;
};

// The fields of label.FIELD and of total.FIELD.
const std::vector<std::string>& StepFields();
const std::vector<std::string>& TotalFields();

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_FACTS_H_

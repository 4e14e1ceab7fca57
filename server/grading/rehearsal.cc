#include "server/grading/rehearsal.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"

namespace faultline::grading {
namespace {

// The runner owns its target; the trial is somebody else's.
class Borrowed final : public scenario::Target {
 public:
  explicit Borrowed(Trial& trial) : trial_(trial) {}

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override {
    return trial_.Apply(command);
  }
  absl::StatusOr<std::string> ReadProc(const std::string& path) override {
    return trial_.ReadProc(path);
  }
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override {
    return trial_.ReadProcAt(path, offset, length);
  }
  void set_event_level(v1::EventLevel level) override {
    trial_.set_event_level(level);
  }
  std::string Describe() const override { return "a trial"; }

 private:
  Trial& trial_;
};

absl::Status CheckSetup(const scenario::Script& script) {
  std::set<std::string> labels;
  for (const scenario::Op& op : script.ops) {
    const std::string where =
        absl::StrCat(kSetupName, ":", op.line, ":", op.column, ": ");
    if (op.kind == scenario::OpKind::kBoot) {
      return absl::InvalidArgumentError(
          absl::StrCat(where,
                       "`boot` has no place here: the machine is what "
                       "the field `machine` says"));
    }
    if (!op.label.empty() && !labels.insert(op.label).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, "the label '", op.label, "' is given twice: rename one"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

// What the runner tells besides what the trial hears itself.
class Rehearsal::Listener final : public scenario::Printer {
 public:
  void PrintOp(const scenario::OpResult& result, const v1::Outcome&) override {
    number = result.number;
  }
  void PrintDump(const scenario::DumpResult&) override {}
  void PrintExpectation(const scenario::Op&, bool,
                        const std::string&) override {}
  void PrintEnd(const scenario::Summary&) override {}

  int number = 0;  // of the last operation
};

Rehearsal::Rehearsal(Trial& trial)
    : trial_(trial),
      listener_(std::make_unique<Listener>()),
      parser_(kSetupName) {}

Rehearsal::~Rehearsal() = default;

absl::Status Rehearsal::RunSetup(absl::string_view text,
                                 const std::set<std::string>& moments) {
  FL_ASSIGN_OR_RETURN(const scenario::Script script,
                      scenario::ParseScript(parser_, text));
  FL_RETURN_IF_ERROR(CheckSetup(script));
  moments_ = moments;
  return Run(script);
}

absl::Status Rehearsal::RunSubmission(const std::string& file_name,
                                      absl::string_view text) {
  parser_.Continue(file_name);
  FL_ASSIGN_OR_RETURN(const scenario::Script script,
                      scenario::ParseScript(parser_, text));
  numbers_before_ = listener_->number;
  return Run(script);
}

absl::Status Rehearsal::Run(const scenario::Script& script) {
  if (runner_ == nullptr) {
    runner_ = std::make_unique<scenario::Runner>(
        [this](const v1::MachineConfig&)
            -> absl::StatusOr<std::unique_ptr<scenario::Target>> {
          return std::make_unique<Borrowed>(trial_);
        },
        *listener_, scenario::RunOptions(), script.file_name);
  }
  runner_->set_file_name(script.file_name);
  for (const scenario::Op& op : script.ops) {
    const size_t first = trial_.steps().size();
    const absl::Status status = runner_->Execute(op);
    Attribute(op, first);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void Rehearsal::Attribute(const scenario::Op& op, size_t first) {
  Step operation;
  operation.line = op.line;
  operation.text = op.text;
  if (scenario::IsNumbered(op.kind)) {
    operation.number = listener_->number - numbers_before_;
  }
  // The labels of a submission are its own: no goal speaks of them.
  const bool labelled = !trial_.setup_ended() && !op.label.empty();
  if (labelled) operation.label = op.label;
  trial_.SetOperation(first, operation);
  if (!labelled) return;
  const auto value = runner_->labels().find(op.label);
  if (value == runner_->labels().end()) return;
  trial_.SetLabel(op.label, static_cast<int64_t>(value->second));
  if (moments_.count(op.label) > 0) trial_.KeepMoment(op.label);
}

}  // namespace faultline::grading

#include "server/commands/attempt_run.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/context.h"
#include "server/codec/status_macros.h"
#include "server/local_machine.h"
#include "server/scenario/parser.h"
#include "server/scenario/runner.h"

namespace faultline {
namespace {

// First a machine in this process, then the session.
class Continued final : public scenario::Target {
 public:
  explicit Continued(std::unique_ptr<scenario::Target> rehearsed)
      : target_(std::move(rehearsed)) {}

  void GoOn(std::unique_ptr<scenario::Target> session) {
    target_ = std::move(session);
  }

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override {
    return target_->Apply(command);
  }
  absl::StatusOr<std::string> ReadProc(const std::string& path) override {
    return target_->ReadProc(path);
  }
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override {
    return target_->ReadProcAt(path, offset, length);
  }
  void set_event_level(v1::EventLevel level) override {
    target_->set_event_level(level);
  }
  std::string Describe() const override { return target_->Describe(); }

 private:
  std::unique_ptr<scenario::Target> target_;
};

// Says nothing of the set-up.
class AfterSetup final : public scenario::Printer {
 public:
  explicit AfterSetup(scenario::Printer& printer) : printer_(printer) {}

  void EndSetup() { setup_ = false; }

  void PrintOp(const scenario::OpResult& result,
               const v1::Outcome& outcome) override {
    if (!setup_) printer_.PrintOp(result, outcome);
  }
  void PrintDump(const scenario::DumpResult& dump) override {
    if (!setup_) printer_.PrintDump(dump);
  }
  void PrintExpectation(const scenario::Op& op, bool held,
                        const std::string& what) override {
    if (!setup_) printer_.PrintExpectation(op, held, what);
  }
  void PrintEnd(const scenario::Summary& summary) override {
    printer_.PrintEnd(summary);
  }

 private:
  scenario::Printer& printer_;
  bool setup_ = true;
};

// Who runs a scenario on the machine of an attempt, and what it knows.
class Continuation {
 public:
  Continuation(const v1::Attempt& attempt, scenario::Printer& printer)
      : attempt_(attempt),
        printer_(printer),
        parser_("setup"),
        runner_([this](const v1::MachineConfig&) { return Boot(); }, printer_,
                scenario::RunOptions(), "setup") {}

  absl::Status RunSetup() {
    FL_ASSIGN_OR_RETURN(
        const scenario::Script setup,
        scenario::ParseScript(parser_, attempt_.variant().setup()));
    FL_RETURN_IF_ERROR(runner_.Start());
    for (const scenario::Op& op : setup.ops) {
      FL_RETURN_IF_ERROR(runner_.Execute(op));
    }
    return absl::OkStatus();
  }

  // Learns what has been done in the session since, and goes on there.
  absl::Status GoOn(client::Session session) {
    // A set-up that is not shown has run in the session only.
    const bool shown = !attempt_.variant().setup().empty();
    const int64_t first = shown ? attempt_.start_revision() + 1 : 1;
    FL_RETURN_IF_ERROR(LearnFrom(session, first));
    target_->GoOn(cli::MakeSessionTarget(std::move(session)));
    target_->set_event_level(v1::EVENT_LEVEL_FAULTS);
    runner_.StartCounting();
    printer_.EndSetup();
    return absl::OkStatus();
  }

  absl::Status Run(const std::string& file_name, absl::string_view text) {
    parser_.Continue(file_name);
    FL_ASSIGN_OR_RETURN(const scenario::Script script,
                        scenario::ParseScript(parser_, text));
    runner_.set_file_name(file_name);
    return runner_.Run(script);
  }

 private:
  absl::StatusOr<std::unique_ptr<scenario::Target>> Boot() {
    FL_ASSIGN_OR_RETURN(std::unique_ptr<scenario::Target> machine,
                        MakeLocalMachine(attempt_.variant().machine()));
    auto target = std::make_unique<Continued>(std::move(machine));
    target_ = target.get();
    return target;
  }

  absl::Status LearnFrom(client::Session& session, int64_t first) {
    if (first > session.revision()) return absl::OkStatus();
    client::WatchOptions options;
    options.start_revision = first;
    options.end_revision = session.revision();
    options.event_level = v1::EVENT_LEVEL_NONE;
    options.include_commands = true;
    return session.Watch(options,
                         [this](const v1::WatchEventsResponse& response) {
                           for (const v1::Change& change : response.changes()) {
                             runner_.Learn(change.command(), change.outcome());
                           }
                         });
  }

  const v1::Attempt& attempt_;
  AfterSetup printer_;
  scenario::Parser parser_;
  Continued* target_ = nullptr;  // the runner's
  scenario::Runner runner_;
};

}  // namespace

absl::Status RunInAttempt(const v1::Attempt& attempt, client::Session session,
                          const std::string& file_name, absl::string_view text,
                          scenario::Printer& printer) {
  Continuation continuation(attempt, printer);
  FL_RETURN_IF_ERROR(continuation.RunSetup());
  FL_RETURN_IF_ERROR(continuation.GoOn(std::move(session)));
  return continuation.Run(file_name, text);
}

}  // namespace faultline

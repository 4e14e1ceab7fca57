#include "server/service/victim_plan.h"

#include <utility>
#include <variant>
#include <vector>

#include "server/codec/errors.h"
#include "server/limits.h"

namespace faultline {
namespace {

// What wants a victim, on a copy of the machine. None, too, when the simulator
// breaks: the session is to find that.
VictimWanted WantedBy(const Machine& machine, const Command& command) {
  try {
    return Machine(machine).Apply(command, EventLevel::kNone).victim_wanted;
  } catch (const KernelBug&) {
    return {};
  }
}

}  // namespace

bool VictimPlan::Start(const ServiceContext& context, VictimStreams& streams,
                       const std::string& session, Command& command,
                       ExecuteOptions& options, const Answer& answer) {
  const std::vector<uint64_t>* victims = VictimsOf(command);
  if (victims == nullptr || !victims->empty()) return false;
  std::shared_ptr<VictimStream> chooser = streams.Find({session, command.pid});
  if (chooser == nullptr) return false;
  std::shared_ptr<VictimPlan> plan(
      new VictimPlan(context, session, std::move(command), std::move(options),
                     answer, std::move(chooser)));
  plan->Look();
  return true;
}

VictimPlan::VictimPlan(const ServiceContext& context, std::string session,
                       Command command, ExecuteOptions options, Answer answer,
                       std::shared_ptr<VictimStream> chooser)
    : context_(context),
      session_(std::move(session)),
      command_(std::move(command)),
      options_(std::move(options)),
      answer_(std::move(answer)),
      chooser_(std::move(chooser)) {}

std::vector<uint64_t>& VictimPlan::victims() { return *VictimsOf(command_); }

void VictimPlan::Look() {
  victims().clear();
  context_.table.Look(
      session_, options_.expected_revision,
      [self = shared_from_this()](
          absl::StatusOr<std::shared_ptr<const MachineView>> view) {
        if (!view.ok()) return self->answer_(view.status());
        self->view_ = *std::move(view);
        self->TryOnWorker();
      });
}

void VictimPlan::Try() {
  VictimWanted wanted = WantedBy(view_->machine, command_);
  if (wanted.frames.empty() || victims().size() >= limits::kVictimsMax) {
    return Execute();
  }
  chooser_->Ask(view_->revision, std::move(wanted),
                [self = shared_from_this()](absl::StatusOr<uint64_t> victim) {
                  // What stops for want of a victim says so itself.
                  if (!victim.ok()) return self->Execute();
                  self->victims().push_back(*victim);
                  self->TryOnWorker();
                });
}

void VictimPlan::TryOnWorker() {
  const bool accepted =
      context_.quick.Submit([self = shared_from_this()] { self->Try(); });
  if (!accepted) answer_(errors::WorkLimit(context_.quick.queue_max()));
}

void VictimPlan::Execute() {
  ExecuteOptions options = options_;
  options.expected_revision = view_->revision;
  options.on_this_thread = false;
  context_.table.Execute(
      session_, command_, std::move(options),
      [self = shared_from_this()](absl::StatusOr<ExecuteResult> result) {
        self->Executed(std::move(result));
      });
}

void VictimPlan::Executed(absl::StatusOr<ExecuteResult> result) {
  const bool moved =
      !result.ok() && errors::ReasonOf(result.status()) == "REVISION_MISMATCH";
  if (moved && !options_.expected_revision &&
      ++tries_ < limits::kVictimPlansMax) {
    return Look();
  }
  answer_(std::move(result));
}

}  // namespace faultline

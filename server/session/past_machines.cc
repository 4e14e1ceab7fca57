#include "server/session/past_machines.h"

#include <utility>

#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/session/record.h"
#include "server/session/snapshots.h"

namespace faultline {
namespace {

// What the replay ran into on its way, if anything.
absl::Status CheckReached(const Replayer& replayer) {
  const std::string name = ResourceName(replayer.info().id);
  if (replayer.divergence()) {
    return errors::HistoryCorrupt(name, replayer.divergence()->Say());
  }
  if (replayer.panic()) return errors::SessionPanicked(name, *replayer.panic());
  return absl::OkStatus();
}

// Moved, it can be copied by many readers at once.
absl::StatusOr<PastMachines::View> ViewOf(std::unique_ptr<Machine> machine,
                                          int64_t revision,
                                          int64_t session_key) {
  if (machine == nullptr) return OutOfMemory();
  return std::make_shared<const MachineView>(
      MachineView{std::move(*machine), revision, session_key});
}

}  // namespace

absl::StatusOr<PastMachines::View> PastMachines::At(absl::string_view id,
                                                    int64_t revision,
                                                    absl::string_view field,
                                                    const Progress& progress) {
  FL_ASSIGN_OR_RETURN(const SessionInfo info, ReadInfo(store_, id));
  if (revision > info.revision || revision < 0) {
    return errors::RevisionOutOfRange(ResourceName(id), field, revision,
                                      info.revision);
  }
  const View kept = FindKept(info.key, revision);
  if (kept != nullptr && kept->revision == revision) return kept;
  FL_ASSIGN_OR_RETURN(Replayer replayer, StartNear(info, revision, kept));
  View earlier;
  const int64_t before = revision - limits::kPastStepsBack;
  if (before > replayer.revision()) {
    FL_RETURN_IF_ERROR(replayer.Run(before, revision, progress));
    FL_RETURN_IF_ERROR(CheckReached(replayer));
    FL_ASSIGN_OR_RETURN(
        earlier, ViewOf(CopyMachine(*replayer.machine()), before, info.key));
  }
  FL_RETURN_IF_ERROR(replayer.Run(revision, revision, progress));
  FL_RETURN_IF_ERROR(CheckReached(replayer));
  // What was read may be of another session that has the id by now.
  FL_ASSIGN_OR_RETURN(const SessionInfo now, ReadInfo(store_, id));
  if (now.key != info.key) return errors::SessionNotFound(ResourceName(id));
  if (earlier != nullptr) Keep(std::move(earlier));
  FL_ASSIGN_OR_RETURN(View view,
                      ViewOf(replayer.TakeMachine(), revision, info.key));
  Keep(view);
  return view;
}

absl::StatusOr<Replayer> PastMachines::StartNear(const SessionInfo& info,
                                                 int64_t revision,
                                                 const View& kept) {
  const auto snapshots = store_.ListSnapshotsBefore(
      info.id, revision, static_cast<int64_t>(kStateVersion), 1);
  const bool snapshot_is_nearer =
      kept == nullptr || (snapshots.ok() && !snapshots->empty() &&
                          snapshots->front().revision > kept->revision);
  if (snapshot_is_nearer) {
    return Replayer::Near(store_, info, runner_, revision);
  }
  std::unique_ptr<Machine> machine = CopyMachine(kept->machine);
  if (machine == nullptr) return OutOfMemory();
  return Replayer::From(store_, info, runner_, std::move(machine),
                        kept->revision);
}

PastMachines::View PastMachines::FindKept(int64_t session_key,
                                          int64_t revision) {
  absl::MutexLock lock(&mutex_);
  auto found = kept_.end();
  for (auto i = kept_.begin(); i != kept_.end(); ++i) {
    const MachineView& view = **i;
    if (view.session_key != session_key || view.revision > revision) continue;
    if (found == kept_.end() || view.revision > (*found)->revision) found = i;
  }
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return kept_.front();
}

// Two looks at the same time may have made the same machine.
void PastMachines::Keep(View view) {
  std::list<View> gone;  // a machine may be large: it goes outside the lock
  absl::MutexLock lock(&mutex_);
  for (auto i = kept_.begin(); i != kept_.end();) {
    const auto same = i++;
    if ((*same)->session_key == view->session_key &&
        (*same)->revision == view->revision) {
      gone.splice(gone.begin(), kept_, same);
    }
  }
  kept_.push_front(std::move(view));
  while (kept_.size() > kept_max_) {
    gone.splice(gone.begin(), kept_, std::prev(kept_.end()));
  }
}

}  // namespace faultline

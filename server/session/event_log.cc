#include "server/session/event_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/session/record.h"

namespace faultline {
namespace {

// One piece of work; other sessions wait for it.
constexpr absl::Duration kSlice = absl::Milliseconds(50);

// A replayer of the session at `revision` or before it, as near as can be had.
absl::StatusOr<Replayer> ReplayerTowards(storage::Store& store,
                                         absl::string_view id,
                                         const MachineRunner& runner,
                                         int64_t revision) {
  FL_ASSIGN_OR_RETURN(SessionInfo info, ReadInfo(store, id));
  return Replayer::Near(store, std::move(info), runner, revision);
}

// About what an event takes when it is encoded.
constexpr size_t kEventBytes = 128;

// Cuts the commands into segments, at the same revisions for all who watch from
// some multiple of kWatchSegmentCommandsMax on.
class Segments {
 public:
  void Add(const Replayer::Observed& observed) {
    const storage::Entry& entry = observed.stored.entry;
    const size_t bytes = BytesOf(observed);
    if (full_ || last_bytes_ + bytes > limits::kWatchSegmentBytesMax) {
      all_.push_back(std::make_shared<EventSegment>());
      last_bytes_ = 0;
    }
    all_.back()->Add({.revision = entry.revision,
                      .pid = observed.command.pid,
                      .command = entry.command,
                      .sender = entry.sender,
                      .time = observed.stored.time,
                      .outcome = observed.outcome});
    last_bytes_ += bytes;
    bytes_ += bytes;
    full_ = entry.revision % limits::kWatchSegmentCommandsMax == 0;
  }

  size_t bytes() const { return bytes_; }
  std::vector<std::shared_ptr<EventSegment>> Take() {
    for (const auto& segment : all_) segment->ShrinkToFit();
    return std::move(all_);
  }

 private:
  static size_t BytesOf(const Replayer::Observed& observed) {
    const storage::Entry& entry = observed.stored.entry;
    const size_t bytes = entry.command.size() + entry.sender.size();
    const Outcome* outcome = observed.outcome;
    return outcome == nullptr ? bytes
                              : bytes + outcome->data.size() +
                                    outcome->events.size() * kEventBytes;
  }

  std::vector<std::shared_ptr<EventSegment>> all_;
  bool full_ = true;       // the last one
  size_t last_bytes_ = 0;  // of the last one, about
  size_t bytes_ = 0;       // of all, about
};

}  // namespace

void EventLog::Offer(const MachineView& view) {
  const bool known = std::any_of(
      replicas_.begin(), replicas_.end(), [&](const Replica& replica) {
        const int64_t behind = view.revision - replica.replayer.revision();
        return behind >= 0 && behind <= limits::kReplicaSkipMax;
      });
  if (known) return;
  absl::StatusOr<SessionInfo> info = ReadInfo(store_, id_);
  if (!info.ok()) return;  // whoever asks for something will be told
  Add(Replayer::From(store_, *std::move(info), runner_,
                     std::make_unique<Machine>(view.machine), view.revision));
}

EventLog::Derived EventLog::Derive(int64_t from, int64_t to) {
  const absl::Time end = absl::Now() + kSlice;
  Derived derived;
  const absl::StatusOr<Replica*> nearest = NearestTo(from);
  if (!nearest.ok()) {
    derived.status = nearest.status();
    return derived;
  }
  Replica& replica = **nearest;
  derived.status = replica.replayer.Advance(
      from - 1, [&](const storage::Entry&) { return absl::Now() < end; });
  if (derived.status.ok()) derived.status = CheckReached(replica, from - 1);
  if (!derived.status.ok() || replica.replayer.revision() < from - 1) {
    return derived;
  }
  return Fill(replica, to, end);
}

// Where a replica stopped for good before `revision`, why.
absl::Status EventLog::CheckReached(const Replica& replica,
                                    int64_t revision) const {
  if (replica.replayer.revision() >= revision) return absl::OkStatus();
  const std::string name = ResourceName(id_);
  if (const auto& divergence = replica.replayer.divergence()) {
    return errors::HistoryCorrupt(name, divergence->Say());
  }
  if (const auto& panic = replica.replayer.panic()) {
    return errors::SessionPanicked(name, *panic);
  }
  return absl::OkStatus();
}

EventLog::Derived EventLog::Fill(Replica& replica, int64_t to, absl::Time end) {
  Derived derived;
  Segments segments;
  derived.status = replica.replayer.AdvanceObserved(
      to, [&](const Replayer::Observed& observed) {
        segments.Add(observed);
        derived.panicked = observed.outcome == nullptr;
        return segments.bytes() < limits::kWatchAheadBytesMax &&
               absl::Now() < end;
      });
  derived.segments = segments.Take();
  // What is good comes first; who goes on from there is told.
  if (!derived.segments.empty()) derived.status = absl::OkStatus();
  if (!derived.status.ok() || !derived.segments.empty()) return derived;
  derived.status = CheckReached(replica, to);
  if (derived.status.ok()) {
    derived.status = errors::HistoryCorrupt(
        ResourceName(id_),
        absl::StrCat("revision ", replica.replayer.revision() + 1,
                     " is recorded and cannot be found"));
  }
  return derived;
}

// Not when it is far, and others may need it where it is. One that cannot go on
// at all says why, to all.
bool EventLog::Replica::MayGoTo(int64_t revision) const {
  return revision - replayer.revision() <= limits::kReplicaSkipMax ||
         revision == bound_for || replayer.divergence() || replayer.panic();
}

absl::StatusOr<EventLog::Replica*> EventLog::NearestTo(int64_t from) {
  Replica* nearest = nullptr;
  for (Replica& replica : replicas_) {
    const int64_t revision = replica.replayer.revision();
    if (revision < from &&
        (nearest == nullptr || revision > nearest->replayer.revision())) {
      nearest = &replica;
    }
  }
  if (nearest == nullptr || !nearest->MayGoTo(from - 1)) {
    FL_ASSIGN_OR_RETURN(nearest, NewReplica(nearest, from));
    nearest->bound_for = from - 1;
  }
  nearest->used = ++uses_;
  return nearest;
}

absl::StatusOr<EventLog::Replica*> EventLog::NewReplica(const Replica* nearest,
                                                        int64_t from) {
  if (nearest == nullptr) {
    FL_ASSIGN_OR_RETURN(Replayer replayer,
                        ReplayerTowards(store_, id_, runner_, from - 1));
    return Add(std::move(replayer));
  }
  const Replayer& near = nearest->replayer;
  return Add(Replayer::From(store_, near.info(), runner_,
                            std::make_unique<Machine>(*near.machine()),
                            near.revision()));
}

// In place of the one that was used longest ago, if there are as many as may
// be.
EventLog::Replica* EventLog::Add(Replayer replayer) {
  if (replicas_.size() >= limits::kReplicasPerSessionMax) {
    replicas_.erase(std::min_element(
        replicas_.begin(), replicas_.end(),
        [](const Replica& a, const Replica& b) { return a.used < b.used; }));
  }
  replicas_.push_back({std::move(replayer), ++uses_, 0});
  return &replicas_.back();
}

}  // namespace faultline

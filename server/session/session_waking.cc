// How a session comes to its machine: from its newest snapshot and the journal
// after it, a slice at a time, so that a long history does not keep the wakers
// from short ones.

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/session/record.h"
#include "server/session/session.h"
#include "server/session/watch_table.h"

namespace faultline {
namespace {

// How long a turn of a waker takes, at least. The journal is read anew for
// each, so that it also takes this many times as long as the first read.
constexpr absl::Duration kWakeSlice = absl::Milliseconds(50);
constexpr int kWakeReads = 8;
constexpr size_t kRequestIdPage = 4096;

}  // namespace

size_t Session::RequestIdHash(absl::string_view request_id) {
  return absl::Hash<absl::string_view>()(request_id);
}

void Session::WakeSome() {
  absl::StatusOr<bool> more = false;
  if (!waking_) more = StartWaking();
  if (more.ok() && waking_) more = WakeSlice();
  if (!more.ok()) {
    waking_.reset();
    FailWaiting(more.status());
  } else if (*more) {
    context_.wakers.Submit([self = shared_from_this()] { self->WakeSome(); });
    return;
  }
  GiveTurn();
}

absl::StatusOr<bool> Session::StartWaking() {
  absl::StatusOr<SessionInfo> info = ReadInfo(context_.store, id_);
  if (!info.ok()) return std::move(info).status();
  if (info->life == SessionLife::kClosed) {
    SetLife(Life::kClosed);
    return false;
  }
  if (info->life == SessionLife::kPanicked) {
    SetLife(Life::kPanicked, info->panic);
    return false;
  }
  absl::optional<MachineSlot> slot = context_.sessions.AcquireSlot();
  if (!slot) {
    return errors::MachinesLimit(
        static_cast<int64_t>(context_.sessions.machines_max()));
  }
  FL_ASSIGN_OR_RETURN(
      Replayer replayer,
      Replayer::Near(context_.store, *info, context_.runner, info->revision));
  auto pace = std::make_shared<SnapshotPace>();
  pace->machine_bytes = replayer.start_bytes();
  waking_.emplace(Waking{*std::move(slot),
                         std::move(replayer),
                         {},
                         std::string(),
                         std::move(pace)});
  return true;
}

// What is before the snapshot that the replay starts from is not read: the
// store knows the ids.
absl::Status Session::ReadRequestIds() {
  const absl::StatusOr<std::vector<std::string>> ids =
      context_.store.ListRequestIds(id_, *waking_->last_id, kRequestIdPage);
  if (!ids.ok()) return StorageError(id_, ids.status());
  for (const std::string& id : *ids) {
    waking_->request_ids.insert(RequestIdHash(id));
  }
  if (ids->size() == kRequestIdPage) {
    waking_->last_id = ids->back();
  } else {
    waking_->last_id.reset();
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Session::WakeSlice() {
  const absl::Time start = absl::Now();
  while (waking_->last_id) {
    FL_RETURN_IF_ERROR(ReadRequestIds());
    if (absl::Now() - start >= kWakeSlice) return true;
  }
  absl::Time end = absl::InfiniteFuture();
  bool more = false;
  FL_RETURN_IF_ERROR(waking_->replayer.Advance(
      std::numeric_limits<int64_t>::max(), [&](const storage::Entry& entry) {
        waking_->pace->Add(entry);
        const absl::Time now = absl::Now();
        if (end == absl::InfiniteFuture()) {
          end = now + std::max(kWakeSlice, kWakeReads * (now - start));
        }
        more = now >= end;
        return !more;
      }));
  if (!more || waking_->replayer.divergence() || waking_->replayer.panic()) {
    FL_RETURN_IF_ERROR(FinishWaking());
    waking_.reset();
    return false;
  }
  return true;
}

absl::Status Session::FinishWaking() {
  Replayer& replayer = waking_->replayer;
  absl::optional<std::string> panic = replayer.panic();
  if (const absl::optional<Divergence>& divergence = replayer.divergence()) {
    switch (divergence->kind) {
      case DivergenceKind::kExtra:
        panic = divergence->Say();
        break;
      case DivergenceKind::kMissing:
        return errors::SimulatorBug(name_, divergence->Say());
      case DivergenceKind::kDifferent:
        return errors::HistoryCorrupt(name_, divergence->Say());
    }
  }
  if (panic) {
    // The server died between the killing command and the change of state.
    context_.store
        .SetSessionState(id_, storage::SessionState::kPanicked, *panic,
                         [](const absl::Status&) {})
        .IgnoreError();
    SetLife(Life::kPanicked, *std::move(panic));
    context_.watches.Ended(id_);
    return absl::OkStatus();
  }
  const int64_t revision = replayer.revision();
  live_ = std::make_unique<Live>(Live{std::move(waking_->slot),
                                      replayer.TakeMachine(),
                                      revision,
                                      replayer.info().key,
                                      std::move(waking_->request_ids),
                                      std::move(waking_->pace),
                                      {}});
  SetLife(Life::kLive);
  return absl::OkStatus();
}

}  // namespace faultline

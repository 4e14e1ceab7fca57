// Joining a session, leaving it, and who may send commands. Both are written
// while nothing else happens, so that whoever is told that somebody came or
// left finds it so.

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/session/record.h"
#include "server/session/session.h"

namespace faultline {

void Session::StartChange() {
  absl::MutexLock lock(&mutex_);
  changing_ = true;
}

void Session::EndChange() {
  bool turn = false;
  {
    absl::MutexLock lock(&mutex_);
    changing_ = false;
    turn = TakeTurn();
  }
  if (turn) GiveTurn();
}

absl::Status Session::CheckSender(const Run& run) {
  const std::string& id = run.options.participant;
  if (id.empty()) return absl::OkStatus();
  auto role = live_->roles.find(id);
  if (role == live_->roles.end()) {
    FL_ASSIGN_OR_RETURN(const Participant participant,
                        ReadParticipant(context_.store, id_, id));
    if (participant.leave_time) {
      return errors::ParticipantNotFound(ParticipantName(id_, id));
    }
    role = live_->roles.emplace(id, participant.role).first;
  }
  if (role->second == Role::kDriver) return absl::OkStatus();
  return errors::ParticipantIsObserver(ParticipantName(id_, id));
}

absl::Status Session::CheckJoin() const {
  FL_ASSIGN_OR_RETURN(const SessionInfo info, ReadInfo(context_.store, id_));
  if (info.life == SessionLife::kClosed) return errors::SessionClosed(name_);
  if (info.life == SessionLife::kPanicked) {
    return errors::SessionPanicked(name_, info.panic);
  }
  const absl::StatusOr<int64_t> count = context_.store.CountParticipants(id_);
  if (!count.ok()) return StorageError(id_, count.status());
  if (*count < limits::kParticipantsPerSessionMax) return absl::OkStatus();
  return errors::ParticipantsLimit(name_, limits::kParticipantsPerSessionMax);
}

void Session::Do(const Join& join) {
  if (IsGone()) return join.answer(errors::SessionNotFound(name_));
  absl::Status status = CheckJoin();
  if (!status.ok()) return join.answer(std::move(status));
  StartChange();
  const absl::Status refused = context_.store.JoinSession(
      id_, RecordOf(join.participant),
      [self = shared_from_this(), join](const absl::Status& status) {
        self->HasJoined(join, status);
      });
  if (!refused.ok()) HasJoined(join, refused);
}

void Session::HasJoined(const Join& join, const absl::Status& status) {
  EndChange();
  if (!status.ok()) {
    return join.answer(ParticipantError(id_, join.participant.id, status));
  }
  context_.workers.Submit([self = shared_from_this(), join] {
    absl::StatusOr<SessionInfo> info =
        ReadInfo(self->context_.store, self->id_);
    if (!info.ok()) return join.answer(std::move(info).status());
    join.answer(Joined{join.participant, info->revision});
  });
}

void Session::Do(const Leave& leave) {
  if (IsGone()) return leave.answer(errors::SessionNotFound(name_));
  if (live_ != nullptr) live_->roles.erase(leave.participant);
  StartChange();
  const absl::Status refused = context_.store.LeaveSession(
      id_, leave.participant, absl::Now(),
      [self = shared_from_this(), leave](const absl::Status& status) {
        self->HasLeft(leave, status);
      });
  if (!refused.ok()) HasLeft(leave, refused);
}

void Session::HasLeft(const Leave& leave, const absl::Status& status) {
  EndChange();
  if (!status.ok()) {
    return leave.answer(ParticipantError(id_, leave.participant, status));
  }
  context_.workers.Submit([self = shared_from_this(), leave] {
    leave.answer(
        ReadParticipant(self->context_.store, self->id_, leave.participant));
  });
}

}  // namespace faultline

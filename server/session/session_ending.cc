// How a session is closed and deleted: a write of the store during which
// nothing else happens.

#include <utility>

#include "server/codec/errors.h"
#include "server/session/record.h"
#include "server/session/session.h"
#include "server/session/watch_table.h"

namespace faultline {

void Session::Do(const Close& close) {
  if (IsGone()) return close.answer(errors::SessionNotFound(name_));
  absl::StatusOr<SessionInfo> info = ReadInfo(context_.store, id_);
  if (!info.ok() || info->life != SessionLife::kOpen) {
    return close.answer(std::move(info));
  }
  live_.reset();
  {
    absl::MutexLock lock(&mutex_);
    life_ = Life::kAsleep;
    changing_ = true;
  }
  const absl::Status refused = context_.store.SetSessionState(
      id_, storage::SessionState::kClosed, "",
      [self = shared_from_this(), close](const absl::Status& status) {
        self->Closed(close, status);
      });
  if (!refused.ok()) Closed(close, refused);
}

void Session::Closed(const Close& close, const absl::Status& status) {
  bool turn = false;
  {
    absl::MutexLock lock(&mutex_);
    changing_ = false;
    if (status.ok()) life_ = Life::kClosed;
    turn = TakeTurn();
  }
  if (turn) GiveTurn();
  if (!status.ok()) return close.answer(StorageError(id_, status));
  context_.watches.Ended(id_);
  context_.workers.Submit([self = shared_from_this(), close] {
    close.answer(ReadInfo(self->context_.store, self->id_));
  });
}

void Session::Do(const Delete& request) {
  if (IsGone()) return request.answer(errors::SessionNotFound(name_));
  live_.reset();
  {
    absl::MutexLock lock(&mutex_);
    life_ = Life::kAsleep;
    changing_ = true;
  }
  const absl::Status refused = context_.store.DeleteSession(
      id_, [self = shared_from_this(), request](const absl::Status& status) {
        self->Deleted(request, status);
      });
  if (!refused.ok()) Deleted(request, refused);
}

void Session::Deleted(const Delete& request, const absl::Status& status) {
  absl::Status answer =
      status.ok() ? absl::OkStatus() : StorageError(id_, status);
  const bool gone = answer.ok() || absl::IsNotFound(answer);
  bool turn = false;
  {
    absl::MutexLock lock(&mutex_);
    changing_ = false;
    if (gone) {
      life_ = Life::kGone;
      retired_ = true;  // the next session of this id is another one
    }
    turn = TakeTurn();
  }
  if (gone) context_.sessions.Remove(*this);
  if (gone) context_.watches.Gone(id_);
  if (turn) GiveTurn();
  request.answer(std::move(answer));
}

}  // namespace faultline

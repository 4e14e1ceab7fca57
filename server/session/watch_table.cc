#include "server/session/watch_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/codec/change.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/session/record.h"
#include "server/session/watch_place.h"

namespace faultline {
namespace {

void RaiseTo(std::atomic<int64_t>& value, int64_t least) {
  int64_t now = value.load();
  while (now < least && !value.compare_exchange_weak(now, least)) {
  }
}

}  // namespace

WatchTable::WatchTable(storage::Store& store, const MachineRunner& runner,
                       Look look, const Options& options)
    : store_(store),
      runner_(runner),
      look_(std::move(look)),
      options_(options),
      cache_(options.cache_bytes_max),
      pacer_(options.rates),
      deriver_(1),
      turns_([this] { Run(); }) {}

WatchTable::~WatchTable() {
  std::vector<PlacePtr> left;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    left.assign(marks_.begin(), marks_.end());
  }
  turns_.join();
  for (const PlacePtr& place : left) End(place, errors::ShuttingDown());
}

// --- Rings.

WatchTable::WatchedPtr WatchTable::Find(absl::string_view id) {
  absl::ReaderMutexLock lock(&names_mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

void WatchTable::RingGrew(absl::string_view id, int64_t revision) {
  const WatchedPtr watched = Find(id);
  if (watched == nullptr) return;
  RaiseTo(watched->head, revision);
  if (revision < watched->wanted) return;
  absl::MutexLock lock(&mutex_);
  watched->wanted = kNone;
  rung_.push_back(watched);
}

void WatchTable::RingEnded(absl::string_view id) {
  const WatchedPtr watched = Find(id);
  if (watched == nullptr) return;
  absl::MutexLock lock(&mutex_);
  watched->ended = true;
  WakeWaiting(*watched);
}

void WatchTable::RingGone(absl::string_view id) {
  const WatchedPtr watched = Find(id);
  if (watched == nullptr) return;
  std::vector<PlacePtr> gone;
  {
    absl::MutexLock lock(&mutex_);
    watched->gone = true;
    Forget(id, watched);
    for (const PlacePtr& place : marks_) {
      if (place->watched == watched) gone.push_back(place);
    }
    gone.insert(gone.end(), watched->asking.begin(), watched->asking.end());
  }
  for (const PlacePtr& place : gone) {
    End(place, errors::SessionNotFound(ResourceName(id)));
  }
}

// --- Opening.

std::shared_ptr<Watcher> WatchTable::Make(absl::string_view id,
                                          WatchRequest request,
                                          std::shared_ptr<WatchSink> sink) {
  return std::make_shared<Place>(*this, id, std::move(request),
                                 std::move(sink));
}

void WatchTable::Open(const std::shared_ptr<Watcher>& watcher) {
  const auto place = std::static_pointer_cast<Place>(watcher);
  absl::Status status = Enter(place);
  if (!status.ok()) return End(place, std::move(status));
  AskAndBegin(place);
}

// First it is known, so that nothing is missed, then the store is read.
absl::Status WatchTable::Enter(const PlacePtr& place) {
  WatchedPtr watched;
  {
    absl::MutexLock lock(&mutex_);
    if (place->state == Place::State::kEnded) return absl::OkStatus();
    if (watchers_ >= options_.watchers_max) {
      return errors::WatchersLimit(options_.watchers_max);
    }
    FL_ASSIGN_OR_RETURN(watched, FindOrMake(place->id));
    place->watched = watched;
    ++watched->watchers;
    ++watchers_;
  }
  FL_ASSIGN_OR_RETURN(const SessionInfo info, ReadInfo(store_, place->id));
  RaiseTo(watched->head, info.revision);
  absl::MutexLock lock(&mutex_);
  if (info.life != SessionLife::kOpen) watched->ended = true;
  return absl::OkStatus();
}

absl::StatusOr<WatchTable::WatchedPtr> WatchTable::FindOrMake(
    const std::string& id) {
  absl::MutexLock names(&names_mutex_);
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) return found->second;
  if (by_id_.size() >= limits::kWatchedSessionsMax) {
    return errors::WatchedSessionsLimit(limits::kWatchedSessionsMax);
  }
  auto made =
      std::make_shared<Watched>(EventLog(store_, runner_, id), ++numbers_);
  by_id_.emplace(id, made);
  watched_ = by_id_.size();
  return made;
}

// Who starts in the present starts where a copy of the machine is, if there is
// one to have: else its history would have to be executed.
void WatchTable::AskAndBegin(const PlacePtr& place) {
  WatchedPtr watched;
  bool ask = false;
  int64_t next = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (place->state == Place::State::kEnded) return;
    watched = place->watched;
    const int64_t coming = watched->head + 1;
    next = place->request.start.value_or(coming);
    if (next >= coming && watched->asked != Watched::Asked::kAnswered) {
      ask = watched->asked == Watched::Asked::kNot;
      watched->asked = Watched::Asked::kAsking;
      watched->asking.push_back(place);
      if (!ask) return;
    }
  }
  if (!ask) return Begin(place, next);
  look_(
      place->id,
      [this, watched](absl::StatusOr<std::shared_ptr<const MachineView>> view) {
        Answered(watched, std::move(view));
      });
}

void WatchTable::Answered(
    const WatchedPtr& watched,
    absl::StatusOr<std::shared_ptr<const MachineView>> view) {
  std::vector<PlacePtr> asking;
  int64_t coming = 0;
  {
    absl::MutexLock lock(&mutex_);
    watched->asked = Watched::Asked::kAnswered;
    coming = (view.ok() ? (*view)->revision : watched->head.load()) + 1;
    if (view.ok()) watched->present = *std::move(view);
    asking.swap(watched->asking);
  }
  for (const PlacePtr& place : asking) {
    Begin(place, place->request.start.value_or(coming));
  }
}

absl::Status WatchTable::CheckBegin(const Place& place, int64_t next) const {
  if (place.watched->gone) {
    return errors::SessionNotFound(ResourceName(place.id));
  }
  if (place.last >= next) return absl::OkStatus();
  return errors::InvalidField("end_revision",
                              absl::StrCat(place.last, " is before ", next,
                                           ", the first revision to tell of"));
}

void WatchTable::Begin(const PlacePtr& place, int64_t next) {
  std::shared_ptr<WatchSink> sink;
  absl::Status status;
  {
    absl::MutexLock lock(&mutex_);
    if (place->state == Place::State::kEnded) return;
    status = CheckBegin(*place, next);
    place->state = Place::State::kSending;
    place->next = next;
    place->told = next - 1;
    place->mark_time = absl::Now();
    place->mark = marks_.insert(marks_.end(), place);
    sink = place->sink;
  }
  if (!status.ok()) return End(place, std::move(status));
  sink->Send({std::make_shared<const std::string>(RevisionField(next - 1))});
}

// --- Going round.

void WatchTable::Sent(const PlacePtr& place) {
  absl::MutexLock lock(&mutex_);
  if (place->state != Place::State::kSending) return;
  place->state = Place::State::kReady;
  if (HasSomething(*place)) {
    MakeReady(place);
  } else {
    Wait(place);
  }
}

// A turn would not be in vain.
bool WatchTable::HasSomething(const Place& place) const {
  return place.next <= place.watched->head || place.next > place.last ||
         place.watched->ended || place.mark_due;
}

void WatchTable::MakeReady(const PlacePtr& place) {
  place->state = Place::State::kReady;
  ready_.push_back(place);
}

void WatchTable::WakeWaiting(Watched& watched) {
  for (const PlacePtr& place : std::exchange(watched.waiting, {})) {
    if (HasSomething(*place)) {
      MakeReady(place);
    } else {
      Wait(place);
    }
  }
}

void WatchTable::Wait(const PlacePtr& place) {
  Watched& watched = *place->watched;
  place->state = Place::State::kWaiting;
  watched.waiting.insert(place);
  if (place->next < watched.wanted) watched.wanted = place->next;
  // It may have grown before we asked to be told.
  if (!HasSomething(*place)) return;
  watched.waiting.erase(place);
  MakeReady(place);
}

void WatchTable::Park(const PlacePtr& place) {
  Watched& watched = *place->watched;
  place->state = Place::State::kParked;
  watched.parked.insert(place);
  if (std::exchange(watched.deriving, true)) return;
  deriver_.Submit([this, session = place->watched] { Derive(session); });
}

void WatchTable::End(const PlacePtr& place, absl::Status status) {
  std::shared_ptr<WatchSink> sink;
  {
    absl::MutexLock lock(&mutex_);
    sink = Leave(place);
  }
  if (sink != nullptr) sink->End(std::move(status));
}

// Null when it has ended before.
std::shared_ptr<WatchSink> WatchTable::Leave(const PlacePtr& place) {
  if (place->state == Place::State::kEnded) return nullptr;
  if (place->state != Place::State::kOpening) marks_.erase(place->mark);
  place->state = Place::State::kEnded;
  const WatchedPtr watched = std::move(place->watched);
  if (watched != nullptr) {
    --watchers_;
    watched->waiting.erase(place);
    watched->parked.erase(place);
    if (--watched->watchers == 0) {
      Forget(place->id, watched);
      // Its machines end on the thread that used them.
      deriver_.Submit([watched] {});
    }
  }
  return std::exchange(place->sink, nullptr);
}

void WatchTable::Forget(absl::string_view id, const WatchedPtr& watched) {
  cache_.Forget(watched->number);
  absl::MutexLock names(&names_mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || found->second != watched) return;
  by_id_.erase(found);
  watched_ = by_id_.size();
}

}  // namespace faultline

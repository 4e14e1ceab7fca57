// Who watches gets turns from one thread, and from another one what is not
// there yet.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/codec/change.h"
#include "server/session/record.h"
#include "server/session/watch_place.h"
#include "server/session/watch_table.h"

namespace faultline {
namespace {

// Shorter parts are copied together: a part has a price, too.
constexpr size_t kPartBytesMin = 4096;
// How many segments a turn looks through for something to send.
constexpr size_t kSegmentsPerTurnMax = 64;

// The parts of one message.
class Message {
 public:
  void Add(const SharedBytes& bytes) {
    if (bytes->empty()) return;
    bytes_ += bytes->size();
    if (bytes->size() < kPartBytesMin) {
      loose_ += *bytes;
      return;
    }
    Flush();
    parts_.push_back(bytes);
  }

  size_t bytes() const { return bytes_; }
  // With its mark of progress.
  std::vector<SharedBytes> Finish(int64_t revision) {
    loose_ += RevisionField(revision);
    Flush();
    return std::move(parts_);
  }

 private:
  void Flush() {
    if (loose_.empty()) return;
    parts_.push_back(
        std::make_shared<const std::string>(std::exchange(loose_, "")));
  }

  std::vector<SharedBytes> parts_;
  std::string loose_;
  size_t bytes_ = 0;
};

}  // namespace

// --- The turns' thread.

void WatchTable::Run() {
  while (true) {
    const PlacePtr place = Next();
    if (place == nullptr) return;
    Turn(place);
  }
}

// Whose turn it is; null when there will be none.
WatchTable::PlacePtr WatchTable::Next() {
  absl::MutexLock lock(&mutex_);
  while (true) {
    alarm_ = NextAlarm();
    mutex_.AwaitWithDeadline(absl::Condition(this, &WatchTable::HasWork),
                             alarm_);
    if (stopping_) return nullptr;
    const absl::Time now = absl::Now();
    TakeMarks(now);
    resting_ = !pacer_.MayTake(now);
    if (resting_) continue;
    for (const WatchedPtr& watched : std::exchange(rung_, {})) {
      WakeWaiting(*watched);
    }
    if (ready_.empty()) continue;
    PlacePtr place = std::move(ready_.front());
    ready_.pop_front();
    if (place->state == Place::State::kReady) return place;
  }
}

// While it rests nobody wakes it: who rings then has rung once.
bool WatchTable::HasWork() const {
  return stopping_ || NextAlarm() < alarm_ ||
         (!resting_ && (!ready_.empty() || !rung_.empty()));
}

absl::Time WatchTable::NextAlarm() const {
  absl::Time alarm = resting_ ? pacer_.WakeAt() : absl::InfiniteFuture();
  if (!marks_.empty()) {
    alarm = std::min(alarm, marks_.front()->mark_time + options_.mark_every);
  }
  return alarm;
}

void WatchTable::TakeMarks(absl::Time now) {
  while (!marks_.empty() &&
         marks_.front()->mark_time + options_.mark_every <= now) {
    const PlacePtr place = marks_.front();
    place->mark_time = now;
    marks_.splice(marks_.end(), marks_, place->mark);
    if (place->state == Place::State::kSending) continue;
    place->mark_due = true;
    place->watched->waiting.erase(place);
    place->watched->parked.erase(place);
    if (place->state != Place::State::kReady) MakeReady(place);
  }
}

void WatchTable::Turn(const PlacePtr& place) {
  std::vector<std::shared_ptr<EventSegment>> segments;
  int64_t last = 0;
  bool finished = false;
  {
    absl::MutexLock lock(&mutex_);
    if (place->state != Place::State::kReady) return;
    if (!HasSomething(*place)) return Wait(place);
    last = std::min<int64_t>(place->watched->head, place->last);
    finished = place->next > place->last ||
               (place->watched->ended && place->next > last);
    if (place->next <= last) segments = Collect(*place, last);
    if (place->next <= last && segments.empty() && !place->mark_due) {
      return Park(place);
    }
  }
  if (!segments.empty()) return Advance(place, segments, last);
  if (!finished || place->told < place->next - 1) Mark(place);
  if (finished) End(place, absl::OkStatus());
}

std::vector<std::shared_ptr<EventSegment>> WatchTable::Collect(Place& place,
                                                               int64_t last) {
  std::vector<std::shared_ptr<EventSegment>> segments;
  int64_t next = place.next;
  std::shared_ptr<EventSegment> segment = std::move(place.given);
  if (segment == nullptr || !segment->Contains(next)) {
    segment = cache_.Find(place.watched->number, next);
  }
  while (segment != nullptr) {
    next = segment->last() + 1;
    segments.push_back(std::move(segment));
    if (next > last || segments.size() == kSegmentsPerTurnMax) break;
    segment = cache_.Find(place.watched->number, next);
  }
  return segments;
}

// Moves the watcher over the segments, as far as one message holds what it
// wants of them.
void WatchTable::Advance(
    const PlacePtr& place,
    const std::vector<std::shared_ptr<EventSegment>>& segments, int64_t last) {
  Message message;
  int64_t next = place->next;
  size_t used = 0;
  for (const std::shared_ptr<EventSegment>& segment : segments) {
    const SharedBytes bytes =
        segment->Select(place->request.filter, place->key, next, last);
    if (message.bytes() > 0 &&
        message.bytes() + bytes->size() > limits::kWatchMessageBytesMax) {
      break;
    }
    message.Add(bytes);
    next = std::min(segment->last(), last) + 1;
    ++used;
  }
  const size_t bytes = message.bytes();
  {
    absl::MutexLock lock(&mutex_);
    pacer_.Take(bytes, absl::Now());
    if (place->state != Place::State::kReady) return;
    for (size_t i = 0; i < used; ++i) {
      cache_.Recount(place->watched->number, *segments[i]);
    }
    place->next = next;
    if (bytes == 0 && !place->mark_due) return MakeReady(place);
  }
  Send(place, message.Finish(next - 1));
}

void WatchTable::Mark(const PlacePtr& place) {
  {
    absl::MutexLock lock(&mutex_);
    pacer_.Take(0, absl::Now());
  }
  Send(place, Message().Finish(place->next - 1));
}

void WatchTable::Send(const PlacePtr& place, std::vector<SharedBytes> parts) {
  std::shared_ptr<WatchSink> sink;
  {
    absl::MutexLock lock(&mutex_);
    if (place->state != Place::State::kReady) return;
    place->state = Place::State::kSending;
    place->told = place->next - 1;
    place->mark_due = false;
    place->mark_time = absl::Now();
    marks_.splice(marks_.end(), marks_, place->mark);
    sink = place->sink;
  }
  sink->Send(std::move(parts));
}

// --- The deriver's thread.

absl::optional<int64_t> WatchTable::FirstParked(const Watched& watched) const {
  absl::optional<int64_t> first;
  for (const PlacePtr& place : watched.parked) {
    first = std::min(first.value_or(place->next), place->next);
  }
  return first;
}

void WatchTable::Derive(const WatchedPtr& watched) {
  absl::optional<int64_t> from;
  std::shared_ptr<const MachineView> present;
  {
    absl::MutexLock lock(&mutex_);
    from = FirstParked(*watched);
    watched->deriving = from.has_value();
    if (!from) return;
    present = std::move(watched->present);
  }
  if (present != nullptr) watched->log.Offer(*present);
  EventLog::Derived derived = watched->log.Derive(*from, watched->head);
  std::vector<PlacePtr> failed;
  {
    absl::MutexLock lock(&mutex_);
    failed = Give(*watched, *from, derived);
  }
  for (const PlacePtr& place : failed) End(place, CopyOf(derived.status));
  deriver_.Submit([this, watched] { Derive(watched); });
}

// Those who waited for it go on; returns those who wait in vain.
std::vector<WatchTable::PlacePtr> WatchTable::Give(
    Watched& watched, int64_t from, const EventLog::Derived& derived) {
  std::vector<PlacePtr> failed;
  for (const PlacePtr& place : std::exchange(watched.parked, {})) {
    for (const auto& segment : derived.segments) {
      if (segment->Contains(place->next)) place->given = segment;
    }
    if (place->given != nullptr) {
      place->state = Place::State::kReady;
      ready_.push_front(place);
    } else if (!derived.status.ok() && place->next == from) {
      failed.push_back(place);
    } else {
      watched.parked.insert(place);
    }
  }
  if (watched.watchers > 0) {
    for (const auto& segment : derived.segments) {
      cache_.Insert(watched.number, segment);
    }
  }
  if (derived.panicked) {
    watched.ended = true;
    WakeWaiting(watched);
  }
  return failed;
}

}  // namespace faultline

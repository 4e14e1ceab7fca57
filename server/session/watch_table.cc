#include "server/session/watch_table.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/codec/change.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/session/record.h"

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

void RaiseTo(std::atomic<int64_t>& value, int64_t least) {
  int64_t now = value.load();
  while (now < least && !value.compare_exchange_weak(now, least)) {
  }
}

}  // namespace

// How far a watcher has come. Its fields are guarded by the table's mutex.
class WatchTable::Place : public Watcher,
                          public std::enable_shared_from_this<Place> {
 public:
  Place(WatchTable& table, absl::string_view id, WatchRequest request,
        std::shared_ptr<WatchSink> sink)
      : table(table),
        id(id),
        request(std::move(request)),
        key(this->request.filter.Key()),
        last(this->request.end.value_or(std::numeric_limits<int64_t>::max())),
        sink(std::move(sink)) {}

  void Sent() override { table.Sent(shared_from_this()); }
  void Stop(absl::Status why) override {
    table.End(shared_from_this(), std::move(why));
  }

  enum class State : uint8_t {
    kOpening,
    kSending,  // a message is on its way
    kReady,    // for a turn
    kWaiting,  // for the journal to grow
    kParked,   // for what is being derived
    kEnded,
  };

  WatchTable& table;
  const std::string id;
  const WatchRequest request;
  const std::string key;  // of the filter
  const int64_t last;

  std::shared_ptr<WatchSink> sink;
  WatchedPtr watched;
  State state = State::kOpening;
  int64_t next = 0;  // the first revision that was not looked at
  int64_t told = 0;  // the last mark of progress
  bool mark_due = false;
  absl::Time mark_time;  // of the last message, or when it was due
  std::list<PlacePtr>::iterator mark;
  std::shared_ptr<EventSegment> given;  // derived for this one
};

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
  sink->Send(Message().Finish(next - 1));
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

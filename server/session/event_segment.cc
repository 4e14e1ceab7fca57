#include "server/session/event_segment.h"

#include <algorithm>
#include <utility>

#include "server/codec/change.h"
#include "server/limits.h"

namespace faultline {
namespace {

// Room for a change's revision and the event that says how many are lost.
constexpr size_t kChangeOverheadBytes = 256;

}  // namespace

void EventSegment::Add(const Recorded& recorded) {
  EncodedChange change;
  change.revision = recorded.revision;
  change.pid = recorded.pid;
  change.events_begin = events_.size();
  if (recorded.outcome != nullptr) {
    change.events_lost = AddEvents(std::exchange(recorded.outcome->events, {}));
  }
  change.events_end = events_.size();
  change.command_begin = wire_.size();
  AppendCommandFields(recorded.command, recorded.outcome, recorded.sender,
                      recorded.time, wire_);
  change.command_end = wire_.size();
  changes_.push_back(change);
}

// Returns how many the machine did not keep.
uint64_t EventSegment::AddEvents(const std::vector<Event>& events) {
  uint64_t lost = 0;
  for (const Event& event : events) {
    if (const auto* more = std::get_if<EventsLost>(&event.body)) {
      lost = more->count;
      continue;
    }
    const size_t begin = wire_.size();
    AppendEventField(event, wire_);
    events_.push_back({event.pid, static_cast<uint8_t>(event.body.index()),
                       LevelOf(event.body), begin, wire_.size()});
  }
  return lost;
}

void EventSegment::ShrinkToFit() {
  wire_.shrink_to_fit();
  events_.shrink_to_fit();
  changes_.shrink_to_fit();
}

size_t EventSegment::bytes() const {
  return sizeof(*this) + wire_.capacity() +
         events_.capacity() * sizeof(EncodedEvent) +
         changes_.capacity() * sizeof(EncodedChange) + selected_bytes_;
}

SharedBytes EventSegment::Select(const EventFilter& filter,
                                 const std::string& key, int64_t from,
                                 int64_t to) {
  if (from > first() || to < last()) {
    return std::make_shared<const std::string>(Encode(filter, from, to));
  }
  const auto known = selections_.find(key);
  if (known != selections_.end()) return known->second;
  auto selected = std::make_shared<const std::string>(Encode(filter, from, to));
  if (selections_.size() < limits::kWatchSelectionsPerSegmentMax) {
    selections_.emplace(key, selected);
    selected_bytes_ += sizeof(std::string) + key.size() + selected->size();
  }
  return selected;
}

std::string EventSegment::Encode(const EventFilter& filter, int64_t from,
                                 int64_t to) const {
  std::string out;
  const auto skipped =
      static_cast<size_t>(std::max<int64_t>(from - first(), 0));
  for (size_t i = skipped; i < changes_.size(); ++i) {
    if (changes_[i].revision > to) break;
    EncodeChange(changes_[i], filter, out);
  }
  return out;
}

// Keeps the first events that fit; one more says how many are left out. That
// one everybody gets who asked for events: nobody knows which kinds the machine
// did not keep.
void EventSegment::EncodeChange(const EncodedChange& change,
                                const EventFilter& filter,
                                std::string& out) const {
  const bool with_command = filter.commands;
  const size_t command_bytes =
      with_command ? change.command_end - change.command_begin : 0;
  const size_t taken = command_bytes + kChangeOverheadBytes;
  const size_t room =
      limits::kResponseBytesMax - std::min(taken, limits::kResponseBytesMax);
  std::string events;
  size_t kept = 0;
  uint64_t left_out = 0;
  for (size_t i = change.events_begin; i < change.events_end; ++i) {
    const EncodedEvent& event = events_[i];
    if (!filter.Wants(event.level, event.kind, event.pid)) continue;
    const absl::string_view bytes = Wire(event.begin, event.end);
    if (left_out > 0 || kept == limits::kEventsPerOutcomeMax ||
        events.size() + bytes.size() > room) {
      ++left_out;
      continue;
    }
    events.append(bytes.data(), bytes.size());
    ++kept;
  }
  if (filter.WantsEvents()) left_out += change.events_lost;
  if (left_out > 0) AppendEventField({0, EventsLost{left_out}}, events);
  if (events.empty() && !(with_command && filter.WantsPid(change.pid))) return;
  AppendChangeHead(change.revision, events.size() + command_bytes, out);
  out += events;
  if (with_command) {
    const absl::string_view command =
        Wire(change.command_begin, change.command_end);
    out.append(command.data(), command.size());
  }
}

}  // namespace faultline

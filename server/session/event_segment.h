// What some consecutive commands of a session did, encoded once for all who
// watch.
#ifndef FAULTLINE_SERVER_SESSION_EVENT_SEGMENT_H_
#define FAULTLINE_SERVER_SESSION_EVENT_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/machine/outcome.h"
#include "server/session/event_filter.h"

namespace faultline {

// Bytes that several watchers send.
using SharedBytes = std::shared_ptr<const std::string>;

// Every event of its commands, in the wire format. Filled by one thread, then
// read by one thread. It is the same at any time: a replay gives the same
// events, and what is left out of a change follows from the change and the
// filter alone.
class EventSegment {
 public:
  // One command as it was recorded, and what it gave: with all its events, or
  // null when it broke the simulator.
  struct Recorded {
    int64_t revision = 0;
    uint32_t pid = 0;
    absl::string_view command;  // a v1::Command in the wire format
    absl::string_view sender;
    absl::Time time;
    Outcome* outcome = nullptr;
  };
  // Takes the events out of the outcome. REQUIRES: it follows the last one.
  void Add(const Recorded& recorded);

  // After the last Add.
  void ShrinkToFit();

  bool empty() const { return changes_.empty(); }
  size_t size() const { return changes_.size(); }
  int64_t first() const { return changes_.front().revision; }
  int64_t last() const { return changes_.back().revision; }
  bool Contains(int64_t revision) const {
    return !empty() && first() <= revision && revision <= last();
  }
  // What it takes in memory, about; selections included.
  size_t bytes() const;

  // The changes from `from` to `to` that `filter` wants, as fields of a
  // WatchEventsResponse. Those of the whole segment are kept for the next who
  // asks with the same `key`, which is filter.Key().
  SharedBytes Select(const EventFilter& filter, const std::string& key,
                     int64_t from, int64_t to);

 private:
  struct EncodedEvent {
    uint32_t pid = 0;
    uint8_t kind = 0;
    EventLevel level = EventLevel::kNone;
    size_t begin = 0;  // in wire_
    size_t end = 0;
  };
  struct EncodedChange {
    int64_t revision = 0;
    uint32_t pid = 0;
    size_t events_begin = 0;  // in events_
    size_t events_end = 0;
    uint64_t events_lost = 0;  // that the machine made and did not keep
    size_t command_begin = 0;  // in wire_: the fields that tell the command
    size_t command_end = 0;
  };

  uint64_t AddEvents(const std::vector<Event>& events);
  absl::string_view Wire(size_t begin, size_t end) const {
    return absl::string_view(wire_).substr(begin, end - begin);
  }
  std::string Encode(const EventFilter& filter, int64_t from, int64_t to) const;
  void EncodeChange(const EncodedChange& change, const EventFilter& filter,
                    std::string& out) const;

  std::string wire_;
  std::vector<EncodedEvent> events_;
  std::vector<EncodedChange> changes_;
  absl::flat_hash_map<std::string, SharedBytes> selections_;
  size_t selected_bytes_ = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_EVENT_SEGMENT_H_

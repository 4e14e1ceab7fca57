// Collects the events of one command. Emission costs one comparison when the
// level does not ask for the event.
#ifndef FAULTLINE_SERVER_MACHINE_TRACE_TRACE_H_
#define FAULTLINE_SERVER_MACHINE_TRACE_TRACE_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "server/machine/trace/event.h"

namespace faultline {

class Trace {
 public:
  // Of more events of one command than this the first are kept and the last
  // ones, which say how it ended; those between are counted.
  static constexpr size_t kEventsMax = 65536, kLast = 64;

  bool Wants(EventLevel level) const { return level_ >= level; }

  // `level` is the event's own: the least at which it is recorded.
  template <class Body>
  void Emit(EventLevel level, uint32_t pid, Body body) {
    if (level_ < level) [[likely]]
      return;
    Keep(Event{pid, std::move(body)});
  }

  // Starts the record of a command.
  void Begin(EventLevel level) {
    level_ = level;
    events_.clear();
    last_.clear();
    seen_ = 0;
  }
  // Hands out what was recorded.
  std::vector<Event> End();

 private:
  void Keep(Event event);

  EventLevel level_ = EventLevel::kNone;
  std::vector<Event> events_;
  std::vector<Event> last_;  // a ring, once it is full
  uint64_t seen_ = 0;        // that went into it
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TRACE_TRACE_H_

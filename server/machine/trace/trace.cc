#include "server/machine/trace/trace.h"

namespace faultline {

void Trace::Keep(Event event) {
  if (events_.size() >= kEventsMax) {
    lost_++;
    return;
  }
  events_.push_back(std::move(event));
}

std::vector<Event> Trace::End() {
  if (lost_ > 0) events_.push_back(Event{0, EventsLost{lost_}});
  level_ = EventLevel::kNone;
  return std::exchange(events_, {});
}

}  // namespace faultline

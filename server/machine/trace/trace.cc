#include "server/machine/trace/trace.h"

#include <algorithm>
#include <iterator>

namespace faultline {

void Trace::Keep(Event event) {
  if (events_.size() < kEventsMax - kLast) {
    events_.push_back(std::move(event));
    return;
  }
  if (last_.size() < kLast) {
    last_.push_back(std::move(event));
  } else {
    last_[seen_ % kLast] = std::move(event);
  }
  seen_++;
}

std::vector<Event> Trace::End() {
  const auto oldest = static_cast<std::ptrdiff_t>(seen_ % kLast);
  if (seen_ > kLast) {
    std::rotate(last_.begin(), last_.begin() + oldest, last_.end());
  }
  std::move(last_.begin(), last_.end(), std::back_inserter(events_));
  if (seen_ > kLast) {
    events_.push_back(Event{0, EventsLost{seen_ - kLast}});
  }
  last_.clear();
  level_ = EventLevel::kNone;
  return std::exchange(events_, {});
}

}  // namespace faultline

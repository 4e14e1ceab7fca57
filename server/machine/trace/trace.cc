#include "server/machine/trace/trace.h"

#include <algorithm>
#include <iterator>
#include <variant>

#include "server/machine/trace/rare.h"

namespace faultline {
namespace {

constexpr size_t kFirst = Trace::kEventsMax - Trace::kLast;

}  // namespace

bool IsRare(const Event& event) {
  return std::holds_alternative<Console>(event.body) ||
         std::holds_alternative<MarkVictim>(event.body) ||
         std::holds_alternative<SignalGenerate>(event.body);
}

void Trace::Keep(Event event) {
  if (events_.size() < kFirst) {
    events_.push_back(std::move(event));
    return;
  }
  if (last_.size() < kLast) {
    last_.push_back(std::move(event));
  } else {
    Event& oldest = last_[seen_ % kLast];
    if (events_.size() < kFirst + kRareEventsMax && IsRare(oldest)) {
      events_.push_back(std::move(oldest));
    }
    oldest = std::move(event);
  }
  seen_++;
}

std::vector<Event> Trace::End() {
  const auto oldest = static_cast<std::ptrdiff_t>(seen_ % kLast);
  if (seen_ > kLast) {
    std::rotate(last_.begin(), last_.begin() + oldest, last_.end());
  }
  // All went through the ring but the first.
  const uint64_t all = std::min(events_.size(), kFirst) + seen_;
  std::move(last_.begin(), last_.end(), std::back_inserter(events_));
  const uint64_t lost = all - events_.size();
  if (lost > 0) events_.push_back(Event{0, EventsLost{lost}});
  last_.clear();
  level_ = EventLevel::kNone;
  return std::exchange(events_, {});
}

}  // namespace faultline

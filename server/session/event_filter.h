// What a watcher wants to see of a session.
#ifndef FAULTLINE_SERVER_SESSION_EVENT_FILTER_H_
#define FAULTLINE_SERVER_SESSION_EVENT_FILTER_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/machine/trace/event.h"

namespace faultline {

struct EventFilter {
  // A set of indices in EventBody, a bit each.
  using Kinds = uint64_t;
  static constexpr Kinds kAllKinds = ~Kinds{0};
  static_assert(std::variant_size_v<EventBody> <= 64);

  EventLevel level = EventLevel::kFaults;
  Kinds kinds = kAllKinds;
  std::vector<uint32_t> pids;  // ascending; empty: all
  // Also what was called and what it gave, for every command of `pids`.
  bool commands = false;

  bool WantsEvents() const { return level > EventLevel::kCounters; }
  bool WantsPid(uint32_t pid) const {
    return pids.empty() || std::binary_search(pids.begin(), pids.end(), pid);
  }
  bool Wants(EventLevel event_level, size_t kind, uint32_t pid) const {
    return event_level <= level && (kinds >> kind & 1) != 0 && WantsPid(pid);
  }

  // The same for those who want the same.
  std::string Key() const {
    return absl::StrCat(static_cast<int>(level), " ", kinds, " ", commands, " ",
                        absl::StrJoin(pids, ","));
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_EVENT_FILTER_H_

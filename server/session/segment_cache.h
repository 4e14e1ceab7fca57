// The segments that were derived last, for all watchers of a server.
#ifndef FAULTLINE_SERVER_SESSION_SEGMENT_CACHE_H_
#define FAULTLINE_SERVER_SESSION_SEGMENT_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <utility>

#include "server/session/event_segment.h"

namespace faultline {

// Not thread-safe. Forgets those that were used longest ago.
class SegmentCache {
 public:
  explicit SegmentCache(size_t bytes_max) : bytes_max_(bytes_max) {}

  // `log` stands for a session's event log.
  void Insert(uint64_t log, std::shared_ptr<EventSegment> segment);
  // One that has this revision; null when there is none.
  std::shared_ptr<EventSegment> Find(uint64_t log, int64_t revision);
  // Counts the bytes of a segment anew, if it is in here.
  void Recount(uint64_t log, const EventSegment& segment);
  // Forgets all segments of a log.
  void Forget(uint64_t log);

  size_t bytes() const { return bytes_; }

 private:
  using Key = std::pair<uint64_t, int64_t>;  // log, first revision
  struct Kept {
    Key key;
    std::shared_ptr<EventSegment> segment;
    size_t bytes = 0;
  };
  using Order = std::list<Kept>;  // the one used last at the end
  using ByKey = std::map<Key, Order::iterator>;

  ByKey::iterator Remove(ByKey::iterator at);
  void MakeRoom();

  const size_t bytes_max_;
  size_t bytes_ = 0;
  Order order_;
  ByKey by_key_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_SEGMENT_CACHE_H_

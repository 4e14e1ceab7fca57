#include "server/session/segment_cache.h"

#include <iterator>
#include <limits>

namespace faultline {

void SegmentCache::Insert(uint64_t log, std::shared_ptr<EventSegment> segment) {
  const Key key = {log, segment->first()};
  const auto there = by_key_.find(key);
  if (there != by_key_.end()) {
    // The longer one serves all that the shorter one does.
    if (there->second->segment->last() >= segment->last()) return;
    Remove(there);
  }
  const size_t bytes = segment->bytes();
  order_.push_back({key, std::move(segment), bytes});
  by_key_.emplace(key, std::prev(order_.end()));
  bytes_ += bytes;
  MakeRoom();
}

std::shared_ptr<EventSegment> SegmentCache::Find(uint64_t log,
                                                 int64_t revision) {
  auto at = by_key_.upper_bound({log, revision});
  if (at == by_key_.begin()) return nullptr;
  --at;
  const Kept& kept = *at->second;
  if (at->first.first != log || !kept.segment->Contains(revision)) {
    return nullptr;
  }
  order_.splice(order_.end(), order_, at->second);
  return kept.segment;
}

void SegmentCache::Recount(uint64_t log, const EventSegment& segment) {
  const auto at = by_key_.find({log, segment.first()});
  if (at == by_key_.end() || at->second->segment.get() != &segment) return;
  bytes_ -= at->second->bytes;
  at->second->bytes = segment.bytes();
  bytes_ += at->second->bytes;
  MakeRoom();
}

void SegmentCache::Forget(uint64_t log) {
  auto at = by_key_.lower_bound({log, std::numeric_limits<int64_t>::min()});
  while (at != by_key_.end() && at->first.first == log) at = Remove(at);
}

SegmentCache::ByKey::iterator SegmentCache::Remove(ByKey::iterator at) {
  bytes_ -= at->second->bytes;
  order_.erase(at->second);
  return by_key_.erase(at);
}

void SegmentCache::MakeRoom() {
  while (bytes_ > bytes_max_ && !order_.empty()) {
    Remove(by_key_.find(order_.front().key));
  }
}

}  // namespace faultline

// Counting resident pages. From 6.2 on each mm has a percpu_counter of each
// kind. Before, a task counted what its own faults brought in
// (SPLIT_RSS_COUNTING), and told its mm every 64 faults, and whenever it
// unmapped something: what /proc shows lags behind. Models mm/memory.c (v6.1):
// add_mm_counter_fast(), check_sync_rss_stat(), sync_mm_rss(),
// add_mm_rss_vec().
#ifndef FAULTLINE_SERVER_MACHINE_MM_RSS_STAT_H_
#define FAULTLINE_SERVER_MACHINE_MM_RSS_STAT_H_

#include <array>
#include <cstdint>
#include <utility>

#include "server/machine/kernel.h"

namespace faultline {

// add_mm_counter()
inline void AddMmCounter(const Kernel& k, Mm& mm, RssKind kind, int64_t n) {
  RssCounter& counter = mm.rss[kind];
  if (!k.quirks.split_rss_counting) [[likely]]
    return counter.Add(n);
  counter.exact += n;
  counter.shown += n;
}

// add_mm_counter_fast(): of a fault.
inline void AddMmCounterFast(Kernel& k, Mm& mm, RssKind kind, int64_t n) {
  if (!k.quirks.split_rss_counting) [[likely]]
    return mm.rss[kind].Add(n);
  if (!k.current || k.Current().mm != mm.id) {
    return AddMmCounter(k, mm, kind, n);
  }
  mm.rss[kind].exact += n;
  k.Current().rss_stat[kind] += n;
}

// sync_mm_rss(): the task tells its mm.
inline void SyncMmRss(Kernel& k, Task& task) {
  if (!k.quirks.split_rss_counting || !task.mm) return;
  Mm& mm = k.mms[task.mm];
  for (size_t i = 0; i < task.rss_stat.size(); i++) {
    mm.rss[i].shown += std::exchange(task.rss_stat[i], 0);
  }
  task.rss_events = 0;
}

// check_sync_rss_stat(): at each fault.
inline void CheckSyncRssStat(Kernel& k) {
  constexpr uint32_t kThreshold = 64;  // TASK_RSS_EVENTS_THRESH
  if (!k.quirks.split_rss_counting || !k.current) [[likely]]
    return;
  if (k.Current().rss_events++ > kThreshold) SyncMmRss(k, k.Current());
}

// get_mm_counter(): what /proc shows.
inline uint64_t GetMmCounter(const Kernel& k, const Mm& mm, RssKind kind) {
  if (!k.quirks.split_rss_counting) return mm.Rss(kind);
  const int64_t shown = mm.rss[kind].shown;
  return shown > 0 ? static_cast<uint64_t>(shown) : 0;
}
// get_mm_rss()
inline uint64_t GetMmRss(const Kernel& k, const Mm& mm) {
  return GetMmCounter(k, mm, kRssFile) + GetMmCounter(k, mm, kRssAnon) +
         GetMmCounter(k, mm, kRssShmem);
}

// struct rss counts of one batch of entries: zap_pte_range(), copy_pte_range()
// and fault-around add them to the mm at their end.
class RssBatch {
 public:
  // kVec: add_mm_rss_vec() of a task's own mm.
  enum class How : uint8_t { kDirect, kFast, kVec };
  RssBatch(Kernel& k, Mm& mm, How how) : k_(k), mm_(mm), how_(how) {}
  RssBatch(const RssBatch&) = delete;
  RssBatch& operator=(const RssBatch&) = delete;
  ~RssBatch() {
    if (how_ == How::kVec && k_.current && k_.Current().mm == mm_.id) {
      SyncMmRss(k_, k_.Current());
    }
    Flush();
  }
  void Add(RssKind kind, int64_t n) { counts_[kind] += n; }
  void Flush() {
    for (size_t i = 0; i < counts_.size(); i++) {
      if (counts_[i] == 0) continue;
      const int64_t n = std::exchange(counts_[i], 0);
      const auto kind = static_cast<RssKind>(i);
      if (how_ == How::kFast) {
        AddMmCounterFast(k_, mm_, kind, n);
      } else {
        AddMmCounter(k_, mm_, kind, n);
      }
    }
  }

 private:
  Kernel& k_;
  Mm& mm_;
  const How how_;
  std::array<int64_t, 4> counts_{};
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_RSS_STAT_H_

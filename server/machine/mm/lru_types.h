// struct lruvec: the lists that reclaim looks for pages on. Models
// include/linux/mmzone.h (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_MM_LRU_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_LRU_TYPES_H_

#include <array>
#include <cstdint>

#include "server/machine/mm/mmzone.h"

namespace faultline {

// enum lru_list.
enum Lru : int {
  kInactiveAnon,
  kActiveAnon,
  kInactiveFile,
  kActiveFile,
  kUnevictable,
  kNrLru,
};
const char* LruName(Lru lru);
inline bool IsFileLru(Lru lru) {
  return lru == kInactiveFile || lru == kActiveFile;
}

// One list, threaded through its pages; what came last is at its head, and
// reclaim begins at its tail.
struct LruList {
  Pfn head;
  Pfn tail;
};

struct Lruvec {
  std::array<LruList, kNrLru> lists;
  // Pages of each list by zone: lru_zone_size.
  std::array<std::array<uint64_t, kNrLru>, kMaxNrZones> zone_size{};
  // What it has cost to reclaim of the one and the other kind.
  uint64_t anon_cost = 0;
  uint64_t file_cost = 0;
  // A clock that ticks with each eviction and activation.
  uint64_t nonresident_age = 0;
  // WORKINGSET_ACTIVATE_* when a direct reclaim ended: [0] anon, [1] file.
  std::array<uint64_t, 2> refaults{};

  // lruvec_lru_size(): the pages of a list in zones up to `highest`.
  uint64_t Size(Lru lru, int highest = kMaxNrZones - 1) const {
    uint64_t pages = 0;
    for (int zone = 0; zone <= highest; zone++) pages += zone_size[zone][lru];
    return pages;
  }
};

// What kswapd was asked for: fields of pg_data_t.
struct Kswapd {
  bool woken = false;
  int32_t order = 0;      // kswapd_order
  int32_t highest = 0;    // kswapd_highest_zoneidx
  uint32_t failures = 0;  // runs in a row that reclaimed nothing
  uint64_t slept_ns = 0;  // when its last run ended
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_LRU_TYPES_H_

// Swap areas and their slots. Models include/linux/swap.h (v6.18):
// swap_info_struct, swp_entry_t; mm/swap.h: swap_cluster_info.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SWAP_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_SWAP_TYPES_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/base/cow.h"
#include "server/machine/base/pool.h"
#include "server/machine/base/units.h"
#include "server/machine/hw/frames.h"
#include "server/machine/hw/pte.h"

namespace faultline {

struct File;
struct Mm;

// Linux has room for 23 areas; a Page has 28 bits for the place in one of 16.
inline constexpr uint32_t kMaxSwapfiles = 16;
inline constexpr uint64_t kMaxSwapPages = uint64_t{1} << 28;
inline constexpr uint32_t kSwapClusterSlots = 512;  // SWAPFILE_CLUSTER

// swp_entry_t: a slot of a swap area. The first of each holds its header, so
// that 0 is none.
class SwpEntry {
 public:
  constexpr SwpEntry() = default;
  constexpr explicit SwpEntry(uint32_t value) : v_(value) {}
  constexpr SwpEntry(uint32_t type, uint32_t offset)
      : v_(type << kOffsetBits | offset) {}
  // pte_to_swp_entry(). REQUIRES: pte.swapped().
  static constexpr SwpEntry Of(Pte pte) {
    return {pte.swp_type(), static_cast<uint32_t>(pte.swp_offset())};
  }
  constexpr Pte pte() const { return Pte::Swap(type(), offset()); }
  constexpr uint32_t value() const { return v_; }
  constexpr bool valid() const { return v_ != 0; }
  constexpr uint32_t type() const { return v_ >> kOffsetBits; }
  constexpr uint32_t offset() const {
    return v_ & ((uint32_t{1} << kOffsetBits) - 1);
  }
  friend constexpr auto operator<=>(SwpEntry, SwpEntry) = default;

 private:
  static constexpr int kOffsetBits = 28;
  uint32_t v_ = 0;
};

// One page of a swap area.
struct SwapSlot {
  uint32_t count = 0;   // swap_map: entries that refer to it
  Pfn cache;            // the swap cache's page (SWAP_HAS_CACHE)
  uint32_t shadow = 0;  // of the page that was evicted
  PageBytes bytes;      // what was written

  bool free() const { return count == 0 && !cache.valid(); }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.count, s.cache, s.shadow, s.bytes);
  }
};

// Which list of its area a cluster is on (CLUSTER_FLAG_*).
enum class ClusterOn : uint8_t {
  kNone = 0,     // nothing was ever allocated from it
  kFree = 1,     // everything was given back
  kNonfull = 2,  // something was
  kFrag = 3,     // it was allocated from last
  kFull = 4,
};
inline constexpr int kClusterLists = 5;

struct SwapCluster {
  uint32_t used = 0;  // slots
  ClusterOn on = ClusterOn::kNone;
  uint32_t prev = 0;  // the number of a cluster + 1
  uint32_t next = 0;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.used, s.on, s.prev, s.next);
  }
};
struct ClusterList {
  uint32_t head = 0;  // the number of a cluster + 1
  uint32_t tail = 0;
};

// swap_info_struct.
struct SwapInfo {
  bool used = false;     // SWP_USED
  bool writeok = false;  // SWP_WRITEOK: slots may be allocated
  bool partition = false;
  std::string path;
  Id<File> file;  // none: the machine's own partition
  int32_t prio = 0;
  uint32_t max = 0;    // slots, the header's too
  uint32_t pages = 0;  // usable
  uint32_t inuse_pages = 0;
  uint32_t cluster_next = 0;      // where the next page goes; 0: anywhere
  uint32_t pristine_cluster = 0;  // the first that was never allocated from
  std::array<ClusterList, kClusterLists> lists;
  CowArray<SwapCluster, 4> clusters;
  CowArray<SwapSlot, 6> slots;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.used, s.writeok, s.partition, s.path, s.file, s.prio, s.max, s.pages,
       s.inuse_pages, s.cluster_next, s.pristine_cluster, s.lists, s.clusters,
       s.slots);
  }
};

// What there is one of.
struct Swap {
  std::vector<SwapInfo> infos;  // by type
  std::vector<uint32_t> avail;  // swap_avail_head: types that have free slots
  int32_t least_priority = -1;  // of those that were given none
  uint64_t nr_free = 0;         // nr_swap_pages
  uint64_t total = 0;           // total_swap_pages
  uint64_t cached = 0;          // NR_SWAPCACHE
  // swapin_nr_pages(): how well the last read-aheads were used.
  uint32_t readahead_hits = 4;
  uint32_t prev_offset = 0;
  uint32_t last_readahead_pages = 0;
  // The swap token.
  Id<Mm> token_mm;
  uint32_t global_faults = 0;

  // vm_swap_full(): slots of pages that are back in memory are worth taking.
  bool Full() const { return nr_free * 2 < total; }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SWAP_TYPES_H_

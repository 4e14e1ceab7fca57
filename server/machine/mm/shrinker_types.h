// What the shrinkers keep: the caches besides the page cache that give memory
// back when it is short, and the lists of what they may drop. Models
// include/linux/shrinker.h (v6.18); data only.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SHRINKER_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_SHRINKER_TYPES_H_

#include <array>
#include <cstdint>

#include "server/machine/base/pool_list.h"

namespace faultline {

struct Inode;
struct LargeFolio;

// In the order that the kernel registers them in.
enum ShrinkerId : int {
  kShrinkDeferredSplit,  // "thp-deferred_split"
  kShrinkHugeZero,       // "thp-zero"
  kShrinkShadowNodes,    // "mm-shadow"
  kShrinkSuperblock,     // "sb-ext4": names, then inodes
  kNrShrinkers,
};

struct Shrinkers {
  // What was to be scanned and was not: shrinker::nr_deferred.
  std::array<uint64_t, kNrShrinkers> nr_deferred{};
  ListHead<LargeFolio> split_queue;  // of the node: deferred_split_queue
  ListHead<Inode> s_dentry_lru;      // inodes, whose one name it is
  ListHead<Inode> s_inode_lru;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SHRINKER_TYPES_H_

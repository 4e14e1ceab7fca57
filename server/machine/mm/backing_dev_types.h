// A disk as the page cache sees it: how far it is read ahead, and which inodes
// wait to be written to it. Models include/linux/backing-dev-defs.h; data only.
#ifndef FAULTLINE_SERVER_MACHINE_MM_BACKING_DEV_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_BACKING_DEV_TYPES_H_

#include <cstdint>
#include <vector>

#include "server/machine/base/pool.h"

namespace faultline {

struct Inode;

// I_DIRTY_*: what of an inode waits to be written.
namespace inode_state {
inline constexpr uint32_t kDirtySync = 1 << 0;      // its timestamps
inline constexpr uint32_t kDirtyDatasync = 1 << 1;  // its size
inline constexpr uint32_t kDirtyPages = 1 << 2;
inline constexpr uint32_t kDirtyTime = 1 << 3;  // timestamps that can wait
inline constexpr uint32_t kDirtyInode = kDirtySync | kDirtyDatasync;
inline constexpr uint32_t kDirty = kDirtyInode | kDirtyPages;
}  // namespace inode_state

// Which list of struct bdi_writeback an inode is on.
enum class WbList : uint8_t {
  kNone = 0,
  kDirty = 1,   // b_dirty
  kIo = 2,      // b_io: taken up
  kMoreIo = 3,  // b_more_io: taken up, and not all was written
};

// Why something is written (enum wb_reason).
enum class WbReason : uint8_t {
  kBackground = 0,
  kVmscan = 1,
  kSync = 2,
  kPeriodic = 3,
};

// struct backing_dev_info with its one struct bdi_writeback. Lists begin with
// what was dirtied first. Counts are pages.
struct BackingDevInfo {
  std::vector<Id<Inode>> b_dirty;
  std::vector<Id<Inode>> b_io;
  std::vector<Id<Inode>> b_more_io;
  uint64_t reclaimable = 0;  // WB_RECLAIMABLE: dirty
  uint64_t writeback = 0;    // WB_WRITEBACK
  uint64_t dirtied = 0;      // WB_DIRTIED, since boot
  uint64_t written = 0;      // WB_WRITTEN, since boot
  uint64_t wakeup_ns = 0;    // when dwork runs next; 0: nothing is dirty
  uint64_t last_old_flush_ns = 0;
  bool start_background = false;  // somebody found too much dirty
  bool start_all = false;         // WB_start_all

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.b_dirty, s.b_io, s.b_more_io, s.reclaimable, s.writeback, s.dirtied,
       s.written, s.wakeup_ns, s.last_old_flush_ns, s.start_background,
       s.start_all);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_BACKING_DEV_TYPES_H_

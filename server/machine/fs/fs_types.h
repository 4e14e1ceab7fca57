// Inodes with their page cache, open files and descriptor tables: enough of a
// file system to map, read and write files. Models include/linux/fs.h.
#ifndef FAULTLINE_SERVER_MACHINE_FS_FS_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_FS_FS_TYPES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/base/pool_list.h"
#include "server/machine/base/units.h"
#include "server/machine/command.h"
#include "server/machine/hw/frames.h"
#include "server/machine/mm/backing_dev_types.h"
#include "server/machine/mm/mm_types.h"
#include "server/machine/mm/xarray.h"

namespace faultline {

// F_SEAL_*: what can no more be done to a file of tmpfs.
namespace seal {
inline constexpr uint32_t kSeal = 0x1;
inline constexpr uint32_t kShrink = 0x2;
inline constexpr uint32_t kGrow = 0x4;
inline constexpr uint32_t kWrite = 0x8;
inline constexpr uint32_t kFutureWrite = 0x10;
inline constexpr uint32_t kExec = 0x20;
inline constexpr uint32_t kAnyWrite = kWrite | kFutureWrite;
}  // namespace seal

// S_IFMT, S_IFCHR, S_IFBLK, S_IFREG.
inline constexpr uint32_t kModeType = 0170000;
inline constexpr uint32_t kModeChar = 0020000;
inline constexpr uint32_t kModeBlock = 0060000;
inline constexpr uint32_t kModeRegular = 0100000;

// struct inode and its address_space (the page cache of one file).
struct Inode {
  uint64_t ino = 0;
  uint32_t dev_major = 0;
  uint32_t dev_minor = 0;
  FsType fs = FsType::kRamfs;
  uint32_t mode = 0;           // S_IFMT is 0 for a regular file
  uint64_t size = 0;           // i_size, bytes
  std::string path;            // "" for shared anonymous memory
  bool linked = true;          // has its name in the file system
  uint32_t opens = 0;          // struct files that refer to it
  uint64_t commit_charge = 0;  // pages charged for shared anonymous memory
  uint32_t seals = seal::kSeal;
  uint32_t rdev_major = 0;  // of a device
  uint32_t rdev_minor = 0;

  // What the device holds. Bytes at or beyond `device_valid` read as zero.
  FileContent content = FileContent::kHole;
  uint64_t seed = 0;
  uint64_t device_valid = 0;
  CowArray<PageBytes, 4> device;  // kBytes

  // address_space (i_data)
  // The cache, by page offset; with what is there in a page's stead (of tmpfs
  // the slot it was swapped to, else the shadow of one that was evicted).
  XArray i_pages;
  uint64_t nrpages = 0;
  uint64_t nrswapped = 0;        // shmem_inode_info::swapped
  uint64_t fallocend = 0;        // … ::fallocend: pages, beyond the end too
  Id<Vma> i_mmap;                // VMAs that map it
  uint32_t i_mmap_writable = 0;  // shared writable mappings
  uint32_t truncate_count = 0;   // 2.6's: races of faults with truncations
  uint64_t writeback_index = 0;  // where cyclic writeback goes on

  std::vector<SharedPolicy> policies{};  // of tmpfs; sorted, disjoint

  // What waits to be written (i_state, inode_state::*), and since when.
  uint32_t i_state = 0;
  WbList wb_list = WbList::kNone;
  uint64_t dirtied_when = 0;

  // Of a file on a disk: is its name in the dcache, and itself in memory
  // (mm/super_cache.h)?
  bool dentry = true;
  bool in_core = true;
  bool dentry_referenced = false;  // DCACHE_REFERENCED
  bool referenced = false;         // I_REFERENCED
  ListNode<Inode> d_lru;
  ListNode<Inode> i_lru;

  bool char_device() const { return (mode & kModeType) == kModeChar; }
  bool block_device() const { return (mode & kModeType) == kModeBlock; }
  bool special_file() const { return char_device() || block_device(); }
  bool shmem() const { return fs == FsType::kTmpfs; }
  // VM_NORESERVE: each page is charged when it comes.
  bool charges_pages() const { return shmem() && commit_charge == 0; }
  bool Sealed(uint32_t seal) const { return (seals & seal) != 0; }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.ino, s.dev_major, s.dev_minor, s.fs, s.mode, s.size, s.path, s.linked,
       s.opens, s.commit_charge, s.seals, s.rdev_major, s.rdev_minor, s.content,
       s.seed, s.device_valid, s.device, s.i_pages, s.nrpages, s.nrswapped,
       s.fallocend, s.i_mmap, s.i_mmap_writable, s.truncate_count,
       s.writeback_index, s.policies, s.i_state, s.wb_list, s.dirtied_when,
       s.dentry, s.in_core, s.dentry_referenced, s.referenced, s.d_lru,
       s.i_lru);
  }
};

// struct file_ra_state: the window that was read ahead last, and where the
// last read ended. Pages; mm/readahead.h opens one.
struct FileRa {
  uint64_t start = 0;
  uint32_t size = 0;
  uint32_t async_size = 0;  // the window's end that starts the next one
  uint32_t ra_pages = 0;    // the largest window; 0: nothing is read ahead
  uint16_t order = 0;       // of the folios that the next window is made of
  uint16_t mmap_miss = 0;   // faults that found nothing, less those that did
  int64_t prev_pos = -1;
  bool random = false;  // FMODE_RANDOM
};

// struct file: one open(2), shared by the descriptors and VMAs that use it.
struct File {
  Id<Inode> inode;
  bool readable = true;
  bool writable = false;
  bool path_only = false;  // O_PATH
  bool direct = false;     // O_DIRECT
  bool dsync = false;      // O_DSYNC, also with O_SYNC
  bool sync = false;       // O_SYNC
  bool noreuse = false;    // FMODE_NOREUSE: see VmaHasRecency()
  uint32_t f_count = 0;
  FileRa ra;
};

// struct files_struct.
struct Files {
  uint32_t users = 0;
  std::vector<Id<File>> fds;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_FS_TYPES_H_

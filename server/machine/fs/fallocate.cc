// Models fs/open.c (v6.18): vfs_fallocate(); mm/shmem.c: shmem_fallocate();
// mm/truncate.c: truncate_pagecache_range().
// Departure: D27 (ext4 cannot zero, collapse or insert a range).
#include "server/machine/fs/fallocate.h"

#include <algorithm>
#include <vector>

#include "server/machine/fs/open.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/truncate.h"

namespace faultline {
namespace {

constexpr uint32_t kKeepSize = 0x1, kPunchHole = 0x2, kCollapseRange = 0x8;
constexpr uint32_t kZeroRange = 0x10, kInsertRange = 0x20, kUnshareRange = 0x40;
constexpr uint32_t kWriteZeroes = 0x80;
constexpr uint32_t kModeMask = kPunchHole | kCollapseRange | kZeroRange |
                               kInsertRange | kUnshareRange | kWriteZeroes;

// The modes exclude each other; what a hole does to the size is settled.
bool ModeExists(uint32_t mode) {
  if (mode & ~(kModeMask | kKeepSize)) return false;
  switch (mode & kModeMask) {
    case 0:
    case kUnshareRange:
    case kZeroRange:
      return true;
    case kPunchHole:
      return mode & kKeepSize;
    case kCollapseRange:
    case kInsertRange:
    case kWriteZeroes:
      return !(mode & kKeepSize);
    default:
      return false;
  }
}

// Until 6.11 the modes were bits, checked one after the other.
Errno CheckModeBits(uint32_t mode) {
  constexpr uint32_t kSupported = kKeepSize | kPunchHole | kCollapseRange |
                                  kZeroRange | kInsertRange | kUnshareRange;
  constexpr uint32_t kExclusive = kPunchHole | kZeroRange;
  if (mode & ~kSupported) return Errno::kEOPNOTSUPP;
  if ((mode & kExclusive) == kExclusive) return Errno::kEOPNOTSUPP;
  if ((mode & kPunchHole) && !(mode & kKeepSize)) return Errno::kEOPNOTSUPP;
  for (uint32_t alone : {kCollapseRange, kInsertRange}) {
    if ((mode & alone) && mode != alone) return Errno::kEINVAL;
  }
  if ((mode & kUnshareRange) && (mode & ~(kUnshareRange | kKeepSize))) {
    return Errno::kEINVAL;
  }
  return Errno::kOk;
}

// Pages that have no place yet get one; when memory runs out they lose it.
Errno Allocate(Kernel& k, Id<Inode> id, uint64_t offset, uint64_t length,
               bool keep_size) {
  // A disk has the space; nothing enters the cache.
  if (k.inodes[id].shmem()) {
    const uint64_t end = PagesOf(PageAlign(offset + length)).value();
    const uint64_t undo = k.inodes[id].fallocend;
    k.inodes[id].fallocend = std::max(undo, end);
    std::vector<uint64_t> fresh;
    for (uint64_t i = offset >> kPageShift; i << kPageShift < offset + length;
         i++) {
      const bool there = FilemapLookup(k, k.inodes[id], i).valid();
      if (!ShmemAllocate(k, id, i)) {
        for (uint64_t index : fresh) PunchHole(k, id, index, index);
        k.inodes[id].fallocend = undo;
        return NoPage(k, id);
      }
      if (!there) fresh.push_back(i);
    }
  }
  Inode& inode = k.inodes[id];
  const uint64_t old = inode.size;
  if (keep_size || offset + length <= old) return Errno::kOk;
  inode.size = offset + length;
  if (k.quirks.ext4_zeroes_old_tail) ZeroTail(k, id, old);
  return Errno::kOk;
}

}  // namespace

Errno DoFallocate(Kernel& k, const Fallocate& call) {
  const Id<File> file = FileOf(k, call.fd);
  if (!file || k.open_files[file].path_only) return Errno::kEBADF;
  if (call.offset < 0 || call.length <= 0) return Errno::kEINVAL;
  if (!k.quirks.fallocate_one_mode) {
    FL_TRY(CheckModeBits(call.mode));
  } else if (!ModeExists(call.mode)) {
    return Errno::kEOPNOTSUPP;
  }
  if (!k.open_files[file].writable) return Errno::kEBADF;
  if (IsSwapfile(k, k.open_files[file].inode)) return Errno::kETXTBSY;
  if (k.inodes[k.open_files[file].inode].special_file()) return Errno::kENODEV;
  const auto offset = static_cast<uint64_t>(call.offset);
  const auto length = static_cast<uint64_t>(call.length);
  if (offset + length > kMaxFileBytes) return Errno::kEFBIG;
  const Id<Inode> id = k.open_files[file].inode;
  if (k.inodes[id].fs == FsType::kRamfs) return Errno::kEOPNOTSUPP;
  if (call.mode & ~(kKeepSize | kPunchHole)) return Errno::kEOPNOTSUPP;
  const Inode& inode = k.inodes[id];
  if (call.mode & kPunchHole) {
    if (inode.Sealed(seal::kAnyWrite)) return Errno::kEPERM;
    PunchHoleBytes(k, id, offset, length);
    return Errno::kOk;
  }
  if (inode.Sealed(seal::kGrow) && offset + length > inode.size) {
    return Errno::kEPERM;
  }
  return Allocate(k, id, offset, length, call.mode & kKeepSize);
}

}  // namespace faultline

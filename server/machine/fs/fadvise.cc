// Models mm/fadvise.c (v6.18): ksys_fadvise64_64(), generic_fadvise();
// fs/drop_caches.c: drop_caches_sysctl_handler().
#include <algorithm>
#include <string>
#include <vector>

#include "server/machine/fs/open.h"
#include "server/machine/fs/read_write.h"
#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/readahead.h"
#include "server/machine/mm/shrink_slab.h"
#include "server/machine/mm/truncate.h"

namespace faultline {
namespace {

enum Advice : int32_t {
  kNormal = 0,
  kRandom = 1,
  kSequential = 2,
  kWillneed = 3,
  kDontneed = 4,
  kNoreuse = 5,
};

// Whole pages leave the cache; a part of one at either end stays, unless it is
// the end of the file.
void Dontneed(Kernel& k, Id<Inode> id, uint64_t offset, uint64_t end_byte) {
  FilemapFdatawrite(k, id, offset >> kPageShift, end_byte >> kPageShift, false);
  const uint64_t first = (offset + kPageSize - 1) >> kPageShift;
  uint64_t last = end_byte >> kPageShift;
  const bool whole = (end_byte & ~kPageMask) == ~kPageMask;
  if (!whole && end_byte != k.inodes[id].size - 1) {
    if (last == 0) return;
    last--;
  }
  if (last >= first) InvalidateMappingPages(k, id, first, last);
}

}  // namespace

Errno DoFadvise(Kernel& k, const Fadvise& call) {
  const Id<File> file_id = FileOf(k, call.fd);
  if (!file_id || k.open_files[file_id].path_only) return Errno::kEBADF;
  File& file = k.open_files[file_id];
  if (call.length < 0) return Errno::kEINVAL;
  if (call.advice < kNormal || call.advice > kNoreuse) return Errno::kEINVAL;
  const Id<Inode> id = file.inode;
  // noop_backing_dev_info: the advice is good, and nobody follows it.
  if (!OnDevice(k.inodes[id])) return Errno::kOk;
  const auto offset = static_cast<uint64_t>(call.offset);
  const auto length = static_cast<uint64_t>(call.length);
  uint64_t end_byte = offset + length;
  if (length == 0 || end_byte < length) {
    end_byte = INT64_MAX;
  } else {
    end_byte--;
  }
  const FileRa fresh = FileRaInit(k, k.inodes[id]);
  switch (call.advice) {
    case kNormal:
      file.ra.ra_pages = fresh.ra_pages;
      file.ra.random = file.noreuse = false;
      break;
    case kRandom:
      file.ra.random = true;
      break;
    case kSequential:
      file.ra.ra_pages = fresh.ra_pages * 2;
      file.ra.random = false;
      break;
    case kWillneed: {
      const uint64_t first = offset >> kPageShift;
      ForcePageCacheRa(k, id, file.ra, first,
                       (end_byte >> kPageShift) - first + 1);
      break;
    }
    case kDontneed:
      Dontneed(k, id, offset, end_byte);
      break;
    default:  // kNoreuse
      file.noreuse = true;
      break;
  }
  return Errno::kOk;
}

Errno DoDropCaches(Kernel& k, const DropCaches& call) {
  constexpr uint32_t kPagecache = 1, kSlab = 2, kMax = 4;
  if (call.mode < 1 || call.mode > kMax) return Errno::kEINVAL;
  if (call.mode & kPagecache) {
    std::vector<Id<Inode>> cached;
    k.inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
      if (!inode.i_pages.empty()) cached.push_back(id);
    });
    for (Id<Inode> id : cached) InvalidateMappingPages(k, id, 0, UINT64_MAX);
    k.vmstat.events[kDropPagecache]++;
  }
  if (call.mode & kSlab) {
    DropSlab(k);
    k.vmstat.events[kDropSlab]++;
  }
  if (!k.drop_caches_quiet) {
    const std::string comm = CurrentComm(k);
    k.Emit(EventLevel::kFaults,
           Console{comm + " (" + std::to_string(k.CurrentPid()) +
                   "): drop_caches: " + std::to_string(call.mode)});
  }
  if (call.mode == kMax) k.drop_caches_quiet = true;
  return Errno::kOk;
}

}  // namespace faultline

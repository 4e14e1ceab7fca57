// Dirty pages of files: marking them, writing them, and how many there may be.
// Whoever dirties pages beyond the middle of the two thresholds is paused, so
// that he is no faster than the disk.
#ifndef FAULTLINE_SERVER_MACHINE_MM_PAGE_WRITEBACK_H_
#define FAULTLINE_SERVER_MACHINE_MM_PAGE_WRITEBACK_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// Is the file on a disk, to which its pages are written?
inline bool OnDevice(const Inode& inode) { return inode.fs == FsType::kExt4; }

// folio_mark_dirty()
void MarkPageDirty(Kernel& k, Pfn pfn);
// folio_cancel_dirty(): it is dirty no more, and was not written.
void CancelDirty(Kernel& k, Inode& inode, Pfn pfn);

// What one round of writing is to do (struct writeback_control).
struct WritebackControl {
  int64_t nr_to_write = INT64_MAX;
  uint64_t first = 0;  // pages of the file
  uint64_t last = UINT64_MAX;
  bool sync_all = false;      // WB_SYNC_ALL: all of it, and wait
  bool range_cyclic = false;  // from writeback_index on
  bool tagged = false;        // tagged_writepages: only what is dirty now
};
// do_writepages(): write_cache_pages() of a file; the disk takes the pages up.
void DoWritepages(Kernel& k, Id<Inode> id, WritebackControl& wbc);
// pageout() of one page of a file, for reclaim: the disk takes it up, and it is
// clean when it is no more under writeback. False: it is clean, or has no disk.
bool PageoutFilePage(Kernel& k, Pfn pfn);
// filemap_fdatawrite_range() and, with sync_all, filemap_fdatawait_range().
void FilemapFdatawrite(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last,
                       bool sync_all);

// domain_dirty_limits() of the whole machine, pages.
struct DirtyLimits {
  uint64_t threshold = 0;   // dirty_ratio or dirty_bytes
  uint64_t background = 0;  // dirty_background_ratio or …_bytes
};
DirtyLimits GlobalDirtyLimits(const Kernel& k);
// global_dirtyable_memory(), pages.
uint64_t GlobalDirtyableMemory(const Kernel& k);
// calculate_totalreserve_pages()
uint64_t TotalreservePages(const Kernel& k);

// balance_dirty_pages_ratelimited(): called for each page that the current task
// dirties; now and then it looks, wakes the flusher and pauses the task.
//
// The pause is pages / (rate * pos_ratio), at most 200 ms at a time, where rate
// is what the disk writes without seeks, and pos_ratio is 2 at no dirty page
// above the free run, 1 at the setpoint (the middle of free run and threshold)
// and 0 at the threshold: 1 + ((setpoint - dirty) / (threshold - setpoint))^3.
void BalanceDirtyPagesRatelimited(Kernel& k, const Inode& inode);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_PAGE_WRITEBACK_H_

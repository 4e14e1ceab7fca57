// Models fs/fs-writeback.c (v6.18): __mark_inode_dirty(), wb_workfn(),
// wb_writeback(), queue_io(), writeback_sb_inodes(), requeue_inode(),
// __writeback_single_inode(); fs/sync.c: ksys_sync(), vfs_fsync_range().
// Departure: D49 (the file system is mounted without lazytime).
#include "server/machine/mm/writeback.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/super_cache.h"

namespace faultline {
namespace {

constexpr uint64_t kCentisecond = 10'000'000;
constexpr int64_t kMinWritebackPages = 1024;  // MIN_WRITEBACK_PAGES

uint64_t Interval(const Kernel& k) {
  return k.sysctl.dirty.writeback_centisecs * kCentisecond;
}
uint64_t Expiry(const Kernel& k) {
  return k.sysctl.dirty.expire_centisecs * kCentisecond;
}
bool HasDirtyIo(const Kernel& k) {
  return !k.bdi.b_dirty.empty() || !k.bdi.b_io.empty() ||
         !k.bdi.b_more_io.empty();
}

std::vector<Id<Inode>>& ListOf(Kernel& k, WbList list) {
  switch (list) {
    case WbList::kIo:
      return k.bdi.b_io;
    case WbList::kMoreIo:
      return k.bdi.b_more_io;
    default:
      return k.bdi.b_dirty;
  }
}

// inode_io_list_move_locked(): to the end of a list, or of none.
void MoveTo(Kernel& k, Id<Inode> id, WbList to) {
  Inode& inode = k.inodes[id];
  if (inode.wb_list != WbList::kNone) std::erase(ListOf(k, inode.wb_list), id);
  inode.wb_list = to;
  if (to != WbList::kNone) ListOf(k, to).push_back(id);
}

// redirty_tail(): it is tried again, after what is dirty already.
void RedirtyTail(Kernel& k, Id<Inode> id) {
  const auto& dirty = k.bdi.b_dirty;
  Inode& inode = k.inodes[id];
  if (!dirty.empty() &&
      inode.dirtied_when < k.inodes[dirty.back()].dirtied_when) {
    inode.dirtied_when = k.clock_ns;
  }
  MoveTo(k, id, WbList::kDirty);
}

// queue_io(): what was begun before, then what was dirtied by `before`.
void QueueIo(Kernel& k, uint64_t before) {
  std::vector<Id<Inode>> expired = k.bdi.b_more_io;
  for (Id<Inode> id : k.bdi.b_dirty) {
    if (k.inodes[id].dirtied_when > before) break;
    expired.push_back(id);
  }
  for (Id<Inode> id : expired) MoveTo(k, id, WbList::kIo);
}

// The block of the inode table that holds the inode.
enum class ThenWait : uint8_t { kNo, kYes };
void TransferInodeBlock(Kernel& k, Id<Inode> id, BlockOp op, ThenWait wait) {
  constexpr uint64_t kInodesPerBlock = 16;
  const uint64_t block = id.value() / kInodesPerBlock;
  k.vmstat.events[op == BlockOp::kRead ? kPgPgIn : kPgPgOut] += kSectorsPerPage;
  k.disk.Submit(op, block * kSectorsPerPage, {kMetadataOwner, block, 1},
                k.clock_ns, kSectorsPerPage);
  FinishPlug(k);
  while (wait == ThenWait::kYes && k.disk.Pending(op, kMetadataOwner, block)) {
    SleepUntil(k, k.disk.busy_until());
  }
}

// __writeback_single_inode()
void WriteInode(Kernel& k, Id<Inode> id, WritebackControl& wbc) {
  const int64_t asked = wbc.nr_to_write;
  DoWritepages(k, id, wbc);
  if (wbc.sync_all) WaitOnWriteback(k, id, wbc.first, wbc.last);
  Inode& inode = k.inodes[id];
  const uint32_t dirty = inode.i_state & inode_state::kDirty;
  inode.i_state &= ~dirty;
  if (inode.i_pages.Marked(XaMark::kDirty)) {
    inode.i_state |= inode_state::kDirtyPages;
  }
  k.Emit(
      EventLevel::kAll,
      WritebackSingleInode{inode.ino, dirty, inode.dirtied_when,
                           inode.writeback_index, static_cast<uint64_t>(asked),
                           static_cast<uint64_t>(asked - wbc.nr_to_write)});
  if (dirty & inode_state::kDirtyInode) {
    TransferInodeBlock(k, id, BlockOp::kWrite,
                       wbc.sync_all ? ThenWait::kYes : ThenWait::kNo);
  }
}

// requeue_inode(): where the flusher puts what it has worked on.
void RequeueInode(Kernel& k, Id<Inode> id, const WritebackControl& wbc) {
  const Inode& inode = k.inodes[id];
  if (inode.i_pages.Marked(XaMark::kDirty)) {
    if (wbc.nr_to_write <= 0) return MoveTo(k, id, WbList::kMoreIo);
    return RedirtyTail(k, id);
  }
  if (inode.i_state & inode_state::kDirty) return RedirtyTail(k, id);
  MoveTo(k, id, WbList::kNone);
  InodeAddLru(k, id);  // inode_sync_complete()
}

// struct wb_writeback_work.
struct Work {
  int64_t nr_pages = 0;
  bool for_kupdate = false;
  bool for_background = false;
};

bool OverBackground(const Kernel& k) {
  return static_cast<uint64_t>(k.vmstat.node[kNrFileDirty]) >
         GlobalDirtyLimits(k).background;
}

// writeback_chunk_size()
int64_t ChunkSize(const Kernel& k, const Work& work) {
  constexpr uint64_t kSecond = 1'000'000'000, kDirtyScope = 8;
  auto pages = static_cast<int64_t>(
      std::min(kSecond / cost::kDiskPage / 2,
               GlobalDirtyLimits(k).threshold / kDirtyScope));
  pages = std::min(pages, work.nr_pages) + kMinWritebackPages;
  return pages / kMinWritebackPages * kMinWritebackPages;
}

// writeback_sb_inodes(). True: something was written or became clean.
bool WritebackInodes(Kernel& k, Work& work) {
  bool progress = false;
  while (!k.bdi.b_io.empty() && work.nr_pages > 0) {
    const Id<Inode> id = k.bdi.b_io.front();
    const int64_t chunk = ChunkSize(std::as_const(k), work);
    WritebackControl wbc{.nr_to_write = chunk, .range_cyclic = true};
    WriteInode(k, id, wbc);
    work.nr_pages -= chunk - wbc.nr_to_write;
    progress |= chunk != wbc.nr_to_write ||
                (k.inodes[id].i_state & inode_state::kDirty) == 0;
    RequeueInode(k, id, wbc);
  }
  return progress;
}

// wb_writeback()
void Writeback(Kernel& k, Work work) {
  while (work.nr_pages > 0) {
    if (work.for_background && !OverBackground(std::as_const(k))) return;
    if (k.bdi.b_io.empty()) {
      const uint64_t expiry = work.for_kupdate ? Expiry(k) : 0;
      if (k.clock_ns < expiry) return;
      QueueIo(k, k.clock_ns - expiry);
    }
    const bool progress = WritebackInodes(k, work);
    if (!progress && k.bdi.b_more_io.empty()) return;
    if (!progress) return;  // what is left is on its way to the disk
  }
}

// get_nr_dirty_pages()
int64_t NrDirtyPages(const Kernel& k) {
  return k.vmstat.node[kNrFileDirty] + k.inodes.count();
}

}  // namespace

void MarkInodeDirty(Kernel& k, Id<Inode> id, uint32_t what) {
  Inode& inode = k.inodes[id];
  if (!OnDevice(inode) || (inode.i_state & what) == what) return;
  const bool was_dirty = (inode.i_state & inode_state::kDirty) != 0;
  inode.i_state |= what;
  if (was_dirty || inode.wb_list != WbList::kNone) return;
  // wb_wakeup_delayed()
  if (!HasDirtyIo(k) && Interval(k) > 0) {
    k.bdi.wakeup_ns = k.clock_ns + Interval(k);
  }
  inode.dirtied_when = k.clock_ns;
  MoveTo(k, id, WbList::kDirty);
}

void ForgetDirtyInode(Kernel& k, Id<Inode> id) {
  MoveTo(k, id, WbList::kNone);
  k.inodes[id].i_state = 0;
}

void ReadInodeBlock(Kernel& k, Id<Inode> id) {
  TransferInodeBlock(k, id, BlockOp::kRead, ThenWait::kYes);
}

void WakeFlusher(Kernel& k, WbReason why) {
  if (!HasDirtyIo(k)) return;
  (why == WbReason::kBackground ? k.bdi.start_background : k.bdi.start_all) =
      true;
}

void RunFlusher(Kernel& k) {
  if (std::exchange(k.bdi.start_all, false)) {
    Writeback(k, {.nr_pages = NrDirtyPages(std::as_const(k))});
  }
  if (std::exchange(k.bdi.start_background, false)) {
    Writeback(k, {.nr_pages = INT64_MAX, .for_background = true});
  }
}

uint64_t NextFlusherWakeup(const Kernel& k) {
  const BackingDevInfo& bdi = k.bdi;
  if (bdi.wakeup_ns == 0 || !HasDirtyIo(k) || Interval(k) == 0) return 0;
  if (!bdi.b_io.empty() || !bdi.b_more_io.empty() || OverBackground(k)) {
    return bdi.wakeup_ns;
  }
  // It wakes in vain until the first inode is old enough.
  const uint64_t due = k.inodes[bdi.b_dirty.front()].dirtied_when + Expiry(k);
  if (due <= bdi.wakeup_ns) return bdi.wakeup_ns;
  const uint64_t naps = (due - bdi.wakeup_ns + Interval(k) - 1) / Interval(k);
  return bdi.wakeup_ns + naps * Interval(k);
}

void RunPeriodicFlusher(Kernel& k, uint64_t now_ns) {
  SleepUntil(k, now_ns);
  k.bdi.wakeup_ns = 0;
  RunFlusher(k);
  // wb_check_old_data_flush()
  if (k.clock_ns >= k.bdi.last_old_flush_ns + Interval(k)) {
    k.bdi.last_old_flush_ns = k.clock_ns;
    Writeback(
        k, {.nr_pages = NrDirtyPages(std::as_const(k)), .for_kupdate = true});
  }
  // wb_check_background_flush()
  if (OverBackground(std::as_const(k))) {
    Writeback(k, {.nr_pages = INT64_MAX, .for_background = true});
  }
  if (HasDirtyIo(k) && Interval(k) > 0) {
    k.bdi.wakeup_ns = k.clock_ns + Interval(k);
  }
}

bool WriteSingleInode(Kernel& k, Id<Inode> id, WritebackControl& wbc) {
  if ((k.inodes[id].i_state & inode_state::kDirty) == 0) return false;
  WriteInode(k, id, wbc);
  if ((k.inodes[id].i_state & inode_state::kDirty) == 0) {
    MoveTo(k, id, WbList::kNone);
    InodeAddLru(k, id);
  }
  return true;
}

void VfsFsync(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last,
              bool datasync) {
  if (!OnDevice(k.inodes[id])) return;  // noop_fsync()
  FilemapFdatawrite(k, id, first >> kPageShift, last >> kPageShift, true);
  const uint32_t wanted =
      datasync ? inode_state::kDirtyDatasync : inode_state::kDirty;
  if (k.inodes[id].i_state & wanted) {
    WritebackControl metadata{.nr_to_write = 0, .sync_all = true};
    WriteSingleInode(k, id, metadata);
  }
  FlushDisk(k);
}

void NoteDirtyKnob(Kernel& k, const uint64_t* knob) {
  DirtyKnobs& dirty = k.sysctl.dirty;
  if (knob == &dirty.bytes) dirty.ratio = 0;
  if (knob == &dirty.ratio) dirty.bytes = 0;
  if (knob == &dirty.background_bytes) dirty.background_ratio = 0;
  if (knob == &dirty.background_ratio) dirty.background_bytes = 0;
  if (knob == &dirty.writeback_centisecs && *knob != 0) {
    WakeFlusher(k, WbReason::kPeriodic);
  }
}

void SyncAll(Kernel& k) {
  std::vector<Id<Inode>> dirty = k.bdi.b_io;
  for (const auto* list : {&k.bdi.b_more_io, &k.bdi.b_dirty}) {
    dirty.insert(dirty.end(), list->begin(), list->end());
  }
  // All goes to the disk before it is waited for any of it.
  for (Id<Inode> id : dirty) {
    WritebackControl start{.tagged = true};
    WriteSingleInode(k, id, start);
  }
  for (Id<Inode> id : dirty) {
    WritebackControl wait{.sync_all = true};
    WriteSingleInode(k, id, wait);
  }
  k.inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
    if (inode.i_pages.Marked(XaMark::kWriteback)) {
      WaitOnWriteback(k, id, 0, UINT64_MAX);
    }
  });
  while (k.disk.busy()) SleepUntil(k, k.disk.busy_until());
  FlushDisk(k);
}

}  // namespace faultline

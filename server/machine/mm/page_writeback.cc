// Models mm/page-writeback.c (v6.18): folio_mark_dirty(), write_cache_pages(),
// tag_pages_for_writeback(), folio_clear_dirty_for_io(), domain_dirty_limits(),
// global_dirtyable_memory(), balance_dirty_pages(); mm/rmap.c: folio_mkclean().
// Departure: D49 (the disk's rate is known, not measured).
#include "server/machine/mm/page_writeback.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/backing_store.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/writeback.h"

namespace faultline {
namespace {

// folio_mkclean(): a dirty PTE makes the page dirty, and read-only again. True:
// some PTE was cleaned.
bool MkClean(Kernel& k, const Inode& inode, uint64_t index, Pfn pfn) {
  bool cleaned = false;
  ForEachFileMapping(k, inode, index, [&](Vma& vma, VirtAddr addr) {
    if (!vma.Has(vm::kShared)) return;
    PteRef ref = FindPte(std::as_const(k), k.mms[vma.mm], addr);
    if (!ref.ok()) return;
    Pte pte = ReadPte(std::as_const(k), ref);
    if (!pte.present() || pte.pfn() != pfn) return;
    if (!pte.dirty() && !pte.writable()) return;
    cleaned = true;
    SetPte(k, ref, pte.Without(Pte::kDirty | Pte::kWrite));
    FlushTlbRange(k, k.mms[vma.mm], addr, addr + kPageSize);
  });
  return cleaned;
}

// folio_clear_dirty_for_io() and folio_start_writeback(). False: it was clean.
bool StartWriteback(Kernel& k, Id<Inode> id, uint64_t index) {
  Inode& inode = k.inodes[id];
  const Pfn pfn = FilemapLookup(k, inode, index);
  if (!k.page(pfn).Is(page_flag::kDirty)) return false;
  if (MkClean(k, inode, index, pfn)) MarkPageDirty(k, pfn);
  CancelDirty(k, inode, pfn);
  k.page(pfn).flags |= page_flag::kWriteback;
  XaSetMark(k.xa_nodes, inode.i_pages, index, XaMark::kWriteback);
  XaClearMark(k.xa_nodes, inode.i_pages, index, XaMark::kTowrite);
  k.vmstat.node[kNrWriteback]++;
  k.bdi.writeback++;
  StorePage(inode, index, std::as_const(k.frames)[pfn]);
  return true;
}

// tag_pages_for_writeback(): what is dirtied later is not of this round.
void TagForWriteback(Kernel& k, Inode& inode, uint64_t first, uint64_t last) {
  for (auto at = XaFindMarked(std::as_const(k).xa_nodes, inode.i_pages, first,
                              last, XaMark::kDirty);
       at;
       at = *at == last ? std::nullopt
                        : XaFindMarked(std::as_const(k).xa_nodes, inode.i_pages,
                                       *at + 1, last, XaMark::kDirty)) {
    XaSetMark(k.xa_nodes, inode.i_pages, *at, XaMark::kTowrite);
  }
}

// Neighbours go to the disk as one.
class WriteBatch {
 public:
  WriteBatch(Kernel& k, Id<Inode> id) : k_(k), id_(id) {}
  WriteBatch(const WriteBatch&) = delete;
  WriteBatch& operator=(const WriteBatch&) = delete;
  ~WriteBatch() {
    Submit();
    FinishPlug(k_);
  }
  void Add(uint64_t index) {
    if (count_ == 0 || index != first_ + count_) {
      Submit();
      first_ = index;
    }
    count_++;
  }

 private:
  void Submit() {
    SubmitPages(k_, BlockOp::kWrite, id_, first_, std::exchange(count_, 0));
  }
  Kernel& k_;
  const Id<Inode> id_;
  uint64_t first_ = 0;
  uint64_t count_ = 0;
};

}  // namespace

void MarkPageDirty(Kernel& k, Pfn pfn) {
  Page& page = FolioOf(k, pfn);
  if (page.Is(page_flag::kDirty) || page.Is(page_flag::kReserved)) return;
  page.flags |= page_flag::kDirty;
  if (page.Is(page_flag::kAnon) || page.mapping == 0) return;
  const Id<Inode> id(page.mapping);
  Inode& inode = k.inodes[id];
  if (!OnDevice(inode)) return;  // noop_dirty_folio()
  XaSetMark(k.xa_nodes, inode.i_pages, page.index, XaMark::kDirty);
  k.vmstat.node[kNrFileDirty]++;
  k.vmstat.node[kNrDirtied]++;
  k.bdi.reclaimable++;
  k.bdi.dirtied++;
  if (k.current) k.Current().nr_dirtied++;
  k.Emit(EventLevel::kAll, WritebackDirtyFolio{inode.ino, page.index});
  MarkInodeDirty(k, id, inode_state::kDirtyPages);
}

void CancelDirty(Kernel& k, Inode& inode, Pfn pfn) {
  Page& page = k.page(pfn);
  if (!page.Is(page_flag::kDirty)) return;
  page.flags &= ~page_flag::kDirty;
  if (!OnDevice(inode)) return;
  XaClearMark(k.xa_nodes, inode.i_pages, page.index, XaMark::kDirty);
  XaClearMark(k.xa_nodes, inode.i_pages, page.index, XaMark::kTowrite);
  k.vmstat.node[kNrFileDirty]--;
  k.bdi.reclaimable--;
}

bool PageoutFilePage(Kernel& k, Pfn pfn) {
  const Page& page = std::as_const(k).page(pfn);
  if (page.Is(page_flag::kAnon) || page.mapping == 0) return false;
  const Id<Inode> id(page.mapping);
  const uint64_t index = page.index;
  if (!OnDevice(k.inodes[id]) || page.Is(page_flag::kWriteback)) return false;
  if (!StartWriteback(k, id, index)) return false;
  WriteBatch(k, id).Add(index);
  return true;
}

void DoWritepages(Kernel& k, Id<Inode> id, WritebackControl& wbc) {
  Inode& inode = k.inodes[id];
  if (!OnDevice(inode) || wbc.nr_to_write <= 0) return;
  uint64_t index = wbc.range_cyclic ? inode.writeback_index : wbc.first;
  const uint64_t last = wbc.range_cyclic ? UINT64_MAX : wbc.last;
  const bool by_tag = wbc.sync_all || wbc.tagged;
  const XaMark mark = by_tag ? XaMark::kTowrite : XaMark::kDirty;
  if (by_tag) TagForWriteback(k, inode, index, last);
  bool more = true;
  {
    WriteBatch batch(k, id);
    while (more) {
      const auto at = XaFindMarked(std::as_const(k).xa_nodes, inode.i_pages,
                                   index, last, mark);
      if (!at) break;
      index = *at + 1;
      const Pfn pfn = FilemapLookup(k, inode, *at);
      if (k.page(pfn).Is(page_flag::kWriteback)) {
        if (!wbc.sync_all) continue;  // it is on its way, as it was before
        FinishPlug(k);
        WaitOnWriteback(k, id, *at, *at);
      }
      if (StartWriteback(k, id, *at)) batch.Add(*at);
      more = --wbc.nr_to_write > 0 || wbc.sync_all;
    }
  }
  const bool whole = wbc.first == 0 && wbc.last == UINT64_MAX;
  if (wbc.range_cyclic || (whole && wbc.nr_to_write > 0)) {
    // Having come to the end, it begins again at the start.
    inode.writeback_index = more ? 0 : index;
  }
}

void FilemapFdatawrite(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last,
                       bool sync_all) {
  WritebackControl wbc{.first = first, .last = last, .sync_all = sync_all};
  if (k.inodes[id].i_pages.Marked(XaMark::kDirty)) DoWritepages(k, id, wbc);
  if (sync_all) WaitOnWriteback(k, id, first, last);
}

namespace {

// highmem_dirtyable_memory(): what files can have of high memory, which does
// not count, since what is needed to write a page lies in the low.
uint64_t HighmemDirtyableMemory(const Kernel& k, uint64_t total) {
  uint64_t pages = 0;
  for (const Zone& zone : k.zones) {
    if (!zone.populated() || !IsHighmem(k, zone.type)) continue;
    const auto& lru = k.lruvec.zone_size[static_cast<int>(zone.type)];
    const uint64_t mark = zone.wmark.high + zone.watermark_boost;
    pages += zone.nr_free_pages - std::min(zone.nr_free_pages, mark) +
             lru[kInactiveFile] + lru[kActiveFile];
  }
  return std::min(pages, total);
}

}  // namespace

uint64_t GlobalDirtyableMemory(const Kernel& k) {
  uint64_t pages = 0;
  for (const Zone& zone : k.zones) pages += zone.nr_free_pages;
  pages -= std::min(pages, TotalreservePages(k));
  pages += k.lruvec.Size(kInactiveFile) + k.lruvec.Size(kActiveFile);
  return pages - HighmemDirtyableMemory(k, pages) + 1;
}

uint64_t TotalreservePages(const Kernel& k) {
  uint64_t total = 0;
  for (const Zone& zone : k.zones) {
    uint64_t reserve = *std::max_element(zone.lowmem_reserve.begin(),
                                         zone.lowmem_reserve.end());
    total += std::min(reserve + zone.wmark.high, zone.managed.value());
  }
  return total;
}

DirtyLimits GlobalDirtyLimits(const Kernel& k) {
  const DirtyKnobs& knobs = k.sysctl.dirty;
  const uint64_t available = GlobalDirtyableMemory(k);
  const auto limit = [&](uint64_t bytes, uint64_t ratio) {
    if (bytes != 0) return (bytes + kPageSize - 1) / kPageSize;
    return ratio * kPageSize / 100 * available / kPageSize;
  };
  DirtyLimits limits{
      .threshold = limit(knobs.bytes, knobs.ratio),
      .background = limit(knobs.background_bytes, knobs.background_ratio)};
  if (limits.background >= limits.threshold) {
    limits.background = limits.threshold / 2;
  }
  return limits;
}

namespace {

constexpr int kRatelimitShift = 10;  // RATELIMIT_CALC_SHIFT
constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMaxPause = kSecond / 5;  // MAX_PAUSE

// pos_ratio_polynom(), in 1/1024.
uint64_t PosRatio(uint64_t setpoint, uint64_t dirty, uint64_t limit) {
  const auto room = static_cast<int64_t>((limit - setpoint) | 1);
  const int64_t x =
      (static_cast<int64_t>(setpoint) - static_cast<int64_t>(dirty)) *
      (1 << kRatelimitShift) / room;
  constexpr int64_t kOne = 1 << kRatelimitShift;
  const int64_t cube = x * x / kOne * x / kOne;
  return static_cast<uint64_t>(std::clamp<int64_t>(cube + kOne, 0, 2 * kOne));
}

// dirty_poll_interval(): how many pages may come before somebody looks again.
uint64_t DirtyPollInterval(uint64_t dirty, uint64_t threshold) {
  if (threshold <= dirty) return 1;
  return uint64_t{1} << ((std::bit_width(threshold - dirty) - 1) >> 1);
}

// Whoever was paused may dirty this many before the next pause, so that the
// write that was paused for gets done: while it waits its page may be cleaned,
// and a store faults again. As long as the limit is exceeded Linux looks after
// 32 KiB (balance_dirty_pages_ratelimited_flags()).
constexpr uint64_t kPagesAfterPause = 8;

// balance_dirty_pages()
void ThrottleDirtier(Kernel& k, Task& task) {
  const uint64_t pages = task.nr_dirtied;
  uint64_t interval_min = 1;
  // The threshold is above 0, so the disk's work ends the loop.
  while (true) {
    RunDisk(k);
    const DirtyLimits limits = GlobalDirtyLimits(std::as_const(k));
    const auto nr_dirty = static_cast<uint64_t>(k.vmstat.node[kNrFileDirty]);
    const uint64_t dirty =
        nr_dirty + static_cast<uint64_t>(k.vmstat.node[kNrWriteback]);
    const uint64_t freerun = (limits.threshold + limits.background) / 2;
    if (nr_dirty > limits.background) WakeFlusher(k, WbReason::kBackground);
    if (dirty <= freerun) {
      task.dirty_paused_when = k.clock_ns;
      task.nr_dirtied = 0;
      task.nr_dirtied_pause =
          std::max(interval_min, DirtyPollInterval(dirty, limits.threshold));
      return;
    }
    WakeFlusher(k, WbReason::kBackground);
    RunFlusher(k);
    const uint64_t setpoint = (freerun + limits.threshold) / 2;
    const uint64_t rate = (kSecond / cost::kDiskPage) *
                              PosRatio(setpoint, dirty, limits.threshold) >>
                          kRatelimitShift;
    uint64_t pause = rate == 0 ? kMaxPause : pages * kSecond / rate;
    // The time it thought since the last pause counts.
    const uint64_t thought = k.clock_ns - task.dirty_paused_when;
    pause = std::min(pause - std::min(pause, thought), kMaxPause);
    k.Emit(EventLevel::kAll, BalanceDirtyPages{limits.threshold, setpoint,
                                               dirty, rate, pages, pause});
    SleepUntil(k, k.clock_ns + pause);
    task.dirty_paused_when = k.clock_ns;
    task.nr_dirtied = 0;
    interval_min = kPagesAfterPause;
    task.nr_dirtied_pause =
        std::max(interval_min, DirtyPollInterval(dirty, limits.threshold));
    if (rate > 0) return;
  }
}

}  // namespace

void BalanceDirtyPagesRatelimited(Kernel& k, const Inode& inode) {
  if (!OnDevice(inode) || !k.current) return;
  Task& task = k.Current();
  if (task.nr_dirtied < task.nr_dirtied_pause) return;
  ThrottleDirtier(k, task);
}

}  // namespace faultline

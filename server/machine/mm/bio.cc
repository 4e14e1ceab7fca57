// Models block/blk-core.c and block/blk-mq.c (v6.18): submit_bio(),
// blk_finish_plug(), blk_update_request(); mm/filemap.c: folio_end_writeback().
// Departure: D46 (a file is one piece of the disk).
#include "server/machine/mm/bio.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/lru.h"

namespace faultline {
namespace {

// end_bio_bh_io_sync() and folio_end_writeback() of the pages of a bio.
void EndWriteback(Kernel& k, const Bio& bio) {
  if (bio.owner == kMetadataOwner) return;
  const Id<Inode> id(bio.owner);
  for (uint64_t i = bio.page; i < bio.page + bio.pages; i++) {
    Inode& inode = k.inodes[id];
    const Pfn pfn = XaLoad(std::as_const(k).xa_nodes, inode.i_pages, i);
    VM_BUG_ON(!pfn.valid());
    Page& page = k.page(pfn);
    VM_BUG_ON(!page.Is(page_flag::kWriteback));
    // folio_rotate_reclaimable(): reclaim has waited for it.
    if (page.Is(page_flag::kReclaim) && page.Is(page_flag::kLru) &&
        !page.Is(page_flag::kUnevictable)) {
      LruDel(k, pfn);
      page.flags &= ~page_flag::kActive;
      LruAddTail(k, pfn);
      k.vmstat.events[kPgRotated]++;
    }
    page.flags &= ~(page_flag::kWriteback | page_flag::kReclaim);
    XaClearMark(k.xa_nodes, inode.i_pages, i, XaMark::kWriteback);
    k.vmstat.node[kNrWriteback]--;
    k.vmstat.node[kNrWritten]++;
    k.bdi.writeback--;
    k.bdi.written++;
  }
}

void NoteSteps(Kernel& k, const std::vector<BlockDevice::Step>& steps) {
  for (const BlockDevice::Step& step : steps) {
    const BlockRequest& rq = step.request;
    const bool write = rq.op == BlockOp::kWrite;
    if (!step.complete) {
      k.Emit(EventLevel::kAll, BlockRqIssue{rq.sector, rq.sectors, write});
      continue;
    }
    k.Emit(EventLevel::kAll, BlockRqComplete{rq.sector, rq.sectors, write,
                                             step.at_ns - rq.queued_ns});
    if (!write) continue;
    for (const Bio& bio : rq.bios) EndWriteback(k, bio);
  }
}

}  // namespace

void SubmitPages(Kernel& k, BlockOp op, Id<Inode> id, uint64_t first,
                 uint64_t count) {
  if (count == 0) return;
  const VmEvent event = op == BlockOp::kRead ? kPgPgIn : kPgPgOut;
  k.vmstat.events[event] += count * kSectorsPerPage;
  k.disk.Submit(op, SectorOf(id, first), {id.value(), first, count}, k.clock_ns,
                IoPages(k) * kSectorsPerPage);
}

void FinishPlug(Kernel& k) {
  if (k.disk.idle()) return;
  std::vector<BlockDevice::Step> steps;
  k.disk.RunTo(k.clock_ns, &steps);
  k.disk.Start(k.clock_ns, &steps);
  NoteSteps(k, steps);
}

void RunDisk(Kernel& k) {
  if (!k.disk.busy() || k.disk.busy_until() > k.clock_ns) return;
  std::vector<BlockDevice::Step> steps;
  k.disk.RunTo(k.clock_ns, &steps);
  NoteSteps(k, steps);
}

void SleepUntil(Kernel& k, uint64_t when_ns) {
  k.clock_ns = std::max(k.clock_ns, when_ns);
  RunDisk(k);
}

void WaitOnRead(Kernel& k, Id<Inode> id, uint64_t index) {
  if (!k.disk.Reading()) [[likely]]
    return;
  RunDisk(k);
  while (k.disk.Pending(BlockOp::kRead, id.value(), index)) {
    VM_BUG_ON(!k.disk.busy());
    SleepUntil(k, k.disk.busy_until());
  }
}

void WaitOnWriteback(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last) {
  RunDisk(k);
  while (XaFindMarked(std::as_const(k).xa_nodes, k.inodes[id].i_pages, first,
                      last, XaMark::kWriteback)) {
    VM_BUG_ON(!k.disk.busy());
    SleepUntil(k, k.disk.busy_until());
  }
}

void FlushDisk(Kernel& k) { SleepUntil(k, k.clock_ns + cost::kDiskFlush); }

}  // namespace faultline

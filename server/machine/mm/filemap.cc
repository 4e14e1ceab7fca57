// Models mm/filemap.c (v6.18): filemap_fault(), do_sync_mmap_readahead(),
// do_async_mmap_readahead(), filemap_add_folio(), filemap_get_pages(),
// generic_perform_write(); fs/file_table.c: fput().
// Departures: D8 (file size limit), D47 (folios have one page).
#include "server/machine/mm/filemap.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/backing_store.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/device_map.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/huge_file.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/readahead.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/truncate.h"
#include "server/machine/mm/workingset.h"
#include "server/machine/mm/writeback.h"

namespace faultline {
namespace {

// MAX_RW_COUNT: what one call transfers at most.
constexpr uint64_t kMaxRwCount = 0x7ffff000;
// After so many more misses than hits a mapping is not read ahead.
constexpr uint16_t kMmapLotsamiss = 100;

// do_sync_mmap_readahead(): the page is not there. It may stay so.
void SyncMmapReadahead(Kernel& k, Id<Inode> id, FileRa& ra, const Vma& vma,
                       uint64_t index) {
  if (vma.Has(vm::kRandRead) && !vma.Has(vm::kExec)) return;
  if (ra.ra_pages == 0) return;
  if (vma.Has(vm::kSeqRead)) {
    return PageCacheSyncRa(k, id, ra, index, ra.ra_pages);
  }
  constexpr uint16_t kMissMax = kMmapLotsamiss * 10;
  if (ra.mmap_miss < kMissMax) ra.mmap_miss++;
  if (ra.mmap_miss > kMmapLotsamiss) return;
  ra.order = 0;
  if (vma.Has(vm::kExec)) {
    // Programs jump: on from the fault, within the mapping, and no mark.
    ra.start = index;
    ra.size = static_cast<uint32_t>(std::min<uint64_t>(
        ra.ra_pages, vma.pgoff + vma.pages().value() - index));
    ra.async_size = 0;
  } else {
    ra.start = index - std::min<uint64_t>(index, ra.ra_pages / 2);
    ra.size = ra.ra_pages;
    ra.async_size = ra.ra_pages / 4;
  }
  PageCacheRaOrder(k, id, ra);
}

// do_async_mmap_readahead(): the page is there. True: the next window was
// read, and the lock was dropped for it.
bool AsyncMmapReadahead(Kernel& k, Id<Inode> id, FileRa& ra, const Vma& vma,
                        uint64_t index) {
  if (vma.Has(vm::kRandRead) || ra.ra_pages == 0) return false;
  if (ra.mmap_miss > 0 && !BeingRead(k, id, index)) ra.mmap_miss--;
  if (!CacheFolioOf(std::as_const(k), k.inodes[id], index).readahead) {
    return false;
  }
  PageCacheAsyncRa(k, id, ra, index, ra.ra_pages);
  return true;
}

// A page that is not there for a fault: what is read with it, and itself.
FilemapResult MajorFault(Kernel& k, Id<Inode> id, FileRa& ra, const Vma& vma,
                         uint64_t index) {
  k.vmstat.events[kPgMajFault]++;
  SyncMmapReadahead(k, id, ra, vma, index);
  const Pfn pfn = FilemapGetOrRead(k, id, index);
  if (!pfn.valid()) return {Pfn(), vm_fault::kOom};
  return {pfn, vm_fault::kMajor};
}

// filemap_get_pages(): the page to read from, for a read up to page `end`.
Pfn PageToRead(Kernel& k, Id<Inode> id, FileRa& ra, uint64_t index,
               uint64_t end) {
  const Inode& inode = k.inodes[id];
  if (!FilemapLookup(k, inode, index).valid()) {
    PageCacheSyncRa(k, id, ra, index, end - index);
  }
  if (FilemapLookup(k, inode, index).valid()) {
    const CacheFolio folio = CacheFolioOf(std::as_const(k), inode, index);
    if (folio.readahead) {
      PageCacheAsyncRa(k, id, ra, folio.index, end - folio.index);
    }
  }
  return FilemapGetOrRead(k, id, index);
}

// Does a write of [from, to) to a page that is not cached need what the disk
// has of it? ext4_block_write_begin()
bool NeedsRead(const Inode& inode, uint64_t from, uint64_t to) {
  const uint64_t page = from & kPageMask;
  return OnDevice(inode) && page < inode.device_valid &&
         (from > page || to < std::min(page + kPageSize, inode.size));
}

// write_begin(): the page that is written to.
Pfn PageToWrite(Kernel& k, Id<Inode> id, uint64_t from, uint64_t to) {
  const uint64_t index = from >> kPageShift;
  const Pfn pfn = FilemapLookup(k, k.inodes[id], index);
  if (!pfn.valid() && !NeedsRead(k.inodes[id], from, to)) {
    return AddToPageCache(k, id, index);
  }
  return FilemapGetOrRead(k, id, index);
}

// filemap_add_folio(): a new page goes on its LRU list, an active one when its
// shadow says so.
void LruAddCached(Kernel& k, const Inode& inode, Pfn pfn, uint32_t shadow) {
  if (inode.fs == FsType::kRamfs) k.page(pfn).flags |= page_flag::kUnevictable;
  if (shadow != 0) WorkingsetRefault(k, pfn, shadow);
  LruAdd(k, pfn);
}

}  // namespace

FilemapResult FilemapFault(Kernel& k, const Vma& vma, uint64_t index) {
  File& file = k.open_files[vma.file];
  const Id<Inode> id = file.inode;
  Inode& inode = k.inodes[id];
  if (vma.ops == VmOps::kDevice) return DeviceFault(k, inode, index);
  if (index >= PagesOf(PageAlign(inode.size)).value()) {
    return {Pfn(), vm_fault::kSigbus};
  }
  if (inode.shmem()) return ShmemFault(k, id, index);
  const Pfn pfn = FilemapLookup(k, inode, index);
  if (!pfn.valid()) return MajorFault(k, id, file.ra, vma, index);
  RunDisk(k);
  const bool waits = BeingRead(std::as_const(k), id, index);
  const bool read = AsyncMmapReadahead(k, id, file.ra, vma, index);
  if (FilemapLookup(k, inode, index) != pfn) {
    return MajorFault(k, id, file.ra, vma, index);  // reclaim was quicker
  }
  if (waits) WaitOnRead(k, id, index);
  return {pfn, waits || read ? vm_fault::kRetry : 0};
}

bool FilemapMayMapAround(const Kernel& k, const Inode& inode, Pfn pfn) {
  const Page& page = k.page(pfn);
  if (!page.Is(page_flag::kUptodate)) return false;
  if (BeingRead(k, Id<Inode>(page.mapping), page.index)) return false;
  if (page.order == 0) return !page.Is(page_flag::kReadahead);
  return !CacheFolioOf(k, inode, page.index).readahead;
}

Pfn AddToPageCache(Kernel& k, Id<Inode> id, uint64_t index) {
  Inode& inode = k.inodes[id];
  if (ShmemIsSwapped(k, inode, index)) return ShmemSwapin(k, id, index);
  if (!ShmemAcctBlock(k, inode)) return {};
  Pfn pfn = AllocPages(k, gfp::kUserFolio, 0);
  if (!pfn.valid()) {
    ShmemUnacctBlock(k, inode);
    return pfn;
  }
  k.frames[pfn] = StoredPage(std::as_const(inode), index);
  Page& page = k.page(pfn);
  page.flags |= page_flag::kUptodate;
  page.mapping = id.value();
  page.index = index;
  if (inode.shmem()) {
    page.flags |= page_flag::kSwapBacked;
    k.vmstat.node[kNrShmem]++;
  }
  inode.i_pages.host = inode.shmem() ? 0 : id.value();
  const uint32_t shadow = XaStore(k.xa_nodes, inode.i_pages, index, pfn);
  inode.nrpages++;
  k.vmstat.node[kNrFilePages]++;
  LruAddCached(k, inode, pfn, shadow);
  k.Emit(EventLevel::kAll,
         MmFilemapAddToPageCache{inode.ino, index, pfn.value()});
  return pfn;
}

void DeleteFromPageCache(Kernel& k, Id<Inode> id, uint64_t index,
                         uint32_t value) {
  Inode& inode = k.inodes[id];
  const Pfn pfn = FilemapLookup(k, inode, index);
  if (!pfn.valid()) return;
  const Page& cached = std::as_const(k).page(pfn);
  if (cached.Is(page_flag::kLarge)) {
    VM_BUG_ON(value != 0);
    return DeleteFolioFromPageCache(k, FolioHead(cached, pfn));
  }
  SplitCacheFolio(k, inode, index);
  CancelDirty(k, inode, pfn);
  Page& page = k.page(pfn);
  VM_BUG_ON(page.Is(page_flag::kWriteback));
  page.flags &= ~page_flag::kReadahead;
  page.mapping = 0;
  if (value != 0) {
    XaStoreValue(k.xa_nodes, inode.i_pages, index, value);
  } else {
    XaErase(k.xa_nodes, inode.i_pages, index);
  }
  inode.nrpages--;
  k.vmstat.node[kNrFilePages]--;
  if (inode.shmem()) k.vmstat.node[kNrShmem]--;
  ShmemUnacctBlock(k, inode);
  k.Emit(EventLevel::kAll,
         MmFilemapDeleteFromPageCache{inode.ino, index, pfn.value()});
  PutPage(k, pfn);
  InodeAddLru(k, id);
}

bool RemoveMapping(Kernel& k, Pfn pfn, int32_t held) {
  const Page& page = std::as_const(k).page(pfn);
  if (page.Is(page_flag::kAnon) || page.mapping == 0) return false;
  if (page.Is(page_flag::kDirty | page_flag::kWriteback)) return false;
  if (page.refcount != 1 + held) return false;
  const Id<Inode> id(page.mapping);
  const uint64_t index = page.index;
  if (BeingRead(std::as_const(k), id, index)) return false;
  const uint32_t shadow = WorkingsetEviction(k, page);
  DeleteFromPageCache(k, id, index, k.inodes[id].shmem() ? 0 : shadow);
  return true;
}

Pfn FilemapGetOrRead(Kernel& k, Id<Inode> id, uint64_t index) {
  Pfn pfn = FilemapLookup(k, k.inodes[id], index);
  if (!pfn.valid()) {
    pfn = AddToPageCache(k, id, index);
    if (!pfn.valid() || !OnDevice(k.inodes[id])) return pfn;
    SubmitPages(k, BlockOp::kRead, id, index, 1);
    FinishPlug(k);
  }
  WaitOnRead(k, id, index);
  return pfn;
}

ErrnoOr<std::string> FileRead(Kernel& k, Id<Inode> id, FileRa* ra,
                              uint64_t offset, uint64_t length) {
  if (k.inodes[id].shmem()) return ShmemFileRead(k, id, ra, offset, length);
  const uint64_t size = k.inodes[id].size;
  if (offset >= size) return std::string();
  length = std::min(length, kMaxRwCount);
  const uint64_t end_page = PagesOf(PageAlign(offset + length)).value();
  length = std::min(length, size - offset);
  std::string out(length, '\0');
  uint64_t done = 0;
  int64_t last_pos = ra->prev_pos;
  while (done < length) {
    const uint64_t at = offset + done;
    const Pfn pfn = PageToRead(k, id, *ra, at >> kPageShift, end_page);
    if (!pfn.valid()) break;
    const uint64_t within = at & ~kPageMask;
    const uint64_t n = std::min(kPageSize - within, length - done);
    std::as_const(k.frames)[pfn].CopyTo(static_cast<uint32_t>(within),
                                        static_cast<uint32_t>(n), &out[done]);
    k.clock_ns += cost::kCacheRead;
    // Reading on in a page is one access.
    if (static_cast<int64_t>(at >> kPageShift) !=
        (last_pos - 1) >> kPageShift) {
      MarkPageAccessed(k, pfn);
    }
    done += n;
    last_pos = static_cast<int64_t>(offset + done);
  }
  ra->prev_pos = last_pos;
  if (done == 0 && length > 0) return Errno::kENOMEM;
  out.resize(done);
  return out;
}

ErrnoOr<uint64_t> FileWrite(Kernel& k, Id<Inode> id, uint64_t offset,
                            std::string_view data) {
  if (data.empty()) return uint64_t{0};
  if (offset >= kMaxFileBytes) return Errno::kEFBIG;
  data = data.substr(0, kMaxFileBytes - offset);
  uint64_t done = 0;
  while (done < data.size()) {
    if (CurrentIsOomVictim(k)) {
      if (done == 0) return Errno::kEINTR;
      break;
    }
    const uint64_t at = offset + done;
    const uint64_t end =
        std::min((at & kPageMask) + kPageSize, offset + data.size());
    if (ShmemForbidsWrite(k.inodes[id], end)) {
      if (done == 0) return Errno::kEPERM;
      break;
    }
    const Pfn pfn = PageToWrite(k, id, at, end);
    if (!pfn.valid()) {
      if (done == 0) return NoPage(k, id);
      break;
    }
    k.frames[pfn].CopyFrom(static_cast<uint32_t>(at & ~kPageMask),
                           data.substr(done, end - at));
    done += end - at;
    Inode& inode = k.inodes[id];
    uint32_t changed = inode_state::kDirtySync;
    if (end > inode.size) changed |= inode_state::kDirtyDatasync;
    inode.size = std::max(inode.size, end);
    FolioOf(k, pfn).flags |= page_flag::kUptodate;
    MarkPageDirty(k, pfn);
    MarkInodeDirty(k, id, changed);
    // shmem_get_folio_gfp(SGP_WRITE); other files' pages are not.
    if (inode.shmem()) MarkPageAccessed(k, pfn);
    BalanceDirtyPagesRatelimited(k, inode);
  }
  return done;
}

void PutFile(Kernel& k, Id<File> id) {
  File& file = k.open_files[id];
  VM_BUG_ON(file.f_count == 0);
  if (--file.f_count > 0) return;
  Id<Inode> inode_id = file.inode;
  const bool path_only = file.path_only;
  k.open_files.Delete(id);
  Inode& inode = k.inodes[inode_id];
  if (inode.special_file() && !path_only) DeviceRelease(k, inode);
  Iput(k, inode_id);
}

}  // namespace faultline

// Models mm/truncate.c (v6.18): truncate_inode_pages_range(),
// truncate_setsize(), mapping_try_invalidate(),
// invalidate_inode_pages2_range(); mm/swap.c: deactivate_file_folio();
// fs/inode.c: evict().
#include "server/machine/mm/truncate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/mm/backing_store.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/huge_file.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/readahead.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/writeback.h"

namespace faultline {
namespace {

// What is in the stead of pages [first, last] goes: shadows
// (clear_shadow_entries()), and what was swapped out (shmem_free_swap()). How
// many there were.
uint64_t ForgetValues(Kernel& k, Inode& inode, uint64_t first, uint64_t last) {
  uint64_t values = 0;
  const XaNodes& nodes = std::as_const(k).xa_nodes;
  for (auto at = XaFindValue(nodes, inode.i_pages, first, last); at;
       at = XaFindValue(nodes, inode.i_pages, *at, last)) {
    const uint32_t value = XaLoadValue(nodes, inode.i_pages, *at);
    XaErase(k.xa_nodes, inode.i_pages, *at);
    values++;
    if (!inode.shmem()) continue;
    FreeSwapAndCache(k, SwpEntry(value));
    inode.nrswapped--;
    ShmemUnacctBlock(k, inode);
  }
  return values;
}

// truncate_inode_partial_folio(): bytes [from, to] go, and the folio at page
// `index` has other bytes too: it is split where they begin and where they end.
// The first byte behind the folio; 0: there is no large one.
uint64_t SplitPartial(Kernel& k, Id<Inode> id, uint64_t index, uint64_t from,
                      uint64_t to) {
  const Pfn pfn = FilemapLookup(k, std::as_const(k).inodes[id], index);
  if (!pfn.valid() || !std::as_const(k).page(pfn).Is(page_flag::kLarge)) {
    return 0;
  }
  const Page folio = FolioOf(std::as_const(k), pfn);
  const Pfn head = FolioHead(std::as_const(k).page(pfn), pfn);
  const uint64_t start = folio.index << kPageShift;
  const uint64_t end = start + (FolioPages(folio) << kPageShift);
  const auto page_at = [&](uint64_t byte) {
    return head + PageCount((byte - start) >> kPageShift);
  };
  const uint64_t begin = std::max(from, start);
  if (begin == start && to >= end - 1) return end;  // all of it goes
  SplitFileFolioAt(k, page_at(begin));
  if (to >= end - 1) return end;
  const Pfn behind = page_at(to + 1);
  const Page& other = std::as_const(k).page(behind);
  // What lay beyond the file's end may be gone.
  if (other.Is(page_flag::kLarge)) SplitFileFolioAt(k, behind);
  return end;
}

// shmem_undo_range(): of bytes [from, to], the folios at either end.
void SplitPartialFolios(Kernel& k, Id<Inode> id, uint64_t from, uint64_t to) {
  if (!k.inodes[id].shmem()) return;
  const uint64_t end = SplitPartial(k, id, from >> kPageShift, from, to);
  if (to == UINT64_MAX || to < end) return;
  SplitPartial(k, id, to >> kPageShift, from, to);
}

// truncate_inode_pages_range(): pages [first, last], which nobody maps.
void TruncatePages(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last) {
  Inode& inode = k.inodes[id];
  WaitOnWriteback(k, id, first, last);
  for (auto at = XaFind(std::as_const(k).xa_nodes, inode.i_pages, first, last);
       at; at = XaFind(std::as_const(k).xa_nodes, inode.i_pages, *at, last)) {
    WaitOnRead(k, id, *at);
    DeleteFromPageCache(k, id, *at);
  }
  ForgetValues(k, inode, first, last);
}

// truncate_inode_partial_folio(): bytes [from, to) of one page.
void ZeroPart(Kernel& k, Id<Inode> id, uint64_t from, uint64_t to) {
  if (from >= to) return;
  const uint64_t index = from >> kPageShift;
  const bool stored = from < k.inodes[id].device_valid ||
                      ShmemIsSwapped(std::as_const(k), k.inodes[id], index);
  const Pfn pfn = stored ? FilemapGetOrRead(k, id, index)
                         : FilemapLookup(k, k.inodes[id], index);
  if (!pfn.valid()) return;
  WaitOnWriteback(k, id, index, index);
  k.frames[pfn].Zero(static_cast<uint32_t>(from & ~kPageMask),
                     static_cast<uint32_t>(to - from));
  const Inode& inode = k.inodes[id];
  if (OnDevice(inode) || inode.shmem()) MarkPageDirty(k, pfn);
}

// mapping_evict_folio(): of the cache alone, and the same as on the disk?
bool MayEvict(const Kernel& k, const Inode& inode, const CacheFolio& folio) {
  for (uint64_t i = folio.index; i < folio.index + folio.pages; i++) {
    const Page& page = FolioOf(k, FilemapLookup(k, inode, i));
    if (page.Is(page_flag::kDirty | page_flag::kWriteback)) return false;
    if (page.refcount != 1) return false;
    if (BeingRead(k, Id<Inode>(page.mapping), i)) return false;
  }
  return true;
}

}  // namespace

void ZeroTail(Kernel& k, Id<Inode> id, uint64_t at) {
  if (OnDevice(std::as_const(k).inodes[id])) ZeroPart(k, id, at, PageAlign(at));
}

Errno FileTruncate(Kernel& k, Id<Inode> id, uint64_t size) {
  if (size > kMaxFileBytes) return Errno::kEFBIG;
  Inode& inode = k.inodes[id];
  const uint64_t old = inode.size;
  if ((size < old && inode.Sealed(seal::kShrink)) ||
      (size > old && inode.Sealed(seal::kGrow))) {
    return Errno::kEPERM;
  }
  inode.size = size;
  if (size != old) MarkInodeDirty(k, id, inode_state::kDirtyInode);
  if (size > old) {
    if (k.quirks.ext4_zeroes_old_tail) ZeroTail(k, id, old);
    return Errno::kOk;
  }
  // shmem_setattr(): to the size that it has is to drop what lies beyond.
  if (size == old && !inode.shmem()) {
    ZeroTail(k, id, size);  // ext4_truncate()
    return Errno::kOk;
  }
  const uint64_t first = PagesOf(PageAlign(size)).value();
  inode.truncate_count++;
  if (old > PageAlign(size)) {
    UnmapMappingPages(k, inode, first, ~uint64_t{0} >> 1, true);
  }
  if (inode.fallocend > first) inode.fallocend = first;
  SplitPartialFolios(k, id, size, UINT64_MAX);
  TruncatePages(k, id, first, UINT64_MAX);
  ZeroTail(k, id, size);
  inode.device_valid = std::min(inode.device_valid, size);
  if (const uint64_t tail = size & ~kPageMask; tail != 0) {
    const uint64_t at = size >> kPageShift;
    const Pfn pfn = ShmemIsSwapped(std::as_const(k), inode, at)
                        ? ShmemSwapin(k, id, at)
                        : FilemapLookup(k, inode, at);
    if (pfn.valid()) {
      k.frames[pfn].Zero(static_cast<uint32_t>(tail),
                         static_cast<uint32_t>(kPageSize - tail));
      // shmem_undo_range(); truncate_inode_partial_folio() does not.
      if (inode.shmem()) MarkPageDirty(k, pfn);
    }
  }
  return Errno::kOk;
}

namespace {

// Pages [first, last] go; the hole is of bytes [from, to].
void PunchPages(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last,
                uint64_t from, uint64_t to) {
  Inode& inode = k.inodes[id];
  inode.truncate_count++;
  UnmapMappingPages(k, inode, first, last, false);
  if (inode.fallocend > first && inode.fallocend <= last + 1) {
    inode.fallocend = first;
  }
  SplitPartialFolios(k, id, from, to);
  TruncatePages(k, id, first, last);
  StoreHole(inode, first, last);
}

}  // namespace

void PunchHole(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last) {
  PunchPages(k, id, first, last, first << kPageShift,
             ((last + 1) << kPageShift) - 1);
}

void PunchHoleBytes(Kernel& k, Id<Inode> id, uint64_t offset, uint64_t length) {
  const uint64_t end = offset + length;
  const uint64_t first = PagesOf(PageAlign(offset)).value();
  const uint64_t last = end >> kPageShift;  // not included
  if (first < last) PunchPages(k, id, first, last - 1, offset, end - 1);
  // shmem_fallocate() takes the end of what to unmap as unsigned: a hole that
  // ends in the first page unmaps everything behind its beginning.
  if (last == 0 && k.inodes[id].shmem()) {
    UnmapMappingPages(k, k.inodes[id], first, ~uint64_t{0} >> 1, false);
  }
  if (first >= last) SplitPartialFolios(k, id, offset, end - 1);
  if (offset & ~kPageMask) {
    ZeroPart(k, id, offset, std::min(end, first << kPageShift));
  }
  const bool own_page = first <= last;  // not the page that was zeroed above
  if ((end & ~kPageMask) != 0 && own_page) {
    ZeroPart(k, id, last << kPageShift, end);
  }
}

namespace {

// deactivate_file_folio(), lru_deactivate_file(): nobody wants the page any
// more, so reclaim is to come by it soon; when it is clean, first of all. Of a
// folio of several pages the head has the flags.
void DeactivateFilePage(Kernel& k, Pfn pfn, bool is_head) {
  Page& page = k.page(pfn);
  if (!page.Is(page_flag::kLru) || page.Is(page_flag::kUnevictable)) return;
  if (page.Is(page_flag::kLarge)
          ? LargeFolioOf(std::as_const(k), pfn).large_mapcount > 0
          : page.mapcount > 0) {
    return;
  }
  const bool active = page.Is(page_flag::kActive);
  LruDel(k, pfn);
  page.flags &= ~(page_flag::kActive | page_flag::kReferenced);
  if (page.Is(page_flag::kWriteback | page_flag::kDirty)) {
    LruAdd(k, pfn);
    if (is_head) page.flags |= page_flag::kReclaim;
  } else {
    LruAddTail(k, pfn);
    k.vmstat.events[kPgRotated]++;
  }
  if (active) k.vmstat.events[kPgDeactivate]++;
}

}  // namespace

uint64_t InvalidateMappingPages(Kernel& k, Id<Inode> id, uint64_t first,
                                uint64_t last) {
  uint64_t dropped = 0;
  Inode& inode = k.inodes[id];
  uint64_t from = first;
  while (const auto at =
             XaFind(std::as_const(k).xa_nodes, inode.i_pages, from, last)) {
    const CacheFolio folio = CacheFolioOf(std::as_const(k), inode, *at);
    const uint64_t end = folio.index + folio.pages;
    // find_lock_entries() takes what is within the range as a whole.
    if (folio.index >= first && end - 1 <= last) {
      const bool evict = MayEvict(std::as_const(k), inode, folio);
      for (uint64_t i = folio.index; i < end; i++) {
        if (evict) {
          DeleteFromPageCache(k, id, i);
        } else if (!BeingRead(k, id, i)) {  // a locked folio is passed over
          DeactivateFilePage(k, FilemapLookup(k, inode, i), i == folio.index);
        }
      }
      dropped += evict ? folio.pages : 0;
    }
    from = end;
  }
  if (!inode.shmem()) dropped += ForgetValues(k, inode, first, last);
  return dropped;
}

void InvalidateInodePages2(Kernel& k, Id<Inode> id, uint64_t first,
                           uint64_t last) {
  UnmapMappingPages(k, k.inodes[id], first, last, false);
  TruncatePages(k, id, first, last);
}

void EvictInode(Kernel& k, Id<Inode> id) {
  VM_BUG_ON(k.inodes[id].i_mmap);
  TruncatePages(k, id, 0, UINT64_MAX);
  ForgetDirtyInode(k, id);
  ForgetUnused(k, id);
  k.vm_committed -= k.inodes[id].commit_charge;
  k.inodes.Delete(id);
}

}  // namespace faultline

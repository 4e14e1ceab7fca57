// Models mm/filemap.c (v6.18): filemap_fault(), filemap_add_folio(),
// generic_perform_write(); mm/truncate.c: truncate_pagecache(); mm/shmem.c:
// shmem_fault(); mm/readahead.c: read-around of a faulting page.
// Departures: D8 (file size limit), D9 (readahead is one fixed window).
#include "server/machine/mm/filemap.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/device_map.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/swap.h"

namespace faultline {
namespace {

// VM_READAHEAD_PAGES: 128 KiB.
constexpr uint64_t kReadaheadPages = 32;

// What the device holds at this page of the file.
PageBytes DeviceBytes(const Inode& inode, uint64_t index) {
  uint64_t from = index << kPageShift;
  if (from >= inode.device_valid) return PageBytes();
  PageBytes bytes;
  switch (inode.content) {
    case FileContent::kHole:
      break;
    case FileContent::kBytes:
      bytes = inode.device[index];
      break;
    case FileContent::kPattern:
      bytes = PageBytes::Filled(
          static_cast<uint8_t>(inode.seed * 37 + index * 7 + 1));
      break;
  }
  uint64_t valid = inode.device_valid - from;
  if (valid < kPageSize) {
    bytes.Zero(static_cast<uint32_t>(valid),
               static_cast<uint32_t>(kPageSize - valid));
  }
  return bytes;
}

// A page of the device is stored; a pattern becomes bytes that way.
void WriteDevice(Inode& inode, uint64_t index, const PageBytes& bytes) {
  if (inode.content != FileContent::kBytes) {
    uint64_t pages = PagesOf(PageAlign(inode.device_valid)).value();
    for (uint64_t i = 0; i < pages; i++) {
      inode.device[i] = DeviceBytes(std::as_const(inode), i);
    }
    inode.content = FileContent::kBytes;
  }
  inode.device[index] = bytes;
  inode.device_valid = std::max(
      inode.device_valid, std::min((index + 1) << kPageShift, inode.size));
}

bool OnDevice(const Inode& inode) { return inode.fs == FsType::kExt4; }

Pfn AddToPageCache(Kernel& k, Id<Inode> id, uint64_t index) {
  Inode& inode = k.inodes[id];
  if (!ShmemAcctBlock(k, inode)) return {};
  Pfn pfn = AllocPages(k, gfp::kHighUserMovable, 0);
  if (!pfn.valid()) {
    ShmemUnacctBlock(k, inode);
    return pfn;
  }
  k.frames[pfn] = DeviceBytes(std::as_const(inode), index);
  Page& page = k.page(pfn);
  page.flags |= page_flag::kUptodate | page_flag::kLru;
  page.mapping = id.value();
  page.index = index;
  if (inode.shmem()) {
    page.flags |= page_flag::kSwapBacked;
    k.vmstat.node[kNrShmem]++;
  }
  inode.i_pages[index] = pfn;
  inode.nrpages++;
  k.vmstat.node[kNrFilePages]++;
  k.Emit(EventLevel::kAll,
         MmFilemapAddToPageCache{inode.ino, index, pfn.value()});
  return pfn;
}

void DeleteFromPageCache(Kernel& k, Inode& inode, uint64_t index) {
  Pfn pfn = std::as_const(inode).i_pages[index];
  if (!pfn.valid()) return;
  Page& page = k.page(pfn);
  if (OnDevice(inode) && page.Is(page_flag::kDirty)) {
    k.vmstat.node[kNrFileDirty]--;
  }
  page.flags &= ~page_flag::kDirty;
  page.mapping = 0;
  inode.i_pages[index] = Pfn();
  inode.nrpages--;
  k.vmstat.node[kNrFilePages]--;
  if (inode.shmem()) k.vmstat.node[kNrShmem]--;
  ShmemUnacctBlock(k, inode);
  k.Emit(EventLevel::kAll,
         MmFilemapDeleteFromPageCache{inode.ino, index, pfn.value()});
  PutPage(k, pfn);
}

// shmem_write_begin(): may [at, end) be written?
bool SealsForbidWrite(const Inode& inode, uint64_t end) {
  return inode.Sealed(seal::kAnyWrite) ||
         (inode.Sealed(seal::kGrow) && end > inode.size);
}

// Calls f(index) for the cached pages in [first, last].
template <class F>
void ForEachCached(const Inode& inode, uint64_t first, uint64_t last, F f) {
  if (inode.nrpages == 0) return;
  std::vector<uint64_t> cached;
  inode.i_pages.ForEach([&](size_t index, Pfn pfn) {
    if (pfn.valid() && index >= first && index <= last) cached.push_back(index);
  });
  for (uint64_t index : cached) f(index);
}

// do_sync_mmap_readahead(): reads the window around the fault from the
// device. False when the faulting page itself found no memory.
bool ReadAround(Kernel& k, Id<Inode> id, const Vma& vma, uint64_t index) {
  uint64_t size_pages = PagesOf(PageAlign(k.inodes[id].size)).value();
  uint64_t first = index, last = index + 1;
  if (!vma.Has(vm::kRandRead)) {
    first = vma.Has(vm::kSeqRead)
                ? index
                : index - std::min(index, kReadaheadPages / 2);
    last = std::min(first + kReadaheadPages, size_pages);
  }
  k.clock_ns += cost::kDiskRead;
  for (uint64_t i = first; i < last; i++) {
    if (FilemapLookup(k.inodes[id], i).valid()) continue;
    if (!AddToPageCache(k, id, i).valid() && i <= index) return false;
  }
  return true;
}

// shmem_get_folio(SGP_READ): a hole, and what fallocate() left, reads as zeros
// and stays as it is.
Pfn ShmemPageToRead(const Kernel& k, Id<Inode> id, uint64_t index) {
  const Pfn pfn = FilemapLookup(k.inodes[id], index);
  const bool filled = pfn.valid() && k.page(pfn).Is(page_flag::kUptodate);
  return filled ? pfn : Pfn();
}

}  // namespace

FilemapResult FilemapFault(Kernel& k, const Vma& vma, uint64_t index) {
  Id<Inode> id = k.open_files[vma.file].inode;
  Inode& inode = k.inodes[id];
  if (vma.ops == VmOps::kDevice) return DeviceFault(k, inode, index);
  if (index >= PagesOf(PageAlign(inode.size)).value()) {
    return {Pfn(), vm_fault::kSigbus};
  }
  Pfn pfn = FilemapLookup(inode, index);
  if (pfn.valid()) {
    k.page(pfn).flags |= page_flag::kUptodate;  // what fallocate() left
    return {pfn, 0};
  }
  if (inode.shmem()) {
    pfn = AddToPageCache(k, id, index);
    if (pfn.valid()) return {pfn, 0};
    return {pfn, ShmemHasRoom(k, inode) ? vm_fault::kOom : vm_fault::kSigbus};
  }
  k.vmstat.events[kPgMajFault]++;
  if (OnDevice(inode)) {
    if (!ReadAround(k, id, vma, index)) return {Pfn(), vm_fault::kOom};
  } else if (!AddToPageCache(k, id, index).valid()) {
    return {Pfn(), vm_fault::kOom};
  }
  return {FilemapLookup(k.inodes[id], index), vm_fault::kMajor};
}

Pfn FilemapGetOrRead(Kernel& k, Id<Inode> id, uint64_t index) {
  Pfn pfn = FilemapLookup(k.inodes[id], index);
  if (pfn.valid()) return pfn;
  if (OnDevice(k.inodes[id])) k.clock_ns += cost::kDiskRead;
  return AddToPageCache(k, id, index);
}

void MarkPageDirty(Kernel& k, Pfn pfn) {
  Page& page = FolioOf(k, pfn);
  if (page.Is(page_flag::kDirty) || page.Is(page_flag::kReserved)) return;
  page.flags |= page_flag::kDirty;
  if (page.Is(page_flag::kAnon) || page.mapping == 0) return;
  if (OnDevice(k.inodes[Id<Inode>(page.mapping)])) {
    k.vmstat.node[kNrFileDirty]++;
  }
}

ErrnoOr<std::string> FileRead(Kernel& k, Id<Inode> id, FileRa* ra,
                              uint64_t offset, uint64_t length) {
  const uint64_t size = k.inodes[id].size;
  if (offset >= size) return std::string();
  length = std::min(length, size - offset);
  const bool shmem = k.inodes[id].shmem();
  std::string out;
  out.reserve(length);
  while (out.size() < length) {
    const uint64_t at = offset + out.size();
    const uint64_t first = at & ~kPageMask;
    const uint64_t end =
        std::min<uint64_t>(kPageSize, first + length - out.size());
    const Pfn pfn = shmem ? ShmemPageToRead(k, id, at >> kPageShift)
                          : FilemapGetOrRead(k, id, at >> kPageShift);
    if (!pfn.valid() && !shmem) {
      if (out.empty()) return Errno::kENOMEM;
      break;
    }
    const PageBytes zeros;
    const PageBytes& bytes = pfn.valid() ? std::as_const(k.frames)[pfn] : zeros;
    for (uint64_t i = first; i < end; i++) {
      out.push_back(static_cast<char>(bytes.Read(static_cast<uint32_t>(i))));
    }
    // Reading on in a page is one access; of shmem, its beginning is.
    const bool accessed = shmem ? first == 0
                                : static_cast<int64_t>(at >> kPageShift) !=
                                      (ra->prev_pos - 1) >> kPageShift;
    if (pfn.valid() && accessed) MarkPageAccessed(k, pfn);
    ra->prev_pos = static_cast<int64_t>(offset + out.size());
  }
  return out;
}

ErrnoOr<uint64_t> FileWrite(Kernel& k, Id<Inode> id, uint64_t offset,
                            std::string_view data) {
  if (data.empty()) return uint64_t{0};
  if (offset >= kMaxFileBytes) return Errno::kEFBIG;
  data = data.substr(0, kMaxFileBytes - offset);
  uint64_t done = 0;
  while (done < data.size()) {
    uint64_t at = offset + done;
    const uint64_t end =
        std::min((at & kPageMask) + kPageSize, offset + data.size());
    if (SealsForbidWrite(k.inodes[id], end)) {
      if (done == 0) return Errno::kEPERM;
      break;
    }
    Pfn pfn = FilemapGetOrRead(k, id, at >> kPageShift);
    if (!pfn.valid()) {
      if (done == 0) return NoPage(k, id);
      break;
    }
    PageBytes& bytes = k.frames[pfn];
    for (uint64_t i = at & ~kPageMask; i < kPageSize && done < data.size();
         i++, done++) {
      bytes.Write(static_cast<uint32_t>(i), static_cast<uint8_t>(data[done]));
    }
    Inode& inode = k.inodes[id];
    inode.size = std::max(inode.size, offset + done);
    k.page(pfn).flags |= page_flag::kUptodate;
    MarkPageDirty(k, pfn);
    // shmem_get_folio_gfp(SGP_WRITE); other files' pages are not.
    if (inode.shmem()) MarkPageAccessed(k, pfn);
  }
  return done;
}

Errno NoPage(Kernel& k, Id<Inode> id) {
  return ShmemHasRoom(k, k.inodes[id]) ? Errno::kENOMEM : Errno::kENOSPC;
}

Errno FileTruncate(Kernel& k, Id<Inode> id, uint64_t size) {
  if (size > kMaxFileBytes) return Errno::kEFBIG;
  Inode& inode = k.inodes[id];
  uint64_t old = inode.size;
  if ((size < old && inode.Sealed(seal::kShrink)) ||
      (size > old && inode.Sealed(seal::kGrow))) {
    return Errno::kEPERM;
  }
  inode.size = size;
  if (size >= old) return Errno::kOk;
  uint64_t first = PagesOf(PageAlign(size)).value();
  UnmapMappingPages(k, inode, first, ~uint64_t{0} >> 1, true);
  ForEachCached(inode, first, ~uint64_t{0},
                [&](uint64_t i) { DeleteFromPageCache(k, k.inodes[id], i); });
  inode.device_valid = std::min(inode.device_valid, size);
  if (uint64_t tail = size & ~kPageMask; tail != 0) {
    Pfn pfn = FilemapLookup(inode, size >> kPageShift);
    if (pfn.valid()) {
      k.frames[pfn].Zero(static_cast<uint32_t>(tail),
                         static_cast<uint32_t>(kPageSize - tail));
      // shmem_undo_range(); truncate_inode_partial_folio() does not.
      if (inode.shmem()) MarkPageDirty(k, pfn);
    }
  }
  return Errno::kOk;
}

void PunchHole(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last) {
  Inode& inode = k.inodes[id];
  UnmapMappingPages(k, inode, first, last, false);
  ForEachCached(inode, first, last,
                [&](uint64_t i) { DeleteFromPageCache(k, k.inodes[id], i); });
  uint64_t pages = PagesOf(PageAlign(inode.device_valid)).value();
  for (uint64_t i = first; i <= last && i < pages; i++) {
    WriteDevice(inode, i, PageBytes());
  }
}

void PunchHoleBytes(Kernel& k, Id<Inode> id, uint64_t offset, uint64_t length) {
  const uint64_t end = offset + length;
  const uint64_t first = PagesOf(PageAlign(offset)).value();
  const uint64_t last = end >> kPageShift;  // not included
  if (first < last) PunchHole(k, id, first, last - 1);
  // shmem_fallocate() takes the end of what to unmap as unsigned: a hole that
  // ends in the first page unmaps everything behind its beginning.
  if (last == 0 && k.inodes[id].shmem()) {
    UnmapMappingPages(k, k.inodes[id], first, ~uint64_t{0} >> 1, false);
  }
  // truncate_inode_partial_folio()
  const auto zero = [&](uint64_t from, uint64_t to) {
    const uint64_t index = from >> kPageShift;
    const bool stored = from < k.inodes[id].device_valid;
    Pfn pfn = stored ? FilemapGetOrRead(k, id, index)
                     : FilemapLookup(k.inodes[id], index);
    if (!pfn.valid() || from >= to) return;
    k.frames[pfn].Zero(static_cast<uint32_t>(from & ~kPageMask),
                       static_cast<uint32_t>(to - from));
    if (OnDevice(k.inodes[id]) || k.inodes[id].shmem()) MarkPageDirty(k, pfn);
  };
  if (offset & ~kPageMask) zero(offset, std::min(end, first << kPageShift));
  const bool own_page = first <= last;  // not the page that was zeroed above
  if ((end & ~kPageMask) != 0 && own_page) zero(last << kPageShift, end);
}

bool FilemapAllocate(Kernel& k, Id<Inode> id, uint64_t index) {
  Pfn pfn = FilemapLookup(k.inodes[id], index);
  const bool fresh = !pfn.valid();
  if (fresh) pfn = AddToPageCache(k, id, index);
  if (!pfn.valid()) return false;
  // What was allocated before may not be taken back by this call's failure.
  if (fresh) {
    k.page(pfn).flags &= ~page_flag::kUptodate;
  } else {
    k.page(pfn).flags |= page_flag::kUptodate;
  }
  MarkPageDirty(k, pfn);
  return true;
}

void ReclaimFilePage(Kernel& k, Pfn pfn) {
  const Page& page = std::as_const(k).page(pfn);
  if (page.Is(page_flag::kAnon)) return;
  const Id<Inode> id(page.mapping);
  const uint64_t index = page.index;
  if (k.inodes[id].fs == FsType::kRamfs && !k.inodes[id].shmem()) return;
  UnmapMappingPages(k, k.inodes[id], index, index, false);
  if (std::as_const(k).page(pfn).Is(page_flag::kDirty)) return;
  DeleteFromPageCache(k, k.inodes[id], index);
}

void FileSync(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last) {
  Inode& inode = k.inodes[id];
  if (!OnDevice(inode)) return;
  ForEachCached(inode, first, last, [&](uint64_t index) {
    Pfn pfn = FilemapLookup(inode, index);
    // folio_mkclean(): a dirty PTE makes the page dirty and read-only again.
    ForEachFileMapping(k, inode, index, [&](Vma& vma, VirtAddr addr) {
      if (!vma.Has(vm::kShared)) return;
      PteRef ref = FindPte(std::as_const(k), k.mms[vma.mm], addr);
      if (!ref.ok()) return;
      Pte pte = ReadPte(std::as_const(k), ref);
      if (!pte.present() || pte.pfn() != pfn) return;
      if (!pte.dirty() && !pte.writable()) return;
      if (pte.dirty()) MarkPageDirty(k, pfn);
      SetPte(k, ref, pte.Without(Pte::kDirty | Pte::kWrite));
      FlushTlbRange(k, k.mms[vma.mm], addr, addr + kPageSize);
    });
    Page& page = k.page(pfn);
    if (!page.Is(page_flag::kDirty)) return;
    page.flags &= ~page_flag::kDirty;
    k.vmstat.node[kNrFileDirty]--;
    WriteDevice(inode, index, std::as_const(k.frames)[pfn]);
  });
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
  if (--inode.opens == 0 && !inode.linked) EvictInode(k, inode_id);
}

void EvictInode(Kernel& k, Id<Inode> id) {
  VM_BUG_ON(k.inodes[id].i_mmap);
  ForEachCached(k.inodes[id], 0, ~uint64_t{0},
                [&](uint64_t i) { DeleteFromPageCache(k, k.inodes[id], i); });
  k.vm_committed -= k.inodes[id].commit_charge;
  k.inodes.Delete(id);
}

}  // namespace faultline

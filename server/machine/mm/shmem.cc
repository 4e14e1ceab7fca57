// Models mm/shmem.c (v6.18): shmem_zero_setup(), shmem_kernel_file_setup(),
// shmem_acct_size(), shmem_acct_blocks(), shmem_fault(), shmem_get_folio_gfp(),
// shmem_file_read_iter(), shmem_write_begin(), shmem_unuse().
#include "server/machine/mm/shmem.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/swap_state.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/util.h"

namespace faultline {

Id<File> ShmemFileSetup(Kernel& k, uint64_t bytes, std::string path) {
  Id<Inode> inode_id = k.inodes.New();
  Inode& inode = k.inodes[inode_id];
  inode.ino = ++k.last_ino;
  inode.dev_minor = 1;
  inode.fs = FsType::kTmpfs;
  inode.mode = 0777;
  inode.size = bytes;
  inode.path = std::move(path);
  inode.linked = false;
  inode.opens = 1;
  Id<File> file_id = k.open_files.New();
  File& file = k.open_files[file_id];
  file.inode = inode_id;
  file.readable = file.writable = true;
  file.f_count = 1;
  return file_id;
}

ErrnoOr<Id<File>> ShmemZeroSetup(Kernel& k, const Mm& mm, uint64_t bytes,
                                 uint64_t vm_flags) {
  uint64_t charged = vm_flags & vm::kNoReserve ? 0 : bytes >> kPageShift;
  if (charged > 0) FL_TRY(VmEnoughMemory(k, mm, charged));
  Id<File> file = ShmemFileSetup(k, bytes, "/dev/zero");
  k.inodes[k.open_files[file].inode].commit_charge = charged;
  return file;
}

bool ShmemAcctBlock(Kernel& k, const Inode& inode) {
  if (!inode.charges_pages()) return true;
  if (!k.current || !k.Current().mm) {  // nobody's limits
    k.vm_committed++;
    return true;
  }
  return VmEnoughMemory(k, k.mms[k.Current().mm], 1) == Errno::kOk;
}

bool ShmemHasRoom(Kernel& k, const Inode& inode) {
  if (!ShmemAcctBlock(k, inode)) return false;
  ShmemUnacctBlock(k, inode);
  return true;
}

FilemapResult ShmemFault(Kernel& k, Id<Inode> id, uint64_t index) {
  Pfn pfn = FilemapLookup(k, k.inodes[id], index);
  const uint64_t read = k.vmstat.events[kPgMajFault];
  if (!pfn.valid()) pfn = AddToPageCache(k, id, index);
  const bool major = k.vmstat.events[kPgMajFault] != read;
  if (!pfn.valid()) {
    const bool room = ShmemHasRoom(k, k.inodes[id]);
    return {Pfn(), room ? vm_fault::kOom : vm_fault::kSigbus};
  }
  FolioOf(k, pfn).flags |= page_flag::kUptodate;  // what fallocate() left
  return {pfn, major ? vm_fault::kMajor : 0};
}

ErrnoOr<std::string> ShmemFileRead(Kernel& k, Id<Inode> id, FileRa* ra,
                                   uint64_t offset, uint64_t length) {
  const Inode& inode = k.inodes[id];
  if (offset >= inode.size) return std::string();
  length = std::min(length, inode.size - offset);
  std::string out(length, '\0');
  for (uint64_t done = 0, n = 0; done < length; done += n) {
    const uint64_t at = offset + done;
    const uint64_t within = at & ~kPageMask;
    n = std::min(kPageSize - within, length - done);
    // SGP_READ: what fallocate() left reads as zeros, as holes do.
    const uint64_t index = at >> kPageShift;
    const Pfn pfn = ShmemIsSwapped(std::as_const(k), inode, index)
                        ? ShmemSwapin(k, id, index)
                        : FilemapLookup(k, inode, index);
    if (!pfn.valid() ||
        !FolioOf(std::as_const(k), pfn).Is(page_flag::kUptodate)) {
      continue;
    }
    std::as_const(k.frames)[pfn].CopyTo(static_cast<uint32_t>(within),
                                        static_cast<uint32_t>(n), &out[done]);
    // To read a folio's beginning is to use it.
    if (within == 0 && !k.page(pfn).Is(page_flag::kTail)) {
      MarkPageAccessed(k, pfn);
    }
  }
  ra->prev_pos = static_cast<int64_t>(offset + length);
  return out;
}

bool ShmemForbidsWrite(const Inode& inode, uint64_t end) {
  return inode.Sealed(seal::kAnyWrite) ||
         (inode.Sealed(seal::kGrow) && end > inode.size);
}

Errno NoPage(Kernel& k, Id<Inode> id) {
  return ShmemHasRoom(k, k.inodes[id]) ? Errno::kENOMEM : Errno::kENOSPC;
}

bool ShmemAllocate(Kernel& k, Id<Inode> id, uint64_t index) {
  Pfn pfn = FilemapLookup(k, k.inodes[id], index);
  const bool fresh =
      !pfn.valid() && !ShmemIsSwapped(std::as_const(k), k.inodes[id], index);
  if (!pfn.valid()) pfn = AddToPageCache(k, id, index);
  if (!pfn.valid()) return false;
  // What was allocated before may not be taken back by this call's failure.
  if (fresh) {
    k.page(pfn).flags &= ~page_flag::kUptodate;
  } else {
    FolioOf(k, pfn).flags |= page_flag::kUptodate;
  }
  MarkPageDirty(k, pfn);
  return true;
}

bool ShmemWriteout(Kernel& k, Pfn pfn) {
  const SwpEntry slot = AllocSwapSlot(k);
  if (!slot.valid()) return false;
  AddToSwapCache(k, pfn, slot);
  SwapWriteout(k, pfn);
  SwapDuplicate(k, slot);
  const Page& page = std::as_const(k).page(pfn);
  const Id<Inode> id(page.mapping);
  const uint64_t index = page.index;
  DeleteFromPageCache(k, id, index, slot.value());
  Inode& inode = k.inodes[id];
  if (inode.charges_pages()) k.vm_committed++;  // its block is still the file's
  inode.nrswapped++;
  return true;
}

Pfn ShmemSwapin(Kernel& k, Id<Inode> id, uint64_t index) {
  const SwpEntry slot(
      XaLoadValue(std::as_const(k).xa_nodes, k.inodes[id].i_pages, index));
  const SwapinResult in = Swapin(k, slot);
  if (!in.pfn.valid()) return in.pfn;
  if (in.read) k.vmstat.events[kPgMajFault]++;
  Inode& inode = k.inodes[id];
  inode.nrswapped--;
  SwapFree(k, slot);
  FreeSwapOf(k, in.pfn);        // sets it dirty
  Page& page = k.page(in.pfn);  // our reference becomes the cache's
  page.mapping = id.value();
  page.index = index;
  XaStore(k.xa_nodes, inode.i_pages, index, in.pfn);
  inode.nrpages++;
  k.vmstat.node[kNrFilePages]++;
  k.vmstat.node[kNrShmem]++;
  k.Emit(EventLevel::kAll,
         MmFilemapAddToPageCache{inode.ino, index, in.pfn.value()});
  return in.pfn;
}

namespace {

// shmem_unuse_inode()
bool UnuseInode(Kernel& k, Id<Inode> id, uint32_t type) {
  const XaNodes& nodes = std::as_const(k).xa_nodes;
  const XArray& xa = k.inodes[id].i_pages;
  for (auto at = XaFindValue(nodes, xa, 0, UINT64_MAX); at;
       at = XaFindValue(nodes, xa, *at + 1, UINT64_MAX)) {
    if (SwpEntry(XaLoadValue(nodes, xa, *at)).type() != type) continue;
    if (!ShmemSwapin(k, id, *at).valid()) return false;
  }
  return true;
}

}  // namespace

bool ShmemUnuse(Kernel& k, uint32_t type) {
  std::vector<Id<Inode>> swapped;
  std::as_const(k).inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
    if (inode.nrswapped > 0) swapped.push_back(id);
  });
  for (const Id<Inode> id : swapped) {
    // Whoever had it may have been killed for the memory that the others took.
    if (!k.inodes.Has(id)) continue;
    // shmem_evict_inode() waits for this one (stop_eviction).
    LookupInode(k, id);
    k.inodes[id].opens++;
    const bool unused = UnuseInode(k, id, type);
    Iput(k, id);
    if (!unused) return false;
  }
  return true;
}

}  // namespace faultline

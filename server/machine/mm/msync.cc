// Models mm/msync.c and mm/mincore.c (v6.18): sys_msync(), do_mincore(),
// mincore_pte_range().
#include "server/machine/mm/msync.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/mm/writeback.h"

namespace faultline {
namespace {

// What mincore says of one page of a VMA.
char PageInCore(const Kernel& k, const Vma& vma, VirtAddr addr) {
  const Pte pte = LookAtPte(k, k.mms[vma.mm], addr);
  if (pte.present()) return 1;
  // mincore_swap(): is it in the swap cache?
  if (pte.swapped()) return SlotOf(k, SwpEntry::Of(pte)).cache.valid() ? 1 : 0;
  if (!vma.file) return 0;
  const Id<Inode> id = k.open_files[vma.file].inode;
  const uint64_t index = vma.PageIndex(addr);
  const Pfn pfn = FilemapLookup(k, k.inodes[id], index);
  if (!pfn.valid() || BeingRead(k, id, index)) return 0;
  return FolioOf(k, pfn).Is(page_flag::kUptodate) ? 1 : 0;
}

// Is [start, end) within this one VMA?
bool Covers(const Kernel& k, Id<Vma> vma, VirtAddr start, VirtAddr end) {
  const VmaBranch& b = k.vma_branches[vma.value()];
  return b.start() <= start && end <= b.end();
}

}  // namespace

Errno DoMsync(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
              uint64_t flags) {
  constexpr uint64_t kAsync = 1, kInvalidate = 2, kSync = 4;
  if (flags & ~(kAsync | kInvalidate | kSync)) return Errno::kEINVAL;
  if (addr & ~kPageMask) return Errno::kEINVAL;
  if ((flags & kAsync) && (flags & kSync)) return Errno::kEINVAL;
  VirtAddr start(addr), end(addr + PageAlign(length));
  if (end < start) return Errno::kENOMEM;
  if (end == start) return Errno::kOk;
  MmapReadLock(mm);
  Errno unmapped = Errno::kOk;
  Id<Vma> at = FindVma(k, mm, start);
  while (true) {
    if (!at) return Errno::kENOMEM;
    // MS_ASYNC alone does nothing: that there is a mapping is all it asks, and
    // the tree says so.
    if (flags == kAsync && Covers(k, at, start, end)) return unmapped;
    const Vma& vma = std::as_const(k.vmas)[at];
    if (start < vma.start) {
      if (flags == kAsync) return Errno::kENOMEM;
      start = vma.start;
      if (start >= end)
        return unmapped == Errno::kOk ? Errno::kENOMEM : unmapped;
      unmapped = Errno::kENOMEM;
    }
    if ((flags & kInvalidate) && vma.Has(vm::kLocked)) return Errno::kEBUSY;
    VirtAddr stop = std::min(vma.end, end);
    if ((flags & kSync) && vma.file && vma.Has(vm::kShared)) {
      if (vma.ops == VmOps::kDevice) return Errno::kEINVAL;  // no f_op->fsync
      VfsFsync(k, k.open_files[vma.file].inode,
               vma.PageIndex(start) << kPageShift,
               (vma.PageIndex(stop) << kPageShift) - 1, true);
    }
    start = vma.end;
    if (start >= end) return unmapped;
    at = vma.next;
  }
}

Errno DoMincore(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
                std::string* vec) {
  if (addr & ~kPageMask) return Errno::kEINVAL;
  if (addr > mm.task_size || length > mm.task_size - addr) {
    return Errno::kENOMEM;
  }
  VirtAddr at(addr), end(addr + PageAlign(length));
  const Kernel& ck = std::as_const(k);
  // do_mincore() fills one page of the vector at a time.
  constexpr uint64_t kChunkBytes = kPageSize * kPageSize;
  VirtAddr chunk = at;
  auto lock_chunk = [&] {
    if (at < chunk) return;
    MmapReadLock(mm);
    chunk = chunk + kChunkBytes;
  };
  while (at < end) {
    lock_chunk();
    Id<Vma> id = LookupVma(ck, mm, at);
    if (!id || ck.vmas[id].start > at) return Errno::kENOMEM;
    const Vma& vma = ck.vmas[id];
    bool may_see = MayTellOfCache(ck, vma);
    for (VirtAddr stop = std::min(vma.end, end); at < stop;
         at = at + kPageSize) {
      lock_chunk();
      vec->push_back(may_see ? PageInCore(ck, vma, at) : 1);
    }
  }
  return Errno::kOk;
}

}  // namespace faultline

// The allocator's system calls: brk for the heap, mmap for what is large.
// Models malloc/malloc.c (glibc 2.36): sysmalloc(), systrim(), munmap_chunk(),
// mremap_chunk(); misc/sbrk.c.
#include <algorithm>

#include "server/machine/hw/cost.h"
#include "server/machine/malloc/ptmalloc.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mremap.h"

namespace faultline::malloc {
namespace {

// MMAP_AS_MORECORE_SIZE: the unit of the first mapping where brk fails.
constexpr uint64_t kMmapAsMorecore = 1 << 20;

bool IsPowerOfTwo(uint64_t n) { return (n & (n - 1)) == 0; }

uint64_t AlignUp(uint64_t n, uint64_t unit) {
  return (n + unit - 1) & ~(unit - 1);
}

}  // namespace

uint64_t Ptmalloc::Sbrk(int64_t increment) {
  if (increment == 0 && s_.sbrk_base != 0) return mm().brk.value();
  if (s_.sbrk_base == 0) {
    k_.clock_ns += cost::kSyscall;
    DoBrk(k_, mm(), VirtAddr(0));
  }
  const VirtAddr old = mm().brk;
  if (increment == 0) return old.value();
  const VirtAddr wanted(old.value() + static_cast<uint64_t>(increment));
  if ((increment > 0) != (wanted > old)) return kFailed;
  k_.clock_ns += cost::kSyscall;
  return DoBrk(k_, mm(), wanted) < wanted ? kFailed : old.value();
}

uint64_t Ptmalloc::MapAnonymous(uint64_t length) {
  k_.clock_ns += cost::kSyscall;
  ErrnoOr<VirtAddr> at = DoMmap(k_, mm(),
                                {.file = {},
                                 .addr = 0,
                                 .length = length,
                                 .prot = mman::kProtRead | mman::kProtWrite,
                                 .flags = mman::kPrivate | mman::kAnonymous,
                                 .pgoff = 0});
  return at.ok() ? at.value().value() : kFailed;
}

uint64_t Ptmalloc::SysMallocMmap(uint64_t size) {
  const uint64_t whole = PageAlign(size + kSizeSz);
  if (whole <= size) return 0;
  const uint64_t p = MapAnonymous(whole);
  if (p == kFailed) return 0;
  m_.Store(p, 0);  // prev_size: nothing of the mapping is below the chunk
  SetHead(p, whole | kIsMmapped);
  s_.n_mmaps++;
  s_.mmapped_mem += whole;
  s_.mmapped.insert(std::upper_bound(s_.mmapped.begin(), s_.mmapped.end(), p),
                    p);
  return MemOf(p);
}

uint64_t Ptmalloc::SysMalloc(uint64_t size) {
  if (size >= s_.mmap_threshold && s_.n_mmaps < s_.n_mmaps_max) {
    if (uint64_t mem = SysMallocMmap(size)) return mem;
  }
  if (!GrowTop(size)) return 0;
  return FromTop(size);
}

// Makes the top larger, or a new one elsewhere. False: there is no memory.
bool Ptmalloc::GrowTop(uint64_t size) {
  const uint64_t old_top = Top(), old_size = Size(old_top);
  const uint64_t old_end = old_top + old_size;
  uint64_t grow = size + s_.top_pad + kMinSize;
  if (s_.contiguous) grow -= old_size;
  grow = PageAlign(grow);
  uint64_t brk = kFailed, end = kFailed;
  if (static_cast<int64_t>(grow) > 0) brk = Sbrk(static_cast<int64_t>(grow));
  if (brk == kFailed) {
    brk = MapAsMorecore(size, &grow);
    if (brk == kFailed) return false;
    end = brk + grow;
  }
  if (s_.sbrk_base == 0) s_.sbrk_base = brk;
  s_.system_mem += grow;
  if (brk == old_end && end == kFailed) {
    SetHead(old_top, (grow + old_size) | kPrevInuse);
  } else if (s_.contiguous && old_size != 0 && brk < old_end) {
    Abort("break adjusted to free malloc space");
  } else {
    PlaceTop(brk, grow, end);
  }
  s_.max_system_mem = std::max(s_.max_system_mem, s_.system_mem);
  return true;
}

// sysmalloc_mmap_fallback(): a mapping where brk fails. It cannot adjoin the
// old top, so that what the heap counted on from there is added back. 2.36
// gives the unit and the least of this the other way round: the first mapping
// is whole units of 1 MiB, those after it are whole pages and may be small.
uint64_t Ptmalloc::MapAsMorecore(uint64_t size, uint64_t* grow) {
  if (s_.contiguous) *grow = AlignUp(*grow + Size(Top()), kMmapAsMorecore);
  *grow = std::max(*grow, kPageSize);
  if (*grow <= size) return kFailed;
  const uint64_t at = MapAnonymous(*grow);
  if (at != kFailed) s_.contiguous = false;
  return at;
}

// A top that does not continue the old one: the first, or after somebody else
// has moved the break, or a mapping.
void Ptmalloc::PlaceTop(uint64_t brk, uint64_t size, uint64_t end) {
  const uint64_t old_top = Top(), old_size = Size(old_top);
  uint64_t start = brk, correction = 0;
  if (s_.contiguous) {
    if (old_size != 0) s_.system_mem += brk - (old_top + old_size);
    const uint64_t misaligned = MemOf(brk) & kAlignMask;
    if (misaligned != 0) correction = kAlignment - misaligned;
    start += correction;
    correction += old_size;
    const uint64_t misaligned_end = brk + size + correction;
    correction += PageAlign(misaligned_end) - misaligned_end;
    end = Sbrk(static_cast<int64_t>(correction));
    if (end == kFailed) {
      correction = 0;
      end = Sbrk(0);
    }
  } else if (end == kFailed) {
    end = Sbrk(0);
  }
  if (end == kFailed) return;
  Top() = start;
  s_.segments.push_back(start);
  SetHead(start, (end - start + correction) | kPrevInuse);
  s_.system_mem += correction;
  if (old_size != 0) Fence(old_top, old_size);
}

// Two small chunks in use at the end of an old top keep it from being joined
// with what is not the heap's; the rest of it is freed.
void Ptmalloc::Fence(uint64_t old_top, uint64_t old_size) {
  const uint64_t rest = (old_size - 2 * kHeaderBytes) & ~kAlignMask;
  SetHead(old_top, rest | kPrevInuse);
  SetHead(old_top + rest, kHeaderBytes | kPrevInuse);
  SetHead(old_top + rest + kHeaderBytes, kHeaderBytes | kPrevInuse);
  if (rest >= kMinSize) IntFree(old_top);
}

void Ptmalloc::SysTrim(uint64_t pad) {
  const uint64_t top_size = Size(Top());
  const uint64_t area = top_size - kMinSize - 1;
  if (area <= pad) return;
  const uint64_t extra = (area - pad) & kPageMask;
  if (extra == 0) return;
  const uint64_t brk = Sbrk(0);
  if (brk != Top() + top_size) return;
  Sbrk(-static_cast<int64_t>(extra));
  const uint64_t released = brk - Sbrk(0);
  if (released == 0) return;
  s_.system_mem -= released;
  SetHead(Top(), (top_size - released) | kPrevInuse);
}

void Ptmalloc::MunmapChunk(uint64_t p) {
  const uint64_t before = PrevSize(p), whole = before + Size(p);
  const uint64_t block = p - before, offset = MemOf(p) & ~kPageMask;
  if (((block | whole) & ~kPageMask) != 0 || !IsPowerOfTwo(offset)) {
    Abort("munmap_chunk(): invalid pointer");
  }
  s_.n_mmaps--;
  s_.mmapped_mem -= whole;
  std::erase(s_.mmapped, p);
  k_.clock_ns += cost::kSyscall;
  (void)VmMunmap(k_, mm(), block, whole);
}

uint64_t Ptmalloc::MremapChunk(uint64_t p, uint64_t size) {
  const uint64_t before = PrevSize(p), whole = before + Size(p);
  const uint64_t block = p - before, offset = MemOf(p) & ~kPageMask;
  if (((block | whole) & ~kPageMask) != 0 || !IsPowerOfTwo(offset)) {
    Abort("mremap_chunk(): invalid pointer");
  }
  const uint64_t wanted = PageAlign(size + before + kSizeSz);
  if (wanted == whole) return p;
  constexpr uint64_t kMayMove = 1;
  k_.clock_ns += cost::kSyscall;
  ErrnoOr<VirtAddr> at =
      DoMremap(k_, mm(), {block, whole, wanted, kMayMove, 0});
  if (!at.ok()) return 0;
  std::erase(s_.mmapped, p);
  p = at.value().value() + before;
  s_.mmapped.insert(std::upper_bound(s_.mmapped.begin(), s_.mmapped.end(), p),
                    p);
  SetHead(p, (wanted - before) | kIsMmapped);
  s_.mmapped_mem += wanted - whole;
  return p;
}

}  // namespace faultline::malloc

// What a program calls. Models malloc/malloc.c (glibc 2.36): __libc_malloc(),
// __libc_calloc(), __libc_realloc(), __libc_free(), __libc_mallopt().
#include "server/machine/malloc/ptmalloc.h"

#include <algorithm>

namespace faultline::malloc {
namespace {

// DEFAULT_MMAP_THRESHOLD_MAX: the threshold grows no further than this.
constexpr uint64_t kMmapThresholdMax = uint64_t{32} << 20;
// MAX_FAST_SIZE: what mallopt() accepts.
constexpr int64_t kMaxFastMax = 160;

enum MalloptParam : int32_t {
  kMxfast = 1,
  kTrimThreshold = -1,
  kTopPad = -2,
  kMmapThreshold = -3,
  kMmapMax = -4,
};

}  // namespace

uint64_t Ptmalloc::Malloc(uint64_t bytes) {
  Init();
  if (bytes > kMaxRequest) return 0;
  const uint64_t size = ChunkSizeFor(bytes);
  MaybeInitTcache();
  if (TcacheHas(size)) return TcacheGet(TcacheIndex(size));
  return IntMalloc(bytes);
}

// Memory that comes new from the kernel is zero already, and is not touched. A
// product that no request can have is refused before there is a heap.
uint64_t Ptmalloc::Calloc(uint64_t count, uint64_t size) {
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return 0;
  if (bytes > kMaxRequest) return 0;
  Init();
  MaybeInitTcache();
  const uint64_t old_top = Top();
  const uint64_t old_size = Size(old_top);
  const uint64_t mem = IntMalloc(bytes);
  if (mem == 0) return 0;
  const uint64_t p = ChunkOf(mem);
  if (SizeWord(p) & kIsMmapped) return mem;
  uint64_t whole = Size(p);
  if (p == old_top && whole > old_size) whole = old_size;
  m_.Clear(mem, whole - kSizeSz);
  return mem;
}

uint64_t Ptmalloc::Realloc(uint64_t mem, uint64_t bytes) {
  Init();
  if (mem == 0) return Malloc(bytes);
  if (bytes == 0) {
    Free(mem);
    return 0;
  }
  const uint64_t p = ChunkOf(mem), old_size = Size(p);
  const bool mapped = SizeWord(p) & kIsMmapped;
  if (!mapped) {
    MaybeInitTcache();
    CheckArenaOf(p);
  }
  if (p > 0 - old_size || Misaligned(p)) Abort("realloc(): invalid pointer");
  if (bytes > kMaxRequest) return 0;
  const uint64_t size = ChunkSizeFor(bytes);
  if (!mapped) return IntRealloc(p, old_size, size);
  if (uint64_t moved = MremapChunk(p, size)) return MemOf(moved);
  if (old_size - kSizeSz >= size) return mem;
  const uint64_t fresh = Malloc(bytes);
  if (fresh == 0) return 0;
  m_.Copy(fresh, mem, old_size - kHeaderBytes);
  MunmapChunk(p);
  return fresh;
}

void Ptmalloc::Free(uint64_t mem) {
  if (mem == 0) return;
  Init();
  const uint64_t p = ChunkOf(mem);
  const uint64_t word = SizeWord(p);
  if ((word & kIsMmapped) == 0) {
    MaybeInitTcache();
    CheckArenaOf(p);
    return IntFree(p);
  }
  // A program that frees a large chunk will want one again: from the heap.
  if (!s_.no_dyn_threshold && word > s_.mmap_threshold &&
      word <= kMmapThresholdMax) {
    s_.mmap_threshold = word & ~kSizeBits;
    s_.trim_threshold = 2 * s_.mmap_threshold;
  }
  MunmapChunk(p);
}

bool Ptmalloc::Mallopt(int32_t param, int32_t value) {
  Init();
  Consolidate();
  const auto bytes = static_cast<uint64_t>(int64_t{value});
  switch (param) {
    case kMxfast:
      if (value < 0 || value > kMaxFastMax) return false;
      s_.max_fast = value == 0 ? 16 : (bytes + kSizeSz) & ~kAlignMask;
      return true;
    case kTrimThreshold:
      s_.trim_threshold = bytes;
      break;
    case kTopPad:
      s_.top_pad = bytes;
      break;
    case kMmapThreshold:  // 2.36 takes any: one below 0 is more than all sizes
      s_.mmap_threshold = bytes;
      break;
    case kMmapMax:  // an int: one below 0 allows no mapping
      s_.n_mmaps_max = static_cast<uint64_t>(std::max(value, 0));
      break;
    default:
      return true;
  }
  s_.no_dyn_threshold = true;
  return true;
}

}  // namespace faultline::malloc

// Where a chunk goes, and how it changes its size. Models malloc/malloc.c
// (glibc 2.36): _int_free(), _int_realloc().
#include "server/machine/malloc/ptmalloc.h"

namespace faultline::malloc {
namespace {

// FASTBIN_CONSOLIDATION_THRESHOLD: a free chunk of this size is the sign to
// join the fast ones and to give the top back.
constexpr uint64_t kConsolidationThreshold = 65536;
// HEAP_MAX_SIZE: what the arena of another thread is aligned to.
constexpr uint64_t kHeapMaxSize = uint64_t{64} << 20;

}  // namespace

// arena_for_chunk(): a chunk that claims to be of another thread's arena makes
// glibc read that arena's address where such a heap would begin.
void Ptmalloc::CheckArenaOf(uint64_t p) {
  if ((SizeWord(p) & kNonMainArena) == 0) return;
  const uint64_t arena = m_.Load(p & ~(kHeapMaxSize - 1));
  (void)m_.Load(arena);
}

void Ptmalloc::IntFree(uint64_t p) {
  const uint64_t size = Size(p);
  if (p > 0 - size || Misaligned(p)) Abort("free(): invalid pointer");
  if (size < kMinSize || Misaligned(size)) Abort("free(): invalid size");
  const uint64_t index = TcacheIndex(size);
  if (s_.tcache != 0 && index < kTcacheBins) {
    CheckDoubleFree(MemOf(p), index);
    if (TcacheTakes(size)) return TcachePut(p, index);
  }
  if (size <= s_.max_fast) return FreeToFastbin(p, size);
  if (SizeWord(p) & kIsMmapped) return MunmapChunk(p);
  FreeAndMerge(p, size);
}

void Ptmalloc::FreeToFastbin(uint64_t p, uint64_t size) {
  if (SizeWord(p + size) <= kHeaderBytes || Size(p + size) >= s_.system_mem) {
    Abort("free(): invalid next size (fast)");
  }
  s_.have_fastchunks = true;
  uint64_t& head = s_.fastbins[FastbinIndex(size)];
  if (head == p) Abort("double free or corruption (fasttop)");
  SetFd(p, Mangle(p + kFdAt, head));
  head = p;
}

void Ptmalloc::FreeAndMerge(uint64_t p, uint64_t size) {
  const uint64_t next = p + size;
  if (p == Top()) Abort("double free or corruption (top)");
  if (s_.contiguous && next >= Top() + Size(Top())) {
    Abort("double free or corruption (out)");
  }
  if (!PrevInuse(next)) Abort("double free or corruption (!prev)");
  if (SizeWord(next) <= kHeaderBytes || Size(next) >= s_.system_mem) {
    Abort("free(): invalid next size (normal)");
  }
  if (!PrevInuse(p)) {
    const uint64_t below = PrevSize(p);
    size += below;
    p -= below;
    if (Size(p) != below) {
      Abort("corrupted size vs. prev_size while consolidating");
    }
    Unlink(p);
  }
  size = JoinAbove(p, size, next, "free(): corrupted unsorted chunks");
  if (size < kConsolidationThreshold) return;
  if (s_.have_fastchunks) Consolidate();
  if (Size(Top()) >= s_.trim_threshold) SysTrim(s_.top_pad);
}

uint64_t Ptmalloc::IntRealloc(uint64_t p, uint64_t old_size, uint64_t size) {
  if (SizeWord(p) <= kHeaderBytes || old_size >= s_.system_mem) {
    Abort("realloc(): invalid old size");
  }
  const uint64_t next = p + old_size, next_size = Size(next);
  if (SizeWord(next) <= kHeaderBytes || next_size >= s_.system_mem) {
    Abort("realloc(): invalid next size");
  }
  if (old_size >= size) return FinishRealloc(p, old_size, size);
  const uint64_t together = old_size + next_size;
  if (next == Top()) {
    if (together >= size + kMinSize) {
      SetHeadSize(p, size);
      Top() = p + size;
      SetHead(Top(), (together - size) | kPrevInuse);
      return MemOf(p);
    }
  } else if (together >= size && !PrevInuse(next + next_size)) {
    Unlink(next);
    return FinishRealloc(p, together, size);
  }
  const uint64_t mem = IntMalloc(size - kAlignMask);
  if (mem == 0) return 0;
  if (ChunkOf(mem) == next) {
    return FinishRealloc(p, Size(next) + old_size, size);
  }
  m_.Copy(mem, MemOf(p), old_size - kSizeSz);
  IntFree(p);
  return mem;
}

// Gives back what of a chunk is beyond `size`, when it can be a chunk.
uint64_t Ptmalloc::FinishRealloc(uint64_t p, uint64_t whole, uint64_t size) {
  const uint64_t rest = p + size, rest_size = whole - size;
  if (rest_size < kMinSize) {
    SetHeadSize(p, whole);
    SetInuseAt(p, whole);
    return MemOf(p);
  }
  SetHeadSize(p, size);
  SetHead(rest, rest_size | kPrevInuse);
  SetInuseAt(rest, rest_size);
  IntFree(rest);
  return MemOf(p);
}

}  // namespace faultline::malloc

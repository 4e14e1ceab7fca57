// Where a chunk comes from: fastbin, small bin, what is unsorted, the bins from
// its own size up, the top. Models malloc/malloc.c (glibc 2.36): _int_malloc().
#include <utility>

#include "server/machine/malloc/ptmalloc.h"

namespace faultline::malloc {

uint64_t Ptmalloc::IntMalloc(uint64_t bytes) {
  if (bytes > kMaxRequest) return 0;
  const uint64_t size = ChunkSizeFor(bytes);
  if (uint64_t mem = FromFastbin(size)) return mem;
  if (uint64_t mem = FromSmallbin(size)) return mem;
  if (!IsSmall(size) && s_.have_fastchunks) Consolidate();
  const uint64_t index = BinIndex(size);
  while (true) {
    bool cached = false;
    if (uint64_t mem = SortUnsorted(size, &cached)) return mem;
    if (cached) return TcacheGet(TcacheIndex(size));
    if (!IsSmall(size)) {
      if (uint64_t mem = FromLargeBin(size, index)) return mem;
    }
    if (uint64_t mem = FromLargerBin(size, index + 1)) return mem;
    if (uint64_t mem = FromTop(size)) return mem;
    if (!s_.have_fastchunks) return SysMalloc(size);
    Consolidate();
  }
}

uint64_t Ptmalloc::FromFastbin(uint64_t size) {
  if (size > s_.max_fast) return 0;
  const uint64_t index = FastbinIndex(size);
  uint64_t& head = s_.fastbins[index];
  const uint64_t p = head;
  if (p == 0) return 0;
  if (Misaligned(p)) Abort("malloc(): unaligned fastbin chunk detected 2");
  head = Mangle(p + kFdAt, Fd(p));
  if (FastbinIndex(Size(p)) != index) {
    Abort("malloc(): memory corruption (fast)");
  }
  // The rest of the list fills the cache.
  while (head != 0 && TcacheTakes(size)) {
    const uint64_t more = head;
    if (Misaligned(more)) {
      Abort("malloc(): unaligned fastbin chunk detected 3");
    }
    head = Mangle(more + kFdAt, Fd(more));
    TcachePut(more, TcacheIndex(size));
  }
  return MemOf(p);
}

uint64_t Ptmalloc::FromSmallbin(uint64_t size) {
  if (!IsSmall(size)) return 0;
  const uint64_t bin = BinAt(BinIndex(size));
  const uint64_t p = Bk(bin);
  if (p == bin) return 0;
  const uint64_t before = Bk(p);
  if (Fd(before) != p) Abort("malloc(): smallbin double linked list corrupted");
  SetInuseAt(p, size);
  SetBk(bin, before);
  SetFd(before, bin);
  while (TcacheTakes(size)) {
    const uint64_t more = Bk(bin);
    if (more == bin || more == 0) break;
    const uint64_t left = Bk(more);
    SetInuseAt(more, size);
    SetBk(bin, left);
    SetFd(left, bin);
    TcachePut(more, TcacheIndex(size));
  }
  return MemOf(p);
}

// Goes through the unsorted list from its oldest chunk on: one that fits is
// taken (or cached, while the cache has room), the others go to their bins.
uint64_t Ptmalloc::SortUnsorted(uint64_t size, bool* cached) {
  constexpr int kItersMax = 10000;
  for (int i = 0; i < kItersMax; i++) {
    const uint64_t p = Bk(Unsorted());
    if (p == Unsorted()) return 0;
    const uint64_t before = Bk(p), whole = Size(p), next = p + whole;
    if (whole <= kHeaderBytes || whole > s_.system_mem) {
      Abort("malloc(): invalid size (unsorted)");
    }
    const uint64_t next_word = SizeWord(next);
    if (next_word < kHeaderBytes || next_word > s_.system_mem) {
      Abort("malloc(): invalid next size (unsorted)");
    }
    if ((PrevSize(next) & ~kSizeBits) != whole) {
      Abort("malloc(): mismatching next->prev_size (unsorted)");
    }
    if (Fd(before) != p || Fd(p) != Unsorted()) {
      Abort("malloc(): unsorted double linked list corrupted");
    }
    if (next_word & kPrevInuse) {
      Abort("malloc(): invalid next->prev_inuse (unsorted)");
    }
    if (IsSmall(size) && before == Unsorted() && p == LastRemainder() &&
        whole > size + kMinSize) {
      // The rest of the last split serves again: neighbours stay neighbours.
      const uint64_t rest = p + size, rest_size = whole - size;
      SetBk(Unsorted(), rest);
      SetFd(Unsorted(), rest);
      LastRemainder() = rest;
      SetBk(rest, Unsorted());
      SetFd(rest, Unsorted());
      if (!IsSmall(rest_size)) {
        SetFdNext(rest, 0);
        SetBkNext(rest, 0);
      }
      SetHead(p, size | kPrevInuse);
      SetHead(rest, rest_size | kPrevInuse);
      SetFoot(rest, rest_size);
      return MemOf(p);
    }
    SetBk(Unsorted(), before);
    SetFd(before, Unsorted());
    if (whole != size) {
      InsertInBin(p, whole);
      continue;
    }
    SetInuseAt(p, size);
    if (!TcacheTakes(size)) return MemOf(p);
    TcachePut(p, TcacheIndex(size));
    *cached = true;
  }
  return 0;
}

void Ptmalloc::InsertInBin(uint64_t p, uint64_t size) {
  const uint64_t index = BinIndex(size);
  uint64_t before = BinAt(index), after = Fd(before);
  if (!IsSmall(size)) InsertInLargeBin(p, size, &before, &after);
  MarkBin(index);
  SetBk(p, before);
  SetFd(p, after);
  SetBk(after, p);
  SetFd(before, p);
}

// A large bin is sorted, the largest first; chunks of different sizes are also
// linked among themselves.
void Ptmalloc::InsertInLargeBin(uint64_t p, uint64_t size, uint64_t* before,
                                uint64_t* after) {
  const uint64_t bin = *before;
  if (*after == bin) {
    SetFdNext(p, p);
    SetBkNext(p, p);
    return;
  }
  const uint64_t word = size | kPrevInuse;
  if (word < SizeWord(Bk(bin))) {
    *after = bin;
    *before = Bk(bin);
    const uint64_t first = Fd(bin);
    SetFdNext(p, first);
    SetBkNext(p, BkNext(first));
    SetFdNext(BkNext(p), p);
    SetBkNext(first, p);
    return;
  }
  while (word < SizeWord(*after)) *after = FdNext(*after);
  if (word == SizeWord(*after)) {
    *after = Fd(*after);  // second, so that the links need no change
  } else {
    SetFdNext(p, *after);
    SetBkNext(p, BkNext(*after));
    if (FdNext(BkNext(*after)) != *after) {
      Abort("malloc(): largebin double linked list corrupted (nextsize)");
    }
    SetBkNext(*after, p);
    SetFdNext(BkNext(p), p);
  }
  *before = Bk(*after);
  if (Fd(*before) != *after) {
    Abort("malloc(): largebin double linked list corrupted (bk)");
  }
}

// The smallest chunk of the request's own bin that is large enough.
uint64_t Ptmalloc::FromLargeBin(uint64_t size, uint64_t index) {
  const uint64_t bin = BinAt(index);
  uint64_t p = Fd(bin);
  if (p == bin || SizeWord(p) < size) return 0;
  do {
    p = BkNext(p);
  } while (Size(p) < size);
  const uint64_t whole = Size(p);
  if (p != Bk(bin) && SizeWord(p) == SizeWord(Fd(p))) p = Fd(p);
  Unlink(p);
  return SplitFree(p, whole, size, "malloc(): corrupted unsorted chunks",
                   false);
}

// The last chunk of the first bin, from `index` up, that has one.
uint64_t Ptmalloc::FromLargerBin(uint64_t size, uint64_t index) {
  for (; index < kNbins; index++) {
    uint32_t& map = s_.binmap[index >> 5];
    const uint32_t bit = 1u << (index & 31);
    if ((map & bit) == 0) continue;
    const uint64_t bin = BinAt(index);
    const uint64_t p = Bk(bin);
    if (p == bin) {
      map &= ~bit;
      continue;
    }
    const uint64_t whole = Size(p);
    Unlink(p);
    return SplitFree(p, whole, size, "malloc(): corrupted unsorted chunks 2",
                     IsSmall(size));
  }
  return 0;
}

// Uses `size` bytes of a chunk that is on no list any more; the rest, when it
// can be a chunk, is unsorted, and perhaps the last remainder.
uint64_t Ptmalloc::SplitFree(uint64_t p, uint64_t whole, uint64_t size,
                             const char* corrupted, bool remember) {
  const uint64_t rest = p + size, rest_size = whole - size;
  if (rest_size < kMinSize) {
    SetInuseAt(p, whole);
    return MemOf(p);
  }
  PushUnsorted(rest, rest_size, corrupted);
  if (remember) LastRemainder() = rest;
  SetHead(p, size | kPrevInuse);
  SetHead(rest, rest_size | kPrevInuse);
  SetFoot(rest, rest_size);
  return MemOf(p);
}

uint64_t Ptmalloc::FromTop(uint64_t size) {
  const uint64_t p = Top(), whole = Size(p);
  if (whole > s_.system_mem) Abort("malloc(): corrupted top size");
  if (whole < size + kMinSize) return 0;
  Top() = p + size;
  SetHead(p, size | kPrevInuse);
  SetHead(Top(), (whole - size) | kPrevInuse);
  return MemOf(p);
}

}  // namespace faultline::malloc

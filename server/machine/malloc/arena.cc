// The main arena: its lists, and the joining of free neighbours. Models
// malloc/malloc.c (glibc 2.36): malloc_init_state(), unlink_chunk(),
// malloc_consolidate().
#include "server/machine/malloc/ptmalloc.h"

namespace faultline::malloc {

void Ptmalloc::Init() {
  if (s_.initialized) return;
  s_.initialized = true;
  for (uint64_t i = 1; i < kNbins; i++) {
    SetFd(BinAt(i), BinAt(i));
    SetBk(BinAt(i), BinAt(i));
  }
  Top() = Unsorted();  // initial_top()
  // tcache_key_initialize() takes it from getrandom().
  s_.tcache_key = k_.prng.Next() | 1;
}

void Ptmalloc::Unlink(uint64_t p) {
  const uint64_t size = Size(p);
  if (size != PrevSize(p + size)) Abort("corrupted size vs. prev_size");
  const uint64_t fd = Fd(p), bk = Bk(p);
  if (Bk(fd) != p || Fd(bk) != p) Abort("corrupted double-linked list");
  SetBk(fd, bk);
  SetFd(bk, fd);
  if (IsSmall(SizeWord(p)) || FdNext(p) == 0) return;
  const uint64_t fd_next = FdNext(p), bk_next = BkNext(p);
  if (BkNext(fd_next) != p || FdNext(bk_next) != p) {
    Abort("corrupted double-linked list (not small)");
  }
  if (FdNext(fd) != 0) {
    SetBkNext(fd_next, bk_next);
    SetFdNext(bk_next, fd_next);
  } else if (fd_next == p) {
    SetFdNext(fd, fd);
    SetBkNext(fd, fd);
  } else {
    SetFdNext(fd, fd_next);
    SetBkNext(fd, bk_next);
    SetBkNext(fd_next, fd);
    SetFdNext(bk_next, fd);
  }
}

void Ptmalloc::PushUnsorted(uint64_t p, uint64_t size, const char* corrupted) {
  const uint64_t after = Fd(Unsorted());
  if (corrupted != nullptr && Bk(after) != Unsorted()) Abort(corrupted);
  SetFd(p, after);
  SetBk(p, Unsorted());
  if (!IsSmall(size)) {
    SetFdNext(p, 0);
    SetBkNext(p, 0);
  }
  SetFd(Unsorted(), p);
  SetBk(after, p);
}

uint64_t Ptmalloc::JoinAbove(uint64_t p, uint64_t size, uint64_t next,
                             const char* corrupted) {
  const uint64_t next_size = Size(next);
  if (next == Top()) {
    size += next_size;
    SetHead(p, size | kPrevInuse);
    Top() = p;
    return size;
  }
  if (!PrevInuse(next + next_size)) {
    Unlink(next);
    size += next_size;
  } else {
    SetHead(next, SizeWord(next) & ~kPrevInuse);
  }
  PushUnsorted(p, size, corrupted);
  SetHead(p, size | kPrevInuse);
  SetFoot(p, size);
  return size;
}

void Ptmalloc::ConsolidateFastChunk(uint64_t p) {
  uint64_t size = Size(p);
  const uint64_t next = p + size;
  if (!PrevInuse(p)) {
    const uint64_t below = PrevSize(p);
    size += below;
    p -= below;
    if (Size(p) != below) {
      Abort("corrupted size vs. prev_size in fastbins");
    }
    Unlink(p);
  }
  JoinAbove(p, size, next, nullptr);
}

void Ptmalloc::Consolidate() {
  s_.have_fastchunks = false;
  for (uint64_t i = 0; i < kNfastbins; i++) {
    uint64_t p = s_.fastbins[i];
    s_.fastbins[i] = 0;
    while (p != 0) {
      if (Misaligned(p)) {
        Abort("malloc_consolidate(): unaligned fastbin chunk detected");
      }
      if (FastbinIndex(Size(p)) != i) {
        Abort("malloc_consolidate(): invalid chunk size");
      }
      const uint64_t next = Mangle(p + kFdAt, Fd(p));
      ConsolidateFastChunk(p);
      p = next;
    }
  }
}

}  // namespace faultline::malloc

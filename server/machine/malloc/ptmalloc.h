// malloc, calloc, realloc and free as glibc 2.36 has them (Debian 12): one main
// arena over brk, large chunks over mmap, a cache for the thread. The chunks
// and their lists are words of the simulated memory, read and written by the
// process itself, so that faults come out where they would, a child has its
// copy, and what a program overwrites is found by the checks that find it in
// glibc, with glibc's messages.
//
// Models malloc/malloc.c and malloc/morecore.c (glibc 2.36). Departures: M1
// to M5 of ../README.md.
#ifndef FAULTLINE_SERVER_MACHINE_MALLOC_PTMALLOC_H_
#define FAULTLINE_SERVER_MACHINE_MALLOC_PTMALLOC_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/malloc/chunk.h"
#include "server/machine/malloc/heap_memory.h"

namespace faultline::malloc {

// The allocator of the current process, at work for one call. Throws Signalled
// and Aborted. Addresses named `p` are chunks, `mem` what the program has; 0 is
// NULL, and ENOMEM where memory was asked for.
class Ptmalloc {
 public:
  Ptmalloc(Kernel& k, MallocState& state) : k_(k), s_(state), m_(k, state) {}

  uint64_t Malloc(uint64_t bytes);
  uint64_t Calloc(uint64_t count, uint64_t size);
  uint64_t Realloc(uint64_t mem, uint64_t bytes);
  void Free(uint64_t mem);
  bool Mallopt(int32_t param, int32_t value);

 private:
  // --- Words of a chunk.
  uint64_t SizeWord(uint64_t p) { return m_.Load(p + kSizeAt); }
  uint64_t Size(uint64_t p) { return SizeWord(p) & ~kSizeBits; }
  uint64_t PrevSize(uint64_t p) { return m_.Load(p); }
  bool PrevInuse(uint64_t p) { return SizeWord(p) & kPrevInuse; }
  void SetHead(uint64_t p, uint64_t head) { m_.Store(p + kSizeAt, head); }
  void SetHeadSize(uint64_t p, uint64_t size) {
    SetHead(p, (SizeWord(p) & kSizeBits) | size);
  }
  void SetFoot(uint64_t p, uint64_t size) { m_.Store(p + size, size); }
  void SetInuseAt(uint64_t p, uint64_t size) {
    SetHead(p + size, SizeWord(p + size) | kPrevInuse);
  }
  uint64_t Fd(uint64_t p) { return m_.Load(p + kFdAt); }
  uint64_t Bk(uint64_t p) { return m_.Load(p + kBkAt); }
  void SetFd(uint64_t p, uint64_t to) { m_.Store(p + kFdAt, to); }
  void SetBk(uint64_t p, uint64_t to) { m_.Store(p + kBkAt, to); }
  uint64_t FdNext(uint64_t p) { return m_.Load(p + kFdNextAt); }
  uint64_t BkNext(uint64_t p) { return m_.Load(p + kBkNextAt); }
  void SetFdNext(uint64_t p, uint64_t to) { m_.Store(p + kFdNextAt, to); }
  void SetBkNext(uint64_t p, uint64_t to) { m_.Store(p + kBkNextAt, to); }

  // --- The arena (arena.cc).
  void Init();
  uint64_t& Top() { return s_.words[0]; }
  uint64_t& LastRemainder() { return s_.words[1]; }
  uint64_t BinAt(uint64_t index) const { return kArena + (index - 1) * 16; }
  uint64_t Unsorted() const { return BinAt(1); }
  void MarkBin(uint64_t index) { s_.binmap[index >> 5] |= 1u << (index & 31); }
  // Takes a chunk off its list, checking it.
  void Unlink(uint64_t p);
  // Puts a chunk first on the unsorted list.
  void PushUnsorted(uint64_t p, uint64_t size, const char* corrupted);
  void Consolidate();
  void ConsolidateFastChunk(uint64_t p);
  // Joins a free chunk with what is free above it, and makes the result part of
  // the top or the first unsorted chunk. Returns its size.
  uint64_t JoinAbove(uint64_t p, uint64_t size, uint64_t next,
                     const char* corrupted);

  // --- The cache (tcache.cc).
  void MaybeInitTcache();
  bool TcacheHas(uint64_t size);
  bool TcacheTakes(uint64_t size);
  uint64_t TcacheCountOf(uint64_t index) {
    return m_.Load(s_.tcache + 2 * index, 2);
  }
  uint64_t TcacheEntryAt(uint64_t index) const {
    return s_.tcache + kTcacheEntriesAt + 8 * index;
  }
  void TcachePut(uint64_t p, uint64_t index);
  uint64_t TcacheGet(uint64_t index);
  void CheckDoubleFree(uint64_t mem, uint64_t index);

  // --- int_malloc.cc.
  uint64_t IntMalloc(uint64_t bytes);
  uint64_t FromFastbin(uint64_t size);
  uint64_t FromSmallbin(uint64_t size);
  uint64_t SortUnsorted(uint64_t size, bool* cached);
  void InsertInBin(uint64_t p, uint64_t size);
  void InsertInLargeBin(uint64_t p, uint64_t size, uint64_t* before,
                        uint64_t* after);
  uint64_t FromLargeBin(uint64_t size, uint64_t index);
  uint64_t FromLargerBin(uint64_t size, uint64_t index);
  uint64_t SplitFree(uint64_t p, uint64_t whole, uint64_t size,
                     const char* corrupted, bool remember);
  uint64_t FromTop(uint64_t size);

  // --- int_free.cc.
  void IntFree(uint64_t p);
  void FreeToFastbin(uint64_t p, uint64_t size);
  void FreeAndMerge(uint64_t p, uint64_t size);
  uint64_t IntRealloc(uint64_t p, uint64_t old_size, uint64_t size);
  uint64_t FinishRealloc(uint64_t p, uint64_t whole, uint64_t size);
  void CheckArenaOf(uint64_t p);

  // --- sysmalloc.cc: over brk and mmap.
  uint64_t SysMalloc(uint64_t size);
  uint64_t SysMallocMmap(uint64_t size);
  bool GrowTop(uint64_t size);
  uint64_t MapAsMorecore(uint64_t size, uint64_t* grow);
  void PlaceTop(uint64_t brk, uint64_t size, uint64_t sbrk_end);
  void Fence(uint64_t old_top, uint64_t old_size);
  void SysTrim(uint64_t pad);
  void MunmapChunk(uint64_t p);
  uint64_t MremapChunk(uint64_t p, uint64_t size);
  // sbrk(2) of the C library: the old break, or kFailed.
  uint64_t Sbrk(int64_t increment);
  uint64_t MapAnonymous(uint64_t length);

  Mm& mm() { return k_.mms[k_.Current().mm]; }

  Kernel& k_;
  MallocState& s_;
  HeapMemory m_;
};

inline constexpr uint64_t kFailed = ~uint64_t{0};

inline bool Misaligned(uint64_t p) { return p & kAlignMask; }
// PROTECT_PTR() and REVEAL_PTR(): a link of a singly linked list, stored at
// `at`.
inline uint64_t Mangle(uint64_t at, uint64_t link) { return at >> 12 ^ link; }

}  // namespace faultline::malloc

#endif  // FAULTLINE_SERVER_MACHINE_MALLOC_PTMALLOC_H_

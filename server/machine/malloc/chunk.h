// A chunk: the words around what malloc() returns, and the arithmetic of sizes.
// Models malloc/malloc.c (glibc 2.36): struct malloc_chunk and its macros, on a
// machine with words of 8 bytes.
//
//   chunk      prev_size   size of the chunk below, when that one is free
//        + 8   size        and three bits
//        + 16  fd          user memory begins here
//        + 24  bk
//        + 32  fd_nextsize, bk_nextsize: large chunks only
#ifndef FAULTLINE_SERVER_MACHINE_MALLOC_CHUNK_H_
#define FAULTLINE_SERVER_MACHINE_MALLOC_CHUNK_H_

#include <cstdint>

namespace faultline::malloc {

inline constexpr uint64_t kSizeSz = 8, kAlignment = 16, kAlignMask = 15;
inline constexpr uint64_t kHeaderBytes = 16, kMinSize = 32;
// Bits of the size word.
inline constexpr uint64_t kPrevInuse = 1, kIsMmapped = 2, kNonMainArena = 4;
inline constexpr uint64_t kSizeBits = 7;
inline constexpr uint64_t kMinLargeSize = 1024;
inline constexpr uint64_t kMaxRequest = ~uint64_t{0} >> 1;  // PTRDIFF_MAX

// Offsets of a chunk's words.
inline constexpr uint64_t kSizeAt = 8, kFdAt = 16, kBkAt = 24;
inline constexpr uint64_t kFdNextAt = 32, kBkNextAt = 40;

// The tcache_perthread_struct: 64 counts of 2 bytes, 64 lists. 2.36 keeps
// chunks of up to 1040 bytes, 7 of each size.
inline constexpr uint64_t kTcacheBins = 64, kTcacheCount = 7;
inline constexpr uint64_t kTcacheBytes = kTcacheBins * (2 + 8);
inline constexpr uint64_t kTcacheEntriesAt = kTcacheBins * 2;

inline uint64_t MemOf(uint64_t chunk) { return chunk + kHeaderBytes; }
inline uint64_t ChunkOf(uint64_t mem) { return mem - kHeaderBytes; }

// request2size(): the chunk that serves a request.
inline uint64_t ChunkSizeFor(uint64_t bytes) {
  const uint64_t size = bytes + kSizeSz + kAlignMask;
  return size < kMinSize ? kMinSize : size & ~kAlignMask;
}

inline bool IsSmall(uint64_t size) { return size < kMinLargeSize; }
inline uint64_t FastbinIndex(uint64_t size) { return (size >> 4) - 2; }
inline uint64_t TcacheIndex(uint64_t size) {
  return (size - kMinSize + kAlignMask) / kAlignment;
}
// bin_index()
inline uint64_t BinIndex(uint64_t size) {
  if (IsSmall(size)) return size >> 4;
  if (size >> 6 <= 48) return 48 + (size >> 6);
  if (size >> 9 <= 20) return 91 + (size >> 9);
  if (size >> 12 <= 10) return 110 + (size >> 12);
  if (size >> 15 <= 4) return 119 + (size >> 15);
  if (size >> 18 <= 2) return 124 + (size >> 18);
  return 126;
}

}  // namespace faultline::malloc

#endif  // FAULTLINE_SERVER_MACHINE_MALLOC_CHUNK_H_

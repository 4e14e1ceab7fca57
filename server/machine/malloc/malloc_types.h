// The state of a program's allocator that glibc keeps in its own data: the main
// arena, the parameters, where the cache of the thread is. Chunks, and what is
// on their lists, are in the simulated memory itself. Models malloc/malloc.c
// (glibc 2.36): struct malloc_state, struct malloc_par.
#ifndef FAULTLINE_SERVER_MACHINE_MALLOC_MALLOC_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MALLOC_MALLOC_TYPES_H_

#include <array>
#include <cstdint>
#include <vector>

namespace faultline {

inline constexpr uint64_t kDefaultTopPad = 128 << 10;
inline constexpr uint64_t kDefaultMmapThreshold = 128 << 10;
inline constexpr int kNfastbins = 10, kNbins = 128, kBinmapWords = 4;

struct MallocState {
  bool initialized = false;  // ptmalloc_init() has run
  // struct malloc_state. `words` is its middle: top, last_remainder, and the
  // heads of the bins, which lists in memory point back to.
  std::array<uint64_t, 2 + 2 * kNbins - 2> words{};
  std::array<uint64_t, kNfastbins> fastbins{};
  std::array<uint32_t, kBinmapWords> binmap{};
  bool have_fastchunks = false;
  bool contiguous = true;
  uint64_t system_mem = 0, max_system_mem = 0;
  uint64_t max_fast = 128;  // global_max_fast
  // struct malloc_par.
  uint64_t mmap_threshold = kDefaultMmapThreshold;
  uint64_t trim_threshold = kDefaultMmapThreshold;
  uint64_t top_pad = kDefaultTopPad;
  uint64_t n_mmaps_max = 65536, n_mmaps = 0, mmapped_mem = 0;
  bool no_dyn_threshold = false;
  uint64_t sbrk_base = 0;
  // The tcache_perthread_struct, and what marks its chunks; 0: none yet.
  uint64_t tcache = 0, tcache_key = 0;
  // Chunks with a mapping of their own, ascending. glibc has neither list;
  // they are for who looks.
  std::vector<uint64_t> mmapped;
  // Where each part of the heap begins that the one before does not adjoin.
  std::vector<uint64_t> segments;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.initialized, s.words, s.fastbins, s.binmap, s.have_fastchunks,
       s.contiguous, s.system_mem, s.max_system_mem, s.max_fast,
       s.mmap_threshold, s.trim_threshold, s.top_pad, s.n_mmaps_max, s.n_mmaps,
       s.mmapped_mem, s.no_dyn_threshold, s.sbrk_base, s.tcache, s.tcache_key,
       s.mmapped, s.segments);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MALLOC_MALLOC_TYPES_H_

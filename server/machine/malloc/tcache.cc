// The cache of the thread: seven free chunks of each small size. Models
// malloc/malloc.c (glibc 2.36): tcache_init(), tcache_put(), tcache_get().
#include "server/machine/malloc/ptmalloc.h"

namespace faultline::malloc {
namespace {

// struct tcache_entry, where user memory begins.
constexpr uint64_t kKeyAt = 8;

}  // namespace

void Ptmalloc::MaybeInitTcache() {
  if (s_.tcache != 0) return;
  const uint64_t mem = IntMalloc(kTcacheBytes);
  if (mem == 0) return;
  s_.tcache = mem;
  m_.Clear(mem, kTcacheBytes);
}

bool Ptmalloc::TcacheHas(uint64_t size) {
  const uint64_t index = TcacheIndex(size);
  return index < kTcacheBins && s_.tcache != 0 && TcacheCountOf(index) > 0;
}

bool Ptmalloc::TcacheTakes(uint64_t size) {
  const uint64_t index = TcacheIndex(size);
  return index < kTcacheBins && s_.tcache != 0 &&
         TcacheCountOf(index) < kTcacheCount;
}

void Ptmalloc::TcachePut(uint64_t p, uint64_t index) {
  const uint64_t mem = MemOf(p), list = TcacheEntryAt(index);
  m_.Store(mem + kKeyAt, s_.tcache_key);
  m_.Store(mem, Mangle(mem, m_.Load(list)));
  m_.Store(list, mem);
  m_.Store(s_.tcache + 2 * index, TcacheCountOf(index) + 1, 2);
}

uint64_t Ptmalloc::TcacheGet(uint64_t index) {
  const uint64_t list = TcacheEntryAt(index);
  const uint64_t mem = m_.Load(list);
  if (Misaligned(mem)) Abort("malloc(): unaligned tcache chunk detected");
  m_.Store(list, Mangle(mem, m_.Load(mem)));
  m_.Store(s_.tcache + 2 * index, TcacheCountOf(index) - 1, 2);
  m_.Store(mem + kKeyAt, 0);
  return mem;
}

void Ptmalloc::CheckDoubleFree(uint64_t mem, uint64_t index) {
  if (m_.Load(mem + kKeyAt) != s_.tcache_key) return;
  uint64_t seen = 0;
  for (uint64_t at = m_.Load(TcacheEntryAt(index)); at != 0; seen++) {
    if (seen >= kTcacheCount) {
      Abort("free(): too many chunks detected in tcache");
    }
    if (Misaligned(at)) {
      Abort("free(): unaligned chunk detected in tcache 2");
    }
    if (at == mem) Abort("free(): double free detected in tcache 2");
    at = Mangle(at, m_.Load(at));
  }
}

}  // namespace faultline::malloc

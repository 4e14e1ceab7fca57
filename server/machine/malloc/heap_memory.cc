#include "server/machine/malloc/heap_memory.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/fault.h"
#include "server/machine/mm/oom_kill.h"

namespace faultline::malloc {

void Abort(const char* message) { throw Aborted{message}; }

Pfn HeapMemory::Reach(uint64_t addr, MmuAccess access) {
  Mm& mm = k_.mms[k_.Current().mm];
  const Cr3 cr3 = mm.cr3(k_.paging);
  Pfn pfn = k_.mmu().Cached(cr3, VirtAddr(addr), access);
  if (pfn.valid()) return pfn;
  UserAccess done = AccessUser(k_, mm, VirtAddr(addr), access);
  if (done.out_of_memory) PagefaultOutOfMemory(k_);
  constexpr SignalInfo kOomKilled{9, 128, 0};  // SIGKILL, SI_KERNEL
  if (!done.pfn.valid()) {
    throw Signalled{done.out_of_memory ? kOomKilled : done.signal};
  }
  return done.pfn;
}

uint64_t* HeapMemory::ArenaWord(uint64_t addr) {
  if (addr < kArena || addr - kArena >= sizeof state_.words) return nullptr;
  return &state_.words[(addr - kArena) / 8];
}

uint64_t HeapMemory::Load(uint64_t addr, int bytes) {
  constexpr SignalInfo kCpuLimit{24, 128, 0};  // SIGXCPU, SI_KERNEL
  if (++loads_ > kLoadsMax) throw Signalled{kCpuLimit};
  if (const uint64_t* word = ArenaWord(addr)) return *word;
  uint64_t value = 0;
  for (int i = 0; i < bytes;) {
    const uint64_t at = addr + static_cast<uint64_t>(i);
    const PageBytes& page =
        std::as_const(k_.frames)[Reach(at, MmuAccess::kRead)];
    uint64_t offset = at & ~kPageMask;
    for (; i < bytes && offset < kPageSize; i++, offset++) {
      value |= uint64_t{page.Read(static_cast<uint32_t>(offset))} << (8 * i);
    }
  }
  return value;
}

void HeapMemory::Store(uint64_t addr, uint64_t value, int bytes) {
  if (uint64_t* word = ArenaWord(addr)) {
    *word = value;
    return;
  }
  for (int i = 0; i < bytes;) {
    const uint64_t at = addr + static_cast<uint64_t>(i);
    PageBytes& page = k_.frames[Reach(at, MmuAccess::kWrite)];
    uint64_t offset = at & ~kPageMask;
    for (; i < bytes && offset < kPageSize; i++, offset++) {
      page.Write(static_cast<uint32_t>(offset),
                 static_cast<uint8_t>(value >> (8 * i)));
    }
  }
}

void HeapMemory::Clear(uint64_t addr, uint64_t length) {
  while (length > 0) {
    const uint64_t offset = addr & ~kPageMask;
    const uint64_t n = std::min(length, kPageSize - offset);
    k_.frames[Reach(addr, MmuAccess::kWrite)].Zero(
        static_cast<uint32_t>(offset), static_cast<uint32_t>(n));
    addr += n;
    length -= n;
  }
}

void HeapMemory::Copy(uint64_t to, uint64_t from, uint64_t length) {
  while (length > 0) {
    const uint64_t in = from & ~kPageMask, out = to & ~kPageMask;
    const uint64_t n = std::min({length, kPageSize - in, kPageSize - out});
    const PageBytes source =
        std::as_const(k_.frames)[Reach(from, MmuAccess::kRead)];
    PageBytes& target = k_.frames[Reach(to, MmuAccess::kWrite)];
    if (source.IsZero()) {
      target.Zero(static_cast<uint32_t>(out), static_cast<uint32_t>(n));
    } else {
      for (uint64_t i = 0; i < n; i++) {
        target.Write(static_cast<uint32_t>(out + i),
                     source.Read(static_cast<uint32_t>(in + i)));
      }
    }
    to += n;
    from += n;
    length -= n;
  }
}

}  // namespace faultline::malloc

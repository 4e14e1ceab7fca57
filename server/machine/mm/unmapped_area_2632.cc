// Models arch/x86/kernel/sys_x86_64.c (v2.6.32): arch_get_unmapped_area(),
// arch_get_unmapped_area_topdown(); mm/mmap.c: arch_unmap_area(),
// arch_unmap_area_topdown(). It knows no guard gap below a stack, as 2.6.32 did
// not. Departure: D25.
#include "server/machine/mm/unmapped_area_2632.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/mmap.h"
#include "server/machine/mm/vma_holes.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

constexpr uint64_t kUnknownHole = ~uint64_t{0};

// Is [addr, addr + length) free? `vma` is the first that ends above addr.
bool Fits(const Kernel& k, Id<Vma> vma, uint64_t addr, uint64_t length) {
  return !vma || addr + length <= k.vmas[vma].start.value();
}

// The hint, when there is one, it fits below `end` and nothing is mapped there.
std::optional<VirtAddr> AtHint(Kernel& k, Mm& mm, uint64_t addr,
                               uint64_t length, uint64_t end) {
  if (addr == 0) return {};
  addr = PageAlign(addr);
  Id<Vma> vma = FindVma(k, mm, VirtAddr(addr));
  if (end - length < addr || !Fits(k, vma, addr, length)) return {};
  return VirtAddr(addr);
}

void Remember(Mm& mm, uint64_t from, VirtAddr hole_end) {
  if (from + mm.cached_hole_size < hole_end.value()) {
    mm.cached_hole_size = hole_end.value() - from;
  }
}

// arch_get_unmapped_area(): from free_area_cache up, then once from the bottom.
std::optional<VirtAddr> Bottomup(Kernel& k, Mm& mm, uint64_t hint,
                                 uint64_t length, uint64_t flags) {
  uint64_t begin = mm.mmap_legacy_base.value(), end = mm.task_size;
  if (flags & mman::k32Bit) {
    begin = 0x40000000;
    end = 0x80000000;
  }
  if (length > end) return {};
  if (auto at = AtHint(k, mm, hint, length, end)) return at;
  const bool low = flags & mman::k32Bit;
  if (low && length <= mm.cached_hole_size) {
    mm.cached_hole_size = 0;
    mm.free_area_cache = VirtAddr(begin);
  }
  uint64_t addr = std::max(mm.free_area_cache.value(), begin);
  bool from_bottom = addr == begin;
  Id<Vma> at = FindVma(k, mm, VirtAddr(addr));
  while (true) {
    if (end - length < addr) {
      if (from_bottom) return {};
      from_bottom = true;
      addr = begin;
      mm.cached_hole_size = 0;
      at = FindVma(k, mm, VirtAddr(addr));
      continue;
    }
    if (Fits(k, at, addr, length)) {
      mm.free_area_cache = VirtAddr(addr + length);
      return VirtAddr(addr);
    }
    const Vma& vma = std::as_const(k.vmas)[at];
    Remember(mm, addr, vma.start);
    addr = vma.end.value();
    at = vma.next;
  }
}

// arch_get_unmapped_area_topdown() without its fallback.
std::optional<VirtAddr> Topdown(Kernel& k, Mm& mm, uint64_t length) {
  if (length <= mm.cached_hole_size) {
    mm.cached_hole_size = 0;
    mm.free_area_cache = mm.mmap_base;
  }
  auto found = [&](uint64_t addr) {
    return mm.free_area_cache = VirtAddr(addr);
  };
  const uint64_t cache = mm.free_area_cache.value();
  if (cache > length) {
    Id<Vma> vma = FindVma(k, mm, VirtAddr(cache - length));
    if (Fits(k, vma, cache - length, length)) return found(cache - length);
  }
  if (mm.mmap_base.value() < length) return {};
  uint64_t addr = mm.mmap_base.value() - length;
  while (true) {
    Id<Vma> at = FindVma(k, mm, VirtAddr(addr));
    if (Fits(k, at, addr, length)) return found(addr);
    const VirtAddr start = std::as_const(k.vmas)[at].start;
    Remember(mm, addr, start);
    if (length >= start.value()) return {};
    addr = start.value() - length;
  }
}

bool IsTopdown(const Mm& mm) { return mm.flags & mmf::kTopdown; }

}  // namespace

bool PlacesAs2632(const Kernel& k) {
  return k.sysctl.unmapped_area == kVersion2632;
}

std::optional<VirtAddr> GetUnmappedArea2632(Kernel& k, Mm& mm, uint64_t addr,
                                            uint64_t length, uint64_t flags) {
  if (length > mm.task_size) return {};
  mm.cached_hole_size = CachedHoleSize(std::as_const(k), mm);
  mm.cached_hole_is_sought = false;
  if (!IsTopdown(mm)) return Bottomup(k, mm, addr, length, flags);
  if (!(flags & mman::k32Bit)) {
    if (auto at = AtHint(k, mm, addr, length, mm.task_size)) return at;
    if (auto at = Topdown(k, mm, length)) return at;
  }
  // Bottom-up at last, and the next search begins at the top again.
  mm.cached_hole_size = kUnknownHole;
  mm.free_area_cache = mm.mmap_legacy_base;
  auto at = Bottomup(k, mm, addr, length, flags);
  mm.free_area_cache = mm.mmap_base;
  mm.cached_hole_size = kUnknownHole;
  return at;
}

void UnmapArea2632(const Kernel& k, Mm& mm, Id<Vma> below, Id<Vma> above) {
  if (IsTopdown(mm)) {
    VirtAddr top = above ? k.vmas[above].start : mm.mmap_base;
    mm.free_area_cache =
        std::min(std::max(mm.free_area_cache, top), mm.mmap_base);
    return;
  }
  VirtAddr bottom = below ? k.vmas[below].end : mm.mmap_base;
  if (bottom >= mm.mmap_legacy_base && bottom < mm.free_area_cache) {
    mm.free_area_cache = bottom;
    mm.cached_hole_size = kUnknownHole;
    mm.cached_hole_is_sought = false;
  }
}

void RememberArea(Mm& mm, VirtAddr addr, uint64_t length, uint64_t flags) {
  const bool low = flags & mman::k32Bit;
  if (IsTopdown(mm) ? low || addr + length > mm.mmap_base
                    : addr < mm.mmap_legacy_base) {
    // Found where a search that begins at the other end does not look.
    ResetAreaCacheForFork(mm);
    return;
  }
  mm.free_area_cache = IsTopdown(mm) ? addr : addr + length;
  mm.cached_hole_is_sought = true;
}

uint64_t CachedHoleSize(const Kernel& k, const Mm& mm) {
  if (!mm.cached_hole_is_sought) return mm.cached_hole_size;
  return IsTopdown(mm)
             ? LargestHole(k, mm, mm.free_area_cache, mm.mmap_base)
             : LargestHole(k, mm, mm.mmap_legacy_base, mm.free_area_cache);
}

void ResetAreaCacheForExec(Mm& mm) {
  mm.free_area_cache = IsTopdown(mm) ? mm.mmap_base : mm.mmap_legacy_base;
  mm.cached_hole_size = 0;
  mm.cached_hole_is_sought = false;
}

void ResetAreaCacheForFork(Mm& mm) {
  mm.free_area_cache = IsTopdown(mm) ? mm.mmap_base : mm.mmap_legacy_base;
  mm.cached_hole_size = kUnknownHole;
  mm.cached_hole_is_sought = false;
}

}  // namespace faultline

// Models mm/vmalloc.c (v6.18): find_vmap_lowest_match(), va_clip(),
// merge_or_add_vmap_area_augment(), __purge_vmap_area_lazy(), lazy_max_pages();
// arch/x86/include/asm/pgtable_{32,64}_areas.h. The trees are
// lib/rbtree.c's. Departure: D16 (one CPU, so there is one pool of areas).
#include "server/machine/mm/vmap_area.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/highmem.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// What a tree of areas is worked on with. Of the free ones, each node that an
// operation touches is remembered, for its subtree may have changed.
class AreaTree {
 public:
  AreaTree(KernelMaps& maps, uint32_t& root)
      : maps_(maps), root_(root), augmented_(&root == &maps.free_root) {}

 private:
  VmapArea& Area(uint32_t n) { return maps_.areas[Id<VmapArea>(n)]; }
  auto Tree() {
    auto at = [this](uint32_t n) -> RbLinks& {
      if (augmented_) touched_.push_back(n);
      return Area(n).links;
    };
    return RbTree<decltype(at)>(root_, at);
  }

 public:
  void Insert(Id<VmapArea> id) {
    const uint64_t start = maps_.areas[id].start;
    uint32_t parent = 0;
    RbSide side = RbSide::kLeft;
    for (uint32_t at = root_; at != 0;) {
      parent = at;
      const bool left = start < Area(at).start;
      side = left ? RbSide::kLeft : RbSide::kRight;
      at = left ? Area(at).links.left : Area(at).links.right;
    }
    Tree().Insert(id.value(), parent, side);
    Propagate();
  }
  void Erase(Id<VmapArea> id) {
    Tree().Erase(id.value());
    std::erase(touched_, id.value());
    Propagate();
  }
  // Its size is another now.
  void Changed(Id<VmapArea> id) {
    touched_ = {id.value()};
    Propagate();
  }

 private:
  uint64_t MaxOf(uint32_t n) { return n == 0 ? 0 : Area(n).subtree_max; }
  // free_vmap_area_rb_augment_cb_propagate(), from each of them to the root.
  void Propagate() {
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()),
                   touched_.end());
    for (uint32_t from : touched_) {
      for (uint32_t n = from; n != 0; n = Area(n).links.parent) {
        VmapArea& area = Area(n);
        area.subtree_max = std::max(
            {area.size(), MaxOf(area.links.left), MaxOf(area.links.right)});
      }
    }
    touched_.clear();
  }

  KernelMaps& maps_;
  uint32_t& root_;
  const bool augmented_;
  std::vector<uint32_t> touched_;
};

AreaTree FreeTree(Kernel& k) {
  return {k.kernel_maps, k.kernel_maps.free_root};
}
AreaTree BusyTree(Kernel& k) {
  return {k.kernel_maps, k.kernel_maps.busy_root};
}

void AddFree(Kernel& k, uint64_t start, uint64_t end) {
  if (start >= end) return;
  const Id<VmapArea> id = k.kernel_maps.areas.New();
  VmapArea& area = k.kernel_maps.areas[id];
  area.start = start;
  area.end = end;
  FreeTree(k).Insert(id);
}

// vmap_init_free_space(), of the two parts that are used.
void VmallocInit(Kernel& k) {
  if (std::exchange(k.kernel_maps.vmalloc_up, true)) return;
  const VmapRange vmalloc = VmallocRange(k), modules = ModulesRange(k);
  AddFree(k, vmalloc.start, vmalloc.end);
  if (modules.start != vmalloc.start) AddFree(k, modules.start, modules.end);
}

bool Fits(const VmapArea& area, uint64_t bytes, VmapRange range) {
  const uint64_t start = std::max(area.start, range.start);
  return start < area.end && area.end - start >= bytes;
}

// find_vmap_lowest_match()
Id<VmapArea> LowestMatch(const KernelMaps& maps, uint64_t bytes,
                         VmapRange range) {
  auto area = [&](uint32_t n) -> const VmapArea& {
    return maps.areas[Id<VmapArea>(n)];
  };
  auto max_of = [&](uint32_t n) {
    return n == 0 ? uint64_t{0} : area(n).subtree_max;
  };
  uint32_t n = maps.free_root;
  uint64_t from = range.start;
  while (n != 0) {
    if (max_of(area(n).links.left) >= bytes && from < area(n).start) {
      n = area(n).links.left;
      continue;
    }
    if (Fits(area(n), bytes, range)) return Id<VmapArea>(n);
    if (max_of(area(n).links.right) >= bytes) {
      n = area(n).links.right;
      continue;
    }
    // Back up, to a place to the right that was not looked at.
    while ((n = area(n).links.parent) != 0) {
      if (Fits(area(n), bytes, range)) return Id<VmapArea>(n);
      if (max_of(area(n).links.right) >= bytes && from <= area(n).start) {
        from = area(n).start + 1;
        n = area(n).links.right;
        break;
      }
    }
  }
  return {};
}

// va_clip(): takes [start, start + bytes) out of a free area.
void Clip(Kernel& k, Id<VmapArea> id, uint64_t start, uint64_t bytes) {
  VmapArea& area = k.kernel_maps.areas[id];
  const uint64_t end = area.end;
  if (area.start == start && end == start + bytes) {
    FreeTree(k).Erase(id);
    k.kernel_maps.areas.Delete(id);
    return;
  }
  if (area.start == start) {
    area.start = start + bytes;
    FreeTree(k).Changed(id);
    return;
  }
  area.end = start;
  FreeTree(k).Changed(id);
  AddFree(k, start + bytes, end);
}

// The free areas next to an address: the one that begins or ends there.
Id<VmapArea> FreeAt(const KernelMaps& maps, uint64_t addr, bool begins) {
  for (uint32_t n = maps.free_root; n != 0;) {
    const VmapArea& area = maps.areas[Id<VmapArea>(n)];
    if ((begins ? area.start : area.end) == addr) return Id<VmapArea>(n);
    n = addr < (begins ? area.start : area.end) ? area.links.left
                                                : area.links.right;
  }
  return {};
}

// merge_or_add_vmap_area_augment()
void MergeFree(Kernel& k, uint64_t start, uint64_t end) {
  KernelMaps& maps = k.kernel_maps;
  const Id<VmapArea> below = FreeAt(maps, start, false);
  const Id<VmapArea> above = FreeAt(maps, end, true);
  if (above) {
    end = maps.areas[above].end;
    FreeTree(k).Erase(above);
    maps.areas.Delete(above);
  }
  if (below) {
    maps.areas[below].end = end;
    FreeTree(k).Changed(below);
  } else {
    AddFree(k, start, end);
  }
}

Id<VmapArea> TryAlloc(Kernel& k, uint64_t bytes, VmapRange range) {
  const Id<VmapArea> found =
      LowestMatch(std::as_const(k.kernel_maps), bytes, range);
  if (!found) return {};
  const uint64_t start =
      std::max(k.kernel_maps.areas[found].start, range.start);
  if (start + bytes > range.end) return {};
  Clip(k, found, start, bytes);
  const Id<VmapArea> id = k.kernel_maps.areas.New();
  VmapArea& area = k.kernel_maps.areas[id];
  area.start = start;
  area.end = start + bytes;
  area.state = VmapState::kBusy;
  BusyTree(k).Insert(id);
  return id;
}

}  // namespace

VmapRange VmallocRange(const Kernel& k) {
  if (k.config.profile == Profile::kX86_64) {
    constexpr uint64_t kStart = 0xffffc90000000000, kBytes = kMiB << 25;
    return {kStart, kStart + kBytes - kPageSize};
  }
  // high_memory + VMALLOC_OFFSET, up to two pages below pkmap.
  uint64_t high = PageOffset(k);
  for (const Zone& zone : k.zones) {
    if (!zone.populated() || IsHighmem(k, zone.type)) continue;
    high = std::max(high, VirtOf(k, zone.start + zone.spanned));
  }
  constexpr uint64_t kVmallocOffset = 8 * kMiB, kGap = 2 * kPageSize;
  const uint64_t start = high + kVmallocOffset;
  return {start, std::max(start, PkmapBase(k) - kGap)};
}

VmapRange ModulesRange(const Kernel& k) {
  if (k.config.profile != Profile::kX86_64) return VmallocRange(k);
  return {0xffffffffa0000000, 0xffffffffff000000};
}

uint64_t LazyMaxPages(const Kernel& k) {
  const uint32_t cpus = std::max<uint32_t>(k.config.cpus, 1);
  const auto fls = static_cast<uint64_t>(32 - __builtin_clz(cpus));
  return fls * (32 * kMiB >> kPageShift);
}

Id<VmapArea> AllocVmapArea(Kernel& k, uint64_t bytes, VmapRange range) {
  VmallocInit(k);
  Id<VmapArea> id = TryAlloc(k, bytes, range);
  if (!id && k.kernel_maps.nr_lazy > 0) {
    PurgeVmapAreas(k);
    id = TryAlloc(k, bytes, range);
  }
  k.clock_ns += cost::kVmaUpdate;
  return id;
}

Id<VmapArea> FindVmapArea(const Kernel& k, uint64_t addr) {
  const KernelMaps& maps = k.kernel_maps;
  for (uint32_t n = maps.busy_root; n != 0;) {
    const VmapArea& area = maps.areas[Id<VmapArea>(n)];
    if (addr >= area.start && addr < area.end) return Id<VmapArea>(n);
    n = addr < area.start ? area.links.left : area.links.right;
  }
  return {};
}

void FreeVmapAreaLazily(Kernel& k, Id<VmapArea> id) {
  BusyTree(k).Erase(id);
  VmapArea& area = k.kernel_maps.areas[id];
  area.state = VmapState::kLazy;
  area.nr_pages = 0;
  k.kernel_maps.nr_lazy += area.size() >> kPageShift;
  k.kernel_maps.lazy.push_back(id);
  k.clock_ns += cost::kVmaUpdate;
  if (k.kernel_maps.nr_lazy > LazyMaxPages(k)) PurgeVmapAreas(k);
}

void PurgeVmapAreas(Kernel& k) {
  KernelMaps& maps = k.kernel_maps;
  if (maps.lazy.empty()) return;
  uint64_t start = ~uint64_t{0}, end = 0;
  for (Id<VmapArea> id : maps.lazy) {
    start = std::min(start, maps.areas[id].start);
    end = std::max(end, maps.areas[id].end);
  }
  FlushTlbKernelRange(k, start, end);
  for (Id<VmapArea> id : std::exchange(maps.lazy, {})) {
    const VmapArea area = maps.areas[id];
    maps.areas.Delete(id);
    MergeFree(k, area.start, area.end);
  }
  maps.nr_lazy = 0;
}

}  // namespace faultline

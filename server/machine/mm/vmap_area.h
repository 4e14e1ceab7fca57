// The areas of the kernel's address space: those in use in a tree by address,
// the free ones in one that knows the largest of each subtree, so that the
// lowest that fits is found on one way down.
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMAP_AREA_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMAP_AREA_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// Where areas may lie: [start, end).
struct VmapRange {
  uint64_t start = 0;
  uint64_t end = 0;
};
// VMALLOC_START and VMALLOC_END; empty when low memory leaves no room.
VmapRange VmallocRange(const Kernel& k);
// MODULES_VADDR and MODULES_END.
VmapRange ModulesRange(const Kernel& k);

// alloc_vmap_area(): the lowest free place of so many bytes, whole pages. None:
// there is none, even after a purge.
Id<VmapArea> AllocVmapArea(Kernel& k, uint64_t bytes, VmapRange range);
// __find_vmap_area(): the area in use that an address lies in, or none.
Id<VmapArea> FindVmapArea(const Kernel& k, uint64_t addr);
// free_vmap_area_noflush(): its addresses are free for others after a purge,
// which comes when there are enough of the kind.
void FreeVmapAreaLazily(Kernel& k, Id<VmapArea> id);
// __purge_vmap_area_lazy()
void PurgeVmapAreas(Kernel& k);
// lazy_max_pages()
uint64_t LazyMaxPages(const Kernel& k);

// Calls f(id, area) for the areas in use, lowest first.
template <class F>
void ForEachVmapArea(const KernelMaps& maps, uint32_t root, F f) {
  if (root == 0) return;
  const VmapArea& area = maps.areas[Id<VmapArea>(root)];
  ForEachVmapArea(maps, area.links.left, f);
  f(Id<VmapArea>(root), area);
  ForEachVmapArea(maps, area.links.right, f);
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMAP_AREA_H_

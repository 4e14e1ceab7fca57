// The kernel's own addresses: its page tables, the areas of vmalloc and the
// slots of kmap. Models include/linux/vmalloc.h, mm/vmalloc.c: struct
// vmap_area, and mm/highmem.c: pkmap_count (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMALLOC_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMALLOC_TYPES_H_

#include <cstdint>
#include <vector>

#include "server/machine/base/pool.h"
#include "server/machine/base/rb_tree.h"
#include "server/machine/base/units.h"
#include "server/machine/hw/large_tlb.h"

namespace faultline {

enum class VmapState : uint8_t {
  kFree = 0,  // in free_vmap_area_root
  kBusy = 1,  // in the tree of what is in use
  kLazy = 2,  // freed, and its translations may still be in the TLB
};

// Who asked for an area: what vmallocinfo names.
enum class VmapCaller : uint8_t { kVmalloc = 0, kModule = 1, kDriver = 2 };

// struct vmap_area, with what its vm_struct says: [start, end), the guard page
// included.
struct VmapArea {
  uint64_t start = 0;
  uint64_t end = 0;
  RbLinks links;             // of the tree of its state
  uint64_t subtree_max = 0;  // kFree: the largest size in its subtree
  VmapState state = VmapState::kFree;
  VmapCaller caller = VmapCaller::kVmalloc;
  uint64_t nr_pages = 0;

  uint64_t size() const { return end - start; }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.start, s.end, s.links, s.subtree_max, s.state, s.caller, s.nr_pages);
  }
};

// One slot of pkmap.
struct PkmapSlot {
  Pfn page;
  uint32_t count = 0;  // 0 free, 1 mapped and unused, n + 1: n users
};

// init_mm and what hangs on it. Nothing of it exists before it is needed.
struct KernelMaps {
  Pfn pgd;                   // swapper_pg_dir
  uint32_t boot_tables = 0;  // tables in the frames that boot kept
  uint32_t tables = 0;       // … and from the page allocator
  LargeTlb large_tlb;

  bool vmalloc_up = false;  // vmalloc_init() has run
  Pool<VmapArea, 4> areas;
  uint32_t free_root = 0;
  uint32_t busy_root = 0;
  std::vector<Id<VmapArea>> lazy;  // in the order in which they were freed
  uint64_t nr_lazy = 0;            // pages: vmap_lazy_nr
  uint64_t nr_vmalloc_pages = 0;

  std::vector<PkmapSlot> pkmap;  // empty before the first kmap
  uint32_t last_pkmap_nr = 0;
  // The pages in the fixmap's slots of the CPU, the one mapped last at the end.
  std::vector<Pfn> kmap_local;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.pgd, s.boot_tables, s.tables, s.large_tlb, s.vmalloc_up, s.areas,
       s.free_root, s.busy_root, s.lazy, s.nr_lazy, s.nr_vmalloc_pages, s.pkmap,
       s.last_pkmap_nr, s.kmap_local);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMALLOC_TYPES_H_

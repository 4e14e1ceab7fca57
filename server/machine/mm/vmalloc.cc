// Models mm/vmalloc.c (v6.18): __vmalloc_area_node(), vm_area_alloc_pages(),
// vmap_pages_range(), remove_vm_area(), vfree(). Departure: D40 (vm_struct and
// the array of its pages are in no slab).
#include "server/machine/mm/vmalloc.h"

#include <cstdio>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/show_mem.h"

namespace faultline {
namespace {

using ull = unsigned long long;

void Say(Kernel& k, std::string text) {
  k.Emit(EventLevel::kFaults, Console{std::move(text)});
}

Errno Fails(Kernel& k, uint64_t size, uint32_t gfp, const char* why) {
  WarnAlloc(k, gfp, "vmalloc error: size " + std::to_string(size) + ", " + why);
  return Errno::kENOMEM;
}

// alloc_vmap_area(), when no place was free.
void WarnOfNoRoom(Kernel& k, uint64_t bytes, VmapRange range, uint32_t gfp) {
  if (gfp & gfp::kNoWarn) return;
  char text[160];
  if (k.config.personality == Personality::kLinux61) {
    std::snprintf(text, sizeof text,
                  "vmap allocation for size %llu failed: use vmalloc=<size> to "
                  "increase size\n",
                  ull{bytes});
  } else {
    std::snprintf(text, sizeof text,
                  "vmalloc_node_range for size %llu failed: Address range "
                  "restricted to %#llx - %#llx\n",
                  ull{bytes}, ull{range.start}, ull{range.end});
  }
  Say(k, text);
}

// vunmap_range() and the freeing of what was there.
void UnmapPages(Kernel& k, const VmapArea& area) {
  for (uint64_t i = 0; i < area.nr_pages; i++) {
    const PteRef at =
        FindKernelPte(std::as_const(k), VirtAddr(area.start + i * kPageSize));
    const Pfn pfn = ReadPte(std::as_const(k), at).pfn();
    SetPte(k, at, Pte());
    k.page(pfn).flags &= ~page_flag::kVmalloc;
    PutPage(k, pfn);
  }
  k.kernel_maps.nr_vmalloc_pages -= area.nr_pages;
}

// __vmalloc_area_node(): a page and an entry at a time. What failed, or null.
const char* MapPages(Kernel& k, Id<VmapArea> id, uint64_t pages, uint32_t gfp) {
  for (uint64_t i = 0; i < pages; i++) {
    const uint64_t addr = k.kernel_maps.areas[id].start + i * kPageSize;
    const Pfn pfn = AllocPages(k, gfp | gfp::kNoWarn, 0);
    if (!pfn.valid()) return "failed to allocate pages";
    const PteRef at = AllocKernelPte(k, VirtAddr(addr));
    if (!at.ok()) {
      PutPage(k, pfn);
      return "failed to map pages";
    }
    k.page(pfn).flags |= page_flag::kVmalloc;
    SetPte(k, at, Pte::Make(pfn, kKernelPageBits));
    k.clock_ns += cost::kPteSet;
    k.kernel_maps.areas[id].nr_pages++;
    k.kernel_maps.nr_vmalloc_pages++;
  }
  return nullptr;
}

void FreePagesOf(Kernel& k, Id<VmapArea> id) {
  const VmapArea area = std::as_const(k.kernel_maps.areas)[id];
  UnmapPages(k, area);
  FreeVmapAreaLazily(k, id);
}

}  // namespace

ErrnoOr<uint64_t> VmallocRangeCaller(Kernel& k, uint64_t size, uint32_t gfp,
                                     VmapRange range, VmapCaller caller) {
  if (gfp == 0) gfp = gfp::kKernel;
  if (size == 0) {
    WarnOn(k, WarnSite::kVmallocSize);
    return Errno::kENOMEM;
  }
  if (size >> kPageShift > k.totalram_pages) {
    return Fails(k, size, gfp, "exceeds total pages");
  }
  const uint64_t pages = PagesOf(PageAlign(size)).value();
  // A page more, which nothing maps: what runs over the end is to be noticed.
  const uint64_t bytes = (pages + 1) * kPageSize;
  const Id<VmapArea> id = AllocVmapArea(k, bytes, range);
  if (!id) {
    WarnOfNoRoom(k, bytes, range, gfp);
    return Fails(k, size, gfp, "vm_struct allocation failed");
  }
  k.kernel_maps.areas[id].caller = caller;
  const uint64_t addr = k.kernel_maps.areas[id].start;
  if (!(gfp & (gfp::kDma | gfp::kDma32))) gfp |= gfp::kHighMem;
  if (const char* why = MapPages(k, id, pages, gfp); why != nullptr) {
    const uint64_t got = k.kernel_maps.areas[id].nr_pages * kPageSize;
    FreePagesOf(k, id);
    // Who is to die gets no page, and need not be told.
    if (CurrentIsOomVictim(k)) return Errno::kENOMEM;
    return Fails(k, got, gfp, why);
  }
  return addr;
}

ErrnoOr<uint64_t> DoVmalloc(Kernel& k, uint64_t size, uint32_t gfp) {
  return VmallocRangeCaller(k, size, gfp, VmallocRange(k),
                            VmapCaller::kVmalloc);
}

Errno DoVfree(Kernel& k, uint64_t addr) {
  if (addr == 0) return Errno::kOk;
  if (addr % kPageSize != 0) {
    Say(k, "Trying to vfree() bad address (" + PointerText(k, addr) + ")\n");
    return Errno::kEINVAL;
  }
  const Id<VmapArea> id = FindVmapArea(std::as_const(k), addr);
  if (!id) {
    Say(k, "Trying to vfree() nonexistent vm area (" + PointerText(k, addr) +
               ")\n");
    return Errno::kEINVAL;
  }
  FreePagesOf(k, id);
  return Errno::kOk;
}

void WriteVmalloc(Kernel& k, uint64_t addr, std::string_view bytes) {
  for (const char byte : bytes) {
    const Pfn pfn = KernelAddrToPfn(std::as_const(k), addr);
    VM_BUG_ON(!pfn.valid());
    k.frames[pfn].Write(static_cast<uint32_t>(addr & ~kPageMask),
                        static_cast<uint8_t>(byte));
    addr++;
  }
}

}  // namespace faultline

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
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/show_mem.h"

namespace faultline {
namespace {

using ull = unsigned long long;

void Say(Kernel& k, std::string text) {
  k.Emit(EventLevel::kFaults, Console{std::move(text)});
}

// warn_alloc(): "vmalloc error: size N, …" and the mode of the request.
Errno Fails(Kernel& k, uint64_t size, uint32_t gfp, const char* why) {
  if (gfp & gfp::kNoWarn) return Errno::kENOMEM;
  char text[320];
  std::snprintf(text, sizeof text,
                "%s: vmalloc error: size %llu, %s, mode:%#x(%s), "
                "nodemask=(null),cpuset=/,mems_allowed=0\n",
                k.current ? k.Current().comm.c_str() : "swapper/0", ull{size},
                why, gfp, GfpFlagNames(gfp).c_str());
  Say(k, text);
  return Errno::kENOMEM;
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

// __vmalloc_area_node(): a page and an entry at a time. False: no memory.
bool MapPages(Kernel& k, Id<VmapArea> id, uint64_t pages, uint32_t gfp) {
  for (uint64_t i = 0; i < pages; i++) {
    const uint64_t addr = k.kernel_maps.areas[id].start + i * kPageSize;
    const Pfn pfn = AllocPages(k, gfp, 0);
    if (!pfn.valid()) return false;
    const PteRef at = AllocKernelPte(k, VirtAddr(addr));
    if (!at.ok()) {
      PutPage(k, pfn);
      return false;
    }
    k.page(pfn).flags |= page_flag::kVmalloc;
    SetPte(k, at, Pte::Make(pfn, kKernelPageBits));
    k.clock_ns += cost::kPteSet;
    k.kernel_maps.areas[id].nr_pages++;
    k.kernel_maps.nr_vmalloc_pages++;
  }
  return true;
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
  if (!(gfp & (gfp::kDma | gfp::kDma32))) gfp |= gfp::kHighMem;
  if (size == 0) {
    Say(k, "WARNING: vmalloc of no bytes\n");
    return Errno::kENOMEM;
  }
  if (size >> kPageShift > k.totalram_pages) {
    return Fails(k, size, gfp, "exceeds total pages");
  }
  const uint64_t pages = PagesOf(PageAlign(size)).value();
  // A page more, which nothing maps: what runs over the end is to be noticed.
  const Id<VmapArea> id = AllocVmapArea(k, (pages + 1) * kPageSize, range);
  if (!id) return Fails(k, size, gfp, "vm_struct allocation failed");
  k.kernel_maps.areas[id].caller = caller;
  const uint64_t addr = k.kernel_maps.areas[id].start;
  if (!MapPages(k, id, pages, gfp)) {
    FreePagesOf(k, id);
    return Fails(k, size, gfp, "failed to allocate pages");
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

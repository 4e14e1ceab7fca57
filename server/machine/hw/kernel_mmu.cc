#include "server/machine/hw/kernel_mmu.h"

#include "server/machine/hw/cost.h"
#include "server/machine/hw/pte.h"

namespace faultline {

Pfn KernelMmu::Cached(const Cr3& cr3, VirtAddr addr) {
  Pfn pfn = large_.Find(cr3.paging, addr);
  if (pfn.valid()) {
    tlb_.CountHits(1);
  } else if (const TlbEntry* e = tlb_.Lookup(cr3.asid, addr.vpn())) {
    pfn = e->pfn;
  } else {
    tlb_misses_++;
    return pfn;
  }
  clock_ns_ += cost::kTlbHit;
  return pfn;
}

Pte KernelMmu::Load(const PagingMode& paging, Pfn table, VirtAddr addr,
                    int level) {
  table_loads_++;
  clock_ns_ += level == 1 ? cost::kWalkCached : cost::kWalkLevel;
  const uint64_t* entries = frames_.Table(table);
  if (entries == nullptr) return Pte();
  return paging.Load(entries, paging.IndexAt(addr, level));
}

Pfn KernelMmu::Walk(const Cr3& cr3, VirtAddr addr) {
  if (!cr3.root.valid()) return Pfn();
  const PagingMode paging = cr3.paging;
  Pfn table = tlb_.CachedTable(cr3.asid, paging.RegionOf(addr));
  if (!table.valid()) {
    table = cr3.root;
    for (int level = paging.levels(); level > 1; level--) {
      const Pte entry = Load(paging, table, addr, level);
      if (!entry.hw_present()) return Pfn();
      if (level == 2 && entry.huge()) {
        large_.Insert(paging, addr, entry.pfn());
        return large_.Find(paging, addr);
      }
      table = entry.pfn();
    }
    tlb_.CacheTable(cr3.asid, paging.RegionOf(addr), table);
  }
  const Pte pte = Load(paging, table, addr, 1);
  if (!pte.hw_present()) return Pfn();
  uint8_t flags = 0;
  if (pte.writable()) flags |= TlbEntry::kWrite;
  if (pte.dirty()) flags |= TlbEntry::kDirty;
  if (pte.value() & Pte::kNoExec) flags |= TlbEntry::kNoExec;
  tlb_.Insert(cr3.asid, addr.vpn(), pte.pfn(), flags);
  return pte.pfn();
}

}  // namespace faultline

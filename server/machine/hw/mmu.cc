#include "server/machine/hw/mmu.h"

#include <utility>

#include "server/machine/hw/cost.h"

namespace faultline {

WalkStep WalkPageTable(const Frames& frames, const Cr3& cr3, VirtAddr addr) {
  WalkStep step{cr3.paging.levels(), cr3.root, 0, Pte()};
  for (;; step.level--) {
    step.index = cr3.paging.IndexAt(addr, step.level);
    const uint64_t* table = frames.Table(step.table);
    step.entry = table == nullptr ? Pte() : cr3.paging.Load(table, step.index);
    if (step.level == 1 || !step.entry.hw_present()) return step;
    if (step.level == 2 && step.entry.huge()) return step;
    step.table = step.entry.pfn();
  }
}

// From the paging-structure cache or by walking down.
Mmu::Leaf Mmu::FindLeaf(const Cr3& cr3, VirtAddr addr) {
  const PagingMode paging = cr3.paging;
  Pfn table = tlb_.CachedTable(cr3.asid, paging.RegionOf(addr));
  clock_ns_ += cost::kWalkCached;
  if (table.valid()) return {table};
  clock_ns_ += cost::kWalkLevel * static_cast<uint64_t>(paging.levels() - 1);
  table = cr3.root;
  for (int level = paging.levels(); level > 1; level--) {
    const uint64_t* entries = std::as_const(frames_).Table(table);
    int index = paging.IndexAt(addr, level);
    if (entries == nullptr) return {};
    Pte entry = paging.Load(entries, index);
    if (!entry.hw_present()) return {};
    if (level == 2 && entry.huge()) return {table, 2};
    if (!entry.young()) {
      paging.Store(frames_.MutTable(table), index, entry.With(Pte::kAccessed));
    }
    table = entry.pfn();
  }
  tlb_.CacheTable(cr3.asid, paging.RegionOf(addr), table);
  return {table};
}

// The TLB holds 4 KiB translations only: one of a huge page is filled in for
// the page that was asked for.
Translation Mmu::Walk(const Cr3& cr3, VirtAddr addr, MmuAccess access) {
  const PagingMode paging = cr3.paging;
  const uint32_t code = FaultCode(paging, access);
  const auto [table, level] = FindLeaf(cr3, addr);
  if (!table.valid()) return {Pfn(), code};
  const uint64_t* entries = std::as_const(frames_).Table(table);
  if (entries == nullptr) return {Pfn(), code};
  int index = level == 1 ? paging.PteIndex(addr) : paging.IndexAt(addr, level);
  Pte pte = paging.Load(entries, index);
  if (!pte.hw_present()) return {Pfn(), code};
  bool refused = (access == MmuAccess::kWrite && !pte.writable()) ||
                 (access == MmuAccess::kFetch && (pte.value() & Pte::kNoExec));
  if (refused) {
    // A fault on a cached translation drops it (SDM vol. 3A, 4.10.4.1).
    tlb_.FlushPage(cr3.asid, addr.vpn());
    return {Pfn(), code | kFaultProtection};
  }
  uint64_t set = Pte::kAccessed;
  if (access == MmuAccess::kWrite) set |= Pte::kDirty;
  if ((pte.value() & set) != set) {
    pte = pte.With(set);
    paging.Store(frames_.MutTable(table), index, pte);
  }
  uint8_t flags = 0;
  if (pte.writable()) flags |= TlbEntry::kWrite;
  if (pte.dirty()) flags |= TlbEntry::kDirty;
  if (pte.value() & Pte::kNoExec) flags |= TlbEntry::kNoExec;
  Pfn pfn = pte.pfn();
  if (level == 2)
    pfn = pfn + PageCount(static_cast<uint64_t>(paging.PteIndex(addr)));
  tlb_.Insert(cr3.asid, addr.vpn(), pfn, flags);
  return {pfn, 0};
}

}  // namespace faultline

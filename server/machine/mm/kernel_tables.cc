// Models arch/x86/mm/init.c (v6.18): kernel_physical_mapping_init(),
// split_mem_range(); include/asm-generic/pgalloc.h: __pte_alloc_one_kernel();
// mm/vmalloc.c: vmalloc_to_page(); arch/x86/mm/tlb.c: flush_tlb_kernel_range().
// Departure: D44 (the direct map is made when it is looked at, without pages of
// 1 GiB).
#include "server/machine/mm/kernel_tables.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

// The frames that boot kept are the first of the zone's memory.
uint64_t KeptPages(const Zone& zone) {
  return (zone.present - zone.managed).value();
}

// The zone that boot put the kernel into.
const Zone& KernelZone(const Kernel& k) {
  for (int i = 1; i < kMaxNrZones; i++) {
    if (k.zones[i].populated()) return k.zones[i];
  }
  return k.zones[0];
}

// The number `nth` of the kept frames, counted from their end; an invalid Pfn
// when there are not so many.
Pfn KeptFrame(const Zone& zone, uint64_t nth) {
  const uint64_t kept = KeptPages(zone);
  if (nth >= kept) return Pfn();
  uint64_t at = kept - 1 - nth;
  for (const PfnRange& range : zone.present_ranges) {
    if (at < range.size().value()) return range.begin + PageCount(at);
    at -= range.size().value();
  }
  return Pfn();
}

Pfn TableFromAllocator(Kernel& k, int level) {
  const Pfn pfn = AllocPages(k, gfp::kKernel | gfp::kZero, 0);
  if (!pfn.valid()) return pfn;
  Page& page = k.page(pfn);
  page.flags |= page_flag::kTable;
  page.index = 0;  // of no mm
  k.kernel_maps.tables++;
  if (KernelTableCounts(k, level)) k.vmstat.node[kNrPageTables]++;
  k.clock_ns += cost::kPageClear;
  return pfn;
}

// What boot makes, the tables of the direct map and the upper ones of the
// others, lies in memory that it kept.
Pfn NewTable(Kernel& k, int level, bool boot) {
  if (boot) {
    const Pfn pfn = KeptFrame(KernelZone(k), k.kernel_maps.boot_tables);
    if (pfn.valid()) {
      k.kernel_maps.boot_tables++;
      return pfn;
    }
  }
  return TableFromAllocator(k, level);
}

// The table of `to_level` that translates the address.
Pfn AllocKernelTable(Kernel& k, VirtAddr addr, int to_level, bool boot) {
  constexpr int kUpperLevels = 3;  // PGD and PUD: preallocate_vmalloc_pages()
  if (!k.kernel_maps.pgd.valid()) {
    k.kernel_maps.pgd = NewTable(k, k.paging.levels(), true);
  }
  Pfn table = k.kernel_maps.pgd;
  for (int level = k.paging.levels(); level > to_level && table.valid();
       level--) {
    const PteRef at{table, k.paging.IndexAt(addr, level)};
    Pte entry = ReadPte(std::as_const(k), at);
    VM_BUG_ON(level == 2 && entry.huge());
    if (!entry.hw_present()) {
      const Pfn fresh =
          NewTable(k, level - 1, boot || level - 1 >= kUpperLevels);
      if (!fresh.valid()) return fresh;
      entry = Pte::Make(fresh, kKernelTableBits);
      SetPte(k, at, entry);
    }
    table = entry.pfn();
  }
  return table;
}

// Is all that a large page would map low memory, and nothing of it in the first
// of them? What begins at 1 MiB is not aligned.
bool IsLargeRegion(const Kernel& k, Pfn first) {
  const auto pages = static_cast<uint32_t>(k.paging.entries());
  if (first.value() < pages) return false;
  for (const Zone& zone : k.zones) {
    if (IsHighmem(k, zone.type)) continue;
    for (const PfnRange& range : zone.present_ranges) {
      if (first >= range.begin && first + PageCount(pages) <= range.end) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

bool KernelTableCounts(const Kernel& k, int level) {
  return k.config.personality != Personality::kLinux61 || level == 2;
}

bool KeptByBoot(const Kernel& k, Pfn pfn) {
  if (!PfnValid(k, pfn.value())) return false;
  const Zone& zone = k.zone(ZoneOf(k, pfn));
  uint64_t keep = KeptPages(zone);
  for (const PfnRange& range : zone.present_ranges) {
    const uint64_t kept = std::min(keep, range.size().value());
    if (pfn >= range.begin && pfn < range.begin + PageCount(kept)) return true;
    keep -= kept;
  }
  return false;
}

PteRef AllocKernelPte(Kernel& k, VirtAddr addr) {
  return {AllocKernelTable(k, addr, 1, false), k.paging.PteIndex(addr)};
}

PteRef AllocFixmapPte(Kernel& k, VirtAddr addr) {
  return {AllocKernelTable(k, addr, 1, true), k.paging.PteIndex(addr)};
}

PteRef FindKernelPte(const Kernel& k, VirtAddr addr) {
  if (!k.kernel_maps.pgd.valid()) return {};
  const WalkStep step = WalkPageTable(k.frames, KernelCr3(k), addr);
  return step.level == 1 ? PteRef{step.table, step.index} : PteRef{};
}

void PopulateDirectMap(Kernel& k, VirtAddr addr) {
  const Pfn pfn = VirtToPfn(k, addr.value());
  if (!pfn.valid()) return;
  const auto pages = static_cast<uint32_t>(k.paging.entries());
  const Pfn first(pfn.value() & ~(pages - 1));
  const bool large = IsLargeRegion(k, first);
  const int level = large ? 2 : 1;
  const Pfn table = AllocKernelTable(k, addr, level, true);
  if (!table.valid()) return;
  const uint64_t bits = kKernelPageBits | (large ? Pte::kPageSizeBit : 0);
  SetPte(k, {table, k.paging.IndexAt(addr, level)},
         Pte::Make(large ? first : pfn, bits));
}

Pfn KernelAddrToPfn(const Kernel& k, uint64_t addr) {
  const Pfn direct = VirtToPfn(k, addr);
  if (direct.valid()) return direct;
  const PteRef at = FindKernelPte(k, VirtAddr(addr));
  if (!at.ok()) return Pfn();
  const Pte pte = ReadPte(k, at);
  return pte.hw_present() ? pte.pfn() : Pfn();
}

void FlushTlbKernelRange(Kernel& k, uint64_t start, uint64_t end) {
  constexpr uint64_t kSinglePageFlushCeiling = 33;
  const uint64_t pages = (end - start) >> kPageShift;
  if (pages > kSinglePageFlushCeiling) {
    k.tlb.FlushAsid(kKernelAsid);
    k.clock_ns += cost::kTlbFlushAll;
    k.Emit(EventLevel::kAll, TlbFlush{1, -1});
    return;
  }
  for (uint64_t a = start; a < end; a += kPageSize) {
    k.tlb.FlushPage(kKernelAsid, VirtAddr(a).vpn());
  }
  k.clock_ns += cost::kTlbFlushPage * pages;
  k.Emit(EventLevel::kAll, TlbFlush{1, static_cast<int64_t>(pages)});
}

}  // namespace faultline

// Models mm/memory.c (v6.18): __pte_alloc(), free_pgtables(),
// free_pgd_range(); arch/x86/mm/{pgtable,pgprot,tlb}.c: pgd_alloc().
#include "server/machine/mm/pgtable.h"

#include <algorithm>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

Pfn NewTable(Kernel& k, Mm& mm, int level, VirtAddr addr) {
  Pfn pfn = AllocPages(k, gfp::kPgtable, 0);
  if (!pfn.valid()) return pfn;
  Page& page = k.page(pfn);
  page.flags |= page_flag::kTable;
  page.index = mm.id.value();
  k.vmstat.node[kNrPageTables]++;
  k.clock_ns += cost::kPageClear;
  // The first address that a table of this level translates here.
  uint64_t span = uint64_t{1} << k.paging.LevelShift(level + 1);
  k.Emit(EventLevel::kAll,
         PageTableAlloc{static_cast<uint32_t>(level), pfn.value(),
                        addr.value() & ~(span - 1)});
  return pfn;
}

void FreeTable(Kernel& k, int level, Pfn pfn) {
  k.table_memo = {};
  k.vmstat.node[kNrPageTables]--;
  k.Emit(EventLevel::kAll,
         PageTableFree{static_cast<uint32_t>(level), pfn.value()});
  PutPage(k, pfn);
}

struct Range {
  uint64_t start, last;     // the addresses of interest, inclusive
  uint64_t floor, ceiling;  // what may go; ceiling inclusive
};

// Is there a table of the lowest level that translates only what may go? Among
// many small mappings there is none.
bool HoldsWholeTable(const Kernel& k, const Range& r) {
  const uint64_t mask = k.paging.TableSpan() - 1;
  const uint64_t first = r.start & ~mask, last = r.last | mask;
  if (first >= r.floor && (r.start | mask) <= r.ceiling) return true;
  if ((r.last & ~mask) >= r.floor && last <= r.ceiling) return true;
  return last - first > 2 * mask + 1;
}

// Frees what `table`, of `level` and translating from `base` on, points to.
void FreeBelow(Kernel& k, Mm& mm, Pfn table, int level, uint64_t base,
               const Range& r) {
  const int shift = k.paging.LevelShift(level);
  const uint64_t span = uint64_t{1} << shift;
  const auto entries_max = static_cast<uint64_t>(k.paging.entries());
  const uint64_t whole = span * entries_max;
  uint64_t first = r.start > base ? (r.start - base) >> shift : 0;
  uint64_t last =
      r.last - base < whole ? (r.last - base) >> shift : entries_max - 1;
  for (uint64_t i = first; i <= last; i++) {
    uint64_t from = base + i * span, to = from + span - 1;
    const uint64_t* entries = std::as_const(k.frames).Table(table);
    if (entries == nullptr) return;
    const auto index = static_cast<int>(i);
    const Pte entry = k.paging.Load(entries, index);
    if (!entry.hw_present()) continue;
    if (level > 2) FreeBelow(k, mm, entry.pfn(), level - 1, from, r);
    if (from >= r.floor && to <= r.ceiling) {
      SetPte(k, {table, index}, Pte());
      mm.pgtables_bytes -= kPageSize;
      if (level == 2) mm.nr_ptes--;
      FreeTable(k, level - 1, entry.pfn());
    }
  }
}

constexpr uint64_t kTableFlags =
    Pte::kPresent | Pte::kWrite | Pte::kUser | Pte::kAccessed | Pte::kDirty;
// PAE has three levels; the process's half ends where the kernel's begins,
// KERNEL_PGD_BOUNDARY.
constexpr int kPaeLevels = 3;
constexpr uint64_t kPaeUserEnd = 0xc0000000;
// tlb_single_page_flush_ceiling (arch/x86/mm/tlb.c).
constexpr uint64_t kSinglePageFlushCeiling = 33;

}  // namespace

bool PgdAlloc(Kernel& k, Mm& mm) {
  mm.pgd = NewTable(k, mm, k.paging.levels(), VirtAddr(0));
  if (!mm.pgd.valid()) return false;
  if (k.paging.levels() != kPaeLevels) return true;
  // preallocate_pmds(): a CPU with PAE reads the top entries only when it
  // loads the table's address.
  const uint64_t span = uint64_t{1} << k.paging.LevelShift(kPaeLevels);
  for (uint64_t at = 0; at < kPaeUserEnd; at += span) {
    if (AllocTable(k, mm, VirtAddr(at), 2).valid()) continue;
    PgdFree(k, mm);
    return false;
  }
  return true;
}

void PgdFree(Kernel& k, Mm& mm) {
  // pgd_mop_up_pmds()
  if (k.paging.levels() == kPaeLevels) {
    FreePgtables(k, mm, VirtAddr(0), VirtAddr(kPaeUserEnd), VirtAddr(0),
                 VirtAddr(0));
  }
  FreeTable(k, k.paging.levels(), mm.pgd);
  mm.pgd = Pfn();
}

PteRef AllocPte(Kernel& k, Mm& mm, VirtAddr addr) {
  PteRef found = FindPte(std::as_const(k), mm, addr);
  if (found.ok()) {
    k.table_memo = {mm.pgd, addr.value() / kPmdSize, found.table};
    return found;
  }
  return {AllocTable(k, mm, addr, 1), k.paging.PteIndex(addr)};
}

Pfn PteAllocOne(Kernel& k, Mm& mm, VirtAddr addr) {
  return NewTable(k, mm, 1, addr);
}

void PteFree(Kernel& k, Pfn table) { FreeTable(k, 1, table); }

Pte TableEntry(Pfn table) { return Pte::Make(table, kTableFlags); }

Pfn FindTable(const Kernel& k, const Mm& mm, VirtAddr addr, int to_level) {
  Pfn table = mm.pgd;
  for (int level = k.paging.levels(); level > to_level; level--) {
    const uint64_t* entries = k.frames.Table(table);
    if (entries == nullptr) return {};
    const Pte entry = k.paging.Load(entries, k.paging.IndexAt(addr, level));
    if (!entry.hw_present()) return {};
    if (level == 2 && entry.huge()) return {};
    table = entry.pfn();
  }
  return table;
}

Pfn AllocTable(Kernel& k, Mm& mm, VirtAddr addr, int to_level) {
  Pfn table = mm.pgd;
  for (int level = k.paging.levels(); level > to_level; level--) {
    const PteRef at{table, k.paging.IndexAt(addr, level)};
    Pte entry = ReadPte(std::as_const(k), at);
    VM_BUG_ON(level == 2 && entry.huge());
    if (!entry.hw_present()) {
      Pfn fresh = NewTable(k, mm, level - 1, addr);
      if (!fresh.valid()) return {};
      entry = Pte::Make(fresh, kTableFlags);
      SetPte(k, at, entry);
      mm.pgtables_bytes += kPageSize;
      if (level == 2) mm.nr_ptes++;
      PageTableLock(mm);
    }
    table = entry.pfn();
  }
  return table;
}

bool TableIsEmpty(const uint64_t* table) {
  constexpr size_t kWords = kPageSize / sizeof(uint64_t);
  return table == nullptr ||
         std::all_of(table, table + kWords, [](uint64_t w) { return w == 0; });
}

void FreePgtables(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end,
                  VirtAddr floor, VirtAddr ceiling) {
  Range r{start.value(), end.value() - 1, floor.value(), ceiling.value() - 1};
  if (!HoldsWholeTable(k, r)) return;
  const uint64_t before = mm.pgtables_bytes;
  FreeBelow(k, mm, mm.pgd, k.paging.levels(), 0, r);
  // The paging-structure cache may point at what is free now.
  if (mm.pgtables_bytes != before) k.tlb.FlushAsid(mm.asid);
}

void FreeEmptyTables(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end) {
  const uint64_t span = k.paging.TableSpan();
  uint64_t at = (start.value() + span - 1) & ~(span - 1);
  for (; at < end.value() && end.value() - at >= span; at += span) {
    const Pfn table = FindTable(std::as_const(k), mm, VirtAddr(at), 1);
    if (!table.valid()) continue;
    if (!TableIsEmpty(std::as_const(k.frames).Table(table))) continue;
    SetPte(k,
           {FindTable(std::as_const(k), mm, VirtAddr(at), 2),
            k.paging.IndexAt(VirtAddr(at), 2)},
           Pte());
    mm.pgtables_bytes -= kPageSize;
    mm.nr_ptes--;
    FreeTable(k, 1, table);
    k.tlb.FlushAsid(mm.asid);  // the paging-structure cache
  }
}

bool HasPageMkwrite(const Kernel& k, const Vma& vma) {
  if (vma.ops != VmOps::kFile) return false;
  return k.inodes[k.open_files[vma.file].inode].fs != FsType::kTmpfs;
}

bool VmaWantsWritenotify(const Kernel& k, const Vma& vma) {
  if ((vma.flags & (vm::kWrite | vm::kShared)) != (vm::kWrite | vm::kShared)) {
    return false;
  }
  return HasPageMkwrite(k, vma) || VmaSoftDirtyEnabled(k, vma);
}

uint64_t VmPageProt(const Kernel& k, const Vma& vma) {
  if (!vma.Has(vm::kAccessFlags)) return Pte::kProtNone | Pte::kAccessed;
  uint64_t prot = Pte::kPresent | Pte::kUser | Pte::kAccessed;
  if (vma.Has(vm::kShared) && vma.Has(vm::kWrite) &&
      !VmaWantsWritenotify(k, vma)) {
    prot |= Pte::kWrite;
  }
  if (!vma.Has(vm::kExec)) prot |= Pte::kNoExec;
  return prot;
}

void FlushTlbRange(Kernel& k, const Mm& mm, VirtAddr start, VirtAddr end) {
  uint64_t pages = (end - start) >> kPageShift;
  if (pages > kSinglePageFlushCeiling) {
    k.tlb.FlushAsid(mm.asid);
    k.clock_ns += cost::kTlbFlushAll;
    k.Emit(EventLevel::kAll, TlbFlush{3, -1});
    return;
  }
  for (VirtAddr a = start; a < end; a = a + kPageSize) {
    k.tlb.FlushPage(mm.asid, a.vpn());
  }
  k.clock_ns += cost::kTlbFlushPage * pages;
  k.Emit(EventLevel::kAll, TlbFlush{2, static_cast<int64_t>(pages)});
}

}  // namespace faultline

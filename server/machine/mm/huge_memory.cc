// Models mm/huge_memory.c (v6.18): __thp_vma_allowable_orders(),
// do_huge_pmd_anonymous_page(), do_huge_pmd_wp_page(),
// __split_huge_pmd_locked(), zap_huge_pmd(), copy_huge_pmd(),
// change_huge_pmd(), move_huge_pmd(). Departure: D7 (what is left out).
#include "server/machine/mm/huge_memory.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/deferred_split.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/huge_file.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/rss_stat.h"

namespace faultline {
namespace {

VirtAddr HugeFloor(VirtAddr addr) {
  return VirtAddr(addr.value() & ~(kPmdSize - 1));
}

// thp_vma_suitable_order(): the 2 MiB around the address lie in the VMA, and
// where a file has 2 MiB as well.
bool Suitable(const Vma& vma, VirtAddr addr) {
  const bool aligned =
      vma.anonymous() || (vma.start.vpn() - vma.pgoff) % kHugePmdNr == 0;
  if (!aligned) return false;
  const VirtAddr from = HugeFloor(addr);
  return from >= vma.start && vma.end - from >= kPmdSize && from < vma.end;
}

// mm_get_huge_zero_folio(); an invalid Pfn when no block is free.
Pfn HugeZeroPage(Kernel& k) {
  if (k.huge_zero_page.valid()) return k.huge_zero_page;
  constexpr uint32_t kGfp =
      (gfp::kTranshugeLight | gfp::kDirectReclaim | gfp::kZero) &
      ~gfp::kMovable;
  Pfn head = AllocPages(k, kGfp, kHugePmdOrder);
  if (!head.valid()) {
    k.vmstat.events[kThpZeroPageAllocFailed]++;
    return head;
  }
  k.vmstat.events[kThpZeroPageAlloc]++;
  k.clock_ns += cost::kPageClear * kHugePmdNr;
  for (uint64_t i = 0; i < kHugePmdNr; i++) {
    Page& page = k.page(head + PageCount(i));
    page.flags |= page_flag::kReserved;
    page.refcount = 1;
  }
  return k.huge_zero_page = head;
}

// vma_alloc_anon_folio_pmd(), with transparent_hugepage/defrag at "madvise".
Pfn AllocForFault(Kernel& k, const Vma& vma) {
  Pfn head = AllocLargeFolio(k, vma.Has(vm::kHugePage));
  if (!head.valid()) k.vmstat.events[kThpFaultFallback]++;
  return head;
}

void SetPmd(Kernel& k, PteRef pmd, Pte entry) {
  SetPte(k, pmd, entry);
  k.clock_ns += cost::kPteSet;
}

struct Fault {
  Vma& vma;
  Mm& mm;
  VirtAddr addr;  // of the 2 MiB
  PteRef pmd;
  FaultResolved* resolved;
  void Resolve(FaultResolution how, Pfn pfn) {
    resolved->how = how;
    resolved->pfn = pfn.value();
    resolved->pages = kHugePmdNr;
  }
};

// set_huge_zero_folio()
uint32_t MapHugeZero(Kernel& k, Fault& f) {
  Pfn table = PteAllocOne(k, f.mm, f.addr);
  if (!table.valid()) return vm_fault::kOom;
  Pfn zero = HugeZeroPage(k);
  if (!zero.valid()) {
    PteFree(k, table);
    k.vmstat.events[kThpFaultFallback]++;
    return kFaultFallback;
  }
  f.mm.huge_zero = true;
  DepositTable(k, f.pmd.table, table);
  f.mm.pgtables_bytes += kPageSize;
  f.mm.nr_ptes++;
  SetPmd(k, f.pmd,
         Pte::Make(zero,
                   VmPageProt(k, f.vma) | Pte::kPageSizeBit | Pte::kSpecial));
  f.Resolve(FaultResolution::kAnonZeroPage, zero);
  return 0;
}

// do_huge_pmd_anonymous_page()
uint32_t AnonymousFault(Kernel& k, Fault& f, bool write) {
  if (!Suitable(f.vma, f.addr)) return kFaultFallback;
  AnonVmaPrepare(k, f.vma);
  if (!write && k.sysctl.thp_use_zero_page != 0) return MapHugeZero(k, f);
  Pfn head = AllocForFault(k, f.vma);
  if (!head.valid()) return kFaultFallback;
  Pfn table = PteAllocOne(k, f.mm, f.addr);
  if (!table.valid()) {
    FreeUnusedFolio(k, head);
    return vm_fault::kOom;
  }
  DepositTable(k, f.pmd.table, table);
  f.mm.pgtables_bytes += kPageSize;
  f.mm.nr_ptes++;
  k.vmstat.events[kThpFaultAlloc]++;
  MapAnonFolioPmd(k, f.vma, f.addr, f.pmd, head);
  AddMmCounter(k, f.mm, kRssAnon, kHugePmdNr);
  f.Resolve(FaultResolution::kAnonPage, head);
  return 0;
}

// do_huge_zero_wp_pmd()
uint32_t WriteToHugeZero(Kernel& k, Fault& f) {
  Pfn head = AllocForFault(k, f.vma);
  if (!head.valid()) return kFaultFallback;
  FlushTlbRange(k, f.mm, f.addr, f.addr + kPmdSize);
  k.vmstat.events[kThpFaultAlloc]++;
  MapAnonFolioPmd(k, f.vma, f.addr, f.pmd, head);
  AddMmCounter(k, f.mm, kRssAnon, kHugePmdNr);
  f.Resolve(FaultResolution::kCowZeroPage, head);
  return 0;
}

// do_huge_pmd_wp_page()
uint32_t WriteFault(Kernel& k, Fault& f, Pte old) {
  if (IsHugeZero(k, old)) {
    uint32_t status = k.quirks.huge_zero_becomes_huge ? WriteToHugeZero(k, f)
                                                      : kFaultFallback;
    if (status == kFaultFallback) SplitHugePmd(k, f.vma, f.addr);
    return status;
  }
  Page& page = k.page(old.pfn());
  if (!page.Is(page_flag::kAnonExclusive) && page.refcount > 1) {
    SplitHugePmd(k, f.vma, f.addr);
    return kFaultFallback;
  }
  if (!page.Is(page_flag::kAnonExclusive)) {
    page.flags |= page_flag::kAnonExclusive;
    page.mapping = f.vma.anon_vma.value();  // folio_move_anon_rmap()
  }
  uint64_t set = Pte::kAccessed | DirtyBits(k);
  if (f.vma.Has(vm::kWrite)) set |= Pte::kWrite;
  FlushTlbRange(k, f.mm, f.addr, f.addr + kPmdSize);
  SetPmd(k, f.pmd, old.With(set));
  f.Resolve(FaultResolution::kCowReuse, old.pfn());
  return 0;
}

bool CanChangeWritable(const Kernel& k, const Vma& vma, Pte pmd) {
  if (!vma.Has(vm::kWrite) || pmd.special()) return false;
  if (VmaSoftDirtyEnabled(k, vma) && !pmd.soft_dirty()) return false;
  if (vma.Has(vm::kShared)) return VmaWantsWritenotify(k, vma) && pmd.dirty();
  return k.page(pmd.pfn()).Is(page_flag::kAnonExclusive);
}

bool ThpDisabled(const Kernel& k, const Vma& vma) {
  const Mm& mm = k.mms[vma.mm];
  return vma.Has(vm::kNoHugePage) || mm.thp_disabled ||
         mm.replacement;  // its frames are counted one by one
}

// Is there a table for it in deposit?
bool HasDeposit(const Kernel& k, Pte pmd) {
  return pmd.special() || k.page(pmd.pfn()).Is(page_flag::kAnon);
}

}  // namespace

bool PmdSuitable(const Kernel& k, const Vma& vma, VirtAddr addr) {
  return !k.paging.narrow() && !ThpDisabled(k, vma) && Suitable(vma, addr);
}

bool ThpAllowable(const Kernel& k, const Vma& vma, ThpFor whom) {
  // No file system has huge pages, and shmem only those that are asked for
  // (D7); nor has a machine of two-level tables (has_transparent_hugepage()).
  if (k.paging.narrow()) return false;
  const bool shmem =
      vma.ops == VmOps::kShmem && whom == ThpFor::kForcedCollapse;
  if (!vma.anonymous() && !shmem) return false;
  if (whom != ThpFor::kForcedCollapse) {
    const uint64_t enabled = k.sysctl.thp_enabled;
    if (enabled == kThpNever) return false;
    if (enabled == kThpMadvise && !vma.Has(vm::kHugePage)) return false;
  }
  if (ThpDisabled(k, vma)) return false;
  if (whom == ThpFor::kForcedCollapse && vma.Has(vm::kSpecial)) return false;
  if (whom == ThpFor::kFault) return true;
  if (vma.size() < kPmdSize || !Suitable(vma, vma.end - kPmdSize)) return false;
  return shmem || vma.anon_vma || whom == ThpFor::kSmaps;
}

uint32_t HugePmdFault(Kernel& k, Vma& vma, VirtAddr addr, bool write,
                      FaultResolved* resolved) {
  Mm& mm = k.mms[vma.mm];
  const Pfn table = FindTable(std::as_const(k), mm, addr, 2);
  const PteRef pmd{table, k.paging.IndexAt(addr, 2)};
  const Pte old = table.valid() ? ReadPte(std::as_const(k), pmd) : Pte();
  Fault f{vma, mm, HugeFloor(addr), pmd, resolved};
  if (old.none()) {
    if (!ThpAllowable(k, vma, ThpFor::kFault)) return kFaultFallback;
    f.pmd.table = AllocTable(k, mm, addr, 2);
    if (!f.pmd.ok()) return vm_fault::kOom;
    return AnonymousFault(k, f, write);
  }
  VM_BUG_ON(!old.huge());
  if (write && !old.writable()) {
    if (vma.anonymous()) return WriteFault(k, f, old);
    SplitHugePmd(k, vma, addr);
    return kFaultFallback;
  }
  SetPmd(k, pmd, old.With(Pte::kAccessed | (write ? DirtyBits(k) : 0)));
  k.tlb.FlushPage(mm.asid, addr.vpn());
  f.Resolve(FaultResolution::kSpurious, old.pfn());
  return 0;
}

void MapAnonFolioPmd(Kernel& k, Vma& vma, VirtAddr addr, PteRef pmd, Pfn head) {
  k.clock_ns += cost::kPageClear * kHugePmdNr;
  AddNewLargeRmap(k, k.mms[vma.mm], vma, head, addr);
  DeferredSplitFolio(k, LargeFolioId(std::as_const(k), head), false);
  uint64_t flags = VmPageProt(k, vma) | Pte::kPageSizeBit | DirtyBits(k);
  if (vma.Has(vm::kWrite)) flags |= Pte::kWrite;
  SetPmd(k, pmd, Pte::Make(head, flags));
}

void DepositTable(Kernel& k, Pfn pmd_table, Pfn table) {
  k.page(table).next = k.page(pmd_table).next;
  k.page(pmd_table).next = table;
}

Pfn WithdrawTable(Kernel& k, Pfn pmd_table) {
  const Pfn table = k.page(pmd_table).next;
  VM_BUG_ON(!table.valid());
  k.page(pmd_table).next = k.page(table).next;
  k.page(table).next = Pfn();
  return table;
}

void SplitHugePmd(Kernel& k, const Vma& vma, VirtAddr addr) {
  const Mm& mm = k.mms[vma.mm];
  const Leaf leaf = FindLeaf(std::as_const(k), mm, addr);
  if (!leaf.huge) return;
  if (!vma.anonymous()) return SplitFilePmd(k, vma, addr, leaf.at);
  k.vmstat.events[kThpSplitPmd]++;
  const Pte old = ReadPte(std::as_const(k), leaf.at);
  const Pfn table = WithdrawTable(k, leaf.at.table);
  uint64_t* entries = k.frames.MutTable(table);
  if (IsHugeZero(k, old)) {
    const uint64_t flags = VmPageProt(k, vma) | Pte::kSpecial;
    std::fill_n(entries, kHugePmdNr, Pte::Make(k.zero_page, flags).value());
    // The translations were those of another frame.
    FlushTlbRange(k, mm, HugeFloor(addr), HugeFloor(addr) + kPmdSize);
  } else {
    if (old.dirty()) k.page(old.pfn()).flags |= page_flag::kDirty;
    SplitLargeRmap(k, mm, old.pfn());
    const uint64_t flags =
        old.Without(Pte::kPageSizeBit).value() & Pte::kFlagsMask;
    for (uint64_t i = 0; i < kHugePmdNr; i++) {
      entries[i] = Pte::Make(old.pfn() + PageCount(i), flags).value();
    }
  }
  // What was locked stays so, until one of the PTEs goes.
  SetPmd(k, leaf.at, TableEntry(table));
}

void SplitHugePmdAt(Kernel& k, const Vma& vma, VirtAddr addr) {
  const bool huge = vma.anonymous() || vma.ops == VmOps::kShmem;
  if (addr.value() % kPmdSize == 0 || !huge) return;
  if (Suitable(vma, addr)) SplitHugePmd(k, vma, addr);
}

void ZapHugePmd(Kernel& k, const Vma& vma, VirtAddr addr, PteRef pmd) {
  if (!vma.anonymous()) return ZapFilePmd(k, vma, addr, pmd);
  Mm& mm = k.mms[vma.mm];
  const Pte old = ReadPte(std::as_const(k), pmd);
  SetPte(k, pmd, Pte());
  FlushTlbRange(k, mm, HugeFloor(addr), HugeFloor(addr) + kPmdSize);
  if (!IsHugeZero(k, old)) {
    if (vma.Has(vm::kLocked)) MunlockLargeFolio(k, old.pfn());
    RemoveLargeRmapPmd(k, mm, old.pfn());
    AddMmCounter(k, mm, kRssAnon, -static_cast<int64_t>(kHugePmdNr));
  }
  PteFree(k, WithdrawTable(k, pmd.table));
  mm.pgtables_bytes -= kPageSize;
  mm.nr_ptes--;
}

CopiedHuge CopyHugePmd(Kernel& k, Mm& to, VirtAddr addr, PteRef pmd) {
  Pfn table = PteAllocOne(k, to, addr);
  if (!table.valid()) return CopiedHuge::kNoMemory;
  const Pte old = ReadPte(std::as_const(k), pmd);
  if (!old.huge()) {  // to have memory for the table it was reclaimed
    PteFree(k, table);
    return CopiedHuge::kWasSplit;
  }
  if (IsHugeZero(k, old)) {
    to.huge_zero = true;
  } else {
    DupLargeRmapPmd(k, to, old.pfn());
    AddMmCounter(k, to, kRssAnon, kHugePmdNr);
  }
  to.pgtables_bytes += kPageSize;
  to.nr_ptes++;
  const PteRef child{FindTable(std::as_const(k), to, addr, 2), pmd.index};
  DepositTable(k, child.table, table);
  SetPte(k, pmd, old.Without(Pte::kWrite));
  SetPmd(k, child, old.Without(Pte::kWrite | Pte::kAccessed));
  return CopiedHuge::kDone;
}

void ChangeHugePmd(Kernel& k, const Vma& vma, PteRef pmd) {
  constexpr uint64_t kKeep = Pte::kPfnMask | Pte::kAccessed | Pte::kDirty |
                             Pte::kSpecial | Pte::kSoftDirty |
                             Pte::kPageSizeBit;
  const Pte old = ReadPte(std::as_const(k), pmd);
  Pte fresh((old.value() & kKeep) | (VmPageProt(k, vma) & ~kKeep));
  if (!fresh.writable() && CanChangeWritable(std::as_const(k), vma, fresh)) {
    fresh = fresh.With(Pte::kWrite);
  }
  SetPmd(k, pmd, fresh);
}

void MoveHugePmd(Kernel& k, Mm& mm, VirtAddr to, PteRef pmd) {
  const PteRef dest{FindTable(std::as_const(k), mm, to, 2),
                    k.paging.IndexAt(to, 2)};
  VM_BUG_ON(!ReadPte(std::as_const(k), dest).none());
  const Pte old = ReadPte(std::as_const(k), pmd);
  SetPte(k, pmd, Pte());
  if (HasDeposit(std::as_const(k), old)) {
    DepositTable(k, dest.table, WithdrawTable(k, pmd.table));
  }
  SetPmd(k, dest, old.With(DirtyBits(k) & ~Pte::kDirty));
}

}  // namespace faultline

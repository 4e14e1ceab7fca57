// Models mm/ksm.c (v6.18): try_to_merge_one_page(), write_protect_page(),
// replace_page(), try_to_merge_with_ksm_page(), try_to_merge_two_pages(),
// break_cow().
#include "server/machine/mm/ksm_merge.h"

#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/ksm_tree.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

// page_vma_mapped_walk(): the PTE that maps the page at the address.
PteRef MappingOf(const Kernel& k, const Mm& mm, VirtAddr addr, Pfn pfn) {
  const PteRef ref = FindPte(k, mm, addr);
  if (!ref.ok()) return {};
  const Pte pte = ReadPte(k, ref);
  return pte.present() && !pte.special() && pte.pfn() == pfn ? ref : PteRef{};
}

// write_protect_page(): a write faults, and that it was written is the page's.
void WriteProtect(Kernel& k, const Mm& mm, VirtAddr addr, PteRef ref, Pfn pfn) {
  const Pte pte = ReadPte(std::as_const(k), ref);
  Page& page = k.page(pfn);
  if (pte.dirty()) page.flags |= page_flag::kDirty;
  page.flags &= ~page_flag::kAnonExclusive;
  SetPte(k, ref, pte.Without(Pte::kWrite | Pte::kDirty));
  k.tlb.FlushPage(mm.asid, addr.vpn());
}

// replace_page()
void ReplacePage(Kernel& k, Vma& vma, VirtAddr addr, PteRef ref, Pfn pfn,
                 Pfn kpage) {
  Mm& mm = k.mms[vma.mm];
  Pte fresh = Pte::Make(kpage, VmPageProt(k, vma));
  if (kpage == k.zero_page) {
    fresh = fresh.With(Pte::kSpecial);
    if (k.quirks.ksm_zero_pages_counted) fresh = fresh.With(Pte::kDirty);
    CountKsmZeroPage(k, mm, fresh, 1);
    AddMmCounter(k, mm, kRssAnon, -1);
  } else {
    Page& page = k.page(kpage);
    page.refcount++;
    // Until now it may have been in the swap cache alone.
    if (page.mapcount++ == 0) k.vmstat.node[kNrAnonMapped]++;
  }
  SetPte(k, ref, fresh);
  k.clock_ns += cost::kPteSet;
  k.tlb.FlushPage(mm.asid, addr.vpn());
  RemoveRmap(k, vma, pfn);
}

// try_to_merge_one_page(). Without a kpage the page itself becomes one.
bool MergeOnePage(Kernel& k, Vma& vma, VirtAddr addr, Pfn pfn, Pfn kpage) {
  if (pfn == kpage) return true;  // it was forked
  if (std::as_const(k).page(pfn).Is(page_flag::kLarge)) SplitFolio(k, pfn);
  const Mm& mm = k.mms[vma.mm];
  const PteRef ref = MappingOf(k, mm, addr, pfn);
  if (!ref.ok()) return false;
  // A KSM page has no anon_vma that would lead to the address.
  if (std::as_const(k).page(pfn).Is(page_flag::kKsm)) return false;
  WriteProtect(k, mm, addr, ref, pfn);
  if (kpage.valid()) {
    if (ComparePages(k, pfn, kpage) != 0) return false;
    ReplacePage(k, vma, addr, ref, pfn, kpage);
    return true;
  }
  MarkPageAccessed(k, pfn);
  Page& page = k.page(pfn);
  page.flags |= page_flag::kKsm | page_flag::kDirty;
  page.mapping = 0;  // until StableTreeInsert()
  return true;
}

// break_cow(): undoes the merge of a page that has no node.
void BreakCow(Kernel& k, Id<KsmRmapItem> id) {
  KsmRmapItem& item = k.ksm.rmap_items[id];
  PutAnonVma(k, std::exchange(item.anon_vma, {}));
  Vma* vma = FindMergeableVma(k, item);
  // Without memory the page stays shared with nobody, which does no harm.
  if (vma) (void)BreakKsm(k, *vma, item.address, item.address + kPageSize);
}

}  // namespace

Vma* FindMergeableVma(Kernel& k, const KsmRmapItem& item) {
  const Id<Mm> mm = k.ksm.slots[item.slot].mm;
  if (!mm) return nullptr;
  MmapReadLock(k.mms[mm]);
  const Id<Vma> id = LookupVma(k, std::as_const(k.mms)[mm], item.address);
  if (!id) return nullptr;
  Vma& vma = k.vmas[id];
  const bool fits = vma.Contains(item.address) && vma.Has(vm::kMergeable);
  return fits && vma.anon_vma ? &vma : nullptr;
}

Pfn AnonPageAt(const Kernel& k, const Mm& mm, VirtAddr addr) {
  const Pte pte = LookAtPte(k, mm, addr);
  if (!pte.present() || pte.special()) return {};
  return k.page(pte.pfn()).Is(page_flag::kAnon) ? pte.pfn() : Pfn();
}

bool MergeWithZeroPage(Kernel& k, Id<KsmRmapItem> id, Pfn pfn) {
  if (k.sysctl.ksm.use_zero_pages == 0) return false;
  if (!std::as_const(k.frames)[pfn].IsZero()) return false;
  const KsmRmapItem& item = k.ksm.rmap_items[id];
  Vma* vma = FindMergeableVma(k, item);
  if (vma == nullptr) return true;
  return MergeOnePage(k, *vma, item.address, pfn, k.zero_page);
}

bool MergeWithKsmPage(Kernel& k, Id<KsmRmapItem> id, Pfn pfn, Pfn kpage) {
  KsmRmapItem& item = k.ksm.rmap_items[id];
  Vma* vma = FindMergeableVma(k, item);
  if (vma == nullptr) return false;
  if (!MergeOnePage(k, *vma, item.address, pfn, kpage)) return false;
  RemoveFromTree(k, id);
  item.anon_vma = vma->anon_vma;
  GetAnonVma(k, item.anon_vma);
  return true;
}

bool MergeTwoPages(Kernel& k, Id<KsmRmapItem> id, Pfn pfn, Id<KsmRmapItem> twin,
                   Pfn twin_pfn) {
  const auto head = [&](Pfn p) { return FolioHead(k.page(p), p); };
  if (std::as_const(k).page(pfn).Is(page_flag::kLarge) &&
      head(pfn) == head(twin_pfn)) {
    SplitFolio(k, pfn);  // and nothing else this time
    return false;
  }
  if (!MergeWithKsmPage(k, id, pfn, Pfn())) return false;
  if (MergeWithKsmPage(k, twin, twin_pfn, pfn)) return true;
  BreakCow(k, id);
  return false;
}

}  // namespace faultline

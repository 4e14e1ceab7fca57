// Models mm/memory.c (v6.18): do_swap_page(), should_try_to_free_swap();
// mm/ksm.c: ksm_might_need_to_copy().
#include "server/machine/mm/swap_fault.h"

#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/mlock.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/swap_state.h"
#include "server/machine/mm/swap_token.h"
#include "server/machine/mm/swapfile.h"

namespace faultline {
namespace {

// ksm_might_need_to_copy(): somebody has it mapped, and from there the reverse
// map does not lead here.
bool NeedsCopy(const Kernel& k, const Vma& vma, VirtAddr addr,
               const Page& page) {
  if (page.Is(page_flag::kKsm)) return page.mapping == 0;
  if (page.mapcount == 0) return false;
  if (page.index != vma.PageIndex(addr)) return true;
  return k.anon_vmas[Id<AnonVma>(page.mapping)].root !=
         k.anon_vmas[vma.anon_vma].root;
}

// A page of its own, with the one reference of the PTE to come.
Pfn CopyOf(Kernel& k, const Vma& vma, Pfn pfn) {
  const Pfn fresh = AllocPages(k, gfp::kUserFolio, 0);
  if (!fresh.valid()) return fresh;
  k.vmstat.events[kKsmSwpInCopy]++;
  k.frames[fresh] = std::as_const(k.frames)[pfn];
  k.clock_ns += cost::kPageCopy;
  Page& page = k.page(fresh);
  page.flags |=
      page_flag::kUptodate | page_flag::kSwapBacked | page_flag::kDirty;
  if (vma.Has(vm::kLocked)) MlockNewPage(k, page, 1);
  LruAdd(k, fresh);
  return fresh;
}

// should_try_to_free_swap(). We hold one reference.
bool ShouldFreeSwap(const Kernel& k, const Vma& vma, const Page& page,
                    bool write) {
  if (!page.Is(page_flag::kSwapCache)) return false;
  if (k.swap.Full() || vma.Has(vm::kLocked)) return true;
  if (page.Is(page_flag::kUnevictable)) return true;
  return write && !page.Is(page_flag::kKsm) && page.refcount == 2;
}

}  // namespace

SwapFault DoSwapPage(Kernel& k, Vma& vma, VirtAddr addr, PteRef at,
                     bool write) {
  const Pte old = ReadPte(std::as_const(k), at);
  const SwpEntry entry = SwpEntry::Of(old);
  Mm& mm = k.mms[vma.mm];
  if (!SlotOf(std::as_const(k), entry).cache.valid()) GrabSwapToken(k, mm);
  const SwapinResult in =
      Swapin(k, entry, mm.replacement ? Readahead::kNone : Readahead::kWindow);
  if (ReadPte(std::as_const(k), at) != old) {  // it was reaped
    if (in.pfn.valid()) PutPage(k, in.pfn);
    return {};
  }
  SwapFault fault;
  fault.status = vm_fault::kOom;
  if (!in.pfn.valid()) return fault;
  fault.status = 0;
  if (in.read) {
    k.vmstat.events[kPgMajFault]++;
    fault.status = vm_fault::kMajor | (in.waited ? 0 : vm_fault::kCompleted);
    if (in.waited) CheckSyncRssStat(k);  // it was tried again
  }
  fault.pfn = in.pfn;
  const bool copy =
      NeedsCopy(std::as_const(k), vma, addr, std::as_const(k).page(in.pfn));
  if (copy) {
    fault.pfn = CopyOf(k, vma, in.pfn);
    if (!fault.pfn.valid()) {
      PutPage(k, in.pfn);
      fault.status = vm_fault::kOom;
      return fault;
    }
  }
  Page& page = k.page(fault.pfn);
  const bool ksm = page.Is(page_flag::kKsm);
  SwapFree(k, entry);
  if (copy) {
    FreeSwapOf(k, in.pfn);
    PutPage(k, in.pfn);
  } else if (ShouldFreeSwap(std::as_const(k), vma, page, write)) {
    FreeSwapOf(k, fault.pfn);
  }
  AddMmCounterFast(k, mm, kRssAnon, 1);
  AddMmCounterFast(k, mm, kRssSwap, -1);
  Pte pte = Pte::Make(fault.pfn, VmPageProt(k, vma));
  if (old.value() & Pte::kSwpSoftDirty) pte = pte.With(Pte::kSoftDirty);
  // As do_wp_page() would decide it.
  const bool marked = (old.value() & Pte::kSwpExclusive) != 0;
  const bool exclusive = !ksm && (copy || marked || page.refcount == 1);
  fault.still_wp = write;
  if (exclusive && vma.Has(vm::kWrite) &&
      (!VmaSoftDirtyEnabled(k, vma) || pte.soft_dirty() || write)) {
    pte = pte.With(Pte::kWrite | (write ? DirtyBits(k) : 0));
    fault.still_wp = false;
  }
  AddSwappedRmap(k, vma, fault.pfn, addr, exclusive);
  SetPte(k, at, pte);
  k.clock_ns += cost::kPteSet;
  if (vma.Has(vm::kLocked)) UpdateEvictable(k, fault.pfn);
  return fault;
}

}  // namespace faultline

// Models mm/madvise.c (v6.18): madvise_free_single_vma(),
// madvise_free_huge_pmd(), madvise_cold_or_pageout_pte_range().
#include "server/machine/mm/madvise_age.h"

#include <utility>
#include <vector>

#include "server/machine/mm/changes.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/swap_state.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/truncate.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vmscan.h"

namespace faultline {
namespace {

// What is advised; of kPageoutAnon, pageout_anon_only_filter.
enum class Advice : uint8_t { kFree, kAge, kPageoutAnon };

// Is it mapped by others too? Asked of one page by 6.1, which has MADV_FREE ask
// of all the pages of a huge one.
bool IsOthers(const Kernel& k, Pfn pfn, Advice advice, bool huge) {
  if (changes::MadviseAsksFolio(k)) return MaybeMappedShared(k, pfn);
  if (huge && advice == Advice::kFree) return FolioOf(k, pfn).refcount != 1;
  return PageMapcount(k, pfn) != 1;
}

// A large folio that others may map too, or that is not concerned.
bool LeftAlone(const Kernel& k, Pfn pfn, Advice advice, bool huge) {
  if (IsOthers(k, pfn, advice, huge)) return true;
  return advice == Advice::kPageoutAnon && !k.page(pfn).Is(page_flag::kAnon);
}

uint64_t LargeBytes(const Kernel& k, Pfn pfn) {
  return FolioPages(k.page(pfn)) << kPageShift;
}

// The entries of a range with what they map, folio by folio: f(addr, entry,
// pfn) for each PTE of a page, or of a folio that the range maps as a whole,
// and huge() the same for each huge page. A folio that the range maps in part
// is split first, and left alone when others may map it too. With `freed_swap`
// what was swapped out is freed, and counted there.
template <class F, class OnHuge>
void ForEachOwn(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                Advice advice, F f, OnHuge huge,
                int64_t* freed_swap = nullptr) {
  const Mm& mm = k.mms[vma.mm];
  const bool asks_folio = changes::MadviseAsksFolio(std::as_const(k));
  VirtAddr others_until;  // the rest of a table that 6.1 gives up
  VirtAddr whole_until;   // of a large folio that need not be split
  // madvise_folio_pte_batch(): is all of the folio mapped here in one piece?
  auto is_whole = [&](VirtAddr addr, Pfn pfn) {
    const Pfn head = FolioHead(std::as_const(k).page(pfn), pfn);
    const uint64_t bytes = LargeBytes(std::as_const(k), pfn);
    const bool one_table =
        k.paging.RegionOf(addr) == k.paging.RegionOf(addr + (bytes - 1));
    if (pfn != head || !one_table || end - addr < bytes) return false;
    uint64_t mapped = 0;
    ForEachPte(std::as_const(k), mm, addr, addr + bytes,
               [&](VirtAddr a, Pte pte) {
                 const Pfn here = head + PagesOf(a - addr);
                 mapped += pte.present() && pte.pfn() == here;
               });
    return mapped == bytes >> kPageShift;
  };
  auto on_pte = [&](VirtAddr a, auto& entry) {
    if (a < others_until) return;
    const Pte pte(entry);
    if (pte.swapped() && freed_swap != nullptr) {
      entry = 0;
      FreeSwapAndCache(k, SwpEntry::Of(pte));
      ++*freed_swap;
    }
    if (!pte.present() || pte.special()) return;
    const Pfn pfn = pte.pfn();
    // On no LRU list: a driver's, the vdso's.
    constexpr uint32_t kNotLru = page_flag::kDriver | page_flag::kReserved;
    if (std::as_const(k).page(pfn).Is(kNotLru)) return;
    if (std::as_const(k).page(pfn).Is(page_flag::kLarge) && a >= whole_until) {
      if (asks_folio && is_whole(a, pfn)) {
        whole_until = a + LargeBytes(std::as_const(k), pfn);
      } else if (LeftAlone(std::as_const(k), pfn, advice, false)) {
        if (!asks_folio) {
          others_until = VirtAddr((a.value() & ~(kPmdSize - 1)) + kPmdSize);
        }
        return;
      } else {
        SplitFolio(k, pfn);
      }
    }
    // A page of zeros may have given way; of a file nothing is mapped now.
    if (Pte(entry).present() && !Pte(entry).special()) f(a, entry, pfn);
  };
  auto on_huge = [&](VirtAddr from, VirtAddr to, PteRef at) {
    const Pte pmd = ReadPte(std::as_const(k), at);
    if (pmd.special() || LeftAlone(std::as_const(k), pmd.pfn(), advice, true)) {
      return Huge::kDone;
    }
    if (to - from < kPmdSize) {
      SplitFolio(k, pmd.pfn());
      return Huge::kSplit;
    }
    UpdatePte(k, at, [&](auto& entry) { huge(from, entry, pmd.pfn()); });
    return Huge::kDone;
  };
  ForEachPte(k, mm, start, end, on_pte, on_huge);
}

// Every entry that maps the page, or the folio it belongs to, is in this range.
bool MappedHereOnly(const Kernel& k, Pfn pfn) {
  const Page& page = k.page(pfn);
  if (!page.Is(page_flag::kLarge)) return page.mapcount == 1;
  return LargeFolioOf(k, pfn).large_mapcount ==
         static_cast<int32_t>(FolioPages(page));
}

// try_to_unmap_one() of a large folio that MADV_FREE marked and only this VMA
// maps: it goes as a whole, if it was not written since. The table that an
// entry of 2 MiB is split into stays (TTU_SPLIT_HUGE_PMD; seen on 6.18).
void DropLazyFolio(Kernel& k, Vma& vma, VirtAddr addr, Pfn head) {
  const Mm& mm = k.mms[vma.mm];
  if (FindLeaf(std::as_const(k), mm, addr).huge) SplitHugePmd(k, vma, addr);
  Page& folio = k.page(head);
  bool dirty = folio.Is(page_flag::kDirty);
  ForEachPte(std::as_const(k), mm, addr, addr + kPmdSize,
             [&](VirtAddr, Pte pte) { dirty |= pte.dirty(); });
  if (dirty && !vma.Has(vm::kDroppable)) {
    folio.flags |= page_flag::kDirty;
    LruMove(k, head, page_flag::kSwapBacked, 0);
    return;
  }
  k.vmstat.events[kPgLazyFreed] += kHugePmdNr;
  ZapPageRange(k, vma, addr, addr + kPmdSize);
}

}  // namespace

Errno MadviseFree(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end) {
  if (vma.Has(vm::kLocked | vm::kPfnMap) || !vma.anonymous()) {
    return Errno::kEINVAL;
  }
  UpdateHiwaterRss(k.mms[vma.mm]);
  bool flush = false;
  int64_t swapped = 0;
  auto lazy_free = [&](VirtAddr, auto& entry, Pfn pfn) {
    Page& folio = FolioOf(k, pfn);
    folio.flags &= ~page_flag::kDirty;
    // folio_mark_lazyfree(): to the inactive list of files.
    if (!PageUnevictable(std::as_const(k), pfn) &&
        folio.Is(page_flag::kSwapBacked)) {
      LruMove(
          k, FolioHead(folio, pfn), 0,
          page_flag::kActive | page_flag::kReferenced | page_flag::kSwapBacked);
      k.vmstat.events[kPgLazyFree] += FolioPages(folio);
    }
    const Pte pte(entry);
    if (!pte.young() && !pte.dirty()) return;
    entry = pte.Without(Pte::kAccessed | Pte::kDirty).value();
    flush = true;
  };
  ForEachOwn(
      k, vma, start, end, Advice::kFree,
      [&](VirtAddr addr, auto& entry, Pfn pfn) {
        // Only a page that is dirty by itself must be mapped here alone.
        const bool dirty = FolioOf(std::as_const(k), pfn).Is(page_flag::kDirty);
        const bool cached =
            FolioOf(std::as_const(k), pfn).Is(page_flag::kSwapCache);
        if (cached || dirty) {
          if (!MappedHereOnly(std::as_const(k), pfn)) return;
          if (cached && !FreeSwapOf(k, pfn)) return;
        }
        lazy_free(addr, entry, pfn);
      },
      lazy_free, &swapped);
  if (swapped > 0) {
    RssBatch rss(k, k.mms[vma.mm], RssBatch::How::kVec);
    rss.Add(kRssSwap, -swapped);
  }
  if (flush) FlushTlbRange(k, k.mms[vma.mm], start, end);
  return Errno::kOk;
}

Errno MadviseAge(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end, Aging how) {
  if (vma.Has(vm::kLocked | vm::kPfnMap | vm::kHugeTlb)) return Errno::kEINVAL;
  // From 6.10 on reclaim ignores the accessed bits, so nobody clears them.
  const bool clear_young = how == Aging::kCold || k.quirks.pageout_clears_young;
  // Of a file that is not the caller's only private copies are paged out.
  const bool anon_only =
      how == Aging::kPageout && !MayTellOfCache(std::as_const(k), vma);
  if (anon_only && vma.Has(vm::kMayShare)) return Errno::kOk;
  bool flush = false;
  std::vector<Pfn> out;
  std::vector<VirtAddr> lazy;  // large folios that MADV_FREE marked
  auto age = [&](VirtAddr addr, auto& entry, Pfn pfn) {
    const Pte pte(entry);
    if (pte.young() && clear_young) {
      entry = pte.Without(Pte::kAccessed).value();
      flush = true;
    }
    const Page& page = std::as_const(k).page(pfn);
    const Pfn head = FolioHead(page, pfn);
    Page& folio = k.page(head);
    folio.flags &= ~page_flag::kReferenced;
    if (folio.Is(page_flag::kActive)) folio.flags |= page_flag::kWorkingset;
    if (how == Aging::kCold) return DeactivatePage(k, head);
    if (page.Is(page_flag::kTail)) return;
    const bool large_lazy =
        page.Is(page_flag::kLarge) && !page.Is(page_flag::kSwapBacked);
    if (large_lazy) {
      lazy.push_back(addr);
    } else {
      out.push_back(pfn);
    }
  };
  ForEachOwn(
      k, vma, start, end, anon_only ? Advice::kPageoutAnon : Advice::kAge,
      [&](VirtAddr addr, auto& entry, Pfn pfn) {
        const bool file = !std::as_const(k).page(pfn).Is(page_flag::kAnon);
        if (anon_only && file) return;
        if (MappedHereOnly(std::as_const(k), pfn)) age(addr, entry, pfn);
      },
      age);
  if (flush) FlushTlbRange(k, k.mms[vma.mm], start, end);
  for (const VirtAddr addr : lazy) {
    DropLazyFolio(k, vma, addr, LookAtPte(k, k.mms[vma.mm], addr).pfn());
  }
  ReclaimPages(k, out);
  return Errno::kOk;
}

}  // namespace faultline

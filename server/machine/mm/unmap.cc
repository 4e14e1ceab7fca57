// Models mm/rmap.c (v6.18): folio_referenced_one(), try_to_unmap_one().
#include "server/machine/mm/unmap.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/swap_token.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/util.h"

namespace faultline {
namespace {

// rmap_walk(): the places that may map page `pfn`.
template <class F>
void ForEachPlace(Kernel& k, Pfn pfn, F f) {
  Page page = FolioOf(std::as_const(k), pfn);
  if (page.mapping == 0) return;
  page.index = PageIndexOf(std::as_const(k), pfn);
  if (page.Is(page_flag::kKsm)) {
    ForEachKsmMapping(std::as_const(k), page, f);
  } else if (page.Is(page_flag::kAnon)) {
    ForEachAnonMapping(std::as_const(k), page, f);
  } else {
    ForEachFileMapping(k, k.inodes[Id<Inode>(page.mapping)], page.index, f);
  }
}

// page_vma_mapped_walk() of a small page: f(vma, address, entry).
template <class F>
void ForEachEntry(Kernel& k, Pfn pfn, F f) {
  ForEachPlace(k, pfn, [&](const Vma& vma, VirtAddr addr) {
    const PteRef ref = FindPte(std::as_const(k), k.mms[vma.mm], addr);
    if (!ref.ok()) return;
    const Pte pte = ReadPte(std::as_const(k), ref);
    if (!pte.present() || pte.special() || pte.pfn() != pfn) return;
    UpdatePte(k, ref, [&](auto& entry) { f(vma, addr, entry); });
  });
}

// folio_referenced_one(). The TLB is not told, as x86 does not: at worst the
// page looks older than it is.
void NoteYoung(const Kernel& k, const Vma& vma, auto& entry,
               PageReferences* refs) {
  if (vma.Has(vm::kLocked)) refs->vm_flags |= vm::kLocked;
  if (refs->vm_flags & vm::kLocked) return;
  if (!VmaHasRecency(k, vma)) return;
  const Pte pte(entry);
  const bool token = HoldsSwapToken(k, vma.mm);
  if (!pte.young() && !token) return;
  entry = pte.Without(Pte::kAccessed).value();
  refs->ptes++;
  refs->vm_flags |= vma.flags & ~vm::kLocked;
}

// A large folio: by level-2 entries, or page by page.
PageReferences LargeReferenced(Kernel& k, Pfn head) {
  PageReferences refs;
  const uint64_t pages = FolioPages(std::as_const(k).page(head));
  for (uint64_t i = 0; i < pages; i++) {
    const Pfn pfn = head + PageCount(i);
    ForEachPlace(k, pfn, [&](const Vma& vma, VirtAddr addr) {
      const Mm& mm = std::as_const(k).mms[vma.mm];
      const Leaf leaf = FindLeaf(std::as_const(k), mm, addr);
      if (!leaf.at.ok() || (leaf.huge && i > 0)) return;
      const Pte pte = ReadPte(std::as_const(k), leaf.at);
      if (!pte.present() || pte.special() || pte.pfn() != pfn) return;
      UpdatePte(k, leaf.at,
                [&](auto& entry) { NoteYoung(k, vma, entry, &refs); });
    });
  }
  return refs;
}

// What one entry becomes; a present one: it stays.
class Unmapper {
 public:
  Unmapper(Kernel& k, Locks locks) : k_(k), locks_(locks) {}

  // Is an entry of this VMA to stay? Then so are all that come.
  bool Refuses(const Vma& vma) {
    // It was not on the unevictable list yet.
    failed_ = failed_ || (vma.Has(vm::kLocked) && locks_ == Locks::kRespect);
    return failed_;
  }

  // try_to_unmap_one()
  void operator()(const Vma& vma, VirtAddr addr, auto& entry) {
    if (Refuses(vma)) return;
    const Pte pte(entry);
    const Pfn pfn = pte.pfn();
    Mm& mm = k_.mms[vma.mm];
    Page& page = k_.page(pfn);
    UpdateHiwaterRss(mm);
    k_.tlb.FlushPage(mm.asid, addr.vpn());
    if (pte.dirty()) MarkPageDirty(k_, pfn);
    Pte left;
    if (page.Is(page_flag::kAnon)) {
      if (page.Is(page_flag::kSwapBacked)) {
        left = SwapPte(page, pte);
        AddMmCounter(k_, mm, kRssSwap, 1);
        mm.on_mmlist = true;
      } else if (!MayDrop(vma, page)) {
        failed_ = true;
        return;
      }
    }
    AddMmCounter(k_, mm, RssKindOf(page), -1);
    entry = left.value();
    RemoveRmap(k_, vma, pfn);
  }

 private:
  Pte SwapPte(Page& page, Pte pte) {
    const SwpEntry slot(page.swap);
    SwapDuplicate(k_, slot);
    uint64_t bits = 0;
    if (page.Is(page_flag::kAnonExclusive)) bits |= Pte::kSwpExclusive;
    page.flags &= ~page_flag::kAnonExclusive;  // folio_try_share_anon_rmap_pte
    if (pte.soft_dirty()) bits |= Pte::kSwpSoftDirty;
    return slot.pte().With(bits);
  }
  // What MADV_FREE gave up, unless it was written since.
  static bool MayDrop(const Vma& vma, Page& page) {
    if (!page.Is(page_flag::kDirty) || vma.Has(vm::kDroppable)) return true;
    page.flags |= page_flag::kSwapBacked;
    return false;
  }

  Kernel& k_;
  const Locks locks_;
  bool failed_ = false;
};

// The same of a folio of a file that a VMA may map: as a whole, which splitting
// the entry takes away (TTU_SPLIT_HUGE_PMD), or page by page.
void UnmapFolioFrom(Kernel& k, Vma& vma, Pfn head, Unmapper& unmap) {
  const Page folio = std::as_const(k).page(head);
  const uint64_t first = std::max(folio.index, vma.pgoff);
  const uint64_t end = std::min(folio.index + FolioPages(folio),
                                vma.pgoff + vma.pages().value());
  if (first >= end) return;
  const VirtAddr from = vma.start + ((first - vma.pgoff) << kPageShift);
  const VirtAddr to = from + ((end - first) << kPageShift);
  const Mm& mm = k.mms[vma.mm];
  const auto page_at = [&](VirtAddr a) {
    return head + PageCount(vma.PageIndex(a) - folio.index);
  };
  uint64_t kept = 0;  // entries of a locked VMA
  const auto unmap_pte = [&](VirtAddr a, auto& entry) {
    const Pte pte(entry);
    if (!pte.present() || pte.special() || pte.pfn() != page_at(a)) return;
    unmap(vma, a, entry);
    kept += Pte(entry).present();
  };
  const auto unmap_huge = [&](VirtAddr a, VirtAddr, PteRef at) {
    if (ReadPte(std::as_const(k), at).pfn() != head) return Huge::kDone;
    if (unmap.Refuses(vma)) {
      kept = FolioPages(folio);
    } else {
      SplitHugePmd(k, vma, a);
    }
    return Huge::kDone;
  };
  ForEachPte(k, mm, from, to, unmap_pte, unmap_huge);
  // Restores a lock that was missed.
  if (vma.Has(vm::kLocked) && kept == FolioPages(folio)) {
    MlockLargeFolio(k, head);
  }
}

bool UnmapFolio(Kernel& k, Pfn head, Locks locks) {
  Unmapper unmap(k, locks);
  const Id<Inode> inode(std::as_const(k).page(head).mapping);
  for (Id<Vma> at = k.inodes[inode].i_mmap; at; at = k.vmas[at].shared_next) {
    UnmapFolioFrom(k, k.vmas[at], head, unmap);
  }
  return LargeFolioOf(std::as_const(k), head).large_mapcount == 0;
}

}  // namespace

PageReferences FolioReferenced(Kernel& k, Pfn pfn) {
  const Page& page = std::as_const(k).page(pfn);
  if (page.Is(page_flag::kLarge)) return LargeReferenced(k, pfn);
  PageReferences refs;
  if (page.mapcount == 0) return refs;
  ForEachEntry(k, pfn, [&](const Vma& vma, VirtAddr, auto& entry) {
    NoteYoung(k, vma, entry, &refs);
  });
  return refs;
}

bool TryToUnmap(Kernel& k, Pfn pfn, Locks locks) {
  if (std::as_const(k).page(pfn).Is(page_flag::kLarge)) {
    return UnmapFolio(k, pfn, locks);
  }
  Unmapper unmap(k, locks);
  ForEachEntry(k, pfn, [&](const Vma& vma, VirtAddr addr, auto& entry) {
    unmap(vma, addr, entry);
  });
  return std::as_const(k).page(pfn).mapcount == 0;
}

}  // namespace faultline

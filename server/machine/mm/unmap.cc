// Models mm/rmap.c (v6.18): folio_referenced_one(), try_to_unmap_one().
#include "server/machine/mm/unmap.h"

#include <utility>

#include "server/machine/mm/folio.h"
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
  for (uint64_t i = 0; i < kHugePmdNr; i++) {
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
  Unmapper(Kernel& k, Pfn pfn) : k_(k), pfn_(pfn) {}

  // try_to_unmap_one()
  void operator()(const Vma& vma, VirtAddr addr, auto& entry) {
    if (failed_) return;
    if (vma.Has(vm::kLocked)) {
      failed_ = true;  // it was not on the unevictable list yet
      return;
    }
    const Pte pte(entry);
    Mm& mm = k_.mms[vma.mm];
    Page& page = k_.page(pfn_);
    UpdateHiwaterRss(mm);
    k_.tlb.FlushPage(mm.asid, addr.vpn());
    if (pte.dirty()) MarkPageDirty(k_, pfn_);
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
    RemoveRmap(k_, vma, pfn_);
  }
  bool failed() const { return failed_; }

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
  const Pfn pfn_;
  bool failed_ = false;
};

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

bool TryToUnmap(Kernel& k, Pfn pfn) {
  Unmapper unmap(k, pfn);
  ForEachEntry(k, pfn, [&](const Vma& vma, VirtAddr addr, auto& entry) {
    unmap(vma, addr, entry);
  });
  return std::as_const(k).page(pfn).mapcount == 0;
}

}  // namespace faultline

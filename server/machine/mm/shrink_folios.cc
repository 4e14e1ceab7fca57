// Models mm/vmscan.c (v6.18): shrink_folio_list(), folio_check_references(),
// pageout(), __remove_mapping(), move_folios_to_lru(). Departures: D51 (a write
// to swap is over at once, so the page goes in the same pass), D52 (a large
// folio is split before it is swapped out).
#include "server/machine/mm/shrink_folios.h"

#include <utility>

#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/swap_state.h"
#include "server/machine/mm/unmap.h"
#include "server/machine/mm/workingset.h"

namespace faultline {
namespace {

enum class FolioRef : uint8_t { kReclaim, kReclaimClean, kKeep, kActivate };
// What becomes of one page.
enum class Fate : uint8_t { kFreed, kKeep, kActivate };

// folio_is_file_lru(): lazily freed anonymous pages are among them.
bool IsFileLru(const Page& page) { return !page.Is(page_flag::kSwapBacked); }

// folio_check_references(): a second chance for what was used.
FolioRef CheckReferences(Kernel& k, Pfn pfn, bool* locked) {
  const PageReferences refs = FolioReferenced(k, pfn);
  *locked = (refs.vm_flags & vm::kLocked) != 0;
  if (*locked) return FolioRef::kActivate;
  Page& page = k.page(pfn);
  const bool referenced = page.Is(page_flag::kReferenced);
  page.flags &= ~page_flag::kReferenced;
  if (refs.ptes > 0) {
    page.flags |= page_flag::kReferenced;
    if (referenced || refs.ptes > 1) return FolioRef::kActivate;
    // Programs are worth more than data.
    if ((refs.vm_flags & vm::kExec) && IsFileLru(page)) {
      return FolioRef::kActivate;
    }
    return FolioRef::kKeep;
  }
  return referenced && IsFileLru(page) ? FolioRef::kReclaimClean
                                       : FolioRef::kReclaim;
}

class Shrinker {
 public:
  Shrinker(Kernel& k, std::vector<Pfn> folios, const ScanControl& sc,
           ReclaimStat* stat)
      : k_(k), sc_(sc), stat_(*stat), work_(std::move(folios)) {}

  uint64_t Run() {
    std::vector<Pfn> back;
    // Splitting a folio makes the list longer.
    for (size_t i = 0; i < work_.size(); i++) {
      const Pfn pfn = work_[i];
      locked_ = false;
      const Fate fate = ShrinkOne(pfn);
      if (fate == Fate::kFreed) {
        freed_++;
        continue;
      }
      if (fate == Fate::kActivate) Activate(pfn);
      if (locked_) locked_pages_.push_back(pfn);
      back.push_back(pfn);
    }
    // move_folios_to_lru()
    for (const Pfn pfn : back) {
      LruAdd(k_, pfn);
      if (!page(pfn).Is(page_flag::kLarge)) PutPage(k_, pfn);
    }
    for (const Pfn pfn : locked_pages_) UpdateEvictable(k_, pfn);
    return freed_;
  }

 private:
  const Page& page(Pfn pfn) const { return std::as_const(k_).page(pfn); }

  Fate ShrinkOne(Pfn pfn) {
    if (Locked(page(pfn))) return Fate::kKeep;
    CountDirty(pfn);
    if (page(pfn).Is(page_flag::kWriteback)) {
      // It is freed when the disk is done with it.
      k_.page(pfn).flags |= page_flag::kReclaim;
      stat_.nr_writeback++;
      return Fate::kActivate;
    }
    FolioRef refs = FolioRef::kReclaim;
    if (!sc_.ignore_references) {
      refs = CheckReferences(k_, pfn, &locked_);
      if (refs == FolioRef::kActivate) return Fate::kActivate;
      if (refs == FolioRef::kKeep) {
        stat_.nr_ref_keep += FolioPages(page(pfn));
        return Fate::kKeep;
      }
    }
    if (page(pfn).Is(page_flag::kLarge)) {
      const bool file = !page(pfn).Is(page_flag::kAnon);
      if (file && !MayWriteLarge(pfn)) return Fate::kActivate;
      if (!Split(pfn)) return Fate::kFreed;
    }
    if (NeedsSwap(page(pfn))) {
      if (!(sc_.gfp & gfp::kIo)) return Fate::kKeep;
      if (!AllocSwap(k_, pfn)) return Fate::kActivate;
      k_.page(pfn).flags |= page_flag::kDirty;
    }
    if (page(pfn).mapcount > 0 && !TryToUnmap(k_, pfn)) {
      stat_.nr_unmap_fail++;
      locked_ = PageUnevictable(std::as_const(k_), pfn);
      return Fate::kActivate;
    }
    const bool lazy = page(pfn).Is(page_flag::kAnon) && IsFileLru(page(pfn));
    if (page(pfn).Is(page_flag::kDirty) && !lazy) {
      const Fate written = Pageout(pfn, refs);
      if (written != Fate::kFreed) return written;
    }
    return Remove(pfn) ? Fate::kFreed : Fate::kKeep;
  }

  // folio_trylock(): the disk is to deliver it.
  bool Locked(const Page& p) const {
    if (p.Is(page_flag::kAnon) || p.mapping == 0) return false;
    return BeingRead(std::as_const(k_), Id<Inode>(p.mapping), p.index);
  }

  void CountDirty(Pfn pfn) {
    const Page& p = page(pfn);
    // folio_check_dirty_writeback(): of anonymous pages nothing is known.
    if (!IsFileLru(p) || p.Is(page_flag::kAnon)) return;
    if (!p.Is(page_flag::kDirty)) return;
    stat_.nr_dirty++;
    stat_.nr_unqueued_dirty++;
  }

  static bool NeedsSwap(const Page& p) {
    constexpr uint32_t kAnonSwapBacked =
        page_flag::kAnon | page_flag::kSwapBacked;
    return (p.flags & (kAnonSwapBacked | page_flag::kSwapCache)) ==
           kAnonSwapBacked;
  }

  // A large folio of tmpfs, before it is split: it is unmapped, and there must
  // be swap (shmem_writeout()).
  bool MayWriteLarge(Pfn head) {
    if (!TryToUnmap(k_, head)) {
      stat_.nr_unmap_fail++;
      locked_ = PageUnevictable(std::as_const(k_), head);
      return false;
    }
    return k_.swap.total > 0;
  }

  // Its pages are work of their own. False: the first held zeros and is free.
  bool Split(Pfn head) {
    if (page(head).Is(page_flag::kAnon) &&
        page(head).Is(page_flag::kSwapBacked)) {
      k_.vmstat.events[kThpSwpOutFallback]++;
    }
    const size_t before = work_.size();
    SplitFolio(k_, head, &work_);
    for (size_t i = before; i < work_.size(); i++) GetPage(k_, work_[i]);
    if (page(head).refcount == 0) return false;
    GetPage(k_, head);
    return true;
  }

  // What is dirty: kFreed when it is clean now. Files are left to the flusher.
  Fate Pageout(Pfn pfn, FolioRef refs) {
    const Page& p = page(pfn);
    if (IsFileLru(p)) {
      stat_.nr_immediate++;
      k_.vmstat.events[kNrVmscanImmediate]++;
      return Fate::kActivate;
    }
    if (refs == FolioRef::kReclaimClean) return Fate::kKeep;
    if (!(sc_.gfp & gfp::kIo) || !sc_.may_writepage) return Fate::kKeep;
    if (p.Is(page_flag::kAnon)) {
      SwapWriteout(k_, pfn);
    } else if (!ShmemWriteout(k_, pfn)) {
      return Fate::kActivate;
    }
    k_.vmstat.events[kNrVmscanWrite]++;
    stat_.nr_pageout++;
    return Fate::kFreed;
  }

  // __remove_mapping(): nobody but the cache and we hold it, so it goes, and a
  // shadow stays.
  bool Remove(Pfn pfn) {
    Page& p = k_.page(pfn);
    const bool lazy = p.Is(page_flag::kAnon) && IsFileLru(p);
    if (!p.Is(page_flag::kAnon | page_flag::kSwapCache) && p.mapping != 0) {
      if (!RemoveMapping(k_, pfn, 1)) return false;
      PutPage(k_, pfn);
      return true;
    }
    const bool cached = p.Is(page_flag::kSwapCache);
    if (p.refcount != (cached ? 2 : 1)) return false;
    if (cached) {
      DeleteFromSwapCache(k_, pfn, WorkingsetEviction(k_, p));
    } else if (lazy) {
      k_.vmstat.events[kPgLazyFreed]++;
    }
    PutPage(k_, pfn);
    return true;
  }

  // activate_locked: not a candidate, so its slot may be of use to others.
  void Activate(Pfn pfn) {
    if (page(pfn).Is(page_flag::kSwapCache) && (k_.swap.Full() || locked_)) {
      FreeSwapOf(k_, pfn);
    }
    if (locked_) return;
    Page& p = k_.page(pfn);
    p.flags |= page_flag::kActive;
    const uint64_t pages = FolioPages(p);
    stat_.nr_activate[IsFileLru(p) ? 1 : 0] += pages;
    k_.vmstat.events[kPgActivate] += pages;
  }

  Kernel& k_;
  const ScanControl& sc_;
  ReclaimStat& stat_;
  std::vector<Pfn> work_;
  std::vector<Pfn> locked_pages_;
  bool locked_ = false;  // of the page that is looked at
  uint64_t freed_ = 0;
};

}  // namespace

void IsolatePage(Kernel& k, Pfn pfn) {
  LruDel(k, pfn);
  if (!std::as_const(k).page(pfn).Is(page_flag::kLarge)) GetPage(k, pfn);
}

uint64_t ShrinkFolioList(Kernel& k, std::vector<Pfn> folios,
                         const ScanControl& sc, ReclaimStat* stat) {
  return Shrinker(k, std::move(folios), sc, stat).Run();
}

}  // namespace faultline

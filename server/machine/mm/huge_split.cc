// Splitting a large anonymous folio into its 512 pages. Models mm/huge_memory.c
// (v6.18):
// __folio_split(), unmap_folio(), remap_page(); mm/migrate.c:
// remove_migration_pte(), try_to_map_unused_to_zeropage(); mm/rmap.c:
// try_to_migrate_one().
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "server/machine/mm/changes.h"
#include "server/machine/mm/deferred_split.h"
#include "server/machine/mm/huge_file.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/util.h"

namespace faultline {
namespace {

// Where a VMA may map pages [first, last) of the folio.
struct Place {
  Id<Vma> vma;
  VirtAddr addr;  // of page `first`
  uint64_t first, last;
};

// rmap_walk_anon()
std::vector<Place> PlacesOf(const Kernel& k, const Page& head) {
  std::vector<Place> places;
  const uint64_t from = head.index, to = from + kHugePmdNr;
  for (Id<AnonVmaChain> c = k.anon_vmas[Id<AnonVma>(head.mapping)].chains; c;
       c = k.anon_chains[c].same_anon_next) {
    const Vma& vma = k.vmas[k.anon_chains[c].vma];
    const uint64_t lo = std::max(from, vma.pgoff);
    const uint64_t hi = std::min(to, vma.pgoff + vma.pages().value());
    if (lo >= hi) continue;
    places.push_back({vma.id, vma.start + ((lo - vma.pgoff) << kPageShift),
                      lo - from, hi - from});
  }
  return places;
}

// Calls f(vma, entry, page) for each PTE that maps a page of the folio.
template <class F>
void ForEachMapping(Kernel& k, const std::vector<Place>& places, Pfn head,
                    F f) {
  for (const Place& place : places) {
    const Vma& vma = k.vmas[place.vma];
    const VirtAddr end =
        place.addr + ((place.last - place.first) << kPageShift);
    ForEachPte(k, k.mms[vma.mm], place.addr, end, [&](VirtAddr a, auto& entry) {
      const Pte pte(entry);
      const Pfn pfn =
          head + PageCount(place.first + ((a - place.addr) >> kPageShift));
      if (!pte.present() || pte.special() || pte.pfn() != pfn) return;
      f(vma, entry, pfn);
    });
  }
}

// Does any PTE at the place map a page of the folio? Of a VMA that was moved,
// the one that stays may have the place and no longer the pages.
bool PtesMap(const Kernel& k, const Mm& mm, const Place& place, Pfn head) {
  const VirtAddr end = place.addr + ((place.last - place.first) << kPageShift);
  bool any = false;
  ForEachPte(k, mm, place.addr, end, [&](VirtAddr, Pte pte) {
    any = any || (pte.present() && !pte.special() &&
                  FolioHead(k.page(pte.pfn()), pte.pfn()) == head);
  });
  return any;
}

// unmap_folio(): no entry maps the folio whole, and what PTEs know of its being
// dirty is known of the folio.
void Unmap(Kernel& k, const std::vector<Place>& places, Pfn head) {
  for (const Place& place : places) {
    const Vma& vma = k.vmas[place.vma];
    Mm& mm = k.mms[vma.mm];
    const Leaf leaf = FindLeaf(std::as_const(k), mm, place.addr);
    if (leaf.huge && ReadPte(std::as_const(k), leaf.at).pfn() == head) {
      SplitHugePmd(k, vma, place.addr);
    } else if (PtesMap(std::as_const(k), mm, place, head)) {
      UpdateHiwaterRss(mm);  // try_to_migrate_one(), for each PTE
    }
    FlushTlbRange(k, mm, place.addr,
                  place.addr + ((place.last - place.first) << kPageShift));
  }
  ForEachMapping(k, places, head, [&](const Vma& vma, auto& entry, Pfn) {
    if (Pte(entry).dirty()) k.page(head).flags |= page_flag::kDirty;
    if (vma.Has(vm::kLocked)) MunlockLargeFolio(k, head);
  });
}

// __split_folio_to_order(): each page speaks for itself, with what the folio
// said. Its references are its PTEs.
void MakeSmall(Kernel& k, Pfn head) {
  constexpr uint32_t kOfTheFolio =
      page_flag::kReferenced | page_flag::kUptodate | page_flag::kDirty |
      page_flag::kActive | page_flag::kSwapBacked | page_flag::kAnon |
      page_flag::kUnevictable | page_flag::kMlocked | page_flag::kWorkingset;
  const bool listed = std::as_const(k).page(head).Is(page_flag::kLru);
  if (listed) LruDel(k, head);
  const Page folio = std::as_const(k).page(head);
  DeleteLargeFolio(k, LargeFolioId(std::as_const(k), head));
  for (uint64_t i = 0; i < kHugePmdNr; i++) {
    Page& page = k.page(head + PageCount(i));
    Page small{};
    small.flags =
        (folio.flags & kOfTheFolio) | (page.flags & page_flag::kAnonExclusive);
    small.refcount = small.mapcount = page.mapcount;
    small.mapping = folio.mapping;
    small.index = folio.index + i;
    page = small;
  }
  // lru_add_split_folio(): behind the first, in order.
  if (!listed) return;
  LruAdd(k, head);
  for (uint64_t i = kHugePmdNr - 1; i > 0; i--) {
    LruInsertAfter(k, head, head + PageCount(i));
  }
}

}  // namespace

void SplitFolio(Kernel& k, Pfn pfn, std::vector<Pfn>* isolated) {
  const Pfn head = FolioHead(std::as_const(k).page(pfn), pfn);
  VM_BUG_ON(!std::as_const(k).page(head).Is(page_flag::kLarge));
  if (!std::as_const(k).page(head).Is(page_flag::kAnon)) {
    return SplitFileFolio(k, head, isolated);
  }
  const std::vector<Place> places = PlacesOf(k, k.page(head));
  Unmap(k, places, head);
  MakeSmall(k, head);
  k.vmstat.events[kThpSplitPage]++;
  // A locked page keeps its zeros, and a locked VMA locks what it maps.
  const bool drops_zeros = changes::SplitDropsZeros(k);
  std::array<bool, kHugePmdNr> mlocked;
  mlocked.fill(std::as_const(k).page(head).Is(page_flag::kMlocked));
  ForEachMapping(k, places, head, [&](const Vma& vma, auto& entry, Pfn p) {
    bool& is_mlocked = mlocked[(p - head).value()];
    is_mlocked = is_mlocked || vma.Has(vm::kLocked);
    const bool keeps = is_mlocked || !drops_zeros;
    if (keeps || !std::as_const(k.frames)[p].IsZero()) return;
    entry = Pte::Make(k.zero_page, VmPageProt(k, vma) | Pte::kSpecial).value();
    Mm& mm = k.mms[vma.mm];
    AddMmCounter(k, mm, kRssAnon, -1);
    Page& page = k.page(p);
    page.refcount--;
    if (--page.mapcount == 0) k.vmstat.node[kNrAnonMapped]--;
  });
  for (uint64_t i = 0; i < kHugePmdNr; i++) {
    const Pfn p = head + PageCount(i);
    if (std::as_const(k).page(p).refcount == 0) {
      FreePages(k, p, 0);
    } else if (isolated != nullptr && p != head) {
      isolated->push_back(p);
    }
  }
  const bool locked = std::any_of(
      places.begin(), places.end(),
      [&](const Place& place) { return k.vmas[place.vma].Has(vm::kLocked); });
  for (uint64_t i = 0; locked && i < kHugePmdNr; i++) {
    const Pfn p = head + PageCount(i);
    if (std::as_const(k).page(p).refcount > 0) UpdateEvictable(k, p);
  }
}

}  // namespace faultline

// Models mm/migrate.c (v6.18): migrate_folio_unmap(), move_to_new_folio(),
// remove_migration_ptes(); mm/rmap.c: try_to_migrate_one(). There are no
// migration entries: nobody can look in between.
#include "server/machine/mm/migrate.h"

#include <utility>
#include <vector>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/util.h"

namespace faultline {
namespace {

// The flags that a page which moves may have.
constexpr uint32_t kMayMove =
    page_flag::kReferenced | page_flag::kUptodate | page_flag::kDirty |
    page_flag::kLru | page_flag::kActive | page_flag::kSwapBacked |
    page_flag::kAnonExclusive | page_flag::kAnon | page_flag::kUnevictable |
    page_flag::kMlocked | page_flag::kWorkingset | page_flag::kSwapCache |
    page_flag::kSwapReadahead | page_flag::kReadahead;

struct Mapping {
  PteRef at;
  Id<Mm> mm;
  Asid asid = 0;
  uint64_t vpn = 0;
};

// The PTEs that map the page: rmap_walk().
std::vector<Mapping> MappingsOf(Kernel& k, Pfn pfn) {
  std::vector<Mapping> found;
  auto look = [&](const Vma& vma, VirtAddr addr) {
    const Mm& mm = std::as_const(k).mms[vma.mm];
    const Leaf leaf = FindLeaf(std::as_const(k), mm, addr);
    if (leaf.huge || !leaf.at.ok()) return;
    const Pte pte = ReadPte(std::as_const(k), leaf.at);
    if (pte.present() && !pte.special() && pte.pfn() == pfn) {
      found.push_back({leaf.at, mm.id, mm.asid, addr.vpn()});
    }
  };
  const Page& page = std::as_const(k).page(pfn);
  if (page.Is(page_flag::kAnon) && page.mapcount == 0) return found;
  if (page.Is(page_flag::kAnon)) {
    ForEachAnonMapping(std::as_const(k), page, look);
  } else {
    ForEachFileMapping(k, k.inodes[Id<Inode>(page.mapping)], page.index, look);
  }
  return found;
}

}  // namespace

bool PageIsMovable(const Kernel& k, Pfn pfn) {
  const Page& page = k.page(pfn);
  if (!page.Is(page_flag::kLru) || (page.flags & ~kMayMove) != 0) return false;
  if (page.mapping == 0) return false;  // swap read ahead of need, too
  const bool anon = page.Is(page_flag::kAnon);
  const bool cached = !anon || page.Is(page_flag::kSwapCache);
  return page.refcount == page.mapcount + (cached ? 1 : 0);
}

bool MigratePage(Kernel& k, Pfn from, Pfn to) {
  const std::vector<Mapping> mappings = MappingsOf(k, from);
  if (std::as_const(k).page(from).mapcount !=
      static_cast<int32_t>(mappings.size())) {
    return false;
  }
  // try_to_migrate_one()
  for (const Mapping& m : mappings) {
    UpdateHiwaterRss(k.mms[m.mm]);
    if (ReadPte(std::as_const(k), m.at).dirty()) MarkPageDirty(k, from);
  }
  LruDel(k, from);
  const Page page = std::as_const(k).page(from);
  for (const Mapping& m : mappings) {
    const Pte pte = ReadPte(std::as_const(k), m.at);
    SetPte(k, m.at, Pte::Make(to, pte.value() & Pte::kFlagsMask));
    k.tlb.FlushPage(m.asid, m.vpn);
  }
  if (!page.Is(page_flag::kAnon)) {
    XaStore(k.xa_nodes, k.inodes[Id<Inode>(page.mapping)].i_pages, page.index,
            to);
  }
  k.frames[to] = std::move(k.frames[from]);
  k.frames[from] = PageBytes();
  if (page.Is(page_flag::kSwapCache)) {
    SlotOf(k, SwpEntry(page.swap)).cache = to;
  }
  k.page(to) = page;
  k.page(from) = Page{};
  LruAdd(k, to);
  k.clock_ns += cost::kPageCopy;
  return true;
}

}  // namespace faultline

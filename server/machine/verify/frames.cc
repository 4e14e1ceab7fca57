// Verifies that each frame has one owner, and the zones.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "server/machine/mm/compound.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/verify/free_areas.h"
#include "server/machine/verify/verifier.h"

namespace faultline::verify {

void Verifier::CheckFrames() {
  std::sort(owned_.begin(), owned_.end());
  std::sort(mapped_.begin(), mapped_.end());
  for (size_t i = 1; i < owned_.size(); i++) {
    if (owned_[i].first == owned_[i - 1].first) {
      return Fail("frame %u has two owners", owned_[i].first.value());
    }
  }
  size_t owned = 0, mapped = 0;
  k_.mem_map.ForEach([&](size_t number, const Page& page) {
    if (!ok()) return;
    const Pfn pfn(static_cast<uint32_t>(number));
    for (; owned < owned_.size() && owned_[owned].first < pfn; owned++) {
    }
    const bool has_owner = owned < owned_.size() && owned_[owned].first == pfn;
    int32_t ptes = 0;
    for (; mapped < mapped_.size() && mapped_[mapped] == pfn; mapped++) {
      ptes++;
    }
    if (ptes != page.mapcount) {
      return Fail(
          "mapcount of frame %u: expected %d (PTEs that map it), "
          "found %d",
          pfn.value(), ptes, page.mapcount);
    }
    const bool cached = has_owner && owned_[owned].second == Owner::kCache;
    const bool table = has_owner && owned_[owned].second == Owner::kTable;
    CheckPage(pfn, page, cached, table);
  });
}

void Verifier::CheckPage(Pfn pfn, const Page& page, bool cached, bool table) {
  const bool anon = page.Is(page_flag::kAnon);
  if (PageMapcount(k_, pfn) > 0) {
    (anon ? anon_mapped_ : file_mapped_)++;
  }
  if (page.Is(page_flag::kLarge)) return CheckLargePage(pfn, page, cached);
  if (page.refcount == 0) {
    constexpr uint32_t kFree = page_flag::kBuddy | page_flag::kPcp;
    buddy_heads_ += page.Is(page_flag::kBuddy);
    pcp_heads_ += page.Is(page_flag::kPcp);
    if (CheckKernelTail(pfn, page)) return;
    if (page.mapcount != 0 || (page.flags & ~kFree) != 0) {
      Fail("frame %u has no references, but mapcount %d and flags %x",
           pfn.value(), page.mapcount, page.flags);
    }
    return;
  }
  allocated_.push_back(pfn);
  if (page.Is(page_flag::kBuddy | page_flag::kPcp)) {
    return Fail("frame %u is free, but has refcount %d", pfn.value(),
                page.refcount);
  }
  // What holds a reference besides the PTEs.
  int32_t held = 0;
  const char* use = nullptr;
  auto used_as = [&](const char* name, int32_t references) {
    if (use != nullptr) {
      Fail("frame %u is used twice: as %s and as %s", pfn.value(), use, name);
    }
    use = name;
    held = references;
  };
  if (page.Is(page_flag::kReserved)) used_as("a page kept by boot", 1);
  if (cached) used_as("page cache", 1);
  if (table) used_as("a page table", 1);
  if (page.Is(page_flag::kKernel)) used_as("kernel memory", 1);
  if (page.Is(page_flag::kSlab)) used_as("a slab", 1);
  if (page.Is(page_flag::kLargeKmalloc)) used_as("a large kmalloc", 1);
  if (page.Is(page_flag::kVmalloc)) {
    used_as("a page of vmalloc", 1);
  } else if (page.Is(page_flag::kDriver)) {
    used_as("a page that a driver gave up", 0);
  }
  slab_frames_ += page.Is(page_flag::kSlab);
  vmalloc_frames_ += page.Is(page_flag::kVmalloc);
  large_kmalloc_pages_ += page.Is(page_flag::kLargeKmalloc);
  if (page.Is(page_flag::kCompound) &&
      (!page.Is(page_flag::kKernel) || page.order == 0)) {
    Fail("frame %u is a compound page, but no block of the kernel's",
         pfn.value());
  }
  if (page.Is(page_flag::kBad)) used_as("a bad page", 1);
  const int32_t slot = page.Is(page_flag::kSwapCache) ? 1 : 0;
  if (anon || slot != 0) used_as("an anonymous page", slot);
  if (use == nullptr) {
    return Fail("frame %u has refcount %d, but nobody owns it: it leaked",
                pfn.value(), page.refcount);
  }
  if (page.refcount != held + page.mapcount) {
    Fail("refcount of frame %u (%s): expected %d, found %d", pfn.value(), use,
         held + page.mapcount, page.refcount);
  }
  if (anon && page.Is(page_flag::kAnonExclusive) && page.mapcount != 1) {
    Fail("frame %u is PG_anon_exclusive, but mapped %d times", pfn.value(),
         page.mapcount);
  }
  // In the swap cache it may outlive its anon_vma.
  if (anon && !page.Is(page_flag::kKsm) && page.mapcount > 0 &&
      !k_.anon_vmas.Has(Id<AnonVma>(page.mapping))) {
    Fail("frame %u has anon_vma %u, which does not exist", pfn.value(),
         page.mapping);
  }
}

// A page of a slab or of a large kmalloc() that is not its first: it has no
// references of its own.
bool Verifier::CheckKernelTail(Pfn pfn, const Page& page) {
  constexpr uint32_t kBlocks = page_flag::kSlab | page_flag::kLargeKmalloc;
  if (!page.Is(kBlocks)) return false;
  slab_frames_ += page.Is(page_flag::kSlab);
  large_kmalloc_pages_ += page.Is(page_flag::kLargeKmalloc);
  const Pfn head = page.Is(page_flag::kSlab)
                       ? k_.slub.slabs[Id<Slab>(page.mapping)].pfn
                       : Pfn(page.mapping);
  const Page& first = k_.page(head);
  const bool inside = pfn > head && pfn < head + Order(first.order).pages() &&
                      (first.flags & kBlocks) == (page.flags & kBlocks);
  if (!inside || page.mapcount != 0) {
    Fail("frame %u is a tail of %u, which does not know it", pfn.value(),
         head.value());
  }
  return true;
}

uint32_t Verifier::FolioIdOf(Pfn pfn) const {
  return LargeFolioId(k_, FolioHead(k_.page(pfn), pfn)).value();
}

// One of a large folio's pages; its head stands for all of them.
void Verifier::CheckLargePage(Pfn pfn, const Page& page, bool cached) {
  const Pfn head = FolioHead(page, pfn);
  const bool anon = page.Is(page_flag::kAnon);
  if (page.Is(page_flag::kTail) == (pfn == head) ||
      !k_.page(head).Is(page_flag::kHead) ||
      k_.page(head).order != page.order || cached == anon ||
      anon != k_.page(head).Is(page_flag::kAnon)) {
    return Fail("frame %u of the large folio at %u: head and tail disagree",
                pfn.value(), head.value());
  }
  if (page.Is(page_flag::kTail)) {
    if (page.refcount != 0) {
      Fail("frame %u is a tail, but has refcount %d", pfn.value(),
           page.refcount);
    }
    return;
  }
  allocated_.push_back(pfn);
  const Id<LargeFolio> id(FolioIdOf(pfn));
  if (!k_.folios.Has(id) || k_.folios[id].head != pfn) {
    return Fail("frame %u has folio %u, which is not it", pfn.value(),
                id.value());
  }
  const LargeFolio& folio = k_.folios[id];
  const LargeFolio& found = folios_[id.value()];
  int32_t mapped = 0, owned = 0;
  const uint64_t pages = FolioPages(page);
  const int32_t held = anon ? 0 : static_cast<int32_t>(pages);
  for (uint64_t i = 0; i < pages; i++) {
    mapped += k_.page(pfn + PageCount(i)).mapcount > 0;
  }
  for (const LargeFolio::Owner& owner : folio.owners) owned += owner.mapcount;
  if (folio.entire_mapcount != found.entire_mapcount ||
      folio.large_mapcount != found.large_mapcount ||
      folio.nr_pages_mapped != mapped ||
      page.refcount != held + folio.large_mapcount ||
      owned > folio.large_mapcount ||
      (owned < folio.large_mapcount && !folio.maybe_shared) ||
      (page.order != kHugePmdOrder && (anon || folio.entire_mapcount != 0)) ||
      (!anon && folio.deferred.listed)) {
    Fail(
        "the large folio at %u: entire %d (%d found), mapcount %d (%d "
        "found), "
        "%d pages mapped (%d found), refcount %d, of known owners %d",
        pfn.value(), folio.entire_mapcount, found.entire_mapcount,
        folio.large_mapcount, found.large_mapcount, folio.nr_pages_mapped,
        mapped, page.refcount, owned);
  }
  const bool whole = folio.entire_mapcount > 0;
  (anon ? anon_thps_ : shmem_pmd_mapped_) += whole;
  shmem_thps_ += !anon && page.order == kHugePmdOrder;
}

// Who says that it heads a free block is on a list of those. What boot handed
// over as whole blocks says nothing.
void Verifier::CheckFreeHeads() {
  uint64_t buddy = 0, pcp = 0;
  for (const Zone& zone : k_.zones) {
    for (const FreeArea& area : zone.free_area) buddy += area.nr_free;
    for (const PfnRange& range : zone.pristine) {
      buddy -= range.size().value() >> kMaxPageOrder;
    }
    for (const PcpList& list : zone.pcp.lists) pcp += list.size();
  }
  Expect("heads of free blocks", "the machine; on lists:", buddy, buddy,
         buddy_heads_);
  Expect("heads of per-CPU blocks", "the machine; on lists:", pcp, pcp,
         pcp_heads_);
}

// Free memory and allocated memory make up the whole of each zone.
void Verifier::CheckZones() {
  CheckZoneLayout();
  if (std::string wrong = VerifyFreeAreas(k_); !wrong.empty()) {
    return Fail("%s", wrong.c_str());
  }
  CheckFreeHeads();
  std::array<uint64_t, kMaxNrZones> pages{};
  for (Pfn pfn : allocated_) {
    const Page& page = k_.page(pfn);
    // Boot's pages are counted one by one.
    bool block = page.Is(page_flag::kHead) && !page.Is(page_flag::kReserved);
    pages[static_cast<int>(ZoneOf(k_, pfn))] +=
        block ? uint64_t{1} << page.order : 1;
  }
  uint64_t managed = 0;
  for (const Zone& zone : k_.zones) {
    const uint64_t used = pages[static_cast<int>(zone.type)];
    const uint64_t pcp = static_cast<uint64_t>(zone.pcp.count);
    if (zone.nr_free_pages + pcp + used != zone.managed.value()) {
      Fail(
          "zone %s: %llu free, %llu per-CPU and %llu allocated pages are not "
          "the %llu managed",
          ZoneName(zone.type), ull{zone.nr_free_pages}, ull{pcp}, ull{used},
          ull{zone.managed.value()});
    }
    managed += zone.managed.value();
  }
  Expect("totalram_pages", "the machine; managed pages:", managed, managed,
         k_.totalram_pages);
  CheckAllocatedNotFree();
}

// No allocated frame lies inside a free block.
void Verifier::CheckAllocatedNotFree() {
  const std::vector<std::pair<uint32_t, uint32_t>> free = FreeRuns(k_);
  for (size_t i = 1; i < free.size(); i++) {
    if (free[i].first < free[i - 1].second) {
      return Fail("frame %u is in two free blocks", free[i].first);
    }
  }
  size_t at = 0;
  for (Pfn pfn : allocated_) {
    for (; at < free.size() && free[at].second <= pfn.value(); at++) {
    }
    if (at < free.size() && free[at].first <= pfn.value()) {
      return Fail("frame %u is allocated, but lies in the free block at %u",
                  pfn.value(), free[at].first);
    }
  }
}

void Verifier::CheckStatistics() {
  uint64_t tables = 0;
  for (const auto& [pfn, owner] : owned_) tables += owner == Owner::kTable;
  const std::pair<NodeStat, std::pair<const char*, uint64_t>> rows[] = {
      {kNrAnonMapped, {"nr_anon_pages", anon_mapped_}},
      {kNrFileMapped, {"nr_mapped", file_mapped_}},
      {kNrFilePages, {"nr_file_pages", file_pages_ + swap_cached_}},
      {kNrShmem, {"nr_shmem", shmem_}},
      {kNrFileDirty, {"nr_dirty", dirty_}},
      {kNrWriteback, {"nr_writeback", writeback_}},
      {kNrPageTables, {"nr_page_table_pages", tables - uncounted_tables_}},
      {kNrAnonThps, {"nr_anon_transparent_hugepages", anon_thps_}},
      {kNrShmemThps, {"nr_shmem_hugepages", shmem_thps_}},
      {kNrShmemPmdMapped, {"nr_shmem_pmdmapped", shmem_pmd_mapped_}},
  };
  for (const auto& [item, row] : rows) {
    const int64_t found = k_.vmstat.node[item];
    if (found != static_cast<int64_t>(row.second)) {
      return Fail("%s: expected %llu, found %lld", row.first, ull{row.second},
                  static_cast<long long>(found));
    }
  }
}

}  // namespace faultline::verify

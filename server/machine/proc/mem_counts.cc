// Models mm/show_mem.c (v6.18): si_mem_available().
#include "server/machine/proc/mem_counts.h"

#include <algorithm>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {
namespace {

// Boot keeps the first pages of a zone that has more present than managed.
bool KeptByBoot(const Zone& zone, Pfn pfn) {
  uint64_t keep = (zone.present - zone.managed).value();
  for (const PfnRange& range : zone.present_ranges) {
    uint64_t kept = std::min(keep, range.size().value());
    if (pfn >= range.begin && pfn < range.begin + PageCount(kept)) return true;
    keep -= kept;
  }
  return false;
}

// The first page of the block of pages that `pfn` lies in, as far as a head
// with this flag says; else an invalid Pfn.
Pfn HeadOfBlock(const Kernel& k, Pfn pfn, uint32_t head_flag) {
  for (int order = 0; order <= kMaxPageOrder; order++) {
    Pfn head(pfn.value() & ~((uint32_t{1} << order) - 1));
    const Page& page = k.page(head);
    if (page.Is(head_flag) && page.order >= order) return head;
  }
  return Pfn();
}
bool InBlockOf(const Kernel& k, Pfn pfn, uint32_t head_flag) {
  return HeadOfBlock(k, pfn, head_flag).valid();
}

bool IsPristine(const Kernel& k, Pfn pfn) {
  for (const Zone& zone : k.zones) {
    for (const PfnRange& range : zone.pristine) {
      if (pfn >= range.begin && pfn < range.end) return true;
    }
  }
  return false;
}

bool InPageCache(const Page& page) {
  return !page.Is(page_flag::kAnon | page_flag::kTable | page_flag::kReserved |
                  page_flag::kKernel) &&
         page.Is(page_flag::kLru) && page.mapping != 0;
}

}  // namespace

FrameUse FrameUseOf(const Kernel& k, uint64_t number) {
  if (!PfnValid(k, number)) return FrameUse::kHole;
  Pfn pfn(static_cast<uint32_t>(number));
  const Page& page = k.page(pfn);
  if (page.Is(page_flag::kReserved)) return FrameUse::kReserved;
  if (page.Is(page_flag::kLarge)) {
    return page.Is(page_flag::kAnon) ? FrameUse::kAnon : FrameUse::kShmem;
  }
  if (page.refcount > 0) {
    if (page.Is(page_flag::kTable)) return FrameUse::kPageTable;
    if (page.Is(page_flag::kAnon | page_flag::kSwapCache)) {
      return FrameUse::kAnon;
    }
    if (!InPageCache(page)) return FrameUse::kKernel;
    return page.Is(page_flag::kSwapBacked) ? FrameUse::kShmem : FrameUse::kFile;
  }
  if (InBlockOf(k, pfn, page_flag::kPcp)) return FrameUse::kPcp;
  if (InBlockOf(k, pfn, page_flag::kBuddy) || IsPristine(k, pfn)) {
    return FrameUse::kFree;
  }
  if (InBlockOf(k, pfn, page_flag::kHead)) return FrameUse::kKernel;
  const Zone& zone = k.zone(ZoneOf(k, pfn));
  return KeptByBoot(zone, pfn) ? FrameUse::kReserved : FrameUse::kKernel;
}

FrameBlock FrameBlockOf(const Kernel& k, Pfn pfn) {
  const Page& page = k.page(pfn);
  if (page.Is(page_flag::kLarge)) return {FolioHead(page, pfn), page.order};
  if (page.Is(page_flag::kSlab)) {
    const Slab& slab = k.slub.slabs[Id<Slab>(page.mapping)];
    return {slab.pfn, slab.order};
  }
  if (page.Is(page_flag::kLargeKmalloc)) {
    const Pfn head(page.mapping);
    return {head, k.page(head).order};
  }
  // What was freed, or given out, as one block; of no other page.
  if (page.refcount > 0 && !page.Is(page_flag::kHead)) return {pfn, 0};
  for (uint32_t flag : {page_flag::kBuddy, page_flag::kPcp, page_flag::kHead}) {
    const Pfn head = HeadOfBlock(k, pfn, flag);
    if (head.valid()) return {head, k.page(head).order};
  }
  if (!IsPristine(k, pfn)) return {pfn, 0};
  return {Pfn(pfn.value() & ~((uint32_t{1} << kMaxPageOrder) - 1)),
          kMaxPageOrder};
}

std::vector<Pfn> MlockedPages(const Kernel& k) {
  std::vector<Pfn> pages;
  k.mms.ForEach([&](Id<Mm>, const Mm& mm) {
    if (mm.locked_vm == 0) return;
    for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
      const Vma& vma = k.vmas[at];
      if (!vma.Has(vm::kLocked) || vma.Has(vm::kSpecial)) continue;
      ForEachPte(k, mm, vma.start, vma.end, [&](VirtAddr, Pte pte) {
        if (pte.present() && !pte.special()) pages.push_back(pte.pfn());
      });
    }
  });
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  return pages;
}

bool PageOnRamfs(const Kernel& k, const Page& page) {
  if (!InPageCache(page)) return false;
  return k.inodes[Id<Inode>(page.mapping)].fs == FsType::kRamfs;
}

bool PageWritePending(const Kernel& k, const Page& page) {
  constexpr uint32_t kPending = page_flag::kDirty | page_flag::kWriteback;
  if (!InPageCache(page) || !page.Is(kPending)) return false;
  return k.inodes[Id<Inode>(page.mapping)].fs == FsType::kExt4;
}

ZoneLruCounts CountLru(const Kernel& k) {
  ZoneLruCounts zones;
  for (int i = 0; i < kMaxNrZones; i++) zones[i].lru = k.lruvec.zone_size[i];
  for (const Pfn pfn : MlockedPages(k)) {
    zones[static_cast<int>(ZoneOf(k, pfn))].mlock++;
  }
  if (k.vmstat.node[kNrFileDirty] + k.vmstat.node[kNrWriteback] == 0) {
    return zones;
  }
  k.mem_map.ForEach([&](size_t number, const Page& page) {
    if (page.refcount <= 0 || !PageWritePending(k, page)) return;
    const Pfn pfn(static_cast<uint32_t>(number));
    zones[static_cast<int>(ZoneOf(k, pfn))].dirty++;
  });
  return zones;
}

LruCounts SumOf(const ZoneLruCounts& zones) {
  LruCounts sum;
  for (const LruCounts& zone : zones) {
    for (int i = 0; i < kNrLru; i++) sum.lru[i] += zone.lru[i];
    sum.mlock += zone.mlock;
    sum.dirty += zone.dirty;
  }
  return sum;
}

uint64_t NrFreePages(const Kernel& k) {
  uint64_t n = 0;
  for (const Zone& zone : k.zones) n += zone.nr_free_pages;
  return n;
}

uint64_t NrFreePagesBlocks(const Zone& zone) {
  uint64_t n = 0;
  for (int order = kPageBlockOrder; order <= kMaxPageOrder; order++) {
    n += zone.free_area[order].nr_free << order;
  }
  return n;
}

uint64_t MemAvailable(const Kernel& k, const LruCounts& lru) {
  uint64_t wmark_low = 0;
  for (const Zone& zone : k.zones) {
    if (zone.populated()) wmark_low += zone.wmark.low;
  }
  uint64_t pagecache = lru.lru[kActiveFile] + lru.lru[kInactiveFile];
  pagecache -= std::min(pagecache / 2, wmark_low);
  uint64_t slab = static_cast<uint64_t>(k.vmstat.node[kNrSlabReclaimable]);
  slab -= std::min(slab / 2, wmark_low);
  uint64_t free = NrFreePages(k) + pagecache + slab;
  return free - std::min(free, TotalreservePages(k));
}

uint64_t MaxPfn(const Kernel& k) {
  uint64_t end = 0;
  for (const Zone& zone : k.zones) {
    if (!zone.populated()) continue;
    end = std::max<uint64_t>(end, (zone.start + zone.spanned).value());
  }
  return end;
}

uint64_t PagesPerSection(const Kernel& k) {
  return k.config.profile == Profile::kX86_64 ? 32768 : 131072;
}

bool SectionPresent(const Kernel& k, uint64_t pfn) {
  const uint64_t section = pfn / PagesPerSection(k);
  for (const Zone& zone : k.zones) {
    for (const PfnRange& range : zone.present_ranges) {
      uint64_t first = range.begin.value() / PagesPerSection(k);
      uint64_t last = (range.end.value() - 1) / PagesPerSection(k);
      if (section >= first && section <= last) return true;
    }
  }
  return false;
}

}  // namespace faultline

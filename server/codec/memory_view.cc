// Frames and zones as messages.
#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "server/codec/utf8.h"
#include "server/codec/view.h"
#include "server/machine/base/units.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/buddy.h"
#include "server/machine/mm/compound.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/proc/mem_counts.h"
#include "server/machine/proc/proc_files.h"
#include "server/machine/proc/vmstat_items.h"

namespace faultline {
namespace {

const char* UseName(FrameUse use) {
  switch (use) {
    case FrameUse::kHole:
      return "hole";
    case FrameUse::kReserved:
      return "reserved";
    case FrameUse::kFree:
      return "free";
    case FrameUse::kPcp:
      return "pcp";
    case FrameUse::kPageTable:
      return "page-table";
    case FrameUse::kAnon:
      return "anon";
    case FrameUse::kFile:
      return "file";
    case FrameUse::kShmem:
      return "shmem";
    case FrameUse::kKernel:
      return "kernel";
  }
  return "";
}

// A process whose address space it is; 0: none, for it has ended, or the table
// is the kernel's own.
Pid PidOfMm(const Kernel& k, uint64_t mm) {
  if (mm == 0) return 0;
  for (const auto& [pid, id] : k.pids) {
    if (k.tasks[id].mm.value() == mm) return pid;
  }
  return 0;
}

// page->mapping and page->index.
void MappingToProto(const Kernel& k, FrameUse use, Pfn pfn, v1::Page* proto) {
  const Page& page = FolioOf(k, pfn);
  switch (use) {
    case FrameUse::kFile:
    case FrameUse::kShmem:
      proto->set_inode(k.inodes[Id<Inode>(page.mapping)].ino);
      proto->set_index(PageIndexOf(k, pfn));
      break;
    case FrameUse::kAnon:
      if (!page.Is(page_flag::kAnon)) break;  // only the swap cache has it
      proto->set_index(PageIndexOf(k, pfn));
      if (page.Is(page_flag::kKsm)) {
        proto->set_stable_node(page.mapping);
      } else {
        proto->set_anon_vma(page.mapping);
      }
      break;
    case FrameUse::kPageTable:
      if (const Pid pid = PidOfMm(k, page.index); pid != 0) {
        proto->set_table_of_pid(pid);
      }
      break;
    default:
      if (page.Is(page_flag::kSlab)) {
        const Slab& slab = k.slub.slabs[Id<Slab>(page.mapping)];
        proto->set_cache(ToUtf8(k.slub.caches[slab.cache].name));
      }
  }
}

// The list that the page, or the block that it is part of, is threaded into.
void ListToProto(const Kernel& k, FrameUse use, Pfn head, v1::Page* proto) {
  const Page& page = k.page(head);
  if (use == FrameUse::kPcp) return proto->set_list("pcp");
  if (use == FrameUse::kFree) {
    proto->set_list("free");
  } else if (page.Is(page_flag::kLru)) {
    proto->set_list(LruName(LruOf(page)));
  } else {
    return;
  }
  if (page.prev.valid()) proto->set_prev_pfn(page.prev.value());
  if (page.next.valid()) proto->set_next_pfn(page.next.value());
}

// What boot kept has no entry of mem_map before somebody looks there.
bool KeptSinceBoot(const Page& page, FrameUse use) {
  return use == FrameUse::kReserved && page.refcount == 0 &&
         !page.Is(page_flag::kReserved | page_flag::kLarge);
}

void FlagsToProto(const Kernel& k, FrameUse use, Pfn pfn, v1::Page* proto) {
  const Page& page = k.page(pfn);
  const auto add = [proto](const char* name) { proto->add_flags(name); };
  if (use == FrameUse::kFile &&
      BeingRead(k, Id<Inode>(page.mapping), page.index)) {
    add("locked");  // until its contents have come
  }
  if (!page.Is(page_flag::kTail)) {
    AddPageFlagNames(page, add);
  } else {
    // The flags are the folio's; PG_anon_exclusive each page has for itself.
    Page folio = FolioOf(k, pfn);
    folio.flags &= ~(page_flag::kHead | page_flag::kAnonExclusive);
    folio.flags |= page_flag::kTail | (page.flags & page_flag::kAnonExclusive);
    AddPageFlagNames(folio, add);
  }
  if (KeptSinceBoot(page, use)) add("reserved");
  if (use == FrameUse::kKernel) {
    const Pfn head = FrameBlockOf(k, pfn).head;
    if (head != pfn && IsCompoundHead(k.page(head))) add("tail");
  }
  const std::vector<Pfn> mlocked = MlockedPages(k);
  if (std::binary_search(mlocked.begin(), mlocked.end(), pfn) &&
      !page.Is(page_flag::kMlocked)) {
    add("mlocked");
  }
}

void PcpToProto(const PerCpuPages& pcp, v1::PerCpuPages* proto) {
  proto->set_count(static_cast<uint64_t>(pcp.count));
  proto->set_high(static_cast<uint64_t>(pcp.high));
  proto->set_high_min(static_cast<uint64_t>(pcp.high_min));
  proto->set_high_max(static_cast<uint64_t>(pcp.high_max));
  proto->set_batch(static_cast<uint64_t>(pcp.batch));
}

void LruToProto(const std::array<uint64_t, kNrLru>& pages, v1::ZoneLru* proto) {
  proto->set_inactive_anon(pages[kInactiveAnon]);
  proto->set_active_anon(pages[kActiveAnon]);
  proto->set_inactive_file(pages[kInactiveFile]);
  proto->set_active_file(pages[kActiveFile]);
  proto->set_unevictable(pages[kUnevictable]);
}

void ProtectionToProto(const Kernel& k, const Zone& zone, v1::Zone* proto) {
  for (const ZoneType type : ConfiguredZones(k)) {
    proto->add_protection(zone.lowmem_reserve[static_cast<size_t>(type)]);
  }
  // ZONE_DEVICE, which has no memory.
  if (Is64Bit(k)) {
    proto->add_protection(
        zone.lowmem_reserve[static_cast<size_t>(ZoneType::kMovable)]);
  }
}

}  // namespace

// PG_* by the names of Linux's page-flags.h, in lower case; what a page is of
// by the names of kernel-page-flags.h.
void AddPageFlagNames(const Page& page,
                      const std::function<void(const char*)>& add) {
  static constexpr struct {
    uint32_t flag;
    const char* name;
  } kNames[] = {
      {page_flag::kReferenced, "referenced"},
      {page_flag::kUptodate, "uptodate"},
      {page_flag::kDirty, "dirty"},
      {page_flag::kLru, "lru"},
      {page_flag::kActive, "active"},
      {page_flag::kSwapBacked, "swapbacked"},
      {page_flag::kBuddy, "buddy"},
      {page_flag::kTable, "table"},
      {page_flag::kReserved, "reserved"},
      {page_flag::kAnonExclusive, "anon_exclusive"},
      {page_flag::kTail, "tail"},
      {page_flag::kUnevictable, "unevictable"},
      {page_flag::kMlocked, "mlocked"},
      {page_flag::kWorkingset, "workingset"},
      {page_flag::kSwapCache, "swapcache"},
      {page_flag::kWriteback, "writeback"},
      {page_flag::kSwapReadahead, "readahead"},
      {page_flag::kAnon, "anon"},
      {page_flag::kKsm, "ksm"},
      {page_flag::kLarge, "thp"},
      {page_flag::kSlab, "slab"},
      {page_flag::kLargeKmalloc, "large_kmalloc"},
  };
  for (const auto& [flag, name] : kNames) {
    if (page.Is(flag)) add(name);
  }
  // PG_head is of compound pages only: not of what was allocated without
  // __GFP_COMP.
  if (page.Is(page_flag::kHead) &&
      (page.Is(page_flag::kLarge) || IsCompoundHead(page))) {
    add("head");
  }
  // PG_reclaim and PG_readahead are one bit; which it is writeback tells.
  if (page.Is(page_flag::kReadahead)) {
    add(page.Is(page_flag::kWriteback) ? "reclaim" : "readahead");
  }
}

bool PageToProto(const Kernel& k, uint64_t number, v1::Page* proto) {
  if (number >= MaxPfn(k)) return false;
  const FrameUse use = FrameUseOf(k, number);
  if (use == FrameUse::kHole) return false;
  const Pfn pfn(static_cast<uint32_t>(number));
  const Page& page = k.page(pfn);
  const FrameBlock block = FrameBlockOf(k, pfn);
  proto->set_pfn(number);
  proto->set_zone(ZoneName(ZoneOf(k, pfn)));
  proto->set_kind(UseName(use));
  proto->set_refcount(KeptSinceBoot(page, use) ? 1 : page.refcount);
  proto->set_mapcount(page.mapcount);
  proto->set_order(static_cast<uint32_t>(block.order));
  proto->set_head_pfn(block.head.value());
  proto->set_migrate_type(MigrateTypeName(PageblockType(k, pfn)));
  if (page.Is(page_flag::kSwapCache)) proto->set_swap_entry(page.swap);
  MappingToProto(k, use, pfn, proto);
  ListToProto(k, use, block.head, proto);
  FlagsToProto(k, use, pfn, proto);
  return true;
}

void ZonesToProto(const Kernel& k, v1::ListZonesResponse* proto) {
  for (const Zone& zone : k.zones) {
    if (!zone.populated()) continue;
    v1::Zone* p = proto->add_zones();
    p->set_name(ZoneName(zone.type));
    p->set_start_pfn(zone.start.value());
    p->set_spanned(zone.spanned.value());
    p->set_present(zone.present.value());
    p->set_managed(zone.managed.value());
    p->set_free(zone.nr_free_pages);
    p->set_min(zone.wmark.min);
    p->set_low(zone.wmark.low);
    p->set_high(zone.wmark.high);
    p->set_promo(zone.wmark.promo);
    p->set_boost(zone.watermark_boost);
    p->set_reserved_highatomic(zone.nr_reserved_highatomic);
    ProtectionToProto(k, zone, p);
    PcpToProto(zone.pcp, p->mutable_pcp());
    LruToProto(k.lruvec.zone_size[static_cast<size_t>(zone.type)],
               p->mutable_lru());
  }
}

void FreeAreasToProto(const Kernel& k, v1::GetFreeAreasResponse* proto) {
  for (const Zone& zone : k.zones) {
    if (!zone.populated()) continue;
    v1::FreeAreas* p = proto->add_zones();
    p->set_zone(ZoneName(zone.type));
    for (const FreeArea& area : zone.free_area) p->add_blocks(area.nr_free);
    for (int type = 0; type < kMigrateTypes; type++) {
      const auto migrate_type = static_cast<MigrateType>(type);
      v1::FreeBlocks* blocks = p->add_types();
      blocks->set_migrate_type(MigrateTypeName(migrate_type));
      for (int order = 0; order <= kMaxPageOrder; order++) {
        blocks->add_blocks(NrFreeOfType(k, zone, order, migrate_type));
      }
    }
  }
}

}  // namespace faultline

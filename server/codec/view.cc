#include "server/codec/view.h"

#include <string>

#include "server/codec/utf8.h"
#include "server/machine/base/units.h"
#include "server/machine/hw/paging.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/proc/mem_counts.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

// The third column of /proc/PID/maps.
std::string Permissions(const Vma& vma) {
  return {vma.Has(vm::kRead) ? 'r' : '-', vma.Has(vm::kWrite) ? 'w' : '-',
          vma.Has(vm::kExec) ? 'x' : '-', vma.Has(vm::kMayShare) ? 's' : 'p'};
}

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

const Zone* ZoneOf(const Kernel& k, Pfn pfn) {
  for (const Zone& zone : k.zones) {
    if (zone.populated() && zone.Contains(pfn)) return &zone;
  }
  return nullptr;
}

}  // namespace

const Mm* FindMm(const Kernel& k, Pid pid) {
  const auto at = k.pids.find(pid);
  return at == k.pids.end() ? nullptr : MmOf(k, k.tasks[at->second]);
}

void VmaToProto(const Kernel& k, const Vma& vma, v1::Vma* proto) {
  proto->set_start(vma.start.value());
  proto->set_end(vma.end.value());
  proto->set_flags(vma.flags);
  proto->set_permissions(Permissions(vma));
  if (vma.file) {
    proto->set_offset(vma.pgoff << kPageShift);
    proto->set_inode(k.inodes[k.open_files[vma.file].inode].ino);
  }
  proto->set_name(ToUtf8(VmaName(k, vma)));
}

// PG_* by the names of Linux's page-flags.h, in lower case.
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
      {page_flag::kHead, "head"},
      {page_flag::kUnevictable, "unevictable"},
      {page_flag::kMlocked, "mlocked"},
      {page_flag::kWorkingset, "workingset"},
      {page_flag::kSwapCache, "swapcache"},
      {page_flag::kWriteback, "writeback"},
      {page_flag::kReadahead, "readahead"},
  };
  for (const auto& [flag, name] : kNames) {
    if (page.Is(flag)) add(name);
  }
}

void WalkToProto(const Kernel& k, const Mm& mm, uint64_t address,
                 v1::WalkPageTableResponse* proto) {
  Pfn table = mm.pgd;
  const PagingMode paging = k.paging;
  for (int level = paging.levels(); level > 0; --level) {
    const int index = paging.IndexAt(VirtAddr(address), level);
    const Pte entry = ReadPte(k, {table, index});
    v1::PageTableStep* step = proto->add_steps();
    step->set_level(static_cast<uint32_t>(level));
    step->set_table_pfn(table.value());
    step->set_index(static_cast<uint32_t>(index));
    step->set_entry(paging.narrow() ? entry.Narrow() : entry.value());
    if (!entry.hw_present()) return;
    table = entry.pfn();
    if (level == 2 && entry.huge()) {
      const auto page =
          static_cast<uint64_t>(paging.PteIndex(VirtAddr(address)));
      table = table + PageCount(page);
      break;
    }
  }
  proto->set_present(true);
  proto->set_pfn(table.value());
}

bool PageToProto(const Kernel& k, uint64_t number, v1::Page* proto) {
  if (number >= MaxPfn(k)) return false;
  const FrameUse use = FrameUseOf(k, number);
  if (use == FrameUse::kHole) return false;
  const Pfn pfn(static_cast<uint32_t>(number));
  const Page& page = k.page(pfn);
  proto->set_pfn(number);
  const Zone* zone = ZoneOf(k, pfn);
  if (zone != nullptr) proto->set_zone(ZoneName(zone->type));
  proto->set_kind(UseName(use));
  proto->set_refcount(page.refcount);
  proto->set_mapcount(page.mapcount);
  if (use == FrameUse::kFile || use == FrameUse::kShmem) {
    proto->set_inode(k.inodes[Id<Inode>(page.mapping)].ino);
    proto->set_index(page.index);
  }
  AddPageFlagNames(page, [&](const char* name) { proto->add_flags(name); });
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
  }
}

void FreeAreasToProto(const Kernel& k, v1::GetFreeAreasResponse* proto) {
  for (const Zone& zone : k.zones) {
    if (!zone.populated()) continue;
    v1::FreeAreas* p = proto->add_zones();
    p->set_zone(ZoneName(zone.type));
    for (const FreeArea& area : zone.free_area) p->add_blocks(area.nr_free);
  }
}

}  // namespace faultline

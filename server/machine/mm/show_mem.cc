// Models mm/page_alloc.c (v6.18): warn_alloc(), bad_page(); mm/show_mem.c:
// show_free_areas(); include/trace/events/mmflags.h: __def_gfpflag_names.
// Departures: D31 (no stack trace, no list of slabs), D64 (what is 0).
#include "server/machine/mm/show_mem.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <span>

#include "server/machine/mm/buddy.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/vmscan.h"

namespace faultline {
namespace {

using ull = unsigned long long;

bool Is61(const Kernel& k) {
  return k.config.personality == Personality::kLinux61;
}

// show_node(): the kernels of i386 know no nodes.
const char* NodePrefix(const Kernel& k) {
  return k.config.profile == Profile::kX86_64 ? "Node 0 " : "";
}

// The last zone that is shown: gfp_zone(), since 6.2.
ZoneType LastShown(const Kernel& k, uint32_t gfp) {
  return Is61(k) ? ZoneType::kMovable : GfpZone(k, gfp);
}

// show_migration_types(): the types that have a block of this order.
std::string TypeLetters(const Zone& zone, int order) {
  constexpr char kLetters[] = "UMEHI";
  std::string letters;
  for (int type = 0; type < kMigrateTypes; type++) {
    if (!FreeListEmpty(zone, order, static_cast<MigrateType>(type))) {
      letters += kLetters[type];
    }
  }
  return letters;
}

// Unevictable though nobody locked it.
bool OfRamfs(const Kernel& k, const Page& page) {
  return !page.Is(page_flag::kAnon) && page.mapping != 0 &&
         k.inodes[Id<Inode>(page.mapping)].fs == FsType::kRamfs;
}

// Of each zone what only its pages say.
struct ZoneUse {
  uint64_t write_pending = 0;  // dirty, or under writeback
  uint64_t mlocked = 0;
};
using ZoneUses = std::array<ZoneUse, kMaxNrZones>;
ZoneUses UseByZone(const Kernel& k) {
  ZoneUses uses;
  k.mem_map.ForEach([&](size_t number, const Page& page) {
    constexpr uint32_t kPending = page_flag::kDirty | page_flag::kWriteback;
    if (!page.Is(kPending | page_flag::kUnevictable)) return;
    const Pfn pfn(static_cast<uint32_t>(number));
    ZoneUse& use = uses[static_cast<size_t>(ZoneNumberOf(k, pfn))];
    const bool file = page.mapping != 0 &&
                      !page.Is(page_flag::kAnon | page_flag::kSwapBacked);
    use.write_pending += file && page.Is(kPending);
    const bool locked = page.Is(page_flag::kUnevictable) && !OfRamfs(k, page);
    use.mlocked += locked ? FolioPages(page) : 0;
  });
  return uses;
}

void ShowZone(const Kernel& k, std::string& out, const Zone& zone,
              const ZoneUse& use) {
  const uint64_t boost = zone.watermark_boost;
  const auto& sizes = k.lruvec.zone_size[static_cast<int>(zone.type)];
  Append(out,
         "%s%s free:%llukB boost:%llukB min:%llukB low:%llukB "
         "high:%llukB reserved_highatomic:%lluKB ",
         NodePrefix(k), ZoneName(zone.type), Kb(zone.nr_free_pages), Kb(boost),
         Kb(zone.wmark.min + boost), Kb(zone.wmark.low + boost),
         Kb(zone.wmark.high + boost), Kb(zone.nr_reserved_highatomic));
  if (!Is61(k)) {
    Append(out, "free_highatomic:%lluKB ", Kb(zone.nr_free_highatomic));
  }
  Append(out,
         "active_anon:%llukB inactive_anon:%llukB active_file:%llukB "
         "inactive_file:%llukB unevictable:%llukB writepending:%llukB "
         "%spresent:%llukB managed:%llukB mlocked:%llukB bounce:0kB "
         "free_pcp:%llukB local_pcp:%llukB free_cma:0kB\n",
         Kb(sizes[kActiveAnon]), Kb(sizes[kInactiveAnon]),
         Kb(sizes[kActiveFile]), Kb(sizes[kInactiveFile]),
         Kb(sizes[kUnevictable]), Kb(use.write_pending),
         Is61(k) ? "" : "zspages:0kB ", Kb(zone.present.value()),
         Kb(zone.managed.value()), Kb(use.mlocked),
         Kb(static_cast<uint64_t>(zone.pcp.count)),
         Kb(static_cast<uint64_t>(zone.pcp.count)));
  out += "lowmem_reserve[]:";
  const bool wide = k.config.profile == Profile::kX86_64;
  for (int i = 0; i < kMaxNrZones; i++) {
    const auto type = static_cast<ZoneType>(i);
    if (type == (wide ? ZoneType::kHighMem : ZoneType::kDma32)) continue;
    Append(out, " %llu", ull{zone.lowmem_reserve[i]});
  }
  // ZONE_DEVICE, which has no memory.
  if (wide) Append(out, " %llu", ull{zone.lowmem_reserve.back()});
  out += "\n";
}

ull Stat(const Kernel& k, NodeStat item) {
  const int64_t n = k.vmstat.node[item];
  return n > 0 ? static_cast<ull>(n) : 0;
}

// The first lines of show_free_areas(), and those of the node.
void ShowTotals(const Kernel& k, std::string& out, ZoneType last) {
  const auto size = [&](Lru lru) { return ull{k.lruvec.Size(lru)}; };
  uint64_t free = 0, pcp = 0;
  for (const Zone& zone : k.zones) {
    free += zone.nr_free_pages;
    if (zone.type <= last) pcp += static_cast<uint64_t>(zone.pcp.count);
  }
  Append(out,
         "active_anon:%llu inactive_anon:%llu isolated_anon:0\n"
         " active_file:%llu inactive_file:%llu isolated_file:0\n"
         " unevictable:%llu dirty:%llu writeback:%llu\n"
         " slab_reclaimable:%llu slab_unreclaimable:%llu\n"
         " mapped:%llu shmem:%llu pagetables:%llu\n"
         " sec_pagetables:0 bounce:0\n"
         " kernel_misc_reclaimable:0\n"
         " free:%llu free_pcp:%llu free_cma:0\n",
         size(kActiveAnon), size(kInactiveAnon), size(kActiveFile),
         size(kInactiveFile), size(kUnevictable), Stat(k, kNrFileDirty),
         Stat(k, kNrWriteback), Stat(k, kNrSlabReclaimable),
         Stat(k, kNrSlabUnreclaimable), Stat(k, kNrFileMapped),
         Stat(k, kNrShmem), Stat(k, kNrPageTables), ull{free}, ull{pcp});
  Append(out,
         "Node 0 active_anon:%llukB inactive_anon:%llukB active_file:%llukB "
         "inactive_file:%llukB unevictable:%llukB isolated(anon):0kB "
         "isolated(file):0kB mapped:%llukB dirty:%llukB writeback:%llukB "
         "shmem:%llukB shmem_thp:%llukB shmem_pmdmapped:%llukB anon_thp:%llukB "
         "%skernel_stack:0kB pagetables:%llukB sec_pagetables:0kB "
         "all_unreclaimable? %s%s\n",
         Kb(size(kActiveAnon)), Kb(size(kInactiveAnon)), Kb(size(kActiveFile)),
         Kb(size(kInactiveFile)), Kb(size(kUnevictable)),
         Kb(Stat(k, kNrFileMapped)), Kb(Stat(k, kNrFileDirty)),
         Kb(Stat(k, kNrWriteback)), Kb(Stat(k, kNrShmem)),
         Kb(Stat(k, kNrShmemThps) * kPageBlockPages),
         Kb(Stat(k, kNrShmemPmdMapped) * kPageBlockPages),
         Kb(Stat(k, kNrAnonThps) * kPageBlockPages),
         Is61(k) ? "writeback_tmp:0kB " : "", Kb(Stat(k, kNrPageTables)),
         k.kswapd.failures >= kMaxReclaimRetries ? "yes" : "no",
         Is61(k) ? "" : " Balloon:0kB");
}

// A row of __def_gfpflag_names.
struct GfpName {
  uint32_t bits;
  const char* name;
};
constexpr GfpName kGfpNames[] = {
    {gfp::kTranshugeLight | gfp::kDirectReclaim, "GFP_TRANSHUGE"},
    {gfp::kTranshugeLight, "GFP_TRANSHUGE_LIGHT"},
    {gfp::kHighUserMovable, "GFP_HIGHUSER_MOVABLE"},
    {gfp::kHighUser, "GFP_HIGHUSER"},
    {gfp::kUser, "GFP_USER"},
    {gfp::kKernel | gfp::kAccount, "GFP_KERNEL_ACCOUNT"},
    {gfp::kKernel, "GFP_KERNEL"},
    {gfp::kNofs, "GFP_NOFS"},
    {gfp::kAtomic, "GFP_ATOMIC"},
    {gfp::kNoio, "GFP_NOIO"},
    {gfp::kNowait, "GFP_NOWAIT"},
    {gfp::kDma, "GFP_DMA"},
    {gfp::kDma32, "GFP_DMA32"},
    {gfp::kReclaim, "__GFP_RECLAIM"},
    {gfp::kHighMem, "__GFP_HIGHMEM"},
    {gfp::kMovable, "__GFP_MOVABLE"},
    {gfp::kReclaimable, "__GFP_RECLAIMABLE"},
    {gfp::kHigh, "__GFP_HIGH"},
    {gfp::kIo, "__GFP_IO"},
    {gfp::kFs, "__GFP_FS"},
    {gfp::kZero, "__GFP_ZERO"},
    {gfp::kDirectReclaim, "__GFP_DIRECT_RECLAIM"},
    {gfp::kKswapdReclaim, "__GFP_KSWAPD_RECLAIM"},
    {gfp::kWrite, "__GFP_WRITE"},
    {gfp::kNoWarn, "__GFP_NOWARN"},
    {gfp::kRetryMayfail, "__GFP_RETRY_MAYFAIL"},
    {gfp::kNofail, "__GFP_NOFAIL"},
    {gfp::kNoretry, "__GFP_NORETRY"},
    {gfp::kMemalloc, "__GFP_MEMALLOC"},
    {gfp::kComp, "__GFP_COMP"},
    {gfp::kNomemalloc, "__GFP_NOMEMALLOC"},
    {gfp::kHardwall, "__GFP_HARDWALL"},
    {gfp::kThisnode, "__GFP_THISNODE"},
    {gfp::kAccount, "__GFP_ACCOUNT"},
};
// Until 6.2 GFP_ATOMIC had a bit of its own; until 6.4 GFP_NOWAIT warned.
constexpr uint32_t kGfpAtomic61 = 0x200;
constexpr GfpName kGfpNames61[] = {
    {gfp::kTranshugeLight | gfp::kDirectReclaim, "GFP_TRANSHUGE"},
    {gfp::kTranshugeLight, "GFP_TRANSHUGE_LIGHT"},
    {gfp::kHighUserMovable, "GFP_HIGHUSER_MOVABLE"},
    {gfp::kHighUser, "GFP_HIGHUSER"},
    {gfp::kUser, "GFP_USER"},
    {gfp::kKernel | gfp::kAccount, "GFP_KERNEL_ACCOUNT"},
    {gfp::kKernel, "GFP_KERNEL"},
    {gfp::kNofs, "GFP_NOFS"},
    {gfp::kAtomic | kGfpAtomic61, "GFP_ATOMIC"},
    {gfp::kNoio, "GFP_NOIO"},
    {gfp::kKswapdReclaim, "GFP_NOWAIT"},
    {gfp::kDma, "GFP_DMA"},
    {gfp::kHighMem, "__GFP_HIGHMEM"},
    {gfp::kDma32, "GFP_DMA32"},
    {gfp::kHigh, "__GFP_HIGH"},
    {kGfpAtomic61, "__GFP_ATOMIC"},
    {gfp::kIo, "__GFP_IO"},
    {gfp::kFs, "__GFP_FS"},
    {gfp::kNoWarn, "__GFP_NOWARN"},
    {gfp::kRetryMayfail, "__GFP_RETRY_MAYFAIL"},
    {gfp::kNofail, "__GFP_NOFAIL"},
    {gfp::kNoretry, "__GFP_NORETRY"},
    {gfp::kComp, "__GFP_COMP"},
    {gfp::kZero, "__GFP_ZERO"},
    {gfp::kNomemalloc, "__GFP_NOMEMALLOC"},
    {gfp::kMemalloc, "__GFP_MEMALLOC"},
    {gfp::kHardwall, "__GFP_HARDWALL"},
    {gfp::kThisnode, "__GFP_THISNODE"},
    {gfp::kReclaimable, "__GFP_RECLAIMABLE"},
    {gfp::kMovable, "__GFP_MOVABLE"},
    {gfp::kAccount, "__GFP_ACCOUNT"},
    {gfp::kWrite, "__GFP_WRITE"},
    {gfp::kReclaim, "__GFP_RECLAIM"},
    {gfp::kDirectReclaim, "__GFP_DIRECT_RECLAIM"},
    {gfp::kKswapdReclaim, "__GFP_KSWAPD_RECLAIM"},
};

std::string Warning(const Kernel& k, uint32_t gfp, const std::string& what) {
  std::string out;
  Append(out,
         "%s: %s, mode:0x%x(%s), nodemask=(null),cpuset=/,mems_allowed=0\n",
         CurrentComm(k), what.c_str(), gfp,
         GfpFlagNames(k.config.personality, gfp).c_str());
  return out + MemInfoReport(k, gfp);
}

void ShowFreeBlocks(const Kernel& k, std::string& out, const Zone& zone) {
  Append(out, "%s%s: ", NodePrefix(k), ZoneName(zone.type));
  uint64_t total = 0;
  for (int order = 0; order <= kMaxPageOrder; order++) {
    const uint64_t blocks = zone.free_area[order].nr_free;
    total += blocks << order;
    Append(out, "%llu*%llukB ", ull{blocks}, Kb(uint64_t{1} << order));
    if (blocks > 0) Append(out, "(%s) ", TypeLetters(zone, order).c_str());
  }
  Append(out, "= %llukB\n", Kb(total));
}

}  // namespace

void Append(std::string& out, const char* format, ...) {
  char line[1024];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (n > 0) out.append(line, std::min<size_t>(n, sizeof line - 1));
}

std::string GfpFlagNames(Personality personality, uint32_t gfp) {
  if (gfp == 0) return "none";
  const bool old = personality == Personality::kLinux61;
  const std::span<const GfpName> rows =
      old ? std::span<const GfpName>(kGfpNames61) : kGfpNames;
  std::string names;
  for (const GfpName& row : rows) {
    if ((gfp & row.bits) != row.bits) continue;
    gfp &= ~row.bits;
    if (!names.empty()) names += "|";
    names += row.name;
  }
  if (gfp != 0) Append(names, "%s%#x", names.empty() ? "" : "|", gfp);
  return names;
}

std::string AllocFailureReport(const Kernel& k, uint32_t gfp, uint32_t order) {
  return Warning(k, gfp,
                 "page allocation failure: order:" + std::to_string(order));
}

void WarnAlloc(Kernel& k, uint32_t gfp, const std::string& what) {
  if ((gfp & gfp::kNoWarn) || !k.trace.Wants(EventLevel::kFaults)) return;
  k.Emit(EventLevel::kFaults, Console{Warning(k, gfp, what)});
}

void ReportAllocFailure(Kernel& k, uint32_t gfp, uint32_t order) {
  if (order > kMaxPageOrder) return;
  WarnAlloc(k, gfp, "page allocation failure: order:" + std::to_string(order));
}

std::string MemInfoReport(const Kernel& k, uint32_t gfp) {
  const ZoneType last = LastShown(k, gfp);
  std::string out = "Mem-Info:\n";
  ShowTotals(k, out, last);
  const ZoneUses uses = UseByZone(k);
  for (const Zone& zone : k.zones) {
    if (!zone.populated() || zone.type > last) continue;
    ShowZone(k, out, zone, uses[static_cast<size_t>(zone.type)]);
  }
  uint64_t pages = 0, managed = 0, high = 0;
  for (const Zone& zone : k.zones) {
    if (zone.populated() && zone.type <= last) ShowFreeBlocks(k, out, zone);
    pages += zone.present.value();
    managed += zone.managed.value();
    if (IsHighmem(k, zone.type)) high += zone.present.value();
  }
  Append(out,
         "%llu total pagecache pages\n%llu pages in swap cache\n"
         "Free swap  = %llukB\nTotal swap = %llukB\n",
         Stat(k, kNrFilePages), ull{k.swap.cached}, Kb(k.swap.nr_free),
         Kb(k.swap.total));
  Append(out,
         "%llu pages RAM\n%llu pages HighMem/MovableOnly\n%llu pages "
         "reserved\n",
         ull{pages}, ull{high}, ull{pages - managed});
  return out;
}

std::string BadPageReport(const Kernel& k, Pfn pfn, const Page& page,
                          const char* reason) {
  std::string out;
  Append(out, "BUG: Bad page state in process %s  pfn:%05x\n", CurrentComm(k),
         pfn.value());
  return out + DumpPage(k, pfn, page, reason);
}

}  // namespace faultline

// The zones at boot: where they lie and what boot keeps of them. Models
// mm/mm_init.c (v6.18): zone_spanned_pages_in_node(),
// find_usable_zone_for_movable(), adjust_zone_range_for_zone_movable(),
// calculate_node_totalpages(), memblock_free_pages(); arch/x86/mm/init.c:
// arch_zone_limits_init(); arch/x86/mm/init_32.c: find_low_pfn_range().
// Departure: D5 (how much boot keeps, and what it frees late, are estimates
// unless they are given).
#include <algorithm>
#include <optional>
#include <utility>

#include "server/machine/config_error.h"
#include "server/machine/mm/e820.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/watermark.h"
#include "server/machine/mm/zone_movable.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

using PagesPerZone = std::array<uint64_t, kMaxNrZones>;

Pfn PfnAt(uint64_t bytes) {
  return Pfn(static_cast<uint32_t>(bytes >> kPageShift));
}

// MAXMEM of an i386 kernel: what is below VMALLOC_END, less 128 MiB for
// vmalloc. VMALLOC_END is two pages below pkmap, and that below the LDT and the
// CPU entry area, each rounded down to what a page table covers: 2 MiB with
// PAE, where the recorded 6.1 kernels have 0x36ffe000, and 4 MiB without.
uint64_t LowMemoryEnd(const MachineConfig& c) {
  if (c.lowmem_bytes != 0) return c.lowmem_bytes;
  if (c.e820.empty()) return 896 * kMiB;
  return c.profile == Profile::kI386Pae ? 0x36ffe000 : 0x36bfe000;
}

// The first address beyond each zone; 0 for one that the machine lacks.
PagesPerZone ZoneLimits(const MachineConfig& c) {
  constexpr uint64_t kEnd = uint64_t{0xfffffffe} << kPageShift;
  if (c.profile == Profile::kX86_64) return {16 * kMiB, 4 * kGiB, kEnd, 0, 0};
  return {16 * kMiB, 0, LowMemoryEnd(c), kEnd, 0};
}

// Spans what the machine's memory, holes and all, has between the limits.
void InitZone(Zone& zone, const std::vector<PfnRange>& map, Pfn low, Pfn high) {
  if (low >= high) return;
  const Pfn start = std::clamp(map.front().begin, low, high);
  const Pfn end = std::clamp(map.back().end, low, high);
  if (start == end) return;
  zone.start = start;
  zone.spanned = end - start;
  for (const PfnRange& run : map) {
    const PfnRange part{std::max(run.begin, low), std::min(run.end, high)};
    if (part.begin >= part.end) continue;
    zone.present += part.size();
    zone.present_ranges.push_back(part);
  }
}

// Where boot puts the kernel and mem_map: the first zone above 16 MiB, or DMA
// when it is all there is.
int KernelZone(const Kernel& k) {
  for (int i = 1; i < kMaxNrZones; i++) {
    if (k.zones[i].populated()) return i;
  }
  return 0;
}

// Boot keeps what lies below 1 MiB, the kernel image and mem_map. It knows no
// zones yet: what does not fit below is taken of the movable zone.
PagesPerZone EstimateReserved(const Kernel& k) {
  uint64_t total = 0;
  for (const Zone& zone : k.zones) total += zone.present.value();
  constexpr uint64_t kKernelImagePages = 8192;
  const uint64_t keep = std::min(kKernelImagePages + total / 64, total / 4);
  PagesPerZone kept{};
  const int payer = KernelZone(k);
  kept[payer] = std::min(keep, k.zones[payer].present.value() / 2);
  const int movable = static_cast<int>(ZoneType::kMovable);
  if (payer != movable) {
    kept[movable] =
        std::min(keep - kept[payer], k.zones[movable].present.value() / 2);
  }
  const Zone& dma = k.zones[0];
  if (dma.populated()) kept[0] += dma.present_ranges.front().size().value();
  return kept;
}

// What Debian's 6.1 kernels free after the watermarks were set (their init
// sections, the gaps between sections, a small initrd). It follows from the
// recordings: 6.1 computed threads-max, min_free_kbytes and protection without.
PagesPerZone EstimateInitmem(const Kernel& k) {
  const uint64_t pages = k.config.profile == Profile::kX86_64 ? 2250 : 494;
  PagesPerZone freed{};
  const int zone = KernelZone(k);
  freed[zone] = std::min(pages, k.zones[zone].managed.value() / 16);
  return freed;
}

// What others had allocated when init_user_reserve() and init_admin_reserve()
// asked what is free. It follows from the recordings as well: 6.1 with one and
// two CPUs on x86-64, with one on i386.
uint64_t EstimateInitcalls(const Kernel& k, uint64_t pages) {
  const uint64_t cpus = std::max<uint64_t>(k.config.cpus, 1);
  const uint64_t taken =
      k.config.profile == Profile::kX86_64 ? 1096 + 584 * cpus : 881;
  return std::min(taken, pages / 16);
}

// What the configuration gives, checked against the zones.
std::optional<PagesPerZone> Given(const Kernel& k, const char* key,
                                  const std::vector<ZonePages>& rows) {
  if (rows.empty()) return std::nullopt;
  PagesPerZone pages{};
  for (const ZonePages& row : rows) {
    int found = -1;
    for (int i = 0; i < kMaxNrZones; i++) {
      if (row.zone == ZoneName(static_cast<ZoneType>(i))) found = i;
    }
    const std::string given =
        std::string(key) + "=" + row.zone + ":" + std::to_string(row.pages);
    if (found < 0) {
      throw ConfigError(given +
                        ": zones are DMA, DMA32, Normal, HighMem, Movable");
    }
    if (row.pages > k.zones[found].present.value()) {
      throw ConfigError(given + ": the zone has " +
                        std::to_string(k.zones[found].present.value()) +
                        " pages");
    }
    pages[found] = row.pages;
  }
  return pages;
}

// Gives [range) to the free lists as the largest aligned blocks.
void FreeRange(Kernel& k, Zone& zone, PfnRange range) {
  constexpr uint32_t kBlock = uint32_t{1} << kMaxPageOrder;
  uint32_t a = range.begin.value(), b = range.end.value();
  uint32_t whole = (a + kBlock - 1) & ~(kBlock - 1);
  uint32_t whole_end = b & ~(kBlock - 1);
  auto free_small = [&](uint32_t from, uint32_t to) {
    while (from < to) {
      int order = from == 0 ? kMaxPageOrder : __builtin_ctz(from);
      order = std::min(order, kMaxPageOrder);
      while (from + (uint32_t{1} << order) > to) order--;
      FreePagesCore(k, zone, Pfn(from), order);
      from += uint32_t{1} << order;
    }
  };
  if (whole >= whole_end) {
    free_small(a, b);
    return;
  }
  free_small(a, whole);
  zone.pristine.push_back({Pfn(whole), Pfn(whole_end)});
  uint64_t pages = whole_end - whole;
  zone.free_area[kMaxPageOrder].nr_free += pages / kBlock;
  zone.nr_free_pages += pages;
  free_small(whole_end, b);
}

// Hands a zone's memory over, less `keep` pages from its start.
void PopulateZone(Kernel& k, Zone& zone, uint64_t keep) {
  for (PfnRange run : zone.present_ranges) {
    PageCount kept(std::min(keep, run.size().value()));
    keep -= kept.value();
    run.begin = run.begin + kept;
    zone.managed += run.size();
    FreeRange(k, zone, run);
  }
}

// find_usable_zone_for_movable(): the highest zone that the machine's addresses
// reach, and the lowest frame that it can have.
std::pair<ZoneType, Pfn> UsableZoneForMovable(const PagesPerZone& limits,
                                              Pfn end) {
  std::pair<ZoneType, Pfn> highest{ZoneType::kDma, Pfn(0)};
  uint64_t below = 0;
  for (int i = 0; i < kMaxNrZones; i++) {
    if (limits[i] == 0) continue;
    if (PfnAt(below) < end) {
      highest = {static_cast<ZoneType>(i), PfnAt(below)};
    }
    below = limits[i];
  }
  return highest;
}

void InitZones(Kernel& k) {
  const std::vector<PfnRange> map = PresentMemory(k.config);
  const PagesPerZone limits = ZoneLimits(k.config);
  const auto [zone_of_movable, usable] =
      UsableZoneForMovable(limits, map.back().end);
  k.movable_zone = zone_of_movable;
  const Pfn movable = FindZoneMovablePfn(k.config, map, usable);
  uint64_t below = 0;
  for (int i = 0; i < kMaxNrZones; i++) {
    Zone& zone = k.zones[i];
    zone.type = static_cast<ZoneType>(i);
    if (limits[i] == 0) continue;
    // Where ZONE_MOVABLE begins the zone that it is cut out of ends.
    const Pfn limit = PfnAt(limits[i]);
    const bool cut = movable.valid() && zone.type == k.movable_zone;
    InitZone(zone, map, PfnAt(below), cut ? std::min(limit, movable) : limit);
    below = limits[i];
  }
  if (movable.valid()) {
    InitZone(k.zone(ZoneType::kMovable), map, movable, map.back().end);
  }
}

// The watermarks are set while what boot frees last is not yet there.
void InitWatermarksWithout(Kernel& k, const PagesPerZone& late) {
  uint64_t pages = 0;
  for (int i = 0; i < kMaxNrZones; i++) {
    if (late[i] > k.zones[i].managed.value()) {
      throw ConfigError("initmem has more of a zone than it manages");
    }
    k.zones[i].managed -= PageCount(late[i]);
    pages += k.zones[i].managed.value();
  }
  const uint64_t free_kbytes = (pages - EstimateInitcalls(k, pages))
                               << (kPageShift - 10);
  InitWatermarks(k);
  // set_max_threads(): as many as an eighth of memory has stacks for.
  const uint64_t stack_pages = k.config.profile == Profile::kX86_64 ? 4 : 2;
  k.sysctl.threads_max = std::max<uint64_t>(pages / (8 * stack_pages), 20);
  k.sysctl.admin_reserve_kbytes = std::min<uint64_t>(free_kbytes / 32, 8192);
  k.sysctl.user_reserve_kbytes = std::min<uint64_t>(free_kbytes / 32, 131072);
  for (int i = 0; i < kMaxNrZones; i++) {
    k.zones[i].managed += PageCount(late[i]);
  }
}

void CheckLowMemory(const MachineConfig& c) {
  if (c.lowmem_bytes == 0) return;
  if (c.profile == Profile::kX86_64) {
    throw ConfigError("lowmem: an x86_64 machine has no HIGHMEM");
  }
  if (c.lowmem_bytes % kPageSize != 0 || c.lowmem_bytes < 17 * kMiB ||
      c.lowmem_bytes > kGiB) {
    throw ConfigError("lowmem must be whole pages from 17 MiB to 1 GiB");
  }
}

}  // namespace

void BootMemory(Kernel& k) {
  CheckLowMemory(k.config);
  InitZones(k);
  const auto given = Given(k, "reserved", k.config.reserved);
  const PagesPerZone kept = given ? *given : EstimateReserved(k);
  for (int i = 0; i < kMaxNrZones; i++) {
    if (!k.zones[i].populated()) continue;
    PopulateZone(k, k.zones[i], kept[i]);
    k.totalram_pages += k.zones[i].managed.value();
  }
  const auto late = Given(k, "initmem", k.config.initmem);
  InitWatermarksWithout(k, late ? *late : EstimateInitmem(k));
  k.vmstat = Vmstat{};
}

const char* ZoneName(ZoneType zone) {
  constexpr const char* kNames[] = {"DMA", "DMA32", "Normal", "HighMem",
                                    "Movable"};
  return kNames[static_cast<int>(zone)];
}

}  // namespace faultline

// The zones at boot: where memory is, what boot keeps, and the watermarks.
// Models mm/mm_init.c, arch/x86/mm/init.c (v6.18): arch_zone_limits_init(),
// memblock_free_pages(), and of mm/page_alloc.c: setup_per_zone_wmarks(),
// setup_per_zone_lowmem_reserve(), calculate_min_free_kbytes(); and of
// mm/khugepaged.c: set_recommended_min_free_kbytes().
// Departure: D5 (how much boot keeps is an estimate).
#include <algorithm>

#include "server/machine/config_error.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

Pfn PfnAt(uint64_t bytes) {
  return Pfn(static_cast<uint32_t>(bytes >> kPageShift));
}

// The memory map a PC of that size has: low memory with the hole below 1 MiB
// and, beyond 3 GiB, the rest above the hole for devices that ends at 4 GiB.
std::vector<PfnRange> PhysicalMemory(uint64_t ram) {
  std::vector<PfnRange> map = {{Pfn(1), Pfn(0x9f)}};
  uint64_t low_end = std::min(ram, 3 * kGiB);
  map.push_back({PfnAt(kMiB), PfnAt(low_end)});
  if (ram > low_end) {
    map.push_back({PfnAt(4 * kGiB), PfnAt(4 * kGiB + ram - low_end)});
  }
  return map;
}

// The first address beyond each zone; 0 for one that the machine lacks.
std::array<uint64_t, kMaxNrZones> ZoneLimits(Profile profile) {
  if (profile == Profile::kX86_64) {
    return {16 * kMiB, 4 * kGiB, ~uint64_t{0}, 0, 0};
  }
  return {16 * kMiB, 0, 896 * kMiB, ~uint64_t{0}, 0};
}

// Boot keeps what lies below 1 MiB, the kernel image and mem_map; the latter
// two from the first memory above 16 MiB on a machine that has it.
uint64_t KeptPages(uint64_t total_pages) {
  constexpr uint64_t kKernelImagePages = 8192;
  return std::min(kKernelImagePages + total_pages / 64, total_pages / 4);
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
      k.page(Pfn(from)).refcount = 1;
      FreePages(k, Pfn(from), order);
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

void InitZone(Zone& zone, const std::vector<PfnRange>& map, Pfn low, Pfn high) {
  for (const PfnRange& run : map) {
    PfnRange part{std::max(run.begin, low), std::min(run.end, high)};
    if (part.begin >= part.end) continue;
    zone.present += part.size();
    zone.present_ranges.push_back(part);
  }
  if (zone.present_ranges.empty()) return;
  zone.start = zone.present_ranges.front().begin;
  zone.spanned = zone.present_ranges.back().end - zone.start;
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

uint64_t IntSqrt(uint64_t n) {
  uint64_t r = 0;
  for (uint64_t bit = uint64_t{1} << 31; bit > 0; bit >>= 1) {
    if ((r | bit) * (r | bit) <= n) r |= bit;
  }
  return r;
}

bool LowMemory(const Zone& zone) { return zone.type <= ZoneType::kNormal; }

uint64_t MinFreeKbytes(const Kernel& k) {
  uint64_t lowmem_kbytes = 0, zones = 0, buffer_pages = 0;
  for (const Zone& z : k.zones) {
    if (!LowMemory(z) || !z.populated()) continue;
    uint64_t beyond_high =
        z.managed.value() - std::min(z.managed.value(), z.wmark.high);
    lowmem_kbytes += beyond_high * 4;
    buffer_pages += beyond_high;
    zones++;
  }
  uint64_t min = std::clamp<uint64_t>(IntSqrt(lowmem_kbytes * 16), 128, 262144);
  if (k.config.thp == ThpMode::kNever) return min;
  constexpr uint64_t kBlock = uint64_t{1} << kPageBlockOrder;
  constexpr uint64_t kPcpMigrateTypes = 3;
  uint64_t recommended =
      kBlock * zones * 2 + kBlock * zones * kPcpMigrateTypes * kPcpMigrateTypes;
  recommended = std::min(recommended, buffer_pages / 20) * 4;
  return std::max(min, recommended);
}

}  // namespace

void BootMemory(Kernel& k) {
  const MachineConfig& c = k.config;
  if (c.ram_bytes < 4 * kMiB || c.ram_bytes > 8192 * kGiB ||
      c.ram_bytes % kPageSize != 0) {
    throw ConfigError(
        "ram must be a multiple of 4096 bytes from 4 MiB to 8 TiB");
  }
  if (c.profile == Profile::kI386) {
    throw ConfigError(
        "profile i386-nopae is not available; use i386, which has PAE");
  }
  if (c.profile != Profile::kX86_64 && c.ram_bytes > 64 * kGiB) {
    throw ConfigError("an i386 machine has at most 64 GiB of ram");
  }
  std::vector<PfnRange> map = PhysicalMemory(c.ram_bytes);
  auto limits = ZoneLimits(c.profile);
  uint64_t below = 0, total = 0;
  for (int i = 0; i < kMaxNrZones; i++) {
    Zone& zone = k.zones[i];
    zone.type = static_cast<ZoneType>(i);
    if (limits[i] == 0) continue;
    constexpr uint64_t kEnd = uint64_t{0xfffffffe} << kPageShift;
    InitZone(zone, map, PfnAt(below), PfnAt(std::min(limits[i], kEnd)));
    below = limits[i];
    total += zone.present.value();
  }
  uint64_t keep = KeptPages(total);
  // The first zone above 16 MiB pays, or DMA when it is all there is.
  int payer = 0;
  for (int i = kMaxNrZones - 1; i > 0; i--) {
    if (k.zones[i].populated()) payer = i;
  }
  for (int i = 0; i < kMaxNrZones; i++) {
    Zone& zone = k.zones[i];
    if (!zone.populated()) continue;
    uint64_t kept = i == payer ? std::min(keep, zone.present.value() / 2) : 0;
    if (i == 0) kept += zone.present_ranges.front().size().value();
    PopulateZone(k, zone, kept);
    k.totalram_pages += zone.managed.value();
  }
  k.sysctl.min_free_kbytes = MinFreeKbytes(k);
  SetupPerZoneWmarks(k);
  SetupPerZoneLowmemReserve(k);
  uint64_t free_kbytes = k.totalram_pages * 4;
  k.sysctl.admin_reserve_kbytes = std::min<uint64_t>(free_kbytes / 32, 8192);
  k.sysctl.user_reserve_kbytes = std::min<uint64_t>(free_kbytes / 32, 131072);
  k.vmstat = Vmstat{};
}

void SetupPerZoneWmarks(Kernel& k) {
  uint64_t pages_min = k.sysctl.min_free_kbytes / 4;
  uint64_t lowmem_pages = 0;
  for (const Zone& z : k.zones) {
    if (LowMemory(z)) lowmem_pages += z.managed.value();
  }
  for (Zone& z : k.zones) {
    uint64_t managed = z.managed.value();
    uint64_t tmp = lowmem_pages == 0 ? 0 : pages_min * managed / lowmem_pages;
    z.wmark.min =
        LowMemory(z) ? tmp : std::clamp<uint64_t>(managed / 1024, 32, 128);
    uint64_t delta =
        std::max(tmp / 4, managed * k.sysctl.watermark_scale_factor / 10000);
    z.wmark.low = z.wmark.min + delta;
    z.wmark.high = z.wmark.low + delta;
    z.wmark.promo = z.wmark.high + delta;
  }
}

void SetupPerZoneLowmemReserve(Kernel& k) {
  // sysctl_lowmem_reserve_ratio
  constexpr uint64_t kRatio[kMaxNrZones] = {256, 256, 32, 0, 0};
  for (int i = 0; i < kMaxNrZones; i++) {
    uint64_t above = 0;
    for (int j = i + 1; j < kMaxNrZones; j++) {
      above += k.zones[j].managed.value();
      bool none = kRatio[i] == 0 || k.zones[i].managed == PageCount(0);
      k.zones[i].lowmem_reserve[j] = none ? 0 : above / kRatio[i];
    }
  }
}

const char* ZoneName(ZoneType zone) {
  constexpr const char* kNames[] = {"DMA", "DMA32", "Normal", "HighMem",
                                    "Movable"};
  return kNames[static_cast<int>(zone)];
}

}  // namespace faultline

// How much of each zone is to stay free. Models mm/page_alloc.c (v6.18):
// setup_per_zone_wmarks(), setup_per_zone_lowmem_reserve(),
// lowmem_reserve_ratio_sysctl_handler(), calculate_min_free_kbytes(),
// init_per_zone_wmark_min(); and mm/khugepaged.c:
// set_recommended_min_free_kbytes(); mm/huge_memory.c: hugepage_init().
#include "server/machine/mm/watermark.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pcp.h"

namespace faultline {
namespace {

uint64_t IntSqrt(uint64_t n) {
  uint64_t r = 0;
  for (uint64_t bit = uint64_t{1} << 31; bit > 0; bit >>= 1) {
    if ((r | bit) * (r | bit) <= n) r |= bit;
  }
  return r;
}

// What gfp_zone(GFP_USER) may use.
bool LowMemory(const Zone& zone) { return zone.type <= ZoneType::kNormal; }

// Has a zone its part of min_free_kbytes? Not if a kernel may not use it; until
// 6.5 one that lies in low memory had, though it is ZONE_MOVABLE.
bool SharesMinFree(const Kernel& k, const Zone& zone) {
  if (IsHighmem(k, zone.type)) return false;
  return zone.type != ZoneType::kMovable ||
         k.config.personality == Personality::kLinux61;
}

// nr_free_buffer_pages(): what low memory has beyond the high watermarks.
uint64_t NrFreeBufferPages(const Kernel& k) {
  uint64_t pages = 0;
  for (const Zone& z : k.zones) {
    if (!LowMemory(z)) continue;
    pages += z.managed.value() - std::min(z.managed.value(), z.wmark.high);
  }
  return pages;
}

void CalculateMinFreeKbytes(Kernel& k) {
  const uint64_t lowmem_kbytes = NrFreeBufferPages(k) * (kPageSize >> 10);
  const uint64_t kbytes = IntSqrt(lowmem_kbytes * 16);
  if (kbytes <= k.sysctl.user_min_free_kbytes) return;
  k.sysctl.min_free_kbytes = std::clamp<uint64_t>(kbytes, 128, 262144);
}

// hugepage_init() comes to start_stop_khugepaged(), which computes the same
// again now that there are watermarks, with THP off as well; but not in small
// machines, where it leaves THP off. There somebody has switched it on since.
bool StartsKhugepaged(const Kernel& k) {
  constexpr uint64_t kSmall = uint64_t{512} << (20 - kPageShift);
  if (k.paging.narrow()) return false;
  if (k.sysctl.thp_enabled != static_cast<uint64_t>(ThpMode::kNever)) {
    return true;
  }
  uint64_t pages = 0;
  for (const Zone& z : k.zones) pages += z.managed.value();
  return pages >= kSmall;
}

}  // namespace

void SetRecommendedMinFreeKbytes(Kernel& k) {
  if (k.sysctl.thp_enabled == static_cast<uint64_t>(ThpMode::kNever)) {
    CalculateMinFreeKbytes(k);
  } else {
    uint64_t zones = 0;
    for (const Zone& z : k.zones) zones += LowMemory(z) && z.populated();
    constexpr uint64_t kBlock = uint64_t{1} << kPageBlockOrder;
    constexpr uint64_t kPcpMigrateTypes = 3;
    const uint64_t recommended = kBlock * zones * 2 + kBlock * zones *
                                                          kPcpMigrateTypes *
                                                          kPcpMigrateTypes;
    const uint64_t kbytes = std::min(recommended, NrFreeBufferPages(k) / 20)
                            << (kPageShift - 10);
    k.sysctl.min_free_kbytes = std::max(k.sysctl.min_free_kbytes, kbytes);
  }
  SetupPerZoneWmarks(k);
}

void InitWatermarks(Kernel& k) {
  CalculateMinFreeKbytes(k);
  SetupPerZoneWmarks(k);
  SetupPerZoneLowmemReserve(k);
  if (StartsKhugepaged(k)) SetRecommendedMinFreeKbytes(k);
}

void SetupPerZoneWmarks(Kernel& k) {
  const uint64_t pages_min = k.sysctl.min_free_kbytes >> (kPageShift - 10);
  uint64_t lowmem_pages = 0;
  for (const Zone& z : k.zones) {
    if (SharesMinFree(k, z)) lowmem_pages += z.managed.value();
  }
  for (Zone& z : k.zones) {
    const uint64_t managed = z.managed.value();
    const uint64_t share =
        lowmem_pages == 0 ? 0 : pages_min * managed / lowmem_pages;
    z.wmark.min = SharesMinFree(k, z)
                      ? share
                      : std::clamp<uint64_t>(managed / 1024, 32, 128);
    const uint64_t delta =
        std::max(share / 4, managed * k.sysctl.watermark_scale_factor / 10000);
    z.wmark.low = z.wmark.min + delta;
    z.wmark.high = z.wmark.low + delta;
    z.wmark.promo = z.wmark.high + delta;
    z.watermark_boost = 0;
    SetPcpHighAndBatch(k, z);
  }
}

void SetupPerZoneLowmemReserve(Kernel& k) {
  const auto& ratio = k.sysctl.lowmem_reserve_ratio;
  for (int i = 0; i < kMaxNrZones; i++) {
    uint64_t above = 0;
    for (int j = i + 1; j < kMaxNrZones; j++) {
      above += k.zones[j].managed.value();
      const bool none = ratio[i] == 0 || k.zones[i].managed == PageCount(0);
      k.zones[i].lowmem_reserve[j] = none ? 0 : above / ratio[i];
    }
  }
}

void SetLowmemReserveRatio(Kernel& k, const Sysctl& sysctl) {
  // Of each zone of the kernel its place in the table: DMA, DMA32, Normal,
  // Movable and Device; or DMA, Normal, HighMem and Movable.
  const std::vector<size_t> places = k.config.profile == Profile::kX86_64
                                         ? std::vector<size_t>{0, 1, 2, 4, 5}
                                         : std::vector<size_t>{0, 2, 3, 4};
  std::vector<uint64_t> values = {sysctl.value};
  values.insert(values.end(), sysctl.more.begin(), sysctl.more.end());
  for (size_t i = 0; i < std::min(values.size(), places.size()); i++) {
    if (values[i] > INT32_MAX) break;
    k.sysctl.lowmem_reserve_ratio[places[i]] = values[i];
  }
  SetupPerZoneLowmemReserve(k);
}

}  // namespace faultline

// The page allocator: which zone a request is served from, and what it takes
// until it is refused. The free lists are in mm/buddy.h, the per-CPU lists in
// mm/pcp.h, the migrate types' fallbacks in mm/fallback.h.
#ifndef FAULTLINE_SERVER_MACHINE_MM_PAGE_ALLOC_H_
#define FAULTLINE_SERVER_MACHINE_MM_PAGE_ALLOC_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// ALLOC_* of mm/internal.h.
namespace alloc_flag {
inline constexpr uint32_t kWmarkMin = 0x00;
inline constexpr uint32_t kWmarkLow = 0x01;
inline constexpr uint32_t kWmarkHigh = 0x02;
inline constexpr uint32_t kWmarkMask = 0x03;
inline constexpr uint32_t kNoWatermarks = 0x04;
inline constexpr uint32_t kOom = 0x08;
inline constexpr uint32_t kNonBlock = 0x10;
inline constexpr uint32_t kMinReserve = 0x20;  // __GFP_HIGH
inline constexpr uint32_t kNoFragment = 0x100;
inline constexpr uint32_t kHighAtomic = 0x200;
inline constexpr uint32_t kKswapd = 0x800;  // __GFP_KSWAPD_RECLAIM
inline constexpr uint32_t kReserves =
    kNonBlock | kMinReserve | kHighAtomic | kOom;
}  // namespace alloc_flag

// Lays out the zones of the configured machine and hands its memory to the
// free lists. Throws ConfigError for a machine that cannot be.
void BootMemory(Kernel& k);

// gfp_zone(): the highest zone that a request may use.
ZoneType GfpZone(const Kernel& k, uint32_t gfp);
// gfp_migratetype()
MigrateType GfpMigrateType(uint32_t gfp);
// The zone that a frame belongs to.
ZoneType ZoneOf(const Kernel& k, Pfn pfn);
// is_highmem_idx(): ZONE_MOVABLE is what it was cut out of.
inline bool IsHighmem(const Kernel& k, ZoneType zone) {
  return zone == ZoneType::kHighMem ||
         (zone == ZoneType::kMovable && k.movable_zone == ZoneType::kHighMem);
}
// PageHighMem(): a page that is not in the direct map.
inline bool PageHighMem(const Kernel& k, Pfn pfn) {
  return k.movable_zone == ZoneType::kHighMem && IsHighmem(k, ZoneOf(k, pfn));
}
// A frame that exists: inside the present memory of some zone.
bool PfnValid(const Kernel& k, uint64_t pfn);

// __zone_watermark_ok(): does the zone keep `mark` pages and what is reserved
// for lower zones, and has it a block of that order?
bool ZoneWatermarkOk(const Zone& zone, int order, uint64_t mark, int highest,
                     uint32_t alloc_flags);

// How a series of __rmqueue() calls found its last page.
enum class RmqueueMode : uint8_t { kNormal, kSteal };
// __rmqueue(): of the type, else by claiming another's block, else by stealing.
Pfn Rmqueue(Kernel& k, Zone& zone, int order, MigrateType type,
            uint32_t alloc_flags, RmqueueMode* mode);

// alloc_pages(): 2^order contiguous frames with one reference on the first,
// zeroed; an invalid Pfn when no zone of the fallback list has one above its
// watermark, or when order > kMaxPageOrder.
Pfn AllocPages(Kernel& k, uint32_t gfp, int order);
// __free_pages() of the last reference: gives the frames back.
void FreePages(Kernel& k, Pfn pfn, int order);
// __free_pages_core(): as boot hands memory over, past the per-CPU lists.
void FreePagesCore(Kernel& k, Zone& zone, Pfn pfn, int order);

// folio_get(), folio_put(): order-0 pages. The last reference frees.
inline void GetPage(Kernel& k, Pfn pfn) { k.page(pfn).refcount++; }
void PutPage(Kernel& k, Pfn pfn);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_PAGE_ALLOC_H_

// GFP flags. Models include/linux/gfp_types.h (v6.18): the zone bits, the
// action bits used here and the common composites, with Linux's values.
#ifndef FAULTLINE_SERVER_MACHINE_MM_GFP_H_
#define FAULTLINE_SERVER_MACHINE_MM_GFP_H_

#include <cstdint>

namespace faultline::gfp {

inline constexpr uint32_t kDma = 0x01;
inline constexpr uint32_t kHighMem = 0x02;
inline constexpr uint32_t kDma32 = 0x04;
inline constexpr uint32_t kMovable = 0x08;
inline constexpr uint32_t kReclaimable = 0x10;
inline constexpr uint32_t kHigh = 0x20;
inline constexpr uint32_t kIo = 0x40;
inline constexpr uint32_t kFs = 0x80;
inline constexpr uint32_t kZero = 0x100;
inline constexpr uint32_t kDirectReclaim = 0x400;
inline constexpr uint32_t kKswapdReclaim = 0x800;
inline constexpr uint32_t kWrite = 0x1000;
inline constexpr uint32_t kNoWarn = 0x2000;
inline constexpr uint32_t kRetryMayfail = 0x4000;
inline constexpr uint32_t kNofail = 0x8000;
inline constexpr uint32_t kNoretry = 0x10000;
inline constexpr uint32_t kMemalloc = 0x20000;
inline constexpr uint32_t kComp = 0x40000;
inline constexpr uint32_t kNomemalloc = 0x80000;
inline constexpr uint32_t kHardwall = 0x100000;
inline constexpr uint32_t kThisnode = 0x200000;
inline constexpr uint32_t kAccount = 0x400000;

inline constexpr uint32_t kReclaim = kDirectReclaim | kKswapdReclaim;
inline constexpr uint32_t kAtomic = kHigh | kKswapdReclaim;
inline constexpr uint32_t kKernel = kReclaim | kIo | kFs;
inline constexpr uint32_t kNowait = kKswapdReclaim | kNoWarn;
inline constexpr uint32_t kNoio = kReclaim;
inline constexpr uint32_t kNofs = kReclaim | kIo;
inline constexpr uint32_t kUser = kKernel | kHardwall;
inline constexpr uint32_t kHighUser = kUser | kHighMem;
inline constexpr uint32_t kHighUserMovable = kHighUser | kMovable;
// Of a page for a user's data: vma_alloc_folio(), filemap_alloc_folio().
inline constexpr uint32_t kUserFolio = kHighUserMovable | kComp;
inline constexpr uint32_t kPgtable = kKernel | kAccount | kZero;
// GFP_TRANSHUGE with defrag=madvise: not at any price.
inline constexpr uint32_t kTranshugeLight =
    (kHighUserMovable | kComp | kNomemalloc | kNoWarn) & ~kReclaim;

// gfp_migratetype(): the bits for movable and reclaimable are the type's.
inline constexpr int MigrateTypeBits(uint32_t gfp) {
  return static_cast<int>(gfp >> 3 & 3);
}

}  // namespace faultline::gfp

#endif  // FAULTLINE_SERVER_MACHINE_MM_GFP_H_

// Migrate types and what happens when one runs out: claiming, stealing, boosted
// watermarks and the reserve for atomic allocations of high orders. The
// expected figures are worked out from the rules of Linux 6.18.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "server/machine/mm/buddy.h"
#include "server/machine/mm/fallback.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kswapd.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pcp.h"
#include "server/machine/verify/free_areas.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20, kGiB = uint64_t{1} << 30;
constexpr MigrateType kUnmovable = MigrateType::kUnmovable,
                      kMovable = MigrateType::kMovable,
                      kReclaimable = MigrateType::kReclaimable,
                      kHighAtomic = MigrateType::kHighAtomic;
constexpr uint32_t kReclaimableGfp = gfp::kKernel | gfp::kReclaimable;

Kernel Boot(uint64_t ram) {
  MachineConfig config;
  config.ram_bytes = ram;
  Kernel k = Machine(config).kernel();
  DrainAllPages(k);
  return k;
}

MigrateType TypeOf(const Kernel& k, Pfn pfn) { return PageblockType(k, pfn); }

TEST(MigrateTypes, FollowTheGfpFlags) {
  EXPECT_EQ(GfpMigrateType(gfp::kKernel), kUnmovable);
  EXPECT_EQ(GfpMigrateType(gfp::kAtomic), kUnmovable);
  EXPECT_EQ(GfpMigrateType(gfp::kHighUserMovable), kMovable);
  EXPECT_EQ(GfpMigrateType(kReclaimableGfp), kReclaimable);
}

TEST(MigrateTypes, UsesAreKeptInPageBlocksOfTheirOwn) {
  Kernel k = Boot(256 * kMiB);
  for (int i = 0; i < 200; i++) {
    const Pfn kernel = AllocPages(k, gfp::kKernel, 4);
    const Pfn user = AllocPages(k, gfp::kHighUserMovable, 4);
    const Pfn cache = AllocPages(k, kReclaimableGfp, 4);
    EXPECT_EQ(TypeOf(k, kernel), kUnmovable);
    EXPECT_EQ(TypeOf(k, user), kMovable);
    EXPECT_EQ(TypeOf(k, cache), kReclaimable);
  }
  EXPECT_EQ(VerifyFreeAreas(k), "");
}

// All pages of DMA32 that are free, as single pages that move.
std::vector<Pfn> FillWithMovable(Kernel& k) {
  std::vector<Pfn> pages;
  for (Pfn p; (p = AllocPages(k, gfp::kHighUserMovable, 0)).valid();) {
    pages.push_back(p);
  }
  return pages;
}

TEST(Fallback, ALargeBlockIsClaimedWhole) {
  Kernel k = Boot(256 * kMiB);
  const Zone& zone = std::as_const(k).zone(ZoneType::kDma32);
  const uint64_t free = zone.nr_free_pages;
  Kernel fresh = k;
  const Pfn pfn = RmqueueClaim(fresh, fresh.zone(ZoneType::kDma32), 0,
                               kReclaimable, alloc_flag::kWmarkLow);
  ASSERT_TRUE(pfn.valid());
  // An order-10 block is two page blocks, and both are the new type's.
  const Pfn block(pfn.value() & ~1023u);
  EXPECT_EQ(TypeOf(fresh, block), kReclaimable);
  EXPECT_EQ(TypeOf(fresh, block + PageCount(512)), kReclaimable);
  EXPECT_EQ(fresh.zone(ZoneType::kDma32).nr_free_pages, free - 1);
  EXPECT_EQ(fresh.zone(ZoneType::kDma32).watermark_boost, 0u)
      << "nothing was mixed";
}

// A kernel whose DMA32 has free pages only in movable blocks, `free` of each
// block's 512.
struct Mixed {
  Kernel k;
  std::vector<Pfn> held;
};
Mixed WithHoles(uint32_t free) {
  Mixed m{Boot(64 * kMiB), {}};
  m.k.sysctl.min_free_kbytes = 0;
  for (Zone& z : m.k.zones) {
    z.wmark = Watermarks{};
    z.lowmem_reserve = {};
  }
  m.held = FillWithMovable(m.k);
  for (Pfn p : m.held) {
    m.k.page(p).flags |= page_flag::kUnevictable;
    LruAdd(m.k, p);  // as user pages are
  }
  for (Pfn p : m.held) {
    if (ZoneOf(std::as_const(m.k), p) != ZoneType::kDma32) continue;
    if (p.value() % kPageBlockPages < free) FreePages(m.k, p, 0);
  }
  DrainAllPages(m.k);
  m.k.zone(ZoneType::kDma32).wmark.high = 1000;
  m.k.zone(ZoneType::kDma32).wmark.promo = 1000;
  return m;
}

TEST(Fallback, AMostlyFreeBlockIsClaimedForTheKernel) {
  Mixed m = WithHoles(256);
  Zone& zone = m.k.zone(ZoneType::kDma32);
  const Pfn pfn = RmqueueClaim(m.k, zone, 0, kUnmovable, alloc_flag::kKswapd);
  ASSERT_TRUE(pfn.valid());
  EXPECT_EQ(TypeOf(m.k, pfn), kUnmovable);
  EXPECT_EQ(zone.watermark_boost, 512u);
  EXPECT_TRUE(zone.boosted_watermark);
  EXPECT_EQ(VerifyFreeAreas(m.k), "");
}

TEST(Fallback, AMostlyUsedBlockIsOnlyStolenFrom) {
  Mixed m = WithHoles(128);
  Zone& zone = m.k.zone(ZoneType::kDma32);
  EXPECT_FALSE(
      RmqueueClaim(m.k, zone, 0, kUnmovable, alloc_flag::kKswapd).valid());
  const Pfn pfn = RmqueueSteal(m.k, zone, 0, kUnmovable);
  ASSERT_TRUE(pfn.valid());
  EXPECT_EQ(TypeOf(m.k, pfn), kMovable) << "the block stays what it is";
  EXPECT_EQ(VerifyFreeAreas(m.k), "");
}

// Takes all free blocks of that order and above.
void TakeAll(Kernel& k, Zone& zone, int order, MigrateType type) {
  while (RmqueueSmallest(k, zone, order, type).valid()) {
  }
}

TEST(Fallback, SmallMovableRequestsDoNotClaim) {
  Kernel k = Boot(256 * kMiB);
  Zone& zone = k.zone(ZoneType::kDma32);
  TakeAll(k, zone, 0, kMovable);
  TakeAll(k, zone, 0, kReclaimable);
  // Of the kernel's blocks only small ones are left.
  TakeAll(k, zone, kPageBlockOrder / 2, kUnmovable);
  const Pfn taken = RmqueueSmallest(k, zone, 1, kUnmovable);
  ASSERT_TRUE(taken.valid());
  RmqueueMode mode = RmqueueMode::kNormal;
  const Pfn pfn = Rmqueue(k, zone, 0, kMovable, 0, &mode);
  ASSERT_TRUE(pfn.valid());
  EXPECT_EQ(TypeOf(k, pfn), kUnmovable);
  EXPECT_EQ(mode, RmqueueMode::kSteal);
}

TEST(Fallback, OrderIsReclaimableThenMovableForTheKernel) {
  Kernel k = Boot(64 * kMiB);
  Zone& zone = k.zone(ZoneType::kDma32);
  ASSERT_EQ(FindFallback(zone, 10, kUnmovable), kMovable);
  const Pfn pfn = AllocPages(k, kReclaimableGfp, 10);
  FreePages(k, pfn, 10);
  ASSERT_EQ(TypeOf(k, pfn), kReclaimable);
  EXPECT_EQ(FindFallback(zone, 10, kUnmovable), kReclaimable);
  EXPECT_EQ(FindFallback(zone, 10, kMovable), kReclaimable);
  EXPECT_EQ(FindFallback(zone, 10, kReclaimable), kMovable);
}

TEST(Fallback, ALowerZoneIsPreferredToAMixedBlock) {
  // NORMAL has movable holes only; DMA32 has whole blocks.
  Kernel k = Boot(6 * kGiB);
  Zone& normal = k.zone(ZoneType::kNormal);
  const Pfn block = RmqueueSmallest(k, normal, 4, kMovable);
  for (MigrateType type : {kUnmovable, kMovable, kReclaimable}) {
    TakeAll(k, normal, 0, type);
  }
  normal.wmark = Watermarks{};
  FreeOnePage(k, normal, block, 3, kMovable);
  const Pfn pfn = AllocPages(k, gfp::kKernel, 0);
  EXPECT_EQ(ZoneOf(std::as_const(k), pfn), ZoneType::kDma32);
}

TEST(Boost, IsTakenBackByKswapdAndBounded) {
  Mixed m = WithHoles(256);
  Zone& zone = m.k.zone(ZoneType::kDma32);
  for (int i = 0; i < 10; i++) {
    for (Pfn p; (p = RmqueueSmallest(m.k, zone, 0, kUnmovable)).valid();) {
    }
    RmqueueClaim(m.k, zone, 0, kUnmovable, alloc_flag::kKswapd);
  }
  EXPECT_EQ(zone.watermark_boost, 1500u) << "150 % of the high watermark";
  WakeupKswapd(m.k, gfp::kKernel, 0, kMaxNrZones - 1);
  RunKswapd(m.k);
  EXPECT_EQ(zone.watermark_boost, 0u);
}

TEST(HighAtomic, ABlockIsReservedForAtomicHighOrders) {
  Kernel k = Boot(4 * kGiB);
  Zone& zone = k.zone(ZoneType::kDma32);
  // Below the low watermark the slow path decides what is atomic.
  zone.wmark.low = zone.wmark.high = zone.wmark.promo = zone.managed.value();
  k.zone(ZoneType::kNormal).wmark = zone.wmark;
  k.zone(ZoneType::kDma).wmark = zone.wmark;
  const Pfn pfn = AllocPages(k, gfp::kAtomic, 2);
  ASSERT_TRUE(pfn.valid());
  Zone& used = k.zone(ZoneOf(std::as_const(k), pfn));
  EXPECT_EQ(TypeOf(k, pfn), kHighAtomic);
  EXPECT_EQ(used.nr_reserved_highatomic, 512u);
  EXPECT_GT(used.nr_free_highatomic, 0u);
  EXPECT_EQ(VerifyFreeAreas(k), "");
  // Others cannot count on it.
  const uint64_t free = used.nr_free_pages;
  EXPECT_FALSE(ZoneWatermarkOk(used, 0, free - 1, 0, 0));
  EXPECT_FALSE(UnreserveHighAtomic(k, kMovable, 3, false)) << "the last one";
  EXPECT_TRUE(UnreserveHighAtomic(k, kMovable, 3, true));
  EXPECT_EQ(used.nr_reserved_highatomic, 0u);
  EXPECT_EQ(used.nr_free_highatomic, 0u);
  EXPECT_EQ(TypeOf(k, pfn), kMovable);
  EXPECT_EQ(VerifyFreeAreas(k), "");
}

TEST(HighAtomic, ASmallZoneReservesNothing) {
  Kernel k = Boot(64 * kMiB);
  Zone& zone = k.zone(ZoneType::kDma32);
  const Pfn pfn = AllocPages(k, gfp::kKernel, 0);
  ReserveHighAtomic(k, zone, pfn, 0);
  EXPECT_EQ(zone.nr_reserved_highatomic, 0u) << "1 % is less than a block";
}

// --- Per-CPU lists.

TEST(PerCpuLists, AreFilledInBatchesAndGiveTheLastFreedFirst) {
  Kernel k = Boot(kGiB);
  const PerCpuPages& pcp = std::as_const(k).zone(ZoneType::kDma32).pcp;
  k.zone(ZoneType::kDma32).pcp.alloc_factor = 0;  // as if boot took nothing
  ASSERT_EQ(pcp.batch, 63);
  ASSERT_EQ(pcp.count, 0);
  const uint64_t free = k.zone(ZoneType::kDma32).nr_free_pages;
  const Pfn a = AllocPages(k, gfp::kHighUserMovable, 0);
  EXPECT_EQ(pcp.count, 62);
  EXPECT_EQ(k.zone(ZoneType::kDma32).nr_free_pages, free - 63);
  const Pfn b = AllocPages(k, gfp::kHighUserMovable, 0);
  const Pfn c = AllocPages(k, gfp::kHighUserMovable, 0);
  EXPECT_EQ(c, b + PageCount(1)) << "in the order of the free list";
  FreePages(k, a, 0);
  EXPECT_EQ(AllocPages(k, gfp::kHighUserMovable, 0), a);
  const Pfn kernel = AllocPages(k, gfp::kKernel, 0);
  EXPECT_NE(kernel, c + PageCount(1)) << "each migrate type has its own";
}

TEST(PerCpuLists, FetchTwiceAsManyWhileNothingIsFreed) {
  Kernel k = Boot(kGiB);
  const PerCpuPages& pcp = std::as_const(k).zone(ZoneType::kDma32).pcp;
  k.zone(ZoneType::kDma32).pcp.alloc_factor = 0;
  std::vector<int64_t> fetched;
  for (int i = 0; i < 1000; i++) {
    const int64_t before = pcp.count;
    AllocPages(k, gfp::kHighUserMovable, 0);
    if (pcp.count >= before) fetched.push_back(pcp.count - before + 1);
  }
  EXPECT_EQ(fetched, (std::vector<int64_t>{63, 126, 252, 504, 1008}));
}

TEST(PerCpuLists, HoldWhatIsFreedUpToTheirLimit) {
  Kernel k = Boot(kGiB);
  PerCpuPages& pcp = k.zone(ZoneType::kDma32).pcp;
  std::vector<Pfn> pages;
  for (int i = 0; i < 60000; i++) {
    pages.push_back(AllocPages(k, gfp::kHighUserMovable, 0));
  }
  for (Pfn p : pages) FreePages(k, p, 0);
  EXPECT_LE(pcp.count, pcp.high_max);
  EXPECT_GT(pcp.count, 0);
  EXPECT_GE(pcp.high, pcp.high_min);
  for (int i = 0; i < 64; i++) DecayPcpHigh(k);
  EXPECT_EQ(pcp.high, pcp.high_min);
  EXPECT_LE(pcp.count, pcp.high_min);
  DrainAllPages(k);
  EXPECT_EQ(PcpPages(k), 0u);
  EXPECT_EQ(VerifyFreeAreas(k), "");
}

TEST(PerCpuLists, KeepOrdersApart) {
  Kernel k = Boot(kGiB);
  for (int order : {0, 1, 2, 3, 9}) {
    const Pfn pfn = AllocPages(k, gfp::kHighUserMovable, order);
    FreePages(k, pfn, order);
    EXPECT_EQ(AllocPages(k, gfp::kHighUserMovable, order), pfn) << order;
  }
  const Pfn large = AllocPages(k, gfp::kHighUserMovable, 4);
  const uint64_t free = k.zone(ZoneType::kDma32).nr_free_pages;
  FreePages(k, large, 4);
  EXPECT_EQ(k.zone(ZoneType::kDma32).nr_free_pages, free + 16)
      << "orders 4 to 8 and 10 have no such list";
}

}  // namespace
}  // namespace faultline

#include "server/machine/mm/page_alloc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "server/machine/mm/buddy.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/pcp.h"
#include "server/machine/mm/watermark.h"
#include "server/machine/verify.h"
#include "server/machine/verify/free_areas.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20, kGiB = uint64_t{1} << 30;

Kernel Boot(Profile profile, uint64_t ram) {
  MachineConfig config;
  config.profile = profile;
  config.ram_bytes = ram;
  return Machine(config).kernel();
}

using Blocks = std::set<std::pair<uint32_t, int>>;
// The free blocks of all zones: first page and order.
Blocks FreeBlocks(const Kernel& k) {
  Blocks blocks;
  for (const Zone& zone : k.zones) {
    ForEachFreeBlock(k, zone, [&](Pfn pfn, int order, MigrateType) {
      blocks.insert({pfn.value(), order});
    });
  }
  return blocks;
}

// A step of a random campaign: mostly small orders, as in life.
int RandomOrder(Prng& prng) {
  uint64_t bits = prng.Next() % 2048;
  int order = 0;
  while (order < kMaxPageOrder && (bits & 1) != 0) {
    bits >>= 1;
    order++;
  }
  return order;
}

struct Held {
  Pfn pfn;
  int order;
};

void RunCampaign(Kernel& k, uint64_t seed, int steps) {
  constexpr uint32_t kGfps[] = {gfp::kKernel, gfp::kHighUserMovable, gfp::kDma,
                                gfp::kDma32, gfp::kAtomic};
  Prng prng(seed);
  std::vector<Held> held;
  for (int i = 0; i < steps; i++) {
    // Half of the time memory fills up, half of the time it empties.
    bool fill = i / (steps / 8) % 2 == 0;
    if (held.empty() || prng.Next() % 8 < (fill ? 6 : 2)) {
      int order = RandomOrder(prng);
      Pfn pfn = AllocPages(k, kGfps[prng.Next() % 5], order);
      if (pfn.valid()) held.push_back({pfn, order});
    } else {
      size_t which = prng.Next() % held.size();
      FreePages(k, held[which].pfn, held[which].order);
      held[which] = held.back();
      held.pop_back();
    }
    if (i % 2000 == 0) {
      ASSERT_EQ(VerifyFreeAreas(k), "") << "step " << i;
    }
  }
  for (const Held& h : held) FreePages(k, h.pfn, h.order);
}

TEST(Buddy, RandomUseEndsWithTheBlocksOfBoot) {
  for (Profile profile : {Profile::kX86_64, Profile::kI386Pae}) {
    MachineConfig config;
    config.profile = profile;
    config.ram_bytes = 64 * kMiB;
    Machine m(config);
    m.Apply({1, Exit{}});  // its pages could be moved by compaction
    Kernel k = m.kernel();
    DrainAllPages(k);
    Blocks at_boot = FreeBlocks(k);
    std::array<uint64_t, kMaxNrZones> free_at_boot;
    for (int i = 0; i < kMaxNrZones; i++) {
      free_at_boot[i] = k.zones[i].nr_free_pages;
    }
    RunCampaign(k, 7, 100000);
    DrainAllPages(k);
    EXPECT_EQ(VerifyFreeAreas(k), "");
    EXPECT_EQ(FreeBlocks(k), at_boot);
    for (int i = 0; i < kMaxNrZones; i++) {
      EXPECT_EQ(k.zones[i].nr_free_pages, free_at_boot[i]);
    }
  }
}

TEST(Buddy, BlocksAreAlignedDisjointAndZero) {
  Kernel k = Boot(Profile::kX86_64, 64 * kMiB);
  std::set<uint32_t> seen;
  for (int order = 0; order <= kMaxPageOrder; order++) {
    for (int i = 0; i < 3; i++) {
      Pfn pfn = AllocPages(k, gfp::kKernel, order);
      ASSERT_TRUE(pfn.valid());
      uint32_t n = uint32_t{1} << order;
      EXPECT_EQ(pfn.value() % n, 0u);
      for (uint32_t j = 0; j < n; j++) {
        EXPECT_TRUE(seen.insert(pfn.value() + j).second);
        EXPECT_TRUE(k.frames[Pfn(pfn.value() + j)].IsZero());
      }
    }
  }
}

TEST(Buddy, AFreedPageIsZeroWhenItComesBack) {
  Kernel k = Boot(Profile::kX86_64, 64 * kMiB);
  Pfn pfn = AllocPages(k, gfp::kKernel, 0);
  k.frames[pfn].Write(5, 77);
  FreePages(k, pfn, 0);
  Pfn again = AllocPages(k, gfp::kKernel, 0);
  EXPECT_EQ(again, pfn) << "last freed, first given out";
  EXPECT_TRUE(std::as_const(k).frames[again].IsZero());
}

template <class Body>
const Body* FindEvent(const Outcome& out) {
  for (const Event& e : out.events) {
    if (const Body* body = std::get_if<Body>(&e.body)) return body;
  }
  return nullptr;
}
std::array<uint64_t, kMaxPageOrder + 1> BlocksPerOrder(const Kernel& k) {
  std::array<uint64_t, kMaxPageOrder + 1> n{};
  for (const Zone& zone : k.zones) {
    for (int i = 0; i <= kMaxPageOrder; i++) n[i] += zone.free_area[i].nr_free;
  }
  return n;
}

TEST(Buddy, ASplitLeavesOneBlockOfEachOrderAndAMergeTakesThemBack) {
  Sim s;
  struct AllocPages alloc;
  alloc.gfp = gfp::kKernel;
  alloc.order = 4;  // the smallest that no per-CPU list has
  for (int tries = 0; tries < 2000; tries++) {
    auto before = BlocksPerOrder(s.kernel());
    Outcome out = s.Apply(alloc, 0, EventLevel::kAll);
    const BuddySplit* split = FindEvent<BuddySplit>(out);
    if (split == nullptr || split->from_order != 10) continue;
    auto after = BlocksPerOrder(s.kernel());
    for (int i = 4; i < 10; i++) EXPECT_EQ(after[i], before[i] + 1) << i;
    EXPECT_EQ(after[10], before[10] - 1);
    struct FreePages free;
    free.pfn = static_cast<uint64_t>(out.value);
    free.order = 4;
    Outcome freed = s.Do(free, 0, EventLevel::kAll);
    const BuddyMerge* merge = FindEvent<BuddyMerge>(freed);
    ASSERT_NE(merge, nullptr);
    EXPECT_EQ(merge->from_order, 4u);
    EXPECT_EQ(merge->to_order, 10u);
    EXPECT_EQ(BlocksPerOrder(s.kernel()), before);
    return;
  }
  FAIL() << "no block of order 10 was ever split";
}

TEST(Buddy, FreeingTwiceIsABug) {
  Kernel k = Boot(Profile::kX86_64, 64 * kMiB);
  Pfn pfn = AllocPages(k, gfp::kKernel, 3);
  FreePages(k, pfn, 3);
  EXPECT_THROW(FreePages(k, pfn, 3), KernelBug);
}

TEST(Buddy, OrdersBeyondTheLargestFail) {
  Kernel k = Boot(Profile::kX86_64, kGiB);
  EXPECT_TRUE(AllocPages(k, gfp::kKernel, 10).valid());
  EXPECT_FALSE(AllocPages(k, gfp::kKernel, 11).valid());
  EXPECT_FALSE(AllocPages(k, gfp::kKernel, -1).valid());
}

TEST(Zones, GfpChoosesTheHighestZone) {
  struct Row {
    const char* name;
    uint32_t gfp;
    ZoneType wide, narrow;          // what gfp_zone() says
    ZoneType got_wide, got_narrow;  // where the page lies
  };
  const ZoneType kDma = ZoneType::kDma, kDma32 = ZoneType::kDma32,
                 kNormal = ZoneType::kNormal, kHigh = ZoneType::kHighMem,
                 kMovable = ZoneType::kMovable;
  const Row rows[] = {
      {"GFP_KERNEL", gfp::kKernel, kNormal, kNormal, kNormal, kNormal},
      {"GFP_DMA", gfp::kDma, kDma, kDma, kDma, kDma},
      {"GFP_DMA32", gfp::kDma32, kDma32, kNormal, kDma32, kNormal},
      {"GFP_HIGHUSER", gfp::kHighUser, kNormal, kHigh, kNormal, kHigh},
      {"GFP_HIGHUSER_MOVABLE", gfp::kHighUserMovable, kMovable, kMovable,
       kNormal, kHigh},
      {"MOVABLE alone", gfp::kMovable, kNormal, kNormal, kNormal, kNormal},
      {"MOVABLE|DMA", gfp::kMovable | gfp::kDma, kDma, kDma, kDma, kDma},
      {"MOVABLE|DMA32", gfp::kMovable | gfp::kDma32, kDma32, kNormal, kDma32,
       kNormal},
  };
  Kernel wide = Boot(Profile::kX86_64, 6 * kGiB);
  Kernel narrow = Boot(Profile::kI386Pae, 2 * kGiB);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(GfpZone(wide, row.gfp), row.wide);
    EXPECT_EQ(GfpZone(narrow, row.gfp), row.narrow);
    EXPECT_EQ(ZoneOf(wide, AllocPages(wide, row.gfp, 0)), row.got_wide);
    EXPECT_EQ(ZoneOf(narrow, AllocPages(narrow, row.gfp, 0)), row.got_narrow);
  }
}

// Allocates until nothing is left for this gfp; the zones in the order in
// which they were first used.
std::vector<ZoneType> Exhaust(Kernel& k, uint32_t gfp, int order) {
  std::vector<ZoneType> used;
  for (Pfn pfn; (pfn = AllocPages(k, gfp, order)).valid();) {
    ZoneType zone = ZoneOf(k, pfn);
    if (std::find(used.begin(), used.end(), zone) == used.end()) {
      used.push_back(zone);
    }
  }
  return used;
}

TEST(Zones, FallBackDownwards) {
  using Z = std::vector<ZoneType>;
  const ZoneType kDma = ZoneType::kDma, kDma32 = ZoneType::kDma32,
                 kNormal = ZoneType::kNormal, kHigh = ZoneType::kHighMem;
  Kernel wide = Boot(Profile::kX86_64, 6 * kGiB);
  EXPECT_EQ(Exhaust(wide, gfp::kHighUserMovable, 5), (Z{kNormal, kDma32}))
      << "the reserve keeps DMA for those who need it";
  EXPECT_EQ(Exhaust(wide, gfp::kDma32, 5), (Z{kDma32, kDma}));
  EXPECT_EQ(Exhaust(wide, gfp::kDma, 5), Z{kDma});
  Kernel narrow = Boot(Profile::kI386Pae, 2 * kGiB);
  EXPECT_EQ(Exhaust(narrow, gfp::kHighUserMovable, 3),
            (Z{kHigh, kNormal, kDma}))
      << "until only the reserve is left";
  EXPECT_EQ(Exhaust(narrow, gfp::kKernel, 3), (Z{kNormal, kDma}));
}

// The most pages that a per-CPU list is filled with at a time.
uint64_t BatchMax(const Zone& zone) {
  return static_cast<uint64_t>(zone.pcp.batch) << 5;
}

TEST(Watermarks, AllocationStopsAtMinPlusReserve) {
  Kernel k = Boot(Profile::kX86_64, 64 * kMiB);
  Exhaust(k, gfp::kKernel, 0);
  for (ZoneType type : {ZoneType::kDma, ZoneType::kDma32}) {
    const Zone& zone = std::as_const(k).zone(type);
    const uint64_t mark = zone.wmark.min + zone.lowmem_reserve[2];
    EXPECT_LE(zone.nr_free_pages, mark) << ZoneName(type);
    // The last batch may have gone below it.
    EXPECT_GE(zone.nr_free_pages + BatchMax(zone), mark) << ZoneName(type);
  }
  EXPECT_EQ(VerifyFreeAreas(k), "");
}

TEST(Watermarks, AtomicAllocationsGoToThreeEighthsOfMin) {
  Kernel k = Boot(Profile::kX86_64, 64 * kMiB);
  Exhaust(k, gfp::kKernel, 0);
  Exhaust(k, gfp::kAtomic, 0);
  const Zone& zone = std::as_const(k).zone(ZoneType::kDma32);
  uint64_t mark = zone.wmark.min - zone.wmark.min / 2;
  mark = mark - mark / 4 + zone.lowmem_reserve[2];
  EXPECT_LE(zone.nr_free_pages, mark);
  EXPECT_GE(zone.nr_free_pages + BatchMax(zone), mark);
}

TEST(Watermarks, AHighOrderNeedsABlockNotOnlyPages) {
  Kernel k = Boot(Profile::kX86_64, 64 * kMiB);
  std::vector<Pfn> pages;
  for (Pfn p; (p = AllocPages(k, gfp::kKernel, 0)).valid();) pages.push_back(p);
  // Every second page: much is free, little of it is contiguous.
  for (Pfn p : pages) {
    if (p.value() % 2 == 0) FreePages(k, p, 0);
  }
  while (AllocPages(k, gfp::kKernel, 4).valid()) {
  }
  const Zone& zone = std::as_const(k).zone(ZoneType::kDma32);
  EXPECT_GT(zone.nr_free_pages, zone.wmark.high + 3000);
  EXPECT_TRUE(AllocPages(k, gfp::kKernel, 0).valid());
}

// zone_highsize(): by hand the lists have a part of the zone, shared by the
// CPUs, and do not adapt.
// A page that left them for a larger block says no longer that it heads one.
TEST(PerCpuLists, WhatLeavesThemSaysSo) {
  Kernel k = Boot(Profile::kX86_64, 64 * kMiB);
  std::vector<Pfn> pages;
  for (int i = 0; i < 64; i++) pages.push_back(AllocPages(k, gfp::kKernel, 0));
  for (const Pfn pfn : pages) FreePages(k, pfn, 0);
  DrainAllPages(k);
  for (const Pfn pfn : pages) {
    EXPECT_FALSE(k.page(pfn).Is(page_flag::kPcp)) << pfn.value();
  }
  EXPECT_EQ(VerifyKernel(k), "");
}

TEST(PerCpuLists, TheirHighMarkCanBeSet) {
  MachineConfig config;
  config.ram_bytes = 6 * kGiB;
  config.cpus = 2;
  Sim s(config);
  const auto pcp = [&]() -> const PerCpuPages& {
    return s.kernel().zone(ZoneType::kNormal).pcp;
  };
  const auto managed =
      static_cast<int64_t>(s.kernel().zone(ZoneType::kNormal).managed.value());
  const int64_t usual = pcp().high_min;
  EXPECT_EQ(pcp().high_max, managed / 8 / 2);
  s.SetSysctl("vm.percpu_pagelist_high_fraction", 100);
  EXPECT_EQ(pcp().high_min, managed / 100 / 2);
  EXPECT_EQ(pcp().high_max, managed / 100 / 2);
  s.SetSysctl("vm.percpu_pagelist_high_fraction", 1'000'000);
  EXPECT_EQ(pcp().high_min, pcp().batch * 4) << "no less than that";
  const Sysctl small{"vm.percpu_pagelist_high_fraction", 7};
  EXPECT_EQ(ResultOf(s.Do(small, 0)), "EINVAL");
  s.SetSysctl("vm.percpu_pagelist_high_fraction", 0);
  EXPECT_EQ(pcp().high_min, usual);
  EXPECT_EQ(pcp().high_max, managed / 8 / 2);
}

struct ZoneGolden {
  ZoneType type;
  uint64_t managed;
  uint64_t min, low, high, promo;
};

// Read off /proc/zoneinfo of a machine with 6 GiB under Linux 6.18.
TEST(Watermarks, EqualThoseOfARealMachine) {
  const ZoneGolden golden[] = {
      {ZoneType::kDma, 3840, 43, 53, 63, 73},
      {ZoneType::kDma32, 772915, 8719, 10898, 13077, 15256},
      {ZoneType::kNormal, 720896, 8132, 10165, 12198, 14231},
      {ZoneType::kMovable, 0, 32, 32, 32, 32},
  };
  Kernel k;
  for (int i = 0; i < kMaxNrZones; i++) {
    k.zones[i].type = static_cast<ZoneType>(i);
  }
  for (const ZoneGolden& g : golden)
    k.zone(g.type).managed = PageCount(g.managed);
  k.sysctl.min_free_kbytes = 67584;
  SetupPerZoneWmarks(k);
  for (const ZoneGolden& g : golden) {
    SCOPED_TRACE(ZoneName(g.type));
    const Watermarks& w = k.zone(g.type).wmark;
    EXPECT_EQ(w.min, g.min);
    EXPECT_EQ(w.low, g.low);
    EXPECT_EQ(w.high, g.high);
    EXPECT_EQ(w.promo, g.promo);
  }
}

TEST(Watermarks, LowmemReserveEqualsThatOfARealMachine) {
  Kernel k;
  k.zone(ZoneType::kDma).managed = PageCount(3840);
  k.zone(ZoneType::kDma32).managed = PageCount(772915);
  k.zone(ZoneType::kNormal).managed = PageCount(720896);
  SetupPerZoneLowmemReserve(k);
  using Row = std::array<uint64_t, kMaxNrZones>;
  EXPECT_EQ(k.zone(ZoneType::kDma).lowmem_reserve,
            (Row{0, 3019, 5835, 5835, 5835}));
  EXPECT_EQ(k.zone(ZoneType::kDma32).lowmem_reserve,
            (Row{0, 0, 2816, 2816, 2816}));
  EXPECT_EQ(k.zone(ZoneType::kNormal).lowmem_reserve, Row{});
}

TEST(Watermarks, MinFreeKbytesIsTheSquareRootWithinItsBounds) {
  struct Row {
    uint64_t ram;
    uint64_t min, max;
  };
  // isqrt(lowmem_kbytes * 16), never below 128 nor above 262144.
  for (Row row : {Row{8 * kMiB, 128, 362}, Row{kGiB, 3900, 4096},
                  Row{8192 * kGiB, 262144, 262144}}) {
    Kernel k = Boot(Profile::kX86_64, row.ram);
    EXPECT_GE(k.sysctl.min_free_kbytes, row.min);
    EXPECT_LE(k.sysctl.min_free_kbytes, row.max);
  }
}

TEST(Watermarks, FollowTheSysctls) {
  Sim s;
  uint64_t before = s.kernel().zone(ZoneType::kDma32).wmark.min;
  s.SetSysctl("vm.min_free_kbytes", 65536);
  EXPECT_GT(s.kernel().zone(ZoneType::kDma32).wmark.min, 3 * before);
  uint64_t low = s.kernel().zone(ZoneType::kDma32).wmark.low;
  s.SetSysctl("vm.watermark_scale_factor", 1000);
  EXPECT_GT(s.kernel().zone(ZoneType::kDma32).wmark.low, low);
}

TEST(Boot, ZonesHaveTheirProfilesBounds) {
  Kernel wide = Boot(Profile::kX86_64, 6 * kGiB);
  EXPECT_EQ(ZoneOf(wide, Pfn(4095)), ZoneType::kDma);
  EXPECT_EQ(ZoneOf(wide, Pfn(4096)), ZoneType::kDma32);
  EXPECT_EQ(ZoneOf(wide, Pfn(0x100000)), ZoneType::kNormal);
  EXPECT_FALSE(wide.zone(ZoneType::kHighMem).populated());
  Kernel narrow = Boot(Profile::kI386Pae, 2 * kGiB);
  EXPECT_EQ(ZoneOf(narrow, Pfn(4096)), ZoneType::kNormal);
  EXPECT_EQ(ZoneOf(narrow, Pfn(896 * 256 - 1)), ZoneType::kNormal);
  EXPECT_EQ(ZoneOf(narrow, Pfn(896 * 256)), ZoneType::kHighMem);
  EXPECT_FALSE(narrow.zone(ZoneType::kDma32).populated());
}

TEST(Boot, SpannedIsAtLeastPresentIsAtLeastManaged) {
  for (uint64_t ram : {16 * kMiB, kGiB, 6 * kGiB}) {
    Kernel k = Boot(Profile::kX86_64, ram);
    uint64_t managed = 0;
    for (const Zone& z : k.zones) {
      EXPECT_GE(z.spanned, z.present);
      EXPECT_GE(z.present, z.managed);
      managed += z.managed.value();
    }
    EXPECT_EQ(managed, k.totalram_pages);
    EXPECT_EQ(VerifyFreeAreas(k), "");
  }
}

TEST(Boot, FrameZeroAndTheHoleBelowOneMegabyteAreNobodys) {
  Kernel k = Boot(Profile::kX86_64, kGiB);
  EXPECT_FALSE(PfnValid(k, 0));
  EXPECT_TRUE(PfnValid(k, 1));
  EXPECT_FALSE(PfnValid(k, 0xa0));
  EXPECT_TRUE(PfnValid(k, 0x100));
  EXPECT_TRUE(PfnValid(k, kGiB / kPageSize - 1));
  EXPECT_FALSE(PfnValid(k, kGiB / kPageSize));
  EXPECT_FALSE(PfnValid(k, ~uint64_t{0}));
}

TEST(Boot, ImpossibleMachinesAreRefused) {
  struct Row {
    const char* name;
    Profile profile;
    uint64_t ram;
  };
  const Row rows[] = {
      {"no ram", Profile::kX86_64, 0},
      {"less than 4 MiB", Profile::kX86_64, 4 * kMiB - 4096},
      {"not whole pages", Profile::kX86_64, kGiB + 1},
      {"too much", Profile::kX86_64, 16384 * kGiB},
      {"i386 beyond PAE", Profile::kI386Pae, 65 * kGiB},
      {"i386 without PAE beyond 4 GiB", Profile::kI386, 5 * kGiB},
  };
  for (const Row& row : rows) {
    EXPECT_THROW(Boot(row.profile, row.ram), ConfigError) << row.name;
  }
  MachineConfig config;
  config.sysctls = {{"vm.no_such_thing", 1}};
  EXPECT_THROW(Machine m(config), ConfigError);
}

}  // namespace
}  // namespace faultline

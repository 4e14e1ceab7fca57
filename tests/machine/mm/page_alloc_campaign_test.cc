// Random use of the page allocator in every GFP context, verified after every
// operation. FAULTLINE_CAMPAIGN_STEPS=N makes it longer than the few thousand
// steps of a usual run.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/mm/buddy.h"
#include "server/machine/mm/fallback.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kswapd.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pcp.h"
#include "server/machine/mm/watermark.h"
#include "server/machine/verify/free_areas.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

constexpr uint32_t kContexts[] = {
    gfp::kKernel,
    gfp::kHighUserMovable,
    gfp::kHighUserMovable,
    gfp::kUser,
    gfp::kAtomic,
    gfp::kNowait,
    gfp::kNofs,
    gfp::kDma,
    gfp::kKernel | gfp::kDma32,
    gfp::kKernel | gfp::kReclaimable,
    gfp::kKernel | gfp::kMemalloc,
    gfp::kTranshugeLight,
};

struct Setting {
  const char* name;
  Profile profile;
  Personality personality;
  uint64_t ram;
};

class AllocatorCampaign : public ::testing::TestWithParam<Setting> {
 protected:
  static Kernel Boot(const Setting& setting) {
    MachineConfig config;
    config.profile = setting.profile;
    config.personality = setting.personality;
    config.ram_bytes = setting.ram;
    Machine m(config);
    m.Apply({1, Exit{}});  // its pages could be moved by compaction
    Kernel k = m.kernel();
    DrainAllPages(k);
    return k;
  }

  static int Steps() {
    const char* steps = std::getenv("FAULTLINE_CAMPAIGN_STEPS");
    return steps == nullptr ? 4000 : std::atoi(steps);
  }

  struct Held {
    Pfn pfn;
    int order;
  };

  // Small orders mostly, as in life; sometimes huge pages.
  int RandomOrder() {
    if (prng_.Next() % 64 == 0) return kPageBlockOrder;
    int order = 0;
    for (uint64_t bits = prng_.Next(); order < kMaxPageOrder && (bits & 3) == 0;
         bits >>= 2) {
      order++;
    }
    return order;
  }

  void Alloc(Kernel& k) {
    const int order = RandomOrder();
    const uint32_t gfp = kContexts[prng_.Next() % std::size(kContexts)];
    const Pfn pfn = AllocPages(k, gfp, order);
    if (!pfn.valid()) {
      failures_++;
      return;
    }
    EXPECT_LE(ZoneOf(std::as_const(k), pfn), GfpZone(k, gfp));
    // What claiming a block asks about.
    if (gfp & gfp::kMovable) {
      k.page(pfn).flags |= page_flag::kUnevictable;
      LruAdd(k, pfn);
    }
    held_.push_back({pfn, order});
  }

  void FreeOne(Kernel& k) {
    const size_t which = prng_.Next() % held_.size();
    FreePages(k, held_[which].pfn, held_[which].order);
    held_[which] = held_.back();
    held_.pop_back();
  }

  // Memory fills up and empties, and now and then something else happens.
  void Step(Kernel& k, int i) {
    const uint64_t dice = prng_.Next() % 256;
    if (dice == 0) return DrainAllPages(k);
    if (dice == 1) return DecayPcpHigh(k);
    if (dice == 2) {
      WakeupKswapd(k, gfp::kKernel, 0, kMaxNrZones - 1);
      return RunKswapd(k);
    }
    if (dice == 3) {
      UnreserveHighAtomic(k, MigrateType::kMovable, 3, prng_.Next() % 2 == 0);
      return;
    }
    if (dice == 4) {
      k.sysctl.min_free_kbytes = 128 + prng_.Next() % 8192;
      return SetupPerZoneWmarks(k);
    }
    const bool filling = i / 500 % 2 == 0;
    // A burst, so that a few thousand steps reach the watermarks.
    const uint64_t times = 1 + prng_.Next() % 64;
    for (uint64_t n = 0; n < times; n++) {
      if (held_.empty() || prng_.Next() % 8 < (filling ? 7 : 1)) {
        Alloc(k);
      } else {
        FreeOne(k);
      }
    }
  }

  void FreeAll(Kernel& k) {
    while (!held_.empty()) FreeOne(k);
    DrainAllPages(k);
    while (
        UnreserveHighAtomic(k, MigrateType::kMovable, kMaxNrZones - 1, true)) {
    }
  }

  // Free memory as runs that nothing interrupts: page blocks that were reserved
  // do not merge with their buddies again.
  static std::vector<std::pair<uint32_t, uint32_t>> Runs(const Kernel& k) {
    std::vector<std::pair<uint32_t, uint32_t>> runs;
    for (auto [first, end] : FreeRuns(k)) {
      if (!runs.empty() && runs.back().second == first) {
        runs.back().second = end;
      } else {
        runs.push_back({first, end});
      }
    }
    return runs;
  }
  static std::set<std::pair<uint32_t, int>> Blocks(const Kernel& k) {
    std::set<std::pair<uint32_t, int>> blocks;
    for (const Zone& zone : k.zones) {
      ForEachFreeBlock(k, zone, [&](Pfn pfn, int order, MigrateType) {
        blocks.insert({pfn.value(), order});
      });
    }
    return blocks;
  }

  Prng prng_{20261130};
  std::vector<Held> held_;
  int failures_ = 0;
};

TEST_P(AllocatorCampaign, EndsWithTheFreeListsOfBoot) {
  Kernel k = Boot(GetParam());
  const auto runs = Runs(k);
  const auto blocks = Blocks(k);
  bool reserved = false;
  for (int i = 0; i < Steps(); i++) {
    Step(k, i);
    ASSERT_EQ(VerifyFreeAreas(k), "") << "step " << i;
    for (const Zone& zone : k.zones) {
      reserved = reserved || zone.nr_reserved_highatomic > 0;
    }
  }
  EXPECT_GT(failures_, 0) << "the watermarks were never reached";
  FreeAll(k);
  EXPECT_EQ(VerifyFreeAreas(k), "");
  EXPECT_EQ(Runs(k), runs);
  if (!reserved) {
    EXPECT_EQ(Blocks(k), blocks);
  }
}

TEST_P(AllocatorCampaign, RunsTheSameEachTime) {
  Kernel a = Boot(GetParam());
  for (int i = 0; i < 1000; i++) Step(a, i);
  prng_ = Prng(20261130);
  held_.clear();
  Kernel b = Boot(GetParam());
  for (int i = 0; i < 1000; i++) Step(b, i);
  EXPECT_EQ(HashOf(a.zones), HashOf(b.zones));
  EXPECT_EQ(HashOf(a.mem_map), HashOf(b.mem_map));
}

INSTANTIATE_TEST_SUITE_P(
    Machines, AllocatorCampaign,
    ::testing::Values(
        Setting{"Small", Profile::kX86_64, Personality::kLinux618, 64 * kMiB},
        Setting{"WithReserve", Profile::kX86_64, Personality::kLinux618,
                256 * kMiB},
        Setting{"I386", Profile::kI386Pae, Personality::kLinux618, 64 * kMiB},
        Setting{"HighMem", Profile::kI386Pae, Personality::kLinux61,
                1000 * kMiB},
        Setting{"TwoLevels", Profile::kI386, Personality::kLinux618,
                1000 * kMiB}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace faultline

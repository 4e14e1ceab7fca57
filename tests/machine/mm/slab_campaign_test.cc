// Random use of slabs and of vmalloc, verified after every operation, and ended
// with everything freed. FAULTLINE_CAMPAIGN_STEPS=N makes it longer.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/pcp.h"
#include "server/machine/mm/slab_common.h"
#include "server/machine/mm/vmap_area.h"
#include "server/machine/verify.h"
#include "server/machine/verify/free_areas.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr const char* kCaches[] = {"small", "large", "guarded", "reclaimed"};

struct Setting {
  const char* name;
  Profile profile;
  Personality personality;
  uint64_t debug;
  // For gtest, which would print the bytes.
  friend std::ostream& operator<<(std::ostream& o, const Setting& s) {
    return o << s.name;
  }
};

class SlabCampaign : public ::testing::TestWithParam<Setting> {
 protected:
  static Machine Boot(const Setting& setting) {
    MachineConfig config;
    config.profile = setting.profile;
    config.personality = setting.personality;
    config.ram_bytes = 24 * kMiB;
    config.sysctls = {{"slub_debug", setting.debug}};
    return Machine(config);
  }
  static int Steps() {
    const char* steps = std::getenv("FAULTLINE_CAMPAIGN_STEPS");
    return steps == nullptr ? 3000 : std::atoi(steps);
  }

  // What a machine has free, as runs that nothing interrupts.
  static std::vector<std::pair<uint32_t, uint32_t>> Runs(const Machine& m) {
    Kernel k = m.kernel();
    DrainAllPages(k);
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

  uint64_t Below(uint64_t n) { return prng_.Next() % n; }
  // Small sizes mostly.
  uint64_t RandomSize() { return 1 + Below(uint64_t{16} << Below(12)); }
  uint32_t RandomGfp() {
    constexpr uint32_t kContexts[] = {
        gfp::kKernel,
        gfp::kKernel | gfp::kZero,
        gfp::kAtomic,
        gfp::kKernel | gfp::kAccount,
        gfp::kKernel | gfp::kReclaimable,
        gfp::kKernel | gfp::kDma,
    };
    return kContexts[Below(std::size(kContexts))];
  }

  Outcome Do(Operation op) {
    return machine_.Apply({0, std::move(op)}, EventLevel::kNone);
  }
  void Keep(std::vector<uint64_t>& list, const Outcome& out) {
    if (out.error == Errno::kOk) {
      list.push_back(static_cast<uint64_t>(out.value));
    } else {
      EXPECT_EQ(out.error, Errno::kENOMEM);
      failures_++;
    }
  }
  static uint64_t Take(std::vector<uint64_t>& list, uint64_t which) {
    const uint64_t item = std::exchange(list[which], list.back());
    list.pop_back();
    return item;
  }

  void StepKmalloc(bool fill) {
    if (fill || kmalloced_.empty()) {
      Keep(kmalloced_, Do(Kmalloc{RandomSize(), RandomGfp()}));
    } else {
      const uint64_t addr = Take(kmalloced_, Below(kmalloced_.size()));
      EXPECT_EQ(Do(Kfree{addr}).error, Errno::kOk);
    }
  }
  void StepVmalloc(bool fill) {
    if (fill || vmalloced_.empty()) {
      Keep(vmalloced_, Do(Vmalloc{RandomSize() * 16, 0}));
    } else {
      const uint64_t addr = Take(vmalloced_, Below(vmalloced_.size()));
      EXPECT_EQ(Do(Vfree{addr}).error, Errno::kOk);
    }
  }
  void StepCache(bool fill) {
    const size_t which = Below(std::size(kCaches));
    std::vector<uint64_t>& objects = objects_[which];
    if (fill || objects.empty()) {
      Keep(objects, Do(KmemCacheAlloc{kCaches[which], gfp::kKernel}));
    } else {
      const uint64_t addr = Take(objects, Below(objects.size()));
      EXPECT_EQ(Do(KmemCacheFree{kCaches[which], addr}).error, Errno::kOk);
    }
  }

  void Step(int i) {
    const uint64_t dice = Below(64);
    if (dice == 0) {
      Do(KmemCacheShrink{kCaches[Below(std::size(kCaches))]});
    } else if (dice == 1) {
      // A bad one changes nothing.
      const Pfn pfn(static_cast<uint32_t>(4096 + Below(1024)));
      if (machine_.kernel().page(pfn).Is(page_flag::kLargeKmalloc)) return;
      const uint64_t addr = VirtOf(machine_.kernel(), pfn) + Below(kPageSize);
      EXPECT_NE(Do(Kfree{addr | 1}).error, Errno::kOk);
    } else if (dice == 2 && !vmalloced_.empty()) {
      Do(KernelAccess{.kind = AccessKind::kWrite, .addr = vmalloced_.back()});
    } else if (dice == 3 && !kmalloced_.empty()) {
      Do(KernelAccess{.kind = AccessKind::kRead, .addr = kmalloced_.back()});
    } else {
      const bool fill = Below(8) < (i / 400 % 2 == 0 ? 6 : 2);
      const uint64_t times = 1 + Below(16);
      for (uint64_t n = 0; n < times; n++) {
        const uint64_t kind = Below(4);
        if (kind == 0) {
          StepVmalloc(fill);
        } else if (kind == 1) {
          StepCache(fill);
        } else {
          StepKmalloc(fill);
        }
      }
    }
  }

  void CreateCaches() {
    constexpr uint64_t kGuarded = slab_flag::kRedZone | slab_flag::kPoison |
                                  slab_flag::kStoreUser |
                                  slab_flag::kConsistencyChecks;
    Do(KmemCacheCreate{"small", 24, 0, slab_flag::kNoMerge});
    Do(KmemCacheCreate{"large", 3000, 0, slab_flag::kHwcacheAlign});
    Do(KmemCacheCreate{"guarded", 100, 0, kGuarded});
    Do(KmemCacheCreate{"reclaimed", 600, 0, slab_flag::kReclaimAccount});
  }
  void FreeAll() {
    for (uint64_t addr : std::exchange(kmalloced_, {})) {
      EXPECT_EQ(Do(Kfree{addr}).error, Errno::kOk);
    }
    for (uint64_t addr : std::exchange(vmalloced_, {})) {
      EXPECT_EQ(Do(Vfree{addr}).error, Errno::kOk);
    }
    for (size_t i = 0; i < std::size(kCaches); i++) {
      for (uint64_t addr : std::exchange(objects_[i], {})) {
        EXPECT_EQ(Do(KmemCacheFree{kCaches[i], addr}).error, Errno::kOk);
      }
      EXPECT_EQ(Do(KmemCacheDestroy{kCaches[i]}).error, Errno::kOk);
    }
    const Slub slub = machine_.kernel().slub;
    for (Id<KmemCache> id = slub.newest; id; id = slub.caches[id].next) {
      EXPECT_EQ(Do(KmemCacheShrink{slub.caches[id].name}).value, 0);
    }
  }

  Machine machine_ = Boot(GetParam());
  Prng prng_{20261130};
  std::vector<uint64_t> kmalloced_, vmalloced_;
  std::vector<uint64_t> objects_[std::size(kCaches)];
  int failures_ = 0;
};

TEST_P(SlabCampaign, EndsWithTheFreeMemoryOfBoot) {
  // The kernel's page tables stay for ever: here they are there from the start.
  Kernel booted = machine_.kernel();
  for (uint64_t at = 0; at < 128 * kMiB; at += kPmdSize) {
    const uint64_t addr = VmallocRange(booted).start + at;
    ASSERT_TRUE(AllocKernelPte(booted, VirtAddr(addr)).ok());
  }
  machine_ = MachineFrom(booted);
  CreateCaches();
  const uint64_t tables = machine_.kernel().kernel_maps.tables;
  const auto runs = Runs(machine_);
  for (int i = 0; i < Steps(); i++) {
    Step(i);
    ASSERT_EQ(machine_.Verify(), "") << "step " << i;
  }
  EXPECT_GT(failures_, 0) << "memory never ran out";
  FreeAll();
  EXPECT_EQ(machine_.Verify(), "");
  const Kernel& k = machine_.kernel();
  EXPECT_EQ(k.slub.slabs.count(), 0u);
  EXPECT_EQ(k.kernel_maps.nr_vmalloc_pages, 0u);
  EXPECT_EQ(k.kernel_maps.tables, tables);
  EXPECT_EQ(Runs(machine_), runs);
}

TEST_P(SlabCampaign, RunsTheSameEachTime) {
  CreateCaches();
  for (int i = 0; i < 500; i++) Step(i);
  const uint64_t fingerprint = machine_.Fingerprint();
  machine_ = Boot(GetParam());
  prng_ = Prng(20261130);
  kmalloced_ = vmalloced_ = {};
  for (auto& objects : objects_) objects = {};
  CreateCaches();
  for (int i = 0; i < 500; i++) Step(i);
  EXPECT_EQ(machine_.Fingerprint(), fingerprint);
}

INSTANTIATE_TEST_SUITE_P(
    Machines, SlabCampaign,
    ::testing::Values(
        Setting{"Plain", Profile::kX86_64, Personality::kLinux618, 0},
        Setting{"Debug", Profile::kX86_64, Personality::kLinux618,
                slab_flag::kDebug},
        Setting{"Linux61", Profile::kX86_64, Personality::kLinux61, 0},
        Setting{"I386", Profile::kI386Pae, Personality::kLinux618, 0}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace faultline

// Random use of slabs, of vmalloc and of pages, verified after every operation,
// and ended with everything freed. FAULTLINE_CAMPAIGN_STEPS=N makes it longer.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "server/machine/base/prng.h"
#include "server/machine/mm/slab_common.h"
#include "tests/machine/kernel_user.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kSeed = 20261130;

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

  // Memory fills for a while, and then empties.
  void Step(int i) {
    if (prng_.Next() % 16 == 0) return user_.Touch();
    const uint64_t taken_of_8 = i / 400 % 2 == 0 ? 6 : 2;
    for (uint64_t n = prng_.Next() % 16 + 1; n > 0; n--) {
      user_.TakeOrGive(prng_.Next() % 8 < taken_of_8);
    }
  }

  Machine machine_ = Boot(GetParam());
  KernelUser user_{&machine_, kSeed};
  Prng prng_{kSeed + 1};
};

TEST_P(SlabCampaign, EndsWithTheFreeMemoryOfBoot) {
  machine_ = WithVmallocTables(machine_);
  user_.CreateCaches();
  const uint64_t tables = machine_.kernel().kernel_maps.tables;
  const auto runs = FreeRunsDrained(machine_.kernel());
  for (int i = 0; i < Steps(); i++) {
    Step(i);
    ASSERT_EQ(machine_.Verify(), "") << "step " << i;
  }
  EXPECT_GT(user_.failures(), 0) << "memory never ran out";
  user_.GiveAll();
  EXPECT_EQ(machine_.Verify(), "");
  const Kernel& k = machine_.kernel();
  EXPECT_EQ(k.slub.slabs.count(), 0u);
  EXPECT_EQ(k.kernel_maps.nr_vmalloc_pages, 0u);
  EXPECT_EQ(k.kernel_maps.tables, tables);
  EXPECT_EQ(FreeRunsDrained(k), runs);
}

TEST_P(SlabCampaign, RunsTheSameEachTime) {
  user_.CreateCaches();
  for (int i = 0; i < 500; i++) Step(i);
  const uint64_t fingerprint = machine_.Fingerprint();
  machine_ = Boot(GetParam());
  user_ = KernelUser(&machine_, kSeed);
  prng_ = Prng(kSeed + 1);
  user_.CreateCaches();
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
        Setting{"I386", Profile::kI386Pae, Personality::kLinux618, 0},
        Setting{"TwoLevels", Profile::kI386, Personality::kLinux618, 0}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace faultline

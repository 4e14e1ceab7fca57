// All that uses memory, together (memory_campaign.h): verified after every
// operation, and ended with everything freed. FAULTLINE_CAMPAIGN_STEPS=N makes
// it longer than a usual run, FAULTLINE_CAMPAIGN_SEED=N another one.
#include "tests/machine/mm/memory_campaign.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "server/machine/mm/pcp.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kKiB = uint64_t{1} << 10, kMiB = uint64_t{1} << 20;

struct Setting {
  const char* name;
  Personality personality;
  ThpMode thp;
  uint64_t token;
  Profile profile = Profile::kX86_64;
  const char* movablecore = "";
  bool high_memory = false;
  bool knobs = false;
  bool collapses = false;  // shared memory, again and again
};

uint64_t Number(const char* variable, uint64_t usual) {
  const char* value = std::getenv(variable);
  return value == nullptr ? usual : std::strtoull(value, nullptr, 10);
}

class MemoryCampaignTest : public ::testing::TestWithParam<Setting> {
 protected:
  static MachineConfig Config() {
    MachineConfig config;
    config.ram_bytes = (GetParam().collapses ? 17 : 16) * kMiB;
    if (GetParam().high_memory) {
      // Low memory ends at 17 MiB at least: half of it is a hole.
      config.e820 = {{0, 640 * kKiB}, {kMiB, 9 * kMiB}, {17 * kMiB, 24 * kMiB}};
      config.lowmem_bytes = 17 * kMiB;
    }
    config.swap_bytes = 8 * kMiB;
    config.personality = GetParam().personality;
    config.thp = GetParam().thp;
    config.profile = GetParam().profile;
    config.movablecore = GetParam().movablecore;
    config.sysctls = {{"vm.swap_token", GetParam().token, {}}};
    return config;
  }

  MemoryCampaign c_{Config(),
                    {GetParam().knobs, GetParam().collapses,
                     Number("FAULTLINE_CAMPAIGN_SEED", 20261130)}};
};

TEST_P(MemoryCampaignTest, StaysConsistentAndGivesEverythingBack) {
  // Blocks of 2 MiB are rare.
  const uint64_t usual = GetParam().collapses ? 3000 : 1000;
  const uint64_t steps = Number("FAULTLINE_CAMPAIGN_STEPS", usual);
  const auto runs = FreeRunsDrained(MemoryCampaign::Emptied(c_.machine()));
  for (uint64_t i = 0; i < steps; i++) {
    c_.Step();
    ASSERT_EQ(c_.problem(), "") << "step " << i;
  }
  const auto& events = c_.machine().kernel().vmstat.events;
  EXPECT_GT(events[kPswpOut] + events[kSwpOutZero], 500u);
  EXPECT_GT(events[kPgScanKswapd] + events[kPgScanDirect], 1000u);
  EXPECT_GT(events[kPgMajFault], 25u);
  if (GetParam().collapses) {
    EXPECT_GT(events[kThpFileMapped], 10u);
    EXPECT_GT(events[kThpSplitPage], 5u);
  }
  EXPECT_GT(c_.lively_steps(), steps * 3 / 4);
  RecordProperty("operations", std::to_string(c_.operations()));
  const Kernel k = c_.Ended();
  EXPECT_EQ(c_.problem(), "");
  EXPECT_EQ(FreeRunsDrained(k), runs);
  EXPECT_EQ(k.slub.slabs.count(), 0u);
  EXPECT_EQ(k.kernel_maps.nr_vmalloc_pages, 0u);
  EXPECT_EQ(k.swap.nr_free, k.swap.total) << "no slot is left";
  EXPECT_EQ(k.swap.cached, 0u);
}

TEST_P(MemoryCampaignTest, RunsTheSameFromASavedMachine) {
  for (int i = 0; i < 100; i++) c_.Step();
  Machine copy = Machine::Load(c_.machine().Save());
  EXPECT_EQ(copy.Fingerprint(), c_.machine().Fingerprint());
  const Operation touch = Access{AccessKind::kWrite, At(0), 500, kPageSize, 1};
  for (const Pid pid : c_.live()) {
    EXPECT_EQ(copy.Apply({pid, touch}).Digest(),
              c_.machine().Apply({pid, touch}).Digest());
  }
  EXPECT_EQ(copy.Fingerprint(), c_.machine().Fingerprint());
}

INSTANTIATE_TEST_SUITE_P(
    Machines, MemoryCampaignTest,
    ::testing::Values(
        Setting{"Usual", Personality::kLinux618, ThpMode::kNever, 0},
        Setting{"HugePages", Personality::kLinux618, ThpMode::kAlways, 0},
        Setting{"Linux61", Personality::kLinux61, ThpMode::kNever, 0},
        Setting{"Token", Personality::kLinux618, ThpMode::kNever, 1},
        Setting{"TwoLevels", Personality::kLinux618, ThpMode::kNever, 0,
                Profile::kI386},
        Setting{"Movable", Personality::kLinux618, ThpMode::kNever, 0,
                Profile::kX86_64, "6M"},
        Setting{"HighMemory", Personality::kLinux61, ThpMode::kMadvise, 0,
                Profile::kI386Pae, "", true},
        Setting{"Knobs", Personality::kLinux618, ThpMode::kAlways, 0,
                Profile::kX86_64, "", false, true},
        Setting{"SharedHugePages", Personality::kLinux618, ThpMode::kMadvise, 0,
                Profile::kX86_64, "", false, false, true},
        Setting{"SharedHugePagesOfLinux61", Personality::kLinux61,
                ThpMode::kMadvise, 0, Profile::kX86_64, "", false, false,
                true}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace faultline

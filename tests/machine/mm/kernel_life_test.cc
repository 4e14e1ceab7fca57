// A life of processes, as tests/machine/campaign.h has it, beside a kernel that
// uses its own memory badly: bad frees, stores to anywhere, a driver that comes
// and goes. Nothing of that may bring the machine into a state that it should
// not be in. FAULTLINE_CAMPAIGN_STEPS=N makes it longer.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/highmem.h"
#include "server/machine/mm/slab_common.h"
#include "server/machine/mm/vmap_area.h"
#include "tests/machine/campaign.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

struct Setting {
  const char* name;
  Profile profile;
  Personality personality;
  ThpMode thp;
  uint64_t debug;
  // For gtest, which would print the bytes.
  friend std::ostream& operator<<(std::ostream& o, const Setting& s) {
    return o << s.name;
  }
};

class KernelLife : public ::testing::TestWithParam<Setting> {
 protected:
  static Machine Boot(const Setting& setting) {
    MachineConfig config;
    config.profile = setting.profile;
    config.personality = setting.personality;
    config.thp = setting.thp;
    const bool wide = setting.profile == Profile::kX86_64;
    config.ram_bytes = (wide ? 64 : 32) * kMiB;
    config.lowmem_bytes = wide ? 0 : 24 * kMiB;
    config.sysctls = {{"slub_debug", setting.debug}};
    return Machine(config);
  }
  static int Steps() {
    const char* steps = std::getenv("FAULTLINE_CAMPAIGN_STEPS");
    return steps == nullptr ? 2500 : std::atoi(steps);
  }

  uint64_t Below(uint64_t n) { return prng_.Next() % n; }
  const Kernel& k() const { return machine_.kernel(); }

  // One that was given out, mostly; else near one, or anything.
  uint64_t SomeAddress() {
    if (held_.empty() || Below(8) == 0) {
      const uint64_t pfn = Below(uint64_t{16} << 10);
      return PageOffset(k()) + pfn * kPageSize + Below(kPageSize);
    }
    const uint64_t addr = held_[Below(held_.size())];
    switch (Below(6)) {
      case 0:
        return addr + Below(300);
      case 1:
        return addr - Below(300);
      case 2:
        return prng_.Next() >> Below(64);
      default:
        return addr;
    }
  }
  uint32_t SomeGfp() {
    constexpr uint32_t kBits[] = {gfp::kKernel,
                                  gfp::kKernel,
                                  gfp::kAtomic,
                                  gfp::kKernel | gfp::kZero,
                                  gfp::kKernel | gfp::kDma,
                                  gfp::kKernel | gfp::kReclaimable,
                                  gfp::kHighUser,
                                  0};
    return kBits[Below(std::size(kBits))];
  }
  std::string SomeCache() {
    constexpr const char* kNames[] = {"a", "b", "c", "kmalloc-64"};
    return kNames[Below(std::size(kNames))];
  }
  uint64_t SomeFlags() {
    constexpr uint64_t kBits[] = {0,
                                  slab_flag::kRedZone,
                                  slab_flag::kPoison,
                                  slab_flag::kDebug,
                                  slab_flag::kHwcacheAlign,
                                  slab_flag::kReclaimAccount,
                                  1};
    return kBits[Below(std::size(kBits))];
  }

  Operation KernelCall() {
    switch (Below(16)) {
      case 0:
      case 1:
        return Kmalloc{Below(uint64_t{8} << Below(12)), SomeGfp()};
      case 2:
      case 3:
        return Kfree{SomeAddress()};
      case 4:
        return KmemCacheCreate{SomeCache(), Below(5000),
                               uint64_t{1} << Below(9), SomeFlags()};
      case 5:
      case 6:
        return KmemCacheAlloc{SomeCache(), SomeGfp()};
      case 7:
        return KmemCacheFree{SomeCache(), SomeAddress()};
      case 8:
        if (Below(2) == 0) return KmemCacheShrink{SomeCache()};
        return KmemCacheDestroy{SomeCache()};
      case 9:
        return Vmalloc{Below(uint64_t{1} << (12 + Below(9))), SomeGfp()};
      case 10:
        return Vfree{SomeAddress() &
                     (Below(3) == 0 ? ~uint64_t{0} : kPageMask)};
      case 11:
        return MapCall(Below(uint64_t{16} << 10));
      case 12:
        return DeviceCall();
      default:
        return KernelAccess{.kind = static_cast<AccessKind>(Below(2)),
                            .addr = SomeAddress(),
                            .count = 1 + Below(40),
                            .stride = uint64_t{1} << Below(13),
                            .value = static_cast<uint8_t>(prng_.Next())};
    }
  }
  // Of any frame; what is unmapped is mostly what was mapped last.
  Operation MapCall(uint64_t pfn) {
    const auto local = static_cast<int>(k().kernel_maps.kmap_local.size());
    switch (Below(4)) {
      case 0:
        return Kmap{pfn};
      case 1:
        return Kunmap{pfn};
      case 2:
        return KmapLocal{pfn};
      default:
        return KunmapLocal{Below(4) == 0 ? SomeAddress()
                                         : FixKmapAddr(local - 1)};
    }
  }
  Operation DeviceCall() {
    const auto fd = static_cast<int32_t>(3 + Below(5));
    switch (Below(5)) {
      case 0:
        return InsertModule{"map_driver", 0, Below(2) == 0 ? "pages=6" : ""};
      case 1:
        return RemoveModule{"map_driver", 0};
      case 2:
        return Mknod{Below(2) == 0 ? "/d" : "/e", 020666, 254,
                     static_cast<uint32_t>(Below(6) == 0)};
      default:
        return Open{Below(2) == 0 ? "/d" : "/e", Below(3), fd};
    }
  }

  void Step() {
    Command command = life_.Next(k());
    // Whose call it is does not matter to most of them.
    if (Below(2) == 0) command.op = KernelCall();
    const bool gives = std::holds_alternative<Kmalloc>(command.op) ||
                       std::holds_alternative<KmemCacheAlloc>(command.op) ||
                       std::holds_alternative<Vmalloc>(command.op) ||
                       std::holds_alternative<Kmap>(command.op) ||
                       std::holds_alternative<KmapLocal>(command.op);
    const Outcome out = machine_.Apply(command, EventLevel::kFaults);
    done_[command.op.index()] += out.error == Errno::kOk && !out.no_process;
    if (!gives || out.error != Errno::kOk) return;
    held_.push_back(static_cast<uint64_t>(out.value));
    constexpr size_t kHeldMax = 200;
    if (held_.size() > kHeldMax) held_.erase(held_.begin());
  }

  Machine machine_ = Boot(GetParam());
  Campaign life_{7};
  Prng prng_{20261201};
  std::vector<uint64_t> held_;
  std::array<uint64_t, std::variant_size_v<Operation>> done_{};
};

TEST_P(KernelLife, NeverBreaksTheMachine) {
  for (int i = 0; i < Steps(); i++) {
    Step();
    ASSERT_EQ(machine_.Verify(), "") << "step " << i;
  }
  // Of each kind some succeeded.
  for (const Operation& op : std::vector<Operation>{
           Kmalloc{}, Kfree{}, KmemCacheCreate{}, KmemCacheAlloc{},
           KmemCacheFree{}, KmemCacheShrink{}, Vmalloc{}, Vfree{}, Kmap{},
           KmapLocal{}, KunmapLocal{}, KernelAccess{}, InsertModule{},
           RemoveModule{}, Mknod{}}) {
    EXPECT_GT(done_[op.index()], 0u) << OperationName(op);
  }
  const Machine copy = Machine::Load(machine_.Save());
  EXPECT_EQ(copy.Fingerprint(), machine_.Fingerprint());
  EXPECT_EQ(copy.Verify(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Machines, KernelLife,
    ::testing::Values(Setting{"Plain", Profile::kX86_64, Personality::kLinux618,
                              ThpMode::kNever, 0},
                      Setting{"Debug", Profile::kX86_64, Personality::kLinux618,
                              ThpMode::kAlways, slab_flag::kDebug},
                      Setting{"Linux61", Profile::kX86_64,
                              Personality::kLinux61, ThpMode::kAlways,
                              slab_flag::kPoison},
                      Setting{"I386", Profile::kI386Pae, Personality::kLinux618,
                              ThpMode::kNever, slab_flag::kRedZone},
                      Setting{"TwoLevels", Profile::kI386,
                              Personality::kLinux618, ThpMode::kNever, 0}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace faultline

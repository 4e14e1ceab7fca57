// All that uses memory, together, and more of it than there is: processes, the
// page cache of their files, swap areas that come and go, and a kernel that
// takes slabs, vmalloc's areas and pages. Verified after every operation, and
// ended with everything freed. FAULTLINE_CAMPAIGN_STEPS=N makes it longer than
// a usual run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/mm/mmap.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pcp.h"
#include "server/machine/mm/truncate.h"
#include "tests/machine/kernel_user.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kPages = 3000;  // of the window

struct Setting {
  const char* name;
  Personality personality;
  ThpMode thp;
  uint64_t token;
  Profile profile = Profile::kX86_64;
  const char* movablecore = "";
  uint64_t ram_mib = 16;
  bool collapses = false;  // shared memory, again and again
};

class MemoryCampaign : public ::testing::TestWithParam<Setting> {
 protected:
  MemoryCampaign() : machine_(WithVmallocTables(Machine(Config()))) {
    CreateFile file;
    file.path = "/swap";
    file.size = 4 * kMiB;
    file.cached = false;
    file.fs = FsType::kExt4;
    Do(file);
    file.path = "/data";
    file.content = FileContent::kPattern;
    Do(file);
    Do(Open{"/data", 2, 3});
    Do(MemfdCreate{"shared", 0, kMemfd});
    Do(Truncate{kMemfd, 1024 * kPageSize});
    Do(Sysctl{"vm.swap_token", GetParam().token});
    user_.CreateCaches();
  }

  static MachineConfig Config() {
    MachineConfig config;
    config.ram_bytes = GetParam().ram_mib * kMiB;
    config.swap_bytes = 8 * kMiB;
    config.personality = GetParam().personality;
    config.thp = GetParam().thp;
    config.profile = GetParam().profile;
    config.movablecore = GetParam().movablecore;
    return config;
  }
  static int Steps() {
    const char* steps = std::getenv("FAULTLINE_CAMPAIGN_STEPS");
    // Blocks of 2 MiB are rare there.
    const int usual = GetParam().collapses ? 4000 : 1000;
    return steps == nullptr ? usual : std::atoi(steps);
  }

  Outcome Do(Operation op, Pid pid = 1) {
    last_ = OperationName(op);
    return machine_.Apply({pid, std::move(op)}, EventLevel::kNone);
  }
  uint64_t Below(uint64_t n) { return prng_.Next() % n; }

  // Ranges that are large enough to fill memory, and meet.
  std::pair<uint64_t, uint64_t> Range() {
    const uint64_t first = Below(6) * 512 + Below(8);
    const uint64_t most = Below(3) == 0 ? 1200 : 64;
    return {At(first), 1 + Below(std::min(most, kPages + 64 - first))};
  }

  Operation RandomCall() {
    const auto [addr, pages] = Range();
    const uint64_t bytes = pages * kPageSize;
    constexpr int32_t kAdvice[] = {3, 4, 8, 20, 21, 21, 12, 25};
    switch (Below(14)) {
      case 0:
        return Munmap{addr, std::min<uint64_t>(bytes, 16 * kPageSize)};
      case 1:
        return Mprotect{addr, std::min<uint64_t>(bytes, 32 * kPageSize),
                        Below(4)};
      case 2:
        return Mremap{addr, bytes, bytes, 3, At(Below(6) * 512)};
      case 3:
        return Mlock{addr, std::min<uint64_t>(bytes, 64 * kPageSize), 0};
      case 4:
        return Munlock{addr, bytes};
      case 5:
        return Mincore{addr, bytes};
      case 6:
      case 7:
        return Madvise{addr, bytes, kAdvice[Below(std::size(kAdvice))]};
      case 8: {
        const uint64_t flags = mman::kFixed | mman::kAnonymous |
                               (Below(4) == 0 ? mman::kShared : mman::kPrivate);
        return Mmap{addr, bytes, kRw, flags, -1, 0};
      }
      case 9: {
        const uint64_t flags =
            mman::kFixed | (Below(2) ? mman::kShared : mman::kPrivate);
        return Mmap{
            addr, std::min<uint64_t>(bytes, 512 * kPageSize), kRw, flags, 3, 0};
      }
      default:
        return Access{Below(3) ? AccessKind::kWrite : AccessKind::kRead, addr,
                      pages, kPageSize, static_cast<uint8_t>(Below(4))};
    }
  }

  // Large folios of tmpfs: mapped, gathered, cut, and used in parts.
  Operation SharedHugeCall() {
    const uint64_t addr = At(Below(5) * 512);
    const uint64_t within = Below(4) == 0 ? Below(512) : 0;
    constexpr uint64_t kHuge = 512 * kPageSize;
    switch (Below(9)) {
      case 0:
        return Mmap{addr,   kHuge,
                    kRw,    mman::kFixed | mman::kShared,
                    kMemfd, Below(2) * kHuge + within * kPageSize};
      case 1:
        return Mmap{addr,   kHuge,           kRw, mman::kFixed | mman::kPrivate,
                    kMemfd, Below(2) * kHuge};
      case 2:
        return Mmap{addr, kHuge,
                    kRw,  mman::kFixed | mman::kShared | mman::kAnonymous,
                    -1,   0};
      case 3:
        return Truncate{kMemfd, static_cast<int64_t>(Below(1024) * kPageSize)};
      case 4:
        return Fallocate{kMemfd, 3,
                         static_cast<int64_t>(Below(1024) * kPageSize / 2),
                         static_cast<int64_t>((1 + Below(64)) * kPageSize)};
      case 5:
        return Madvise{addr + within * kPageSize, (1 + Below(64)) * kPageSize,
                       Below(2) == 0 ? 9 : 21};
      default:
        return Madvise{addr, kHuge, 25};
    }
  }

  bool Lives(Pid pid) const {
    const Kernel& k = machine_.kernel();
    const auto at = k.pids.find(pid);
    return at != k.pids.end() &&
           k.tasks[at->second].state == TaskState::kRunning;
  }

  void ForkFrom(Pid parent) {
    const Outcome out = Do(Fork{}, parent);
    if (out.error == Errno::kOk && !out.no_process) {
      const auto pid = static_cast<Pid>(out.value);
      live_.push_back(pid);
      if (parent != 1) return;
      constexpr uint64_t kFlags =
          mman::kFixed | mman::kAnonymous | mman::kPrivate;
      Do(Mmap{At(0), (kPages + 512) * kPageSize, kRw, kFlags, -1, 0}, pid);
    }
  }

  void SwapOnOrOff() {
    switch (Below(4)) {
      case 0:
        Do(Swapon{"/swap", 0, 0});
        break;
      case 1:
        Do(Swapon{"", kMiB, static_cast<uint32_t>(0x8000 | Below(3))});
        break;
      default:
        Do(Swapoff{"", static_cast<uint32_t>(Below(5))});
    }
  }

  void FileCall(Pid pid) {
    const auto at = static_cast<int64_t>(Below(1000) * kPageSize);
    switch (Below(6)) {
      case 0:
        Do(Truncate{3, at}, pid);
        return;
      case 1:
        Do(Fsync{3, false}, pid);
        return;
      case 2:
        Do(DropCaches{static_cast<uint32_t>(1 + Below(3))}, 0);
        return;
      case 3:
        Do(Fadvise{3, at, 64 * kPageSize, static_cast<int32_t>(Below(6))}, pid);
        return;
      default:
        Do(Read{3, static_cast<uint64_t>(at), 32 * kPageSize}, pid);
    }
  }

  // A little more is taken than is given for a while, and then less.
  void KernelCalls() {
    const uint64_t taken_of_8 = ++kernel_turns_ / 20 % 2 == 0 ? 5 : 3;
    for (int i = 0; i < 8; i++) user_.TakeOrGive(Below(8) < taken_of_8);
  }

  void Step() {
    std::erase_if(live_, [&](Pid pid) { return !Lives(pid); });
    if (live_.size() < 2) return ForkFrom(1);
    const Pid pid = live_[Below(live_.size())];
    switch (Below(36)) {
      case 0:
        if (live_.size() < 5) return ForkFrom(pid);
        Do(Exit{}, pid);
        return;
      case 1:
        return SwapOnOrOff();
      case 2:
        Do(Tick{1'000'000});
        Do(Wait{-1, true});
        return;
      case 3:
        Do(Sysctl{"ksm.run", Below(3)});
        return;
      case 4:
        Do(Write{3, Below(1000) * kPageSize, std::string(8192, 'w')}, pid);
        return;
      case 5:
        return FileCall(pid);
      case 6:
        return user_.Touch();
      case 7:
      case 8:
      case 9:
      case 10:
        return KernelCalls();
      default:
        Do(GetParam().collapses && Below(2) ? SharedHugeCall() : RandomCall(),
           pid);
    }
  }

  // Everybody ends, and every file is emptied.
  static Kernel Emptied(Machine m) {
    for (const auto& [pid, id] : std::map(m.kernel().pids)) {
      m.Apply({0, Kill{pid, 9}});
    }
    Kernel k = m.kernel();
    std::vector<Id<Inode>> files;
    std::as_const(k).inodes.ForEach(
        [&](Id<Inode> id, const Inode&) { files.push_back(id); });
    for (const Id<Inode> id : files) FileTruncate(k, id, 0);
    // Nobody needs the huge zero page any more.
    if (const Pfn zero = k.huge_zero_page; zero.valid()) {
      for (uint32_t i = 0; i < kPageBlockPages; i++) {
        k.page(zero + PageCount(i)) = Page{};
      }
      FreePagesCore(k, k.zone(ZoneOf(std::as_const(k), zero)), zero,
                    kPageBlockOrder);
    }
    return k;
  }
  static constexpr int32_t kMemfd = 4;
  Prng prng_{20261130};
  Machine machine_;
  KernelUser user_{&machine_, 20261201};
  uint64_t kernel_turns_ = 0;
  const char* last_ = "";
  std::vector<Pid> live_;
};

TEST_P(MemoryCampaign, StaysConsistentAndGivesEverythingBack) {
  const auto runs = FreeRunsDrained(Emptied(machine_));
  for (int i = 0; i < Steps(); i++) {
    Step();
    ASSERT_EQ(machine_.Verify(), "")
        << "step " << i << ", the last call was " << last_;
  }
  const auto& events = machine_.kernel().vmstat.events;
  EXPECT_GT(events[kPswpOut] + events[kSwpOutZero], 500u);
  EXPECT_GT(events[kPgScanKswapd] + events[kPgScanDirect], 1000u);
  EXPECT_GT(events[kPgMajFault], 25u);
  if (GetParam().collapses) {
    EXPECT_GT(events[kThpFileMapped], 10u);
    EXPECT_GT(events[kThpSplitPage], 5u);
  }
  user_.GiveAll();
  const Kernel k = Emptied(machine_);
  EXPECT_EQ(FreeRunsDrained(k), runs);
  EXPECT_EQ(k.slub.slabs.count(), 0u);
  EXPECT_EQ(k.kernel_maps.nr_vmalloc_pages, 0u);
  EXPECT_EQ(k.swap.nr_free, k.swap.total) << "no slot is left";
  EXPECT_EQ(k.swap.cached, 0u);
}

TEST_P(MemoryCampaign, RunsTheSameFromASavedMachine) {
  for (int i = 0; i < 100; i++) Step();
  Machine copy = Machine::Load(machine_.Save());
  EXPECT_EQ(copy.Fingerprint(), machine_.Fingerprint());
  const Operation touch = Access{AccessKind::kWrite, At(0), 500, kPageSize, 1};
  for (const Pid pid : live_) {
    EXPECT_EQ(copy.Apply({pid, touch}).Digest(), Do(touch, pid).Digest());
  }
  EXPECT_EQ(copy.Fingerprint(), machine_.Fingerprint());
}

INSTANTIATE_TEST_SUITE_P(
    Machines, MemoryCampaign,
    ::testing::Values(
        Setting{"Usual", Personality::kLinux618, ThpMode::kNever, 0},
        Setting{"HugePages", Personality::kLinux618, ThpMode::kAlways, 0},
        Setting{"Linux61", Personality::kLinux61, ThpMode::kNever, 0},
        Setting{"Token", Personality::kLinux618, ThpMode::kNever, 1},
        Setting{"TwoLevels", Personality::kLinux618, ThpMode::kNever, 0,
                Profile::kI386},
        Setting{"Movable", Personality::kLinux618, ThpMode::kNever, 0,
                Profile::kX86_64, "6M"},
        Setting{"SharedHugePages", Personality::kLinux618, ThpMode::kMadvise, 0,
                Profile::kX86_64, "", 17, true},
        Setting{"SharedHugePagesOfLinux61", Personality::kLinux61,
                ThpMode::kMadvise, 0, Profile::kX86_64, "", 17, true}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace faultline

// Random use of the page cache, verified after every operation.
// FAULTLINE_CAMPAIGN_STEPS=N makes it longer than the few thousand steps of a
// usual run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/base/prng.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/page_writeback.h"
#include "tests/machine/kernel_user.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kFilePages = 160;
constexpr uint64_t kFiles = 4;
constexpr uint64_t kMillisecond = 1'000'000;

class PageCacheCampaign : public ::testing::TestWithParam<Personality> {
 protected:
  PageCacheCampaign() : sim_(Config()) {}

  static MachineConfig Config() {
    MachineConfig config;
    config.personality = GetParam();
    config.sysctls = {{"bdi.read_ahead_kb", 64},
                      {"bdi.max_sectors_kb", 96},
                      {"vm.dirty_bytes", 200 * kPageSize},
                      {"vm.dirty_background_bytes", 80 * kPageSize}};
    return config;
  }
  static int Steps() {
    const char* steps = std::getenv("FAULTLINE_CAMPAIGN_STEPS");
    return steps == nullptr ? 2500 : std::atoi(steps);
  }
  uint64_t Below(uint64_t n) { return prng_.Next() % n; }
  uint64_t Page() { return Below(kFilePages); }
  int32_t Fd() { return fds_[Below(kFiles)]; }
  static uint64_t WindowOf(uint64_t file) { return At(file * 2 * kFilePages); }

  void MapSome() {
    const uint64_t file = Below(kFiles);
    const uint64_t pages = 1 + Below(kFilePages);
    const uint64_t flags = (Below(2) == 0 ? 1 : 2) | 0x10;  // MAP_FIXED
    sim_.Do(Mmap{WindowOf(file), pages * kPageSize, Below(3) == 0 ? kR : kRw,
                 flags, fds_[file], Page() * kPageSize});
  }
  void TouchSome() {
    sim_.Do(
        Access{.kind = Below(2) == 0 ? AccessKind::kRead : AccessKind::kWrite,
               .addr = WindowOf(Below(kFiles)) + Page() * kPageSize,
               .count = 1 + Below(4),
               .value = static_cast<uint8_t>(Below(256))});
  }
  void WriteSome() {
    const int32_t fd = Fd();
    const uint64_t offset = Below(kFilePages * kPageSize);
    const std::string data(1 + Below(5 * kPageSize),
                           static_cast<char>(Below(256)));
    sim_.Do(Write{fd, offset, data});
  }
  void FileCall(uint64_t which) {
    const int32_t fd = Fd();
    const auto offset = static_cast<int64_t>(Below(kFilePages * kPageSize));
    const auto length = static_cast<int64_t>(Below(8 * kPageSize));
    switch (which) {
      case 0:
        sim_.Do(Fsync{fd, Below(2) == 0});
        break;
      case 1:
        sim_.Do(Truncate{fd, offset});
        break;
      case 2:
        sim_.Do(Fallocate{fd, 3, offset, length + 1});  // punches a hole
        break;
      case 3:
        sim_.Do(
            Fallocate{fd, static_cast<uint32_t>(Below(2)), offset, length + 1});
        break;
      default:
        sim_.Do(Fadvise{fd, offset, length, static_cast<int32_t>(Below(6))});
        break;
    }
  }
  void MachineCall(uint64_t which) {
    switch (which) {
      case 0:
        sim_.Do(Sync{}, 0);
        break;
      case 1:
        sim_.Do(DropCaches{static_cast<uint32_t>(1 + Below(3))}, 0);
        break;
      case 2:
        sim_.SetSysctl("vm.dirty_bytes", (2 + Below(300)) * kPageSize);
        break;
      case 3:
        sim_.SetSysctl("vm.dirty_writeback_centisecs", Below(300));
        break;
      case 4:
        sim_.SetSysctl("bdi.read_ahead_kb", 4 * Below(40));
        break;
      default:
        sim_.Do(Tick{Below(10'000) * kMillisecond}, 0);
        break;
    }
  }
  // What reclaim does to some page of some file.
  void ReclaimSome() {
    sim_.Edit([&](Kernel& k) {
      const std::string path = "/f" + std::to_string(Below(kFiles));
      const Pfn pfn = FilemapLookup(k, k.inodes[k.names.at(path)], Page());
      if (!pfn.valid() || BeingRead(k, k.names.at(path), k.page(pfn).index)) {
        return;
      }
      if (!RemoveMapping(k, pfn)) PageoutFilePage(k, pfn);
    });
    EXPECT_EQ(sim_.machine().Verify(), "");
  }
  void Step() {
    const uint64_t dice = Below(64);
    const uint64_t window = WindowOf(Below(kFiles));
    const uint64_t length = (1 + Below(64)) * kPageSize;
    if (dice < 14) {
      sim_.Do(
          Read{Fd(), Below(kFilePages * kPageSize), 1 + Below(6 * kPageSize)});
    } else if (dice < 26) {
      WriteSome();
    } else if (dice < 40) {
      TouchSome();
    } else if (dice < 43) {
      MapSome();
    } else if (dice == 43) {
      sim_.Do(Munmap{window, length});
    } else if (dice < 46) {
      constexpr int32_t kAdvice[] = {0, 1, 2, 3, 4, 9, 20, 21, 22, 23};
      sim_.Do(Madvise{window, length, kAdvice[Below(std::size(kAdvice))]});
    } else if (dice == 46) {
      sim_.Do(Msync{window, length, Below(2) == 0 ? 1u : 4u});
    } else if (dice < 56) {
      FileCall(Below(8));
    } else if (dice < 59) {
      ReclaimSome();
    } else {
      MachineCall(Below(12));
    }
  }

  Sim sim_;
  Prng prng_{7};
  std::vector<int32_t> fds_;
};

TEST_P(PageCacheCampaign, EndsWithTheFreeListsOfItsBeginning) {
  constexpr FsType kTypes[kFiles] = {FsType::kExt4, FsType::kExt4,
                                     FsType::kTmpfs, FsType::kRamfs};
  for (uint64_t i = 0; i < kFiles; i++) {
    fds_.push_back(
        sim_.File("/f" + std::to_string(i), 0, kOpenBoth, kTypes[i]));
  }
  const auto before = FreeRunsDrained(sim_.kernel());
  for (int32_t fd : fds_) {
    sim_.Do(Truncate{fd, static_cast<int64_t>(kFilePages * kPageSize)});
  }
  for (int i = 0; i < Steps() && !HasFailure(); i++) Step();
  const Kernel& k = sim_.kernel();
  EXPECT_GT(k.vmstat.node[kNrWritten], 0);
  EXPECT_GT(k.disk.stats(BlockOp::kRead).ios, 0u);

  sim_.Do(Munmap{kWindow, kWindowPages * kPageSize});
  for (int32_t fd : fds_) sim_.Do(Truncate{fd, 0});
  sim_.Do(Sync{}, 0);
  EXPECT_EQ(k.xa_nodes.count(), 0u);
  EXPECT_EQ(k.vmstat.node[kNrFilePages], 0);
  EXPECT_EQ(k.vmstat.node[kNrFileDirty], 0);
  EXPECT_EQ(k.vmstat.node[kNrWriteback], 0);
  EXPECT_EQ(FreeRunsDrained(k), before);
}

INSTANTIATE_TEST_SUITE_P(Kernels, PageCacheCampaign,
                         ::testing::Values(Personality::kLinux618,
                                           Personality::kLinux61),
                         [](const auto& info) {
                           return info.param == Personality::kLinux618
                                      ? std::string("Linux618")
                                      : std::string("Linux61");
                         });

}  // namespace
}  // namespace faultline

// ZONE_MOVABLE: where it begins, worked out by hand from the law of
// find_zone_movable_pfns_for_nodes(); what it holds, and what it never does.
#include "server/machine/mm/zone_movable.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/machine/config_error.h"
#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/highmem.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/watermark.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20, kGiB = uint64_t{1} << 30;
constexpr ZoneType kMovable = ZoneType::kMovable;

MachineConfig Config(Profile profile, uint64_t ram, std::string kernelcore,
                     std::string movablecore) {
  MachineConfig config;
  config.profile = profile;
  config.ram_bytes = ram;
  config.kernelcore = std::move(kernelcore);
  config.movablecore = std::move(movablecore);
  return config;
}
Kernel Boot(Profile profile, uint64_t ram, std::string kernelcore,
            std::string movablecore) {
  return Machine(Config(profile, ram, std::move(kernelcore),
                        std::move(movablecore)))
      .kernel();
}

// With 1 GiB there are 158 + 261,888 = 262,046 pages, of which 3,998 are DMA's;
// with 6 GiB 1,572,766, of which 786,334 lie below 4 GiB; i386 with 2 GiB has
// 524,190, of which 229,278 are low. ZONE_MOVABLE begins at a multiple of
// 1,024.
TEST(ZoneMovable, BeginsWhereTheKernelHasEnough) {
  struct Row {
    const char* name;
    Profile profile;
    uint64_t ram;
    const char* kernelcore;
    const char* movablecore;
    uint32_t start;  // 0: there is none
    ZoneType below;  // what it is cut out of
  };
  constexpr Profile kWide = Profile::kX86_64, kPae = Profile::kI386Pae;
  constexpr ZoneType kDma = ZoneType::kDma, kDma32 = ZoneType::kDma32,
                     kNormal = ZoneType::kNormal, kHigh = ZoneType::kHighMem;
  const Row rows[] = {
      {"nothing asked", kWide, kGiB, "", "", 0, kDma32},
      // 262046 - 65536 for the kernel, 3998 of them DMA's: 4096 + 192512
      {"movablecore", kWide, kGiB, "", "256M", 196608, kDma32},
      {"in kilobytes", kWide, kGiB, "", "262144k", 196608, kDma32},
      {"rounded up to blocks", kWide, kGiB, "", "261200k", 196608, kDma32},
      // 131072 - 3998 = 127074 of DMA32: up to 131170, and then to 129 * 1024
      {"kernelcore", kWide, kGiB, "512M", "", 132096, kDma32},
      // 262046 / 4 = 65511, and 64 * 1024
      {"a quarter movable", kWide, kGiB, "", "25%", 196608, kDma32},
      {"the greater kernelcore", kWide, kGiB, "50%", "256M", 196608, kDma32},
      {"and the other way", kWide, kGiB, "768M", "512M", 197632, kDma32},
      {"all for the kernel", kWide, kGiB, "100%", "", 0, kDma32},
      {"more than there is", kWide, kGiB, "2G", "", 0, kDma32},
      {"nothing for the kernel", kWide, kGiB, "", "2G", 0, kDma32},
      {"the end is too near", kWide, kGiB, "1023M", "", 0, kDma32},
      // 1572766 - 262144 - 786334 = 524288 of NORMAL
      {"out of NORMAL", kWide, 6 * kGiB, "", "1G", 1572864, kNormal},
      {"all of NORMAL", kWide, 6 * kGiB, "1G", "", 1048576, kNormal},
      // 524190 - 131072 - 229278 = 163840 of HIGHMEM
      {"out of HIGHMEM", kPae, 2 * kGiB, "", "512M", 393216, kHigh},
      {"all of HIGHMEM", kPae, 2 * kGiB, "128M", "", 229376, kHigh},
      {"i386 without HIGHMEM", kPae, 512 * kMiB, "", "128M", 98304, kNormal},
      // 3998 - 1024 = 2974 from page 1 on, less the hole: 3072
      {"out of DMA", kWide, 16 * kMiB, "", "4M", 3072, kDma},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Sim s(Config(row.profile, row.ram, row.kernelcore, row.movablecore));
    const Kernel& k = s.kernel();
    EXPECT_EQ(k.movable_zone, row.below);
    EXPECT_EQ(s.machine().Verify(), "");
    const Zone& movable = k.zone(kMovable);
    EXPECT_EQ(movable.populated(), row.start != 0);
    if (row.start == 0) continue;
    EXPECT_EQ(movable.start, Pfn(row.start));
    const Zone& below = k.zone(row.below);
    if (below.populated()) {
      EXPECT_EQ(below.start + below.spanned, movable.start);
    }
    uint64_t present = 0;
    for (const Zone& zone : k.zones) present += zone.present.value();
    const Kernel whole = Boot(row.profile, row.ram, "", "");
    for (const Zone& zone : whole.zones) present -= zone.present.value();
    EXPECT_EQ(present, 0u) << "no page is lost and none is twice there";
  }
}

TEST(ZoneMovable, WhatIsNoAmountOfMemoryIsRefused) {
  for (const char* wrong : {"half", "12Q", "101%", "-1", "512MB", "%",
                            "99999999999999999999", "20000000000T"}) {
    EXPECT_THROW(Machine(Config(Profile::kX86_64, kGiB, wrong, "")),
                 ConfigError)
        << wrong;
    EXPECT_THROW(Machine(Config(Profile::kX86_64, kGiB, "", wrong)),
                 ConfigError)
        << wrong;
  }
}

// All pages that a request can have, and of how many zones.
std::vector<uint64_t> Exhaust(Kernel& k, uint32_t gfp) {
  std::vector<uint64_t> pages(kMaxNrZones);
  for (Pfn pfn; (pfn = AllocPages(k, gfp, 0)).valid();) {
    pages[static_cast<size_t>(ZoneOf(std::as_const(k), pfn))]++;
  }
  return pages;
}

uint64_t FreeOf(const Zone& zone) {
  return zone.nr_free_pages + static_cast<uint64_t>(zone.pcp.count);
}

TEST(ZoneMovable, OnlyMovableHighmemRequestsComeThere) {
  for (const Profile profile : {Profile::kX86_64, Profile::kI386Pae}) {
    const Kernel booted = Boot(profile, kGiB, "", "64M");
    // The first process has a few pages already.
    const uint64_t movable = FreeOf(booted.zone(kMovable));
    EXPECT_GT(movable + 10, booted.zone(kMovable).managed.value());
    for (const uint32_t gfp :
         {gfp::kKernel, gfp::kKernel | gfp::kMovable, gfp::kHighUser,
          gfp::kAtomic, gfp::kPgtable, gfp::kUser | gfp::kReclaimable}) {
      Kernel k = booted;
      EXPECT_EQ(Exhaust(k, gfp | gfp::kNoretry)[static_cast<size_t>(kMovable)],
                0u);
      EXPECT_EQ(FreeOf(k.zone(kMovable)), movable);
    }
    Kernel k = booted;
    const Pfn first = AllocPages(k, gfp::kHighUserMovable, 0);
    EXPECT_EQ(ZoneOf(std::as_const(k), first), kMovable) << "it comes first";
    const auto pages = Exhaust(k, gfp::kHighUserMovable | gfp::kNoretry);
    EXPECT_GT(pages[static_cast<size_t>(kMovable)], movable - 200);
    EXPECT_GT(pages[static_cast<size_t>(ZoneType::kNormal)] +
                  pages[static_cast<size_t>(ZoneType::kDma32)],
              100'000u)
        << "and then what the kernel could have as well";
  }
}

// A machine at work: the pages of its programs and files are movable, those of
// the kernel are not.
TEST(ZoneMovable, UserPagesAndThePageCacheLandThere) {
  Sim s(Config(Profile::kX86_64, 64 * kMiB, "", "16M"));
  s.Run("map 0-600 rw; write 0-600 v7; fork; 2: write 0-10 v8");
  const int32_t fd = s.File("/data", 8, kOpenBoth, FsType::kExt4, false);
  s.Do(Read{fd, 0, 8 * kPageSize});
  s.Do(Kmalloc{5000, gfp::kKernel});
  EXPECT_EQ(ZoneOf(s.kernel(), s.PteOf(At(0)).pfn()), kMovable);
  EXPECT_EQ(ZoneOf(s.kernel(), s.PteOf(At(0), 2).pfn()), kMovable);
  uint64_t anon = 0, cached = 0;
  const Kernel& k = s.kernel();
  k.mem_map.ForEach([&](size_t number, const Page& page) {
    const Pfn pfn(static_cast<uint32_t>(number));
    if (page.refcount == 0) return;
    if (ZoneOf(k, pfn) != kMovable) return;
    anon += page.Is(page_flag::kAnon);
    cached += page.Is(page_flag::kLru) && !page.Is(page_flag::kAnon);
    EXPECT_TRUE(page.Is(page_flag::kLru | page_flag::kAnon)) << number;
  });
  EXPECT_GE(anon, 610u);
  EXPECT_GE(cached, 8u);
  EXPECT_NE(k.mms[k.tasks[k.pids.at(1)].mm].pgd, Pfn());
  EXPECT_LT(k.mms[k.tasks[k.pids.at(1)].mm].pgd, k.zone(kMovable).start);
}

TEST(ZoneMovable, IsReclaimedForItsOwnRequestsAlone) {
  // The kernel's requests skip its pages: they free nothing that helps.
  MachineConfig config = Config(Profile::kX86_64, 64 * kMiB, "", "16M");
  config.swap_bytes = 64 * kMiB;
  Sim s(config);
  s.Run("map 0-4096 rw; write 0-4096 v1");
  s.Do(Mmap{At(4096), 3000 * kPageSize, kRw, 0x32, -1, 0});
  s.Do(Access{AccessKind::kWrite, At(4096), 3000, kPageSize, 1});
  const uint64_t skipped =
      s.kernel().vmstat.events[kPgSkipDma + static_cast<int>(kMovable)];
  EXPECT_EQ(skipped, 0u);
  int pages = 0;
  struct AllocPages call {
    gfp::kKernel | gfp::kNoretry, 0
  };
  while (s.Apply(call).error == Errno::kOk) {
    pages++;
  }
  EXPECT_GT(pages, 1000);
  EXPECT_GT(s.kernel().vmstat.events[kPgSkipDma + static_cast<int>(kMovable)],
            0u);
  EXPECT_EQ(s.machine().Verify(), "");
  EXPECT_EQ(ZoneOf(s.kernel(), s.PteOf(At(0)).pfn()), kMovable)
      << "what lies there stayed";
}

TEST(ZoneMovable, HasItsOwnWatermarksAndIsKeptFromNobody) {
  MachineConfig config = Config(Profile::kX86_64, kGiB, "", "256M");
  config.initmem = {{"DMA", 0}};
  const Kernel k = Machine(config).kernel();
  const Zone& zone = k.zone(kMovable);
  ASSERT_EQ(zone.managed, PageCount(65536));
  // It has no part in min_free_kbytes: managed / 1024 within 32 and 128.
  EXPECT_EQ(zone.wmark.min, 64u);
  uint64_t low = 0;
  for (const Zone& z : k.zones) low += z.managed.value();
  low -= zone.managed.value();
  const uint64_t min_pages = k.sysctl.min_free_kbytes / 4;
  // The distance of the marks is by its share all the same.
  const uint64_t step = std::max(min_pages * 65536 / low / 4, 65536u / 1000ul);
  EXPECT_EQ(zone.wmark.low, 64 + step);
  EXPECT_EQ(zone.wmark.high, 64 + 2 * step);
  const Zone& dma = k.zone(ZoneType::kDma);
  const Zone& dma32 = k.zone(ZoneType::kDma32);
  const size_t movable = static_cast<size_t>(kMovable);
  EXPECT_EQ(dma32.lowmem_reserve[movable], 65536u / 256);
  EXPECT_EQ(dma32.lowmem_reserve[2], 0u);
  EXPECT_EQ(dma.lowmem_reserve[movable], (dma32.managed.value() + 65536) / 256);
  for (const uint64_t pages : zone.lowmem_reserve) EXPECT_EQ(pages, 0u);
  EXPECT_GT(zone.pcp.batch, 1);
  // Until 6.5 it had its part.
  config.personality = Personality::kLinux61;
  const Kernel before = Machine(config).kernel();
  EXPECT_LT(before.zone(kMovable).wmark.min, 1000u);
  EXPECT_GT(before.zone(kMovable).wmark.min, 64u);
}

TEST(ZoneMovable, ShowsInProc) {
  const Kernel k = Boot(Profile::kX86_64, kGiB, "", "256M");
  const auto text = [&](const char* path) { return ReadProc(k, path).value(); };
  const std::string zones = text("/proc/zoneinfo");
  const size_t at = zones.find("Node 0, zone  Movable");
  ASSERT_NE(at, std::string::npos);
  const std::string part = zones.substr(at);
  EXPECT_NE(part.find("managed  65536"), std::string::npos);
  EXPECT_NE(part.find("start_pfn:           196608"), std::string::npos);
  EXPECT_NE(text("/proc/buddyinfo").find("zone  Movable"), std::string::npos);
  EXPECT_NE(text("/proc/pagetypeinfo").find("zone  Movable"),
            std::string::npos);
}

TEST(ZoneMovable, OnI386ItIsHighMemory) {
  Kernel k = Boot(Profile::kI386Pae, 2 * kGiB, "", "512M");
  const Pfn pfn = AllocPages(k, gfp::kHighUserMovable, 0);
  ASSERT_EQ(ZoneOf(std::as_const(k), pfn), kMovable);
  EXPECT_TRUE(PageHighMem(k, pfn));
  EXPECT_EQ(PageAddressOf(k, pfn), 0u);
  EXPECT_EQ(PageAddressOf(k, pfn), 0u);
  EXPECT_TRUE(DoKmap(k, pfn.value()).ok());
  EXPECT_NE(PageAddressOf(k, pfn), 0u);
  const uint64_t high = k.zone(kMovable).managed.value() +
                        k.zone(ZoneType::kHighMem).managed.value();
  const std::string meminfo = ReadProc(k, "/proc/meminfo").value();
  EXPECT_NE(meminfo.find(" " + std::to_string(high * 4) + " kB\nHighFree"),
            std::string::npos);
  // Where there is no HIGHMEM it lies in the direct map.
  Kernel low = Boot(Profile::kI386Pae, 512 * kMiB, "", "128M");
  const Pfn mapped = AllocPages(low, gfp::kHighUserMovable, 0);
  ASSERT_EQ(ZoneOf(std::as_const(low), mapped), kMovable);
  EXPECT_FALSE(PageHighMem(low, mapped));
  EXPECT_EQ(PageAddressOf(low, mapped), VirtOf(low, mapped));
}

TEST(LowmemReserveRatio, IsSetForEachZoneAndTakesEffectAtOnce) {
  Sim s(Config(Profile::kX86_64, 6 * kGiB, "", ""));
  const auto reserve = [&](ZoneType zone, ZoneType request) {
    return s.kernel().zone(zone).lowmem_reserve[static_cast<size_t>(request)];
  };
  const uint64_t normal = s.kernel().zone(ZoneType::kNormal).managed.value();
  EXPECT_EQ(reserve(ZoneType::kDma32, ZoneType::kNormal), normal / 256);
  // The first two; the others stay.
  s.Do(Sysctl{kLowmemReserveRatio, 0, {100}}, 0);
  EXPECT_EQ(reserve(ZoneType::kDma, ZoneType::kNormal), 0u) << "0: nothing";
  EXPECT_EQ(reserve(ZoneType::kDma32, ZoneType::kNormal), normal / 100);
  EXPECT_EQ(s.kernel().sysctl.lowmem_reserve_ratio[2], 32u);
  EXPECT_NE(
      ReadProc(s.kernel(), "/proc/zoneinfo").value().find("(0, 0, 0, 0, 0)"),
      std::string::npos);
  EXPECT_EQ(ReadProc(s.kernel(), "/proc/sys/vm/lowmem_reserve_ratio").value(),
            "0\t100\t32\t0\t0\n");
  EXPECT_EQ(ReadProc(s.kernel(), "/proc/sys/vm/swappiness").value(), "60\n");
  for (const char* none :
       {"/proc/sys/vm/", "/proc/sys/", "/proc/sys/vm/nothing",
        "/proc/sys/kernel/cap_bound"}) {
    EXPECT_FALSE(ReadProc(s.kernel(), none).ok()) << none;
  }
  const Sysctl whole{kLowmemReserveRatio, 256, {256, 32, 0, 0}};
  EXPECT_EQ(ResultOf(s.Do(whole, 0)), "OK");
  EXPECT_EQ(reserve(ZoneType::kDma32, ZoneType::kNormal), normal / 256);
  // Seen on 6.18: what is no int ends the list, and what is too much is not
  // looked at; the write succeeds.
  const Sysctl large{kLowmemReserveRatio, 64, {uint64_t{1} << 31, 8}};
  EXPECT_EQ(ResultOf(s.Do(large, 0)), "OK");
  const Sysctl many{kLowmemReserveRatio, 64, {256, 32, 5, 0, 9}};
  EXPECT_EQ(ResultOf(s.Do(many, 0)), "OK");
  EXPECT_EQ(ReadProc(s.kernel(), "/proc/sys/vm/lowmem_reserve_ratio").value(),
            "64\t256\t32\t5\t0\n");
  const Sysctl two{"vm.swappiness", 1, {2}};
  EXPECT_EQ(ResultOf(s.Do(two, 0)), "EINVAL") << "it has one value";
}

// DMA, Normal, HighMem and Movable are the zones of an i386 kernel.
TEST(LowmemReserveRatio, GoesByTheZonesOfTheKernel) {
  MachineConfig config = Config(Profile::kI386Pae, 2 * kGiB, "", "");
  config.sysctls = {{kLowmemReserveRatio, 128, {16}}};
  const Kernel k = Machine(config).kernel();
  const uint64_t high = k.zone(ZoneType::kHighMem).managed.value();
  const size_t request = static_cast<size_t>(ZoneType::kHighMem);
  EXPECT_EQ(k.zone(ZoneType::kNormal).lowmem_reserve[request], high / 16);
  EXPECT_EQ(k.zone(ZoneType::kDma).lowmem_reserve[request],
            (high + k.zone(ZoneType::kNormal).managed.value()) / 128);
}

}  // namespace
}  // namespace faultline

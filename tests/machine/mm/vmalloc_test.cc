// vmalloc(), the kernel's page tables, accesses of the kernel's own, and
// kmap().
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/highmem.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/vmap_area.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kStart = 0xffffc90000000000;
constexpr uint64_t kMiB = uint64_t{1} << 20;

std::string Log(const Outcome& out) {
  std::string log;
  for (const Event& e : out.events) {
    if (const auto* console = std::get_if<Console>(&e.body)) {
      log += console->msg;
    }
  }
  return log;
}

class VmallocTest : public ::testing::Test {
 protected:
  uint64_t Alloc(uint64_t size) {
    const Outcome out = s_.Do(Vmalloc{size, 0}, 0);
    EXPECT_EQ(ResultOf(out), "OK") << Log(out);
    return static_cast<uint64_t>(out.value);
  }
  std::string Free(uint64_t addr) {
    const Outcome out = s_.Do(Vfree{addr}, 0);
    log_ = Log(out);
    return ResultOf(out);
  }
  Outcome Read(uint64_t addr, uint64_t count = 1, uint64_t stride = kPageSize) {
    return s_.Do(KernelAccess{.kind = AccessKind::kRead,
                              .addr = addr,
                              .count = count,
                              .stride = stride},
                 0);
  }
  Outcome Write(uint64_t addr, uint8_t value, uint64_t count = 1) {
    return s_.Do(KernelAccess{.kind = AccessKind::kWrite,
                              .addr = addr,
                              .count = count,
                              .value = value},
                 0);
  }
  Pfn FrameOf(uint64_t addr) const {
    return KernelAddrToPfn(s_.kernel(), addr);
  }
  Sim s_;
  std::string log_;
};

TEST_F(VmallocTest, AreasAreTheLowestThatFit) {
  const uint64_t a = Alloc(1);
  EXPECT_EQ(a, kStart);
  const uint64_t b = Alloc(3 * kPageSize);
  EXPECT_EQ(b, kStart + 2 * kPageSize) << "behind a guard page";
  EXPECT_EQ(Alloc(kPageSize), b + 4 * kPageSize);
  EXPECT_EQ(FrameOf(a + kPageSize), Pfn()) << "nothing maps the guard";
  EXPECT_TRUE(FrameOf(b + 2 * kPageSize).valid());
  // What was freed is not reused before a purge.
  EXPECT_EQ(Free(a), "OK");
  EXPECT_EQ(Alloc(1), b + 6 * kPageSize);
  s_.Edit([](Kernel& k) { PurgeVmapAreas(k); });
  EXPECT_EQ(Alloc(1), a);
}

TEST_F(VmallocTest, PagesAreMappedOneByOne) {
  // Free pages that are no neighbours: every other one of a block.
  std::vector<uint64_t> held;
  for (int i = 0; i < 64; i++) {
    struct AllocPages alloc;
    alloc.gfp = gfp::kKernel;
    held.push_back(static_cast<uint64_t>(s_.Do(alloc, 0).value));
  }
  for (size_t i = 0; i < held.size(); i += 2) {
    struct FreePages free;
    free.pfn = held[i];
    s_.Do(free, 0);
  }
  const uint64_t addr = Alloc(16 * kPageSize);
  int neighbours = 0;
  for (uint64_t i = 1; i < 16; i++) {
    neighbours += FrameOf(addr + i * kPageSize) ==
                  FrameOf(addr + (i - 1) * kPageSize) + PageCount(1);
  }
  EXPECT_LT(neighbours, 15) << "the pages happen to be contiguous";
  for (uint64_t i = 0; i < 16; i++) {
    EXPECT_EQ(ResultOf(Write(addr + i * kPageSize, static_cast<uint8_t>(i))),
              "OK");
  }
  for (uint64_t i = 0; i < 16; i++) {
    EXPECT_EQ(Read(addr + i * kPageSize).value, static_cast<int64_t>(i));
    // The direct map has the same byte.
    EXPECT_EQ(Read(VirtOf(s_.kernel(), FrameOf(addr + i * kPageSize))).value,
              static_cast<int64_t>(i));
  }
}

TEST_F(VmallocTest, FreeGivesThePagesBack) {
  EXPECT_EQ(Free(Alloc(kPageSize)), "OK");  // the tables stay
  const uint64_t before = s_.free_pages();
  const uint64_t addr = Alloc(100 * kPageSize);
  EXPECT_EQ(s_.free_pages(), before - 100);
  EXPECT_EQ(Free(addr + 5 * kPageSize), "OK") << "any page of it does";
  EXPECT_EQ(s_.free_pages(), before);
  EXPECT_EQ(ResultOf(Read(addr)), "EFAULT");
}

TEST_F(VmallocTest, BadAddressesAreReported) {
  const uint64_t addr = Alloc(kPageSize);
  EXPECT_EQ(Free(0), "OK");
  EXPECT_EQ(Free(addr + 1), "EINVAL");
  EXPECT_EQ(log_, "Trying to vfree() bad address (ffffc90000000001)\n");
  EXPECT_EQ(Free(addr + 2 * kPageSize), "EINVAL");
  EXPECT_EQ(log_, "Trying to vfree() nonexistent vm area (ffffc90000002000)\n");
  EXPECT_EQ(Free(addr), "OK");
  EXPECT_EQ(Free(addr), "EINVAL");
}

TEST_F(VmallocTest, OfNoBytesIsWarnedOf) {
  const Outcome first = s_.Do(Vmalloc{0, 0}, 0);
  EXPECT_EQ(ResultOf(first), "ENOMEM");
  EXPECT_EQ(Log(first),
            "WARNING: CPU: 0 PID: 0 at mm/vmalloc.c "
            "__vmalloc_node_range_noprof\n");
}

TEST_F(VmallocTest, FailuresSayWhatWasAskedForAndWhatMemoryIsUsedFor) {
  const Outcome out = s_.Do(Vmalloc{uint64_t{2} << 30, 0}, 0);
  EXPECT_EQ(ResultOf(out), "ENOMEM");
  EXPECT_TRUE(Log(out).starts_with(
      "swapper/0: vmalloc error: size 2147483648, exceeds total pages, "
      "mode:0xcc0(GFP_KERNEL), nodemask=(null),cpuset=/,mems_allowed=0\n"
      "Mem-Info:\n"))
      << Log(out);
}

TEST(VmallocOfI386, TellsTheRangeThatIsFull) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  config.ram_bytes = uint64_t{2} << 30;
  Sim s(config);
  const VmapRange range = VmallocRange(s.kernel());
  const std::string log = Log(s.Do(Vmalloc{200 * kMiB, 0}, 0));
  char text[160];
  std::snprintf(text, sizeof text,
                "vmalloc_node_range for size 209719296 failed: Address range "
                "restricted to 0x%llx - 0x%llx\n",
                static_cast<unsigned long long>(range.start),
                static_cast<unsigned long long>(range.end));
  EXPECT_TRUE(log.starts_with(text)) << log;
  EXPECT_NE(log.find("size 209715200, vm_struct allocation failed, mode:0xcc0"),
            std::string::npos)
      << log;
}

TEST_F(VmallocTest, NoMemoryLeavesNothingBehind) {
  EXPECT_EQ(Free(Alloc(kPageSize)), "OK");
  const uint64_t before = s_.kernel().kernel_maps.nr_vmalloc_pages;
  const uint64_t all = s_.kernel().totalram_pages * kPageSize;
  const Outcome out = s_.Apply(Vmalloc{all, 0}, 0, EventLevel::kFaults);
  EXPECT_EQ(ResultOf(out), "ENOMEM");
  const size_t size = Log(out).find("vmalloc error: size ");
  ASSERT_NE(size, std::string::npos);
  const std::string told = Log(out).substr(size);
  EXPECT_NE(told.find(", failed to allocate pages, mode:0xcc2"),
            std::string::npos);
  const uint64_t got = std::stoull(told.substr(20));
  EXPECT_EQ(got % kPageSize, 0u);
  EXPECT_GT(got, all / 2);
  EXPECT_LT(got, all) << "what was there, not what was asked for";
  EXPECT_EQ(s_.machine().Verify(), "");
  EXPECT_EQ(s_.kernel().kernel_maps.nr_vmalloc_pages, before);
}

// lazy_max_pages(): 32 MiB for one CPU.
TEST_F(VmallocTest, AreasArePurgedTogether) {
  EXPECT_EQ(LazyMaxPages(s_.kernel()), 8192u);
  const uint64_t flushes = s_.kernel().tlb.counters().flushes;
  for (int i = 0; i < 8; i++)
    EXPECT_EQ(Free(Alloc(4 * kMiB - kPageSize)), "OK");
  EXPECT_EQ(s_.kernel().kernel_maps.nr_lazy, 8192u);
  EXPECT_EQ(s_.kernel().tlb.counters().flushes, flushes);
  EXPECT_EQ(Free(Alloc(kPageSize)), "OK");
  EXPECT_EQ(s_.kernel().kernel_maps.nr_lazy, 0u);
  EXPECT_EQ(s_.kernel().tlb.counters().flushes, flushes + 1);
  EXPECT_EQ(Alloc(kPageSize), kStart);
}

TEST_F(VmallocTest, VmallocinfoIsLinuxsText) {
  const uint64_t a = Alloc(3 * kPageSize);
  Alloc(kPageSize);
  EXPECT_EQ(ReadProc(s_.kernel(), "/proc/vmallocinfo").value(),
            "0xffffc90000000000-0xffffc90000004000   16384 vmalloc pages=3 "
            "vmalloc N0=3\n"
            "0xffffc90000004000-0xffffc90000006000    8192 vmalloc pages=1 "
            "vmalloc N0=1\n");
  EXPECT_EQ(Free(a), "OK");
  EXPECT_EQ(ReadProc(s_.kernel(), "/proc/vmallocinfo").value(),
            "0xffffc90000004000-0xffffc90000006000    8192 vmalloc pages=1 "
            "vmalloc N0=1\n"
            "0xffffc90000000000-0xffffc90000004000   16384 unpurged vm_area\n");
  EXPECT_NE(ReadProc(s_.kernel(), "/proc/meminfo")
                .value()
                .find("VmallocUsed:           4 kB"),
            std::string::npos);
}

// One entry of the TLB translates 2 MiB of the direct map; of what vmalloc()
// maps, each page needs its own.
TEST_F(VmallocTest, WalkingItCostsAPageTableLoadAPage) {
  const Outcome kmalloc = s_.Do(Kmalloc{kMiB, gfp::kKernel}, 0);
  const Outcome contiguous = Read(static_cast<uint64_t>(kmalloc.value), 256);
  EXPECT_EQ(contiguous.accesses, 256u);
  EXPECT_EQ(contiguous.tlb_misses, 1u);
  EXPECT_EQ(contiguous.table_loads, 3u) << "PGD, PUD, and a PMD of 2 MiB";
  const Outcome scattered = Read(Alloc(kMiB), 256);
  EXPECT_EQ(scattered.tlb_misses, 256u);
  EXPECT_EQ(scattered.table_loads, 3u + 256) << "the upper levels once";
  EXPECT_GT(scattered.cost_ns, contiguous.cost_ns);
}

TEST_F(VmallocTest, TheTlbRemembers) {
  const uint64_t addr = Alloc(8 * kPageSize);
  EXPECT_EQ(Read(addr, 8).tlb_misses, 8u);
  EXPECT_EQ(Read(addr, 8).tlb_misses, 0u);
  EXPECT_EQ(Read(addr, 8).table_loads, 0u);
}

TEST_F(VmallocTest, WhatIsNotMappedFaults) {
  const uint64_t addr = Alloc(2 * kPageSize);
  const Outcome out = Read(addr, 4);
  EXPECT_EQ(ResultOf(out), "EFAULT");
  EXPECT_EQ(out.accesses, 2u) << "up to the guard page";
  EXPECT_EQ(Log(out),
            "BUG: unable to handle page fault for address: ffffc90000002000\n"
            "#PF: supervisor read access in kernel mode\n"
            "#PF: error_code(0x0000) - not-present page\n");
  EXPECT_EQ(Log(Write(8, 1)),
            "BUG: kernel NULL pointer dereference, address: 0000000000000008\n"
            "#PF: supervisor write access in kernel mode\n"
            "#PF: error_code(0x0002) - not-present page\n");
  EXPECT_EQ(ResultOf(s_.Do(KernelAccess{.kind = AccessKind::kFetch}, 0)),
            "EINVAL");
}

// What nobody has, and what the machine itself stands on, is not to be stored
// to.
TEST_F(VmallocTest, StoresThatWouldDamageTheMachineAreRefused) {
  const Kernel& k = s_.kernel();
  const Pfn table = k.mms[k.tasks[k.pids.at(1)].mm].pgd;
  EXPECT_EQ(ResultOf(Write(VirtOf(k, table), 1)), "EFAULT");
  EXPECT_EQ(ResultOf(Read(VirtOf(k, table))), "OK");
  EXPECT_EQ(ResultOf(Write(VirtOf(k, k.zero_page), 1)), "EFAULT");
  const Pfn last = k.zone(ZoneType::kDma32).pristine.back().end;
  EXPECT_EQ(ResultOf(Write(VirtOf(k, last) - 1, 1)), "EFAULT") << "free";
}

TEST_F(VmallocTest, TablesAreCountedAsLinuxCountsThem) {
  const int64_t before = s_.kernel().vmstat.node[kNrPageTables];
  Alloc(kPageSize);
  EXPECT_EQ(s_.kernel().vmstat.node[kNrPageTables], before + 2)
      << "a PMD and a PTE table; boot made the upper ones";
  Alloc(2 * kMiB);
  EXPECT_EQ(s_.kernel().vmstat.node[kNrPageTables], before + 3);
}

TEST_F(VmallocTest, NothingExistsBeforeItIsUsed) {
  EXPECT_FALSE(s_.kernel().kernel_maps.pgd.valid());
  EXPECT_EQ(s_.kernel().kernel_maps.areas.count(), 0u);
}

TEST_F(VmallocTest, AreasAreSaved) {
  std::vector<uint64_t> areas;
  for (uint64_t i = 0; i < 20; i++) areas.push_back(Alloc(i * 5000 + 1));
  for (size_t i = 0; i < areas.size(); i += 3) EXPECT_EQ(Free(areas[i]), "OK");
  Read(areas[1]);
  Sim copy(Machine::Load(s_.machine().Save()));
  EXPECT_EQ(copy.machine().Fingerprint(), s_.machine().Fingerprint());
  EXPECT_EQ(copy.Do(Vmalloc{7000, 0}, 0).value,
            s_.Do(Vmalloc{7000, 0}, 0).value);
  EXPECT_EQ(copy.machine().Fingerprint(), s_.machine().Fingerprint());
}

class HighMemTest : public ::testing::TestWithParam<Profile> {
 protected:
  HighMemTest() : s_(Config()) {}
  static MachineConfig Config() {
    MachineConfig config;
    config.profile = GetParam();
    config.ram_bytes = uint64_t{1} << 30;
    return config;
  }
  // How many slots pkmap has, and where it is.
  static uint32_t Slots() {
    return GetParam() == Profile::kI386Pae ? 512 : 1024;
  }
  static uint64_t Base() {
    return GetParam() == Profile::kI386Pae ? 0xff000000 : 0xfec00000;
  }
  uint64_t HighPage() {
    struct AllocPages alloc;
    alloc.gfp = gfp::kHighUser;
    return static_cast<uint64_t>(s_.Apply(alloc, 0).value);
  }
  uint64_t Map(uint64_t pfn) {
    const Outcome out = s_.Apply(Kmap{pfn}, 0);
    EXPECT_EQ(ResultOf(out), "OK");
    return static_cast<uint64_t>(out.value);
  }
  uint64_t MapLocal(uint64_t pfn) {
    const Outcome out = s_.Do(KmapLocal{pfn}, 0);
    EXPECT_EQ(ResultOf(out), "OK");
    return static_cast<uint64_t>(out.value);
  }
  std::string UnmapLocal(uint64_t addr) {
    return ResultOf(s_.Do(KunmapLocal{addr}, 0));
  }
  std::string Read(uint64_t addr) {
    return ResultOf(
        s_.Do(KernelAccess{.kind = AccessKind::kRead, .addr = addr}, 0));
  }
  void Write(uint64_t addr, uint8_t value) {
    const KernelAccess store{
        .kind = AccessKind::kWrite, .addr = addr, .value = value};
    EXPECT_EQ(ResultOf(s_.Do(store, 0)), "OK");
  }
  Sim s_;
};

TEST_P(HighMemTest, KmapGivesAPageOfHighMemoryAnAddress) {
  const uint64_t pfn = HighPage();
  EXPECT_EQ(s_.Do(PageAddress{pfn}, 0).value, 0);
  const uint64_t addr = Map(pfn);
  EXPECT_EQ(addr, Base() + kPageSize) << "slot 1 is the first";
  EXPECT_EQ(Map(pfn), addr) << "again: one user more";
  EXPECT_EQ(static_cast<uint64_t>(s_.Do(PageAddress{pfn}, 0).value), addr);
  EXPECT_EQ(ResultOf(s_.Do(
                KernelAccess{
                    .kind = AccessKind::kWrite, .addr = addr + 5, .value = 9},
                0)),
            "OK");
  EXPECT_EQ(s_.kernel().frames[Pfn(static_cast<uint32_t>(pfn))].Read(5), 9);
  EXPECT_EQ(ResultOf(s_.Do(Kunmap{pfn}, 0)), "OK");
  EXPECT_EQ(ResultOf(s_.Do(Kunmap{pfn}, 0)), "OK");
  EXPECT_EQ(ResultOf(s_.Do(Kunmap{pfn}, 0)), "EINVAL");
  EXPECT_EQ(static_cast<uint64_t>(s_.Do(PageAddress{pfn}, 0).value), addr)
      << "its slot is not needed yet";
}

TEST_P(HighMemTest, LowMemoryHasItsAddressAnyway) {
  struct AllocPages alloc;
  alloc.gfp = gfp::kKernel;
  const auto pfn = static_cast<uint64_t>(s_.Do(alloc, 0).value);
  EXPECT_EQ(Map(pfn), 0xc0000000 + pfn * kPageSize);
  EXPECT_EQ(ResultOf(s_.Do(Kunmap{pfn}, 0)), "OK");
}

// At the wrap those without a user are flushed from the TLB at once.
TEST_P(HighMemTest, SlotsAreReusedAfterAFlush) {
  const uint64_t first = HighPage();
  const uint64_t addr = Map(first);
  EXPECT_EQ(ResultOf(s_.Apply(Kunmap{first}, 0)), "OK");
  for (uint32_t i = 2; i < Slots(); i++) {
    const uint64_t pfn = HighPage();
    EXPECT_EQ(Map(pfn), Base() + uint64_t{i} * kPageSize);
    if (i % 2 == 0) {
      EXPECT_EQ(ResultOf(s_.Apply(Kunmap{pfn}, 0)), "OK");
    }
  }
  EXPECT_EQ(s_.machine().Verify(), "");
  const uint64_t flushes = s_.kernel().tlb.counters().flushes;
  EXPECT_EQ(Map(HighPage()), Base()) << "slot 0 comes at the wrap";
  EXPECT_EQ(s_.kernel().tlb.counters().flushes, flushes + 1);
  EXPECT_EQ(s_.Do(PageAddress{first}, 0).value, 0);
  EXPECT_EQ(Map(HighPage()), addr);
}

TEST_P(HighMemTest, WithoutAFreeSlotOneWouldSleep) {
  for (uint32_t i = 0; i < Slots(); i++) Map(HighPage());
  EXPECT_EQ(ResultOf(s_.Do(Kmap{HighPage()}, 0)), "EAGAIN");
  EXPECT_EQ(ResultOf(s_.Do(Kmap{uint64_t{1} << 40}, 0)), "EINVAL");
}

TEST_P(HighMemTest, VmallocUsesHighMemory) {
  const auto addr =
      static_cast<uint64_t>(s_.Do(Vmalloc{kPageSize, 0}, 0).value);
  const VmapRange range = VmallocRange(s_.kernel());
  EXPECT_EQ(addr, range.start);
  EXPECT_EQ(range.start, 0xf8000000 + 8 * kMiB);
  EXPECT_GE(KernelAddrToPfn(s_.kernel(), addr).value(), 0x38000u);
  const Outcome out = s_.Do(Vmalloc{200 * kMiB, 0}, 0);
  EXPECT_EQ(ResultOf(out), "ENOMEM") << "the area is smaller";
  EXPECT_EQ(range.end, Base() - 2 * kPageSize);
}

// The slots of the CPU: the first is at __fix_to_virt(FIX_KMAP_BEGIN), the next
// below it, and the last one taken is the first that is given back.
TEST_P(HighMemTest, KmapLocalTakesTheSlotsOfTheCpuInTurn) {
  const uint64_t a = HighPage(), b = HighPage();
  EXPECT_EQ(MapLocal(a), 0xfffbb000);
  EXPECT_EQ(MapLocal(b), 0xfffba000);
  EXPECT_EQ(MapLocal(a), 0xfffb9000) << "again: another slot";
  EXPECT_EQ(s_.Do(PageAddress{a}, 0).value, 0) << "that is kmap's alone";
  Write(0xfffba007, 77);
  EXPECT_EQ(s_.kernel().frames[Pfn(static_cast<uint32_t>(b))].Read(7), 77);
  EXPECT_EQ(UnmapLocal(0xfffb9000), "OK");
  EXPECT_EQ(UnmapLocal(0xfffba123), "OK") << "any address in the page";
  EXPECT_EQ(Read(0xfffba007), "EFAULT") << "nor does the TLB know it";
  EXPECT_EQ(MapLocal(a), 0xfffba000);
  EXPECT_EQ(Read(0xfffba000), "OK");
}

TEST_P(HighMemTest, KmapLocalEndsInReverseOrder) {
  const uint64_t outer = MapLocal(HighPage()), inner = MapLocal(HighPage());
  const Outcome out = s_.Do(KunmapLocal{outer}, 0);
  EXPECT_EQ(ResultOf(out), "EINVAL");
  EXPECT_EQ(Log(out),
            "WARNING: CPU: 0 PID: 0 at mm/highmem.c kunmap_local_indexed\n");
  EXPECT_EQ(Read(outer), "OK") << "it is still mapped";
  EXPECT_EQ(UnmapLocal(inner), "OK");
  EXPECT_EQ(UnmapLocal(inner), "EINVAL") << "twice";
  EXPECT_EQ(UnmapLocal(outer), "OK");
  EXPECT_EQ(UnmapLocal(outer), "EINVAL") << "nothing is mapped";
}

TEST_P(HighMemTest, KmapLocalHasFifteenSlots) {
  for (int i = 0; i < 15; i++) MapLocal(HighPage());
  const Outcome out = s_.Do(KmapLocal{HighPage()}, 0);
  EXPECT_EQ(ResultOf(out), "EINVAL");
  EXPECT_EQ(Log(out), "kernel BUG at mm/highmem.c!\n");
  EXPECT_EQ(ResultOf(s_.Do(KmapLocal{uint64_t{1} << 40}, 0)), "EINVAL");
  Sim copy(Machine::Load(s_.machine().Save()));
  EXPECT_EQ(copy.machine().Fingerprint(), s_.machine().Fingerprint());
  EXPECT_EQ(UnmapLocal(0xfffbb000 - 14 * kPageSize), "OK");
  MapLocal(HighPage());
}

TEST_P(HighMemTest, KmapLocalOfLowMemoryTakesNoSlot) {
  struct AllocPages alloc;
  alloc.gfp = gfp::kKernel;
  const auto pfn = static_cast<uint64_t>(s_.Do(alloc, 0).value);
  const uint64_t addr = 0xc0000000 + pfn * kPageSize;
  for (int i = 0; i < 20; i++) EXPECT_EQ(MapLocal(pfn), addr);
  for (int i = 0; i < 20; i++) EXPECT_EQ(UnmapLocal(addr), "OK");
  EXPECT_EQ(MapLocal(HighPage()), 0xfffbb000);
  EXPECT_EQ(UnmapLocal(0x8048000), "EINVAL") << "an address of user space";
  EXPECT_EQ(UnmapLocal(0xfffbc000), "OK") << "none of the slots";
  EXPECT_EQ(UnmapLocal(0xfffbb000), "OK");
}

INSTANTIATE_TEST_SUITE_P(Profiles, HighMemTest,
                         ::testing::Values(Profile::kI386Pae, Profile::kI386),
                         [](const auto& info) {
                           return std::string(
                               info.param == Profile::kI386 ? "NoPae" : "Pae");
                         });

// 64 bits see all of memory.
TEST_F(VmallocTest, KmapLocalIsTheDirectMap) {
  EXPECT_EQ(static_cast<uint64_t>(s_.Do(KmapLocal{1000}, 0).value),
            0xffff888000000000 + 1000 * kPageSize);
  EXPECT_EQ(ResultOf(s_.Do(KunmapLocal{0xffff888000000000}, 0)), "OK");
}

}  // namespace
}  // namespace faultline

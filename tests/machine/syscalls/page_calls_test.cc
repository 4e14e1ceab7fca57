// The kernel's own calls for page frames, and what bad ones come to.
#include <gtest/gtest.h>

#include <string>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/show_mem.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kDirectMap = 0xffff888000000000;

// What the kernel wrote to its log.
std::string Log(const Outcome& out) {
  std::string log;
  for (const Event& e : out.events) {
    if (const auto* console = std::get_if<Console>(&e.body)) {
      log += console->msg;
    }
  }
  return log;
}

class PageCalls : public ::testing::Test {
 protected:
  uint64_t Alloc(uint32_t order, uint32_t gfp = gfp::kKernel) {
    struct AllocPages alloc;
    alloc.gfp = gfp;
    alloc.order = order;
    return static_cast<uint64_t>(s_.Do(alloc, 0).value);
  }
  Outcome Free(uint64_t pfn, uint32_t order) {
    struct FreePages free;
    free.pfn = pfn;
    free.order = order;
    return s_.Do(free, 0);
  }
  Sim s_;
};

TEST_F(PageCalls, GiveAndTake) {
  const uint64_t before = s_.free_pages();
  const uint64_t pfn = Alloc(2);
  EXPECT_EQ(s_.free_pages(), before - 4);
  const Outcome out = Free(pfn, 2);
  EXPECT_EQ(ResultOf(out), "OK");
  EXPECT_EQ(Log(out), "");
  EXPECT_EQ(s_.free_pages(), before);
}

TEST_F(PageCalls, AddressesAreOfTheDirectMap) {
  const Outcome out = s_.Do(GetFreePages{gfp::kKernel | gfp::kHighMem, 1}, 0);
  const auto addr = static_cast<uint64_t>(out.value);
  EXPECT_GE(addr, kDirectMap);
  const uint64_t pfn = (addr - kDirectMap) / kPageSize;
  EXPECT_EQ(static_cast<uint64_t>(s_.Do(PageAddress{pfn}, 0).value), addr);
  const uint64_t before = s_.free_pages();
  EXPECT_EQ(ResultOf(s_.Do(FreeAddress{addr, 1}, 0)), "OK");
  EXPECT_EQ(s_.free_pages(), before + 2);
  EXPECT_EQ(ResultOf(s_.Do(FreeAddress{0, 1}, 0)), "OK") << "NULL is no page";
  const Outcome again = s_.Do(GetFreePages{gfp::kKernel, 1}, 0);
  const auto inside = static_cast<uint64_t>(again.value) + 5;
  EXPECT_EQ(ResultOf(s_.Do(FreeAddress{inside, 1}, 0)), "OK")
      << "virt_to_page() looks at no lower bits";
  EXPECT_EQ(ResultOf(s_.Do(FreeAddress{0x1000, 1}, 0)), "EFAULT");
  EXPECT_EQ(ResultOf(s_.Do(PageAddress{uint64_t{1} << 40}, 0)), "EINVAL");
}

TEST_F(PageCalls, AZeroedPageIsOneOfZeros) {
  const Outcome out = s_.Do(GetZeroedPage{gfp::kKernel}, 0);
  const uint64_t pfn =
      (static_cast<uint64_t>(out.value) - kDirectMap) / kPageSize;
  EXPECT_TRUE(s_.kernel().frames[Pfn(static_cast<uint32_t>(pfn))].IsZero());
}

TEST(PageCallsI386, HighMemoryHasNoAddress) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  config.ram_bytes = uint64_t{2} << 30;
  Sim s(config);
  struct AllocPages alloc;
  alloc.gfp = gfp::kHighUser;
  const auto high = static_cast<uint64_t>(s.Do(alloc, 0).value);
  EXPECT_EQ(s.Do(PageAddress{high}, 0).value, 0);
  const Outcome low = s.Do(GetFreePages{gfp::kHighUser, 0}, 0);
  EXPECT_GE(static_cast<uint64_t>(low.value), 0xc0000000u);
  EXPECT_LT(static_cast<uint64_t>(low.value), 0xc0000000u + (896u << 20));
}

TEST_F(PageCalls, WhatWasNotAllocatedIsABadPage) {
  const uint64_t pfn = Alloc(2);
  ASSERT_EQ(ResultOf(Free(pfn, 2)), "OK");
  struct Row {
    const char* name;
    uint64_t pfn;
    const char* reason;
  };
  s_.Run("map 0 rw; write 0 v1");
  const uint64_t mapped = s_.PteOf(At(0)).pfn().value();
  const Row rows[] = {
      {"twice", pfn, "nonzero _refcount"},
      {"the middle of a block", Alloc(3) + 1, "nonzero _refcount"},
      {"a user's page", mapped, "nonzero mapcount"},
      {"the zero page", s_.kernel().zero_page.value(),
       "PAGE_FLAGS_CHECK_AT_FREE flag(s) set"},
  };
  for (const Row& row : rows) {
    const uint64_t before = s_.free_pages();
    const Outcome out = Free(row.pfn, 0);
    EXPECT_EQ(ResultOf(out), "EINVAL") << row.name;
    const std::string log = Log(out);
    EXPECT_TRUE(log.starts_with("BUG: Bad page state in process ")) << log;
    EXPECT_NE(log.find(row.reason), std::string::npos) << row.name << log;
    EXPECT_EQ(s_.free_pages(), before) << row.name;
  }
  EXPECT_EQ(ResultOf(Free(uint64_t{1} << 40, 0)), "EINVAL");
  EXPECT_EQ(ResultOf(Free(Alloc(0), 11)), "EINVAL");
}

TEST_F(PageCalls, ABadPageIsShownWithItsFlags) {
  const uint64_t pfn = Alloc(3);
  const std::string frame = PointerText(s_.kernel(), pfn + 1).substr(11);
  ASSERT_EQ(ZoneOf(s_.kernel(), Pfn(static_cast<uint32_t>(pfn))),
            ZoneType::kDma32);
  EXPECT_EQ(Log(Free(pfn + 1, 0)),
            "BUG: Bad page state in process swapper/0  pfn:" + frame +
                "\npage: refcount:-1 mapcount:0 mapping:0000000000000000 "
                "index:0x0 pfn:0x" +
                frame.substr(frame.find_first_not_of('0')) +
                "\nflags: 0xfffffc0000000(node=0|zone=1|lastcpupid=0x1fffff)\n"
                "page dumped because: nonzero _refcount\n");
  // Of the zero page.
  const uint64_t zero = s_.kernel().zero_page.value();
  EXPECT_NE(
      Log(Free(zero, 0)).find("flags: 0xfffffc0002000(reserved|node=0|zone=1|"),
      std::string::npos);
}

TEST(PageFlagsText, IsThatOfTheKernel) {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  config.ram_bytes = uint64_t{8} << 30;
  Sim s(config);
  const auto addr =
      static_cast<uint64_t>(s.Do(Kmalloc{1024, gfp::kKernel}, 0).value);
  const Kernel& k = s.kernel();
  const Pfn pfn = PfnOfVirt(k, addr);
  ASSERT_EQ(ZoneOf(k, pfn), ZoneType::kNormal);
  // As in reports of Debian's 6.1.
  EXPECT_EQ(PageFlagsText(k, pfn, k.page(pfn)),
            "0x17ffffc0010200(slab|head|node=0|zone=2|lastcpupid=0x1fffff)");
}

TEST_F(PageCalls, ASmallerOrderLeaksTheRest) {
  const uint64_t pfn = Alloc(3), before = s_.free_pages();
  const Outcome out = Free(pfn, 1);
  EXPECT_EQ(ResultOf(out), "OK");
  EXPECT_EQ(Log(out), "") << "nobody notices";
  EXPECT_EQ(s_.free_pages(), before + 2);
  EXPECT_EQ(ResultOf(Free(pfn + 2, 1)), "EINVAL") << "it is lost";
}

TEST_F(PageCalls, ALargerOrderIsReportedAndLost) {
  const uint64_t pfn = Alloc(1), before = s_.free_pages();
  const Outcome out = Free(pfn, 3);
  EXPECT_EQ(ResultOf(out), "EINVAL");
  EXPECT_NE(Log(out).find("Bad page state"), std::string::npos);
  EXPECT_EQ(s_.free_pages(), before);
  EXPECT_EQ(ResultOf(Free(pfn, 1)), "EINVAL") << "it is lost";
}

TEST_F(PageCalls, AFailureIsReportedUnlessItWasNotToBe) {
  struct AllocPages alloc;
  alloc.gfp = gfp::kKernel | gfp::kComp;
  alloc.order = 10;
  Outcome out;
  do {
    out = s_.Apply(alloc, 1, EventLevel::kFaults);
  } while (out.error == Errno::kOk);
  EXPECT_EQ(ResultOf(out), "ENOMEM");
  const std::string log = Log(out);
  EXPECT_TRUE(log.starts_with(
      "init: page allocation failure: order:10, "
      "mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null),cpuset=/,"
      "mems_allowed=0\nMem-Info:\nactive_anon:"))
      << log;
  EXPECT_NE(log.find("\nNode 0 DMA free:"), std::string::npos);
  // The longest line is there to its end.
  EXPECT_NE(log.find(" free_cma:0kB\nlowmem_reserve[]: 0 "), std::string::npos);
  EXPECT_NE(log.find("Node 0 DMA32: "), std::string::npos);
  alloc.gfp |= gfp::kNoWarn;
  EXPECT_EQ(Log(s_.Do(alloc)), "");
}

TEST_F(PageCalls, AnOrderThatNoBlockHasIsWarnedOf) {
  struct AllocPages alloc;
  alloc.order = 11;
  alloc.gfp = gfp::kKernel | gfp::kNoWarn;
  Outcome out = s_.Do(alloc);
  EXPECT_EQ(ResultOf(out), "ENOMEM");
  EXPECT_EQ(Log(out), "");
  alloc.gfp = gfp::kKernel;
  out = s_.Do(alloc);
  EXPECT_EQ(ResultOf(out), "ENOMEM");
  EXPECT_EQ(Log(out),
            "WARNING: CPU: 0 PID: 1 at mm/page_alloc.c "
            "__alloc_frozen_pages_noprof\n");
  alloc.order = 0xffffffff;
  EXPECT_EQ(Log(s_.Do(alloc)), Log(out));
}

std::string FailureLog(Sim& s, uint32_t gfp, uint32_t order) {
  struct AllocPages alloc;
  alloc.gfp = gfp;
  alloc.order = order;
  Outcome out;
  do {
    out = s.Apply(alloc, 1, EventLevel::kFaults);
  } while (out.error == Errno::kOk);
  return Log(out);
}

TEST(AllocFailures, ShowTheZonesThatTheRequestCouldUse) {
  Sim s;
  const std::string dma = FailureLog(s, gfp::kDma, 8);
  EXPECT_NE(dma.find("\nNode 0 DMA free:"), std::string::npos) << dma;
  EXPECT_NE(dma.find("\nNode 0 DMA: "), std::string::npos);
  EXPECT_EQ(dma.find("Node 0 DMA32"), std::string::npos);
  const std::string any = FailureLog(s, gfp::kKernel, 10);
  EXPECT_NE(any.find("\nNode 0 DMA32 free:"), std::string::npos);
}

TEST(AllocFailures, OfI386HaveNoNodesAndNoHighMemory) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  config.ram_bytes = uint64_t{1200} << 20;
  Sim s(config);
  const std::string log = FailureLog(s, gfp::kKernel, 10);
  EXPECT_NE(log.find("\nNormal free:"), std::string::npos) << log;
  EXPECT_NE(log.find("\nNormal: "), std::string::npos);
  EXPECT_NE(log.find("\nNode 0 active_anon:"), std::string::npos);
  EXPECT_EQ(log.find("HighMem free:"), std::string::npos);
}

TEST(AllocFailures, Of61AreInItsWords) {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  Sim s(config);
  const std::string log = FailureLog(s, gfp::kDma, 8);
  EXPECT_NE(log.find("\nNode 0 DMA32 free:"), std::string::npos)
      << "all zones" << log;
  EXPECT_EQ(log.find("free_highatomic:"), std::string::npos);
  EXPECT_EQ(log.find("zspages:"), std::string::npos);
  EXPECT_EQ(log.find("Balloon:"), std::string::npos);
  EXPECT_NE(log.find("anon_thp:0kB writeback_tmp:0kB kernel_stack:0kB"),
            std::string::npos);
}

TEST(GfpNames, AreThoseOfTheTracepoints) {
  EXPECT_EQ(GfpFlagNames(Personality::kLinux618, 0), "none");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux618, gfp::kKernel), "GFP_KERNEL");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux618, gfp::kAtomic | gfp::kZero),
            "GFP_ATOMIC|__GFP_ZERO");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux618, gfp::kHighUserMovable),
            "GFP_HIGHUSER_MOVABLE");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux618, gfp::kNowait), "GFP_NOWAIT");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux618,
                         gfp::kKernel | gfp::kNoretry | gfp::kDma32),
            "GFP_KERNEL|GFP_DMA32|__GFP_NORETRY");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux618, 0x200), "0x200");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux618,
                         gfp::kKernel | gfp::kThisnode | gfp::kWrite),
            "GFP_KERNEL|__GFP_WRITE|__GFP_THISNODE");
}

TEST(GfpNames, OfAUsersPageDependOnTheKernel) {
  constexpr uint32_t kAnonymous = 0x140dca;
  EXPECT_EQ(gfp::kUserFolio | gfp::kZero, kAnonymous);
  EXPECT_EQ(GfpFlagNames(Personality::kLinux618, kAnonymous),
            "GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux61, kAnonymous),
            "GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux61, 0xa20), "GFP_ATOMIC");
  EXPECT_EQ(GfpFlagNames(Personality::kLinux61, 0x820),
            "GFP_NOWAIT|__GFP_HIGH");
}

}  // namespace
}  // namespace faultline

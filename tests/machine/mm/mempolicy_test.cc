// NUMA memory policies: what tests/conformance/rows/mempolicy.rows cannot ask
// of a machine with the settings of the kernel that everybody uses.
#include <gtest/gtest.h>

#include <string>

#include "server/machine/mm/mempolicy_types.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;

Mbind Bind(uint64_t page, uint64_t pages, uint64_t mode, uint64_t nodes = 1,
           uint64_t flags = 0) {
  return {At(page), pages * kPage, mode, {nodes}, 65, flags};
}

MachineConfig Of61() {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  return config;
}

std::string NumaMaps(Sim& s) {
  const auto text = ReadProc(s.kernel(), "/proc/1/numa_maps");
  return text.ok() ? text.value() : "none";
}

const Inode& FileOf(const Sim& s, uint64_t addr) {
  const Kernel& k = s.kernel();
  return k.inodes[k.open_files[s.VmaOf(addr).file].inode];
}

TEST(Mempolicy, AreasThatDifferInItDoNotMerge) {
  Sim s;
  s.Run("map 0-6 rw");
  EXPECT_EQ(ResultOf(s.Do(Bind(2, 2, mpol::kBind))), "OK");
  EXPECT_EQ(s.Vmas(), "0-2:rw 2-4:rw 4-6:rw");
  EXPECT_EQ(ResultOf(s.Do(Mbind{At(0), 6 * kPage, mpol::kDefault, {}, 0, 0})),
            "OK");
  EXPECT_EQ(s.Vmas(), "0-6:rw");
}

TEST(Mempolicy, AWrittenPageLendsNoAnonVmaToAnotherPolicy) {
  Sim s;
  s.Run("map 0-4 rw");
  s.Do(Bind(2, 2, mpol::kBind));
  s.Run("write 0 +1; write 2 +1");
  EXPECT_NE(s.VmaOf(At(0)).anon_vma, s.VmaOf(At(2)).anon_vma);
  s.Do(Mbind{At(0), 4 * kPage, mpol::kDefault, {}, 0, 0});
  EXPECT_EQ(s.Vmas(), "0-2:rw 2-4:rw");
}

TEST(Mempolicy, EqualOnesHaveOnePlace) {
  Sim s;
  s.Run("map 0-4 rw");
  for (int i = 0; i < 3; i++) {
    s.Do(Bind(0, 2, mpol::kBind));
    s.Do(Bind(0, 2, mpol::kLocal, 0));
    s.Do(Bind(0, 2, mpol::kBind, 3));  // node 1 is not there
  }
  EXPECT_EQ(s.kernel().mempolicies.size(), 2u);
}

TEST(Mempolicy, ThereIsAnEndOfThem) {
  Sim s;
  s.Run("map 0-2 rw");
  for (uint64_t i = 0; i < kMempoliciesMax; i++) {
    const uint64_t nodes = i << 1 | 1;
    ASSERT_EQ(
        ResultOf(s.Apply(Bind(0, 1, mpol::kBind | mpol::kStaticNodes, nodes))),
        "OK");
  }
  EXPECT_EQ(ResultOf(s.Apply(Bind(0, 1, mpol::kLocal, 0))), "ENOMEM");
  EXPECT_EQ(ResultOf(s.Apply(Bind(0, 1, mpol::kBind | mpol::kStaticNodes, 1))),
            "OK");
}

TEST(Mempolicy, NumaMapsTellsThem) {
  Sim s;
  s.Run("map 0-6 rw; write 0-3 +3; read 3 +1");
  s.Do(Bind(0, 2, mpol::kBind));
  s.Do(Bind(2, 2,
            mpol::kPreferredMany | mpol::kStaticNodes | mpol::kNumaBalancing));
  EXPECT_EQ(NumaMaps(s).substr(0, NumaMaps(s).find("7ff")),
            "10000000 bind:0 anon=2 dirty=2 active=0 N0=2 kernelpagesize_kB=4\n"
            "10002000 prefer (many)=static|balancing:0 anon=1 dirty=1 active=0 "
            "N0=1 kernelpagesize_kB=4\n"
            "10004000 default\n");
  s.Do(SetMempolicy{mpol::kInterleave, {1}, 65});
  EXPECT_NE(NumaMaps(s).find("10004000 interleave:0\n"), std::string::npos);
  EXPECT_NE(NumaMaps(s).find(" interleave:0 stack anon="), std::string::npos);
}

TEST(Mempolicy, AMovedPageLeavesItsFrame) {
  Sim s;
  s.Run("map 0-2 rw; write 0-2 v7 +2");
  const Pfn before = s.PteOf(At(1)).pfn();
  EXPECT_EQ(ResultOf(s.Do(Bind(0, 2, mpol::kLocal, 0, mpol::kMfMove))), "OK");
  EXPECT_NE(s.PteOf(At(1)).pfn(), before);
  s.Run("read 1 =7 +0; write 1 v8 +0");
}

TEST(Mempolicy, SharedMemoryThatIsGoneTakesItsPoliciesAlong) {
  Sim s;
  s.Run("map 0-4 rw shared");
  s.Do(Bind(1, 2, mpol::kBind));
  EXPECT_EQ(FileOf(s, At(0)).policies.size(), 1u);
  s.Run("unmap 0-4; map 0-4 rw shared");
  EXPECT_TRUE(FileOf(s, At(0)).policies.empty());
}

TEST(Mempolicy, Linux61HasFewerModes) {
  Sim s(Of61());
  s.Run("map 0-2 rw");
  EXPECT_EQ(ResultOf(s.Do(Bind(0, 1, mpol::kWeightedInterleave))), "EINVAL");
  EXPECT_EQ(
      ResultOf(s.Do(Bind(0, 1, mpol::kPreferredMany | mpol::kNumaBalancing))),
      "EINVAL");
  EXPECT_EQ(ResultOf(s.Do(Bind(0, 1, mpol::kBind | mpol::kNumaBalancing))),
            "OK");
  EXPECT_EQ(NumaMaps(s).substr(0, 18), "10000000 bind=:0\n1");
}

TEST(Mempolicy, AnI386KernelKnowsNoNodes) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  Sim s(config);
  s.Run("map 0-2 rw");
  EXPECT_EQ(ResultOf(s.Do(Bind(0, 1, mpol::kBind))), "ENOSYS");
  EXPECT_EQ(ResultOf(s.Do(SetMempolicy{})), "ENOSYS");
  EXPECT_EQ(ResultOf(s.Do(GetMempolicy{})), "ENOSYS");
  EXPECT_EQ(ResultOf(s.Do(SetMempolicyHomeNode{})), "ENOSYS");
  EXPECT_EQ(NumaMaps(s), "none");
}

}  // namespace
}  // namespace faultline

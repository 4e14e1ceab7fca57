// Shrinkers: how many objects they are asked to look at, and what each drops.
#include "server/machine/mm/shrink_slab.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/machine/mm/filemap.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/vmscan.h"
#include "server/machine/mm/workingset.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint32_t kDropPages = 1, kDropSlabs = 2;

MachineConfig WithRam(uint64_t mib) {
  MachineConfig config;
  config.ram_bytes = mib * kMiB;
  return config;
}
uint64_t Count(const Sim& s, VmEvent event) {
  return s.kernel().vmstat.events[event];
}
const Shrinkers& ShrinkersOf(const Sim& s) { return s.kernel().shrinkers; }
const Inode& InodeAt(const Sim& s, const std::string& path) {
  return s.kernel().inodes[s.kernel().names.at(path)];
}

// Files of a disk whose names nobody uses.
void CreateFiles(Sim& s, int files) {
  for (int i = 0; i < files; i++) {
    CreateFile file;
    file.path = "/f" + std::to_string(i);
    file.size = kPageSize;
    file.content = FileContent::kPattern;
    file.fs = FsType::kExt4;
    file.cached = false;
    ASSERT_EQ(s.Apply(file, 0).error, Errno::kOk);
  }
}

uint64_t Shrink(Sim& s, int priority, uint32_t gfp = gfp::kKernel) {
  uint64_t freed = 0;
  s.Edit([&](Kernel& k) {
    ShrinkControl sc{.gfp = gfp};
    freed = ShrinkSlab(k, sc, priority);
  });
  EXPECT_EQ(s.machine().Verify(), "");
  return freed;
}

TEST(ShrinkSlab, WhatIsLessThanABatchIsPutOff) {
  Sim s(WithRam(64));
  CreateFiles(s, 300);
  const auto deferred = [&] {
    return ShrinkersOf(s).nr_deferred[kShrinkSuperblock];
  };
  EXPECT_EQ(Shrink(s, 12), 0u);
  EXPECT_EQ(deferred(), 0u) << "300 >> 12";
  EXPECT_EQ(Shrink(s, 2), 0u);
  EXPECT_EQ(deferred(), 150u) << "300 / 4, times 4 / 2 seeks";
  EXPECT_EQ(Shrink(s, 2), 0u);
  EXPECT_EQ(deferred(), 300u);
  EXPECT_EQ(Count(s, kSlabsScanned), 0u);
  // 600 more, but no more than twice what there is are looked at: all names,
  // and of the inodes that they held at least one.
  EXPECT_EQ(Shrink(s, 0), 301u);
  EXPECT_EQ(Count(s, kSlabsScanned), 600u);
  EXPECT_EQ(deferred(), 300u);
  EXPECT_EQ(ShrinkersOf(s).s_dentry_lru.count, 0u);
  EXPECT_EQ(ShrinkersOf(s).s_inode_lru.count, 299u);
}

TEST(ShrinkSlab, LargeCachesAreShrunkInBatches) {
  Sim s(WithRam(64));
  CreateFiles(s, 3000);
  // 3000 / 2 times 2: two batches of 1024, and what is left is put off.
  Shrink(s, 1);
  EXPECT_EQ(Count(s, kSlabsScanned), 2048u);
  EXPECT_EQ(ShrinkersOf(s).nr_deferred[kShrinkSuperblock], 3000u - 2048);
}

TEST(ShrinkSlab, PressureOfTheFileSystemIsAKnob) {
  Sim s(WithRam(64));
  CreateFiles(s, 300);
  s.SetSysctl("vm.vfs_cache_pressure", 0);
  Shrink(s, 0);
  EXPECT_EQ(ShrinkersOf(s).s_dentry_lru.count, 300u);
  s.SetSysctl("vm.vfs_cache_pressure", 50);
  Shrink(s, 1);
  EXPECT_EQ(ShrinkersOf(s).nr_deferred[kShrinkSuperblock], 0u);
  EXPECT_EQ(Count(s, kSlabsScanned), 150u) << "as many as were counted";
}

TEST(ShrinkSlab, AnAllocationWithinTheFileSystemLeavesItAlone) {
  Sim s(WithRam(64));
  CreateFiles(s, 10);
  EXPECT_EQ(Shrink(s, 0, gfp::kNofs), 0u);
  EXPECT_EQ(ShrinkersOf(s).s_dentry_lru.count, 10u);
  EXPECT_EQ(ShrinkersOf(s).nr_deferred[kShrinkSuperblock], 20u);
}

TEST(SuperCache, ADroppedInodeIsReadAgain) {
  Sim s(WithRam(64));
  CreateFiles(s, 1);
  s.Do(DropCaches{kDropSlabs}, 0);
  EXPECT_EQ(Count(s, kDropSlab), 1u);
  EXPECT_FALSE(InodeAt(s, "/f0").dentry);
  EXPECT_FALSE(InodeAt(s, "/f0").in_core);
  const uint64_t read = Count(s, kPgPgIn);
  const Outcome first = s.Do(Open{"/f0", kOpenBoth, -1});
  EXPECT_TRUE(InodeAt(s, "/f0").in_core);
  EXPECT_EQ(Count(s, kPgPgIn), read + 8) << "sectors";
  const Outcome second = s.Do(Open{"/f0", kOpenBoth, -1});
  EXPECT_GT(first.cost_ns, second.cost_ns + 1000);
  EXPECT_EQ(Count(s, kPgPgIn), read + 8);
}

TEST(SuperCache, WhatIsOpenOrDirtyStays) {
  Sim s(WithRam(64));
  CreateFiles(s, 2);
  const Outcome open = s.Do(Open{"/f0", kOpenBoth, -1});
  const Outcome dirty = s.Do(Open{"/f1", kOpenBoth, -1});
  s.Do(Write{static_cast<int32_t>(dirty.value), 0, "x"});
  s.Do(Close{static_cast<int32_t>(dirty.value)});
  s.Do(DropCaches{kDropPages | kDropSlabs}, 0);
  EXPECT_TRUE(InodeAt(s, "/f0").dentry);
  EXPECT_FALSE(InodeAt(s, "/f1").dentry);
  EXPECT_TRUE(InodeAt(s, "/f1").in_core) << "it has to be written first";
  s.Do(Sync{});
  EXPECT_EQ(ShrinkersOf(s).s_inode_lru.count, 0u) << "it has a page";
  s.Do(DropCaches{kDropPages}, 0);
  EXPECT_EQ(ShrinkersOf(s).s_inode_lru.count, 1u);
  s.Do(DropCaches{kDropSlabs}, 0);
  EXPECT_FALSE(InodeAt(s, "/f1").in_core);
  s.Do(Close{static_cast<int32_t>(open.value)});
  EXPECT_EQ(ShrinkersOf(s).s_dentry_lru.count, 1u);
}

TEST(SuperCache, ANameThatWasUsedAgainGetsAnotherTurn) {
  Sim s(WithRam(64));
  CreateFiles(s, 4);
  const Outcome open = s.Do(Open{"/f0", kOpenBoth, -1});
  s.Do(Close{static_cast<int32_t>(open.value)});
  EXPECT_TRUE(InodeAt(s, "/f0").dentry_referenced);
  s.Edit([](Kernel& k) {
    ShrinkControl sc{.gfp = gfp::kKernel, .nr_to_scan = 2};
    EXPECT_EQ(SuperCacheScan(k, sc), 3u) << "two names and an inode";
  });
  EXPECT_TRUE(InodeAt(s, "/f0").dentry);
  EXPECT_FALSE(InodeAt(s, "/f0").dentry_referenced);
  EXPECT_FALSE(InodeAt(s, "/f1").dentry);
  EXPECT_FALSE(InodeAt(s, "/f2").dentry);
  EXPECT_TRUE(InodeAt(s, "/f3").dentry);
}

// Pages keep an inode of x86-64; with high memory the inode takes them along.
TEST(SuperCache, InodesStealPagesWhereThereIsHighMemory) {
  for (const Profile profile : {Profile::kX86_64, Profile::kI386Pae}) {
    MachineConfig config = WithRam(64);
    config.profile = profile;
    Sim s(config);
    const int32_t fd = s.File("/f", 16, kOpenBoth, FsType::kExt4);
    s.Do(Close{fd});
    s.Do(DropCaches{kDropSlabs}, 0);
    const bool high = profile == Profile::kI386Pae;
    EXPECT_EQ(InodeAt(s, "/f").nrpages, high ? 0u : 16u);
    EXPECT_EQ(Count(s, kPgInodeSteal), high ? 16u : 0u);
    s.Do(DropCaches{kDropSlabs}, 0);
    EXPECT_EQ(InodeAt(s, "/f").in_core, !high);
  }
}

// Reading a file far larger than memory leaves nodes of shadows; no more than
// an eighth of the pages that there are may be such nodes.
TEST(ShadowNodes, AreReclaimedBeyondTheirLimit) {
  Sim s(WithRam(32));
  constexpr uint64_t kPages = 160'000, kPiece = 4000;
  const int32_t fd = s.File("/f", kPages, kOpenBoth, FsType::kExt4, false);
  for (uint64_t at = 0; at < kPages; at += kPiece) {
    s.Apply(Read{fd, at * kPageSize, kPiece * kPageSize});
  }
  EXPECT_EQ(s.machine().Verify(), "");
  const Kernel& k = s.kernel();
  uint64_t lru = 0;
  for (int i = 0; i < kNrLru; i++) lru += k.lruvec.Size(static_cast<Lru>(i));
  const uint64_t nodes = k.xa_nodes.shadow_nodes.count;
  EXPECT_GT(Count(s, kWorkingsetNodeReclaim), 100u);
  EXPECT_GT(nodes, lru / 16);
  // Half of what is too much goes at a time, in batches of 128.
  EXPECT_LT(nodes, lru / 8 + 2 * 128);
  s.Do(DropCaches{kDropPages}, 0);
  EXPECT_EQ(s.kernel().xa_nodes.count(), 0u);
}

TEST(ShadowNodes, AShadowWhoseNodeWentIsForgotten) {
  Sim s(WithRam(32));
  const int32_t fd = s.File("/f", 64, kOpenBoth, FsType::kExt4, false);
  s.Do(Read{fd, 0, 64 * kPageSize});
  const auto reclaim = [&] {
    s.Edit([](Kernel& k) {
      std::vector<Pfn> pages;
      for (uint64_t i = 0; i < 64; i++) {
        pages.push_back(FilemapLookup(k, k.inodes[k.names.at("/f")], i));
      }
      EXPECT_EQ(ReclaimPages(k, pages), 64u);
    });
    EXPECT_EQ(s.machine().Verify(), "");
    ASSERT_EQ(s.kernel().xa_nodes.shadow_nodes.count, 1u);
  };
  reclaim();
  s.Do(Read{fd, 0, 64 * kPageSize});
  EXPECT_EQ(Count(s, kWorkingsetRefaultFile), 64u);
  reclaim();
  s.Edit([](Kernel& k) {
    ShrinkControl sc{.nr_to_scan = 1};
    EXPECT_EQ(ScanShadowNodes(k, sc), 1u);
  });
  EXPECT_EQ(s.kernel().xa_nodes.count(), 0u);
  s.Do(Read{fd, 0, 64 * kPageSize});
  EXPECT_EQ(Count(s, kWorkingsetRefaultFile), 64u);
}

class ShrunkHugePages : public ::testing::Test {
 protected:
  static MachineConfig Config() {
    MachineConfig config = WithRam(256);
    config.thp = ThpMode::kMadvise;
    return config;
  }
  Sim s_{Config()};
};

TEST_F(ShrunkHugePages, ThoseMappedInPartAreSplitWhenMemoryIsShort) {
  s_.Run("map 0-1024 rw; advise 0-1024 14; write 0-1024 v5; unmap 100-400");
  EXPECT_EQ(Count(s_, kThpDeferredSplitPage), 1u);
  EXPECT_EQ(ShrinkersOf(s_).split_queue.count, 2u);
  const uint64_t free = s_.free_pages();
  s_.Do(DropCaches{kDropSlabs}, 0);
  EXPECT_EQ(Count(s_, kThpSplitPage), 1u);
  EXPECT_EQ(s_.free_pages(), free + 300);
  EXPECT_EQ(ShrinkersOf(s_).split_queue.count, 0u);
  s_.Run("read 99 =5; read 400 =5; read 700 =5");
}

TEST_F(ShrunkHugePages, TheHugeZeroPageGoesWhenNobodyHasIt) {
  s_.Run("map 0-512 rw; advise 0-512 14; fork =2; 2: read 0 +1");
  ASSERT_TRUE(s_.kernel().huge_zero_page.valid());
  s_.Do(DropCaches{kDropSlabs}, 0);
  EXPECT_TRUE(s_.kernel().huge_zero_page.valid()) << "a process has it";
  const uint64_t free = s_.free_pages();
  s_.Run("2: exit; wait =2");
  s_.Do(DropCaches{kDropSlabs}, 0);
  EXPECT_FALSE(s_.kernel().huge_zero_page.valid());
  EXPECT_GE(s_.free_pages(), free + kHugePmdNr);
  s_.Run("read 0 =0 +1");
  EXPECT_TRUE(s_.kernel().huge_zero_page.valid());
}

TEST(Events, TellWhatShrinkersDid) {
  Sim s(WithRam(64));
  CreateFiles(s, 5);
  const Outcome out = s.Do(DropCaches{kDropSlabs}, 0, EventLevel::kAll);
  const auto at =
      std::find_if(out.events.begin(), out.events.end(), [](const Event& e) {
        return std::holds_alternative<MmShrinkSlabStart>(e.body);
      });
  ASSERT_NE(at, out.events.end());
  const auto& start = std::get<MmShrinkSlabStart>(at->body);
  EXPECT_EQ(start.shrink, "super_cache_scan");
  EXPECT_EQ(start.cache_items, 5u);
  EXPECT_EQ(start.total_scan, 10u);
  const auto& end = std::get<MmShrinkSlabEnd>((at + 1)->body);
  EXPECT_EQ(end.retval, 6u);
}

}  // namespace
}  // namespace faultline

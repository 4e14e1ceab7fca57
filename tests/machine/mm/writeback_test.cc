// Dirty pages on their way to the disk.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kDirect = 040000, kDsync = 010000, kSync = 04010000;

class WritebackTest : public ::testing::Test {
 protected:
  WritebackTest() { fd_ = NewFile("/data", 64); }
  int32_t NewFile(const std::string& path, uint64_t pages, uint64_t flags = 0,
                  FsType fs = FsType::kExt4) {
    return sim_.File(path, pages, kOpenBoth | flags, fs, false);
  }
  Outcome Put(int32_t fd, uint64_t page, uint64_t pages = 1) {
    return sim_.Do(
        Write{fd, page * kPageSize, std::string(pages * kPageSize, 'x')});
  }
  const Kernel& k() const { return sim_.kernel(); }
  Id<Inode> id(const std::string& path = "/data") const {
    return k().names.at(path);
  }
  const Inode& inode() const { return k().inodes[id()]; }
  int64_t Stat(NodeStat item) const { return k().vmstat.node[item]; }
  // A field of /proc/meminfo, kB.
  uint64_t Meminfo(const std::string& field) const {
    const std::string text = ReadProc(k(), "/proc/meminfo").value();
    const size_t at = text.find("\n" + field + ":");
    return std::stoull(text.substr(at + field.size() + 2));
  }
  uint64_t Vmstat(const std::string& name) const {
    const std::string text = ReadProc(k(), "/proc/vmstat").value();
    const size_t at = text.find("\n" + name + " ");
    return std::stoull(text.substr(at + name.size() + 2));
  }
  std::string Smaps(const std::string& field) const {
    const std::string text = ReadProc(k(), "/proc/1/smaps").value();
    const size_t vma = text.find("10000000-");
    const size_t at = text.find(field + ":", vma);
    return text.substr(at, text.find('\n', at) - at);
  }
  void Map() {
    constexpr uint64_t kSharedFixed = 1 | 0x10;
    sim_.Do(Mmap{kWindow, 64 * kPageSize, kRw, kSharedFixed, fd_, 0});
  }

  Sim sim_;
  int32_t fd_ = -1;
};

TEST_F(WritebackTest, AWrittenPageIsDirtyUntilFsync) {
  Put(fd_, 3, 2);
  EXPECT_EQ(Stat(kNrFileDirty), 2);
  EXPECT_EQ(Meminfo("Dirty"), 8u);
  EXPECT_EQ(Vmstat("nr_dirtied"), 2u);
  EXPECT_TRUE(inode().i_pages.Marked(XaMark::kDirty));
  const Outcome out = sim_.Do(Fsync{fd_});
  EXPECT_GE(out.cost_ns, cost::kDiskSeek + 2 * cost::kDiskPage);
  EXPECT_EQ(Stat(kNrFileDirty), 0);
  EXPECT_EQ(Stat(kNrWriteback), 0);
  EXPECT_EQ(Vmstat("nr_written"), 2u);
  EXPECT_FALSE(inode().i_pages.Marked(XaMark::kDirty));
  EXPECT_EQ(inode().wb_list, WbList::kNone);
  EXPECT_EQ(inode().i_state, 0u);
}

TEST_F(WritebackTest, WhatWasWrittenIsReadFromTheDiskAgain) {
  sim_.Do(Write{fd_, 5000, "hello"});
  sim_.Do(Fsync{fd_});
  sim_.Do(DropCaches{1});
  EXPECT_EQ(inode().nrpages, 0u);
  EXPECT_EQ(sim_.Do(Read{fd_, 5000, 5}).data, "hello");
  EXPECT_EQ(Vmstat("drop_pagecache"), 1u);
}

TEST_F(WritebackTest, DroppedCachesLeaveWhatIsDirtyOrMapped) {
  Put(fd_, 0);
  sim_.Do(Read{fd_, kPageSize, 3 * kPageSize});
  Map();
  sim_.Do(Access{.addr = At(2)});  // maps its neighbours too
  sim_.Do(Read{fd_, 40 * kPageSize, kPageSize});
  EXPECT_EQ(inode().nrpages, 5u);
  sim_.Do(DropCaches{3});
  EXPECT_EQ(inode().nrpages, 4u);
  EXPECT_FALSE(FilemapLookup(k(), inode(), 40).valid());
  sim_.Do(Munmap{kWindow, 64 * kPageSize});
  sim_.Do(DropCaches{1});
  EXPECT_EQ(inode().nrpages, 1u);
  EXPECT_EQ(sim_.Do(DropCaches{0}).error, Errno::kEINVAL);
  EXPECT_EQ(sim_.Do(DropCaches{5}).error, Errno::kEINVAL);
}

TEST_F(WritebackTest, DropCachesSaysSoUntilItIsToldNotTo) {
  const auto lines = [&](uint32_t mode) {
    uint64_t n = 0;
    for (const Event& event : sim_.Do(DropCaches{mode}).events) {
      n += std::holds_alternative<Console>(event.body);
    }
    return n;
  };
  EXPECT_EQ(lines(3), 1u);
  EXPECT_EQ(sim_.Do(Sysctl{"vm.drop_caches", 2}, 0).events.size(), 1u);
  EXPECT_EQ(lines(4), 1u);
  EXPECT_EQ(lines(3), 0u);
}

TEST_F(WritebackTest, FsyncCleansMappingsAndTheNextWriteFaultsAgain) {
  Map();
  EXPECT_EQ(sim_.Do(Access{.kind = AccessKind::kWrite, .addr = At(1)}).maj_flt,
            1u);
  EXPECT_EQ(Smaps("Private_Dirty"), "Private_Dirty:         4 kB");
  sim_.Do(Fsync{fd_});
  EXPECT_EQ(Smaps("Private_Dirty"), "Private_Dirty:         0 kB");
  EXPECT_FALSE(sim_.PteOf(At(1)).writable());
  EXPECT_EQ(sim_.Do(Access{.kind = AccessKind::kWrite, .addr = At(1)}).min_flt,
            1u);
  sim_.Do(Msync{kWindow, kPageSize * 4, 4});
  EXPECT_EQ(Stat(kNrFileDirty), 0);
}

TEST_F(WritebackTest, TheFlusherWritesWhatIsOldEnough) {
  Put(fd_, 7);
  const uint64_t dirtied = inode().dirtied_when;
  sim_.Do(Tick{29 * kSecond});
  EXPECT_EQ(Stat(kNrFileDirty), 1);
  EXPECT_EQ(inode().wb_list, WbList::kDirty);
  sim_.Do(Tick{6 * kSecond});
  EXPECT_EQ(Stat(kNrFileDirty), 0);
  EXPECT_EQ(Stat(kNrWriteback), 0);
  EXPECT_EQ(Vmstat("nr_written"), 1u);
  EXPECT_EQ(k().bdi.wakeup_ns, 0u);
  EXPECT_GT(k().clock_ns, dirtied + 30 * kSecond);
}

TEST_F(WritebackTest, WritebackTakesTheTimeOfTheDisk) {
  Put(fd_, 0, 64);
  // Just after the flusher has taken it up.
  sim_.Do(Tick{inode().dirtied_when + 30 * kSecond + 1000 - k().clock_ns});
  EXPECT_EQ(Stat(kNrFileDirty), 0);
  EXPECT_EQ(Stat(kNrWriteback), 64);
  EXPECT_EQ(Meminfo("Writeback"), 256u);
  EXPECT_TRUE(k().disk.busy());
  sim_.Do(Tick{kSecond});
  EXPECT_EQ(Stat(kNrWriteback), 0);
}

TEST_F(WritebackTest, ALongTickIsNoLongerThanItsEvents) {
  sim_.SetSysctl("vm.dirty_writeback_centisecs", 1);
  sim_.SetSysctl("vm.dirty_expire_centisecs", 10'000'000);
  Put(fd_, 0);
  sim_.Do(Tick{1000 * kSecond});
  EXPECT_EQ(Stat(kNrFileDirty), 1);
  sim_.Do(Tick{1'000'000'000 * kSecond});
  EXPECT_EQ(Stat(kNrFileDirty), 0);
}

TEST_F(WritebackTest, BeyondTheBackgroundThresholdTheFlusherIsWoken) {
  sim_.SetSysctl("vm.dirty_background_bytes", 100 * kPageSize);
  sim_.SetSysctl("vm.dirty_bytes", 100000 * kPageSize);
  const int32_t fd = NewFile("/big", 0);
  for (uint64_t i = 0; i < 64; i++) Put(fd, i * 8, 8);
  EXPECT_GT(Vmstat("nr_written") + Vmstat("nr_writeback"), 0u);
  EXPECT_LE(Stat(kNrFileDirty), 512);
}

TEST_F(WritebackTest, WhoDirtiesTooMuchIsPaused) {
  sim_.SetSysctl("vm.dirty_background_bytes", 64 * kPageSize);
  sim_.SetSysctl("vm.dirty_bytes", 256 * kPageSize);
  const int32_t fd = NewFile("/big", 0);
  uint64_t cost = 0, paused = 0;
  for (uint64_t i = 0; i < 256; i++) {
    const Outcome out =
        sim_.Do(Write{fd, i * 8 * kPageSize, std::string(8 * kPageSize, 'x')},
                1, EventLevel::kAll);
    cost += out.cost_ns;
    for (const Event& event : out.events) {
      paused += std::holds_alternative<BalanceDirtyPages>(event.body);
    }
    EXPECT_LT(Stat(kNrFileDirty) + Stat(kNrWriteback), 256 + 64);
  }
  EXPECT_GT(paused, 0u);
  // 2048 pages cannot be dirtied faster than the disk writes all but the last.
  EXPECT_GT(cost, (2048 - 320) * cost::kDiskPage);
}

TEST_F(WritebackTest, SyncWritesEverything) {
  const int32_t other = NewFile("/other", 8);
  Put(fd_, 0, 4);
  Put(other, 0, 4);
  sim_.Do(Sync{}, 0);
  EXPECT_EQ(Stat(kNrFileDirty), 0);
  EXPECT_EQ(Stat(kNrWriteback), 0);
  EXPECT_TRUE(k().disk.idle());
  EXPECT_TRUE(k().bdi.b_dirty.empty());
}

TEST_F(WritebackTest, CyclicWritebackGoesOnWhereItEnded) {
  Put(fd_, 0, 10);
  sim_.Edit([&](Kernel& edit) {
    WritebackControl some{.nr_to_write = 4, .range_cyclic = true};
    DoWritepages(edit, id(), some);
    EXPECT_EQ(some.nr_to_write, 0);
  });
  EXPECT_EQ(inode().writeback_index, 4u);
  EXPECT_EQ(Stat(kNrFileDirty), 6);
  sim_.Edit([&](Kernel& edit) {
    WritebackControl rest{.nr_to_write = 100, .range_cyclic = true};
    DoWritepages(edit, id(), rest);
    EXPECT_EQ(rest.nr_to_write, 94);
  });
  EXPECT_EQ(inode().writeback_index, 0u);
}

TEST_F(WritebackTest, ReclaimWritesOnePage) {
  Put(fd_, 9);
  sim_.Edit([&](Kernel& edit) {
    const Pfn pfn = FilemapLookup(edit, inode(), 9);
    EXPECT_FALSE(RemoveMapping(edit, pfn));
    EXPECT_TRUE(PageoutFilePage(edit, pfn));
    EXPECT_FALSE(PageoutFilePage(edit, pfn));
    EXPECT_FALSE(RemoveMapping(edit, pfn));
  });
  EXPECT_EQ(Stat(kNrWriteback), 1);
  sim_.Do(Tick{kSecond});
  sim_.Edit([&](Kernel& edit) {
    EXPECT_TRUE(RemoveMapping(edit, FilemapLookup(edit, inode(), 9)));
  });
  EXPECT_EQ(inode().nrpages, 0u);
}

TEST_F(WritebackTest, TruncationForgetsWhatIsDirty) {
  Put(fd_, 0, 8);
  sim_.Do(Truncate{fd_, static_cast<int64_t>(2 * kPageSize + 10)});
  EXPECT_EQ(Stat(kNrFileDirty), 3);
  EXPECT_EQ(inode().truncate_count, 1u);
  Put(fd_, 0, 8);
  sim_.Edit([&](Kernel& edit) {
    WritebackControl all;
    DoWritepages(edit, id(), all);
  });
  // What is on its way to the disk is waited for.
  sim_.Do(Truncate{fd_, 0});
  EXPECT_EQ(inode().nrpages, 0u);
  EXPECT_EQ(Stat(kNrWriteback), 0);
}

TEST_F(WritebackTest, DirectTransfersPassTheCacheBy) {
  const int32_t direct = NewFile("/direct", 16, kDirect);
  const auto size = static_cast<int64_t>(kPageSize);
  EXPECT_EQ(sim_.Do(Read{direct, 0, kPageSize}).value, size);
  EXPECT_EQ(sim_.Do(Read{direct, 0, kPageSize}).data[5],
            static_cast<char>(Sim::PatternByte(0)));
  EXPECT_EQ(k().inodes[id("/direct")].nrpages, 0u);
  EXPECT_EQ(sim_.Do(Read{direct, 100, 512}).error, Errno::kEINVAL);
  EXPECT_EQ(sim_.Do(Read{direct, 512, 100}).error, Errno::kEINVAL);
  EXPECT_EQ(sim_.Do(Write{direct, 512, std::string(512, 'y')}).value, 512);
  EXPECT_EQ(sim_.Do(Read{direct, 512, 512}).data, std::string(512, 'y'));
  // What is cached is written first, and is not cached afterwards.
  const int32_t cached =
      static_cast<int32_t>(sim_.Do(Open{"/direct", kOpenBoth, -1}).value);
  Put(cached, 2);
  EXPECT_EQ(sim_.Do(Read{direct, 2 * kPageSize, 1024}).data,
            std::string(1024, 'x'));
  EXPECT_EQ(Stat(kNrFileDirty), 0);
  sim_.Do(Write{direct, 2 * kPageSize, std::string(512, 'z')});
  EXPECT_EQ(k().inodes[id("/direct")].nrpages, 0u);
  EXPECT_EQ(sim_.Do(Read{cached, 2 * kPageSize, 513}).data,
            std::string(512, 'z') + "x");
}

TEST_F(WritebackTest, WhichFileSystemsHaveDirectTransfers) {
  sim_.File("/ram", 4);
  EXPECT_EQ(sim_.Do(Open{"/ram", kDirect, -1}).error, Errno::kEINVAL);
  sim_.File("/tmp", 4, kOpenBoth, FsType::kTmpfs);
  EXPECT_EQ(sim_.Do(Open{"/tmp", kDirect, -1}).error, Errno::kOk);
  MachineConfig old;
  old.personality = Personality::kLinux61;
  Sim older(old);
  older.File("/tmp", 4, kOpenBoth, FsType::kTmpfs);
  EXPECT_EQ(older.Do(Open{"/tmp", kDirect, -1}).error, Errno::kEINVAL);
}

TEST_F(WritebackTest, ASynchronousWriteIsOnTheDiskWhenItReturns) {
  for (uint64_t flags : {kDsync, kSync}) {
    const int32_t fd = NewFile("/sync" + std::to_string(flags), 4, flags);
    const Outcome out = Put(fd, 1);
    EXPECT_GE(out.cost_ns, cost::kDiskPage + cost::kDiskFlush);
    EXPECT_EQ(Stat(kNrFileDirty), 0);
  }
}

TEST_F(WritebackTest, DataSyncLeavesTimestamps) {
  Put(fd_, 0);
  sim_.Do(Fsync{fd_, true});
  EXPECT_NE(inode().i_state & inode_state::kDirtySync, 0u);
  Put(fd_, 100);
  sim_.Do(Fsync{fd_, true});  // the size has changed
  EXPECT_EQ(inode().i_state, 0u);
}

TEST_F(WritebackTest, ThresholdsFollowTheKnobs) {
  const DirtyLimits ratio = GlobalDirtyLimits(k());
  EXPECT_EQ(ratio.background,
            10 * kPageSize / 100 * GlobalDirtyableMemory(k()) / kPageSize);
  EXPECT_EQ(Vmstat("nr_dirty_threshold"), ratio.threshold);
  sim_.SetSysctl("vm.dirty_bytes", 40 * kPageSize);
  EXPECT_EQ(k().sysctl.dirty.ratio, 0u);
  const DirtyLimits bytes = GlobalDirtyLimits(k());
  EXPECT_EQ(bytes.threshold, 40u);
  EXPECT_EQ(bytes.background, 20u);  // the ratio would be above it
  EXPECT_EQ(sim_.Do(Sysctl{"vm.dirty_ratio", 101}, 0).error, Errno::kEINVAL);
  EXPECT_EQ(sim_.Do(Sysctl{"vm.dirty_bytes", 4096}, 0).error, Errno::kEINVAL);
}

// Pages of files count where reclaim can have them: those of ramfs are on no
// such list.
TEST_F(WritebackTest, DirtyableIsWhatIsFreeAndWhatTheFileListsHold) {
  constexpr uint64_t kPages = 500;
  // What the per-CPU lists have taken is free all the same.
  const auto dirtyable = [&] {
    uint64_t pages = GlobalDirtyableMemory(k());
    for (const Zone& zone : k().zones) {
      pages += static_cast<uint64_t>(zone.pcp.count);
    }
    return pages;
  };
  const uint64_t before = dirtyable();
  sim_.Do(Read{NewFile("/r", kPages, 0, FsType::kRamfs), 0, kPages << 12});
  EXPECT_EQ(dirtyable(), before - kPages);
  sim_.Do(Read{NewFile("/e", kPages), 0, kPages << 12});
  EXPECT_EQ(dirtyable(), before - kPages);
}

// What files have of high memory, and could have, does not count.
TEST(HighMemory, IsNotDirtyable) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  config.ram_bytes = uint64_t{2} << 30;
  Sim s(config);
  constexpr uint64_t kPages = 2000;
  const uint64_t before = GlobalDirtyableMemory(s.kernel());
  const uint64_t low = s.kernel().zone(ZoneType::kNormal).managed.value() +
                       s.kernel().zone(ZoneType::kDma).managed.value();
  EXPECT_LT(before, low);
  const int32_t fd = s.File("/f", kPages, kOpenBoth, FsType::kExt4, false);
  s.Do(Read{fd, 0, kPages * kPageSize});
  EXPECT_EQ(GlobalDirtyableMemory(s.kernel()), before);
}

TEST_F(WritebackTest, TheDiskCountsItsRequests) {
  sim_.Do(Read{fd_, 0, 16 * kPageSize});
  Put(fd_, 0, 16);
  sim_.Do(Fsync{fd_});
  const std::string text = ReadProc(k(), "/proc/diskstats").value();
  EXPECT_EQ(text.substr(0, 20), "   8       0 sda 1 0");
  EXPECT_GT(Vmstat("pgpgin"), 0u);
  // The data, and the block of the inode.
  EXPECT_EQ(Vmstat("pgpgout"), 17u * 4);
}

}  // namespace
}  // namespace faultline

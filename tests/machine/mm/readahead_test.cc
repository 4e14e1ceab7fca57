// How far files are read ahead. The rows with a window of 2048 pages are what
// Linux 6.18.44 was seen to do on ext4, with bdi/read_ahead_kb at 8192.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kFilePages = 8192;
constexpr uint64_t kSecond = 1'000'000'000;

// MADV_* and POSIX_FADV_*.
constexpr int32_t kRandom = 1, kSequential = 2, kWillneed = 3, kDontneed = 4;

class ReadaheadTest : public ::testing::Test {
 protected:
  ReadaheadTest() : sim_(Config()) {
    fd_ = sim_.File("/data", kFilePages, kOpenBoth, FsType::kExt4, false);
  }
  static MachineConfig Config() {
    MachineConfig config;
    config.sysctls = {{"bdi.read_ahead_kb", 8192},
                      {"bdi.max_sectors_kb", 4096}};
    return config;
  }

  const Inode& inode() const {
    return sim_.kernel().inodes[sim_.kernel().names.at("/data")];
  }
  // "0-3 8-9": the cached pages.
  std::string Cached() {
    sim_.Apply(Tick{kSecond});
    std::string text;
    uint64_t run = 0, length = 0;
    const auto end = [&] {
      if (length == 0) return;
      if (!text.empty()) text += " ";
      text += std::to_string(run) + "-" + std::to_string(run + length - 1);
      length = 0;
    };
    for (uint64_t i = 0; i < kFilePages; i++) {
      if (!FilemapLookup(sim_.kernel(), inode(), i).valid()) {
        end();
      } else if (length++ == 0) {
        run = i;
      }
    }
    end();
    return text;
  }
  std::string ReadPages(uint64_t page, uint64_t pages = 1) {
    const Outcome out = sim_.Do(Read{fd_, page * kPageSize, pages * kPageSize});
    EXPECT_EQ(out.value, static_cast<int64_t>(pages * kPageSize));
    return Cached();
  }
  void Map(uint64_t prot, int32_t advice = 0) {
    constexpr uint64_t kSharedFixed = 1 | 0x10;
    const Outcome out = sim_.Do(
        Mmap{kWindow, kFilePages * kPageSize, prot, kSharedFixed, fd_, 0});
    ASSERT_EQ(out.error, Errno::kOk);
    if (advice == 0) return;
    sim_.Do(Madvise{kWindow, kFilePages * kPageSize, advice});
  }
  // "MINOR/MAJOR: cached pages" of one access.
  std::string Touch(uint64_t page, AccessKind kind = AccessKind::kRead) {
    const Outcome out = sim_.Do(Access{.kind = kind, .addr = At(page)});
    return std::to_string(out.min_flt) + "/" + std::to_string(out.maj_flt) +
           ": " + Cached();
  }

  Sim sim_;
  int32_t fd_ = -1;
};

TEST_F(ReadaheadTest, AWindowGrowsWhileTheReadingGoesOn) {
  EXPECT_EQ(ReadPages(0), "0-3");
  EXPECT_EQ(ReadPages(1), "0-19");
  EXPECT_EQ(ReadPages(2), "0-19");
  EXPECT_EQ(ReadPages(4), "0-79");
  EXPECT_EQ(ReadPages(19), "0-79");
  EXPECT_EQ(ReadPages(20), "0-319");
  EXPECT_EQ(ReadPages(79), "0-319");
}

TEST_F(ReadaheadTest, ASmallReadInTheMiddleReadsNoMore) {
  EXPECT_EQ(ReadPages(3000), "3000-3000");
  EXPECT_EQ(ReadPages(5000, 3), "3000-3000 5000-5002");
}

TEST_F(ReadaheadTest, ReadAroundAFault) {
  Map(kR);
  EXPECT_EQ(Touch(3000), "0/1: 1976-4023");
  EXPECT_EQ(Touch(3001), "0/0: 1976-4023");
  EXPECT_EQ(Touch(2999), "0/0: 1976-4023");
  EXPECT_EQ(Touch(3016), "1/0: 1976-4023");
  EXPECT_EQ(Touch(1976), "1/0: 1976-4023");
  EXPECT_EQ(Touch(1975), "0/1: 951-4023");
  EXPECT_EQ(Touch(4023), "1/0: 951-4023");
  EXPECT_EQ(Touch(4024), "0/1: 951-5047");
  EXPECT_EQ(Touch(3511), "1/0: 951-5047");
  // The mark that the first window left.
  EXPECT_EQ(Touch(3512), "1/0: 951-7095");
}

TEST_F(ReadaheadTest, SequentialAdviceReadsOnFromTheFault) {
  Map(kR, kSequential);
  EXPECT_EQ(Touch(0), "0/1: 0-2047");
  EXPECT_EQ(Touch(1), "0/0: 0-2047");
  EXPECT_EQ(Touch(2047), "1/0: 0-2047");
  EXPECT_EQ(Touch(2048), "0/1: 0-4095");
}

TEST_F(ReadaheadTest, RandomAdviceReadsOnePage) {
  Map(kR, kRandom);
  EXPECT_EQ(Touch(100), "0/1: 100-100");
  EXPECT_EQ(Touch(101), "0/1: 100-101");
  EXPECT_EQ(Touch(200), "0/1: 100-101 200-200");
}

TEST_F(ReadaheadTest, AProgramIsReadOnWithinItsMapping) {
  Map(kR | kX);
  EXPECT_EQ(Touch(3000), "0/1: 3000-5047");
  EXPECT_EQ(Touch(2999), "0/1: 2999-5047");
  EXPECT_EQ(Touch(5047), "1/0: 2999-5047");
  EXPECT_EQ(Touch(5048), "0/1: 2999-7095");
  EXPECT_EQ(Touch(8000), "0/1: 2999-7095 8000-8191");
}

TEST_F(ReadaheadTest, AWriteFaultComesToTheMarkToo) {
  Map(kRw);
  EXPECT_EQ(Touch(3000, AccessKind::kWrite), "0/1: 1976-4023");
  EXPECT_EQ(Touch(3512, AccessKind::kWrite), "1/0: 1976-6071");
  EXPECT_EQ(Touch(3511, AccessKind::kWrite), "1/0: 1976-6071");
}

TEST_F(ReadaheadTest, AfterAHundredMissesNothingIsReadAround) {
  sim_.SetSysctl("bdi.read_ahead_kb", 8);
  sim_.Do(Open{"/data", kOpenBoth, fd_});
  Map(kRw);
  // Each fault is far from all others, and a write maps nothing around.
  const auto fault = [&](uint64_t i) {
    sim_.Apply(Access{.kind = AccessKind::kWrite, .addr = At(40 * i)});
    return inode().nrpages;
  };
  for (uint64_t i = 1; i <= 100; i++) EXPECT_EQ(fault(i), 2 * i);
  EXPECT_EQ(fault(101), 201u);
}

TEST_F(ReadaheadTest, AdviceForADescriptor) {
  const auto advise = [&](int32_t advice, int64_t page, int64_t pages) {
    const Outcome out =
        sim_.Do(Fadvise{fd_, page * static_cast<int64_t>(kPageSize),
                        pages * static_cast<int64_t>(kPageSize), advice});
    EXPECT_EQ(out.error, Errno::kOk);
  };
  advise(kWillneed, 10, 20);
  EXPECT_EQ(Cached(), "10-29");
  advise(kDontneed, 12, 3);
  EXPECT_EQ(Cached(), "10-11 15-29");
  advise(kDontneed, 0, 0);
  EXPECT_EQ(Cached(), "");
  advise(kRandom, 0, 0);
  EXPECT_EQ(ReadPages(0), "0-0");
  EXPECT_EQ(ReadPages(1), "0-1");
}

TEST_F(ReadaheadTest, OnlyWhatIsUsedIsWaitedFor) {
  // The first page waits for the disk; the next window comes while the program
  // goes on.
  const Outcome first = sim_.Do(Read{fd_, 0, kPageSize});
  EXPECT_GE(first.cost_ns, cost::kDiskSeek + 4 * cost::kDiskPage);
  const Outcome second = sim_.Do(Read{fd_, kPageSize, kPageSize});
  EXPECT_LT(second.cost_ns, cost::kDiskPage);
  EXPECT_TRUE(
      BeingRead(sim_.kernel(), Id<Inode>(sim_.kernel().names.at("/data")), 19));
}

}  // namespace
}  // namespace faultline

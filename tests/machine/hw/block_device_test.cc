#include "server/machine/hw/block_device.h"

#include <gtest/gtest.h>

#include "server/machine/hw/cost.h"

namespace faultline {
namespace {

constexpr uint64_t kMaxSectors = 320 * kSectorsPerPage;

class BlockDeviceTest : public ::testing::Test {
 protected:
  // Pages [page, page + pages) of owner 1, which begins at sector 1000.
  void Submit(BlockOp op, uint64_t page, uint64_t pages) {
    disk_.Submit(op, 1000 + page * kSectorsPerPage, {1, page, pages}, now_,
                 kMaxSectors);
  }
  void Start() { disk_.Start(now_, &steps_); }
  void RunTo(uint64_t now) {
    now_ = now;
    disk_.RunTo(now, &steps_);
  }
  static uint64_t Transfer(uint64_t pages) { return pages * cost::kDiskPage; }

  BlockDevice disk_;
  uint64_t now_ = 0;
  std::vector<BlockDevice::Step> steps_;
};

TEST_F(BlockDeviceTest, OneRequestTakesASeekAndItsTransfer) {
  Submit(BlockOp::kRead, 0, 4);
  EXPECT_FALSE(disk_.busy());
  Start();
  EXPECT_EQ(disk_.busy_until(), cost::kDiskSeek + Transfer(4));
  RunTo(disk_.busy_until() - 1);
  EXPECT_TRUE(disk_.Pending(BlockOp::kRead, 1, 3));
  RunTo(disk_.busy_until());
  EXPECT_FALSE(disk_.Pending(BlockOp::kRead, 1, 3));
  EXPECT_EQ(disk_.stats(BlockOp::kRead).ios, 1u);
  EXPECT_EQ(disk_.stats(BlockOp::kRead).sectors, 4 * kSectorsPerPage);
}

TEST_F(BlockDeviceTest, WhatGoesOnWhereTheLastEndedNeedsNoSeek) {
  Submit(BlockOp::kRead, 0, 4);
  Start();
  RunTo(disk_.busy_until());
  Submit(BlockOp::kRead, 4, 4);
  Start();
  EXPECT_EQ(disk_.busy_until(), now_ + Transfer(4));
}

TEST_F(BlockDeviceTest, NeighboursMergeWhileTheyWait) {
  for (uint64_t page = 0; page < 10; page++) Submit(BlockOp::kWrite, page, 1);
  Start();
  RunTo(disk_.busy_until());
  EXPECT_EQ(disk_.stats(BlockOp::kWrite).ios, 1u);
  EXPECT_EQ(disk_.stats(BlockOp::kWrite).merges, 9u);
  EXPECT_TRUE(disk_.idle());
  EXPECT_EQ(steps_.back().request.bios.size(), 10u);
}

TEST_F(BlockDeviceTest, ALongTransferIsSeveralRequests) {
  Submit(BlockOp::kWrite, 0, 700);
  Start();
  while (disk_.busy()) RunTo(disk_.busy_until());
  EXPECT_EQ(disk_.stats(BlockOp::kWrite).ios, 3u);
  EXPECT_EQ(disk_.stats(BlockOp::kWrite).sectors, 700 * kSectorsPerPage);
  EXPECT_EQ(disk_.busy_ns(), cost::kDiskSeek + Transfer(700));
}

TEST_F(BlockDeviceTest, ReadsGoFirst) {
  Submit(BlockOp::kWrite, 100, 1);
  Start();
  Submit(BlockOp::kWrite, 300, 1);
  Submit(BlockOp::kRead, 200, 1);
  RunTo(disk_.busy_until());
  ASSERT_EQ(steps_.size(), 3u);  // issue, complete, issue
  EXPECT_EQ(steps_[2].request.op, BlockOp::kRead);
  EXPECT_EQ(disk_.in_flight(), 2u);
}

}  // namespace
}  // namespace faultline

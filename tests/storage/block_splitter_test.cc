// Blocks: they add up to the bytes, keep to their sizes, and a change moves
// none but those around it.
#include "storage/block_splitter.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "storage/block.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

std::vector<std::string> Split(const std::string& bytes, size_t piece) {
  std::vector<std::string> blocks;
  const auto take = [&](absl::string_view block) {
    blocks.emplace_back(block);
  };
  BlockSplitter splitter;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    splitter.Add(absl::string_view(bytes).substr(at, piece), take);
  }
  splitter.Finish(take);
  return blocks;
}

std::string Join(const std::vector<std::string>& blocks) {
  std::string bytes;
  for (const std::string& block : blocks) bytes += block;
  return bytes;
}

// How many bytes of `after` are in blocks that `before` does not have.
size_t NewBytes(const std::string& before, const std::string& after) {
  const std::vector<std::string> blocks = Split(before, before.size());
  const std::set<std::string> known(blocks.begin(), blocks.end());
  size_t bytes = 0;
  for (const std::string& block : Split(after, after.size())) {
    if (!known.contains(block)) bytes += block.size();
  }
  return bytes;
}

TEST(BlockSplitterTest, NothingGivesNoBlock) {
  EXPECT_TRUE(Split("", 1).empty());
}

TEST(BlockSplitterTest, BlocksAddUpAndKeepToTheirSizes) {
  const std::string bytes = MakeBytes(1, 1 << 20);
  const std::vector<std::string> blocks = Split(bytes, bytes.size());
  EXPECT_EQ(Join(blocks), bytes);
  for (size_t i = 0; i + 1 < blocks.size(); ++i) {
    EXPECT_GE(blocks[i].size(), kBlockBytesMin);
    EXPECT_LE(blocks[i].size(), kBlockBytesMax);
  }
  // About what the constants say: 10 KiB each.
  EXPECT_GT(blocks.size(), 70u);
  EXPECT_LT(blocks.size(), 150u);
}

TEST(BlockSplitterTest, HowTheBytesComeDoesNotMatter) {
  const std::string bytes = MakeBytes(2, 200'000);
  const std::vector<std::string> whole = Split(bytes, bytes.size());
  for (const size_t piece : {1, 7, 64, 2047, 2048, 2049, 32768, 100'000}) {
    EXPECT_EQ(Split(bytes, piece), whole) << piece;
  }
}

TEST(BlockSplitterTest, WithoutAPatternToCutAtABlockHasTheLargestSize) {
  const std::vector<std::string> blocks =
      Split(std::string(3 * kBlockBytesMax, 'x'), 1000);
  ASSERT_EQ(blocks.size(), 3u);
  for (const std::string& block : blocks) {
    EXPECT_EQ(block.size(), kBlockBytesMax);
  }
}

TEST(BlockSplitterTest, AChangeMovesOnlyTheBlocksAroundIt) {
  const std::string before = MakeBytes(3, 1 << 20);
  for (const size_t at : {0, 1000, 500'000, (1 << 20) - 1}) {
    std::string inserted = before;
    inserted.insert(at, "inserted");
    std::string erased = before;
    erased.erase(at, 5);
    std::string changed = before;
    changed[at] = static_cast<char>(changed[at] + 1);
    for (const std::string& after : {inserted, erased, changed}) {
      EXPECT_GT(NewBytes(before, after), 0u) << at;
      EXPECT_LE(NewBytes(before, after), 4 * kBlockBytesMax) << at;
    }
  }
}

TEST(BlockTest, UnpacksWhatWasPacked) {
  for (const std::string& bytes : {std::string(1, 'x'), std::string(5000, 'x'),
                                   MakeBytes(4, 5000), MakeBytes(5, 3)}) {
    Block block;
    block.hash = BlockHash(bytes);
    block.unpacked_bytes = static_cast<int64_t>(bytes.size());
    BlockPacker().Pack(bytes, block);
    EXPECT_LE(block.body.size(), bytes.size());
    std::string unpacked = "before ";
    ASSERT_TRUE(BlockUnpacker().Unpack(block, unpacked).ok());
    EXPECT_EQ(unpacked, "before " + bytes);
  }
}

TEST(BlockTest, CompressesWhereThatHelps) {
  Block block;
  BlockPacker().Pack(std::string(5000, 'x'), block);
  EXPECT_EQ(block.encoding, BlockEncoding::kZstd);
  BlockPacker().Pack(MakeBytes(6, 5000), block);
  EXPECT_EQ(block.encoding, BlockEncoding::kPlain);
}

TEST(BlockTest, EveryDamageIsFound) {
  const std::string bytes(5000, 'x');
  Block good;
  good.hash = BlockHash(bytes);
  good.unpacked_bytes = 5000;
  BlockPacker().Pack(bytes, good);
  const auto rejects = [](const Block& block) {
    std::string unpacked;
    return absl::IsDataLoss(BlockUnpacker().Unpack(block, unpacked));
  };
  ASSERT_FALSE(rejects(good));
  for (size_t bit = 0; bit < good.body.size() * 8; ++bit) {
    Block bad = good;
    bad.body[bit / 8] = static_cast<char>(bad.body[bit / 8] ^ (1 << bit % 8));
    std::string unpacked;
    // A bit of zstd's header may have no meaning: then the bytes are right.
    const absl::Status status = BlockUnpacker().Unpack(bad, unpacked);
    EXPECT_TRUE(absl::IsDataLoss(status) || unpacked == bytes) << bit;
  }
  for (const int64_t size : {int64_t{-1}, int64_t{0}, int64_t{4999},
                             int64_t{5001}, int64_t{1} << 40}) {
    Block bad = good;
    bad.unpacked_bytes = size;
    EXPECT_TRUE(rejects(bad)) << size;
  }
  Block bad = good;
  bad.encoding = static_cast<BlockEncoding>(7);
  EXPECT_TRUE(rejects(bad));
  bad = good;
  bad.encoding = BlockEncoding::kPlain;
  EXPECT_TRUE(rejects(bad));
  bad = good;
  bad.hash = BlockHash("other");
  EXPECT_TRUE(rejects(bad));
}

}  // namespace
}  // namespace faultline::storage

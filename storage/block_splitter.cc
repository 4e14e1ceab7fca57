#include "storage/block_splitter.h"

#include <algorithm>
#include <array>

namespace faultline::storage {
namespace {

// A shift per byte pushes a byte out after 64: what is before does not count.
constexpr size_t kWindow = 64;
constexpr uint64_t kCutMask = ~uint64_t{0} << (64 - kBlockCutBits);

// 256 numbers without a pattern (the sequence of splitmix64). Other numbers
// would find other cuts, so that nothing new is shared with what is stored.
constexpr std::array<uint64_t, 256> MakeGears() {
  std::array<uint64_t, 256> gears{};
  uint64_t state = 0x466175'6c746c69;
  for (uint64_t& gear : gears) {
    state += 0x9e3779b97f4a7c15;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    gear = z ^ (z >> 31);
  }
  return gears;
}

constexpr std::array<uint64_t, 256> kGears = MakeGears();

}  // namespace

void BlockSplitter::Add(absl::string_view bytes, Take take) {
  while (!bytes.empty()) {
    const size_t length = Scan(bytes);
    block_.append(bytes.data(), length);
    bytes.remove_prefix(length);
    if (cut_) Finish(take);
  }
}

void BlockSplitter::Finish(Take take) {
  if (!block_.empty()) take(block_);
  block_.clear();
  hash_ = 0;
  cut_ = false;
}

size_t BlockSplitter::Scan(absl::string_view bytes) {
  static_assert(kBlockBytesMin > kWindow);
  constexpr size_t kHashFrom = kBlockBytesMin - kWindow;
  const size_t end = std::min(bytes.size(), kBlockBytesMax - block_.size());
  size_t at = std::min(end, kHashFrom - std::min(kHashFrom, block_.size()));
  uint64_t hash = hash_;
  while (at < end) {
    hash = (hash << 1) + kGears[static_cast<uint8_t>(bytes[at])];
    ++at;
    if ((hash & kCutMask) == 0 && block_.size() + at >= kBlockBytesMin) {
      cut_ = true;
      break;
    }
  }
  hash_ = hash;
  cut_ = cut_ || block_.size() + at == kBlockBytesMax;
  return at;
}

}  // namespace faultline::storage

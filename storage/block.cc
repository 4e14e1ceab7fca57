#include "storage/block.h"

#include <zstd.h>

#include <new>
#include <utility>

#include "absl/status/status.h"
#include "storage/block_splitter.h"
#include "storage/sha256.h"

namespace faultline::storage {
namespace {

constexpr int kCompressionLevel = 1;
constexpr size_t kCompressFromBytes = 64;

template <class Context>
Context* MustHave(Context* context) {
  if (context == nullptr) throw std::bad_alloc();
  return context;
}

}  // namespace

std::string BlockHash(absl::string_view bytes) {
  return std::move(Sha256().Add(bytes)).Digest();
}

BlockPacker::BlockPacker() : context_(MustHave(ZSTD_createCCtx())) {}

BlockPacker::~BlockPacker() { ZSTD_freeCCtx(context_); }

// Compressed where that saves an eighth.
void BlockPacker::Pack(absl::string_view bytes, Block& block) {
  block.encoding = BlockEncoding::kPlain;
  if (bytes.size() >= kCompressFromBytes) {
    compressed_.resize(ZSTD_compressBound(bytes.size()));
    const size_t size =
        ZSTD_compressCCtx(context_, compressed_.data(), compressed_.size(),
                          bytes.data(), bytes.size(), kCompressionLevel);
    if (!ZSTD_isError(size) && size <= bytes.size() - bytes.size() / 8) {
      block.encoding = BlockEncoding::kZstd;
      block.body.assign(compressed_, 0, size);
      return;
    }
  }
  block.body = std::string(bytes);
}

BlockUnpacker::BlockUnpacker() : context_(MustHave(ZSTD_createDCtx())) {}

BlockUnpacker::~BlockUnpacker() { ZSTD_freeDCtx(context_); }

absl::Status BlockUnpacker::Unpack(const Block& block, std::string& bytes) {
  // A larger number is damage, and must not make us allocate.
  if (block.unpacked_bytes < 0 ||
      block.unpacked_bytes > static_cast<int64_t>(kBlockBytesMax)) {
    return absl::DataLossError("the size of a block is out of range");
  }
  const size_t start = bytes.size();
  const auto size = static_cast<size_t>(block.unpacked_bytes);
  if (block.encoding == BlockEncoding::kPlain) {
    bytes.append(block.body);
  } else if (block.encoding == BlockEncoding::kZstd) {
    bytes.resize(start + size);
    const size_t got =
        ZSTD_decompressDCtx(context_, bytes.data() + start, size,
                            block.body.data(), block.body.size());
    if (ZSTD_isError(got) || got != size) {
      return absl::DataLossError("a block does not decompress");
    }
  } else {
    return absl::DataLossError(
        "a block is missing, or its encoding is unknown");
  }
  if (BlockHash(absl::string_view(bytes).substr(start)) == block.hash) {
    return absl::OkStatus();
  }
  return absl::DataLossError("a block does not have the recorded hash");
}

}  // namespace faultline::storage

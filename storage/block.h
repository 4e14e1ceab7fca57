// A block: a piece of an image, named by the SHA-256 of its bytes and stored
// once, whoever has it. Pure; no SQL here.
#ifndef FAULTLINE_STORAGE_BLOCK_H_
#define FAULTLINE_STORAGE_BLOCK_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace faultline::storage {

enum class BlockEncoding : int64_t { kPlain = 0, kZstd = 1 };

struct Block {
  std::string hash;  // of the bytes as they were before compression
  BlockEncoding encoding = BlockEncoding::kPlain;
  int64_t unpacked_bytes = 0;
  std::string body;  // empty: the database is said to have it
};

std::string BlockHash(absl::string_view bytes);

// Fills `encoding` and `body`, in turn for many blocks. Used by one thread at a
// time.
class BlockPacker {
 public:
  BlockPacker();
  ~BlockPacker();
  BlockPacker(const BlockPacker&) = delete;
  BlockPacker& operator=(const BlockPacker&) = delete;

  void Pack(absl::string_view bytes, Block& block);

 private:
  ZSTD_CCtx_s* const context_;
  std::string compressed_;
};

// The way back. Used by one thread at a time.
class BlockUnpacker {
 public:
  BlockUnpacker();
  ~BlockUnpacker();
  BlockUnpacker(const BlockUnpacker&) = delete;
  BlockUnpacker& operator=(const BlockUnpacker&) = delete;

  // Appends the bytes of `block` to `bytes`. DATA_LOSS when they are not those
  // that its hash was made of; then some may be appended.
  absl::Status Unpack(const Block& block, std::string& bytes);

 private:
  ZSTD_DCtx_s* const context_;
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_BLOCK_H_

// Cuts a stream of bytes into blocks at places that follow from the bytes
// themselves, so that bytes put in or taken out change the blocks around them
// and no others. Pure; no SQL here.
#ifndef FAULTLINE_STORAGE_BLOCK_SPLITTER_H_
#define FAULTLINE_STORAGE_BLOCK_SPLITTER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace faultline::storage {

// A block is about kBlockBytesMin + 2^kBlockCutBits long: small, because a
// machine that nobody has used much is only a few of them.
inline constexpr size_t kBlockBytesMin = 2048;
inline constexpr int kBlockCutBits = 13;
inline constexpr size_t kBlockBytesMax = 32768;

// Where blocks end depends on the last 64 bytes only (a "gear" hash), at least
// kBlockBytesMin and at most kBlockBytesMax after the cut before. Used by one
// thread at a time.
class BlockSplitter {
 public:
  using Take = absl::FunctionRef<void(absl::string_view)>;

  // Gives `take` each block that is complete now.
  void Add(absl::string_view bytes, Take take);
  // Gives it what is left, if anything.
  void Finish(Take take);

 private:
  // How many of `bytes` belong to the current block; sets `cut_` when it ends
  // with them.
  size_t Scan(absl::string_view bytes);

  std::string block_;  // the current one, as far as it is there
  uint64_t hash_ = 0;
  bool cut_ = false;
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_BLOCK_SPLITTER_H_

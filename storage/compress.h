// zstd, where it pays.
#ifndef FAULTLINE_STORAGE_COMPRESS_H_
#define FAULTLINE_STORAGE_COMPRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace faultline::storage {

// More than any chunk or report; a larger number is damage, and must not make
// us allocate.
inline constexpr int64_t kUnpackedBytesMax = int64_t{1} << 30;

// The compressed form, or nothing when it does not save an eighth.
absl::optional<std::string> Compress(absl::string_view bytes);

// The way back. DATA_LOSS when `body` is not the compressed form of
// `unpacked_bytes` bytes; the message does not name the row.
absl::StatusOr<std::string> Decompress(absl::string_view body,
                                       int64_t unpacked_bytes);

// Bytes as a row holds them.
struct Compressed {
  enum class Encoding : int64_t { kPlain = 0, kZstd = 1 };

  Encoding encoding = Encoding::kPlain;
  int64_t unpacked_bytes = 0;
  std::string body;
};
Compressed CompressWhereItPays(std::string bytes);
// DATA_LOSS, as Decompress.
absl::StatusOr<std::string> Unpack(const Compressed& compressed);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_COMPRESS_H_

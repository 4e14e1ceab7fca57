#include "storage/compress.h"

#include <zstd.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr size_t kCompressFromBytes = 256;
// Level 1 compresses small pieces well, and none of them takes long. Large ones
// are written at a high rate: half the time for a twentieth more bytes.
constexpr int kCompressionLevel = 1;
constexpr int kFastCompressionLevel = -1;
constexpr size_t kCompressFastFromBytes = 32 << 10;

// The thread's own: making one costs more than compressing a small piece.
ZSTD_CCtx* CompressionContext() {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(
      ZSTD_createCCtx());
  return context.get();
}

}  // namespace

absl::optional<std::string> Compress(absl::string_view bytes) {
  if (bytes.size() < kCompressFromBytes) return absl::nullopt;
  const int level = bytes.size() < kCompressFastFromBytes
                        ? kCompressionLevel
                        : kFastCompressionLevel;
  std::string compressed(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size =
      ZSTD_compressCCtx(CompressionContext(), compressed.data(),
                        compressed.size(), bytes.data(), bytes.size(), level);
  if (ZSTD_isError(size) || size > bytes.size() - bytes.size() / 8) {
    return absl::nullopt;
  }
  compressed.resize(size);
  return compressed;
}

absl::StatusOr<std::string> Decompress(absl::string_view body,
                                       int64_t unpacked_bytes) {
  if (unpacked_bytes < 0 || unpacked_bytes > kUnpackedBytesMax) {
    return absl::DataLossError("its size is out of range");
  }
  std::string bytes(static_cast<size_t>(unpacked_bytes), '\0');
  const size_t size =
      ZSTD_decompress(bytes.data(), bytes.size(), body.data(), body.size());
  if (ZSTD_isError(size) || size != bytes.size()) {
    return absl::DataLossError("it does not decompress to its stated size");
  }
  return bytes;
}

Compressed CompressWhereItPays(std::string bytes) {
  Compressed result;
  result.unpacked_bytes = static_cast<int64_t>(bytes.size());
  if (absl::optional<std::string> compressed = Compress(bytes)) {
    result.encoding = Compressed::Encoding::kZstd;
    result.body = *std::move(compressed);
  } else {
    result.body = std::move(bytes);
  }
  return result;
}

absl::StatusOr<std::string> Unpack(const Compressed& compressed) {
  switch (compressed.encoding) {
    case Compressed::Encoding::kPlain:
      return compressed.body;
    case Compressed::Encoding::kZstd:
      return Decompress(compressed.body, compressed.unpacked_bytes);
  }
  return absl::DataLossError("its encoding is unknown");
}

}  // namespace faultline::storage

#include "storage/chunk.h"

#include <zstd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "storage/sha256.h"

namespace faultline::storage {
namespace {

constexpr absl::string_view kGenesisTag = "faultline journal 1";
constexpr absl::string_view kBasedGenesisTag = "faultline journal 2";
constexpr size_t kCompressFromBytes = 256;
constexpr int kCompressionLevel = 1;
// Nobody writes chunks near this size; a larger number is damage, and must not
// make us allocate.
constexpr int64_t kUnpackedBytesMax = int64_t{1} << 30;

// An unsigned LEB128 number, as in protobuf.
void PutVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) {
    out.push_back(static_cast<char>(value | 0x80));
  }
  out.push_back(static_cast<char>(value));
}

void PutBytes(absl::string_view bytes, std::string& out) {
  PutVarint(bytes.size(), out);
  out.append(bytes.data(), bytes.size());
}

absl::optional<uint64_t> TakeVarint(absl::string_view& in) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return absl::nullopt;
}

bool TakeBytes(absl::string_view& in, std::string& out) {
  const absl::optional<uint64_t> size = TakeVarint(in);
  if (!size.has_value() || *size > in.size()) return false;
  out.assign(in.data(), *size);
  in.remove_prefix(*size);
  return true;
}

std::string Pack(absl::Span<const Entry* const> entries) {
  std::string packed;
  for (const Entry* entry : entries) {
    PutBytes(entry->request_id, packed);
    PutBytes(entry->command, packed);
    PutBytes(entry->digest, packed);
    PutBytes(entry->outcome, packed);
  }
  return packed;
}

// The compressed form, or nothing when it does not save an eighth.
absl::optional<std::string> Compress(absl::string_view packed) {
  if (packed.size() < kCompressFromBytes) return absl::nullopt;
  std::string compressed(ZSTD_compressBound(packed.size()), '\0');
  const size_t size =
      ZSTD_compress(compressed.data(), compressed.size(), packed.data(),
                    packed.size(), kCompressionLevel);
  if (ZSTD_isError(size) || size > packed.size() - packed.size() / 8) {
    return absl::nullopt;
  }
  compressed.resize(size);
  return compressed;
}

absl::StatusOr<std::string> Decompress(const Chunk& chunk) {
  if (chunk.unpacked_bytes < 0 || chunk.unpacked_bytes > kUnpackedBytesMax) {
    return absl::DataLossError("its size is out of range");
  }
  std::string packed(static_cast<size_t>(chunk.unpacked_bytes), '\0');
  const size_t size = ZSTD_decompress(packed.data(), packed.size(),
                                      chunk.body.data(), chunk.body.size());
  if (ZSTD_isError(size) || size != packed.size()) {
    return absl::DataLossError("it does not decompress to its stated size");
  }
  return packed;
}

absl::StatusOr<std::vector<Entry>> Unpack(absl::string_view packed,
                                          const Chunk& chunk) {
  std::vector<Entry> entries;
  for (int64_t revision = chunk.first_revision; revision <= chunk.last_revision;
       ++revision) {
    Entry& entry = entries.emplace_back();
    entry.revision = revision;
    if (!TakeBytes(packed, entry.request_id) ||
        !TakeBytes(packed, entry.command) || !TakeBytes(packed, entry.digest) ||
        !TakeBytes(packed, entry.outcome)) {
      return absl::DataLossError("it ends before its last entry");
    }
  }
  if (!packed.empty()) {
    return absl::DataLossError("bytes are left after its last entry");
  }
  return entries;
}

}  // namespace

size_t EntryBytes(const Entry& entry) {
  return entry.request_id.size() + entry.command.size() + entry.digest.size() +
         entry.outcome.size() + 4;
}

std::string GenesisHash(absl::string_view session_id, absl::Time create_time,
                        absl::string_view config, absl::string_view base) {
  return std::move(Sha256()
                       .Add(base.empty() ? kGenesisTag : kBasedGenesisTag)
                       .Add(base)
                       .AddInt(static_cast<int64_t>(session_id.size()))
                       .Add(session_id)
                       .AddInt(absl::ToUnixMicros(create_time))
                       .Add(config))
      .Digest();
}

std::string ChunkHash(absl::string_view previous, const Chunk& chunk) {
  return std::move(Sha256()
                       .Add(previous)
                       .AddInt(chunk.first_revision)
                       .AddInt(chunk.last_revision)
                       .AddInt(absl::ToUnixMicros(chunk.time))
                       .AddInt(static_cast<int64_t>(chunk.encoding))
                       .AddInt(chunk.unpacked_bytes)
                       .Add(chunk.body))
      .Digest();
}

Chunk PackChunk(absl::Span<const Entry* const> entries, absl::Time time,
                absl::string_view previous) {
  Chunk chunk;
  chunk.first_revision = entries.front()->revision;
  chunk.last_revision = entries.back()->revision;
  chunk.time = time;
  std::string packed = Pack(entries);
  chunk.unpacked_bytes = static_cast<int64_t>(packed.size());
  if (absl::optional<std::string> compressed = Compress(packed)) {
    chunk.encoding = Encoding::kPackedZstd;
    chunk.body = *std::move(compressed);
  } else {
    chunk.body = std::move(packed);
  }
  chunk.hash = ChunkHash(previous, chunk);
  return chunk;
}

absl::StatusOr<std::vector<Entry>> UnpackChunk(absl::string_view previous,
                                               const Chunk& chunk) {
  if (ChunkHash(previous, chunk) != chunk.hash) {
    return absl::DataLossError(
        "its hash does not follow from the one before and its content");
  }
  switch (chunk.encoding) {
    case Encoding::kPacked:
      return Unpack(chunk.body, chunk);
    case Encoding::kPackedZstd: {
      absl::StatusOr<std::string> packed = Decompress(chunk);
      return packed.ok() ? Unpack(*packed, chunk) : packed.status();
    }
  }
  return absl::DataLossError("its encoding is unknown");
}

}  // namespace faultline::storage

#include "storage/chunk.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "storage/compress.h"
#include "storage/packing.h"
#include "storage/sha256.h"

namespace faultline::storage {
namespace {

constexpr absl::string_view kGenesisTag = "faultline journal 1";
constexpr absl::string_view kBasedGenesisTag = "faultline journal 2";

// The senders of a chunk's entries: each once, and which of them sent which
// entry. One sender, as nearly always, takes no byte per entry.
class Senders {
 public:
  explicit Senders(absl::Span<const Entry* const> entries) {
    for (const Entry* entry : entries) Find(entry->sender);
  }
  Senders() = default;

  void PutNames(std::string& out) const {
    PutVarint(names_.size(), out);
    for (const absl::string_view name : names_) PutBytes(name, out);
  }
  void PutSenderOf(const Entry& entry, std::string& out) {
    if (names_.size() > 1) PutVarint(Find(entry.sender), out);
  }

  bool TakeNames(absl::string_view& in) {
    const absl::optional<uint64_t> count = TakeVarint(in);
    if (!count.has_value() || *count == 0) return false;
    for (uint64_t i = 0; i < *count; ++i) {
      absl::string_view name;
      if (!TakeView(in, name)) return false;
      names_.push_back(name);
    }
    return true;
  }
  bool TakeSenderOf(absl::string_view& in, Entry& entry) const {
    const absl::optional<uint64_t> index =
        names_.size() > 1 ? TakeVarint(in) : 0;
    if (!index.has_value() || *index >= names_.size()) return false;
    entry.sender = std::string(names_[*index]);
    return true;
  }

 private:
  // Where `name` is, after all others if it is new. Entries of one sender
  // mostly stand together.
  size_t Find(absl::string_view name) {
    if (names_.empty()) names_.push_back(name);
    if (names_[last_] == name) return last_;
    index_.try_emplace(names_.front(), 0);
    const auto [at, is_new] = index_.try_emplace(name, names_.size());
    if (is_new) names_.push_back(name);
    return last_ = at->second;
  }

  std::vector<absl::string_view> names_;
  size_t last_ = 0;  // found
  // Where each is; filled when there is more than one.
  absl::flat_hash_map<absl::string_view, size_t> index_;
};

bool TakeEntry(absl::string_view& in, Entry& entry) {
  return TakeBytes(in, entry.request_id) && TakeBytes(in, entry.command) &&
         TakeBytes(in, entry.digest) && TakeBytes(in, entry.outcome);
}

enum class SendersStored { kNo, kYes };

absl::StatusOr<std::vector<Entry>> Unpack(absl::string_view packed,
                                          SendersStored stored,
                                          int64_t first_revision,
                                          int64_t last_revision) {
  Senders senders;
  const bool with_senders = stored == SendersStored::kYes;
  if (with_senders && !senders.TakeNames(packed)) {
    return absl::DataLossError("it does not begin with its senders");
  }
  std::vector<Entry> entries;
  for (int64_t revision = first_revision; revision <= last_revision;
       ++revision) {
    Entry& entry = entries.emplace_back();
    entry.revision = revision;
    if ((with_senders && !senders.TakeSenderOf(packed, entry)) ||
        !TakeEntry(packed, entry)) {
      return absl::DataLossError("it ends before its last entry");
    }
  }
  if (!packed.empty()) {
    return absl::DataLossError("bytes are left after its last entry");
  }
  return entries;
}

absl::StatusOr<std::vector<Entry>> Unpack(absl::string_view packed,
                                          SendersStored stored,
                                          const Chunk& chunk) {
  return Unpack(packed, stored, chunk.first_revision, chunk.last_revision);
}

absl::StatusOr<std::vector<Entry>> DecompressAndUnpack(SendersStored stored,
                                                       const Chunk& chunk) {
  const absl::StatusOr<std::string> packed =
      Decompress(chunk.body, chunk.unpacked_bytes);
  return packed.ok() ? Unpack(*packed, stored, chunk) : packed.status();
}

}  // namespace

size_t EntryBytes(const Entry& entry) {
  return entry.request_id.size() + entry.command.size() + entry.digest.size() +
         entry.outcome.size() + 4;
}

void PackEntries(absl::Span<const Entry* const> entries, std::string& out) {
  constexpr size_t kNumbersBytes = 20;  // of an entry, and more is no harm
  size_t bytes = out.size();
  for (const Entry* entry : entries)
    bytes += EntryBytes(*entry) + kNumbersBytes;
  out.reserve(bytes);
  Senders senders(entries);
  senders.PutNames(out);
  for (const Entry* entry : entries) {
    senders.PutSenderOf(*entry, out);
    PutBytes(entry->request_id, out);
    PutBytes(entry->command, out);
    PutBytes(entry->digest, out);
    PutBytes(entry->outcome, out);
  }
}

absl::StatusOr<std::vector<Entry>> UnpackEntries(absl::string_view packed,
                                                 int64_t first_revision,
                                                 int64_t last_revision) {
  return Unpack(packed, SendersStored::kYes, first_revision, last_revision);
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
  std::string packed;
  PackEntries(entries, packed);
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
    case Encoding::kWithoutSenders:
      return Unpack(chunk.body, SendersStored::kNo, chunk);
    case Encoding::kWithoutSendersZstd:
      return DecompressAndUnpack(SendersStored::kNo, chunk);
    case Encoding::kPacked:
      return Unpack(chunk.body, SendersStored::kYes, chunk);
    case Encoding::kPackedZstd:
      return DecompressAndUnpack(SendersStored::kYes, chunk);
  }
  return absl::DataLossError("its encoding is unknown");
}

}  // namespace faultline::storage

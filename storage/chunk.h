// A chunk: consecutive journal entries of one session, packed into one row and
// chained to the row before by a hash. Pure functions; no SQL here.
#ifndef FAULTLINE_STORAGE_CHUNK_H_
#define FAULTLINE_STORAGE_CHUNK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace faultline::storage {

// One executed command. Storage does not look into the bytes.
struct Entry {
  int64_t revision = 0;    // 1, 2, 3 ... in each session, without gaps
  std::string request_id;  // "" for none; unique within the session
  std::string command;
  std::string digest;   // of the outcome; compared by a replay
  std::string outcome;  // kept where a repeated request_id must be answered
  std::string sender;   // who sent it; "" in chunks older than senders

  friend bool operator==(const Entry&, const Entry&) = default;
};

// The bytes an entry takes before compression, about. Its sender takes none,
// about: a chunk holds each sender once.
size_t EntryBytes(const Entry& entry);

// Appends entries to `out`, their revisions left out; and back. DATA_LOSS when
// it is not what PackEntries writes; the message does not name the session.
// REQUIRES: `entries` is not empty.
void PackEntries(absl::Span<const Entry* const> entries, std::string& out);
absl::StatusOr<std::vector<Entry>> UnpackEntries(absl::string_view packed,
                                                 int64_t first_revision,
                                                 int64_t last_revision);

// How a chunk's body is packed. Those without senders are read, no longer
// written.
enum class Encoding : int64_t {
  kWithoutSenders = 0,
  kWithoutSendersZstd = 1,
  kPacked = 2,
  kPackedZstd = 3,
};

struct Chunk {
  int64_t first_revision = 0;
  int64_t last_revision = 0;
  absl::Time time;  // when it was written
  Encoding encoding = Encoding::kPacked;
  int64_t unpacked_bytes = 0;
  std::string hash;  // of the hash before and of everything else in here
  std::string body;
};

// The hash that stands before the first chunk: what the session started from.
// `base` is a hash of what it started from besides its config, or empty.
std::string GenesisHash(absl::string_view session_id, absl::Time create_time,
                        absl::string_view config, absl::string_view base = "");

// The hash `chunk` must carry when `previous` is the hash before it.
std::string ChunkHash(absl::string_view previous, const Chunk& chunk);

// REQUIRES: `entries` is not empty and its revisions are consecutive.
Chunk PackChunk(absl::Span<const Entry* const> entries, absl::Time time,
                absl::string_view previous);

// Checks the hash, then unpacks. DATA_LOSS when the hash does not fit or the
// body is not what PackChunk writes; the message does not name the session.
absl::StatusOr<std::vector<Entry>> UnpackChunk(absl::string_view previous,
                                               const Chunk& chunk);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_CHUNK_H_

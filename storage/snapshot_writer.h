// Takes the bytes of a snapshot in, piece by piece.
#ifndef FAULTLINE_STORAGE_SNAPSHOT_WRITER_H_
#define FAULTLINE_STORAGE_SNAPSHOT_WRITER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/block.h"
#include "storage/block_splitter.h"
#include "storage/connections.h"
#include "storage/sha256.h"
#include "storage/snapshots.h"
#include "storage/writer.h"

namespace faultline::storage {

// Cuts, hashes and compresses on the caller's thread, and hands the blocks to
// the writer in parts so small that no session waits for long: one part at a
// time, so that it blocks. The snapshot exists once Finish says so; without
// Finish nothing stays. Used by one thread at a time; the store must outlive
// it.
class SnapshotWriter {
 public:
  SnapshotWriter(Writer& writer, Connections& connections, int64_t image_key);
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  // After an error, which Finish repeats, the rest is ignored.
  absl::Status Add(absl::string_view bytes);

  // The snapshot as it was written: `bytes` and `stored_bytes` filled in. The
  // errors are those of InsertSnapshot.
  absl::StatusOr<SnapshotRecord> Finish(absl::string_view session,
                                        SnapshotRecord snapshot,
                                        const SnapshotRules& rules);

 private:
  void AddBlock(absl::string_view bytes);
  absl::Status SendPart();
  // Submits blocks with the bodies that the database lacks, or with all.
  absl::Status Send(std::vector<Block> blocks);
  absl::StatusOr<std::vector<bool>> FindKnown(const std::vector<Block>& blocks);
  // Submits a write and waits for it.
  absl::Status Write(storage::Write write);

  Writer& writer_;
  Connections& connections_;
  const int64_t image_key_;
  BlockSplitter splitter_;
  BlockPacker packer_;
  Sha256 hashes_;
  ImageSeal seal_;
  absl::Status status_;

  int64_t stored_bytes_ = 0;

  std::vector<std::string> part_;  // blocks that are not sent
  size_t part_bytes_ = 0;
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SNAPSHOT_WRITER_H_

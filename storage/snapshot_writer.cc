#include "storage/snapshot_writer.h"

#include <utility>

#include "absl/synchronization/notification.h"
#include "storage/reason.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

// A part: what the writer takes in between two commits of other sessions.
constexpr size_t kPartBlocks = 32;
constexpr size_t kPartBytes = 256 << 10;

}  // namespace

SnapshotWriter::SnapshotWriter(Writer& writer, Connections& connections,
                               int64_t image_key)
    : writer_(writer), connections_(connections), image_key_(image_key) {
  writer_.HoldImage(image_key_);
}

SnapshotWriter::~SnapshotWriter() { writer_.LetGoOfImage(image_key_); }

absl::Status SnapshotWriter::Add(absl::string_view bytes) {
  if (!status_.ok()) return status_;
  splitter_.Add(bytes, [this](absl::string_view block) { AddBlock(block); });
  return status_;
}

absl::StatusOr<SnapshotRecord> SnapshotWriter::Finish(
    absl::string_view session, SnapshotRecord snapshot,
    const SnapshotRules& rules) {
  splitter_.Finish([this](absl::string_view block) { AddBlock(block); });
  if (status_.ok()) status_ = SendPart();
  FAULTLINE_RETURN_IF_ERROR(status_);
  seal_.hash = std::move(hashes_).Digest();
  snapshot.create_time =
      absl::FromUnixMicros(absl::ToUnixMicros(snapshot.create_time));
  snapshot.bytes = seal_.bytes;
  snapshot.stored_bytes = stored_bytes_;
  FAULTLINE_RETURN_IF_ERROR(
      Write({std::string(session),
             SnapshotWrite{snapshot, rules, image_key_, seal_},
             {}}));
  return snapshot;
}

void SnapshotWriter::AddBlock(absl::string_view bytes) {
  if (!status_.ok()) return;
  part_.emplace_back(bytes);
  part_bytes_ += bytes.size();
  if (part_.size() == kPartBlocks || part_bytes_ >= kPartBytes) {
    status_ = SendPart();
  }
}

absl::Status SnapshotWriter::SendPart() {
  if (part_.empty()) return absl::OkStatus();
  std::vector<Block> blocks(part_.size());
  for (size_t i = 0; i < blocks.size(); ++i) {
    blocks[i].hash = BlockHash(part_[i]);
    blocks[i].unpacked_bytes = static_cast<int64_t>(part_[i].size());
    hashes_.Add(blocks[i].hash);
  }
  FAULTLINE_ASSIGN_OR_RETURN(const std::vector<bool> known, FindKnown(blocks));
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (!known[i]) packer_.Pack(part_[i], blocks[i]);
  }
  absl::Status sent = Send(blocks);
  if (ReasonOf(sent) == "BLOCK_GONE") {
    // Deleted between the two: now with everything.
    for (size_t i = 0; i < blocks.size(); ++i) {
      packer_.Pack(part_[i], blocks[i]);
    }
    sent = Send(std::move(blocks));
  }
  FAULTLINE_RETURN_IF_ERROR(sent);
  seal_.blocks += static_cast<int64_t>(part_.size());
  seal_.bytes += static_cast<int64_t>(part_bytes_);
  part_.clear();
  part_bytes_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<bool>> SnapshotWriter::FindKnown(
    const std::vector<Block>& blocks) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_.BorrowReader());
  std::vector<bool> known;
  for (const Block& block : blocks) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool has, HasBlock(*database, block.hash));
    known.push_back(has);
  }
  return known;
}

absl::Status SnapshotWriter::Send(std::vector<Block> blocks) {
  auto stored_bytes = std::make_shared<int64_t>(0);
  FAULTLINE_RETURN_IF_ERROR(Write(
      {"",
       BlocksWrite{image_key_, seal_.blocks, std::move(blocks), stored_bytes},
       {}}));
  stored_bytes_ += *stored_bytes;
  return absl::OkStatus();
}

absl::Status SnapshotWriter::Write(storage::Write write) {
  // Shared: the writer may still be inside the callback when we return.
  struct Answer {
    absl::Notification given;
    absl::Status status;
  };
  auto answer = std::make_shared<Answer>();
  write.done = [answer](absl::Status status) {
    answer->status = std::move(status);
    answer->given.Notify();
  };
  FAULTLINE_RETURN_IF_ERROR(writer_.Submit(std::move(write)));
  answer->given.WaitForNotification();
  return answer->status;
}

}  // namespace faultline::storage

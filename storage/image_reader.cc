#include "storage/image_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sessions.h"
#include "storage/snapshots.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

// A piece ends with the block that reaches this.
constexpr size_t kPieceBytes = 256 << 10;

}  // namespace

ImageReader::ImageReader(Connections& connections, Writer* writer,
                         int64_t image_key, ImageSeal seal, Errors errors)
    : connections_(connections),
      writer_(writer),
      image_key_(image_key),
      seal_(std::move(seal)),
      errors_(std::move(errors)),
      unpacker_(std::make_unique<BlockUnpacker>()),
      hashes_(std::make_unique<Sha256>()) {}

absl::StatusOr<absl::string_view> ImageReader::Next() {
  piece_.clear();
  if (position_ < seal_.blocks) {
    FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                               connections_.BorrowReader());
    FAULTLINE_RETURN_IF_ERROR(ReadPiece(*database));
  }
  // Before the last piece is handed out, everything is verified.
  if (position_ == seal_.blocks && hashes_ != nullptr) {
    FAULTLINE_RETURN_IF_ERROR(CheckEnd());
  }
  return absl::string_view(piece_);
}

absl::Status ImageReader::ReadPiece(Database& database) {
  absl::Status status;
  const int64_t start = position_;
  FAULTLINE_RETURN_IF_ERROR(
      ReadBlocks(database, image_key_, position_, [&](const Block& block) {
        status = unpacker_->Unpack(block, piece_);
        if (!status.ok()) {
          SetApart(block);
          return false;
        }
        hashes_->Add(block.hash);
        ++position_;
        return position_ < seal_.blocks && piece_.size() < kPieceBytes;
      }));
  if (!status.ok()) return Corrupt(status.message());
  if (position_ == start) return Missing(database);
  bytes_read_ += static_cast<int64_t>(piece_.size());
  return absl::OkStatus();
}

void ImageReader::SetApart(const Block& block) const {
  if (writer_ == nullptr) return;
  // When it fails the next one who reads it tries again.
  writer_
      ->Submit({"", BlockDamagedWrite{block.hash}, [](const absl::Status&) {}})
      .IgnoreError();
}

absl::Status ImageReader::CheckEnd() {
  const std::unique_ptr<Sha256> hashes = std::move(hashes_);
  if (bytes_read_ != seal_.bytes || std::move(*hashes).Digest() != seal_.hash) {
    return Corrupt("its blocks are not those that it was made of");
  }
  return absl::OkStatus();
}

absl::Status ImageReader::Missing(Database& database) const {
  FAULTLINE_ASSIGN_OR_RETURN(const bool there,
                             IsReferredTo(database, image_key_));
  if (there) return Corrupt("a block is missing");
  return errors_.snapshot.empty()
             ? SessionNotFound(errors_.session)
             : SnapshotNotFound(errors_.session, errors_.snapshot);
}

absl::Status ImageReader::Corrupt(absl::string_view why) const {
  const std::string what = absl::StrCat(
      why, ", at byte ", bytes_read_ + static_cast<int64_t>(piece_.size()));
  if (!errors_.snapshot.empty()) {
    return SnapshotCorrupt(errors_.session, errors_.snapshot, what);
  }
  return ErrorWithReason(absl::StatusCode::kDataLoss, "SNAPSHOT_CORRUPT",
                         absl::StrCat("what session \"", errors_.session,
                                      "\" started from is damaged: ", what,
                                      "; restore the database from a backup"));
}

}  // namespace faultline::storage

// Reads the bytes of a snapshot, or of what a session started from, back in
// pieces, each verified.
#ifndef FAULTLINE_STORAGE_IMAGE_READER_H_
#define FAULTLINE_STORAGE_IMAGE_READER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/block.h"
#include "storage/connections.h"
#include "storage/images.h"
#include "storage/sha256.h"
#include "storage/writer.h"

namespace faultline::storage {

// Holds no connection between two pieces. Used by one thread at a time; the
// store must outlive it.
class ImageReader {
 public:
  // What its errors say: DATA_LOSS of a damaged image, `gone` of one that was
  // deleted meanwhile.
  struct Errors {
    std::string session;
    std::string snapshot;  // "": what the session started from
  };

  // A damaged block that it finds is set apart by `writer`, so that what is
  // taken in later does not share it; null: by nobody.
  ImageReader(Connections& connections, Writer* writer, int64_t image_key,
              ImageSeal seal, Errors errors);

  int64_t bytes() const { return seal_.bytes; }

  // The next piece; empty at the end. It lives until the next call.
  absl::StatusOr<absl::string_view> Next();

 private:
  absl::Status ReadPiece(Database& database);
  void SetApart(const Block& block) const;
  absl::Status CheckEnd();
  absl::Status Missing(Database& database) const;
  absl::Status Corrupt(absl::string_view why) const;

  Connections& connections_;
  Writer* const writer_;
  const int64_t image_key_;
  const ImageSeal seal_;
  const Errors errors_;
  std::unique_ptr<BlockUnpacker> unpacker_;
  std::unique_ptr<Sha256> hashes_;
  int64_t position_ = 0;
  int64_t bytes_read_ = 0;
  std::string piece_;
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_IMAGE_READER_H_

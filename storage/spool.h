// The spool: a file in memory, where small writes are safe from the end of this
// process before they are in the database.
//
// faultline.spool is two halves of kSpoolHalfBytes. A half begins with its
// generation, greater than that of any half begun before it, and the salt of
// the file, random, eight bytes each; records follow: size and checksum, four
// bytes each, and the bytes, filled up to a multiple of eight. The checksum
// (CRC-32) is over the salt, the generation, the place in the half and the
// bytes, so that neither a record that was being written at the end nor one
// that is left of an earlier generation is taken for whole, nor what a client
// wrote to look like one. All numbers are little-endian.
//
// What is in it is in the kernel's page cache: it outlives the process, not a
// loss of power.
#ifndef FAULTLINE_STORAGE_SPOOL_H_
#define FAULTLINE_STORAGE_SPOOL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace faultline::storage {

inline constexpr char kSpoolFile[] = "faultline.spool";
inline constexpr size_t kSpoolHalfBytes = 1 << 20;

// One thread at a time uses it. Records go into one half until it is full; then
// into the other, if all that was in that one has been folded into the
// database.
class Spool {
 public:
  // Makes an empty file; one that is there is lost. Errors as for the data
  // directory: the space on the disk is taken here, not later.
  static absl::StatusOr<std::unique_ptr<Spool>> Create(
      const std::string& directory);
  // Removes the file unless it holds what is not folded.
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Adds a record, given in parts. The half that it is in, to be named when it
  // is folded; nullopt when there is no room now.
  absl::optional<size_t> Add(absl::Span<const absl::string_view> parts);
  // One record of `half` is in the database.
  void Fold(size_t half);

  // True when a record was added and not folded.
  bool holds_records() const { return unfolded_[0] + unfolded_[1] > 0; }

 private:
  Spool(std::string path, char* map);

  char* HalfAt(size_t half) const { return map_ + half * kSpoolHalfBytes; }
  void Begin(size_t half);

  const std::string path_;
  char* const map_;
  const uint64_t salt_;
  uint64_t generation_ = 0;  // of the half in use
  size_t half_ = 0;          // in use
  size_t end_ = 0;           // of the records in it
  std::array<size_t, 2> unfolded_ = {0, 0};
};

// The records of a process that is gone, in the order in which they were added,
// folded ones included. Empty when there is no file.
absl::StatusOr<std::vector<std::string>> ReadSpool(
    const std::string& directory);
absl::Status RemoveSpool(const std::string& directory);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SPOOL_H_

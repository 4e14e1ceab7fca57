// The directory that holds everything a server keeps, and the lock on it.
#ifndef FAULTLINE_STORAGE_DATA_DIRECTORY_H_
#define FAULTLINE_STORAGE_DATA_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace faultline::storage {

inline constexpr char kDatabaseFile[] = "faultline.db";
inline constexpr char kLockFile[] = "faultline.lock";

// Creates the directory (not its parents) unless it is there.
absl::Status EnsureDirectory(const std::string& path);

// What errno `error` means when `doing` failed on `path`, and what to do.
absl::Status DirectoryError(int error, absl::string_view doing,
                            absl::string_view path);

// Proof that this process is the only one that writes to a data directory. The
// kernel drops the lock when the process ends, however it ends; the pid in the
// file only serves the error message of whoever comes second.
class DirectoryLock {
 public:
  // FAILED_PRECONDITION with reason DATA_DIRECTORY_IN_USE when it is taken.
  static absl::StatusOr<DirectoryLock> Acquire(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  int fd_;  // -1 when moved from
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_DATA_DIRECTORY_H_

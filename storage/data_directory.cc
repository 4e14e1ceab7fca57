#include "storage/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "storage/reason.h"

namespace faultline::storage {
namespace {

// Makes the directory's own entry survive a power loss.
void SyncParent(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  const std::string parent =
      slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

// Whoever holds the lock wrote its pid into the file.
std::string Holder(int fd) {
  char text[32];
  const ssize_t size = pread(fd, text, sizeof text, 0);
  if (size <= 0) return "another process";
  return absl::StrCat("process ", absl::StripAsciiWhitespace(absl::string_view(
                                      text, static_cast<size_t>(size))));
}

}  // namespace

absl::Status DirectoryError(int error, absl::string_view doing,
                            absl::string_view path) {
  const std::string what =
      absl::StrCat("cannot ", doing, " ", path, ": ", strerror(error), "; ");
  switch (error) {
    case ENOENT:
      return ErrorWithReason(
          absl::StatusCode::kNotFound, "DATA_DIRECTORY_MISSING",
          absl::StrCat(what,
                       "create its parent directory, or choose another "
                       "data directory"));
    case ENOTDIR:
    case EEXIST:
      return ErrorWithReason(
          absl::StatusCode::kFailedPrecondition, "DATA_DIRECTORY_MISSING",
          absl::StrCat(what,
                       "there is a file where a directory is needed; "
                       "choose another data directory"));
    case EROFS:
      return ErrorWithReason(
          absl::StatusCode::kFailedPrecondition, "DATA_DIRECTORY_READ_ONLY",
          absl::StrCat(what,
                       "choose a directory on a writable file system, or "
                       "open this one read-only"));
    case EACCES:
    case EPERM:
      return ErrorWithReason(
          absl::StatusCode::kPermissionDenied, "DATA_DIRECTORY_NOT_WRITABLE",
          absl::StrCat(what,
                       "change its owner or mode, or choose another data "
                       "directory"));
    case ENOSPC:
    case EDQUOT:
      return ErrorWithReason(absl::StatusCode::kResourceExhausted, "DISK_FULL",
                             absl::StrCat(what, "free some space"));
    default:
      return ErrorWithReason(
          absl::StatusCode::kUnavailable, "DISK_ERROR",
          absl::StrCat(what, "check the path and the file system"));
  }
}

absl::Status EnsureDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0750) == 0) {
    SyncParent(path);
    return absl::OkStatus();
  }
  const int error = errno;
  struct stat status;
  if (stat(path.c_str(), &status) == 0) {
    return S_ISDIR(status.st_mode)
               ? absl::OkStatus()
               : DirectoryError(ENOTDIR, "use the data directory", path);
  }
  return DirectoryError(error, "create the data directory", path);
}

absl::StatusOr<DirectoryLock> DirectoryLock::Acquire(
    const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kLockFile);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return DirectoryError(errno, "write to the data directory", path);
  DirectoryLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return DirectoryError(errno, "lock", path);
    return ErrorWithReason(
        absl::StatusCode::kFailedPrecondition, "DATA_DIRECTORY_IN_USE",
        absl::StrCat("the data directory ", directory, " is in use by ",
                     Holder(fd),
                     "; stop that server, or choose another data directory"));
  }
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) !=
                                   static_cast<ssize_t>(pid.size())) {
    return DirectoryError(errno, "write", path);
  }
  return lock;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace faultline::storage

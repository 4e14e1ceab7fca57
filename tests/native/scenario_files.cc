#include "tests/native/scenario_files.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace faultline::native {
namespace {

constexpr int kFirstTheirFd = 100;
constexpr uint64_t kPageBytes = 4096;

void WritePattern(int fd, const scenario::FileDeclaration& file,
                  const std::string& path) {
  for (uint64_t page = 0; page * kPageBytes < file.size_bytes; ++page) {
    const uint64_t offset = page * kPageBytes;
    const uint64_t count = std::min(kPageBytes, file.size_bytes - offset);
    const std::string bytes(
        count, static_cast<char>((file.number * 37 + page * 7 + 1) & 0xff));
    if (pwrite(fd, bytes.data(), count, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(count)) {
      Die("cannot write " + path);
    }
  }
}

int AccessMode(const scenario::FileDeclaration& file) {
  switch (file.mode) {
    case scenario::FileDeclaration::Mode::kReadOnly:
      return O_RDONLY;
    case scenario::FileDeclaration::Mode::kWriteOnly:
      return O_WRONLY;
    default:
      return O_RDWR;
  }
}

}  // namespace

ScenarioFiles::ScenarioFiles(const std::string& directory)
    : directory_(directory) {
  if (!directory_.empty()) return;
  if (unshare(CLONE_NEWNS) != 0 ||
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    Die("cannot make a private mount namespace; run as root");
  }
  char name[] = "/tmp/faultline-native-XXXXXX";
  if (mkdtemp(name) == nullptr) Die("cannot make a directory in /tmp");
  directory_ = name;
  if (mount("ramfs", name, "ramfs", 0, nullptr) != 0) {
    Die("cannot mount a ramfs");
  }
  mounted_ = true;
}

ScenarioFiles::~ScenarioFiles() {
  for (const auto& [number, fd] : fds_) close(fd);
  if (!mounted_) return;
  umount2(directory_.c_str(), MNT_DETACH);
  rmdir(directory_.c_str());
}

void ScenarioFiles::Create(const scenario::FileDeclaration& file) {
  const std::string name = absl::StrCat("f", file.number);
  const std::string path = absl::StrCat(directory_, "/", name);
  const int all =
      file.memfd ? memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING)
                 : open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR, 0644);
  if (all < 0 || ftruncate(all, static_cast<off_t>(file.size_bytes)) != 0) {
    Die("cannot make " + path);
  }
  if (!file.hole) WritePattern(all, file, path);
  if ((file.cold || file.disk) && mounted_) {
    errno = 0;
    Die("a file that is on a disk (d) or not in the page cache (c) needs a "
        "disk: name a directory with --files");
  }
  if (file.cold || file.disk) fsync(all);
  if (file.cold) {
    posix_fadvise(all, 0, 0, POSIX_FADV_DONTNEED);
  }
  struct stat facts;
  if (fstat(all, &facts) != 0) Die("cannot stat " + path);
  int fd = all;
  if (!file.memfd) {
    close(all);
    fd = open(path.c_str(), AccessMode(file) | O_CLOEXEC);
    if (fd < 0) Die("cannot open " + path);
    names_[facts.st_ino] = name;
  }
  fds_[static_cast<int64_t>(file.number)] = fd;
}

std::vector<InheritedFd> ScenarioFiles::Inherited() const {
  std::vector<InheritedFd> fds;
  for (const auto& [number, fd] : fds_) fds.push_back({fd, TheirFd(number)});
  return fds;
}

int ScenarioFiles::TheirFd(int64_t number) {
  return kFirstTheirFd + static_cast<int>(number);
}

int ScenarioFiles::OurFd(int64_t number) const {
  const auto found = fds_.find(number);
  return found == fds_.end() ? -1 : found->second;
}

std::string ScenarioFiles::NameOfInode(uint64_t inode) const {
  const auto found = names_.find(inode);
  return found == names_.end() ? "" : found->second;
}

}  // namespace faultline::native

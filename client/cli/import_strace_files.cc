// The files of the recorded program: what the machine has to know of them,
// and which descriptors they have.

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/import_strace.h"
#include "client/cli/import_text.h"

namespace faultline::cli {
namespace {

namespace fs = std::filesystem;

// x86-64's numbers: a recording means the same wherever it is read.
constexpr uint64_t kProtWrite = 2;
constexpr uint64_t kMapTypeMask = 0xf;
constexpr uint64_t kMapShared = 1;
constexpr uint64_t kMapSharedValidate = 3;
constexpr uint64_t kAccessMode = 3;
constexpr uint64_t kReadWrite = 2;
constexpr int kEacces = 13;
constexpr int64_t kAtCwd = -100;

// linux/magic.h
constexpr uint64_t kExt4Magic = 0xef53;
constexpr uint64_t kXfsMagic = 0x58465342;
constexpr uint64_t kBtrfsMagic = 0x9123683e;
constexpr uint64_t kTmpfsMagic = 0x01021994;

bool IsShared(uint64_t flags) {
  const uint64_t type = flags & kMapTypeMask;
  return type == kMapShared || type == kMapSharedValidate;
}

}  // namespace

void Reenactor::LoadIdentities() {
  if (options_.maps_dir.empty()) return;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.maps_dir, error)) {
    if (entry.path().extension() != ".maps") continue;
    auto lines = scenario::ParseMaps(ReadText(entry.path().string()));
    if (!lines.ok()) continue;
    for (const scenario::MapsLine& line : *lines) {
      const std::vector<std::string> device = absl::StrSplit(line.device, ':');
      Identity identity;
      if (line.inode == 0 || device.size() != 2 ||
          !absl::SimpleHexAtoi(device[0], &identity.dev_major) ||
          !absl::SimpleHexAtoi(device[1], &identity.dev_minor)) {
        continue;
      }
      identity.inode = line.inode;
      identities_[line.name] = identity;
    }
  }
}

void Reenactor::SetIdentity(v1::CreateFile* file) const {
  const auto known = identities_.find(file->path());
  if (known != identities_.end()) {
    file->set_dev_major(known->second.dev_major);
    file->set_dev_minor(known->second.dev_minor);
    file->set_inode(known->second.inode);
    return;
  }
  struct stat status;
  if (!tree_.IsOwnRoot() || ::stat(file->path().c_str(), &status) != 0) return;
  file->set_dev_major(major(status.st_dev));
  file->set_dev_minor(minor(status.st_dev));
  file->set_inode(status.st_ino);
}

v1::FsType Reenactor::FsTypeOf(const std::string& path) const {
  if (absl::StartsWith(path, "/memfd:") ||
      absl::StartsWith(path, "/dev/shm/")) {
    return v1::FS_TYPE_TMPFS;
  }
  if (options_.fs != v1::FS_TYPE_UNSPECIFIED) return options_.fs;
  struct statfs status;
  if (!tree_.IsOwnRoot() || ::statfs(path.c_str(), &status) != 0) {
    return v1::FS_TYPE_EXT4;
  }
  switch (static_cast<uint64_t>(status.f_type)) {
    case kExt4Magic:
    case kXfsMagic:
    case kBtrfsMagic:
      return v1::FS_TYPE_EXT4;
    case kTmpfsMagic:
      return v1::FS_TYPE_TMPFS;
    default:
      // Overlayfs and the network's file systems align no mapping, as ramfs.
      return v1::FS_TYPE_RAMFS;
  }
}

absl::Status Reenactor::CreateFile(v1::CreateFile file) {
  file.set_fs(FsTypeOf(file.path()));
  SetIdentity(&file);
  v1::Command command;
  *command.mutable_create_file() = std::move(file);
  absl::StatusOr<v1::Outcome> outcome = target_.Apply(command);
  if (!outcome.ok()) return outcome.status();
  files_.insert(command.create_file().path());
  if (outcome->error() == v1::ERRNO_UNSPECIFIED) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the machine does not take the file ",
                   command.create_file().path(), ": ", OursText(*outcome)));
}

absl::Status Reenactor::EnsureFile(const std::string& path,
                                   uint64_t least_size) {
  if (files_.count(path) > 0) return absl::OkStatus();
  v1::CreateFile file;
  file.set_path(path);
  file.set_content(v1::FILE_CONTENT_HOLE);
  const uint64_t size = tree_.Locate(path).size;
  file.set_size(size != 0 ? size : least_size);
  return CreateFile(std::move(file));
}

absl::Status Reenactor::CreateImage(const Executable& executable) {
  if (!images_.insert(executable.path).second) return absl::OkStatus();
  v1::CreateFile file;
  file.set_path(executable.path);
  file.set_content(v1::FILE_CONTENT_BYTES);
  file.set_data(executable.image.head);
  file.set_size(executable.image.size);
  file.set_mode(0755);
  return CreateFile(std::move(file));
}

absl::StatusOr<int32_t> Reenactor::Descriptor(const strace::Mmap& call) {
  if (call.fd.number < 0) return -1;
  OpenFile& open = (*task_->files)[call.fd.number];
  std::string path = call.fd.path;
  if (call.fd.deleted) absl::StrAppend(&path, " (deleted)");
  if (path.empty()) path = open.path;
  if (path.empty()) {
    path = absl::StrCat("/descriptor-", call.fd.number);
    Note("the mapped file has no name: record with strace -y");
  }
  if (open.path != path) open = {path, std::nullopt, false};
  absl::Status ensured = EnsureFile(path, call.offset + call.length);
  if (!ensured.ok()) return ensured;
  if (open.in_machine) return static_cast<int32_t>(call.fd.number);
  // Without the open call in the recording: what the mapping must have needed.
  const bool shared_write =
      IsShared(call.flags) && (call.prot & kProtWrite) != 0;
  const bool refused = call_->result.error == kEacces;
  const uint64_t needed = shared_write && !refused ? kReadWrite : 0;
  v1::Command command;
  command.mutable_open()->set_path(path);
  command.mutable_open()->set_flags(open.flags.value_or(needed));
  command.mutable_open()->set_at(static_cast<int32_t>(call.fd.number));
  absl::StatusOr<v1::Outcome> outcome = Apply(command);
  if (!outcome.ok()) return outcome.status();
  if (outcome->error() != v1::ERRNO_UNSPECIFIED) {
    Note(absl::StrCat("the machine cannot open ", path, " as descriptor ",
                      call.fd.number, ": ", OursText(*outcome)));
    return -1;
  }
  open.in_machine = true;
  return static_cast<int32_t>(call.fd.number);
}

absl::Status Reenactor::On(const strace::Open& call) {
  if (!call_->result.ok()) return absl::OkStatus();
  std::string path = call_->result.path;
  if (path.empty() && absl::StartsWith(call.path, "/")) {
    path = tree_.Locate(call.path).real;
  } else if (path.empty() && !call.directory.path.empty() &&
             (call.directory.number == kAtCwd || call.directory.number >= 0)) {
    path = absl::StrCat(call.directory.path, "/", call.path);
  }
  (*task_->files)[static_cast<int64_t>(call_->result.value)] = {
      path, call.flags & kAccessMode, false};
  return absl::OkStatus();
}

absl::Status Reenactor::On(const strace::Close& call) {
  const auto it = task_->files->find(call.fd.number);
  if (it == task_->files->end() || !call_->result.ok()) return absl::OkStatus();
  const bool in_machine = it->second.in_machine;
  task_->files->erase(it);
  if (!in_machine) return absl::OkStatus();
  v1::Command command;
  command.mutable_close()->set_fd(static_cast<int32_t>(call.fd.number));
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Dup& call) {
  const auto it = task_->files->find(call.fd.number);
  if (it == task_->files->end() || !call_->result.ok()) return absl::OkStatus();
  OpenFile copy = it->second;
  copy.in_machine = false;
  (*task_->files)[static_cast<int64_t>(call_->result.value)] = copy;
  return absl::OkStatus();
}

absl::Status Reenactor::On(const strace::Ftruncate& call) {
  const auto it = task_->files->find(call.fd.number);
  if (it == task_->files->end() || !it->second.in_machine) {
    return absl::OkStatus();
  }
  v1::Command command;
  command.mutable_truncate()->set_fd(static_cast<int32_t>(call.fd.number));
  command.mutable_truncate()->set_size(static_cast<int64_t>(call.length));
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Fallocate& call) {
  const auto it = task_->files->find(call.fd.number);
  if (it == task_->files->end() || !it->second.in_machine) {
    return absl::OkStatus();
  }
  v1::Command command;
  v1::Fallocate* fallocate = command.mutable_fallocate();
  fallocate->set_fd(static_cast<int32_t>(call.fd.number));
  fallocate->set_mode(static_cast<uint32_t>(call.mode));
  fallocate->set_offset(static_cast<int64_t>(call.offset));
  fallocate->set_length(static_cast<int64_t>(call.length));
  return Plain(command);
}

}  // namespace faultline::cli

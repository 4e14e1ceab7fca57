// Models fs/open.c and fs/file.c (v6.18): do_sys_openat2(), close_fd(),
// replace_fd(). Departure: D14 (one flat directory of absolute names).
#include "server/machine/fs/open.h"

#include <algorithm>
#include <utility>

#include "server/machine/fs/char_dev.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/readahead.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/truncate.h"

namespace faultline {
namespace {

// RLIMIT_NOFILE, the usual hard limit.
constexpr int32_t kFdsMax = 1024;
constexpr uint64_t kOAccmode = 3, kOTrunc = 01000, kOPath = 010000000;
constexpr uint64_t kODsync = 010000, kODirect = 040000, kOSync = 04010000;

// may_open(): a device's node belongs to 0, whoever made it, and others have
// what its mode gives them.
Errno OpenDevice(Kernel& k, const Inode& inode, uint64_t accmode) {
  constexpr uint32_t kRead = 4, kWrite = 2;
  const uint32_t want =
      (accmode != 1 ? kRead : 0) | (accmode != 0 ? kWrite : 0);
  if (!k.Capable(Cap::kDacOverride) && (want & ~inode.mode) != 0) {
    return Errno::kEACCES;
  }
  return ChrdevOpen(k, inode);
}

void StoreBytes(Inode& inode, const std::string& data) {
  for (uint64_t at = 0; at < data.size(); at++) {
    inode.device[at >> kPageShift].Write(static_cast<uint32_t>(at & ~kPageMask),
                                         static_cast<uint8_t>(data[at]));
  }
}

// get_write_access() of what no process may be executing; handle_truncate().
Errno GetWriteAccess(const Kernel& k, Id<Inode> id, bool truncates) {
  bool executed = false;
  k.mms.ForEach([&](Id<Mm>, const Mm& mm) {
    executed =
        executed || (mm.exe_file && k.open_files[mm.exe_file].inode == id);
  });
  if (executed) return Errno::kETXTBSY;
  const bool shorter = truncates && k.inodes[id].size > 0;
  return shorter && IsSwapfile(k, id) ? Errno::kETXTBSY : Errno::kOk;
}

// FMODE_CAN_ODIRECT: do_dentry_open().
bool CanODirect(const Kernel& k, const Inode& inode) {
  return inode.fs == FsType::kExt4 ||
         (inode.shmem() && k.quirks.tmpfs_direct_io);
}

}  // namespace

Errno DoCreateFile(Kernel& k, const CreateFile& call) {
  if (call.path.empty() || call.path.front() != '/') return Errno::kEINVAL;
  if (call.size > kMaxFileBytes) return Errno::kEFBIG;
  if (call.content == FileContent::kBytes && call.data.size() > call.size) {
    return Errno::kEINVAL;
  }
  auto taken = k.names.find(call.path);
  if (taken != k.names.end()) {
    if (k.inodes[taken->second].opens > 0) return Errno::kEEXIST;
    EvictInode(k, taken->second);
    k.names.erase(taken);
  }
  Id<Inode> id = k.inodes.New();
  Inode& inode = k.inodes[id];
  inode.ino = call.inode != 0 ? call.inode : ++k.last_ino;
  inode.dev_major = call.dev_major;
  inode.dev_minor = call.dev_minor;
  inode.fs = call.fs;
  inode.mode = call.mode & ~kModeType;
  inode.size = call.size;
  inode.path = call.path;
  inode.content = call.content;
  inode.seed = call.seed;
  if (call.content != FileContent::kHole) inode.device_valid = call.size;
  if (call.content == FileContent::kBytes) StoreBytes(inode, call.data);
  k.names[call.path] = id;
  // A hole has no pages; everything else is cached unless told otherwise.
  const bool cached = call.cached && call.content != FileContent::kHole;
  const uint64_t pages = cached ? PagesOf(PageAlign(call.size)).value() : 0;
  for (uint64_t i = 0; i < pages; i++) {
    Pfn pfn = AddToPageCache(k, id, i);
    if (!pfn.valid()) {
      k.names.erase(call.path);
      EvictInode(k, id);
      return Errno::kENOMEM;
    }
    // A file that lives in memory was written there.
    if (call.fs != FsType::kExt4) MarkPageDirty(k, pfn);
  }
  Dput(k, id);  // who made it has closed it
  return Errno::kOk;
}

Id<File> FileOf(Kernel& k, int32_t fd) {
  const auto& fds = k.files[k.Current().files].fds;
  if (fd < 0 || static_cast<size_t>(fd) >= fds.size()) return {};
  return fds[static_cast<size_t>(fd)];
}

ErrnoOr<uint64_t> UnusedFd(Kernel& k, int32_t at) {
  if (at >= kFdsMax) return Errno::kEBADF;
  if (at >= 0) return static_cast<uint64_t>(at);
  const auto& fds = k.files[k.Current().files].fds;
  // Descriptors 0, 1 and 2 are the terminal's.
  constexpr size_t kFirst = 3;
  size_t fd = kFirst;
  while (fd < fds.size() && fds[fd]) fd++;
  if (fd >= static_cast<size_t>(kFdsMax)) return Errno::kEMFILE;
  return uint64_t{fd};
}

void FdInstall(Kernel& k, uint64_t fd, Id<File> file) {
  auto& fds = k.files[k.Current().files].fds;
  if (fds.size() <= fd) fds.resize(fd + 1);
  if (Id<File> old = std::exchange(fds[fd], file)) PutFile(k, old);
}

bool IsOpenForWriting(const Kernel& k, Id<Inode> id) {
  bool found = false;
  k.open_files.ForEach([&](Id<File>, const File& file) {
    found = found || (file.inode == id && file.writable);
  });
  return found;
}

ErrnoOr<uint64_t> DoOpen(Kernel& k, const Open& call) {
  // The one directory is the root, and everybody is there.
  const bool relative = !call.path.empty() && call.path.front() != '/';
  auto it = k.names.find(relative ? "/" + call.path : call.path);
  if (it == k.names.end()) return Errno::kENOENT;
  const uint64_t fd = FL_TRY_VALUE(UnusedFd(k, call.at));
  Inode& inode = k.inodes[it->second];
  const bool path_only = call.flags & kOPath;
  LookupInode(k, it->second);
  if (inode.special_file() && !path_only) {
    FL_TRY(OpenDevice(k, inode, call.flags & kOAccmode));
  } else if ((call.flags & kODirect) && !path_only && !CanODirect(k, inode)) {
    return Errno::kEINVAL;
  }
  const bool writable = (call.flags & kOAccmode) != 0 && !path_only;
  if (writable) FL_TRY(GetWriteAccess(k, it->second, call.flags & kOTrunc));
  Id<File> id = k.open_files.New();
  File& file = k.open_files[id];
  file.inode = it->second;
  file.path_only = path_only;
  file.direct = (call.flags & kODirect) && !path_only;
  file.dsync = call.flags & kODsync;
  file.sync = (call.flags & kOSync) == kOSync;
  file.ra = FileRaInit(k, inode);
  file.readable = (call.flags & kOAccmode) != 1;
  file.writable = writable;
  file.f_count = 1;
  inode.opens++;
  if ((call.flags & kOTrunc) && file.writable && !inode.special_file()) {
    Errno e = FileTruncate(k, it->second, 0);
    VM_BUG_ON(e != Errno::kOk);
  }
  FdInstall(k, fd, id);
  return fd;
}

Errno DoClose(Kernel& k, int32_t fd) {
  Id<File> file = FileOf(k, fd);
  if (!file) return Errno::kEBADF;
  auto& fds = k.files[k.Current().files].fds;
  fds[static_cast<size_t>(fd)] = Id<File>();
  PutFile(k, file);
  return Errno::kOk;
}

}  // namespace faultline

// Models mm/memfd.c (v6.18): memfd_create(), memfd_add_seals(). Departure: D7
// (no MFD_HUGETLB).
#include "server/machine/fs/memfd.h"

#include "server/machine/fs/open.h"
#include "server/machine/mm/shmem.h"

namespace faultline {
namespace {

// memfd_add_seals()
Errno AddSeals(Kernel& k, const File& file, uint64_t seals) {
  uint32_t all = seal::kSeal | seal::kShrink | seal::kGrow | seal::kAnyWrite;
  if (k.quirks.memfd_exec_flags) all |= seal::kExec;
  if (seals > UINT32_MAX) return Errno::kEINVAL;
  if (!file.writable) return Errno::kEPERM;
  if (seals & ~uint64_t{all}) return Errno::kEINVAL;
  Inode& inode = k.inodes[file.inode];
  if (!inode.shmem()) return Errno::kEINVAL;
  if (inode.Sealed(seal::kSeal)) return Errno::kEPERM;
  // What cannot be made executable any more, but is, is not written either.
  constexpr uint32_t kExecBits = 0111;
  if ((seals & seal::kExec) && (inode.mode & kExecBits)) {
    seals |= seal::kShrink | seal::kGrow | seal::kAnyWrite;
  }
  const bool denies = (seals & seal::kWrite) && !inode.Sealed(seal::kWrite);
  if (denies && inode.i_mmap_writable > 0) return Errno::kEBUSY;
  inode.seals |= static_cast<uint32_t>(seals);
  return Errno::kOk;
}

}  // namespace

ErrnoOr<uint64_t> DoFcntl(Kernel& k, const Fcntl& call) {
  constexpr int32_t kAddSeals = 1033, kGetSeals = 1034;
  const Id<File> id = FileOf(k, call.fd);
  if (!id || k.open_files[id].path_only) return Errno::kEBADF;
  const File& file = k.open_files[id];
  if (call.cmd == kAddSeals) {
    FL_TRY(AddSeals(k, file, call.arg));
    return uint64_t{0};
  }
  const Inode& inode = k.inodes[file.inode];
  if (call.cmd != kGetSeals || !inode.shmem()) return Errno::kEINVAL;
  return uint64_t{inode.seals};
}

ErrnoOr<uint64_t> DoMemfdCreate(Kernel& k, const MemfdCreate& call) {
  constexpr uint32_t kCloexec = 1, kAllowSealing = 2, kHugetlb = 4;
  constexpr uint32_t kNoexecSeal = 8, kExec = 16, kHugeSize = 0x3f << 26;
  const uint32_t sizes = call.flags & kHugetlb ? kHugeSize : 0;
  const uint32_t known = kCloexec | kAllowSealing | kHugetlb | sizes |
                         (k.quirks.memfd_exec_flags ? kNoexecSeal | kExec : 0);
  if (call.flags & ~known) return Errno::kEINVAL;
  if ((call.flags & kExec) && (call.flags & kNoexecSeal)) return Errno::kEINVAL;
  // "memfd:" and the name fit into NAME_MAX.
  constexpr size_t kNameMax = 249;
  if (call.name.size() > kNameMax) return Errno::kEINVAL;
  const uint64_t fd = FL_TRY_VALUE(UnusedFd(k, call.at));
  if (call.flags & kHugetlb) return Errno::kENODEV;  // no such page size
  const Id<File> file = ShmemFileSetup(k, 0, "/memfd:" + call.name);
  Inode& inode = k.inodes[k.open_files[file].inode];
  inode.mode = 0777;
  if (call.flags & kNoexecSeal) {
    inode.mode = 0666;
    inode.seals = seal::kExec;
  } else if (call.flags & kAllowSealing) {
    inode.seals = 0;
  }
  FdInstall(k, fd, file);
  return fd;
}

}  // namespace faultline

// Models mm/memfd.c (v6.18): memfd_create(). Departure: D7 (no MFD_HUGETLB).
#include "server/machine/fs/memfd.h"

#include "server/machine/fs/open.h"
#include "server/machine/mm/shmem.h"

namespace faultline {

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
  FdInstall(k, fd, ShmemFileSetup(k, 0, "/memfd:" + call.name));
  return fd;
}

}  // namespace faultline

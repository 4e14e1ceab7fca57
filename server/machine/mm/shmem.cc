// Models mm/shmem.c (v6.18): shmem_zero_setup(), shmem_kernel_file_setup(),
// shmem_acct_size(), shmem_acct_blocks().
#include "server/machine/mm/shmem.h"

#include <string>
#include <utility>

#include "server/machine/mm/util.h"

namespace faultline {

Id<File> ShmemFileSetup(Kernel& k, uint64_t bytes, std::string path) {
  Id<Inode> inode_id = k.inodes.New();
  Inode& inode = k.inodes[inode_id];
  inode.ino = ++k.last_ino;
  inode.dev_minor = 1;
  inode.fs = FsType::kTmpfs;
  inode.mode = 0777;
  inode.size = bytes;
  inode.path = std::move(path);
  inode.linked = false;
  inode.opens = 1;
  Id<File> file_id = k.open_files.New();
  k.open_files[file_id] = File{.inode = inode_id,
                               .readable = true,
                               .writable = true,
                               .path_only = false,
                               .f_count = 1,
                               .ra = {}};
  return file_id;
}

ErrnoOr<Id<File>> ShmemZeroSetup(Kernel& k, const Mm& mm, uint64_t bytes,
                                 uint64_t vm_flags) {
  uint64_t charged = vm_flags & vm::kNoReserve ? 0 : bytes >> kPageShift;
  if (charged > 0) FL_TRY(VmEnoughMemory(k, mm, charged));
  Id<File> file = ShmemFileSetup(k, bytes, "/dev/zero");
  k.inodes[k.open_files[file].inode].commit_charge = charged;
  return file;
}

bool ShmemAcctBlock(Kernel& k, const Inode& inode) {
  if (!inode.charges_pages()) return true;
  if (!k.current || !k.Current().mm) {  // nobody's limits
    k.vm_committed++;
    return true;
  }
  return VmEnoughMemory(k, k.mms[k.Current().mm], 1) == Errno::kOk;
}

bool ShmemHasRoom(Kernel& k, const Inode& inode) {
  if (!ShmemAcctBlock(k, inode)) return false;
  ShmemUnacctBlock(k, inode);
  return true;
}

}  // namespace faultline

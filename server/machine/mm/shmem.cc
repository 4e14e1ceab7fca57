// Models mm/shmem.c (v6.18): shmem_zero_setup(), shmem_acct_size().
#include "server/machine/mm/shmem.h"

#include "server/machine/mm/util.h"

namespace faultline {

ErrnoOr<Id<File>> ShmemZeroSetup(Kernel& k, const Mm& mm, uint64_t bytes,
                                 uint64_t vm_flags) {
  uint64_t charged = vm_flags & vm::kNoReserve ? 0 : bytes >> kPageShift;
  if (charged > 0) FL_TRY(VmEnoughMemory(k, mm, charged));
  Id<Inode> inode_id = k.inodes.New();
  Inode& inode = k.inodes[inode_id];
  inode.ino = ++k.last_ino;
  inode.dev_minor = 1;  // the kernel's own tmpfs mount
  inode.fs = FsType::kTmpfs;
  inode.size = bytes;
  inode.path = "/dev/zero";
  inode.linked = false;
  inode.opens = 1;
  inode.commit_charge = charged;
  Id<File> file_id = k.open_files.New();
  k.open_files[file_id] = File{.inode = inode_id,
                               .readable = true,
                               .writable = true,
                               .path_only = false,
                               .f_count = 1};
  return file_id;
}

}  // namespace faultline

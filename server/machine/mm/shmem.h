// Shared anonymous memory: an unlinked file of its own on tmpfs.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SHMEM_H_
#define FAULTLINE_SERVER_MACHINE_MM_SHMEM_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"

namespace faultline {

// shmem_zero_setup(): the file behind a MAP_SHARED | MAP_ANONYMOUS mapping of
// `bytes`, with one reference. Charges its whole size unless VM_NORESERVE.
ErrnoOr<Id<File>> ShmemZeroSetup(Kernel& k, const Mm& mm, uint64_t bytes,
                                 uint64_t vm_flags);

// shmem_acct_blocks(): charges one page of a file that was not charged whole.
// False: it must not be.
bool ShmemAcctBlock(Kernel& k, const Inode& inode);
// Would it be charged?
bool ShmemHasRoom(Kernel& k, const Inode& inode);
inline void ShmemUnacctBlock(Kernel& k, const Inode& inode) {
  if (inode.charges_pages()) k.vm_committed--;
}

// shmem_kernel_file_setup(): an unlinked file on the kernel's own tmpfs, with
// one reference. It charges its pages as they come.
Id<File> ShmemFileSetup(Kernel& k, uint64_t bytes, std::string path);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SHMEM_H_

// Files of tmpfs, and shared anonymous memory, which is an unlinked one: their
// pages are all there is of them.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SHMEM_H_
#define FAULTLINE_SERVER_MACHINE_MM_SHMEM_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"
#include "server/machine/mm/filemap.h"

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

// shmem_fault(). REQUIRES: within the file.
FilemapResult ShmemFault(Kernel& k, Id<Inode> id, uint64_t index);
// shmem_file_read_iter(): a hole reads as zeros and stays one.
ErrnoOr<std::string> ShmemFileRead(Kernel& k, Id<Inode> id, FileRa* ra,
                                   uint64_t offset, uint64_t length);
// shmem_write_begin(): do the seals forbid a write up to byte `end`?
bool ShmemForbidsWrite(const Inode& inode, uint64_t end);
// Why a file got no page: ENOMEM; ENOSPC, when it must not be charged.
Errno NoPage(Kernel& k, Id<Inode> id);
// shmem_get_folio(SGP_FALLOC): a new page has its place in the cache but is not
// up to date before somebody uses it; one that was there is now. Either is
// dirty. False: no memory.
bool ShmemAllocate(Kernel& k, Id<Inode> id, uint64_t index);

// Is the page in swap? Its slot is in the cache's place then.
inline bool ShmemIsSwapped(const Kernel& k, const Inode& inode,
                           uint64_t index) {
  return inode.nrswapped > 0 &&
         XaLoadValue(k.xa_nodes, inode.i_pages, index) != 0;
}
// shmem_writeout(): an unmapped page leaves the cache for swap. It is in the
// swap cache then, and written. False: there is no slot.
bool ShmemWriteout(Kernel& k, Pfn pfn);
// shmem_swapin_folio(): brings it back, dirty. An invalid Pfn: no memory.
Pfn ShmemSwapin(Kernel& k, Id<Inode> id, uint64_t index);
// shmem_unuse(): brings back what files have in a swap area. False: no memory.
bool ShmemUnuse(Kernel& k, uint32_t type);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SHMEM_H_

// What leaves the page cache other than by reclaim: the end of a file that is
// cut, holes, dropped caches, inodes that go.
#ifndef FAULTLINE_SERVER_MACHINE_MM_TRUNCATE_H_
#define FAULTLINE_SERVER_MACHINE_MM_TRUNCATE_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// ext4_block_truncate_page(): of a file on a disk, the rest of the page that
// has the byte `at` is zeroed and so gets dirty.
void ZeroTail(Kernel& k, Id<Inode> id, uint64_t at);

// truncate_setsize(): pages beyond the new end leave every mapping and the
// cache; the tail of the last page is zeroed. EPERM: it is sealed.
Errno FileTruncate(Kernel& k, Id<Inode> id, uint64_t size);
// shmem_fallocate(FALLOC_FL_PUNCH_HOLE) and its like: pages [first, last].
void PunchHole(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last);
// The same of bytes: a page that is only partly in the range is zeroed there.
void PunchHoleBytes(Kernel& k, Id<Inode> id, uint64_t offset, uint64_t length);

// invalidate_mapping_pages(): pages [first, last] that are clean and that
// nobody maps leave the cache, a folio as a whole; and shadows. Returns how
// many did.
uint64_t InvalidateMappingPages(Kernel& k, Id<Inode> id, uint64_t first,
                                uint64_t last);
// invalidate_inode_pages2_range(): all of them do, mapped or not. REQUIRES:
// none is dirty but by a mapping.
void InvalidateInodePages2(Kernel& k, Id<Inode> id, uint64_t first,
                           uint64_t last);
// evict(): frees an inode with its page cache. REQUIRES: nothing maps it.
void EvictInode(Kernel& k, Id<Inode> id);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_TRUNCATE_H_

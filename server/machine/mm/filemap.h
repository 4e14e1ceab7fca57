// The page cache: the cached pages of a file, how they get their contents and
// lose their place.
#ifndef FAULTLINE_SERVER_MACHINE_MM_FILEMAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_FILEMAP_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "server/machine/kernel.h"

namespace faultline {

// The cached page at this page offset, or an invalid Pfn.
inline Pfn FilemapLookup(const Inode& inode, uint64_t index) {
  return inode.i_pages[index];
}

// Files end at 16 TiB here (departure D8: MAX_LFS_FILESIZE is 2^63 - 1).
inline constexpr uint64_t kMaxFileBytes = uint64_t{1} << 44;

struct FilemapResult {
  Pfn pfn;
  uint32_t status = 0;  // vm_fault::*
};
// filemap_fault(), shmem_fault(): the page for a fault, read in if need be.
FilemapResult FilemapFault(Kernel& k, const Vma& vma, uint64_t index);

// The page at `index`, brought into the cache with the device's contents if
// it is not there. An invalid Pfn: no memory.
Pfn FilemapGetOrRead(Kernel& k, Id<Inode> id, uint64_t index);

void MarkPageDirty(Kernel& k, Pfn pfn);

// generic_file_read_iter(), generic_perform_write(), at an offset.
// `ra` is of the open file that is read through.
ErrnoOr<std::string> FileRead(Kernel& k, Id<Inode> id, FileRa* ra,
                              uint64_t offset, uint64_t length);
ErrnoOr<uint64_t> FileWrite(Kernel& k, Id<Inode> id, uint64_t offset,
                            std::string_view data);
// Why a file got no page: ENOMEM; ENOSPC, when it must not be charged.
Errno NoPage(Kernel& k, Id<Inode> id);
// truncate_setsize(): pages beyond the new end leave every mapping and the
// cache; the tail of the last page is zeroed. EPERM: it is sealed.
Errno FileTruncate(Kernel& k, Id<Inode> id, uint64_t size);
// shmem_fallocate(FALLOC_FL_PUNCH_HOLE) and its like: pages [first, last].
void PunchHole(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last);
// The same of bytes: a page that is only partly in the range is zeroed there.
void PunchHoleBytes(Kernel& k, Id<Inode> id, uint64_t offset, uint64_t length);
// shmem_get_folio(SGP_FALLOC): a new page has its place in the cache but is not
// up to date before somebody uses it; one that was there is now. Either is
// dirty. False: no memory.
bool FilemapAllocate(Kernel& k, Id<Inode> id, uint64_t index);
// shrink_folio_list() of one page: nobody maps it any more, and when it is
// clean it leaves the page cache. Anonymous pages (there is no swap) and those
// of ramfs, which are unevictable, stay as they are.
void ReclaimFilePage(Kernel& k, Pfn pfn);
// Writes dirty pages to the device and write-protects their mappings.
void FileSync(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last);

// Drops the last reference to an open file, and the inode when it was
// unlinked and this was its last use.
void PutFile(Kernel& k, Id<File> id);
// Frees an inode with its page cache. REQUIRES: nothing maps it.
void EvictInode(Kernel& k, Id<Inode> id);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_FILEMAP_H_

// The page cache: the cached pages of a file, how they get their contents and
// lose their place. Pages of tmpfs are in mm/shmem.h; what truncation and
// drop_caches remove, in mm/truncate.h.
#ifndef FAULTLINE_SERVER_MACHINE_MM_FILEMAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_FILEMAP_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "server/machine/kernel.h"

namespace faultline {

// The cached page at this page offset, or an invalid Pfn.
inline Pfn FilemapLookup(const Kernel& k, const Inode& inode, uint64_t index) {
  return XaLoad(k.xa_nodes, inode.i_pages, index);
}

// Files end at 16 TiB here (departure D8: MAX_LFS_FILESIZE is 2^63 - 1).
inline constexpr uint64_t kMaxFileBytes = uint64_t{1} << 44;

struct FilemapResult {
  Pfn pfn;
  uint32_t status = 0;  // vm_fault::*
};
// filemap_fault(), shmem_fault(): the page for a fault, read in if need be.
FilemapResult FilemapFault(Kernel& k, const Vma& vma, uint64_t index);
// filemap_map_pages(): may a fault nearby map this cached page? What is not up
// to date, and what is marked for reading ahead, waits for a fault of its own.
bool FilemapMayMapAround(const Kernel& k, const Inode& inode, Pfn pfn);

// filemap_add_folio(): a new page with the contents that the disk has; it is
// not read. An invalid Pfn: no memory, or it must not be charged.
Pfn AddToPageCache(Kernel& k, Id<Inode> id, uint64_t index);
// filemap_remove_folio(): and its last reference, if nobody maps it; of a large
// folio all of it. `value`, unless it is 0, stays in its stead. REQUIRES: it is
// not under writeback.
void DeleteFromPageCache(Kernel& k, Id<Inode> id, uint64_t index,
                         uint32_t value = 0);
// __remove_mapping(), for reclaim: a page that nobody maps, uses or has dirtied
// leaves the cache, and a shadow of it stays. `held`: references of the caller,
// who keeps them. False: it cannot.
bool RemoveMapping(Kernel& k, Pfn pfn, int32_t held = 0);

// read_mapping_folio(): the page, read from the disk if it is not cached. An
// invalid Pfn: no memory.
Pfn FilemapGetOrRead(Kernel& k, Id<Inode> id, uint64_t index);

// generic_file_read_iter(), generic_perform_write(), at an offset. `ra` is of
// the open file that is read through.
ErrnoOr<std::string> FileRead(Kernel& k, Id<Inode> id, FileRa* ra,
                              uint64_t offset, uint64_t length);
ErrnoOr<uint64_t> FileWrite(Kernel& k, Id<Inode> id, uint64_t offset,
                            std::string_view data);

// Drops the last reference to an open file, and the inode when it was
// unlinked and this was its last use.
void PutFile(Kernel& k, Id<File> id);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_FILEMAP_H_

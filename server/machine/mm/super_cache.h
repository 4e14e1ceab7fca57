// The caches of a mounted file system: names (dentries) and inodes that nobody
// uses, which stay until memory is short. A file of a disk has one name, so its
// inode has the dentry's fields too. Those of ramfs and tmpfs are nowhere else,
// and stay.
//
// A dentry holds its inode: that becomes unused when its name is dropped. An
// unused inode waits for the page cache to let go of its pages first
// (mapping_shrinkable()), but where there is high memory: there it takes them
// with it (inodesteal). An inode that is gone is read again when somebody opens
// the file.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SUPER_CACHE_H_
#define FAULTLINE_SERVER_MACHINE_MM_SUPER_CACHE_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/mm/shrink_slab.h"

namespace faultline {

// d_lookup(), iget(): somebody opens the file. What is not there is read.
void LookupInode(Kernel& k, Id<Inode> id);
// dput(), of the last user.
void Dput(Kernel& k, Id<Inode> id);
// One user of the inode less: the last one's file may end with it.
void Iput(Kernel& k, Id<Inode> id);
// inode_add_lru(): its last page has left the cache, or it was written.
void InodeAddUnused(Kernel& k, Id<Inode> id);
inline void InodeAddLru(Kernel& k, Id<Inode> id) {
  if (!k.inodes[id].dentry) [[unlikely]]
    InodeAddUnused(k, id);
}
// The file is deleted: it leaves both lists.
void ForgetUnused(Kernel& k, Id<Inode> id);

// super_cache_count(), super_cache_scan()
uint64_t SuperCacheCount(const Kernel& k);
ShrinkResult SuperCacheScan(Kernel& k, ShrinkControl& sc);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SUPER_CACHE_H_

// What InspectService shows of the page cache of a file.
#ifndef FAULTLINE_SERVER_CODEC_PAGE_CACHE_VIEW_H_
#define FAULTLINE_SERVER_CODEC_PAGE_CACHE_VIEW_H_

#include <cstdint>
#include <string>

#include "faultline/v1/page_cache.pb.h"
#include "server/machine/kernel.h"

namespace faultline {

// The file of that name, or with that inode number; none: there is no such.
Id<Inode> FindInode(const Kernel& k, const std::string& path);
Id<Inode> FindInode(const Kernel& k, uint64_t ino);

void AddressSpaceToProto(const Kernel& k, Id<Inode> id,
                         v1::AddressSpace* proto);
// REQUIRES: the page is cached.
void CachedPageToProto(const Kernel& k, const Inode& inode, uint64_t index,
                       v1::CachedPage* proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_PAGE_CACHE_VIEW_H_

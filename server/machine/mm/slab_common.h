// Caches by name, and kmalloc(), which is a row of caches.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SLAB_COMMON_H_
#define FAULTLINE_SERVER_MACHINE_MM_SLAB_COMMON_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"

namespace faultline {

inline constexpr uint64_t kZeroSizePtr = 16;  // ZERO_SIZE_PTR
inline constexpr uint64_t kKmallocMaxCacheSize =
    8192;                                             // KMALLOC_MAX_CACHE_SIZE
inline constexpr uint64_t kKmallocMaxSize = 4194304;  // KMALLOC_MAX_SIZE

// Caches and their aliases; ENOMEM beyond.
inline constexpr uint64_t kCacheNamesMax = 4096;

// create_kmalloc_caches(): the allocator as boot leaves it, without a slab.
Slub BootSlub(const Kernel& k);
// Makes the boot's caches, if that has not been done.
inline void SlubUp(Kernel& k) {
  if (!k.slub.up) [[unlikely]]
    k.slub = BootSlub(k);
}

// kmalloc_slab(): the cache that serves a size of 1 to 8192 bytes.
Id<KmemCache> KmallocSlab(const Slub& slub, uint64_t size, uint32_t gfp);
// The cache of this name, or into which one of this name was merged.
Id<KmemCache> FindCache(const Slub& slub, std::string_view name);

// kmalloc(): the address; ENOMEM, with the kernel's report.
ErrnoOr<uint64_t> DoKmalloc(Kernel& k, uint64_t size, uint32_t gfp);
// kfree(). What was not allocated is reported and refused: EINVAL, or EFAULT
// where there is no page at all (departure D41).
Errno DoKfree(Kernel& k, uint64_t addr);

// kmem_cache_create(): a new cache, or one that serves as well. EEXIST: the
// name is taken; EINVAL, with a line in the log.
Errno DoKmemCacheCreate(Kernel& k, const KmemCacheCreate& call);
// These find no cache of the name: ENOENT.
ErrnoOr<uint64_t> DoKmemCacheAlloc(Kernel& k, const std::string& name,
                                   uint32_t gfp);
Errno DoKmemCacheFree(Kernel& k, const std::string& name, uint64_t addr);
// 1: slabs remain.
ErrnoOr<uint64_t> DoKmemCacheShrink(Kernel& k, const std::string& name);
// EBUSY: objects remain; the cache stays, so that they can be freed (D43).
Errno DoKmemCacheDestroy(Kernel& k, const std::string& name);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SLAB_COMMON_H_

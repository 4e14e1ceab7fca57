// The kernel's own calls and a machine's administration: the part of command.h
// that no program may ask for. Numbers are Linux's own.
#ifndef FAULTLINE_SERVER_MACHINE_KERNEL_COMMAND_H_
#define FAULTLINE_SERVER_MACHINE_KERNEL_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/trace/event.h"

namespace faultline {

enum class AccessKind : uint8_t { kRead = 0, kWrite = 1, kFetch = 2 };

// kmalloc(): returns the address; ZERO_SIZE_PTR (16) for no bytes.
struct Kmalloc {
  uint64_t size = 0;
  uint32_t gfp = 0;
};
// kfree() of what kmalloc or a cache returned.
struct Kfree {
  uint64_t addr = 0;
};
// kmem_cache_create().
struct KmemCacheCreate {
  std::string name;
  uint64_t size = 0;
  uint64_t align = 0;
  uint64_t flags = 0;
};
// kmem_cache_alloc(): returns the address.
struct KmemCacheAlloc {
  std::string name;
  uint32_t gfp = 0;
};
// kmem_cache_free().
struct KmemCacheFree {
  std::string name;
  uint64_t addr = 0;
};
// kmem_cache_shrink(): returns 0 when no slab is left, 1 else.
struct KmemCacheShrink {
  std::string name;
};
// kmem_cache_destroy(). With objects left it is reported and stays: EBUSY.
struct KmemCacheDestroy {
  std::string name;
};
// vmalloc(): returns the address.
struct Vmalloc {
  uint64_t size = 0;
  uint32_t gfp = 0;
};
// vfree().
struct Vfree {
  uint64_t addr = 0;
};
// kmap(): returns the address, in the direct map or, of high memory, in pkmap.
struct Kmap {
  uint64_t pfn = 0;
};
// kunmap().
struct Kunmap {
  uint64_t pfn = 0;
};
// kmap_local_page(), kmap_atomic(): returns the address, in the direct map or,
// of high memory, in the fixmap.
struct KmapLocal {
  uint64_t pfn = 0;
};
// kunmap_local(), kunmap_atomic(): of the mapping that was made last.
struct KunmapLocal {
  uint64_t addr = 0;
};
// Loads or stores one byte at each of a series of the kernel's addresses,
// through its page tables and the TLB. What is not mapped is EFAULT.
struct KernelAccess {
  AccessKind kind = AccessKind::kRead;
  uint64_t addr = 0;
  uint64_t count = 1;
  uint64_t stride = 4096;
  uint8_t value = 0;
};
// A number written to /proc/sys/vm/drop_caches.
struct DropCaches {
  uint32_t mode = 0;
};
// sync(2).
struct Sync {};
// posix_fadvise(2).
struct Fadvise {
  int32_t fd = -1;
  int64_t offset = 0;
  int64_t length = 0;
  int32_t advice = 0;
};
// swapon(2) of a file, or of a new partition. Returns the number of the area.
struct Swapon {
  std::string path;
  uint64_t size = 0;
  uint32_t flags = 0;
};
// swapoff(2).
struct Swapoff {
  std::string path;
  uint32_t area = 0;
};
// A number written to /proc/PID/oom_score_adj of the calling process.
struct SetOomScoreAdj {
  int32_t value = 0;
};
// init_module(2) of a module that the machine has built in, for example
// "map_driver".
struct InsertModule {
  std::string name;
  uint64_t size = 0;
  std::string params;
};
// delete_module(2).
struct RemoveModule {
  std::string name;
  uint32_t flags = 0;
};
// mknod(2) of a device.
struct Mknod {
  std::string path;
  uint32_t mode = 0;
  uint32_t major = 0;
  uint32_t minor = 0;
};
// Gives the calling process so many page frames and a policy that chooses, when
// it needs one more, whose page leaves memory for swap.
struct SetReplacement {
  ReplacementPolicy policy = ReplacementPolicy::kNone;
  uint32_t frames = 0;
  std::vector<uint64_t> future;
};
// Takes the page at an address of the calling process out of memory: the answer
// of a client that is the policy itself.
struct EvictPage {
  uint64_t addr = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_KERNEL_COMMAND_H_

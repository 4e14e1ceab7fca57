// The list of operations, for whatever must do something for each of them:
// X(struct of command.h = message of command.proto, field of the oneof).
// A struct that is missing here does not compile in command.cc.
#ifndef FAULTLINE_SERVER_CODEC_OPERATIONS_H_
#define FAULTLINE_SERVER_CODEC_OPERATIONS_H_

#define FAULTLINE_OPERATIONS(X)           \
  X(Mmap, mmap)                           \
  X(Munmap, munmap)                       \
  X(Mprotect, mprotect)                   \
  X(Mremap, mremap)                       \
  X(Brk, brk)                             \
  X(Madvise, madvise)                     \
  X(Mlock, mlock)                         \
  X(Munlock, munlock)                     \
  X(Mlockall, mlockall)                   \
  X(Munlockall, munlockall)               \
  X(Msync, msync)                         \
  X(Mincore, mincore)                     \
  X(SetVmaName, set_vma_name)             \
  X(Access, access)                       \
  X(Fork, fork)                           \
  X(Clone, clone)                         \
  X(Execve, execve)                       \
  X(Exit, exit)                           \
  X(Wait, wait)                           \
  X(Kill, kill)                           \
  X(CreateFile, create_file)              \
  X(Open, open)                           \
  X(Close, close)                         \
  X(Read, read)                           \
  X(Write, write)                         \
  X(Truncate, truncate)                   \
  X(Fsync, fsync)                         \
  X(Setrlimit, setrlimit)                 \
  X(AllocPages, alloc_pages)              \
  X(FreePages, free_pages)                \
  X(Sysctl, sysctl)                       \
  X(Tick, tick)                           \
  X(AccessMany, access_many)              \
  X(Mseal, mseal)                         \
  X(RemapFilePages, remap_file_pages)     \
  X(MemfdCreate, memfd_create)            \
  X(Fallocate, fallocate)                 \
  X(ProcessMadvise, process_madvise)      \
  X(Getrlimit, getrlimit)                 \
  X(Setuid, setuid)                       \
  X(Prctl, prctl)                         \
  X(Userfaultfd, userfaultfd)             \
  X(ClearRefs, clear_refs)                \
  X(Malloc, malloc)                       \
  X(Calloc, calloc)                       \
  X(Realloc, realloc)                     \
  X(Free, free)                           \
  X(Mallopt, mallopt)                     \
  X(Fcntl, fcntl)                         \
  X(GetFreePages, get_free_pages)         \
  X(GetZeroedPage, get_zeroed_page)       \
  X(PageAddress, page_address)            \
  X(FreeAddress, free_address)            \
  X(Kmalloc, kmalloc)                     \
  X(Kfree, kfree)                         \
  X(KmemCacheCreate, kmem_cache_create)   \
  X(KmemCacheAlloc, kmem_cache_alloc)     \
  X(KmemCacheFree, kmem_cache_free)       \
  X(KmemCacheShrink, kmem_cache_shrink)   \
  X(KmemCacheDestroy, kmem_cache_destroy) \
  X(Vmalloc, vmalloc)                     \
  X(Vfree, vfree)                         \
  X(Kmap, kmap)                           \
  X(Kunmap, kunmap)                       \
  X(KernelAccess, kernel_access)          \
  X(DropCaches, drop_caches)              \
  X(Sync, sync)                           \
  X(Fadvise, fadvise)                     \
  X(Swapon, swapon)                       \
  X(Swapoff, swapoff)                     \
  X(SetOomScoreAdj, set_oom_score_adj)    \
  X(InsertModule, insert_module)          \
  X(RemoveModule, remove_module)          \
  X(Mknod, mknod)                         \
  X(SetReplacement, set_replacement)      \
  X(EvictPage, evict_page)

#endif  // FAULTLINE_SERVER_CODEC_OPERATIONS_H_

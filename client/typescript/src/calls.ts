// The methods of a Session that make one command each.

import type { CommandArguments, CommandName } from "./commands.js";
import type { RpcSettings } from "./connection.js";
import type { EventLevel } from "./gen/faultline/v1/outcome_pb.js";
import type { Integer } from "./integers.js";
import type { Outcome } from "./outcome.js";

/** The settings of one command. */
export interface CommandSettings extends RpcSettings {
  /**
   * The calling process or thread; default: 1, the first one. Nobody, 0, makes
   * createFile, allocPages, freePages and their relatives, sysctl and tick.
   */
  readonly pid?: number | undefined;
  /**
   * Default: one that no other call has. Give the same one again to learn what
   * became of a command whose answer was lost: it is executed once.
   */
  readonly requestId?: string | undefined;
  /** Executed only if the session is at this revision; else ConflictError. */
  readonly expectedRevision?: Integer | undefined;
  /** How many events to send; default: faults, signals and processes. */
  readonly eventLevel?: EventLevel | undefined;
}

/**
 * Makes one command. What the simulated kernel refuses is in the outcome.
 * @throws FaultlineError when the call itself failed.
 */
export type Call<N extends CommandName> = (
  args?: CommandArguments<N>,
  settings?: CommandSettings,
) => Promise<Outcome>;

/** Addresses, offsets and lengths are in bytes; numbers are Linux's own. */
interface DescribedCalls {
  /** mmap(2): maps anonymous memory or a file. `value`: the address. */
  mmap: Call<"mmap">;
  /** munmap(2): unmaps a range; splits what it cuts. */
  munmap: Call<"munmap">;
  /** mprotect(2): changes the protection of a range. */
  mprotect: Call<"mprotect">;
  /** mremap(2): grows, shrinks or moves a mapping. `value`: the address. */
  mremap: Call<"mremap">;
  /** brk(2): moves the end of the heap. `value`: the break after the call. */
  brk: Call<"brk">;
  /** madvise(2): tells the kernel how a range will be used. */
  madvise: Call<"madvise">;
  /** mlock(2), mlock2(2): faults a range in and keeps it in memory. */
  mlock: Call<"mlock">;
  /** munlock(2): lets a range be reclaimed again. */
  munlock: Call<"munlock">;
  /** mlockall(2): locks what is mapped, what will be mapped, or both. */
  mlockall: Call<"mlockall">;
  /** munlockall(2): undoes every lock of the process. */
  munlockall: Call<"munlockall">;
  /** msync(2): writes a shared file mapping back. */
  msync: Call<"msync">;
  /** mincore(2): `data` has one byte per page, 1 where it is resident. */
  mincore: Call<"mincore">;
  /** prctl(PR_SET_VMA): names an anonymous range. */
  setVmaName: Call<"setVmaName">;
  /**
   * Loads, stores or fetches bytes. Where no mapping allows it, `signal` is
   * SIGSEGV or SIGBUS; `accesses` says how many were done.
   */
  access: Call<"access">;
  /**
   * Accesses at many addresses as one command, for speed; entry i of `addr`,
   * `kind`, `count`, `stride` and `value` is one access(). The first that is
   * signalled ends it; `faulted` says which entries faulted.
   */
  accessMany: Call<"accessMany">;
  /** fork(2): copies the process. `value`: the child's pid. */
  fork: Call<"fork">;
  /** clone(2): makes a thread or a process. `value`: its pid. */
  clone: Call<"clone">;
  /** execve(2): replaces the program by an ELF file of the machine. */
  execve: Call<"execve">;
  /** exit_group(2), or exit(2) with `group: false`. */
  exit: Call<"exit">;
  /** wait4(2): `value`: the child's pid; `data`: its status, 4 bytes. */
  wait: Call<"wait">;
  /** kill(2): sends a signal. */
  kill: Call<"kill">;
  /** Puts a file into the machine. */
  createFile: Call<"createFile">;
  /** open(2): `value`: the descriptor. */
  open: Call<"open">;
  /** close(2) of a descriptor. The session is ended with `end`. */
  close: Call<"close">;
  /** pread(2): the bytes are in `data`. */
  read: Call<"read">;
  /** pwrite(2): `value`: how many bytes. */
  write: Call<"write">;
  /** ftruncate(2). */
  truncate: Call<"truncate">;
  /** fsync(2). */
  fsync: Call<"fsync">;
  /** setrlimit(2). */
  setrlimit: Call<"setrlimit">;
  /** malloc(3) of the program's C library. `value`: the address. */
  malloc: Call<"malloc">;
  /** calloc(3): zeroed memory. `value`: the address. */
  calloc: Call<"calloc">;
  /** realloc(3). `value`: the address afterwards. */
  realloc: Call<"realloc">;
  /** free(3); a damaged heap aborts the program: `signal` is SIGABRT. */
  free: Call<"free">;
  /** mallopt(3): M_*. `value`: 1, or 0 when it was refused. */
  mallopt: Call<"mallopt">;
  /** mseal(2): makes a range immutable. */
  mseal: Call<"mseal">;
  /** remap_file_pages(2): maps other pages of a shared mapping's file. */
  remapFilePages: Call<"remapFilePages">;
  /** memfd_create(2): a file without a name. `value`: the descriptor. */
  memfdCreate: Call<"memfdCreate">;
  /** fallocate(2): allocates a range of a file, or punches a hole into it. */
  fallocate: Call<"fallocate">;
  /** fcntl(2): F_ADD_SEALS 1033; F_GET_SEALS 1034, whose `value` they are. */
  fcntl: Call<"fcntl">;
  /** process_madvise(2): `value`: how many bytes were advised. */
  processMadvise: Call<"processMadvise">;
  /** mbind(2): gives a range a memory policy; the one node is 0. */
  mbind: Call<"mbind">;
  /** set_mempolicy(2), of the calling thread. */
  setMempolicy: Call<"setMempolicy">;
  /** get_mempolicy(2): `value`: the mode; `data`: the nodes, 8 bytes a word. */
  getMempolicy: Call<"getMempolicy">;
  /** set_mempolicy_home_node(2). */
  setMempolicyHomeNode: Call<"setMempolicyHomeNode">;
  /** getrlimit(2): `value`: the soft limit; `data`: both, 8 bytes each. */
  getrlimit: Call<"getrlimit">;
  /** setuid(2): only user 0 has capabilities. */
  setuid: Call<"setuid">;
  /** prctl(2) of PR_SET_MDWE, PR_SET_DUMPABLE and their PR_GET_. */
  prctl: Call<"prctl">;
  /** userfaultfd(2): refused. */
  userfaultfd: Call<"userfaultfd">;
  /** alloc_pages(): `value`: the first page frame number. */
  allocPages: Call<"allocPages">;
  /** __free_pages(). */
  freePages: Call<"freePages">;
  /** __get_free_pages(): `value`: their kernel address. */
  getFreePages: Call<"getFreePages">;
  /** get_zeroed_page(): `value`: its kernel address. */
  getZeroedPage: Call<"getZeroedPage">;
  /** page_address(): `value`: the kernel address; 0 in high memory. */
  pageAddress: Call<"pageAddress">;
  /** free_pages(): by address. */
  freeAddress: Call<"freeAddress">;
  /** kmalloc(): returns the address; ZERO_SIZE_PTR (16) for no bytes. */
  kmalloc: Call<"kmalloc">;
  /** kfree() of what kmalloc or a cache returned. */
  kfree: Call<"kfree">;
  /** kmem_cache_create(). */
  kmemCacheCreate: Call<"kmemCacheCreate">;
  /** kmem_cache_alloc(): returns the address. */
  kmemCacheAlloc: Call<"kmemCacheAlloc">;
  /** kmem_cache_free(). */
  kmemCacheFree: Call<"kmemCacheFree">;
  /** kmem_cache_shrink(): returns 0 when no slab is left, 1 else. */
  kmemCacheShrink: Call<"kmemCacheShrink">;
  /** kmem_cache_destroy(). With objects left it is reported and stays: EBUSY. */
  kmemCacheDestroy: Call<"kmemCacheDestroy">;
  /** vmalloc(): returns the address. */
  vmalloc: Call<"vmalloc">;
  /** vfree(). */
  vfree: Call<"vfree">;
  /** kmap(): returns the address, in the direct map or, of high memory, in pkmap. */
  kmap: Call<"kmap">;
  /** kunmap(). */
  kunmap: Call<"kunmap">;
  /** kmap_local_page(), kmap_atomic(): returns the address, in the direct map or, of high memory, in the fixmap. */
  kmapLocal: Call<"kmapLocal">;
  /** kunmap_local(), kunmap_atomic(), of the mapping that was made last. */
  kunmapLocal: Call<"kunmapLocal">;
  /** Loads or stores in the kernel's address space. */
  kernelAccess: Call<"kernelAccess">;
  /** A number written to /proc/sys/vm/drop_caches. */
  dropCaches: Call<"dropCaches">;
  /** sync(2). */
  sync: Call<"sync">;
  /** posix_fadvise(2). */
  fadvise: Call<"fadvise">;
  /** swapon(2) of a file, or of a new partition. Returns the number of the area. */
  swapon: Call<"swapon">;
  /** swapoff(2). */
  swapoff: Call<"swapoff">;
  /** A number written to /proc/PID/oom_score_adj of the calling process. */
  setOomScoreAdj: Call<"setOomScoreAdj">;
  /** Loads a kernel module. */
  insertModule: Call<"insertModule">;
  /** delete_module(2). */
  removeModule: Call<"removeModule">;
  /** mknod(2) of a device. */
  mknod: Call<"mknod">;
  /** Gives a process a number of frames and a policy that replaces. */
  setReplacement: Call<"setReplacement">;
  /** Takes a page of the process out of memory. */
  evictPage: Call<"evictPage">;
  /** Sets a sysctl of the machine. */
  sysctl: Call<"sysctl">;
  /** A number written to /proc/PID/clear_refs: 1 to 5. */
  clearRefs: Call<"clearRefs">;
  /** Lets simulated time pass, in nanoseconds. */
  tick: Call<"tick">;
}

/** One method for each command of the contract. */
export type Calls = DescribedCalls & {
  [N in Exclude<CommandName, keyof DescribedCalls>]: Call<N>;
};

#include "server/scenario/names.h"

namespace faultline::scenario {

std::optional<uint64_t> NameTable::Find(absl::string_view name) const {
  for (const NamedValue& entry : entries_) {
    if (name == entry.name) return entry.value;
  }
  return std::nullopt;
}

const char* NameTable::NameOf(uint64_t value) const {
  for (const NamedValue& entry : entries_) {
    if (entry.value == value) return entry.name;
  }
  return nullptr;
}

std::vector<std::string> NameTable::Names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const NamedValue& entry : entries_) names.emplace_back(entry.name);
  return names;
}

const NameTable& MmapFlags() {
  static const auto& table =
      *new NameTable("mmap flag", {{"SHARED", 0x1},
                                   {"PRIVATE", 0x2},
                                   {"SHARED_VALIDATE", 0x3},
                                   {"FIXED", 0x10},
                                   {"ANON", 0x20},
                                   {"ANONYMOUS", 0x20},
                                   {"32BIT", 0x40},
                                   {"GROWSDOWN", 0x100},
                                   {"DENYWRITE", 0x800},
                                   {"EXECUTABLE", 0x1000},
                                   {"LOCKED", 0x2000},
                                   {"NORESERVE", 0x4000},
                                   {"DROPPABLE", 0x8},
                                   {"ABOVE4G", 0x80},
                                   {"POPULATE", 0x8000},
                                   {"NONBLOCK", 0x10000},
                                   {"STACK", 0x20000},
                                   {"HUGETLB", 0x40000},
                                   {"SYNC", 0x80000},
                                   {"NOREPLACE", 0x100000},
                                   {"FIXED_NOREPLACE", 0x100000}});
  return table;
}

const NameTable& MremapFlags() {
  static const auto& table = *new NameTable(
      "mremap flag", {{"MAYMOVE", 1}, {"FIXED", 2}, {"DONTUNMAP", 4}});
  return table;
}

const NameTable& MadviseAdvice() {
  static const auto& table = *new NameTable(
      "madvise advice",
      {{"NORMAL", 0},           {"RANDOM", 1},          {"SEQUENTIAL", 2},
       {"WILLNEED", 3},         {"DONTNEED", 4},        {"FREE", 8},
       {"REMOVE", 9},           {"DONTFORK", 10},       {"DOFORK", 11},
       {"MERGEABLE", 12},       {"UNMERGEABLE", 13},    {"HUGEPAGE", 14},
       {"NOHUGEPAGE", 15},      {"DONTDUMP", 16},       {"DODUMP", 17},
       {"WIPEONFORK", 18},      {"KEEPONFORK", 19},     {"COLD", 20},
       {"PAGEOUT", 21},         {"POPULATE_READ", 22},  {"POPULATE_WRITE", 23},
       {"DONTNEED_LOCKED", 24}, {"COLLAPSE", 25},       {"HWPOISON", 100},
       {"SOFT_OFFLINE", 101},   {"GUARD_INSTALL", 102}, {"GUARD_REMOVE", 103}});
  return table;
}

const NameTable& MsyncFlags() {
  static const auto& table = *new NameTable(
      "msync flag", {{"ASYNC", 1}, {"INVALIDATE", 2}, {"SYNC", 4}});
  return table;
}

const NameTable& Mlock2Flags() {
  static const auto& table = *new NameTable("mlock2 flag", {{"ONFAULT", 1}});
  return table;
}

const NameTable& MlockallFlags() {
  static const auto& table = *new NameTable(
      "mlockall flag", {{"CURRENT", 1}, {"FUTURE", 2}, {"ONFAULT", 4}});
  return table;
}

const NameTable& FallocateModes() {
  static const auto& table =
      *new NameTable("fallocate mode", {{"KEEP_SIZE", 0x1},
                                        {"PUNCH_HOLE", 0x2},
                                        {"COLLAPSE_RANGE", 0x8},
                                        {"ZERO_RANGE", 0x10},
                                        {"INSERT_RANGE", 0x20},
                                        {"UNSHARE_RANGE", 0x40},
                                        {"WRITE_ZEROES", 0x80}});
  return table;
}

const NameTable& SealNames() {
  static const auto& table = *new NameTable("seal", {{"SEAL", 0x1},
                                                     {"SHRINK", 0x2},
                                                     {"GROW", 0x4},
                                                     {"WRITE", 0x8},
                                                     {"FUTURE_WRITE", 0x10},
                                                     {"EXEC", 0x20}});
  return table;
}

const NameTable& CloneFlags() {
  static const auto& table = *new NameTable("clone flag", {{"VM", 0x100},
                                                           {"FS", 0x200},
                                                           {"FILES", 0x400},
                                                           {"SIGHAND", 0x800},
                                                           {"VFORK", 0x4000},
                                                           {"PARENT", 0x8000},
                                                           {"THREAD", 0x10000},
                                                           {"NEWNS", 0x20000}});
  return table;
}

const NameTable& PrctlOptions() {
  static const auto& table =
      *new NameTable("prctl option", {{"GET_DUMPABLE", 3},
                                      {"DUMPABLE", 4},
                                      {"THP_DISABLE", 41},
                                      {"GET_THP_DISABLE", 42},
                                      {"MDWE", 65},
                                      {"GET_MDWE", 66},
                                      {"MEMORY_MERGE", 67},
                                      {"GET_MEMORY_MERGE", 68}});
  return table;
}

const NameTable& ResourceNames() {
  static const auto& table = *new NameTable("resource", {{"CPU", 0},
                                                         {"FSIZE", 1},
                                                         {"DATA", 2},
                                                         {"STACK", 3},
                                                         {"CORE", 4},
                                                         {"RSS", 5},
                                                         {"NPROC", 6},
                                                         {"NOFILE", 7},
                                                         {"MEMLOCK", 8},
                                                         {"AS", 9}});
  return table;
}

const NameTable& ErrnoNames() {
  static const auto& table = *new NameTable(
      "errno", {{"EPERM", 1},      {"ENOENT", 2},       {"ESRCH", 3},
                {"EINTR", 4},      {"EIO", 5},          {"ENXIO", 6},
                {"E2BIG", 7},      {"ENOEXEC", 8},      {"EBADF", 9},
                {"ECHILD", 10},    {"EAGAIN", 11},      {"ENOMEM", 12},
                {"EACCES", 13},    {"EFAULT", 14},      {"ENOTBLK", 15},
                {"EBUSY", 16},     {"EEXIST", 17},      {"EXDEV", 18},
                {"ENODEV", 19},    {"ENOTDIR", 20},     {"EISDIR", 21},
                {"EINVAL", 22},    {"ENFILE", 23},      {"EMFILE", 24},
                {"ENOTTY", 25},    {"ETXTBSY", 26},     {"EFBIG", 27},
                {"ENOSPC", 28},    {"ESPIPE", 29},      {"EROFS", 30},
                {"EMLINK", 31},    {"EPIPE", 32},       {"EDOM", 33},
                {"ERANGE", 34},    {"EDEADLK", 35},     {"ENAMETOOLONG", 36},
                {"ENOLCK", 37},    {"ENOSYS", 38},      {"ENOTEMPTY", 39},
                {"ELOOP", 40},     {"EWOULDBLOCK", 11}, {"EOVERFLOW", 75},
                {"EBADFD", 77},    {"EOPNOTSUPP", 95},  {"ENOTSUP", 95},
                {"EHWPOISON", 133}});
  return table;
}

const NameTable& SignalNames() {
  static const auto& table = *new NameTable("signal", {{"SIGHUP", 1},
                                                       {"SIGINT", 2},
                                                       {"SIGQUIT", 3},
                                                       {"SIGILL", 4},
                                                       {"SIGTRAP", 5},
                                                       {"SIGABRT", 6},
                                                       {"SIGBUS", 7},
                                                       {"SIGFPE", 8},
                                                       {"SIGKILL", 9},
                                                       {"SIGUSR1", 10},
                                                       {"SIGSEGV", 11},
                                                       {"SIGUSR2", 12},
                                                       {"SIGPIPE", 13},
                                                       {"SIGALRM", 14},
                                                       {"SIGTERM", 15},
                                                       {"SIGCHLD", 17},
                                                       {"SIGCONT", 18},
                                                       {"SIGSTOP", 19}});
  return table;
}

const NameTable& SignalCodes() {
  static const auto& table = *new NameTable("signal code", {{"MAPERR", 1},
                                                            {"SEGV_MAPERR", 1},
                                                            {"ACCERR", 2},
                                                            {"SEGV_ACCERR", 2},
                                                            {"BNDERR", 3},
                                                            {"PKUERR", 4},
                                                            {"ADRALN", 1},
                                                            {"BUS_ADRALN", 1},
                                                            {"ADRERR", 2},
                                                            {"BUS_ADRERR", 2},
                                                            {"OBJERR", 3},
                                                            {"BUS_OBJERR", 3},
                                                            {"KERNEL", 0x80}});
  return table;
}

const NameTable& SlabFlags() {
  static const auto& table =
      *new NameTable("slab flag", {{"CONSISTENCY_CHECKS", 0x100},
                                   {"RED_ZONE", 0x400},
                                   {"POISON", 0x800},
                                   {"HWCACHE_ALIGN", 0x2000},
                                   {"CACHE_DMA", 0x4000},
                                   {"STORE_USER", 0x10000},
                                   {"RECLAIM_ACCOUNT", 0x20000},
                                   {"PANIC", 0x40000},
                                   {"TYPESAFE_BY_RCU", 0x80000},
                                   {"NO_MERGE", 0x1000000},
                                   {"ACCOUNT", 0x4000000}});
  return table;
}

const NameTable& FadviseAdvice() {
  static const auto& table = *new NameTable("file advice", {{"NORMAL", 0},
                                                            {"RANDOM", 1},
                                                            {"SEQUENTIAL", 2},
                                                            {"WILLNEED", 3},
                                                            {"DONTNEED", 4},
                                                            {"NOREUSE", 5}});
  return table;
}

const NameTable& MempolicyModes() {
  static const auto& table =
      *new NameTable("memory policy", {{"DEFAULT", 0},
                                       {"PREFERRED", 1},
                                       {"BIND", 2},
                                       {"INTERLEAVE", 3},
                                       {"LOCAL", 4},
                                       {"PREFERRED_MANY", 5},
                                       {"WEIGHTED_INTERLEAVE", 6},
                                       {"STATIC_NODES", 0x8000},
                                       {"RELATIVE_NODES", 0x4000},
                                       {"NUMA_BALANCING", 0x2000}});
  return table;
}

const NameTable& MbindFlags() {
  static const auto& table = *new NameTable(
      "mbind flag", {{"STRICT", 1}, {"MOVE", 2}, {"MOVE_ALL", 4}});
  return table;
}

const NameTable& MempolicyFlags() {
  static const auto& table = *new NameTable(
      "get_mempolicy flag", {{"NODE", 1}, {"ADDR", 2}, {"MEMS_ALLOWED", 4}});
  return table;
}

const NameTable& PolicyNames() {
  static const auto& table = *new NameTable("policy", {{"none", 1},
                                                       {"fifo", 2},
                                                       {"lru", 3},
                                                       {"clock", 4},
                                                       {"second_chance", 5},
                                                       {"lfu", 6},
                                                       {"mru", 7},
                                                       {"nru", 8},
                                                       {"aging", 9},
                                                       {"random", 10},
                                                       {"opt", 11},
                                                       {"client", 12}});
  return table;
}

const NameTable& GfpNames() {
  static const auto& table =
      *new NameTable("gfp flag", {{"KERNEL", 1},
                                  {"ATOMIC", 2},
                                  {"NOWAIT", 3},
                                  {"NOIO", 4},
                                  {"NOFS", 5},
                                  {"USER", 6},
                                  {"DMA", 7},
                                  {"DMA32", 8},
                                  {"HIGHUSER", 9},
                                  {"HIGHUSER_MOVABLE", 10},
                                  {"TRANSHUGE", 11},
                                  {"KERNEL_ACCOUNT", 12},
                                  {"HIGHMEM", 13},
                                  {"MOVABLE", 14},
                                  {"ZERO", 15},
                                  {"NOWARN", 16},
                                  {"NORETRY", 17},
                                  {"RETRY_MAYFAIL", 18},
                                  {"NOFAIL", 19},
                                  {"COMP", 20},
                                  {"HIGH", 21},
                                  {"MEMALLOC", 22},
                                  {"NOMEMALLOC", 23},
                                  {"HARDWALL", 24},
                                  {"THISNODE", 25},
                                  {"ACCOUNT", 26},
                                  {"RECLAIMABLE", 27},
                                  {"WRITE", 28},
                                  {"IO", 29},
                                  {"FS", 30},
                                  {"DIRECT_RECLAIM", 31},
                                  {"KSWAPD_RECLAIM", 32},
                                  {"RECLAIM", 33}});
  return table;
}

const std::vector<std::string>& SysctlNames() {
  static const auto& names =
      *new std::vector<std::string>{"admin_reserve_kbytes",
                                    "compact_memory",
                                    "compact_unevictable_allowed",
                                    "compaction_proactiveness",
                                    "dirty_background_bytes",
                                    "dirty_background_ratio",
                                    "dirty_bytes",
                                    "dirty_expire_centisecs",
                                    "dirty_ratio",
                                    "dirty_writeback_centisecs",
                                    "drop_caches",
                                    "extfrag_threshold",
                                    "fault_around_bytes",
                                    "laptop_mode",
                                    "legacy_va_layout",
                                    "lowmem_reserve_ratio",
                                    "max_map_count",
                                    "min_free_kbytes",
                                    "min_slab_ratio",
                                    "min_unmapped_ratio",
                                    "mmap_min_addr",
                                    "oom_dump_tasks",
                                    "oom_kill_allocating_task",
                                    "overcommit_kbytes",
                                    "overcommit_memory",
                                    "overcommit_ratio",
                                    "page-cluster",
                                    "panic_on_oom",
                                    "percpu_pagelist_high_fraction",
                                    "stack_guard_gap",
                                    "stat_interval",
                                    "swap_token",
                                    "swappiness",
                                    "unmapped_area",
                                    "user_reserve_kbytes",
                                    "vfs_cache_pressure",
                                    "watermark_boost_factor",
                                    "watermark_scale_factor",
                                    "zone_reclaim_mode"};
  return names;
}

}  // namespace faultline::scenario

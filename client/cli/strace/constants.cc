#include "client/cli/strace/constants.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>
#include <system_error>
#include <vector>

namespace faultline::strace {
namespace {

struct Named {
  std::string_view name;
  uint64_t value;
};

constexpr uint64_t kInfinity = ~uint64_t{0};

constexpr Named kConstants[] = {
    {"NULL", 0},
    {"PROT_NONE", 0x0},
    {"PROT_READ", 0x1},
    {"PROT_WRITE", 0x2},
    {"PROT_EXEC", 0x4},
    {"PROT_SEM", 0x8},
    {"PROT_GROWSDOWN", 0x01000000},
    {"PROT_GROWSUP", 0x02000000},

    {"MAP_FILE", 0x0},
    {"MAP_SHARED", 0x01},
    {"MAP_PRIVATE", 0x02},
    {"MAP_SHARED_VALIDATE", 0x03},
    {"MAP_DROPPABLE", 0x08},
    {"MAP_FIXED", 0x10},
    {"MAP_ANONYMOUS", 0x20},
    {"MAP_ANON", 0x20},
    {"MAP_32BIT", 0x40},
    {"MAP_ABOVE4G", 0x80},
    {"MAP_GROWSDOWN", 0x0100},
    {"MAP_DENYWRITE", 0x0800},
    {"MAP_EXECUTABLE", 0x1000},
    {"MAP_LOCKED", 0x2000},
    {"MAP_NORESERVE", 0x4000},
    {"MAP_POPULATE", 0x8000},
    {"MAP_NONBLOCK", 0x10000},
    {"MAP_STACK", 0x20000},
    {"MAP_HUGETLB", 0x40000},
    {"MAP_SYNC", 0x80000},
    {"MAP_FIXED_NOREPLACE", 0x100000},
    {"MAP_UNINITIALIZED", 0x4000000},

    {"MREMAP_MAYMOVE", 1},
    {"MREMAP_FIXED", 2},
    {"MREMAP_DONTUNMAP", 4},

    {"MADV_NORMAL", 0},
    {"MADV_RANDOM", 1},
    {"MADV_SEQUENTIAL", 2},
    {"MADV_WILLNEED", 3},
    {"MADV_DONTNEED", 4},
    {"MADV_FREE", 8},
    {"MADV_REMOVE", 9},
    {"MADV_DONTFORK", 10},
    {"MADV_DOFORK", 11},
    {"MADV_MERGEABLE", 12},
    {"MADV_UNMERGEABLE", 13},
    {"MADV_HUGEPAGE", 14},
    {"MADV_NOHUGEPAGE", 15},
    {"MADV_DONTDUMP", 16},
    {"MADV_DODUMP", 17},
    {"MADV_WIPEONFORK", 18},
    {"MADV_KEEPONFORK", 19},
    {"MADV_COLD", 20},
    {"MADV_PAGEOUT", 21},
    {"MADV_POPULATE_READ", 22},
    {"MADV_POPULATE_WRITE", 23},
    {"MADV_DONTNEED_LOCKED", 24},
    {"MADV_COLLAPSE", 25},
    {"MADV_HWPOISON", 100},
    {"MADV_SOFT_OFFLINE", 101},
    {"MADV_GUARD_INSTALL", 102},
    {"MADV_GUARD_REMOVE", 103},

    {"MPOL_DEFAULT", 0},
    {"MPOL_PREFERRED", 1},
    {"MPOL_BIND", 2},
    {"MPOL_INTERLEAVE", 3},
    {"MPOL_LOCAL", 4},
    {"MPOL_PREFERRED_MANY", 5},
    {"MPOL_WEIGHTED_INTERLEAVE", 6},
    {"MPOL_F_STATIC_NODES", 0x8000},
    {"MPOL_F_RELATIVE_NODES", 0x4000},
    {"MPOL_F_NUMA_BALANCING", 0x2000},
    {"MPOL_MF_STRICT", 1},
    {"MPOL_MF_MOVE", 2},
    {"MPOL_MF_MOVE_ALL", 4},

    {"MLOCK_ONFAULT", 1},
    {"MCL_CURRENT", 1},
    {"MCL_FUTURE", 2},
    {"MCL_ONFAULT", 4},
    {"MS_ASYNC", 1},
    {"MS_INVALIDATE", 2},
    {"MS_SYNC", 4},

    {"CSIGNAL", 0xff},
    {"CLONE_NEWTIME", 0x80},
    {"CLONE_VM", 0x100},
    {"CLONE_FS", 0x200},
    {"CLONE_FILES", 0x400},
    {"CLONE_SIGHAND", 0x800},
    {"CLONE_PIDFD", 0x1000},
    {"CLONE_PTRACE", 0x2000},
    {"CLONE_VFORK", 0x4000},
    {"CLONE_PARENT", 0x8000},
    {"CLONE_THREAD", 0x10000},
    {"CLONE_NEWNS", 0x20000},
    {"CLONE_SYSVSEM", 0x40000},
    {"CLONE_SETTLS", 0x80000},
    {"CLONE_PARENT_SETTID", 0x100000},
    {"CLONE_CHILD_CLEARTID", 0x200000},
    {"CLONE_DETACHED", 0x400000},
    {"CLONE_UNTRACED", 0x800000},
    {"CLONE_CHILD_SETTID", 0x1000000},
    {"CLONE_NEWCGROUP", 0x2000000},
    {"CLONE_NEWUTS", 0x4000000},
    {"CLONE_NEWIPC", 0x8000000},
    {"CLONE_NEWUSER", 0x10000000},
    {"CLONE_NEWPID", 0x20000000},
    {"CLONE_NEWNET", 0x40000000},
    {"CLONE_IO", 0x80000000},
    {"CLONE_CLEAR_SIGHAND", 0x100000000},
    {"CLONE_INTO_CGROUP", 0x200000000},

    {"AT_FDCWD", static_cast<uint64_t>(-100)},
    {"AT_SYMLINK_NOFOLLOW", 0x100},
    {"AT_EMPTY_PATH", 0x1000},
    {"AT_EXECVE_CHECK", 0x10000},
    {"O_RDONLY", 0},
    {"O_WRONLY", 01},
    {"O_RDWR", 02},
    {"O_ACCMODE", 03},
    {"O_CREAT", 0100},
    {"O_EXCL", 0200},
    {"O_NOCTTY", 0400},
    {"O_TRUNC", 01000},
    {"O_APPEND", 02000},
    {"O_NONBLOCK", 04000},
    {"O_DSYNC", 010000},
    {"O_ASYNC", 020000},
    {"FASYNC", 020000},
    {"O_DIRECT", 040000},
    {"O_LARGEFILE", 0100000},
    {"O_DIRECTORY", 0200000},
    {"O_NOFOLLOW", 0400000},
    {"O_NOATIME", 01000000},
    {"O_CLOEXEC", 02000000},
    {"O_SYNC", 04010000},
    {"O_PATH", 010000000},
    {"O_TMPFILE", 020200000},
    {"__O_SYNC", 04000000},
    {"__O_TMPFILE", 020000000},

    {"WNOHANG", 1},
    {"WUNTRACED", 2},
    {"WSTOPPED", 2},
    {"WEXITED", 4},
    {"WCONTINUED", 8},
    {"WNOWAIT", 0x01000000},
    {"__WNOTHREAD", 0x20000000},
    {"__WALL", 0x40000000},
    {"__WCLONE", 0x80000000},
    {"P_ALL", 0},
    {"P_PID", 1},
    {"P_PGID", 2},
    {"P_PIDFD", 3},

    {"RLIMIT_CPU", 0},
    {"RLIMIT_FSIZE", 1},
    {"RLIMIT_DATA", 2},
    {"RLIMIT_STACK", 3},
    {"RLIMIT_CORE", 4},
    {"RLIMIT_RSS", 5},
    {"RLIMIT_NPROC", 6},
    {"RLIMIT_NOFILE", 7},
    {"RLIMIT_MEMLOCK", 8},
    {"RLIMIT_AS", 9},
    {"RLIMIT_LOCKS", 10},
    {"RLIMIT_SIGPENDING", 11},
    {"RLIMIT_MSGQUEUE", 12},
    {"RLIMIT_NICE", 13},
    {"RLIMIT_RTPRIO", 14},
    {"RLIMIT_RTTIME", 15},
    {"RLIM_INFINITY", kInfinity},
    {"RLIM64_INFINITY", kInfinity},

    {"ARCH_SET_GS", 0x1001},
    {"ARCH_SET_FS", 0x1002},
    {"ARCH_GET_FS", 0x1003},
    {"ARCH_GET_GS", 0x1004},
    {"ARCH_GET_CPUID", 0x1011},
    {"ARCH_SET_CPUID", 0x1012},
    {"ARCH_GET_XCOMP_SUPP", 0x1021},
    {"ARCH_GET_XCOMP_PERM", 0x1022},
    {"ARCH_REQ_XCOMP_PERM", 0x1023},
    {"ARCH_MAP_VDSO_X32", 0x2001},
    {"ARCH_MAP_VDSO_32", 0x2002},
    {"ARCH_MAP_VDSO_64", 0x2003},
    {"ARCH_GET_UNTAG_MASK", 0x4001},
    {"ARCH_ENABLE_TAGGED_ADDR", 0x4002},
    {"ARCH_GET_MAX_TAG_BITS", 0x4003},
    {"ARCH_SHSTK_ENABLE", 0x5001},
    {"ARCH_SHSTK_DISABLE", 0x5002},
    {"ARCH_SHSTK_LOCK", 0x5003},
    {"ARCH_SHSTK_UNLOCK", 0x5004},
    {"ARCH_SHSTK_STATUS", 0x5005},
    {"ARCH_CET_STATUS", 0x3001},
    {"ARCH_CET_DISABLE", 0x3002},
    {"ARCH_CET_LOCK", 0x3003},

    {"PR_SET_PDEATHSIG", 1},
    {"PR_GET_PDEATHSIG", 2},
    {"PR_GET_DUMPABLE", 3},
    {"PR_SET_DUMPABLE", 4},
    {"PR_SET_KEEPCAPS", 8},
    {"PR_SET_NAME", 15},
    {"PR_GET_NAME", 16},
    {"PR_GET_SECCOMP", 21},
    {"PR_SET_SECCOMP", 22},
    {"PR_CAPBSET_READ", 23},
    {"PR_CAPBSET_DROP", 24},
    {"PR_SET_TIMERSLACK", 29},
    {"PR_SET_MM", 35},
    {"PR_SET_CHILD_SUBREAPER", 36},
    {"PR_SET_NO_NEW_PRIVS", 38},
    {"PR_GET_NO_NEW_PRIVS", 39},
    {"PR_SET_THP_DISABLE", 41},
    {"PR_GET_THP_DISABLE", 42},
    {"PR_SET_SPECULATION_CTRL", 53},
    {"PR_SET_MDWE", 65},
    {"PR_GET_MDWE", 66},
    {"PR_MDWE_REFUSE_EXEC_GAIN", 1},
    {"PR_MDWE_NO_INHERIT", 2},
    {"PR_SET_MEMORY_MERGE", 67},
    {"PR_GET_MEMORY_MERGE", 68},
    {"SUID_DUMP_DISABLE", 0},
    {"SUID_DUMP_USER", 1},
    {"PR_SET_VMA", 0x53564d41},
    {"PR_SET_VMA_ANON_NAME", 0},
    {"PR_SET_PTRACER", 0x59616d61},
    {"FALLOC_FL_KEEP_SIZE", 0x1},
    {"FALLOC_FL_PUNCH_HOLE", 0x2},
    {"FALLOC_FL_NO_HIDE_STALE", 0x4},
    {"FALLOC_FL_COLLAPSE_RANGE", 0x8},
    {"FALLOC_FL_ZERO_RANGE", 0x10},
    {"FALLOC_FL_INSERT_RANGE", 0x20},
    {"FALLOC_FL_UNSHARE_RANGE", 0x40},

    {"PER_LINUX", 0},
    {"PER_LINUX32", 0x8},
    {"ADDR_NO_RANDOMIZE", 0x0040000},
    {"MMAP_PAGE_ZERO", 0x0100000},
    {"ADDR_COMPAT_LAYOUT", 0x0200000},
    {"READ_IMPLIES_EXEC", 0x0400000},
    {"ADDR_LIMIT_32BIT", 0x0800000},
    {"ADDR_LIMIT_3GB", 0x8000000},
    {"UNAME26", 0x0020000},

    {"IPC_PRIVATE", 0},
    {"IPC_CREAT", 01000},
    {"IPC_EXCL", 02000},
    {"IPC_NOWAIT", 04000},
    {"SHM_HUGETLB", 04000},
    {"SHM_NORESERVE", 010000},
    {"SHM_RDONLY", 010000},
    {"SHM_RND", 020000},
    {"SHM_REMAP", 040000},
    {"SHM_EXEC", 0100000},

    {"MFD_CLOEXEC", 1},
    {"MFD_ALLOW_SEALING", 2},
    {"MFD_HUGETLB", 4},
    {"MFD_NOEXEC_SEAL", 8},
    {"MFD_EXEC", 16},

    {"F_DUPFD", 0},
    {"F_GETFD", 1},
    {"F_SETFD", 2},
    {"F_GETFL", 3},
    {"F_SETFL", 4},
    {"F_DUPFD_CLOEXEC", 1030},
};

constexpr Named kErrnos[] = {
    {"EPERM", 1},
    {"ENOENT", 2},
    {"ESRCH", 3},
    {"EINTR", 4},
    {"EIO", 5},
    {"ENXIO", 6},
    {"E2BIG", 7},
    {"ENOEXEC", 8},
    {"EBADF", 9},
    {"ECHILD", 10},
    {"EAGAIN", 11},
    {"EWOULDBLOCK", 11},
    {"ENOMEM", 12},
    {"EACCES", 13},
    {"EFAULT", 14},
    {"ENOTBLK", 15},
    {"EBUSY", 16},
    {"EEXIST", 17},
    {"EXDEV", 18},
    {"ENODEV", 19},
    {"ENOTDIR", 20},
    {"EISDIR", 21},
    {"EINVAL", 22},
    {"ENFILE", 23},
    {"EMFILE", 24},
    {"ENOTTY", 25},
    {"ETXTBSY", 26},
    {"EFBIG", 27},
    {"ENOSPC", 28},
    {"ESPIPE", 29},
    {"EROFS", 30},
    {"EMLINK", 31},
    {"EPIPE", 32},
    {"EDOM", 33},
    {"ERANGE", 34},
    {"EDEADLK", 35},
    {"ENAMETOOLONG", 36},
    {"ENOLCK", 37},
    {"ENOSYS", 38},
    {"ENOTEMPTY", 39},
    {"ELOOP", 40},
    {"ENODATA", 61},
    {"ETIME", 62},
    {"EPROTO", 71},
    {"EBADMSG", 74},
    {"EOVERFLOW", 75},
    {"EILSEQ", 84},
    {"EUSERS", 87},
    {"ENOTSOCK", 88},
    {"EDESTADDRREQ", 89},
    {"EMSGSIZE", 90},
    {"EPROTOTYPE", 91},
    {"ENOPROTOOPT", 92},
    {"EPROTONOSUPPORT", 93},
    {"ESOCKTNOSUPPORT", 94},
    {"EOPNOTSUPP", 95},
    {"ENOTSUPP", 524},
    {"EPFNOSUPPORT", 96},
    {"EAFNOSUPPORT", 97},
    {"EADDRINUSE", 98},
    {"EADDRNOTAVAIL", 99},
    {"ENETDOWN", 100},
    {"ENETUNREACH", 101},
    {"ENETRESET", 102},
    {"ECONNABORTED", 103},
    {"ECONNRESET", 104},
    {"ENOBUFS", 105},
    {"EISCONN", 106},
    {"ENOTCONN", 107},
    {"ESHUTDOWN", 108},
    {"ETIMEDOUT", 110},
    {"ECONNREFUSED", 111},
    {"EHOSTDOWN", 112},
    {"EHOSTUNREACH", 113},
    {"EALREADY", 114},
    {"EINPROGRESS", 115},
    {"ESTALE", 116},
    {"EDQUOT", 122},
    {"ENOMEDIUM", 123},
    {"ECANCELED", 125},
    {"ENOKEY", 126},
    {"EKEYEXPIRED", 127},
    {"EKEYREVOKED", 128},
    {"EOWNERDEAD", 130},
    {"ENOTRECOVERABLE", 131},
    {"ERFKILL", 132},
    {"EHWPOISON", 133},
    {"ERESTARTSYS", 512},
    {"ERESTARTNOINTR", 513},
    {"ERESTARTNOHAND", 514},
    {"ENOIOCTLCMD", 515},
    {"ERESTART_RESTARTBLOCK", 516},
};

constexpr Named kSignals[] = {
    {"SIGHUP", 1},     {"SIGINT", 2},    {"SIGQUIT", 3},   {"SIGILL", 4},
    {"SIGTRAP", 5},    {"SIGABRT", 6},   {"SIGIOT", 6},    {"SIGBUS", 7},
    {"SIGFPE", 8},     {"SIGKILL", 9},   {"SIGUSR1", 10},  {"SIGSEGV", 11},
    {"SIGUSR2", 12},   {"SIGPIPE", 13},  {"SIGALRM", 14},  {"SIGTERM", 15},
    {"SIGSTKFLT", 16}, {"SIGCHLD", 17},  {"SIGCLD", 17},   {"SIGCONT", 18},
    {"SIGSTOP", 19},   {"SIGTSTP", 20},  {"SIGTTIN", 21},  {"SIGTTOU", 22},
    {"SIGURG", 23},    {"SIGXCPU", 24},  {"SIGXFSZ", 25},  {"SIGVTALRM", 26},
    {"SIGPROF", 27},   {"SIGWINCH", 28}, {"SIGIO", 29},    {"SIGPOLL", 29},
    {"SIGPWR", 30},    {"SIGSYS", 31},   {"SIGRTMIN", 32},
};

// A table searched by name in logarithmic time.
class NameTable {
 public:
  template <size_t kSize>
  explicit NameTable(const Named (&entries)[kSize])
      : entries_(std::begin(entries), std::end(entries)) {
    std::sort(entries_.begin(), entries_.end(), &NameTable::Less);
  }

  std::optional<uint64_t> Find(std::string_view name) const {
    const auto it = std::lower_bound(entries_.begin(), entries_.end(),
                                     Named{name, 0}, &NameTable::Less);
    if (it == entries_.end() || it->name != name) return std::nullopt;
    return it->value;
  }

 private:
  static bool Less(const Named& a, const Named& b) { return a.name < b.name; }

  std::vector<Named> entries_;
};

std::optional<int> ToInt(std::optional<uint64_t> value) {
  if (!value.has_value()) return std::nullopt;
  return static_cast<int>(*value);
}

}  // namespace

std::optional<uint64_t> ConstantValue(std::string_view name) {
  static const NameTable* const table = new NameTable(kConstants);
  return table->Find(name);
}

std::optional<int> ErrnoNumber(std::string_view name) {
  static const NameTable* const table = new NameTable(kErrnos);
  return ToInt(table->Find(name));
}

std::optional<int> SignalNumber(std::string_view name) {
  static const NameTable* const table = new NameTable(kSignals);
  constexpr std::string_view kRealTime = "SIGRT_";
  constexpr int kFirstRealTime = 32;
  constexpr int kLastRealTime = 64;
  if (name.substr(0, kRealTime.size()) != kRealTime) {
    return ToInt(table->Find(name));
  }
  const std::string_view digits = name.substr(kRealTime.size());
  int offset = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), offset);
  if (error != std::errc() || end != digits.data() + digits.size() ||
      offset < 0 || offset > kLastRealTime - kFirstRealTime) {
    return std::nullopt;
  }
  return kFirstRealTime + offset;
}

}  // namespace faultline::strace

// The typed views of the system calls that shape memory, processes and
// descriptors. A call that is not here is delivered as text only.
//
// Addresses and lengths are as the program passed them, unchecked and
// unrounded. `flags` hold the numbers of the x86-64 ABI.

#ifndef FAULTLINE_CLIENT_CLI_STRACE_CALLS_H_
#define FAULTLINE_CLIENT_CLI_STRACE_CALLS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "client/cli/strace/values.h"

namespace faultline::strace {

// execve and execveat.
struct Execve {
  std::optional<Descriptor> directory;  // execveat only
  std::string path;                     // empty when strace could not read it
  std::vector<std::string> argv;
  bool argv_cut = false;  // strace showed only a part of argv
  std::optional<uint32_t> env_count;
  std::vector<std::string> env;  // only with strace -v
  uint64_t flags = 0;            // execveat only
};

struct Brk {
  uint64_t address = 0;
};

// mmap, and mmap2 of 32-bit programs (whose offset strace shows in bytes).
struct Mmap {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t prot = 0;
  uint64_t flags = 0;
  Descriptor fd;
  uint64_t offset = 0;
};

struct Munmap {
  uint64_t address = 0;
  uint64_t length = 0;
};

// mprotect and pkey_mprotect.
struct Mprotect {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t prot = 0;
  std::optional<int> pkey;
};

struct Mremap {
  uint64_t address = 0;
  uint64_t old_length = 0;
  uint64_t new_length = 0;
  uint64_t flags = 0;
  std::optional<uint64_t> new_address;
};

struct Madvise {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t advice = 0;
};

// mlock (flags 0) and mlock2.
struct Mlock {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t flags = 0;
};

struct Munlock {
  uint64_t address = 0;
  uint64_t length = 0;
};

struct Mlockall {
  uint64_t flags = 0;
};

struct Munlockall {};

struct Msync {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t flags = 0;
};

struct Mincore {
  uint64_t address = 0;
  uint64_t length = 0;
};

struct RemapFilePages {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t prot = 0;
  uint64_t page_offset = 0;
  uint64_t flags = 0;
};

struct Mseal {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t flags = 0;
};

// The record's result is how many bytes were advised.
struct ProcessMadvise {
  Descriptor process;  // a pidfd: its path is "pid:N"
  std::vector<std::pair<uint64_t, uint64_t>> ranges;  // address, length
  uint64_t advice = 0;
  uint64_t flags = 0;
};

// A mask of nodes as mbind and set_mempolicy take it.
struct NodeMask {
  std::vector<uint64_t> words;  // none: NULL
  uint64_t maxnode = 0;
  bool shown = true;  // false: strace could not, or need not, read it
};

struct Mbind {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t mode = 0;
  NodeMask nodes;
  uint64_t flags = 0;
};

struct SetMempolicy {
  uint64_t mode = 0;
  NodeMask nodes;
};

struct SetMempolicyHomeNode {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t home_node = 0;
  uint64_t flags = 0;
};

inline constexpr uint64_t kCloneVm = 0x100;
inline constexpr uint64_t kCloneFiles = 0x400;
inline constexpr uint64_t kCloneVfork = 0x4000;
inline constexpr uint64_t kCloneThread = 0x10000;

// fork, vfork, clone and clone3, all in clone3's terms. The record's result is
// the child's pid.
struct Clone {
  uint64_t flags = 0;  // without the exit signal
  int exit_signal = 0;
  uint64_t stack = 0;  // clone: the child's stack pointer; clone3: its low end
  uint64_t stack_size = 0;  // clone3 only
  uint64_t tls = 0;

  bool shares_memory() const { return (flags & kCloneVm) != 0; }
  bool shares_files() const { return (flags & kCloneFiles) != 0; }
  bool is_thread() const { return (flags & kCloneThread) != 0; }
  bool waits_for_child() const { return (flags & kCloneVfork) != 0; }
};

// exit (one thread) and exit_group.
struct Exit {
  int status = 0;
  bool group = false;
};

// wait4 and waitid. The record's result is the reaped pid (wait4) or 0.
struct Wait {
  int64_t target = -1;
  uint64_t options = 0;
  std::optional<int> exit_status;  // WEXITSTATUS, when strace decoded it
  std::optional<int> term_signal;  // WTERMSIG
};

struct ArchPrctl {
  uint64_t code = 0;
  uint64_t value = 0;
};

// prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, …).
struct SetVmaName {
  uint64_t address = 0;
  uint64_t length = 0;
  std::optional<std::string> name;  // none: the name is removed
};

struct Prctl {
  uint64_t option = 0;
  std::vector<std::optional<uint64_t>> arguments;  // none: not a number
};

struct SetTidAddress {
  uint64_t address = 0;
};

struct LimitPair {
  uint64_t soft = 0;
  uint64_t hard = 0;
};

inline constexpr uint64_t kRlimitStack = 3;

// prlimit64, setrlimit and getrlimit. pid 0 is the caller.
struct Rlimit {
  int64_t pid = 0;
  uint64_t resource = 0;
  std::optional<LimitPair> set;
  std::optional<LimitPair> got;
};

struct Personality {
  uint64_t persona = 0;  // 0xffffffff asks without changing
};

// open, openat and creat. The record's result is the new descriptor.
struct Open {
  Descriptor directory;  // AT_FDCWD for open and creat
  std::string path;
  uint64_t flags = 0;
};

struct Close {
  Descriptor fd;
};

// dup, dup2, dup3 and fcntl(F_DUPFD, F_DUPFD_CLOEXEC).
struct Dup {
  Descriptor fd;
  std::optional<int64_t> wanted;
  uint64_t flags = 0;  // dup3
};

struct Ftruncate {
  Descriptor fd;
  uint64_t length = 0;
};

struct Fallocate {
  Descriptor fd;
  uint64_t mode = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct Shmget {
  uint64_t key = 0;
  uint64_t size = 0;
  uint64_t flags = 0;
};

struct Shmat {
  int64_t id = 0;
  uint64_t address = 0;
  uint64_t flags = 0;
};

struct Shmdt {
  uint64_t address = 0;
};

struct MemfdCreate {
  std::string name;
  uint64_t flags = 0;
};

using Call = std::variant<
    std::monostate, Execve, Brk, Mmap, Munmap, Mprotect, Mremap, Madvise, Mlock,
    Munlock, Mlockall, Munlockall, Msync, Mincore, RemapFilePages, Clone, Exit,
    Wait, ArchPrctl, SetVmaName, Prctl, SetTidAddress, Rlimit, Personality,
    Open, Close, Dup, Ftruncate, Shmget, Shmat, Shmdt, MemfdCreate, Mseal,
    ProcessMadvise, Fallocate, Mbind, SetMempolicy, SetMempolicyHomeNode>;

struct ParsedCall {
  Call call;          // monostate: no typed view of this call
  std::string error;  // not empty: the arguments could not be read
  std::vector<std::string> unknown_names;  // flags without a known number
};

// Reads `arguments` (the slices of SplitArguments) of the call `name`.
ParsedCall ParseCall(std::string_view name,
                     const std::vector<std::string_view>& arguments);

// Whether `name` makes a new task: fork, vfork, clone or clone3.
bool CreatesTask(std::string_view name);

}  // namespace faultline::strace

#endif  // FAULTLINE_CLIENT_CLI_STRACE_CALLS_H_

// What a client may ask of a machine: one struct per system call, kernel call
// or act of administration. A Command is an input; together with the config
// the sequence of commands determines everything else.
//
// Numbers are Linux's own: prot is PROT_*, flags MAP_* or MREMAP_*, advice
// MADV_*, signals and resources as on x86-64. Addresses and lengths are bytes.
// Nothing is checked here: the simulated kernel answers with the errno that
// Linux would have answered with.
#ifndef FAULTLINE_SERVER_MACHINE_COMMAND_H_
#define FAULTLINE_SERVER_MACHINE_COMMAND_H_

#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "server/machine/kernel_command.h"

namespace faultline {

using Pid = uint32_t;

struct Mmap {
  uint64_t addr = 0;
  uint64_t length = 0;
  uint64_t prot = 0;
  uint64_t flags = 0;
  int32_t fd = -1;
  uint64_t offset = 0;  // bytes
};
struct Munmap {
  uint64_t addr = 0;
  uint64_t length = 0;
};
struct Mprotect {
  uint64_t addr = 0;
  uint64_t length = 0;
  uint64_t prot = 0;
};
struct Mremap {
  uint64_t addr = 0;
  uint64_t old_length = 0;
  uint64_t new_length = 0;
  uint64_t flags = 0;
  uint64_t new_addr = 0;
};
struct Brk {
  uint64_t addr = 0;
};
struct Madvise {
  uint64_t addr = 0;
  uint64_t length = 0;
  int32_t advice = 0;
};
// mlock(2), and mlock2(2) with flags (1: MLOCK_ONFAULT).
struct Mlock {
  uint64_t addr = 0;
  uint64_t length = 0;
  uint64_t flags = 0;
};
struct Munlock {
  uint64_t addr = 0;
  uint64_t length = 0;
};
struct Mlockall {
  uint64_t flags = 0;
};
struct Munlockall {};
struct Msync {
  uint64_t addr = 0;
  uint64_t length = 0;
  uint64_t flags = 0;
};
// mincore(2); the vector comes back in Outcome::data, one byte per page.
struct Mincore {
  uint64_t addr = 0;
  uint64_t length = 0;
};
// mseal(2).
struct Mseal {
  uint64_t addr = 0;
  uint64_t length = 0;
  uint64_t flags = 0;
};
// remap_file_pages(2).
struct RemapFilePages {
  uint64_t addr = 0;
  uint64_t length = 0;
  uint64_t prot = 0;
  uint64_t pgoff = 0;  // pages
  uint64_t flags = 0;
};
// mbind(2). `nodes` is what lies at the mask's address, 64 nodes a word and
// zeros behind; empty: the address is NULL.
struct Mbind {
  uint64_t addr = 0;
  uint64_t length = 0;
  uint64_t mode = 0;  // MPOL_*, with MPOL_F_*
  std::vector<uint64_t> nodes{};
  uint64_t maxnode = 0;
  uint64_t flags = 0;  // MPOL_MF_*
};
// set_mempolicy(2), of the calling thread.
struct SetMempolicy {
  uint64_t mode = 0;
  std::vector<uint64_t> nodes{};
  uint64_t maxnode = 0;
};
// get_mempolicy(2): returns the mode, or with MPOL_F_NODE the node; the words
// of the mask come back in Outcome::data. maxnode 0: no mask is asked for.
struct GetMempolicy {
  uint64_t addr = 0;
  uint64_t flags = 0;  // MPOL_F_*
  uint64_t maxnode = 0;
};
// set_mempolicy_home_node(2).
struct SetMempolicyHomeNode {
  uint64_t addr = 0;
  uint64_t length = 0;
  uint64_t home_node = 0;
  uint64_t flags = 0;
};
// process_madvise(2) of `target` (a pid; Linux takes a pidfd). Range i is
// [addr[i], addr[i] + length[i]).
struct ProcessMadvise {
  Pid target = 0;
  std::vector<uint64_t> addr{};
  std::vector<uint64_t> length{};
  int32_t advice = 0;
  uint32_t flags = 0;
};
// userfaultfd(2): refused in any case (departure D10).
struct Userfaultfd {
  uint32_t flags = 0;
};
// prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME); an empty name removes it.
struct SetVmaName {
  uint64_t addr = 0;
  uint64_t length = 0;
  std::string name;
};

// `count` one-byte accesses, `stride` bytes apart, from `addr` on. Stops at
// the first that is signalled. A write stores `value`.
struct Access {
  AccessKind kind = AccessKind::kRead;
  uint64_t addr = 0;
  uint64_t count = 1;
  uint64_t stride = 4096;
  uint8_t value = 0;
  std::vector<uint64_t> victims{};  // ReplacementPolicy::kClient: its answers
};

// Many accesses as one command. Entry i is the Access {kind[i], base + addr[i],
// count[i], stride[i], value[i]}; they are done in order, up to the first
// access that is signalled. Each column but addr has one value for all entries,
// one for each, or none: then an Access's default holds.
struct AccessMany {
  uint64_t base = 0;
  std::vector<uint64_t> addr{};
  std::vector<AccessKind> kind{};
  std::vector<uint64_t> count{};
  std::vector<uint64_t> stride{};
  std::string value{};
  bool data = false;  // the byte of each access comes back in Outcome::data
  std::vector<uint64_t> victims{};  // as Access::victims
};

struct Fork {};
// clone(2): the CLONE_* bits that concern memory are honoured (CLONE_VM,
// CLONE_FILES, CLONE_THREAD, CLONE_VFORK); the low byte is the exit signal.
struct Clone {
  uint64_t flags = 0;
};
// execve(2) of a file of the machine (CreateFile) that holds an ELF image.
struct Execve {
  std::string path;
  std::vector<std::string> argv;
  std::vector<std::string> envp;
};
struct Exit {
  int32_t status = 0;
  bool group = true;  // exit_group(2); false: exit(2), this thread alone
};
// wait4(2): -1 any child; returns the child's pid, its status in data (4 LE).
struct Wait {
  int64_t pid = -1;
  bool nohang = true;
};
// kill(2) of `target` (a pid).
struct Kill {
  uint32_t target = 0;
  int32_t signal = 0;
};

// How the bytes of a file come about.
enum class FileContent : uint8_t {
  kBytes = 0,    // `data`, then zeros up to `size`
  kHole = 1,     // zeros
  kPattern = 2,  // every byte of page k is (seed*37 + k*7 + 1) & 0xff
};
// Which file system a file is on: what matters is whether a shared write to a
// page that was only read faults again (page_mkwrite), and what mmap aligns.
enum class FsType : uint8_t { kRamfs = 0, kTmpfs = 1, kExt4 = 2 };

// Puts a file into the machine's file system. Administration: pid is ignored.
struct CreateFile {
  std::string path;
  uint64_t size = 0;
  FileContent content = FileContent::kHole;
  uint64_t seed = 0;
  std::string data;
  bool cached = true;  // false: no page is in the page cache
  FsType fs = FsType::kRamfs;
  uint32_t mode = 0644;
  uint32_t dev_major = 0;  // as /proc/PID/maps shows it
  uint32_t dev_minor = 0;
  uint64_t inode = 0;  // 0: the machine chooses
};
// open(2): flags are O_* (accmode 3: O_RDONLY 0, O_WRONLY 1, O_RDWR 2).
// `at` >= 0 asks for that descriptor number, as dup2 would give it.
struct Open {
  std::string path;
  uint64_t flags = 0;
  int32_t at = -1;
};
struct Close {
  int32_t fd = -1;
};
// pread(2); the bytes come back in Outcome::data.
struct Read {
  int32_t fd = -1;
  uint64_t offset = 0;
  uint64_t length = 0;
};
// pwrite(2).
struct Write {
  int32_t fd = -1;
  uint64_t offset = 0;
  std::string data;
};
// ftruncate(2).
struct Truncate {
  int32_t fd = -1;
  int64_t size = 0;
};
// fsync(2), fdatasync(2).
struct Fsync {
  int32_t fd = -1;
  bool data_only = false;
};
// fallocate(2): mode is FALLOC_FL_*.
struct Fallocate {
  int32_t fd = -1;
  uint32_t mode = 0;
  int64_t offset = 0;
  int64_t length = 0;
};
// fcntl(2): F_ADD_SEALS, F_GET_SEALS; any other command is EINVAL.
struct Fcntl {
  int32_t fd = -1;
  int32_t cmd = 0;
  uint64_t arg = 0;
};
// memfd_create(2): a file of tmpfs without a name. `at` is as for Open.
struct MemfdCreate {
  std::string name;
  uint32_t flags = 0;
  int32_t at = -1;
};
// setrlimit(2): resource is RLIMIT_*; ~0 is RLIM_INFINITY.
struct Setrlimit {
  uint32_t resource = 0;
  uint64_t soft = 0;
  uint64_t hard = 0;
};
// getrlimit(2): the soft limit; both limits are in data (two times 8 LE).
struct Getrlimit {
  uint32_t resource = 0;
};
// setuid(2). Whoever is not 0 has no capability.
struct Setuid {
  uint32_t uid = 0;
};
// prctl(2): PR_SET_MDWE, PR_GET_MDWE, PR_SET_DUMPABLE, PR_GET_DUMPABLE,
// PR_SET_MEMORY_MERGE, PR_GET_MEMORY_MERGE; any other option is EINVAL.
struct Prctl {
  int32_t option = 0;
  uint64_t arg = 0;
};
// alloc_pages(gfp, order): returns the pfn. gfp is Linux's bit mask.
struct AllocPages {
  uint32_t gfp = 0;
  uint32_t order = 0;
};
// __free_pages(pfn, order).
struct FreePages {
  uint64_t pfn = 0;
  uint32_t order = 0;
};
// __get_free_pages(gfp, order): returns the kernel's address of the first.
struct GetFreePages {
  uint32_t gfp = 0;
  uint32_t order = 0;
};
struct GetZeroedPage {
  uint32_t gfp = 0;
};
// page_address(pfn); 0 for high memory.
struct PageAddress {
  uint64_t pfn = 0;
};
// free_pages(addr, order).
struct FreeAddress {
  uint64_t addr = 0;
  uint32_t order = 0;
};
// malloc(3) and its relatives as glibc 2.36 does them over brk and mmap: what
// the program's C library does, with its own accesses and system calls.
struct Malloc {
  uint64_t size = 0;
};
struct Calloc {
  uint64_t count = 0;
  uint64_t size = 0;
};
struct Realloc {
  uint64_t addr = 0;
  uint64_t size = 0;
};
struct Free {
  uint64_t addr = 0;
};
// mallopt(3): M_*.
struct Mallopt {
  int32_t param = 0;
  int32_t value = 0;
};
// A sysctl by its name, for example "vm.overcommit_memory".
struct Sysctl {
  std::string name;
  uint64_t value = 0;
  std::vector<uint64_t> more{};  // of a sysctl with several values: the others

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.name, s.value, s.more);
  }
};
// A number written to /proc/PID/clear_refs of the calling process: 1 to 3 clear
// referenced bits, 4 the soft-dirty bits, 5 resets the resident set's peak.
struct ClearRefs {
  uint32_t type = 0;
};
// Lets simulated time pass; ksmd works in it, when the knob ksm.run is 1.
struct Tick {
  uint64_t nanoseconds = 0;
};

using Operation = std::variant<
    Mmap, Munmap, Mprotect, Mremap, Brk, Madvise, Mlock, Munlock, Mlockall,
    Munlockall, Msync, Mincore, SetVmaName, Access, Fork, Clone, Execve, Exit,
    Wait, Kill, CreateFile, Open, Close, Read, Write, Truncate, Fsync,
    Setrlimit, AllocPages, FreePages, Sysctl, Tick, AccessMany, Mseal,
    RemapFilePages, MemfdCreate, Fallocate, ProcessMadvise, Getrlimit, Setuid,
    Prctl, Userfaultfd, ClearRefs, Malloc, Calloc, Realloc, Free, Mallopt,
    Fcntl, GetFreePages, GetZeroedPage, PageAddress, FreeAddress, Kmalloc,
    Kfree, KmemCacheCreate, KmemCacheAlloc, KmemCacheFree, KmemCacheShrink,
    KmemCacheDestroy, Vmalloc, Vfree, Kmap, Kunmap, KmapLocal, KunmapLocal,
    KernelAccess, DropCaches, Sync, Fadvise, Swapon, Swapoff, SetOomScoreAdj,
    InsertModule, RemoveModule, Mknod, SetReplacement, EvictPage, Mbind,
    SetMempolicy, GetMempolicy, SetMempolicyHomeNode>;

// Does a process make this call? The rest is the kernel's own, and the
// machine's administration.
template <class T, class... Ts>
inline constexpr bool kIsOneOf = (std::is_same_v<T, Ts> || ...);
template <class T>
inline constexpr bool kNeedsProcess =
    !kIsOneOf<T, CreateFile, AllocPages, FreePages, GetFreePages, GetZeroedPage,
              PageAddress, FreeAddress, Sysctl, Tick, Kmalloc, Kfree,
              KmemCacheCreate, KmemCacheAlloc, KmemCacheFree, KmemCacheShrink,
              KmemCacheDestroy, Vmalloc, Vfree, Kmap, Kunmap, KmapLocal,
              KunmapLocal, KernelAccess, DropCaches, Sync, Swapon, Swapoff,
              InsertModule, RemoveModule, Mknod>;

struct Command {
  Pid pid = 1;  // who calls; 0: nobody (administration)
  Operation op;
};

// The answers that an access has for ReplacementPolicy::kClient; nullptr: it is
// no access.
std::vector<uint64_t>* VictimsOf(Command& command);

// "mmap", "munmap", …: the name of the call.
const char* OperationName(const Operation& op);

// How many accesses all entries are together; 2^64 - 1 when it is more.
uint64_t AccessesOf(const AccessMany& many);

// One of the two kernels whose behaviour a machine can have.
enum class Personality : uint8_t { kLinux618 = 0, kLinux61 = 1 };
enum class Profile : uint8_t { kX86_64 = 0, kI386Pae = 1, kI386 = 2 };
enum class ThpMode : uint8_t { kNever = 0, kMadvise = 1, kAlways = 2 };

// Usable memory: the addresses [start, end).
struct MemoryRange {
  uint64_t start = 0;
  uint64_t end = 0;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.start, s.end);
  }
};
// Pages of a zone, which is named as in /proc/zoneinfo.
struct ZonePages {
  std::string zone;
  uint64_t pages = 0;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.zone, s.pages);
  }
};

// What a machine is before its first command.
struct MachineConfig {
  Profile profile = Profile::kX86_64;
  Personality personality = Personality::kLinux618;
  uint64_t ram_bytes = uint64_t{1} << 30;
  // The firmware's map; when it is given, ram_bytes is not asked. With it,
  // what boot kept of a zone (present minus managed): a zone that is not named
  // kept nothing. Both empty: a PC's usual map, and an estimate.
  std::vector<MemoryRange> e820{};
  std::vector<ZonePages> reserved{};
  // Managed pages that boot freed after the watermarks were set: its init
  // sections and the initrd. Empty: an estimate.
  std::vector<ZonePages> initmem{};
  // i386: where HIGHMEM begins. 0: 896 MiB, or with a map what 6.1 has.
  uint64_t lowmem_bytes = 0;
  // As on Linux's command line, "512M" or "25%": how much of memory the kernel
  // may use, or may not (ZONE_MOVABLE). Both empty: all of it.
  std::string kernelcore{};
  std::string movablecore{};
  uint64_t swap_bytes = 0;
  uint32_t cpus = 1;
  ThpMode thp = ThpMode::kNever;
  uint64_t seed = 1;
  std::vector<Sysctl> sysctls;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.profile, s.personality, s.ram_bytes, s.e820, s.reserved, s.initmem,
       s.lowmem_bytes, s.kernelcore, s.movablecore, s.swap_bytes, s.cpus, s.thp,
       s.seed, s.sysctls);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_COMMAND_H_

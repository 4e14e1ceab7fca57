// What one line of a scenario says, as plain structs. The simulator's runner
// and the native runner both execute these; neither needs to know the grammar.

#ifndef FAULTLINE_SERVER_SCENARIO_SCRIPT_H_
#define FAULTLINE_SERVER_SCENARIO_SCRIPT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/scenario/expr.h"

namespace faultline::scenario {

enum class OpKind {
  // Declarations: they set the stage and print nothing.
  kBoot,
  kFile,
  kImage,
  // System calls.
  kMmap,
  kMunmap,
  kMprotect,
  kMremap,
  kBrk,
  kMadvise,
  kMlock,
  kMlock2,
  kMunlock,
  kMlockall,
  kMunlockall,
  kClearRefs,
  kMsync,
  kMincore,
  kMseal,
  kRemapFilePages,
  kProcessMadvise,
  kMbind,
  kSetMempolicy,
  kGetMempolicy,
  kSetMempolicyHomeNode,
  kUserfaultfd,
  kSetVmaName,
  kFork,
  kVfork,
  kClone,
  kKill,
  kWait,
  kSetuid,
  kPrctl,
  kGetrlimit,
  kExit,
  kSetrlimit,
  kExec,  // Of an image; `exec ADDR` is kFetch.
  // Calls of the C library.
  kMalloc,
  kCalloc,
  kRealloc,
  kFree,
  kMallopt,
  // Accesses.
  kRead,
  kWrite,
  kReadRange,
  kWriteRange,
  kGrow,
  kAccesses,  // Several of those above, as one operation.
  kFetch,
  // Calls on a declared file.
  kFtruncate,
  kPwrite,
  kPread,
  kFallocate,
  kAddSeals,
  kGetSeals,
  kFsync,
  kFdatasync,
  kFadvise,
  kOpen,
  kClose,
  // The kernel's own calls.
  kAllocPages,
  kAllocPage,
  kGetFreePages,
  kGetZeroedPage,
  kFreePages,
  kFreePage,
  kPageAddress,
  kKmalloc,
  kKzalloc,
  kKfree,
  kVmalloc,
  kVzalloc,
  kVfree,
  kKread,
  kKwrite,
  kKmap,
  kKunmap,
  kKmapLocal,
  kKunmapLocal,
  kKmemCacheCreate,
  kKmemCacheAlloc,
  kKmemCacheFree,
  kKmemCacheShrink,
  kKmemCacheDestroy,
  kInsmod,
  kRmmod,
  kMknod,
  // The machine's administration.
  kSysctl,
  kSwapon,
  kSwapoff,
  kDropCaches,
  kSync,
  kTick,
  kOomScoreAdj,
  kReplacement,
  kEvict,
  // Looking.
  kCat,
  kDump,
  kExpect,
};

// `boot key=value ...`. A field that the line does not name is empty, and the
// machine's own default holds.
struct Boot {
  std::string profile;      // x86_64, i386, i386-nopae.
  std::string personality;  // linux-6.18, linux-6.1.
  std::optional<uint64_t> ram_bytes;
  // A file with the lines of /proc/iomem, or the ranges themselves:
  // 1000-9fbff,100000-3ffdffff.
  std::string e820_path;
  // Pages that boot kept from the buddy system, by zone name, and those it
  // freed late.
  std::vector<std::pair<std::string, uint64_t>> reserved_pages;
  std::vector<std::pair<std::string, uint64_t>> initmem_pages;
  std::optional<uint64_t> lowmem_bytes;
  std::string kernelcore;   // 512M, 25%
  std::string movablecore;  // of ZONE_MOVABLE
  std::optional<uint64_t> swap_bytes;
  std::optional<uint64_t> cpus;
  std::string thp;  // always, madvise, never.
  std::optional<uint64_t> seed;
  std::map<std::string, std::string> sysctls;  // Without the "vm." prefix.
};

// `file N SIZE [letters]`. Byte b of page k is (N*37 + k*7 + 1) & 0xff.
struct FileDeclaration {
  uint64_t number = 0;
  uint64_t size_bytes = 0;
  enum class Mode { kReadWrite, kReadOnly, kWriteOnly } mode = Mode::kReadWrite;
  bool hole = false;   // All zeros, no block or page allocated.
  bool cold = false;   // Not in the page cache.
  bool memfd = false;  // Of memfd_create, not in the file system.
  bool disk = false;   // On a file system of a disk.
};

// `image PATH key=value ...`: an ELF file of two segments, text (with the
// headers) and data with bss behind it. All sizes are bytes.
struct ImageDeclaration {
  std::string path;
  std::optional<uint64_t> number;  // Also file N, opened read-only.
  bool movable = false;            // type=dyn; else linked at 4 MiB.
  uint64_t text_bytes = 4096;
  uint64_t data_bytes = 0;
  uint64_t bss_bytes = 0;
  std::string interpreter;
};

// Which parts a dump shows.
struct DumpParts {
  bool maps = false;
  bool smaps = false;
  bool pagemap = false;
  bool status = false;
};

enum class Comparison { kEq, kNe, kLt, kLe, kGt, kGe, kContains, kLacks };

// `expect SUBJECT [CMP] VALUE`. Subjects of the last outcome: ok, ret, err,
// val, sig, code, addr, min, maj, child, exited, died, skip, fetchfault, and
// `vec ==|!= DIGITS`, mincore's vector or get_mempolicy's nodes; `event.NAME`
// counts the events of that name that it made. Subjects of state: `vmas`,
// `status.FIELD`, `meminfo.FIELD`, `vmstat.FIELD`; of the VMA that holds an
// address, `smaps.FIELD@ADDR` and `flags@ADDR contains|lacks lo`; of a page,
// the letters that a dump has for its entry in pagemap, `page@ADDR
// contains|lacks PE`; and `cat PATH contains|lacks TEXT`. Names of errnos,
// signals and codes are already numbers in `value`.
struct Expectation {
  std::string subject;  // "ret", "status.VmRSS", "smaps.Rss", "flags", "cat".
  std::string path;     // Of cat.
  Expr addr;            // Of smaps, flags and page.
  Comparison comparison = Comparison::kEq;
  Expr value;        // Empty where there is a text.
  std::string text;  // Of cat, flags, page and vec.
};

// One line. Fields that the kind does not use stay empty.
struct Op {
  OpKind kind = OpKind::kSync;
  int line = 0;      // 1-based.
  int column = 0;    // Of the op's word, 1-based.
  std::string text;  // The line as written, without comment and outer blanks.
  int process = 0;   // Named by @N here or on an earlier line.
  std::string label;

  Expr addr;        // The first address; a page frame number for kmap, kunmap,
                    // kmap_local and page_address.
  Expr length;      // Length, old length, or size, in bytes.
  Expr new_length;  // mremap.
  Expr new_addr;    // mremap; empty when the line has none.
  Expr offset;      // Pages for mmap, bytes for pread and pwrite, the minor
                    // number for mknod. Empty: 0.
  Expr byte;        // Empty: 1, where it is optional.
  Expr count;       // Accesses; order; ticks; priority; device major number;
                    // the process that kill and process_madvise are about;
                    // maxnode of mbind and its relatives; a home node.
  Expr stride;      // Bytes. Empty: one page.
  std::vector<Expr> future;  // replacement: what will be accessed.
                             // process_madvise: the ranges after the first.
  uint64_t prot = 0;
  uint64_t flags = 0;  // Or an advice, or a resource limit's number.
  uint64_t mode = 0;   // MPOL_*, with MPOL_F_* beside it.
  // A mask of nodes, 64 a word; "-", no mask, has no word.
  std::vector<uint64_t> nodes;
  std::optional<int64_t> fd;       // N of a file; empty for "-".
  std::vector<std::string> words;  // exec: path and arguments. cat: the path.
                                   // gfp: its names. sysctl: name, value.
  std::string name;                // A slab cache, a module, a device node; of
                                   // a VMA.
  std::vector<Op> accesses;        // Of kAccesses.

  Boot boot;
  FileDeclaration file;
  ImageDeclaration image;
  DumpParts dump;
  Expectation expect;
};

struct Script {
  std::string file_name;
  std::vector<Op> ops;
};

// True for boot and file, which take no number in the output.
bool IsDeclaration(OpKind kind);
// True for lines that print no result of their own: declarations, dump,
// expect. All the others are numbered from 1.
bool IsNumbered(OpKind kind);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_SCRIPT_H_

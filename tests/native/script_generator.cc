#include "tests/native/script_generator.h"

#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/machine/base/prng.h"

namespace faultline::native {
namespace {

// Two windows: a dense one in which everything meets, and a large one that
// crosses page-table boundaries.
constexpr uint64_t kDense = 0x10000000;
constexpr uint64_t kDensePages = 64;
constexpr uint64_t kLarge = 0x20000000;
constexpr uint64_t kLargePages = 1100;
constexpr uint64_t kPage = 4096;
// Of profile huge: five times 2 MiB.
constexpr uint64_t kHuge = 0x40000000;
constexpr uint64_t kHugePages = 5 * 512;
constexpr uint64_t kHugeFilePages = 1100;  // of its two files
constexpr int kFiles = 5;
constexpr uint64_t kMemfd = 4;      // the last of them
constexpr uint64_t kLargeFile = 5;  // that some scripts have
constexpr int kProcessesMax = 5;

// What a line may do; the columns of the weights below.
enum Deed : size_t {
  kMap,
  kUnmap,
  kProtect,
  kRemap,
  kBreak,
  kAdvise,
  kLock,
  kSync,
  kResident,
  kLoad,
  kStore,
  kLoads,
  kStores,
  kFetchOne,
  kGrowStack,
  kForkOrExit,
  kFileCall,
  kNewer,
  kDeeds
};
using Weights = std::array<int, kDeeds>;

struct NamedProfile {
  ScriptProfile profile;
  const char* name;
  Weights weights;
};
constexpr NamedProfile kProfiles[] = {
    {ScriptProfile::kVma,
     "vma",
     {30, 10, 22, 16, 6, 6, 8, 1, 1, 3, 4, 1, 2, 1, 2, 1, 0, 8}},
    {ScriptProfile::kAnon,
     "anon",
     {16, 6, 14, 8, 4, 9, 3, 1, 2, 11, 14, 5, 8, 1, 2, 4, 0, 6}},
    {ScriptProfile::kFile,
     "file",
     {20, 6, 10, 8, 0, 8, 2, 4, 3, 12, 12, 5, 6, 1, 0, 2, 12, 8}},
    {ScriptProfile::kFull,
     "full",
     {18, 6, 13, 9, 4, 8, 4, 2, 2, 9, 10, 4, 6, 1, 2, 3, 5, 8}},
    {ScriptProfile::kHuge,
     "huge",
     {7, 4, 10, 10, 0, 22, 6, 0, 2, 9, 16, 4, 8, 1, 0, 7, 4, 4}},
};

const NamedProfile& Find(ScriptProfile profile) {
  for (const NamedProfile& named : kProfiles) {
    if (named.profile == profile) return named;
  }
  return kProfiles[3];
}

class Generator {
 public:
  explicit Generator(const ScriptOptions& options)
      : options_(options),
        weights_(Find(options.profile).weights),
        prng_(options.seed * 8 + static_cast<uint64_t>(options.profile)) {}

  std::vector<std::string> Lines() {
    lines_ = {"file 0 32p", "file 1 16p r", "file 2 7p+1000", "file 3 40p h",
              "file 4 24p m"};
    if (options_.on_disk) {
      lines_ = {"file 0 32p d", "file 1 16p rd", "file 2 7p+1000 d",
                "file 3 40p d", "file 4 24p m"};
    }
    if (huge_) {
      lines_ = {
          "boot thp=madvise", absl::StrFormat("file 0 %dp m", kHugeFilePages),
          absl::StrFormat("file 1 %dp mh", kHugeFilePages),
          absl::StrFormat("mmap 0x%x %dp rw- PRIVATE|ANON|FIXED - 0", kHuge,
                          kHugePages),
          absl::StrFormat("madvise 0x%x %dp HUGEPAGE", kHuge, kHugePages)};
      if (OneIn(2)) AddSharedHuge();
    }
    if (!huge_ && !options_.on_disk && OneIn(4)) {
      lines_.push_back(
          absl::StrFormat("file %d %dp h", kLargeFile, kLargePages));
      large_file_ = true;
    }
    if (!huge_ && OneIn(2)) FillDense();
    // Now and then what follows is an ordinary user's.
    if (!huge_ && OneIn(6)) AddUser();
    for (int i = 0; i < options_.operations; ++i) {
      if (i > 0 && i % options_.dump_every == 0) lines_.push_back("dump all");
      Add();
    }
    lines_.push_back("dump all");
    return std::move(lines_);
  }

 private:
  uint64_t Below(uint64_t n) { return prng_.Next() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  template <size_t N>
  const char* Any(const char* const (&words)[N]) {
    return words[Below(N)];
  }

  Deed Choose() {
    int total = 0;
    for (int weight : weights_) total += weight;
    int at = static_cast<int>(Below(static_cast<uint64_t>(total)));
    size_t deed = 0;
    while (at >= weights_[deed]) at -= weights_[deed++];
    return static_cast<Deed>(deed);
  }

  void Add() {
    const Deed deed = Choose();
    const int process =
        static_cast<int>(Below(static_cast<uint64_t>(processes_)));
    const std::string op = Text(deed);
    std::string label;
    if (deed == kMap || deed == kRemap) {
      label = absl::StrCat("r", ++labels_, ": ");
    }
    lines_.push_back(absl::StrCat("@", process, " ", label, op));
    const bool makes = op == "fork" || op == "vfork" ||
                       (op.starts_with("clone ") && op != "clone SIGHAND");
    if (makes && processes_ < kProcessesMax) ++processes_;
  }

  // Otherwise most of what is asked finds a hole somewhere.
  void FillDense() {
    constexpr uint64_t kPiece = 16;
    for (uint64_t at = 0; at < kDensePages; at += kPiece) {
      const bool file =
          options_.profile == ScriptProfile::kFile ? !OneIn(4) : OneIn(6);
      const char* sharing = OneIn(3) ? "SHARED" : "PRIVATE";
      lines_.push_back(absl::StrFormat(
          "mmap 0x%x %dp rw- %s|FIXED%s", kDense + at * kPage, kPiece, sharing,
          file ? absl::StrCat(" ", Any({"0", "2", "3", "4"}), " ", Below(8))
               : std::string("|ANON - 0")));
    }
  }

  // Whole 2 MiB of memory that is shared, for MADV_COLLAPSE.
  void AddSharedHuge() {
    for (uint64_t page = Below(3) * 512; page < kHugePages; page += 1024) {
      const uint64_t addr = kHuge + page * kPage;
      lines_.push_back(
          absl::StrFormat("mmap 0x%x 512p rw- %s", addr, SharedHuge()));
      lines_.push_back(absl::StrFormat("writer 0x%x %d 4096 7", addr,
                                       OneIn(3) ? 512 : 1 + Below(20)));
      if (OneIn(2)) {
        lines_.push_back(absl::StrFormat("madvise 0x%x 512p COLLAPSE", addr));
      }
    }
  }
  // Flags and file of a mapping in profile huge.
  std::string SharedHuge() {
    if (OneIn(3)) return "SHARED|ANON|FIXED - 0";
    const uint64_t offset = OneIn(6) ? Below(600) : 512 * Below(2);
    return absl::StrCat(OneIn(4) ? "PRIVATE" : "SHARED", "|FIXED ", Below(2),
                        " ", offset);
  }

  void AddUser() {
    if (OneIn(2)) {
      lines_.push_back(absl::StrCat("@0 setrlimit MEMLOCK ", Below(40), "p"));
    }
    lines_.push_back("@0 setuid 1000");
    user_ = true;
  }

  std::string Text(Deed deed) {
    switch (deed) {
      case kMap:
        return MapText();
      case kUnmap:
        return absl::StrCat("munmap ", Addr(), " ", Length());
      case kProtect:
        if (OneIn(30)) {
          return absl::StrCat("mprotect ", Addr(), " ", Length(), " rw-g");
        }
        return absl::StrCat("mprotect ", Addr(), " ", Length(), " ", Prot());
      case kRemap:
        return RemapText();
      case kBreak:
        return absl::StrCat("brk $brk", BreakOffset());
      case kAdvise:
        if (huge_ && OneIn(3)) {
          return absl::StrFormat("madvise 0x%x %dp COLLAPSE", WholeHuge(),
                                 512 * (1 + Below(2)));
        }
        if (!huge_ && OneIn(100)) {  // far from the page of the runner
          return absl::StrFormat("madvise 0x%x 0x700000000000 %s",
                                 kDense + Below(kDensePages) * kPage, Advice());
        }
        return absl::StrCat("madvise ", Addr(), " ", Near(), " ", Advice());
      case kLock:
        return LockText();
      case kSync:
        return absl::StrCat("msync ", Addr(), " ", Length(), " ", SyncFlags());
      case kResident:
        if (user_ && locks_future_) return "munlockall";
        return absl::StrCat("mincore ", Addr(), " ", 1 + Below(30), "p");
      case kLoad:
        return absl::StrCat("read ", Byte());
      case kStore:
        return absl::StrCat("write ", Byte(), " ", Below(256));
      case kLoads:
        return absl::StrCat("readr ", Addr(), " ", 2 + Below(16));
      case kStores:
        return absl::StrCat("writer ", Addr(), " ", 2 + Below(16), " 4096 ",
                            Below(256));
      case kFetchOne:
        return absl::StrCat("fetch ", Addr());
      case kGrowStack:
        return absl::StrCat("grow 0x7ffffffde000-",
                            1 + Below(OneIn(8) ? 3000 : 40), "p+", Below(kPage),
                            " ", Below(256));
      case kForkOrExit:
        if (OneIn(6)) return absl::StrCat("clear_refs ", Below(7));
        return ForkText();
      case kFileCall:
        return FileText();
      case kNewer:
        return NewerText();
      case kDeeds:
        break;
    }
    return "";
  }

  // Mostly whole pages of the dense window, or near what a label stands for.
  std::string Addr() {
    if (huge_ && !OneIn(20)) return HugeAddr();
    if (OneIn(60))
      return Any({"0", "0x1000", "0x7fffffffd000", "0x10000800",
                  "0x7ffffffff000", "0x800000000000", "0xffffffffff600400",
                  "0xffff800000000000"});
    if (labels_ > 0 && OneIn(4)) {
      const uint64_t label = labels_ - Below(std::min<uint64_t>(labels_, 6));
      return absl::StrCat("$r", label, Shift());
    }
    if (OneIn(16)) return absl::StrCat("$brk", BreakOffset());
    if (OneIn(7)) {
      return absl::StrFormat("0x%x", kLarge + Below(kLargePages) * kPage);
    }
    return absl::StrFormat("0x%x", kDense + Below(kDensePages) * kPage);
  }

  // Where 2 MiB begin.
  uint64_t WholeHuge() { return kHuge + Below(kHugePages / 512) * 512 * kPage; }

  // Mostly there, or near it.
  std::string HugeAddr() {
    uint64_t addr = WholeHuge();
    if (OneIn(2)) addr += (OneIn(2) ? Below(512) : Below(4)) * kPage;
    return absl::StrFormat("0x%x", addr);
  }

  std::string Shift() {
    const char* shifts[] = {"", "", "", "+1p", "+2p", "+3p", "-1p"};
    return shifts[Below(std::size(shifts))];
  }

  std::string Byte() {
    return OneIn(3) ? Addr() : absl::StrCat(Addr(), "+", Below(kPage));
  }

  // Far, but not as far as the stack and the page of the runner. Not for what
  // makes a mapping: a dump of so large a one takes hours.
  std::string Length() { return OneIn(100) ? "0x700000000000" : Near(); }

  std::string Near() {
    if (huge_ && !OneIn(3)) {
      return absl::StrCat(OneIn(3) ? 1 + Below(1100) : 512 * (1 + Below(2)),
                          "p");
    }
    if (OneIn(50)) return Any({"0", "1", "0xfffffffffffff001"});
    if (OneIn(10)) return absl::StrCat(1 + Below(24), "p+", Below(kPage));
    return absl::StrCat(1 + Below(OneIn(4) ? 24 : 5), "p");
  }

  std::string Prot() {
    // PROT_SEM, which means nothing, and bits that nobody knows.
    if (OneIn(60)) return Any({"0x8", "0xb", "0x10", "0x13", "0x2000001"});
    return Any(
        {"rw-", "rw-", "rw-", "rw-", "r--", "r--", "---", "-w-", "r-x", "rwx"});
  }

  std::string BreakOffset() {
    if (OneIn(30)) return Any({"-1", "-1p", "+0x1000000000"});
    if (OneIn(8)) return absl::StrCat("+", Below(20 * kPage));
    return absl::StrCat("+", Below(12), "p");
  }

  // Refused, since there are no pages of that kind; but what lies at a fixed
  // address may be gone by then. Not without a reservation: departure D7.
  std::string HugetlbText() {
    const char* sizes[] = {"", "", "|0x54000000", "|0x78000000", "|0x40000000"};
    return absl::StrCat(
        "mmap ", OneIn(4) ? "0" : Addr(), " ", OneIn(3) ? "512p" : Near(), " ",
        Prot(), " ", Any({"SHARED", "PRIVATE", "PRIVATE", "0"}), "|HUGETLB",
        sizes[Below(std::size(sizes))],
        Any({"", "|FIXED", "|FIXED", "|NOREPLACE", "|LOCKED", "|POPULATE"}),
        OneIn(6) ? absl::StrCat(" ", Below(kFiles), " ")
                 : absl::StrCat("|ANON - "),
        OneIn(6) ? 1 + Below(600) : 0);
  }

  std::string MapText() {
    if (OneIn(40)) return HugetlbText();
    if (huge_ && OneIn(3) && options_.huge_files) {
      return absl::StrFormat("mmap 0x%x 512p rw- %s", WholeHuge(),
                             SharedHuge());
    }
    if (huge_) {
      const std::string where = absl::StrCat("mmap ", HugeAddr(), " ", Near(),
                                             OneIn(4) ? " r-- " : " rw- ");
      if (OneIn(2) && options_.huge_files) {
        return absl::StrCat(where, SharedHuge());
      }
      return absl::StrCat(where, "PRIVATE|ANON|FIXED",
                          OneIn(8) ? "|POPULATE" : "", " - 0");
    }
    const bool large = OneIn(14);
    const std::string length = large ? absl::StrCat(kLargePages, "p") : Near();
    const bool file = options_.profile == ScriptProfile::kFile   ? !OneIn(4)
                      : options_.profile == ScriptProfile::kAnon ? OneIn(12)
                                                                 : OneIn(3);
    std::string flags = OneIn(3) ? "SHARED" : "PRIVATE";
    if (OneIn(60))
      flags = Any({"SHARED_VALIDATE", "0", "DROPPABLE", "DROPPABLE"});
    if (!file) flags += "|ANON";
    const bool hint = OneIn(4);
    if (!hint) flags += OneIn(8) ? "|NOREPLACE" : "|FIXED";
    for (uint64_t n = OneIn(3) ? 1 + Below(2) : 0; n > 0; --n) {
      absl::StrAppend(
          &flags, "|",
          Any({"NORESERVE", "POPULATE", "LOCKED", "STACK", "GROWSDOWN", "32BIT",
               "NONBLOCK", "DENYWRITE", "ABOVE4G", "SYNC", "EXECUTABLE"}));
    }
    const std::string where = large ? absl::StrFormat("0x%x", kLarge)
                              : hint && OneIn(2) ? std::string("0")
                                                 : Addr();
    const std::string what =
        file ? absl::StrCat(OneIn(40) ? 9 : AnyFile(), " ", FileOffset())
             : "- 0";
    return absl::StrCat("mmap ", where, " ", length, " ", Prot(), " ", flags,
                        " ", what);
  }

  uint64_t AnyFile() {
    return large_file_ && OneIn(4) ? kLargeFile : Below(kFiles);
  }

  // In pages: mostly where the file is, or up to where no file can be.
  std::string FileOffset() {
    if (!OneIn(60)) return absl::StrCat(Below(12));
    return Any({"0xffff", "0xffffffff", "0x7fffffffffff8", "0x7ffffffffffff",
                "0xffffffffffff0", "0xfffffffffffff"});
  }

  std::string RemapText() {
    const std::string old_length = OneIn(30) ? "0" : Near();
    const char* flags = Any(
        {"0", "MAYMOVE", "MAYMOVE", "MAYMOVE", "MAYMOVE|FIXED", "MAYMOVE|FIXED",
         "MAYMOVE|DONTUNMAP", "MAYMOVE|FIXED|DONTUNMAP", "FIXED"});
    const bool same = std::string(flags).find("DONTUNMAP") != std::string::npos;
    return absl::StrCat("mremap ", Addr(), " ", old_length, " ",
                        same && !OneIn(6) ? old_length : Near(), " ", flags,
                        " ", Addr());
  }

  std::string Advice() {
    const std::string advice = AnyAdvice();
    const bool poison = advice == "HWPOISON" || advice == "SOFT_OFFLINE";
    return poison && !options_.poisons ? "99" : advice;
  }

  std::string AnyAdvice() {
    if (huge_ && OneIn(2)) {
      return Any({"HUGEPAGE", "HUGEPAGE", "COLLAPSE", "COLLAPSE", "FREE",
                  "COLD", "PAGEOUT", "NOHUGEPAGE"});
    }
    if (OneIn(2)) return "DONTNEED";
    return Any({"NORMAL",
                "RANDOM",
                "SEQUENTIAL",
                "WILLNEED",
                "FREE",
                "REMOVE",
                "DONTFORK",
                "DOFORK",
                "DONTDUMP",
                "DODUMP",
                "WIPEONFORK",
                "KEEPONFORK",
                "COLD",
                "PAGEOUT",
                "POPULATE_READ",
                "POPULATE_WRITE",
                "DONTNEED_LOCKED",
                "MERGEABLE",
                "MERGEABLE",
                "UNMERGEABLE",
                "NOHUGEPAGE",
                "99",
                "5",
                "26",
                "GUARD_INSTALL",
                "GUARD_INSTALL",
                "GUARD_REMOVE",
                "HWPOISON",
                "SOFT_OFFLINE",
                "COLLAPSE"});
  }

  std::string LockText() {
    switch (Below(8)) {
      case 0:
        return "munlockall";
      case 1: {
        const std::string flags = Any({"CURRENT", "FUTURE", "CURRENT|FUTURE",
                                       "ONFAULT", "CURRENT|ONFAULT", "0"});
        locks_future_ |= absl::StrContains(flags, "FUTURE");
        return absl::StrCat("mlockall ", flags);
      }
      case 2:
      case 3:
        return absl::StrCat("munlock ", Addr(), " ", Length());
      case 4:
        return absl::StrCat("mlock2 ", Addr(), " ", Length(), " ",
                            OneIn(8) ? "2" : "ONFAULT");
      default:
        return absl::StrCat("mlock ", Addr(), " ", Length());
    }
  }

  std::string ForkText() {
    if (!OneIn(4) && processes_ < kProcessesMax) {
      if (OneIn(6)) return "vfork";
      if (!OneIn(10)) return "fork";
      return Any({"clone FILES", "clone VM", "clone VM|FILES|SIGHAND",
                  "clone SIGHAND", "clone VM|FS"});
    }
    if (OneIn(4)) return "wait";
    if (processes_ == 1 || !OneIn(3)) return "munlockall";
    return OneIn(3) ? absl::StrCat("kill ", AnyProcess(), " SIGKILL") : "exit";
  }

  // Or one that never was.
  uint64_t AnyProcess() { return Below(static_cast<uint64_t>(processes_) + 1); }

  // Of the one node there is, and of those that there are not.
  std::string Nodes() {
    if (OneIn(3)) return "-";
    if (!OneIn(4)) return "0";
    return Any(
        {"none", "1", "0-1", "0,5", "5", "0,70", "1023", "1024", "0,2000"});
  }

  std::string Maxnode() {
    if (!OneIn(8)) return "";
    return Any({" 0", " 1", " 2", " 65", " 1025", " 1026", " 2049", " 32770"});
  }

  std::string PolicyMode() {
    return absl::StrCat(
        Any({"DEFAULT", "DEFAULT", "PREFERRED", "BIND", "BIND", "INTERLEAVE",
             "LOCAL", "PREFERRED_MANY", "WEIGHTED_INTERLEAVE", "7"}),
        OneIn(4) ? Any({"|STATIC_NODES", "|RELATIVE_NODES", "|NUMA_BALANCING",
                        "|STATIC_NODES|RELATIVE_NODES",
                        "|STATIC_NODES|NUMA_BALANCING", "|0x100"})
                 : "");
  }

  std::string PolicyText() {
    switch (Below(8)) {
      case 0:
        return absl::StrCat("set_mempolicy ", PolicyMode(), " ", Nodes(),
                            Maxnode());
      case 1:
        return absl::StrCat("set_mempolicy_home_node ", Addr(), " ", Near(),
                            OneIn(8) ? " 1" : " 0", OneIn(20) ? " 1" : "");
      case 2:
      case 3:
        if (user_ && locks_future_) return "munlockall";
        if (OneIn(4)) {
          return absl::StrCat("get_mempolicy 0 ",
                              Any({"0", "NODE", "MEMS_ALLOWED", "8"}));
        }
        return absl::StrCat("get_mempolicy ", Byte(), " ",
                            Any({"ADDR", "ADDR", "ADDR", "NODE|ADDR",
                                 "NODE|ADDR", "ADDR|MEMS_ALLOWED", "0"}),
                            Maxnode());
      default: {
        const char* flags = Any({"", "", "", " STRICT", " MOVE", " STRICT|MOVE",
                                 " MOVE_ALL", " STRICT|MOVE_ALL", " 8"});
        const std::string maxnode = *flags == '\0' ? "" : Maxnode();
        return absl::StrCat("mbind ", Addr(), " ", Length(), " ", PolicyMode(),
                            " ", Nodes(), flags, maxnode);
      }
    }
  }

  // Mostly one range.
  std::string ProcessAdviceText() {
    const uint64_t more = OneIn(3) ? 1 + Below(3) : 0;
    std::string text =
        absl::StrCat("process_madvise ", AnyProcess(), " ", Addr(), " ", Near(),
                     " ", OneIn(3) ? RemoteAdvice() : Advice());
    if (OneIn(12)) {
      text += " 1";
    } else if (more > 0) {
      text += " 0";
    } else {
      return text;
    }
    for (uint64_t i = 0; i < more; ++i) {
      absl::StrAppend(&text, " ", Addr(), " ", Near());
    }
    return text;
  }

  // What another process may be given.
  std::string RemoteAdvice() {
    return Any({"COLD", "PAGEOUT", "WILLNEED", "COLLAPSE"});
  }

  // ksmd does not run, so that nothing is merged.
  std::string MergeText() {
    return absl::StrCat(
        "prctl ",
        Any({"MEMORY_MERGE 1", "MEMORY_MERGE 1", "MEMORY_MERGE 0",
             "MEMORY_MERGE 2", "GET_MEMORY_MERGE", "GET_MEMORY_MERGE 1"}));
  }

  // Not MPOL_MF_MOVE, which leaves large folios where they are: departure D58.
  std::string HugeNewerText() {
    switch (Below(8)) {
      case 0:
        return absl::StrCat("mseal ", Addr(), " ", Near());
      case 1:
        return absl::StrCat(
            "prctl ", Any({"THP_DISABLE 1", "THP_DISABLE 0", "THP_DISABLE 0",
                           "GET_THP_DISABLE"}));
      case 2:
        return MergeText();
      case 3:
        return absl::StrCat("mbind ", Addr(), " ", Near(), " ", PolicyMode(),
                            " ", Nodes());
      case 4:
        return absl::StrCat("setrlimit MEMLOCK ", Below(1500), "p 1500p");
      default:
        return ProcessAdviceText();
    }
  }

  std::string NewerText() {
    if (huge_) return HugeNewerText();
    if (OneIn(2)) return PolicyText();
    switch (Below(18)) {
      case 0:
        return absl::StrCat("mseal ", Addr(), " ", Near(),
                            OneIn(6) ? " 1" : "");
      case 1:
      case 2:
      case 3:
        return absl::StrCat("remap_file_pages ", Addr(), " ", Near(),
                            OneIn(12) ? " 1 " : " 0 ", Below(12),
                            OneIn(4) ? " NONBLOCK" : "");
      case 4:
      case 5:
      case 6:
        return ProcessAdviceText();
      case 7:
        return absl::StrCat("kill ", AnyProcess(), " 0");
      case 8:
        return absl::StrCat(
            "prctl ", Any({"MDWE 0", "MDWE 2", "MDWE 4", "MDWE 1", "DUMPABLE 0",
                           "DUMPABLE 1", "DUMPABLE 2", "GET_DUMPABLE",
                           "GET_MDWE", "GET_MDWE 1"}));
      case 9:
        return absl::StrCat("userfaultfd ", Any({"2", "6", "3"}));
      case 10:
        user_ = true;
        return absl::StrCat("setuid ",
                            Any({"0", "1000", "1001", "0xffffffff"}));
      case 11:
        return absl::StrCat("getrlimit ", Any({"MEMLOCK", "AS", "DATA", "77"}));
      case 12:
        return MergeText();
      default:
        return LimitText();
    }
  }

  // Near what the process has, or none.
  std::string LimitText() {
    const std::string hard = OneIn(4) ? "" : " 0xffffffffffffffff";
    switch (Below(6)) {
      case 5:
        // Root is exempt. The hard one that it has is the kernel's own affair.
        return absl::StrCat("setrlimit NPROC ", Below(5), " ",
                            OneIn(3) ? "0xffffffffffffffff" : "64");
      case 0:
        // Not the hard one: the runner lifts it for the vector of mincore.
        return absl::StrCat("setrlimit AS ", 40 + Below(400),
                            "p 0xffffffffffffffff");
      case 1:
        return absl::StrCat("setrlimit DATA ", Below(80), "p+", Below(kPage),
                            hard);
      case 2:
        return absl::StrCat("setrlimit STACK ", 30 + Below(60), "p", hard);
      case 3:
        // What may be raised again later needs a capability.
        return absl::StrCat("setrlimit MEMLOCK ", Below(60), "p",
                            OneIn(8) ? hard : " 60p");
      default:
        return absl::StrCat("setrlimit ", Any({"AS", "DATA", "STACK"}),
                            " 0xffffffffffffffff");
    }
  }

  std::string SyncFlags() {
    if (OneIn(30)) return Any({"0x8", "SYNC|0x100"});
    return Any(
        {"SYNC", "ASYNC", "INVALIDATE", "SYNC|INVALIDATE", "ASYNC|SYNC", "0"});
  }

  std::string SealText() {
    const uint64_t file = OneIn(6) ? Below(kFiles) : kMemfd;
    if (OneIn(4)) return absl::StrCat("get_seals ", file);
    return absl::StrCat(
        "add_seals ", file, " ",
        Any({"SHRINK", "GROW", "WRITE", "WRITE", "FUTURE_WRITE", "FUTURE_WRITE",
             "SHRINK|GROW", "EXEC", "SEAL", "0", "0x40"}));
  }

  // What splits a large folio of a file, and what leaves it as it is.
  std::string HugeFileText() {
    const uint64_t file = Below(2);
    const uint64_t page = OneIn(3) ? 512 * Below(3) : Below(kHugeFilePages);
    const std::string at = absl::StrCat(" ", page, OneIn(4) ? "p+77" : "p");
    switch (Below(7)) {
      case 0:
        return absl::StrCat("ftruncate ", file, at);
      case 1:
        return absl::StrCat("pread ", file, at);
      case 2:
      case 3:
        return absl::StrCat("pwrite ", file, at, " ", Below(256));
      default:
        return absl::StrCat("fallocate ", file, " ",
                            Any({"0", "KEEP_SIZE", "PUNCH_HOLE|KEEP_SIZE",
                                 "PUNCH_HOLE|KEEP_SIZE"}),
                            at, " ", Near());
    }
  }

  std::string FileText() {
    if (huge_) return HugeFileText();
    if (OneIn(14)) return SealText();
    const uint64_t file = AnyFile();
    switch (Below(10)) {
      case 9:
        if (OneIn(2)) return absl::StrCat("fdatasync ", file);
        return absl::StrCat("fadvise ", file, " ", Below(40), "p ", Near(), " ",
                            Any({"NORMAL", "RANDOM", "SEQUENTIAL", "WILLNEED",
                                 "DONTNEED", "NOREUSE", "6"}));
      case 8:
        return absl::StrCat(
            "fallocate ", OneIn(4) && !options_.on_disk ? file : kMemfd, " ",
            Any({"0", "KEEP_SIZE", "PUNCH_HOLE|KEEP_SIZE",
                 "PUNCH_HOLE|KEEP_SIZE", "PUNCH_HOLE", "ZERO_RANGE", "0x100"}),
            " ", Below(28), "p", OneIn(3) ? "+77 " : " ",
            OneIn(20) ? "0" : Near());
      case 0:
      case 1:
        return absl::StrCat("ftruncate ", options_.on_disk ? kMemfd : file, " ",
                            Below(40), "p+", OneIn(2) ? 0 : Below(kPage));
      case 2:
        return absl::StrCat("fsync ", file);
      case 3:
      case 4:
        return absl::StrCat("pread ", file, " ", Below(40 * kPage));
      default:
        return absl::StrCat("pwrite ", file, " ",
                            Below((options_.on_disk ? 7 : 36) * kPage), " ",
                            Below(256));
    }
  }

  const ScriptOptions& options_;
  const Weights weights_;
  const bool huge_ = options_.profile == ScriptProfile::kHuge;
  Prng prng_;
  std::vector<std::string> lines_;
  uint64_t labels_ = 0;
  int processes_ = 1;
  bool large_file_ = false;
  // The answers of mincore and get_mempolicy need memory, which a user who has
  // locked it all cannot have.
  bool user_ = false;          // some process is not root's
  bool locks_future_ = false;  // some process called mlockall(MCL_FUTURE)
};

}  // namespace

const char* NameOf(ScriptProfile profile) { return Find(profile).name; }

std::optional<ScriptProfile> ScriptProfileOf(const std::string& name) {
  for (const NamedProfile& named : kProfiles) {
    if (name == named.name) return named.profile;
  }
  return std::nullopt;
}

std::vector<ScriptProfile> AllScriptProfiles() {
  std::vector<ScriptProfile> all;
  for (const NamedProfile& named : kProfiles) all.push_back(named.profile);
  return all;
}

std::vector<std::string> GenerateScript(const ScriptOptions& options) {
  return Generator(options).Lines();
}

}  // namespace faultline::native

// The names that scenario lines use for flags, advice, errno and signals, with
// the numbers that Linux gives them on x86. Written out here rather than taken
// from <sys/mman.h>, because those names are macros and the host's may differ.

#ifndef FAULTLINE_SERVER_SCENARIO_NAMES_H_
#define FAULTLINE_SERVER_SCENARIO_NAMES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace faultline::scenario {

struct NamedValue {
  const char* name;
  uint64_t value;
};

// A table of names of one kind. The first name of a value is its usual one;
// the others are aliases.
class NameTable {
 public:
  NameTable(const char* what, std::vector<NamedValue> entries)
      : what_(what), entries_(std::move(entries)) {}

  // What the names are, for messages: "mmap flag".
  const char* what() const { return what_; }
  std::optional<uint64_t> Find(absl::string_view name) const;
  // The usual name of a value, or nullptr.
  const char* NameOf(uint64_t value) const;
  std::vector<std::string> Names() const;

 private:
  const char* what_;
  std::vector<NamedValue> entries_;
};

// MAP_, MREMAP_, MADV_, MS_, MLOCK_ and MCL_ names without their prefix.
const NameTable& MmapFlags();
const NameTable& MremapFlags();
const NameTable& MadviseAdvice();
const NameTable& MsyncFlags();
const NameTable& Mlock2Flags();
const NameTable& MlockallFlags();
const NameTable& FallocateModes();
const NameTable& SealNames();
const NameTable& CloneFlags();
const NameTable& PrctlOptions();    // without PR_ and PR_SET_
const NameTable& ResourceNames();   // of setrlimit, without RLIMIT_
const NameTable& SlabFlags();       // without SLAB_
const NameTable& FadviseAdvice();   // without POSIX_FADV_
const NameTable& MempolicyModes();  // without MPOL_ and MPOL_F_
const NameTable& MbindFlags();      // without MPOL_MF_
const NameTable& MempolicyFlags();  // of get_mempolicy, without MPOL_F_
const NameTable& PolicyNames();     // the numbers of the contract
// Errno values ("ENOMEM") and signals ("SIGSEGV").
const NameTable& ErrnoNames();
const NameTable& SignalNames();
// si_code values of SIGSEGV and SIGBUS ("MAPERR", "BUS_ADRERR").
const NameTable& SignalCodes();
// GFP_ and __GFP_ names without their prefix; the values are only ordinals,
// since a gfp mask is no part of any ABI.
const NameTable& GfpNames();
// Knobs of /proc/sys/vm that a boot line or a sysctl line may set.
const std::vector<std::string>& SysctlNames();

inline constexpr uint64_t kProtRead = 1;
inline constexpr uint64_t kProtWrite = 2;
inline constexpr uint64_t kProtExec = 4;
inline constexpr uint64_t kProtGrowsDown = 0x01000000;
inline constexpr uint64_t kProtGrowsUp = 0x02000000;
inline constexpr uint64_t kMapAnonymous = 0x20;

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_NAMES_H_

// Compares two runs of one scenario, given as JSON lines, and says where they
// first differ. After one difference everything cascades, so the first is the
// one to look at.

#ifndef FAULTLINE_TESTS_NATIVE_COMPARE_H_
#define FAULTLINE_TESTS_NATIVE_COMPARE_H_

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

namespace faultline::native {

// What may be compared. Each line's kind and order, skips and deaths always
// are.
enum class CompareField : uint32_t {
  kRet = 1 << 0,     // ret, child, exited.
  kErr = 1 << 1,     // err.
  kSig = 1 << 2,     // sig, code, addr, fetchfault.
  kVal = 1 << 3,     // val, vec.
  kFaults = 1 << 4,  // min, maj, cmin, cmaj.
  kMaps = 1 << 5,
  kSmaps = 1 << 6,
  kPm = 1 << 7,  // Without the kpageflags that depend on per-CPU batches.
  kStatus = 1 << 8,
};

// Names as --fields has them: "ret", "err", "sig", "val", "faults", "maps",
// "smaps", "pm", "status".
struct NamedCompareField {
  const char* name;
  CompareField field;
};
const std::vector<NamedCompareField>& CompareFieldNames();

// Parses "ret,err,maps"; nothing, and a message, for a name it does not know.
std::optional<uint32_t> ParseCompareFields(const std::string& names,
                                           std::string* error);

enum class Side { kNone, kA, kB };

// A difference that is expected: `where` and `field` as Difference has them.
struct KnownDifference {
  std::string where;
  std::string field;
};

struct CompareOptions {
  uint32_t fields = ~uint32_t{0};
  // The side on which `native` ran. There status counts its hidden page, which
  // is taken out before status is compared; VmPeak remembers the image that it
  // started from, below which no peak is compared; and a fetch executes what it
  // fetched: its signal counts as none when the fetch itself went well, because
  // a simulated machine executes nothing.
  Side hidden_page = Side::kNone;
  // The simulated machine has such a page as well: nothing is taken out.
  bool hidden_on_both = false;
  // These are passed over, each with what is left of its line.
  std::vector<KnownDifference> known;
};

struct Difference {
  int line_a = 0;  // 1-based; 0: that run has ended.
  int line_b = 0;
  std::string where;  // "op 37 (@0 read $r1)" or "dump 80 of process 1".
  std::string field;  // "ret", "smaps 10017000-10019000 Private_Dirty".
  std::string a;      // What each side has; "nothing" when it has none.
  std::string b;

  // One line for a person.
  std::string Text() const;
};

struct CompareResult {
  int lines_equal = 0;  // Before the first difference.
  std::optional<Difference> difference;
  // Those of `known` that were not met.
  std::vector<KnownDifference> known_gone;
};

// Lines that hold none of the chosen fields, as dumps may, must still be in
// both runs, except that dumps are passed over when no part of a dump is
// chosen.
CompareResult CompareRuns(std::istream& a, std::istream& b,
                          const CompareOptions& options);

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_COMPARE_H_

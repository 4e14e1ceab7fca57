// Runs one scenario on the real kernel and on a simulated machine, and says
// where they first differ.

#ifndef FAULTLINE_TESTS_NATIVE_CONFORMANCE_H_
#define FAULTLINE_TESTS_NATIVE_CONFORMANCE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/native/compare.h"
#include "tests/native/real_kernel.h"

namespace faultline::native {

// How often what differs is asked again, until it agrees or differs in the same
// way so many times in a row. A simulated machine answers the same every time,
// so what differs once and then agrees is the kernel not agreeing with itself:
// something outside the script had a hand in it (DAMON takes accessed bits from
// pages it samples, a processor marks an entry that it only walked ahead of the
// program).
constexpr int kRepeatTries = 24;
constexpr int kInARow = 8;

// What kind of operation a line is: its word, and of a call that does very
// different things the word that says which ("madvise FREE", "prctl MDWE").
std::string KindOf(const std::string& line);

struct KindCount {
  uint64_t operations = 0;
  uint64_t succeeded = 0;  // neither an errno nor a signal
};

struct Conformance {
  int operations = 0;  // compared: up to and with the first that differs
  std::map<std::string, KindCount> kinds;  // of those
  std::optional<Difference> difference;
  std::string problem;  // the script cannot be run; then nothing was compared
};

struct ConformanceOptions {
  bool verify = false;   // Machine::Verify() after each command
  bool on_disk = false;  // the files of the scripts
};

Conformance RunBoth(RealKernel& kernel, const std::vector<std::string>& lines,
                    const ConformanceOptions& options);

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_CONFORMANCE_H_

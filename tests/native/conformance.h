// Runs one scenario on the real kernel and on a simulated machine, and says
// where they first differ.

#ifndef FAULTLINE_TESTS_NATIVE_CONFORMANCE_H_
#define FAULTLINE_TESTS_NATIVE_CONFORMANCE_H_

#include <optional>
#include <string>
#include <vector>

#include "tests/native/compare.h"

namespace faultline::native {

struct Conformance {
  int operations = 0;  // compared: up to and with the first that differs
  std::optional<Difference> difference;
  std::string problem;  // the script cannot be run; then nothing was compared
};

struct ConformanceOptions {
  bool verify = false;  // Machine::Verify() after each command
  std::string files;    // as NativeRunner's
};

// REQUIRES: root, and that this process may trace its children.
Conformance RunBoth(const std::vector<std::string>& lines,
                    const ConformanceOptions& options);

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_CONFORMANCE_H_

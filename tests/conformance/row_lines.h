// The short forms in which rows are written, as lines of the scenario language.

#ifndef FAULTLINE_TESTS_CONFORMANCE_ROW_LINES_H_
#define FAULTLINE_TESTS_CONFORMANCE_ROW_LINES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace faultline::conformance {

// The scenario lines of one line of a row, with what is expected of it; and
// how many expectations these are.
struct ExpandedLines {
  std::vector<std::string> lines;
  int assertions = 0;
};

absl::StatusOr<ExpandedLines> ExpandRowLine(absl::string_view line);

}  // namespace faultline::conformance

#endif  // FAULTLINE_TESTS_CONFORMANCE_ROW_LINES_H_

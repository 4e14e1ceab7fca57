// Every row of tests/conformance on a simulated machine and on the real
// kernel, which judges the rows as well.

#ifndef FAULTLINE_TESTS_NATIVE_SCOREBOARD_H_
#define FAULTLINE_TESTS_NATIVE_SCOREBOARD_H_

#include <ostream>
#include <string>
#include <vector>

#include "tests/conformance/rows.h"
#include "tests/native/real_kernel.h"

namespace faultline::native {

struct ScoreboardOptions {
  // Only rows whose family/name contains this.
  std::string only;
  RealKernel* kernel = nullptr;
  // The cases of the lists, which are told after the rows when none was left
  // out.
  std::vector<conformance::Case> cases;
};

// Prints a line for each row, then one for each case, then the totals. True
// when no row failed on either side and both sides did the same in everything
// that a run prints.
bool PrintScoreboard(const std::vector<conformance::Row>& rows,
                     const ScoreboardOptions& options, std::ostream& out);

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_SCOREBOARD_H_

// Runs a row on a simulated machine.

#ifndef FAULTLINE_TESTS_CONFORMANCE_RUN_ROW_H_
#define FAULTLINE_TESTS_CONFORMANCE_RUN_ROW_H_

#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "server/scenario/script.h"
#include "tests/conformance/rows.h"
#include "tests/scenarios/with_hidden_page.h"

namespace faultline::conformance {

// The row's scenario, with a dump of everything at its end.
std::string TextOf(const Row& row);
absl::StatusOr<scenario::Script> ScriptOf(const Row& row);

// What the machine, verified after every command and like `kernel` where the
// row does not say, did otherwise than the row claims; empty: nothing. Writes
// the run's JSON lines.
std::string RunHere(const scenario::Script& script,
                    const scenarios::KernelFacts& kernel, std::ostream& out);

}  // namespace faultline::conformance

#endif  // FAULTLINE_TESTS_CONFORMANCE_RUN_ROW_H_

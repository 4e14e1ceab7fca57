// Where recordings are known to differ from what the machine does, and why:
// recorded/departures.txt. One that goes away fails until it is taken out.

#ifndef FAULTLINE_TESTS_SCENARIOS_KNOWN_DEPARTURES_H_
#define FAULTLINE_TESTS_SCENARIOS_KNOWN_DEPARTURES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/native/compare.h"

namespace faultline::scenarios {

// By the recording's name.
using KnownDepartures =
    std::map<std::string, std::vector<native::KnownDifference>>;

// A file of paragraphs: lines that begin with "# " are a reason, those below
// them, "RECORDING | WHERE | FIELD", differ for it. INVALID_ARGUMENT: a line is
// neither, or has no reason.
absl::StatusOr<KnownDepartures> ParseDepartures(const std::string& text);

}  // namespace faultline::scenarios

#endif  // FAULTLINE_TESTS_SCENARIOS_KNOWN_DEPARTURES_H_

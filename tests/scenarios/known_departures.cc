#include "tests/scenarios/known_departures.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace faultline::scenarios {

absl::StatusOr<KnownDepartures> ParseDepartures(const std::string& text) {
  KnownDepartures departures;
  bool reason = false;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) {
      reason = false;
      continue;
    }
    if (line[0] == '#') {
      reason = true;
      continue;
    }
    const std::vector<std::string> parts = absl::StrSplit(line, " | ");
    if (parts.size() != 3 || !reason) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number,
                       ": a '# reason' and below it 'RECORDING | WHERE | "
                       "FIELD' are expected"));
    }
    departures[parts[0]].push_back({parts[1], parts[2]});
  }
  return departures;
}

}  // namespace faultline::scenarios

// Decides whether an `expect` line holds. Shared by the runners, so that a
// scenario expects the same of a simulated machine and of the real kernel.

#ifndef FAULTLINE_SERVER_SCENARIO_EXPECT_H_
#define FAULTLINE_SERVER_SCENARIO_EXPECT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/scenario/json_lines.h"
#include "server/scenario/script.h"

namespace faultline::scenario {

// Where the state comes from that an expectation asks about, for the process
// of the expect line.
struct StateSource {
  // "vmas", "status.VmRSS", "meminfo.MemFree", "vmstat.pgfault".
  std::function<absl::StatusOr<uint64_t>(absl::string_view subject)> number;
  // A /proc file.
  std::function<absl::StatusOr<std::string>(const std::string& path)> text;
  // The entry of a page in the process's pagemap.
  std::function<absl::StatusOr<uint64_t>(uint64_t vpn)> page;
};

// OK when it holds. FAILED_PRECONDITION says what was expected and what was
// found; any other code means that the question could not be answered.
// `last` is the result of the last numbered op.
absl::Status CheckExpectation(const Op& op, const OpResult& last,
                              const SymbolLookup& lookup,
                              const StateSource& state);

// The value of FIELD in lines such as "VmRSS:   12 kB" or "pgfault 12", as
// status, meminfo and vmstat have them. NOT_FOUND when there is no such line.
absl::StatusOr<uint64_t> NumberFromProcText(absl::string_view text,
                                            absl::string_view field);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_EXPECT_H_

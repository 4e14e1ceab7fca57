// What a unary Access costs a client, the journal on, against an empty service.
//
// Ours is `faultline serve` as it comes: a process of its own, its default
// durability, a data directory on the disk that $TMPDIR names. The reference is
// bench_echo: a process of its own with the same gRPC library, the same
// settings and the same messages, that does nothing. Both are asked in turn by
// the same clients in this process, each with a connection of its own and one
// call in flight, as the client library makes it: with a deadline and a new
// request_id. Wall time of all calls over their number.

#ifndef FAULTLINE_TESTS_BENCH_SERVICE_ACCESS_H_
#define FAULTLINE_TESTS_BENCH_SERVICE_ACCESS_H_

#include <optional>
#include <vector>

#include "tests/bench/comparison.h"

namespace faultline::bench {

struct AccessMeasurement {
  const char* name;
  int clients;
  bool own_sessions;  // each client has one; else all share one
  bool fresh_pages;   // each call touches its page for the first time
  // Of the empty service's time, how much we may take.
  std::optional<double> wanted;
};

// All of them; names are unique.
const std::vector<AccessMeasurement>& AccessMeasurements();

Comparison Compare(const AccessMeasurement& measurement,
                   const ComparisonLimits& limits);

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_SERVICE_ACCESS_H_

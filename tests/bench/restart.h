// How long a server takes from its start until it answers, with 10,000 sessions
// in its data directory.
//
// Each session has a command in its journal. The server before was killed and
// not stopped, so that it finds its write-ahead log as a crash leaves it. Ours
// is the time from starting the process to its answer to GetSession; the
// reference is the same of a server with one session.

#ifndef FAULTLINE_TESTS_BENCH_RESTART_H_
#define FAULTLINE_TESTS_BENCH_RESTART_H_

#include "tests/bench/comparison.h"

namespace faultline::bench {

inline constexpr char kRestartName[] = "restart_10000_sessions";

Comparison CompareRestart(const ComparisonLimits& limits);

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_RESTART_H_

// What it costs the driver of a session that others watch it.
//
// One client drives with one unary call after the other, each of which is a
// fault; a thousand watch, over connections of their own, with the commands and
// the events of faults. Ours is the driver's time per call in the session that
// is watched. The reference is that in a session of another server, which
// nobody watches; the watched server is stopped meanwhile, because it still has
// to tell of what was done before: all watchers share kWatchBytesPerSecond
// (server/limits.h), and one that cannot keep up is told later.
//
// The watchers live in this process: that they read takes of the same CPUs, and
// counts.

#ifndef FAULTLINE_TESTS_BENCH_WATCHERS_H_
#define FAULTLINE_TESTS_BENCH_WATCHERS_H_

#include "tests/bench/comparison.h"

namespace faultline::bench {

inline constexpr char kWatchersName[] = "watchers_1000";

Comparison CompareWatchers(const ComparisonLimits& limits);

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_WATCHERS_H_

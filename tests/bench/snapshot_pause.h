// How long a session stands still while a snapshot of it is taken and written.
//
// The machine has 1 GiB resident: 262,144 pages with contents, all different,
// and all written since the snapshot before, so that none of them is known. One
// client drives with one unary store after the other until another client's
// CreateSnapshot is answered. Ours is the longest of these calls. The reference
// is the longest of as many calls without a snapshot: what the computer that
// this runs on does to any call. Both are medians over the rounds.

#ifndef FAULTLINE_TESTS_BENCH_SNAPSHOT_PAUSE_H_
#define FAULTLINE_TESTS_BENCH_SNAPSHOT_PAUSE_H_

#include "tests/bench/comparison.h"

namespace faultline::bench {

inline constexpr char kSnapshotPauseName[] = "snapshot_pause_1gib";

Comparison CompareSnapshotPause(const ComparisonLimits& limits);

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_SNAPSHOT_PAUSE_H_

// What a session feels of a snapshot that is taken of it.
//
// The machine has 1 GiB resident: 262,144 pages with contents, all different,
// and all written since the snapshot before, so that none of them is known. One
// client drives with one unary store after the other until another client's
// CreateSnapshot is answered.
//
// snapshot_pause_1gib: for how long the session stood still, as that answer
// says; the reference is one of the calls. snapshot_longest_call_1gib: the
// longest of the calls; the reference is the longest of as many without a
// snapshot, which is what the computer that this runs on does to any call:
// where the kernel cannot be interrupted, that is milliseconds. All are medians
// over the rounds.

#ifndef FAULTLINE_TESTS_BENCH_SNAPSHOT_PAUSE_H_
#define FAULTLINE_TESTS_BENCH_SNAPSHOT_PAUSE_H_

#include "tests/bench/comparison.h"

namespace faultline::bench {

inline constexpr char kSnapshotPauseName[] = "snapshot_pause_1gib";
inline constexpr char kSnapshotLongestCallName[] = "snapshot_longest_call_1gib";

Comparison CompareSnapshotPause(const ComparisonLimits& limits);
Comparison CompareSnapshotLongestCall(const ComparisonLimits& limits);

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_SNAPSHOT_PAUSE_H_

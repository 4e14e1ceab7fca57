// What an access costs in a batch: MachineService.Run with AccessMany.
//
// An access is a load or a store of one byte at a random address of 1 MiB that
// has been touched before, so that the simulated TLB holds it; a third of them
// are stores. 16384 of them are a command, four commands a batch, four batches
// are on their way at a time. No events are asked for, the answers are packed.
// A client in this process sends the batches with client::Runner; wall time of
// all over the number of accesses.
//
// Ours is `faultline serve` as it comes: a process of its own, its default
// durability, a data directory on the disk that $TMPDIR names. It is compared
// with
//   run_accesses          bench_run_echo: the same gRPC library, settings and
//                         messages, and nothing behind them
//   run_accesses_journal  `faultline serve` that keeps its journal in memory

#ifndef FAULTLINE_TESTS_BENCH_RUN_ACCESSES_H_
#define FAULTLINE_TESTS_BENCH_RUN_ACCESSES_H_

#include <optional>
#include <vector>

#include "tests/bench/comparison.h"

namespace faultline::bench {

enum class RunReference { kEcho, kInMemory };

struct RunMeasurement {
  const char* name;
  RunReference reference;
  // Of the reference's time, how much we may take.
  std::optional<double> wanted;
};

// All of them; names are unique.
const std::vector<RunMeasurement>& RunMeasurements();

Comparison Compare(const RunMeasurement& measurement,
                   const ComparisonLimits& limits);

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_RUN_ACCESSES_H_

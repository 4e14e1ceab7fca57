// A benchmark has nothing to say once a call of its own has failed.

#ifndef FAULTLINE_TESTS_BENCH_OR_DIE_H_
#define FAULTLINE_TESTS_BENCH_OR_DIE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/service_process.h"

namespace faultline::bench {

inline void Check(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}

template <class T>
T OrDie(absl::StatusOr<T> value) {
  Check(value.status());
  return *std::move(value);
}

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_OR_DIE_H_

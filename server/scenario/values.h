// The expressions of one op, evaluated for a command.
#ifndef FAULTLINE_SERVER_SCENARIO_VALUES_H_
#define FAULTLINE_SERVER_SCENARIO_VALUES_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/scenario/expr.h"

namespace faultline::scenario {

// The expressions of one op, evaluated. Keeps the first failure.
class Values {
 public:
  explicit Values(const SymbolLookup& lookup) : lookup_(lookup) {}

  uint64_t Of(const Expr& expr, uint64_t when_empty = 0) {
    if (expr.empty()) return when_empty;
    absl::StatusOr<uint64_t> value = Evaluate(expr, lookup_);
    if (value.ok()) return *value;
    if (status_.ok()) status_ = value.status();
    return 0;
  }
  const absl::Status& status() const { return status_; }

 private:
  const SymbolLookup& lookup_;
  absl::Status status_;
};

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_VALUES_H_

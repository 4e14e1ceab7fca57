// A machine in this process that is verified after every command: what it
// should not be in, no scenario may bring it into.

#ifndef FAULTLINE_TESTS_SCENARIOS_VERIFIED_MACHINE_H_
#define FAULTLINE_TESTS_SCENARIOS_VERIFIED_MACHINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "faultline/v1/session.pb.h"
#include "server/scenario/target.h"

namespace faultline::scenarios {

enum class Verification { kAfterEveryCommand, kNone };

// A command after which an invariant does not hold fails with INTERNAL and the
// first broken one.
absl::StatusOr<std::unique_ptr<scenario::Target>> MakeMachine(
    const v1::MachineConfig& config, Verification verification);

}  // namespace faultline::scenarios

#endif  // FAULTLINE_TESTS_SCENARIOS_VERIFIED_MACHINE_H_

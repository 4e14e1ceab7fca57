// A machine in this process, for `faultline run` without a server.
#ifndef FAULTLINE_SERVER_LOCAL_MACHINE_H_
#define FAULTLINE_SERVER_LOCAL_MACHINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "faultline/v1/session.pb.h"
#include "server/scenario/target.h"

namespace faultline {

// INVALID_ARGUMENT for a configuration that a server would refuse as well.
absl::StatusOr<std::unique_ptr<scenario::Target>> MakeLocalMachine(
    const v1::MachineConfig& config);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_LOCAL_MACHINE_H_

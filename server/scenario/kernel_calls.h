// The lines that the kernel or the administrator of a machine says, as
// commands.
#ifndef FAULTLINE_SERVER_SCENARIO_KERNEL_CALLS_H_
#define FAULTLINE_SERVER_SCENARIO_KERNEL_CALLS_H_

#include "faultline/v1/command.pb.h"
#include "server/scenario/script.h"
#include "server/scenario/values.h"

namespace faultline::scenario {

// Each fills the command and is true, or leaves another kind of line alone.

// Pages, slabs, vmalloc, kmap, and accesses of the kernel's.
bool FillKernelCall(const Op& op, Values& values, v1::Command* command);
// Time, swap, caches, modules, devices, replacement policies.
bool FillAdministration(const Op& op, Values& values, v1::Command* command);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_KERNEL_CALLS_H_

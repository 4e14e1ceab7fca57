// The entry of every call: argument checks that come before mm/, and what the
// call's result is made of.
#ifndef FAULTLINE_SERVER_MACHINE_SYSCALLS_SYSCALLS_H_
#define FAULTLINE_SERVER_MACHINE_SYSCALLS_SYSCALLS_H_

#include "server/machine/command.h"
#include "server/machine/kernel.h"
#include "server/machine/outcome.h"

namespace faultline {

// Runs one operation of the task `k.current` (none: administration) and
// fills in value, error, signal, accesses, faulted and data.
void DoSyscall(Kernel& k, const Operation& op, Outcome* out);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_SYSCALLS_SYSCALLS_H_

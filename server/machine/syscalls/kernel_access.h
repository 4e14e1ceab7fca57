// Loads and stores at the kernel's own addresses.
#ifndef FAULTLINE_SERVER_MACHINE_SYSCALLS_KERNEL_ACCESS_H_
#define FAULTLINE_SERVER_MACHINE_SYSCALLS_KERNEL_ACCESS_H_

#include <cstdint>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"
#include "server/machine/outcome.h"

namespace faultline {

// The byte that was read last. EFAULT, with what the kernel writes to its log:
// nothing is mapped there, or it may not be stored to (departure D44). What was
// done before stays done, and is counted in out->accesses.
ErrnoOr<uint64_t> DoKernelAccess(Kernel& k, const KernelAccess& call,
                                 Outcome* out);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_SYSCALLS_KERNEL_ACCESS_H_

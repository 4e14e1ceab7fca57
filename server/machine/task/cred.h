// Who a process is, and what it may therefore do to others. Models
// include/linux/cred.h; a task has one uid, and 0 has the capabilities of
// kernel.cap_bound: all, unless the machine was booted with fewer, as a
// container's root has them.
#ifndef FAULTLINE_SERVER_MACHINE_TASK_CRED_H_
#define FAULTLINE_SERVER_MACHINE_TASK_CRED_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// setuid(2)
Errno DoSetuid(Kernel& k, uint32_t uid);

// mm_access(PTRACE_MODE_READ): the target's mm, if the current task may look
// into it. ESRCH: it has none any more; EACCES.
ErrnoOr<Id<Mm>> MmAccess(const Kernel& k, const Task& target);

// prctl(2) of what concerns memory.
ErrnoOr<uint64_t> DoPrctl(Kernel& k, int32_t option, uint64_t arg);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_CRED_H_

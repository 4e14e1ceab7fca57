// process_madvise.
#ifndef FAULTLINE_SERVER_MACHINE_SYSCALLS_PROCESS_MADVISE_H_
#define FAULTLINE_SERVER_MACHINE_SYSCALLS_PROCESS_MADVISE_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// process_madvise(2): the bytes advised before the first failure, or its
// errno when there were none. EINVAL, EFAULT, EBADF, ESRCH, EACCES, EPERM.
ErrnoOr<uint64_t> DoProcessMadvise(Kernel& k, const ProcessMadvise& call);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_SYSCALLS_PROCESS_MADVISE_H_

// Accesses from user mode, one byte each: the loops behind Access and
// AccessMany.
#ifndef FAULTLINE_SERVER_MACHINE_SYSCALLS_ACCESS_H_
#define FAULTLINE_SERVER_MACHINE_SYSCALLS_ACCESS_H_

#include <cstdint>

#include "server/machine/command.h"
#include "server/machine/kernel.h"
#include "server/machine/outcome.h"

namespace faultline {

// Both act for the current task, stop at the first access that is signalled,
// fill in signal and accesses (and faulted, data), and return the byte that was
// read last.
ErrnoOr<uint64_t> DoAccess(Kernel& k, const Access& access, Outcome* out);
ErrnoOr<uint64_t> DoAccessMany(Kernel& k, const AccessMany& many, Outcome* out);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_SYSCALLS_ACCESS_H_

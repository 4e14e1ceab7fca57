// execve of an ELF image, and the bare process that a machine boots with.
#ifndef FAULTLINE_SERVER_MACHINE_TASK_EXEC_H_
#define FAULTLINE_SERVER_MACHINE_TASK_EXEC_H_

#include "server/machine/command.h"
#include "server/machine/kernel.h"

namespace faultline {

// do_execveat_common(): replaces the current task's address space. ENOENT,
// EACCES, ENOEXEC, ELIBBAD, ENOMEM, E2BIG; after the point of no return a
// failure kills the process, as in Linux.
Errno DoExecve(Kernel& k, const Execve& call);

// Process 1 at boot: a stack of 132 KiB with its top page present, a break
// just above where a PIE would stand, and nothing else.
void BootInit(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_EXEC_H_

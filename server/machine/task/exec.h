// execve of an ELF image, and the bare process that a machine boots with.
#ifndef FAULTLINE_SERVER_MACHINE_TASK_EXEC_H_
#define FAULTLINE_SERVER_MACHINE_TASK_EXEC_H_

#include <string>

#include "server/machine/command.h"
#include "server/machine/kernel.h"

namespace faultline {

// open_exec(): the file of that name, if it may be executed. ENOENT, EACCES,
// ETXTBSY.
ErrnoOr<Id<Inode>> OpenExec(Kernel& k, const std::string& path);

// do_execveat_common(): replaces the current task's address space. What
// OpenExec() says comes before E2BIG, and that before ENOEXEC, ELOOP, ELIBBAD
// and ENOMEM; after the point of no return a failure kills the process.
Errno DoExecve(Kernel& k, const Execve& call);

// Process 1 at boot: a stack of 132 KiB with its top page present, a break
// just above where a PIE would stand, and nothing else.
void BootInit(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_EXEC_H_

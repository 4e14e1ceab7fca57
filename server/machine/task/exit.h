// The end of tasks, and the waiting for it.
#ifndef FAULTLINE_SERVER_MACHINE_TASK_EXIT_H_
#define FAULTLINE_SERVER_MACHINE_TASK_EXIT_H_

#include <string>

#include "server/machine/kernel.h"
#include "server/machine/outcome.h"

namespace faultline {

// do_exit(): `code` as wait4 reports it. Gives memory and files back; the
// task stays a zombie until its parent has waited for it.
void DoExit(Kernel& k, Task& task, int32_t code);
// do_group_exit(): every thread of the process.
void DoGroupExit(Kernel& k, Task& task, int32_t code);
// A fatal signal without a core: the thread group ends with it.
void KillTask(Kernel& k, Task& task, int32_t signal);
// Ends the victims of the OOM killer that had to live until the command is
// done. Was this one among them?
bool KillOomVictims(Kernel& k, Pid pid);
// What ends them: SIGKILL from the kernel (SI_KERNEL).
inline constexpr SignalInfo kOomKilled{9, 128, 0};
// release_task(): the zombie is gone.
void ReleaseTask(Kernel& k, Pid pid);
// kill(2)
Errno DoKill(Kernel& k, Pid target, int32_t signal);
// wait4(2) with WNOHANG: a machine never blocks. The child's pid, 0 when none
// has ended, or ECHILD; *status receives the 4 bytes of its status.
ErrnoOr<uint64_t> DoWait(Kernel& k, int64_t pid, std::string* status);

// list_add_tail(&task->sibling, &parent->children): the place of who becomes a
// child of the process now.
uint64_t NextSibling(const Kernel& k, Pid parent);

// exit_mm(): the task gives its address space up; somebody else who has it
// becomes its owner.
void ExitMm(Kernel& k, Task& task);
// mmput(), put_files_struct()
void MmPut(Kernel& k, Id<Mm> mm);
void FilesPut(Kernel& k, Id<Files> files);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_EXIT_H_

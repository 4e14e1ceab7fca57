// fork, vfork and clone.
#ifndef FAULTLINE_SERVER_MACHINE_TASK_FORK_H_
#define FAULTLINE_SERVER_MACHINE_TASK_FORK_H_

#include "server/machine/kernel.h"

namespace faultline {

// kernel_clone() of the current task with CLONE_* flags; the low byte is the
// exit signal. Returns the child's pid.
ErrnoOr<uint64_t> DoClone(Kernel& k, uint64_t flags);

// A new address space with empty page tables, not yet anybody's.
// mm_alloc(); an empty id: no memory.
Id<Mm> MmAlloc(Kernel& k);
// Chooses where mappings go. arch_pick_mmap_layout()
void PickMmapLayout(Kernel& k, Mm& mm, const Task& task);
// A task with the next free pid.
Task& NewTask(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_FORK_H_

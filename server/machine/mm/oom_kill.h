// Who dies when no page can be had.
#ifndef FAULTLINE_SERVER_MACHINE_MM_OOM_KILL_H_
#define FAULTLINE_SERVER_MACHINE_MM_OOM_KILL_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// oom_badness(): pages of RSS, swap and page tables, adjusted by
// oom_score_adj. The task has an address space.
int64_t OomBadness(const Kernel& k, const Task& task);

// select_bad_process(): the running task with the highest badness, the later
// one of equals; none when nobody may be killed.
Id<Task> SelectBadProcess(const Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_OOM_KILL_H_

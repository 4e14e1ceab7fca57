// Who dies when no page can be had. The victim's memory is free at once: it
// ends within the allocation, unless the command itself is at work on its
// memory; then it ends with the command.
#ifndef FAULTLINE_SERVER_MACHINE_MM_OOM_KILL_H_
#define FAULTLINE_SERVER_MACHINE_MM_OOM_KILL_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

inline constexpr int32_t kOomScoreAdjMin = -1000;
inline constexpr int32_t kOomScoreAdjMax = 1000;

// struct oom_control: the request that could not be served.
struct OomControl {
  uint32_t gfp = 0;
  int order = 0;
};

// totalpages of oom_badness(): memory and swap.
uint64_t OomTotalPages(const Kernel& k);
// oom_badness(): pages of RSS, swap and page tables, adjusted by
// oom_score_adj; INT64_MIN of a task that must not be killed (process 1, one
// with the least oom_score_adj, a child of vfork that has not called execve).
// The task has an address space.
inline constexpr int64_t kOomUnkillable = INT64_MIN;
int64_t OomBadness(const Kernel& k, const Task& task);

// select_bad_process(): the current one if it swaps off; else the running
// process with the highest badness, the later one of equals; none when nobody
// may be killed.
Id<Task> SelectBadProcess(const Kernel& k);

// Does it, which has the victim's memory as well, go with it? Process 1 stays.
bool DiesWith(const Task& task, const Task& victim);

// tsk_is_oom_victim(): it is to die, and until then the reserves of
// ALLOC_OOM are its own.
bool TskIsOomVictim(const Kernel& k, const Task& task);
inline bool CurrentIsOomVictim(const Kernel& k) {
  return !k.oom_victims.empty() && k.current &&
         TskIsOomVictim(k, k.tasks[k.current]);
}

// out_of_memory(): the report goes to the log, and somebody is killed. True:
// memory was freed, or will be when the command ends; if it is the current task
// that dies, it may use reserves until then.
bool OutOfMemory(Kernel& k, const OomControl& oc);

// __oom_kill_process(): ends everybody who shares the victim's memory, in
// task/exit.cc.
void KillOomVictim(Kernel& k, Id<Task> victim);

// pagefault_out_of_memory(): a fault of the current task found no memory, so
// the task ends with the command.
void PagefaultOutOfMemory(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_OOM_KILL_H_

// Models mm/oom_kill.c (v6.18): oom_badness(), select_bad_process(),
// check_panic_on_oom(), out_of_memory(), __oom_kill_process(). Departure: D13
// (where Linux panics, the request fails).
#include "server/machine/mm/oom_kill.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/oom_report.h"
#include "server/machine/mm/rss_stat.h"

namespace faultline {
namespace {

constexpr Pid kInit = 1;

// Is the command within this address space? Then it cannot go before the end.
bool InUse(const Kernel& k, Id<Mm> mm) {
  return mm == k.borrowed_mm || (k.current && k.tasks[k.current].mm == mm);
}

bool Unkillable(const Task& task) { return task.tgid == kInit; }

// A parent that waits for it has the same memory.
bool InVfork(const Kernel& k, const Task& task) {
  if (!task.vfork_done) return false;
  const auto parent = k.pids.find(task.ppid);
  return parent != k.pids.end() && k.tasks[parent->second].mm == task.mm;
}

void Log(Kernel& k, std::string text) {
  if (!k.trace.Wants(EventLevel::kFaults)) return;
  k.Emit(EventLevel::kFaults, Console{std::move(text)});
}

// mark_oom_victim(): it may not live on, but has to until the command ends.
void Mark(Kernel& k, const Task& victim) {
  for (const auto& [pid, id] : std::as_const(k).pids) {
    const Task& task = std::as_const(k).tasks[id];
    if (task.mm != victim.mm || TskIsOomVictim(k, task)) continue;
    if (DiesWith(task, victim)) k.oom_victims.push_back(pid);
  }
}

// oom_kill_process(): its memory is free now, or when the command ends.
void OomKill(Kernel& k, Id<Task> victim, const OomControl& oc,
             const char* message) {
  const Task& task = std::as_const(k).tasks[victim];
  if (k.trace.Wants(EventLevel::kFaults)) {
    Log(k, OomHeaderReport(k, oc));
    Log(k, OomVictimReport(k, task, message));
    k.Emit(EventLevel::kFaults, MarkVictimEvent(k, task));
  }
  k.vmstat.events[kOomKill]++;
  if (InUse(k, task.mm)) return Mark(k, task);
  KillOomVictim(k, victim);
}

}  // namespace

uint64_t OomTotalPages(const Kernel& k) {
  return k.totalram_pages + k.swap.total;
}

int64_t OomBadness(const Kernel& k, const Task& task) {
  if (Unkillable(task) || task.oom_score_adj == kOomScoreAdjMin ||
      InVfork(k, task)) {
    return kOomUnkillable;
  }
  const Mm& mm = k.mms[task.mm];
  const auto points =
      static_cast<int64_t>(GetMmRss(k, mm) + GetMmCounter(k, mm, kRssSwap) +
                           mm.pgtables_bytes / kPageSize);
  return points +
         task.oom_score_adj * static_cast<int64_t>(OomTotalPages(k) / 1000);
}

Id<Task> SelectBadProcess(const Kernel& k) {
  if (k.oom_origin) {  // oom_task_origin(): it took the memory itself
    const Task& current = k.tasks[k.current];
    if (!Unkillable(current) && !TskIsOomVictim(k, current)) return k.current;
  }
  Id<Task> victim;
  int64_t worst = kOomUnkillable;
  for (const auto& [pid, id] : k.pids) {
    const Task& task = k.tasks[id];
    if (!task.mm || task.pid != task.tgid || TskIsOomVictim(k, task)) continue;
    const int64_t points = OomBadness(k, task);
    if (points == kOomUnkillable || points < worst) continue;
    victim = id;
    worst = points;
  }
  return victim;
}

bool DiesWith(const Task& task, const Task& victim) {
  return !Unkillable(task) || Unkillable(victim);
}

bool TskIsOomVictim(const Kernel& k, const Task& task) {
  const auto& pids = k.oom_victims;
  return std::find(pids.begin(), pids.end(), task.pid) != pids.end();
}

bool OutOfMemory(Kernel& k, const OomControl& oc) {
  // Who is to die anyway gets nothing more.
  if (CurrentIsOomVictim(k)) return false;
  if (k.sysctl.panic_on_oom != 0) {
    Log(k, OomHeaderReport(k, oc));
    Log(k, k.sysctl.panic_on_oom == 2
               ? "Kernel panic - not syncing: Out of memory: compulsory "
                 "panic_on_oom is enabled\n"
               : "Kernel panic - not syncing: Out of memory: system-wide "
                 "panic_on_oom is enabled\n");
    return false;
  }
  if (k.sysctl.oom_kill_allocating_task != 0 && k.current) {
    const Task& current = std::as_const(k).tasks[k.current];
    if (current.mm && OomBadness(k, current) != kOomUnkillable) {
      OomKill(k, k.current, oc, "Out of memory (oom_kill_allocating_task)");
      return true;
    }
  }
  if (k.oom_origin && !k.current) {  // it is none of the machine's processes
    Log(k, OomHeaderReport(k, oc));
    return false;
  }
  const Id<Task> victim = SelectBadProcess(std::as_const(k));
  if (victim) {
    const Id<Mm> mm = std::as_const(k).tasks[victim].mm;
    // oom_evaluate_task() ends the search at a victim that has yet to die.
    const bool pending = mm == k.borrowed_mm;
    OomKill(k, victim, oc, "Out of memory");
    return !pending;
  }
  Log(k, OomHeaderReport(k, oc));
  Log(k,
      "Out of memory and no killable processes...\n"
      "Kernel panic - not syncing: System is deadlocked on memory\n");
  return false;
}

void PagefaultOutOfMemory(Kernel& k) {
  if (!k.current) return;
  Mark(k, std::as_const(k).tasks[k.current]);
}

}  // namespace faultline

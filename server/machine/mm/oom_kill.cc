// Models mm/oom_kill.c (v6.18): oom_badness(), select_bad_process().
// Departures: D4 (nothing was reclaimed before), D13 (the victim's memory is
// free at once; without a victim the current task dies, not the machine).
#include "server/machine/mm/oom_kill.h"

#include "server/machine/task/exit.h"

namespace faultline {
namespace {

// oom_badness(): pages of RSS, swap and page tables, adjusted.
int64_t Badness(const Kernel& k, const Task& task) {
  const Mm& mm = k.mms[task.mm];
  int64_t points = static_cast<int64_t>(mm.RssPages() + mm.Rss(kRssSwap) +
                                        mm.pgtables_bytes / kPageSize);
  int64_t total = static_cast<int64_t>(k.totalram_pages +
                                       (k.config.swap_bytes >> kPageShift));
  return points + task.oom_score_adj * (total / 1000);
}

}  // namespace

OomVictim OutOfMemory(Kernel& k) {
  Id<Task> victim;
  int64_t worst = 0;
  for (auto [pid, id] : k.pids) {
    const Task& task = k.tasks[id];
    constexpr int32_t kOomScoreAdjMin = -1000;
    if (!task.mm || task.oom_score_adj == kOomScoreAdjMin) continue;
    // Ties go to the later task.
    int64_t points = Badness(k, task);
    if (victim && points < worst) continue;
    victim = id;
    worst = points;
  }
  if (!victim) victim = k.current;
  Id<Mm> mm = k.tasks[victim].mm;
  bool current = k.Current().mm == mm;
  k.vmstat.events[kOomKill]++;
  constexpr int32_t kSigkill = 9;
  // Everybody who shares the memory dies with the victim.
  for (auto [pid, id] : std::map<Pid, Id<Task>>(k.pids)) {
    if (k.tasks[id].mm == mm) KillTask(k, k.tasks[id], kSigkill);
  }
  return current ? OomVictim::kCurrent : OomVictim::kAnother;
}

}  // namespace faultline

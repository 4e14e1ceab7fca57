// Models mm/oom_kill.c (v6.18): oom_badness(), select_bad_process(). The
// killing is task/exit.h: OutOfMemory(). Departures: D4 (nothing was reclaimed
// before), D13 (the victim's memory is free at once).
#include "server/machine/mm/oom_kill.h"

namespace faultline {

int64_t OomBadness(const Kernel& k, const Task& task) {
  const Mm& mm = k.mms[task.mm];
  int64_t points = static_cast<int64_t>(mm.RssPages() + mm.Rss(kRssSwap) +
                                        mm.pgtables_bytes / kPageSize);
  int64_t total = static_cast<int64_t>(k.totalram_pages +
                                       (k.config.swap_bytes >> kPageShift));
  return points + task.oom_score_adj * (total / 1000);
}

Id<Task> SelectBadProcess(const Kernel& k) {
  Id<Task> victim;
  int64_t worst = 0;
  for (auto [pid, id] : k.pids) {
    const Task& task = k.tasks[id];
    constexpr int32_t kOomScoreAdjMin = -1000;
    if (!task.mm || task.oom_score_adj == kOomScoreAdjMin) continue;
    int64_t points = OomBadness(k, task);
    if (victim && points < worst) continue;
    victim = id;
    worst = points;
  }
  return victim;
}

}  // namespace faultline

// Models mm/oom_kill.c (v6.18): dump_header(), dump_task(), dump_oom_victim(),
// __oom_kill_process(). Departure: D31 (no stack trace).
#include "server/machine/mm/oom_report.h"

#include <algorithm>
#include <cstdio>

#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/show_mem.h"

namespace faultline {
namespace {

using ull = unsigned long long;

// dump_tasks(): processes that could be chosen. 6.8 came to tell the kinds of
// resident pages.
void DumpTasks(const Kernel& k, std::string& out) {
  const bool kinds = k.config.personality != Personality::kLinux61;
  Append(out,
         "Tasks state (memory values in pages):\n"
         "[  pid  ]   uid  tgid total_vm      rss %spgtables_bytes swapents "
         "oom_score_adj name\n",
         kinds ? "rss_anon rss_file rss_shmem " : "");
  for (const auto& [pid, id] : k.pids) {
    const Task& task = k.tasks[id];
    constexpr Pid kInit = 1;
    if (!task.mm || task.pid != task.tgid || task.pid == kInit) continue;
    const Mm& mm = k.mms[task.mm];
    Append(out, "[%7u] %5u %5u %8llu %8llu ", task.pid, task.uid, task.tgid,
           ull{mm.total_vm}, ull{GetMmRss(k, mm)});
    if (kinds) {
      Append(out, "%8llu %8llu %9llu ", ull{GetMmCounter(k, mm, kRssAnon)},
             ull{GetMmCounter(k, mm, kRssFile)},
             ull{GetMmCounter(k, mm, kRssShmem)});
    }
    Append(out, "%8llu %8llu         %5d %s\n", ull{mm.pgtables_bytes},
           ull{GetMmCounter(k, mm, kRssSwap)}, task.oom_score_adj,
           task.comm.c_str());
  }
}

}  // namespace

std::string OomHeaderReport(const Kernel& k, const OomControl& oc) {
  const bool task = static_cast<bool>(k.current);
  std::string out;
  Append(out,
         "%s invoked oom-killer: gfp_mask=0x%x(%s), order=%d, "
         "oom_score_adj=%d\n",
         CurrentComm(k), oc.gfp,
         GfpFlagNames(k.config.personality, oc.gfp).c_str(), oc.order,
         task ? k.tasks[k.current].oom_score_adj : 0);
  out += MemInfoReport(k, oc.gfp);
  if (k.sysctl.oom_dump_tasks != 0) DumpTasks(k, out);
  return out;
}

std::string OomVictimReport(const Kernel& k, const Task& victim,
                            const char* message) {
  const Mm& mm = k.mms[victim.mm];
  std::string out;
  Append(out,
         "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,"
         "mems_allowed=0,global_oom,task_memcg=/,task=%s,pid=%u,uid=%u\n",
         victim.comm.c_str(), victim.pid, victim.uid);
  Append(out,
         "%s: Killed process %u (%s) total-vm:%llukB, anon-rss:%llukB, "
         "file-rss:%llukB, shmem-rss:%llukB, UID:%u pgtables:%llukB "
         "oom_score_adj:%d\n",
         message, victim.pid, victim.comm.c_str(), ull{Kb(mm.total_vm)},
         ull{Kb(GetMmCounter(k, mm, kRssAnon))},
         ull{Kb(GetMmCounter(k, mm, kRssFile))},
         ull{Kb(GetMmCounter(k, mm, kRssShmem))}, victim.uid,
         ull{mm.pgtables_bytes >> 10}, victim.oom_score_adj);
  return out;
}

MarkVictim MarkVictimEvent(const Kernel& k, const Task& victim) {
  const Mm& mm = k.mms[victim.mm];
  return {.pid = victim.pid,
          .comm = victim.comm,
          .total_vm = Kb(mm.total_vm),
          .anon_rss = Kb(GetMmCounter(k, mm, kRssAnon)),
          .file_rss = Kb(GetMmCounter(k, mm, kRssFile)),
          .shmem_rss = Kb(GetMmCounter(k, mm, kRssShmem)),
          .uid = victim.uid,
          .pgtables = mm.pgtables_bytes >> 10,
          .oom_score_adj = victim.oom_score_adj};
}

}  // namespace faultline

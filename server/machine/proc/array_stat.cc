// /proc/PID/stat and statm. Models fs/proc/array.c (v6.18): do_task_stat(),
// proc_pid_statm(). Times, signals and scheduling read as zero.
#include <algorithm>

#include "server/machine/mm/rss_stat.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

struct FaultCounts {
  uint64_t min_flt = 0;
  uint64_t maj_flt = 0;
};
FaultCounts GroupFaults(const Kernel& k, const Task& task) {
  FaultCounts sum;
  k.tasks.ForEach([&](Id<Task>, const Task& t) {
    if (t.tgid != task.tgid) return;
    sum.min_flt += t.min_flt;
    sum.maj_flt += t.maj_flt;
  });
  return sum;
}

}  // namespace

ErrnoOr<std::string> ProcPidStat(const Kernel& k, const Task& task) {
  const bool zombie = task.state == TaskState::kZombie;
  const Mm* mm = MmOf(k, task);
  static const Mm kNone{};
  const Mm& s = mm == nullptr ? kNone : *mm;
  const FaultCounts faults = GroupFaults(k, task);
  SeqFile m;
  auto fields = [&](std::initializer_list<uint64_t> values) {
    for (uint64_t value : values) (m << " ").Dec(value);
  };
  m.Dec(task.pid) << " (" << task.comm << ") " << (zombie ? "Z" : "R");
  // ppid pgrp session tty_nr
  fields({task.ppid, 0, 0, 0});
  m << " -1";  // tpgid
  constexpr uint64_t kPfExitingPostcoredump = 0xc;
  // flags minflt cminflt majflt cmajflt utime stime cutime cstime
  fields({zombie ? kPfExitingPostcoredump : 0, faults.min_flt, 0,
          faults.maj_flt, 0, 0, 0, 0, 0});
  // priority nice num_threads itrealvalue starttime
  fields({20, 0, ThreadCount(k, task), 0, 0});
  constexpr int kRlimitRss = 5;
  uint64_t rsslim = task.rlim[kRlimitRss].soft;
  if (!Is64Bit(k)) rsslim = std::min<uint64_t>(rsslim, 0xffffffff);
  // vsize rss (get_mm_rss(), which lags) rsslim startcode endcode startstack
  // kstkesp kstkeip
  fields({s.total_vm << kPageShift, s.ShownRssPages(), rsslim,
          s.start_code.value(), s.end_code.value(), s.start_stack.value(), 0,
          0});
  // pending blocked sigignore sigcatch wchan nswap cnswap
  fields({0, 0, 0, 0, zombie ? uint64_t{1} : 0, 0, 0});
  // exit_signal processor rt_priority policy delayacct guest_time cguest_time
  m << " " << std::to_string(task.exit_signal);
  fields({0, 0, 0, 0, 0, 0});
  fields({s.start_data.value(), s.end_data.value(), s.start_brk.value(),
          s.arg_start.value(), s.arg_end.value(), s.env_start.value(),
          s.env_end.value()});
  m << " " << std::to_string(zombie ? task.exit_code : 0) << "\n";
  return m.Take();
}

ErrnoOr<std::string> ProcPidStatm(const Kernel& k, const Task& task) {
  const Mm* mm = MmOf(k, task);
  if (mm == nullptr) return std::string("0 0 0 0 0 0 0\n");
  SeqFile m;
  uint64_t shared =
      GetMmCounter(k, *mm, kRssFile) + GetMmCounter(k, *mm, kRssShmem);
  m.Dec(mm->total_vm) << " ";
  m.Dec(shared + GetMmCounter(k, *mm, kRssAnon)) << " ";
  m.Dec(shared) << " ";
  m.Dec(TextBytes(*mm) >> kPageShift) << " 0 ";
  m.Dec(mm->data_vm + mm->stack_vm) << " 0\n";
  return m.Take();
}

}  // namespace faultline

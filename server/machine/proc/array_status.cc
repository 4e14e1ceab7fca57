// /proc/PID/status. Models fs/proc/array.c (v6.18): proc_pid_status(); and of
// fs/proc/task_mmu.c: task_mem(). What the machine does not have (signals,
// capabilities sets, seccomp) reads as it does for root on an idle machine.
#include <algorithm>

#include "server/machine/mm/rss_stat.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

// string_escape_str() of what would break a line.
std::string Escaped(const std::string& comm) {
  std::string out;
  for (char c : comm) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

// alloc_fdtable(): the table grows to powers of two of 1 KiB of pointers.
uint64_t FdSize(const Kernel& k, const Task& task) {
  if (!task.files) return 0;
  const uint64_t inline_fds = Is64Bit(k) ? 64 : 32;
  const uint64_t step = Is64Bit(k) ? 128 : 256;
  uint64_t fds = k.files[task.files].fds.size();
  if (fds <= inline_fds) return inline_fds;
  uint64_t size = step;
  while (size < fds) size *= 2;
  return std::max<uint64_t>(size, 256);
}

// RLIMIT_SIGPENDING: half of the threads that an eighth of memory can hold
// (kernel/fork.c: set_max_threads()).
uint64_t MaxSigpending(const Kernel& k, const Task& task) {
  constexpr int kRlimitSigpending = 11;
  uint64_t soft = task.rlim[kRlimitSigpending].soft;
  if (soft != kRlimInfinity) return soft;
  const uint64_t thread_size = Is64Bit(k) ? 16384 : 8192;
  return k.totalram_pages * kPageSize / (thread_size * 8) / 2;
}

void ShowState(const Kernel& k, SeqFile& m, const Task& task) {
  const bool zombie = task.state == TaskState::kZombie;
  if (task.files) m << "Umask:\t0022\n";
  m << "State:\t" << (zombie ? "Z (zombie)" : "R (running)") << "\n";
  m.Printf("Tgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t0\n",
           task.tgid, task.pid, task.ppid);
  m.Printf("Uid:\t%u\t%u\t%u\t%u\n", task.uid, task.uid, task.uid, task.uid);
  m.Printf("Gid:\t%u\t%u\t%u\t%u\n", task.uid, task.uid, task.uid, task.uid);
  (m << "FDSize:\t").Dec(FdSize(k, task)) << "\nGroups:\t \n";
  m.Printf("NStgid:\t%u\nNSpid:\t%u\nNSpgid:\t0\nNSsid:\t0\n", task.tgid,
           task.pid);
  if (Is618(k)) m << "Kthread:\t0\n";
}

void ShowMem(const Kernel& k, SeqFile& m, const Mm& mm) {
  auto pages = [&](std::string_view label, uint64_t n) {
    m.Kilobytes(label, n << (kPageShift - 10));
  };
  // The executable areas, split between the program's text and libraries.
  uint64_t exec = mm.exec_vm << kPageShift;
  uint64_t text = std::min(TextBytes(mm), exec);
  pages("VmPeak:\t", std::max(mm.hiwater_vm, mm.total_vm));
  pages("VmSize:\t", mm.total_vm);
  pages("VmLck:\t", mm.locked_vm);
  pages("VmPin:\t", 0);
  pages("VmHWM:\t", std::max(mm.hiwater_rss, GetMmRss(k, mm)));
  pages("VmRSS:\t", GetMmRss(k, mm));
  pages("RssAnon:\t", GetMmCounter(k, mm, kRssAnon));
  pages("RssFile:\t", GetMmCounter(k, mm, kRssFile));
  pages("RssShmem:\t", GetMmCounter(k, mm, kRssShmem));
  pages("VmData:\t", mm.data_vm);
  pages("VmStk:\t", mm.stack_vm);
  m.Kilobytes("VmExe:\t", text >> 10);
  m.Kilobytes("VmLib:\t", (exec - text) >> 10);
  m.Kilobytes("VmPTE:\t", mm.pgtables_bytes >> 10);
  pages("VmSwap:\t", GetMmCounter(k, mm, kRssSwap));
  m.Kilobytes("HugetlbPages:\t", 0);
  m << "CoreDumping:\t0\n";
  m << "THP_enabled:\t" << (mm.thp_disabled ? "0" : "1") << "\n";
  if (Is618(k)) {
    m << "untag_mask:\t" << (Is64Bit(k) ? "0xffffffffffffffff" : "0xffffffff")
      << "\n";
  }
}

std::string Cap64(uint64_t caps) {
  SeqFile m;
  m.Hex(caps, 16) << "\n";
  return m.Take();
}

void ShowSignals(const Kernel& k, SeqFile& m, const Task& task) {
  constexpr std::string_view kNone = "0000000000000000\n";
  m << "Threads:\t";
  m.Dec(ThreadCount(k, task)) << "\nSigQ:\t0/";
  m.Dec(MaxSigpending(k, task)) << "\n";
  for (std::string_view set : {"SigPnd:\t", "ShdPnd:\t", "SigBlk:\t",
                               "SigIgn:\t", "SigCgt:\t", "CapInh:\t"}) {
    m << set << kNone;
  }
  const uint64_t effective = k.EffectiveCaps(task);
  m << "CapPrm:\t" << Cap64(effective) << "CapEff:\t" << Cap64(effective);
  m << "CapBnd:\t" << Cap64(k.sysctl.cap_bound) << "CapAmb:\t" << kNone;
  m << "NoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n"
       "Speculation_Store_Bypass:\tvulnerable\n"
       "SpeculationIndirectBranch:\talways enabled\n";
}

void ShowCpus(const Kernel& k, SeqFile& m) {
  // bitmap_string(): 32 bits a group, the highest group first.
  const uint32_t cpus = std::max<uint32_t>(k.config.cpus, 1);
  m << "Cpus_allowed:\t";
  for (int64_t group = (cpus - 1) / 32; group >= 0; group--) {
    uint32_t bits =
        std::min<uint32_t>(32, cpus - static_cast<uint32_t>(group) * 32);
    m.Hex((uint64_t{1} << bits) - 1, static_cast<int>(bits + 3) / 4);
    m << (group > 0 ? "," : "\n");
  }
  m << "Cpus_allowed_list:\t0";
  if (cpus > 1) (m << "-").Dec(cpus - 1);
  m << "\nMems_allowed:\t";
  if (Is64Bit(k)) {  // MAX_NUMNODES is 1024
    for (int i = 0; i < 31; i++) m << "00000000,";
    m << "00000001\n";
  } else {
    m << "1\n";
  }
  m << "Mems_allowed_list:\t0\n";
}

}  // namespace

ErrnoOr<std::string> ProcPidStatus(const Kernel& k, const Task& task) {
  SeqFile m;
  m << "Name:\t" << Escaped(task.comm) << "\n";
  ShowState(k, m, task);
  if (const Mm* mm = MmOf(k, task)) ShowMem(k, m, *mm);
  ShowSignals(k, m, task);
  ShowCpus(k, m);
  m << "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n";
  return m.Take();
}

}  // namespace faultline

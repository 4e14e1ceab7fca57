// struct task_struct as far as memory is concerned. One per thread.
#ifndef FAULTLINE_SERVER_MACHINE_TASK_TASK_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_TASK_TASK_TYPES_H_

#include <array>
#include <cstdint>
#include <string>

#include "server/machine/base/pool.h"
#include "server/machine/command.h"
#include "server/machine/fs/fs_types.h"
#include "server/machine/mm/mm_types.h"

namespace faultline {

// RLIMIT_* with Linux's numbers (asm-generic/resource.h).
enum RlimitResource : uint32_t {
  kRlimitData = 2,
  kRlimitStack = 3,
  kRlimitNproc = 6,
  kRlimitNofile = 7,
  kRlimitMemlock = 8,
  kRlimitAs = 9,
  kRlimitCount = 16,
};
inline constexpr uint64_t kRlimInfinity = ~uint64_t{0};

struct Rlimit {
  uint64_t soft = kRlimInfinity;
  uint64_t hard = kRlimInfinity;
};

// What the machine asks for, of include/uapi/linux/capability.h.
enum class Cap : uint8_t {
  kDacOverride = 1,
  kKill = 5,
  kSetuid = 7,
  kIpcLock = 14,
  kSysModule = 16,
  kSysRawio = 17,
  kSysPtrace = 19,
  kSysAdmin = 21,
  kSysNice = 23,
  kSysResource = 24,
  kMknod = 27,
};

enum class TaskState : uint8_t { kRunning = 0, kZombie = 1 };

struct Task {
  Pid pid = 0;
  Pid tgid = 0;
  Pid ppid = 0;
  uint64_t sibling = 0;  // its place among its parent's children, of ever more
  TaskState state = TaskState::kRunning;
  int32_t exit_signal = 17;  // SIGCHLD; 0: the parent is told nothing
  int32_t exit_code = 0;     // as wait4 reports it
  Id<Mm> mm;                 // none after exit
  Id<Files> files;
  std::string comm;
  uint32_t uid = 0;  // Kernel::Capable() says what 0 may do
  std::array<Rlimit, kRlimitCount> rlim;
  uint64_t min_flt = 0;
  uint64_t maj_flt = 0;
  int32_t oom_score_adj = 0;
  int32_t oom_score_adj_min = 0;  // what needs no capability
  bool vfork_done = false;  // CLONE_VFORK: its parent waits for exec or exit
  // What it dirtied since it was throttled last (mm/page_writeback.h), and how
  // much it may until somebody looks; when the last pause ended.
  uint64_t nr_dirtied = 0;
  uint64_t nr_dirtied_pause = 32;
  uint64_t dirty_paused_when = 0;
  MempolicyId mempolicy = 0;
  // Of mm/rss_stat.h: what its mm is not told yet, by RssKind, and how many
  // faults ago it was.
  std::array<int64_t, 4> rss_stat{};
  uint32_t rss_events = 0;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.pid, s.tgid, s.ppid, s.sibling, s.state, s.exit_signal, s.exit_code,
       s.mm, s.files, s.comm, s.uid, s.rlim, s.min_flt, s.maj_flt,
       s.oom_score_adj, s.oom_score_adj_min, s.vfork_done, s.nr_dirtied,
       s.nr_dirtied_pause, s.dirty_paused_when, s.mempolicy, s.rss_stat,
       s.rss_events);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_TASK_TYPES_H_

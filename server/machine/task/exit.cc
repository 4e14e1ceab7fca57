// Models kernel/exit.c (v6.18): do_exit(), do_group_exit(), release_task(),
// do_wait(); kernel/signal.c: the default actions.
#include "server/machine/task/exit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/mm/filemap.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/swap_token.h"

namespace faultline {
namespace {

// What a signal does to a process that has no handler for it.
bool FatalByDefault(int32_t signal) {
  switch (signal) {
    case 17:  // SIGCHLD
    case 18:  // SIGCONT
    case 19:  // SIGSTOP
    case 20:  // SIGTSTP
    case 21:  // SIGTTIN
    case 22:  // SIGTTOU
    case 23:  // SIGURG
    case 28:  // SIGWINCH
      return false;
    default:
      return signal > 0;
  }
}

bool DumpsCore(int32_t signal) {
  switch (signal) {
    case 3:   // SIGQUIT
    case 4:   // SIGILL
    case 5:   // SIGTRAP
    case 6:   // SIGABRT
    case 7:   // SIGBUS
    case 8:   // SIGFPE
    case 11:  // SIGSEGV
    case 24:  // SIGXCPU
    case 25:  // SIGXFSZ
    case 31:  // SIGSYS
      return true;
    default:
      return false;
  }
}

// thread_group_empty(): no other thread of the process is left.
bool GroupHasEnded(const Kernel& k, Pid tgid) {
  for (auto [pid, id] : k.pids) {
    const Task& t = k.tasks[id];
    if (t.tgid == tgid && t.state == TaskState::kRunning) return false;
  }
  return true;
}

// forget_original_parent(): children go to init, zombies among them vanish
// when init is this task or gone.
void ReparentChildren(Kernel& k, Pid parent) {
  std::vector<Pid> orphans;
  for (auto [pid, id] : k.pids) {
    if (std::as_const(k).tasks[id].ppid == parent) orphans.push_back(pid);
  }
  const auto sibling = [&](Pid pid) {
    return std::as_const(k).tasks[k.pids.at(pid)].sibling;
  };
  std::sort(orphans.begin(), orphans.end(),
            [&](Pid a, Pid b) { return sibling(a) < sibling(b); });
  constexpr Pid kInit = 1;
  auto init = k.pids.find(kInit);
  bool adopts = parent != kInit && init != k.pids.end() &&
                k.tasks[init->second].state == TaskState::kRunning;
  uint64_t newest = NextSibling(std::as_const(k), kInit);
  for (Pid pid : orphans) {
    Task& child = k.tasks[k.pids.at(pid)];
    child.ppid = adopts ? kInit : 0;
    child.sibling = newest++;
    if (!adopts && child.state == TaskState::kZombie) ReleaseTask(k, pid);
  }
}

// mm_update_next_owner(): a child of the leaver, a sibling, anyone who shares
// the address space.
void UpdateNextOwner(Kernel& k, Mm& mm, const Task& leaver) {
  const Id<Task> self = k.pids.at(leaver.pid);
  if (mm.owner != self) return;
  mm.owner = {};
  if (mm.mm_users <= 1) return;
  int best = 0;
  for (auto [pid, id] : k.pids) {
    const Task& t = std::as_const(k.tasks)[id];
    if (id == self || t.mm != mm.id) continue;
    const int rank = t.ppid == leaver.tgid ? 3 : t.ppid == leaver.ppid ? 2 : 1;
    if (rank <= best) continue;
    best = rank;
    mm.owner = id;
  }
}

}  // namespace

uint64_t NextSibling(const Kernel& k, Pid parent) {
  uint64_t last = 0;
  for (auto [pid, id] : k.pids) {
    const Task& task = k.tasks[id];
    if (task.ppid == parent) last = std::max(last, task.sibling);
  }
  return last + 1;
}

void ExitMm(Kernel& k, Task& task) {
  SyncMmRss(k, task);
  const Id<Mm> id = std::exchange(task.mm, {});
  Mm& mm = k.mms[id];
  MmapReadLock(mm);
  UpdateNextOwner(k, mm, task);
  MmPut(k, id);
}

void MmPut(Kernel& k, Id<Mm> id) {
  Mm& mm = k.mms[id];
  VM_BUG_ON(mm.mm_users == 0);
  if (--mm.mm_users > 0) return;
  KsmExit(k, mm);
  PutSwapToken(k, id);
  ExitMmap(k, mm);
  if (mm.exe_file) PutFile(k, mm.exe_file);
  if (mm.heap) k.heaps.Delete(mm.heap);
  if (mm.replacement) k.replacements.Delete(mm.replacement);
  if (k.active_mm == id) k.active_mm = {};
  VM_BUG_ON(--mm.mm_count != 0);
  k.mms.Delete(id);
}

void FilesPut(Kernel& k, Id<Files> id) {
  Files& files = k.files[id];
  if (--files.users > 0) return;
  for (Id<File> file : files.fds) {
    if (file) PutFile(k, file);
  }
  k.files.Delete(id);
}

void DoExit(Kernel& k, Task& task, int32_t code) {
  VM_BUG_ON(task.state != TaskState::kRunning);
  k.Emit(EventLevel::kFaults, SchedProcessExit{task.pid, code});
  ExitMm(k, task);
  FilesPut(k, std::exchange(task.files, {}));
  task.state = TaskState::kZombie;
  task.exit_code = code;
  const Pid pid = task.pid, tgid = task.tgid;
  if (pid != tgid) ReleaseTask(k, pid);
  // delay_group_leader(): a process ends with its last thread; its leader is
  // a zombie until then, and after it unless nobody can wait for it.
  if (!GroupHasEnded(std::as_const(k), tgid)) return;
  ReparentChildren(k, tgid);
  auto leader = k.pids.find(tgid);
  if (leader == k.pids.end()) return;
  if (k.tasks[leader->second].ppid == 0) ReleaseTask(k, tgid);
}

void DoGroupExit(Kernel& k, Task& task, int32_t code) {
  Pid tgid = task.tgid;
  std::vector<Pid> group;
  for (auto [pid, id] : k.pids) {
    const Task& t = k.tasks[id];
    if (t.tgid == tgid && t.state == TaskState::kRunning) group.push_back(pid);
  }
  // signal->group_exit_code is what the parent will see.
  auto leader = k.pids.find(tgid);
  if (!group.empty() && leader != k.pids.end()) {
    k.tasks[leader->second].exit_code = code;
  }
  for (Pid pid : group) DoExit(k, k.tasks[k.pids.at(pid)], code);
}

void KillTask(Kernel& k, Task& task, int32_t signal) {
  // The task may be a leader that has exited before its threads.
  k.Emit(EventLevel::kFaults, SignalGenerate{signal, 0, task.pid});
  constexpr int32_t kCoreFlag = 0x80;
  DoGroupExit(k, task, signal | (DumpsCore(signal) ? kCoreFlag : 0));
}

void KillOomVictim(Kernel& k, Id<Task> victim) {
  const Task& first = std::as_const(k).tasks[victim];
  std::vector<Pid> sharers;
  for (auto [pid, id] : k.pids) {
    const Task& task = std::as_const(k).tasks[id];
    if (task.mm == first.mm && DiesWith(task, first)) sharers.push_back(pid);
  }
  constexpr int32_t kSigkill = 9;
  for (Pid pid : sharers) {
    // A thread group dies as one, so a later sharer may be gone already.
    auto it = k.pids.find(pid);
    if (it == k.pids.end()) continue;
    Task& task = k.tasks[it->second];
    if (task.state == TaskState::kRunning) KillTask(k, task, kSigkill);
  }
}

bool KillOomVictims(Kernel& k, Pid self) {
  bool was_there = false;
  for (const Pid pid : std::exchange(k.oom_victims, {})) {
    was_there = was_there || pid == self;
    auto it = k.pids.find(pid);
    if (it == k.pids.end()) continue;
    const Task& task = std::as_const(k).tasks[it->second];
    if (task.state == TaskState::kRunning) KillOomVictim(k, it->second);
  }
  return was_there;
}

void ReleaseTask(Kernel& k, Pid pid) {
  auto it = k.pids.find(pid);
  VM_BUG_ON(it == k.pids.end());
  Id<Task> id = it->second;
  if (k.current == id) k.current = Id<Task>();
  k.pids.erase(it);
  k.tasks.Delete(id);
}

Errno DoKill(Kernel& k, Pid target, int32_t signal) {
  constexpr int32_t kNsig = 64;
  auto it = k.pids.find(target);
  if (signal < 0 || signal > kNsig) return Errno::kEINVAL;
  if (it == k.pids.end()) return Errno::kESRCH;
  Task& task = k.tasks[it->second];
  if (k.current && !k.Capable(Cap::kKill) && k.Current().uid != task.uid) {
    return Errno::kEPERM;
  }
  if (signal == 0) return Errno::kOk;
  if (FatalByDefault(signal)) {
    KillTask(k, task, signal);
  } else {
    k.Emit(EventLevel::kFaults, SignalGenerate{signal, 0, target});
  }
  return Errno::kOk;
}

ErrnoOr<uint64_t> DoWait(Kernel& k, int64_t wanted, std::string* status) {
  const Pid parent = k.Current().tgid;
  bool any_child = false;
  const Task* first = nullptr;  // in the order of the list of children
  for (auto [pid, id] : k.pids) {
    const Task& child = std::as_const(k).tasks[id];
    if (child.ppid != parent || child.pid != child.tgid) continue;
    if (wanted > 0 && pid != static_cast<Pid>(wanted)) continue;
    any_child = true;
    if (first != nullptr && first->sibling < child.sibling) continue;
    if (GroupHasEnded(k, pid)) first = &child;
  }
  if (!any_child) return Errno::kECHILD;
  if (first == nullptr) return uint64_t{0};
  const auto code = static_cast<uint32_t>(first->exit_code);
  for (int i = 0; i < 4; i++) {
    status->push_back(static_cast<char>(code >> (8 * i)));
  }
  const Pid reaped = first->pid;
  ReleaseTask(k, reaped);
  return uint64_t{reaped};
}

}  // namespace faultline

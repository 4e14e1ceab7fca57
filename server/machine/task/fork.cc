// Models kernel/fork.c (v6.18): kernel_clone(), copy_process(), dup_mm();
// mm/mmap.c: dup_mmap(); mm/util.c: mmap_base().
// Departure: D65 (namespaces are the old ones).
#include "server/machine/task/fork.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/filemap.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/unmapped_area_2632.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/task/exit.h"
#include "server/machine/task/randomize.h"

namespace faultline {
namespace {

namespace clone {
constexpr uint64_t kSignalMask = 0xff;
constexpr uint64_t kVm = 0x100, kFs = 0x200, kFiles = 0x400;
constexpr uint64_t kSighand = 0x800, kParent = 0x8000, kThread = 0x10000;
constexpr uint64_t kPidFd = 0x1000, kVfork = 0x4000;
constexpr uint64_t kNewNs = 0x20000, kNewUser = 0x10000000;
// CLONE_NEW*: cgroup, uts, ipc, pid, net. (CLONE_NEWTIME is part of the
// signal.)
constexpr uint64_t kNewOthers =
    0x2000000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000;
}  // namespace clone

// pid_max on a 64-bit kernel, and where pids start over.
constexpr Pid kPidMax = 4194304, kReservedPids = 300;

// One VMA of the parent for the child. dup_mmap()'s loop body.
Errno DupVma(Kernel& k, Mm& mm, Vma& parent) {
  if (CurrentIsOomVictim(k)) return Errno::kEINTR;
  if (parent.Has(vm::kAccount)) {
    FL_TRY(VmEnoughMemory(k, k.mms[parent.mm], parent.pages().value()));
  }
  Vma& child = NewVma(k, mm);
  child.start = parent.start;
  child.end = parent.end;
  child.flags = parent.flags & ~vm::kLockedMask;
  child.pgoff = parent.pgoff;
  child.file = parent.file;
  child.ops = parent.ops;
  child.name = parent.name;
  child.policy = parent.policy;
  if (!parent.Has(vm::kWipeOnFork)) AnonVmaFork(k, child, parent);
  if (child.file) k.open_files[child.file].f_count++;
  InsertVma(k, child);
  if (child.Has(vm::kWipeOnFork)) return Errno::kOk;
  return CopyPageRange(k, child, parent) ? Errno::kOk : Errno::kENOMEM;
}

// dup_mm(): on failure nothing of the copy is left.
ErrnoOr<Id<Mm>> DupMm(Kernel& k, Id<Mm> parent_id) {
  Id<Mm> id = MmAlloc(k);
  if (!id) return Errno::kENOMEM;
  Mm& mm = k.mms[id];
  Mm& old = k.mms[parent_id];
  MmapWriteLock(old);
  MmapWriteLock(mm);
  mm.flags = old.flags;
  mm.mmap_base = old.mmap_base;
  mm.mmap_legacy_base = old.mmap_legacy_base;
  mm.task_size = old.task_size;
  mm.start_code = old.start_code;
  mm.end_code = old.end_code;
  mm.start_data = old.start_data;
  mm.end_data = old.end_data;
  mm.start_brk = old.start_brk;
  mm.brk = old.brk;
  mm.start_stack = old.start_stack;
  mm.arg_start = old.arg_start;
  mm.arg_end = old.arg_end;
  mm.env_start = old.env_start;
  mm.env_end = old.env_end;
  mm.exe_file = old.exe_file;
  mm.thp_disabled = old.thp_disabled;
  if (mm.exe_file) k.open_files[mm.exe_file].f_count++;
  mm.saved_auxv = old.saved_auxv;
  if (old.heap) {
    mm.heap = k.heaps.New();
    k.heaps[mm.heap] = std::as_const(k.heaps)[old.heap];
  }
  mm.dumpable = old.dumpable;  // mmf_init_flags()
  if (!(old.mdwe & mdwe::kNoInherit)) mm.mdwe = old.mdwe;
  mm.mm_users = 1;
  ResetAreaCacheForFork(mm);
  for (Id<Vma> at = old.mmap; at; at = k.vmas[at].next) {
    Vma& vma = k.vmas[at];
    if (vma.Has(vm::kDontCopy)) continue;
    VmStatAccount(mm, vma.flags, static_cast<int64_t>(vma.pages().value()));
    uint32_t count = mm.map_count;
    if (Errno e = DupVma(k, mm, vma); e != Errno::kOk) {
      if (mm.map_count == count) {
        VmStatAccount(mm, vma.flags,
                      -static_cast<int64_t>(vma.pages().value()));
      }
      MmPut(k, id);
      return e;
    }
  }
  KsmFork(k, mm, old);
  mm.hiwater_rss = mm.ShownRssPages();
  mm.hiwater_vm = mm.total_vm;
  return id;
}

Id<Files> DupFiles(Kernel& k, Id<Files> parent) {
  Id<Files> id = k.files.New();
  k.files[id].users = 1;
  k.files[id].fds = k.files[parent].fds;
  for (Id<File> file : k.files[id].fds) {
    if (file) k.open_files[file].f_count++;
  }
  return id;
}

// copy_process()'s checks, in its order.
Errno CheckFlags(Kernel& k, uint64_t flags) {
  auto both = [flags](uint64_t bits) { return (flags & bits) == bits; };
  if (both(clone::kNewNs | clone::kFs)) return Errno::kEINVAL;
  if (both(clone::kNewUser | clone::kFs)) return Errno::kEINVAL;
  if ((flags & clone::kThread) && !(flags & clone::kSighand)) {
    return Errno::kEINVAL;
  }
  if ((flags & clone::kSighand) && !(flags & clone::kVm)) {
    return Errno::kEINVAL;
  }
  Task& task = k.Current();
  if ((flags & clone::kParent) && task.pid == 1) return Errno::kEINVAL;
  uint64_t tasks = 0;
  for (auto [pid, id] : k.pids) tasks += k.tasks[id].uid == task.uid;
  // With the new one.
  if (tasks + 1 > task.rlim[kRlimitNproc].soft && task.uid != 0 &&
      !k.Capable(Cap::kSysResource) && !k.Capable(Cap::kSysAdmin)) {
    return Errno::kEAGAIN;
  }
  return Errno::kOk;
}

// What copy_process() comes to when the memory is copied already.
Errno CheckLate(Kernel& k, uint64_t flags) {
  // create_new_namespaces()
  if ((flags & (clone::kNewNs | clone::kNewOthers)) &&
      !(flags & clone::kNewUser) && !k.Capable(Cap::kSysAdmin)) {
    return Errno::kEPERM;
  }
  if (k.pids.size() >= kPidMax - 1) return Errno::kEAGAIN;
  // There is no place to put the descriptor.
  if (flags & clone::kPidFd) return Errno::kEFAULT;
  return Errno::kOk;
}

}  // namespace

Id<Mm> MmAlloc(Kernel& k) {
  Id<Mm> id = k.mms.New();
  Mm& mm = k.mms[id];
  mm.id = id;
  mm.mm_count = 1;
  // A tag that an earlier address space had was flushed when that one ended.
  mm.asid = static_cast<Asid>(id.value());
  if (!PgdAlloc(k, mm)) {
    k.mms.Delete(id);
    return {};
  }
  return id;
}

void PickMmapLayout(Kernel& k, Mm& mm, const Task& task) {
  bool wide = k.config.profile == Profile::kX86_64;
  mm.task_size = wide ? 0x7ffffffff000 : 0xc0000000;
  constexpr uint64_t kMinGap = uint64_t{128} << 20;
  uint64_t gap = task.rlim[kRlimitStack].soft;
  uint64_t pad =
      StackMaxrandomSize(k) + (k.sysctl.stack_guard_gap << kPageShift);
  if (gap + pad > gap) gap += pad;
  gap = std::clamp(gap, kMinGap, mm.task_size / 6 * 5);
  const uint64_t rnd = ArchMmapRnd(k);
  mm.mmap_base = VirtAddr(PageAlign(mm.task_size - gap - rnd));
  mm.mmap_legacy_base = VirtAddr(PageAlign(mm.task_size / 3 + rnd));
  if (k.sysctl.legacy_va_layout == 0) {
    mm.flags |= mmf::kTopdown;
  } else {
    mm.mmap_base = mm.mmap_legacy_base;
  }
  ResetAreaCacheForExec(mm);
}

Task& NewTask(Kernel& k) {
  do {
    k.last_pid = k.last_pid + 1 >= kPidMax ? kReservedPids : k.last_pid + 1;
  } while (k.pids.contains(k.last_pid));
  Id<Task> id = k.tasks.New();
  k.pids[k.last_pid] = id;
  Task& task = k.tasks[id];
  task.pid = task.tgid = k.last_pid;
  return task;
}

ErrnoOr<uint64_t> DoClone(Kernel& k, uint64_t flags) {
  FL_TRY(CheckFlags(k, flags));
  Task& parent = k.Current();
  Id<Mm> mm = parent.mm;
  if (flags & clone::kVm) {
    k.mms[mm].mm_users++;
  } else {
    mm = FL_TRY_VALUE(DupMm(k, parent.mm));
  }
  if (const Errno e = CheckLate(k, flags); e != Errno::kOk) {
    MmPut(k, mm);
    return e;
  }
  Task& child = NewTask(k);
  child.comm = parent.comm;
  child.uid = parent.uid;
  child.rlim = parent.rlim;
  child.mempolicy = parent.mempolicy;
  child.oom_score_adj = parent.oom_score_adj;
  child.oom_score_adj_min = parent.oom_score_adj_min;
  child.vfork_done = (flags & clone::kVfork) != 0;
  child.exit_signal = static_cast<int32_t>(flags & clone::kSignalMask);
  child.ppid = parent.tgid;
  if (flags & (clone::kParent | clone::kThread)) child.ppid = parent.ppid;
  child.sibling = NextSibling(std::as_const(k), child.ppid);
  if (flags & clone::kThread) {
    child.tgid = parent.tgid;
    child.exit_signal = -1;
  }
  child.mm = mm;
  if (!(flags & clone::kVm)) k.mms[mm].owner = k.pids.at(child.pid);
  if (flags & clone::kFiles) {
    child.files = parent.files;
    k.files[child.files].users++;
  } else {
    child.files = DupFiles(k, parent.files);
  }
  k.Emit(EventLevel::kFaults, SchedProcessFork{parent.pid, child.pid});
  return uint64_t{child.pid};
}

}  // namespace faultline

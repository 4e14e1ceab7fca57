// Models fs/exec.c and mm/vma_exec.c (v6.18): do_execveat_common(),
// setup_arg_pages(), de_thread(), exec_binprm(). Departure: D72.
#include "server/machine/task/exec.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "server/machine/fs/open.h"
#include "server/machine/mm/fault.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/readahead.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/task/binfmt_elf.h"
#include "server/machine/task/binfmt_script.h"
#include "server/machine/task/exit.h"
#include "server/machine/task/fork.h"
#include "server/machine/task/randomize.h"

namespace faultline {
namespace {

// The interpreters a script may go through, and what more of them return: no
// other call of the machine does.
constexpr int kInterpreterDepthMax = 5;
constexpr Errno kELOOP{40};
// The stack that setup_arg_pages() makes below the arguments.
constexpr uint64_t kStackExpand = 128 << 10;
// MAX_ARG_STRLEN, and a quarter of the stack limit for all of them.
constexpr uint64_t kArgStrlenMax = 32 * kPageSize;

// The stack VMA below mm.start_stack: `args` bytes of strings, then 128 KiB
// below their pages.
ErrnoOr<Id<Vma>> MakeStack(Kernel& k, Mm& mm, uint64_t args,
                           bool executable = false) {
  MmapWriteLock(mm);
  Vma& vma = NewVma(k, mm);
  vma.end = mm.start_stack;
  vma.start = (vma.end - std::max(args, uint64_t{1})).Floor() - kStackExpand;
  vma.flags = vm::kRead | vm::kWrite | vm::kMayAll | vm::kGrowsDown |
              vm::kAccount | mm.def_flags;
  if (executable) vma.flags |= vm::kExec;
  // Linux made it where a 47-bit stack ends and then moved it there.
  vma.pgoff = vma.start.vpn();
  FL_TRY(VmEnoughMemory(k, mm, vma.pages().value()));
  InsertVma(k, vma);
  VmStatAccount(mm, vma.flags, static_cast<int64_t>(vma.pages().value()));
  return vma.id;
}

// prepare_arg_pages()'s limits.
Errno CheckArguments(const Task& task, const Execve& call) {
  uint64_t total = 0;
  for (const auto* list : {&call.argv, &call.envp}) {
    for (const std::string& s : *list) {
      if (s.size() + 1 > kArgStrlenMax) return Errno::kE2BIG;
      total += s.size() + 1 + sizeof(uint64_t);
    }
  }
  constexpr uint64_t kArgMin = 32 * kPageSize;
  constexpr uint64_t kStkLim = uint64_t{8} << 20;
  uint64_t limit = std::min(task.rlim[kRlimitStack].soft, kStkLim / 4 * 3 * 4);
  limit = std::max(std::min(limit / 4, kStkLim / 4 * 3), kArgMin);
  return total > limit ? Errno::kE2BIG : Errno::kOk;
}

// The image to load, when `inode` is opened first: an interpreter takes a
// script's place, and call.argv follows. `ra` says how far it was read.
ErrnoOr<Id<Inode>> FindImage(Kernel& k, Id<Inode> inode, Execve* call,
                             FileRa* ra) {
  std::string path = call->path;
  for (int depth = 0; depth <= kInterpreterDepthMax; depth++) {
    *ra = FileRaInit(k, k.inodes[inode]);
    const std::string head =
        FL_TRY_VALUE(FileRead(k, inode, ra, 0, kBinprmBufSize));
    if (!IsScript(head)) return inode;
    ScriptLine line = FL_TRY_VALUE(ParseScript(head));
    std::vector<std::string> argv = {line.interpreter};
    if (line.argument) argv.push_back(*line.argument);
    argv.push_back(path);
    if (!call->argv.empty()) {
      argv.insert(argv.end(), call->argv.begin() + 1, call->argv.end());
    }
    call->argv = std::move(argv);
    path = line.interpreter;
    inode = FL_TRY_VALUE(OpenExec(k, path));
  }
  return kELOOP;
}

// de_thread(): the other threads end, the caller becomes the leader.
void DeThread(Kernel& k, Id<Task> self) {
  std::vector<Pid> others;
  Pid tgid = k.tasks[self].tgid;
  for (auto [pid, id] : k.pids) {
    if (id != self && k.tasks[id].tgid == tgid) others.push_back(pid);
  }
  for (Pid pid : others) {
    Id<Task> id = k.pids.at(pid);
    if (pid == tgid) {
      // The leader's pid goes to the caller, with its place among children.
      Task& leader = k.tasks[id];
      Task& task = k.tasks[self];
      Pid old = task.pid;
      task.ppid = leader.ppid;
      task.sibling = leader.sibling;
      task.exit_signal = leader.exit_signal;
      leader.pid = old;
      k.pids[old] = id;
      k.pids[tgid] = self;
      task.pid = tgid;
      pid = old;
    }
    Task& other = k.tasks[k.pids.at(pid)];
    if (other.state == TaskState::kRunning) {
      DoExit(k, other, 0);
    } else {
      ReleaseTask(k, pid);
    }
  }
}

std::string Basename(const std::string& path) {
  constexpr size_t kTaskCommLen = 16;
  return path.substr(path.rfind('/') + 1).substr(0, kTaskCommLen - 1);
}

}  // namespace

ErrnoOr<Id<Inode>> OpenExec(Kernel& k, const std::string& path) {
  // Without a name it is the working directory, which is no regular file.
  if (path.empty()) return Errno::kEACCES;
  auto it = k.names.find(path);
  if (it == k.names.end()) return Errno::kENOENT;
  const Inode& inode = std::as_const(k).inodes[it->second];
  if (inode.special_file()) return Errno::kEACCES;
  if ((inode.mode & 0111) == 0) return Errno::kEACCES;
  if (IsOpenForWriting(k, it->second)) return Errno::kETXTBSY;
  return it->second;
}

Errno DoExecve(Kernel& k, const Execve& asked) {
  Execve call = asked;
  if (call.path.empty()) return Errno::kENOENT;  // getname()
  Id<Inode> inode = FL_TRY_VALUE(OpenExec(k, call.path));
  FL_TRY(CheckArguments(k.Current(), call));
  FileRa ra;
  inode = FL_TRY_VALUE(FindImage(k, inode, &call, &ra));
  ElfImage image = FL_TRY_VALUE(ReadElf(k, inode, ra));
  std::optional<ElfImage> interpreter = FL_TRY_VALUE(ReadInterpreter(k, image));
  Id<Mm> mm_id = MmAlloc(k);
  if (!mm_id) return Errno::kENOMEM;
  // Point of no return: the old address space goes.
  Id<Task> self = k.current;
  DeThread(k, self);
  k.current = self;
  Task& task = k.tasks[self];
  const uint8_t denied = k.mms[task.mm].mdwe;  // mmf_init_flags()
  if (!(denied & mdwe::kNoInherit)) k.mms[mm_id].mdwe = denied;
  KsmExecve(k, k.mms[mm_id], std::as_const(k.mms)[task.mm]);
  ExitMm(k, task);
  task.mm = mm_id;
  task.vfork_done = false;  // mm_release()
  Mm& mm = k.mms[mm_id];
  mm.mm_users = 1;
  mm.owner = self;
  task.comm = Basename(asked.path);
  PickMmapLayout(k, mm, task);
  // setup_arg_pages(): the top, until it is known what is below it.
  mm.start_stack = RandomizeStackTop(k, VirtAddr(mm.task_size));
  k.Emit(EventLevel::kFaults, SchedProcessExec{asked.path, task.pid});
  auto make_stack = [&](uint64_t args) -> Errno {
    auto stack = MakeStack(k, mm, args, image.executable_stack);
    return stack.error();
  };
  Errno e = LoadElf(k, mm, image, interpreter, call, make_stack);
  if (e != Errno::kOk) {
    constexpr int32_t kSigsegv = 11;
    KillTask(k, task, kSigsegv);
  }
  return e;
}

void BootInit(Kernel& k) {
  Task& task = NewTask(k);
  task.comm = "init";
  constexpr uint64_t kStkLim = uint64_t{8} << 20;
  task.rlim[kRlimitStack].soft = kStkLim;
  task.rlim[kRlimitMemlock] = {kStkLim, kStkLim};
  task.files = k.files.New();
  k.files[task.files].users = 1;
  Id<Mm> id = MmAlloc(k);
  VM_BUG_ON(!id);
  task.mm = id;
  Mm& mm = k.mms[id];
  mm.mm_users = 1;
  mm.owner = k.pids.at(task.pid);
  // The bare process of a recording has PR_SET_THP_DISABLE.
  mm.thp_disabled = k.config.thp == ThpMode::kNever;
  // It is not randomised, whatever the machine does later.
  const uint64_t randomize = std::exchange(k.sysctl.randomize_va_space, 0);
  PickMmapLayout(k, mm, task);
  k.sysctl.randomize_va_space = randomize;
  mm.start_stack = VirtAddr(mm.task_size);
  k.current = k.pids.at(task.pid);
  // fork_init()
  const uint64_t processes = k.sysctl.threads_max / 2;
  task.rlim[kRlimitNproc] = {processes, processes};
  // Its break is above the only page of an image, which is where a PIE is put
  // (ELF_ET_DYN_BASE), on i386 where programs are linked to be.
  constexpr uint64_t kI386Base = 0x08048000;
  const uint64_t elf_base = k.config.profile == Profile::kX86_64
                                ? mm.task_size / 3 * 2 & kPageMask
                                : kI386Base;
  mm.start_code = VirtAddr(elf_base);
  mm.end_code = mm.start_code;
  mm.start_brk = mm.brk = VirtAddr(elf_base + kPageSize);
  mm.start_data = mm.end_data = mm.start_brk;
  auto stack = MakeStack(k, mm, 1);
  VM_BUG_ON(!stack.ok());
  // It has unmapped the image, and with it went its tables.
  const VirtAddr image(elf_base);
  FreePgtables(k, mm, image, image + kPageSize, VirtAddr(0),
               k.vmas[stack.value()].start);
  VirtAddr top = k.vmas[stack.value()].end - kPageSize;
  mm.start_stack = top + kPageSize / 2;
  // The last word of a stack is zero; below it stands the program's name.
  const std::string name = "/init";
  VM_BUG_ON(CopyToUser(k, mm, top + kPageSize - 9 - name.size(), name) !=
            Errno::kOk);
  task.min_flt = task.maj_flt = 0;
  SyncMmRss(k, task);
  k.active_mm = id;
  k.current = Id<Task>();
}

}  // namespace faultline

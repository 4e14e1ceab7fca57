#include "tests/native/tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "tests/native/code_page.h"
#include "tests/native/proc_pid.h"

namespace faultline::native {
namespace {

// As a machine's first process has them (server/machine/README.md).
constexpr uint64_t kStackLimit = 8 << 20;
constexpr uint64_t kMemlockLimit = 8 << 20;

void WriteImage(const std::string& path) {
  const std::string image = ElfImage();
  const int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0755);
  if (fd < 0 || write(fd, image.data(), image.size()) !=
                    static_cast<ssize_t>(image.size())) {
    Die("cannot write " + path);
  }
  close(fd);
}

void SetLimit(__rlimit_resource resource, rlimit wanted) {
  rlimit now{};
  getrlimit(resource, &now);
  const bool is_so =
      now.rlim_cur == wanted.rlim_cur && now.rlim_max == wanted.rlim_max;
  if (!is_so && setrlimit(resource, &wanted) != 0) {
    Die("cannot set a resource limit");
  }
}

// In the child: becomes the image. Does not return.
[[noreturn]] void ExecImage(const std::string& path,
                            const std::vector<InheritedFd>& fds) {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) Die("ptrace refused");
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  for (const InheritedFd& fd : fds) {
    if (dup2(fd.ours, fd.theirs) < 0) Die("cannot pass a file descriptor");
  }
  SetLimit(RLIMIT_STACK, {kStackLimit, RLIM_INFINITY});
  SetLimit(RLIMIT_MEMLOCK, {kMemlockLimit, kMemlockLimit});
  if (personality(ADDR_NO_RANDOMIZE) < 0) {
    Die("cannot turn address randomisation off");
  }
  // No environment; Linux insists on one argument.
  const char* argv[] = {"0", nullptr};
  const char* envp[] = {nullptr};
  execve(path.c_str(), const_cast<char**>(argv), const_cast<char**>(envp));
  Die("cannot execute " + path);
}

int WaitStatus(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, __WALL) != pid) {
    if (errno != EINTR) Die(absl::StrCat("cannot wait for process ", pid));
  }
  return status;
}

user_regs_struct GetRegs(pid_t pid) {
  user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &regs) != 0) {
    Die(absl::StrCat("cannot read the registers of process ", pid));
  }
  return regs;
}

Tracee::Signal GetSignal(pid_t pid) {
  siginfo_t info;
  if (ptrace(PTRACE_GETSIGINFO, pid, nullptr, &info) != 0) {
    Die(absl::StrCat("cannot read the signal of process ", pid));
  }
  return {info.si_signo, info.si_code,
          reinterpret_cast<uint64_t>(info.si_addr)};
}

}  // namespace

void Die(const std::string& what) {
  const int error = errno;
  std::fprintf(stderr, "native: %s%s%s\n", what.c_str(), error ? ": " : "",
               error ? std::strerror(error) : "");
  std::_Exit(2);
}

std::unique_ptr<Tracee> Tracee::Launch(const std::string& directory,
                                       const std::vector<InheritedFd>& fds,
                                       HugePages huge_pages) {
  const std::string path = directory + "/image";
  WriteImage(path);
  const pid_t pid = fork();
  if (pid < 0) Die("fork");
  if (pid == 0) ExecImage(path, fds);
  const int status = WaitStatus(pid);
  if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
    errno = 0;
    Die("the traced process did not start; is ptrace forbidden here?");
  }
  const long options =
      PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE;
  if (ptrace(PTRACE_SETOPTIONS, pid, nullptr, options) != 0) {
    Die("cannot set ptrace options");
  }
  auto tracee = std::unique_ptr<Tracee>(new Tracee(pid, GetRegs(pid)));
  tracee->MapHiddenPage(kElfBase);
  tracee->UnmapAllButStack();
  if (huge_pages == HugePages::kDisabled) {
    tracee->Syscall(SYS_prctl, {PR_SET_THP_DISABLE, 1, 0, 0, 0, 0});
  }
  // A machine's first process is its init: orphans become its children.
  tracee->Syscall(SYS_prctl, {PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0});
  unlink(path.c_str());
  return tracee;
}

void Tracee::MapHiddenPage(uint64_t elf_page) {
  code_ = elf_page;
  const Stop mapped = Syscall(
      SYS_mmap, {kHiddenPage, 4096, PROT_READ | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, ~0ul, 0});
  if (mapped.kind != Stop::Kind::kDone || mapped.result != kHiddenPage) {
    errno = 0;
    Die("cannot map the hidden page");
  }
  const std::string mem = absl::StrCat("/proc/", pid_, "/mem");
  const int fd = open(mem.c_str(), O_RDWR | O_CLOEXEC);
  const auto page = CodePage();
  if (fd < 0 ||
      pwrite(fd, page.data(), page.size(), static_cast<off_t>(kHiddenPage)) !=
          static_cast<ssize_t>(page.size())) {
    Die("cannot write the hidden page");
  }
  close(fd);
  code_ = kHiddenPage;
}

void Tracee::UnmapAllButStack() {
  for (const ProcMapsRow& row : ReadMaps(pid_)) {
    if (row.name == "[stack]" || row.start == kHiddenPage) continue;
    Syscall(SYS_munmap, {row.start, row.end - row.start, 0, 0, 0, 0});
  }
}

Tracee::~Tracee() {
  if (!alive_) return;
  kill(pid_, SIGKILL);
  Bury();
}

uint64_t Tracee::Put(const void* bytes, size_t size) {
  constexpr uint64_t kArea = kHiddenPage + 2048;
  const std::string mem = absl::StrCat("/proc/", pid_, "/mem");
  const int fd = open(mem.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0 || pwrite(fd, bytes, size, static_cast<off_t>(kArea)) !=
                    static_cast<ssize_t>(size)) {
    Die("cannot write the hidden page");
  }
  close(fd);
  return kArea;
}

void Tracee::Bury() {
  int status = 0;
  while (alive_ && waitpid(pid_, &status, __WALL) == pid_) {
    alive_ = !WIFEXITED(status) && !WIFSIGNALED(status);
  }
}

user_regs_struct Tracee::At(uint64_t offset) const {
  user_regs_struct regs = base_;
  regs.rip = code_ + offset;
  // Not in a system call: nothing to restart.
  regs.orig_rax = ~0ull;
  // What an instruction of a fetched page may use as an address: a page that
  // cannot be written, so that it has no effect.
  regs.rax = kHiddenPage;
  return regs;
}

Tracee::Stop Tracee::Run(const user_regs_struct& regs) {
  Stop stop;
  if (ptrace(PTRACE_SETREGS, pid_, nullptr, &regs) != 0) {
    Die(absl::StrCat("cannot set the registers of process ", pid_));
  }
  while (true) {
    if (ptrace(PTRACE_CONT, pid_, nullptr, nullptr) != 0) {
      Die(absl::StrCat("cannot resume process ", pid_));
    }
    const int status = WaitStatus(pid_);
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      alive_ = false;
      stop.kind = WIFEXITED(status) ? Stop::Kind::kExited : Stop::Kind::kKilled;
      stop.killer = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      return stop;
    }
    const int event = status >> 16;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_CLONE) {
      unsigned long child = 0;
      ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &child);
      WaitStatus(static_cast<pid_t>(child));  // It starts stopped.
      stop.child.reset(new Tracee(static_cast<pid_t>(child), base_));
      continue;
    }
    if (WSTOPSIG(status) == SIGTRAP) {
      stop.result = GetRegs(pid_).rax;
      return stop;
    }
    if (WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) == SIGCHLD) continue;
    stop.kind = Stop::Kind::kSignal;
    stop.signal = GetSignal(pid_);
    return stop;
  }
}

Tracee::Stop Tracee::Syscall(long number, const std::array<uint64_t, 6>& args) {
  user_regs_struct regs = At(kSyscallStub);
  regs.rax = static_cast<uint64_t>(number);
  regs.rdi = args[0];
  regs.rsi = args[1];
  regs.rdx = args[2];
  regs.r10 = args[3];
  regs.r8 = args[4];
  regs.r9 = args[5];
  return Run(regs);
}

Tracee::Stop Tracee::Load(uint64_t addr) {
  user_regs_struct regs = At(kLoadStub);
  regs.rax = 0;
  regs.rdi = addr;
  return Run(regs);
}

Tracee::Stop Tracee::Store(uint64_t addr, uint8_t byte, bool stack_pointer) {
  user_regs_struct regs = At(kStoreStub);
  regs.rdi = addr;
  regs.rsi = byte;
  if (stack_pointer) regs.rsp = addr;
  return Run(regs);
}

Tracee::Stop Tracee::LoadRange(uint64_t addr, uint64_t count, uint64_t stride) {
  if (count == 0) return Stop();
  user_regs_struct regs = At(kLoadLoopStub);
  regs.rdi = addr;
  regs.rcx = count;
  regs.rdx = stride;
  return Run(regs);
}

Tracee::Stop Tracee::StoreRange(uint64_t addr, uint64_t count, uint64_t stride,
                                uint8_t byte) {
  if (count == 0) return Stop();
  user_regs_struct regs = At(kStoreLoopStub);
  regs.rdi = addr;
  regs.rcx = count;
  regs.rdx = stride;
  regs.rsi = byte;
  return Run(regs);
}

// The trap flag, and not PTRACE_SINGLESTEP: that reads the instruction through
// get_user_pages(), which brings its page in and marks it accessed
// (arch/x86/kernel/step.c: is_setting_trap_flag()).
Tracee::Stop Tracee::Fetch(uint64_t addr) {
  constexpr unsigned long kTrapFlag = 0x100;
  user_regs_struct regs = At(0);
  regs.rip = addr;
  regs.eflags |= kTrapFlag;
  // What it pushes would be a write to the stack of the script.
  regs.rsp = kHiddenPage;
  // From a call of the vsyscall page the kernel itself returns: to the hidden
  // page, and not to what the script may have at address 0.
  constexpr uint64_t kVsyscallPage = 0xffffffffff600000;
  if (addr >= kVsyscallPage) regs.rsp = Put(&code_, sizeof(code_));
  return Run(regs);
}

}  // namespace faultline::native

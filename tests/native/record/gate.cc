#include "tests/native/record/gate.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

// Newer than the headers of Debian 11 and 12; the values are the kernel's ABI.
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace faultline::record {
namespace {

// The signal that asked us to stop. The command is in a process group of its
// own, so that it can be ended with all its children: a terminal's Ctrl-C
// reaches only us.
volatile sig_atomic_t interruption = 0;

void OnInterruption(int signal) { interruption = signal; }

void CatchInterruptions() {
  struct sigaction action = {};
  action.sa_handler = OnInterruption;
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
    sigaction(signal, &action, nullptr);
  }
}

constexpr uint32_t kArchSetFs = 0x1002;
constexpr uint32_t kPtraceCont = 7;
constexpr uint32_t kPtraceSyscall = 24;

// What the child reports before it becomes the command.
enum class Stage : char { kPersonality, kStackLimit, kFilter, kExec, kReady };

struct Report {
  Stage stage = Stage::kReady;
  int error = 0;
};

sock_filter LoadWord(uint32_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}

constexpr uint32_t LowOfArgument(size_t i) {
  return static_cast<uint32_t>(offsetof(seccomp_data, args) +
                               i * sizeof(uint64_t));
}

// Appends: if the accumulator equals `value`, run `then`; `then` must return.
void If(std::vector<sock_filter>& program, uint32_t value,
        const std::vector<sock_filter>& then) {
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0,
                             static_cast<uint8_t>(then.size())));
  program.insert(program.end(), then.begin(), then.end());
}

std::vector<sock_filter> FilterProgram() {
  const sock_filter hold = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
  const sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  std::vector<sock_filter> program;
  program.push_back(LoadWord(offsetof(seccomp_data, arch)));
  program.push_back(
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
  program.push_back(allow);
  program.push_back(LoadWord(offsetof(seccomp_data, nr)));
  for (const uint32_t number :
       {__NR_execve, __NR_execveat, __NR_exit, __NR_exit_group}) {
    If(program, number, {hold});
  }
  std::vector<sock_filter> brk = {LoadWord(LowOfArgument(0))};
  If(brk, 0,
     {LoadWord(LowOfArgument(0) + sizeof(uint32_t)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), hold, allow});
  brk.push_back(allow);
  If(program, __NR_brk, brk);
  std::vector<sock_filter> arch_prctl = {LoadWord(LowOfArgument(0))};
  If(arch_prctl, kArchSetFs, {hold});
  arch_prctl.push_back(allow);
  If(program, __NR_arch_prctl, arch_prctl);
  const std::vector<sock_filter> unless_no_signal = {
      LoadWord(LowOfArgument(3)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
      hold, allow};
  std::vector<sock_filter> ptrace = {LoadWord(LowOfArgument(0))};
  If(ptrace, kPtraceCont, unless_no_signal);
  If(ptrace, kPtraceSyscall, unless_no_signal);
  ptrace.push_back(allow);
  If(program, __NR_ptrace, ptrace);
  program.push_back(allow);
  return program;
}

// Answers the listening descriptor, or -1 with errno.
int InstallFilter() {
  std::vector<sock_filter> program = FilterProgram();
  const sock_fprog filter = {static_cast<unsigned short>(program.size()),
                             program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  // With WAIT_KILLABLE_RECV (5.19) a held call is not interrupted by signals.
  for (const unsigned long extra :
       {static_cast<unsigned long>(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV),
        0UL}) {
    const long fd = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
                            SECCOMP_FILTER_FLAG_NEW_LISTENER | extra, &filter);
    if (fd >= 0 || errno != EINVAL) return static_cast<int>(fd);
  }
  return -1;
}

void SendReport(int socket, Report report, int fd) {
  iovec data = {&report, sizeof(report)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  while (sendmsg(socket, &message, 0) < 0 && errno == EINTR) {
  }
}

// Answers false at the end of the stream.
bool ReceiveReport(int socket, Report* report, int* fd) {
  iovec data = {report, sizeof(*report)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t size = 0;
  do {
    size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(sizeof(*report))) return false;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    std::memcpy(fd, CMSG_DATA(header), sizeof(*fd));
  }
  return true;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) {
    pointers.push_back(const_cast<char*>(string.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// Runs in the child, up to the command.
[[noreturn]] void BecomeCommand(int socket, const Start& start) {
  const auto give_up = [socket](Stage stage) {
    SendReport(socket, {stage, errno}, -1);
    _exit(1);
  };
  setpgid(0, 0);
  if (isatty(STDIN_FILENO) != 0) {
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
  }
  if (personality(ADDR_NO_RANDOMIZE) < 0) give_up(Stage::kPersonality);
  rlimit limit = {};
  constexpr rlim_t kStackBytes = rlim_t{8} << 20;
  getrlimit(RLIMIT_STACK, &limit);
  limit.rlim_cur = kStackBytes;
  if (setrlimit(RLIMIT_STACK, &limit) != 0) give_up(Stage::kStackLimit);
  std::vector<char*> argv = Pointers(start.command);
  std::vector<char*> envp = Pointers(start.environment);
  const int listener = InstallFilter();
  if (listener < 0) give_up(Stage::kFilter);
  SendReport(socket, {Stage::kReady, 0}, listener);
  close(listener);
  execvpe(argv[0], argv.data(), envp.data());
  give_up(Stage::kExec);
  _exit(1);
}

}  // namespace

bool Gate::interrupted() const { return interruption != 0; }

bool Gate::Fail(const std::string& what, bool forbidden) {
  error_ = what;
  forbidden_ = forbidden;
  return false;
}

bool Gate::Run(const Start& start) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return Fail(std::string("socketpair: ") + std::strerror(errno), false);
  }
  command_ = fork();
  if (command_ < 0) {
    return Fail(std::string("fork: ") + std::strerror(errno), false);
  }
  if (command_ == 0) BecomeCommand(sockets[1], start);
  close(sockets[1]);
  CatchInterruptions();
  Report report;
  const bool heard = ReceiveReport(sockets[0], &report, &listener_);
  close(sockets[0]);
  if (heard && report.stage == Stage::kReady && listener_ >= 0) return true;
  waitpid(command_, &wait_status_, 0);
  const std::string reason = std::strerror(report.error);
  switch (report.stage) {
    case Stage::kPersonality:
      return Fail(
          "switching address randomisation off is forbidden here: " + reason,
          true);
    case Stage::kStackLimit:
      return Fail("setting an 8 MiB stack limit is forbidden here: " + reason,
                  true);
    case Stage::kFilter:
      return Fail(
          "seccomp user notification is forbidden here or the kernel "
          "is older than 5.5: " +
              reason,
          true);
    default:
      return Fail("the recording could not be started", false);
  }
}

bool Gate::Wait(HeldCall* call,
                std::chrono::steady_clock::time_point deadline) {
  constexpr int kPollMs = 20;
  while (true) {
    pollfd entry = {listener_, POLLIN, 0};
    const int ready = poll(&entry, 1, ended_ ? 0 : kPollMs);
    if (ready > 0 && (entry.revents & POLLIN) != 0) {
      seccomp_notif notification = {};
      if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) {
        continue;  // the task died, or a signal took it out of the call
      }
      call->id = notification.id;
      call->task = static_cast<pid_t>(notification.pid);
      call->number = notification.data.nr;
      for (size_t i = 0; i < call->arguments.size(); ++i) {
        call->arguments[i] = notification.data.args[i];
      }
      return true;
    }
    if (ended_) return false;
    if (waitpid(command_, &wait_status_, WNOHANG) == command_) {
      ended_ = true;
    } else if (interruption != 0) {
      return false;
    } else if (std::chrono::steady_clock::now() > deadline) {
      timed_out_ = true;
      return false;
    }
  }
}

void Gate::Release(const HeldCall& call) {
  seccomp_notif_resp response = {};
  response.id = call.id;
  response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  // Fails only when the task is gone, which is as good.
  ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void Gate::Kill() {
  // Closing the listener would leave held calls to fail; kill them first.
  kill(-command_, SIGKILL);
  kill(command_, SIGKILL);
  if (!ended_) waitpid(command_, &wait_status_, 0);
  ended_ = true;
}

}  // namespace faultline::record

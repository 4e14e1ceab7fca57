// Records a program for re-enactment: what strace says of it, and what the
// kernel says in the same run about its memory at the start and at the end of
// each image.
//
//   record_trace OUTDIR -- PROGRAM [ARGUMENT...]
//
// OUTDIR gets
//   strace.txt              strace -f -y of the program
//   snap/N.execK.maps       /proc/PID/maps at the first system call after the
//                           K-th execve of process N
//   snap/N.exitK.maps       … at the end of that image: at exit_group, at a
//                           fatal signal, or at the execve that replaces it
//                           (K = 0: a fork's copy that never called execve)
//   snap/N.….status         the same for /proc/PID/status (smaps with --smaps)
//   snap/tasks.tsv          N, pid: tasks in order of creation, the first is 1
//   snap/elf/index.tsv      path, real path, file size, file with the head
//   snap/elf/*.elfhdr       the start of each ELF file that was executed, and
//                           of its interpreter
//   about.txt               the command, the kernel, strace's version
//
// How: a seccomp filter, inherited by strace and by the program, holds the
// calls that begin and end an image until their process's files are copied. A
// process that dies by a signal makes no such call; there the filter holds
// strace itself, in the ptrace request that hands the signal over.

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "client/cli/strace/reader.h"
#include "tests/native/record/gate.h"
#include "tests/native/record/snapshot.h"

namespace faultline::record {
namespace {

namespace fs = std::filesystem;

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kForbidden = 77;  // the convention for a skipped test

constexpr char kUsageText[] =
    "usage: record_trace [--smaps] [--only-memory] [--timeout SECONDS]\n"
    "                    OUTDIR -- PROGRAM [ARGUMENT...]\n"
    "Records PROGRAM with strace and copies the true /proc/PID/maps of each\n"
    "process at the start and at the end of each image.\n"
    "  --smaps           copy /proc/PID/smaps as well\n"
    "  --only-memory     only calls of memory and processes, not of files\n"
    "  --timeout SECONDS end the program after so long (default 60)\n"
    "Exit status: 0 recorded (whatever PROGRAM answered), 1 failed, 2 wrong\n"
    "usage, 77 this machine forbids recording.\n";

struct Options {
  fs::path directory;
  std::vector<std::string> command;
  bool smaps = false;
  bool only_memory = false;
  int timeout_s = 60;
};

// One copied set of /proc files.
struct Snapshot {
  pid_t process = 0;
  std::string moment;  // "exec1", "exit1"
  std::map<std::string, std::string> files;
};

class Recorder {
 public:
  explicit Recorder(Options options) : options_(std::move(options)) {}

  int Run();

 private:
  int Record();
  void Take(const HeldCall& call);
  void TakeExecve(const HeldCall& call, size_t path_argument);
  void TakeFirstCall(pid_t task);
  void TakeSignal(pid_t task, int signal);
  void Copy(pid_t task, pid_t process, const std::string& moment);
  bool Write();
  std::map<pid_t, int> NumberTasks() const;

  Options options_;
  Gate gate_;
  // Per process: how often it called execve with success, and the path of an
  // execve whose outcome is not known yet.
  std::map<pid_t, int> images_;
  std::map<pid_t, std::string> asked_;
  std::map<std::pair<pid_t, std::string>, Snapshot> snapshots_;
  std::map<std::string, ElfHead> heads_;
};

void Complain(const std::string& text) {
  std::fprintf(stderr, "record_trace: %s\n", text.c_str());
}

pid_t ProcessOf(pid_t task) {
  const auto process = StatusField(ProcText(task, "status"), "Tgid:", 10);
  return process.has_value() ? static_cast<pid_t>(*process) : task;
}

// Whether `signal` ends the task now: it is neither caught nor ignored, and
// its default is to end the process.
bool IsFatal(const std::string& status, int signal) {
  switch (signal) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
      return false;
    default:
      break;
  }
  const uint64_t bit = uint64_t{1} << (signal - 1);
  const uint64_t caught = StatusField(status, "SigCgt:", 16).value_or(0);
  const uint64_t ignored = StatusField(status, "SigIgn:", 16).value_or(0);
  return ((caught | ignored) & bit) == 0;
}

// strace would only say it after the fact, and less clearly.
bool PtraceIsAllowed() {
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return false;
  if (!WIFSTOPPED(status)) return false;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return true;
}

bool InPath(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::string rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const fs::path candidate = fs::path(rest.substr(0, colon)) / program;
    if (access(candidate.c_str(), X_OK) == 0) return true;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return false;
}

int Recorder::Run() {
  if (!InPath("strace")) {
    Complain(
        "strace is not installed; install it with: apt-get install strace");
    return kForbidden;
  }
  if (!PtraceIsAllowed()) {
    Complain(
        "ptrace is forbidden here, so strace cannot work (in a container, run "
        "it with --cap-add=SYS_PTRACE)");
    return kForbidden;
  }
  std::error_code error;
  fs::create_directories(options_.directory / "snap" / "elf", error);
  if (error) {
    Complain("cannot create " + options_.directory.string() + ": " +
             error.message());
    return kFailed;
  }
  return Record();
}

int Recorder::Record() {
  Start start;
  start.command = {"strace", "-f", "-y", "-o",
                   (options_.directory / "strace.txt").string()};
  if (options_.only_memory) {
    start.command.insert(start.command.end(),
                         {"-e", "trace=%memory,%process,prlimit64"});
  }
  start.command.emplace_back("--");
  start.command.insert(start.command.end(), options_.command.begin(),
                       options_.command.end());
  start.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/",
                       "LC_ALL=C.UTF-8"};
  if (!gate_.Run(start)) {
    Complain(gate_.error());
    return gate_.forbidden() ? kForbidden : kFailed;
  }
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::seconds(options_.timeout_s);
  HeldCall call;
  while (gate_.Wait(&call, deadline)) {
    Take(call);
    gate_.Release(call);
  }
  if (gate_.interrupted()) {
    gate_.Kill();
    Complain("interrupted");
    return kFailed;
  }
  if (gate_.timed_out()) {
    gate_.Kill();
    Complain("the program did not end within " +
             std::to_string(options_.timeout_s) + " s; see --timeout");
    return kFailed;
  }
  return Write() ? kOk : kFailed;
}

void Recorder::Take(const HeldCall& call) {
  if (call.task == gate_.command_pid()) {
    if (call.number == __NR_ptrace) {
      TakeSignal(static_cast<pid_t>(call.arguments[1]),
                 static_cast<int>(call.arguments[3]));
    }
    return;  // strace's own beginning and end
  }
  switch (call.number) {
    case __NR_execve:
      return TakeExecve(call, 0);
    case __NR_execveat:
      return TakeExecve(call, 1);
    case __NR_brk:
    case __NR_arch_prctl:
      return TakeFirstCall(call.task);
    case __NR_exit: {
      const auto threads =
          StatusField(ProcText(call.task, "status"), "Threads:", 10);
      if (threads != 1U) return;
      [[fallthrough]];
    }
    case __NR_exit_group: {
      const pid_t process = ProcessOf(call.task);
      Copy(call.task, process, "exit" + std::to_string(images_[process]));
      return;
    }
    default:
      return;
  }
}

// The image may end here. When the call fails, its end comes later and is
// copied over this one.
void Recorder::TakeExecve(const HeldCall& call, size_t path_argument) {
  const pid_t process = ProcessOf(call.task);
  asked_[process] =
      StringAt(call.task, call.arguments[path_argument]).value_or("");
  // Before its first execve the first process is a part of strace.
  const std::string parent_text = ProcText(call.task, "status");
  const auto parent = StatusField(parent_text, "PPid:", 10);
  const bool is_first = parent == static_cast<uint64_t>(gate_.command_pid()) &&
                        images_[process] == 0;
  if (is_first) return;
  Copy(call.task, process, "exit" + std::to_string(images_[process]));
}

// The first call that a C library makes in a new image; it makes more like it
// later, when nothing is asked for.
void Recorder::TakeFirstCall(pid_t task) {
  const pid_t process = ProcessOf(task);
  const auto asked = asked_.find(process);
  if (asked == asked_.end()) return;
  const std::optional<std::string> executed = ExecutedPath(task);
  if (!executed.has_value()) return;
  // An execve that failed leaves the old image, which has another path.
  if (!asked->second.empty() && *executed != asked->second) return;
  asked_.erase(asked);
  ++images_[process];
  Copy(task, process, "exec" + std::to_string(images_[process]));
  for (ElfHead& head : ElfHeadsOf(task, *executed)) {
    heads_.emplace(head.path, std::move(head));
  }
}

void Recorder::TakeSignal(pid_t task, int signal) {
  if (!IsFatal(ProcText(task, "status"), signal)) return;
  const pid_t process = ProcessOf(task);
  Copy(task, process, "exit" + std::to_string(images_[process]));
}

void Recorder::Copy(pid_t task, pid_t process, const std::string& moment) {
  Snapshot snapshot;
  snapshot.process = process;
  snapshot.moment = moment;
  snapshot.files["maps"] = ProcText(task, "maps");
  snapshot.files["status"] = ProcText(task, "status");
  if (options_.smaps) snapshot.files["smaps"] = ProcText(task, "smaps");
  if (snapshot.files["maps"].empty()) return;  // killed meanwhile
  snapshots_[{process, moment}] = std::move(snapshot);
}

// Tasks in the order in which strace shows them to be made.
std::map<pid_t, int> Recorder::NumberTasks() const {
  std::ifstream text(options_.directory / "strace.txt");
  strace::Reader reader(text);
  std::map<pid_t, int> numbers;
  const auto number = [&numbers](pid_t pid) {
    numbers.emplace(pid, static_cast<int>(numbers.size()) + 1);
  };
  while (const std::optional<strace::Record> record = reader.Next()) {
    number(record->pid);
    const auto* call = std::get_if<strace::Syscall>(&record->event);
    if (call != nullptr && strace::CreatesTask(call->name) &&
        call->result.ok()) {
      number(static_cast<pid_t>(call->result.value));
    }
  }
  return numbers;
}

// The first line of what the command prints.
std::string FirstLineOf(const char* command) {
  char line[256] = "";
  FILE* const pipe = popen(command, "r");
  if (pipe == nullptr) return "";
  if (std::fgets(line, sizeof(line), pipe) == nullptr) line[0] = '\0';
  pclose(pipe);
  line[std::strcspn(line, "\n")] = '\0';
  return line;
}

std::string Quoted(const std::string& word) {
  constexpr char kPlain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
    return word;
  }
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

bool Recorder::Write() {
  const std::map<pid_t, int> numbers = NumberTasks();
  if (numbers.empty() || snapshots_.empty()) {
    Complain("nothing was recorded of " + options_.command.front() +
             "; see strace's message above");
    return false;
  }
  const fs::path snap = options_.directory / "snap";
  bool good = true;
  const auto write = [&good](const fs::path& path, const std::string& bytes) {
    std::ofstream out(path, std::ios::binary);
    out << bytes;
    out.close();
    if (!out) {
      Complain("cannot write " + path.string());
      good = false;
    }
  };
  std::string tasks;
  for (const auto& [pid, n] : numbers) {
    tasks += std::to_string(n) + "\t" + std::to_string(pid) + "\n";
  }
  write(snap / "tasks.tsv", tasks);
  for (const auto& [key, snapshot] : snapshots_) {
    const auto n = numbers.find(snapshot.process);
    if (n == numbers.end()) continue;
    for (const auto& [name, text] : snapshot.files) {
      write(snap / (std::to_string(n->second) + "." + snapshot.moment + "." +
                    name),
            text);
    }
  }
  std::string index;
  std::set<std::string> names;
  for (const auto& [path, head] : heads_) {
    std::string name = fs::path(path).filename().string();
    while (!names.insert(name).second) name += "_";
    name += ".elfhdr";
    write(snap / "elf" / name, head.bytes);
    for (const std::string& cell :
         {path, head.real, std::to_string(head.size)}) {
      index.append(cell).append("\t");
    }
    index.append(name).append("\n");
  }
  write(snap / "elf" / "index.tsv", index);
  utsname system = {};
  uname(&system);
  std::string about = "command:";
  for (const std::string& word : options_.command) {
    about += " ";
    about += Quoted(word);
  }
  about += std::string("\nkernel: ") + system.sysname + " " + system.release +
           " " + system.machine + "\nstrace: " + FirstLineOf("strace -V") +
           "\n";
  write(options_.directory / "about.txt", about);
  return good;
}

bool ParseOptions(const std::vector<std::string>& words, Options* options) {
  size_t i = 0;
  for (; i < words.size() && words[i].rfind("--", 0) == 0; ++i) {
    if (words[i] == "--smaps") {
      options->smaps = true;
    } else if (words[i] == "--only-memory") {
      options->only_memory = true;
    } else if (words[i] == "--timeout" && i + 1 < words.size()) {
      options->timeout_s = std::atoi(words[++i].c_str());
      if (options->timeout_s <= 0) return false;
    } else {
      return false;
    }
  }
  if (i + 2 >= words.size() || words[i + 1] != "--") return false;
  options->directory = words[i];
  options->command.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 2,
                          words.end());
  return true;
}

}  // namespace
}  // namespace faultline::record

int main(int argc, char** argv) {
  using faultline::record::Options;
  Options options;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!faultline::record::ParseOptions(words, &options)) {
    std::fputs(faultline::record::kUsageText, stderr);
    return faultline::record::kUsage;
  }
  return faultline::record::Recorder(std::move(options)).Run();
}

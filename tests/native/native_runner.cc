#include "tests/native/native_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/scenario/expect.h"
#include "tests/native/affinity.h"
#include "tests/native/proc_pid.h"

namespace faultline::native {
namespace {

using scenario::Op;
using scenario::OpKind;
using scenario::OpResult;

constexpr uint64_t kPageBytes = 4096;
constexpr long kSysMseal = 462;
constexpr int64_t kEndOfFile = -1000;  // What a pread past the end returns.

bool IsSupported(OpKind kind) {
  return kind <= OpKind::kFadvise
             ? kind != OpKind::kExec
             : kind == OpKind::kSync || kind == OpKind::kCat ||
                   kind == OpKind::kDump || kind == OpKind::kExpect;
}

// The number of a system call, for ops that are one call with the arguments of
// the line.
std::optional<long> SyscallNumber(OpKind kind) {
  switch (kind) {
    case OpKind::kMmap:
      return SYS_mmap;
    case OpKind::kMunmap:
      return SYS_munmap;
    case OpKind::kMprotect:
      return SYS_mprotect;
    case OpKind::kMremap:
      return SYS_mremap;
    case OpKind::kBrk:
      return SYS_brk;
    case OpKind::kMadvise:
      return SYS_madvise;
    case OpKind::kMlock:
      return SYS_mlock;
    case OpKind::kMlock2:
      return SYS_mlock2;
    case OpKind::kMunlock:
      return SYS_munlock;
    case OpKind::kMlockall:
      return SYS_mlockall;
    case OpKind::kMunlockall:
      return SYS_munlockall;
    case OpKind::kMsync:
      return SYS_msync;
    case OpKind::kMseal:
      return kSysMseal;
    case OpKind::kRemapFilePages:
      return SYS_remap_file_pages;
    case OpKind::kUserfaultfd:
      return SYS_userfaultfd;
    default:
      return std::nullopt;
  }
}

// Bits 47 and above are alike: the CPU takes no other for an address.
bool IsCanonical(uint64_t addr) {
  const uint64_t top = addr >> 47;
  return top == 0 || top == 0x1ffff;
}

// May an instruction be fetched there at all? Of the vsyscall page only where
// its three calls begin, which the kernel does itself.
bool IsCode(uint64_t addr) {
  constexpr uint64_t kVsyscallPage = 0xffffffffff600000;
  if ((addr & ~(kPageBytes - 1)) != kVsyscallPage) return IsCanonical(addr);
  return (addr & 0x3ff) == 0 && (addr & 0xc00) != 0xc00;
}

// Those that were seen to end by ptrace, and are now ours to wait for as well.
void ReapOrphans() {
  while (waitpid(-1, nullptr, WNOHANG | __WALL) > 0) {
  }
}

// Lifts a limit of the process as far as may be; returns what it was.
rlimit LiftLimit(pid_t pid, __rlimit_resource resource) {
  rlimit old = {};
  prlimit(pid, resource, nullptr, &old);
  const rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
  if (prlimit(pid, resource, &none, nullptr) == 0) return old;
  const rlimit highest = {old.rlim_max, old.rlim_max};
  prlimit(pid, resource, &highest, nullptr);
  return old;
}

void SetOwnLimit(Tracee& process, uint64_t resource, const rlimit& limit) {
  const uint64_t at = process.Put(&limit, sizeof(limit));
  process.Syscall(SYS_setrlimit, {resource, at, 0, 0, 0, 0});
}

// What $label stands for.
uint64_t LabelValue(const OpResult& result) {
  if (result.error) return 0 - static_cast<uint64_t>(*result.error);
  if (result.ret) return *result.ret;
  if (result.file_ret) return static_cast<uint64_t>(*result.file_ret);
  if (result.value) return static_cast<uint64_t>(*result.value);
  return 0;
}

int64_t OrErrno(int64_t value) { return value < 0 ? -errno : value; }

// 0 or a negative errno.
int64_t WriteFile(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int64_t result = OrErrno(write(fd, text.data(), text.size()));
  close(fd);
  return result < 0 ? result : 0;
}

constexpr char kThpEnabled[] = "/sys/kernel/mm/transparent_hugepage/enabled";

bool WantsHugePages(const scenario::Script& script) {
  for (const Op& op : script.ops) {
    if (op.kind != OpKind::kBoot) continue;
    return !op.boot.thp.empty() && op.boot.thp != "never";
  }
  return false;
}

// khugepaged looks at what is new at once when it had nothing to do, and only
// every 10 s when it has: so it has something, for as long as this runs.
void KeepKhugepagedWaiting() {
  constexpr size_t kBytes = 4 << 20;
  static void* const area = [] {
    void* const at =
        mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED) madvise(at, kBytes, MADV_HUGEPAGE);
    return at;
  }();
  static_cast<void>(area);
}

// CONFIG_MEM_SOFT_DIRTY: a new mapping is then marked.
bool KernelHasSoftDirty() {
  static const bool has =
      absl::StrContains(ReadWholeFile("/proc/self/smaps"), " sd ");
  return has;
}

}  // namespace

void RecordReturn(uint64_t rax, OpResult* result) {
  const auto value = static_cast<int64_t>(rax);
  if (value < 0 && value >= -4095) {
    result->error = static_cast<int>(-value);
  } else {
    result->ret = rax;
  }
}

std::string NativeRunner::KernelThpMode() {
  const std::string text = ReadWholeFile(kThpEnabled);
  const size_t at = text.find('[') + 1;
  return text.substr(at, text.find(']') - at);
}

std::string NativeRunner::FirstUnsupported(const scenario::Script& script) {
  for (const Op& op : script.ops) {
    const std::string where =
        absl::StrCat(script.file_name, ":", op.line, ":", op.column, ": ");
    if (!IsSupported(op.kind)) {
      return absl::StrCat(where, "the native runner cannot do '", op.text,
                          "': only a simulated machine can");
    }
    const std::string thp = op.kind == OpKind::kBoot ? op.boot.thp : "";
    if (!thp.empty() && thp != "never" && thp != KernelThpMode()) {
      return absl::StrCat(where, "the script wants thp=", thp, ", and ",
                          kThpEnabled, " has [", KernelThpMode(), "]");
    }
    constexpr uint64_t kCloneThread = 0x10000, kSigkill = 9;
    if (op.kind == OpKind::kClone && (op.flags & kCloneThread) != 0) {
      return absl::StrCat(where, "the native runner makes no threads");
    }
    if (op.kind == OpKind::kKill && op.flags != 0 && op.flags != kSigkill) {
      return absl::StrCat(where, "the native runner sends SIGKILL or 0 only");
    }
    if (op.kind == OpKind::kBoot && !op.boot.profile.empty() &&
        op.boot.profile != "x86_64") {
      return absl::StrCat(where, "the native runner has no profile '",
                          op.boot.profile, "': this machine is x86_64");
    }
  }
  return "";
}

NativeRunner::NativeRunner(const scenario::Script& script,
                           const RunnerOptions& options, std::ostream& out)
    : script_(script),
      options_(options),
      out_(out),
      files_(options.files),
      dumper_(files_) {
  for (const Op& op : script_.ops) {
    if (op.kind == OpKind::kFile) files_.Create(op.file);
  }
  auto huge_pages = Tracee::HugePages::kDisabled;
  if (WantsHugePages(script_)) {
    KeepKhugepagedWaiting();
    huge_pages = Tracee::HugePages::kAsTheKernelSays;
  }
  processes_.push_back(
      Tracee::Launch(files_.directory(), files_.Inherited(), huge_pages));
  pids_.push_back(processes_[0]->pid());
  start_brk_ = ReadStartBrk(processes_[0]->pid());
}

std::string NativeRunner::Run() {
  // When the first process is dead, orphans are ours.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ReapOrphans();  // of another run; they count for RLIMIT_NPROC
  for (const Op& op : script_.ops) {
    if (scenario::IsNumbered(op.kind)) {
      RunNumbered(op);
    } else if (op.kind == OpKind::kDump && !options_.maps_each) {
      DumpAll(op.dump);
    } else if (op.kind == OpKind::kExpect) {
      const std::string failure = CheckExpect(op);
      if (!failure.empty()) return failure;
    }
  }
  return "";
}

void NativeRunner::RunNumbered(const Op& op) {
  ++number_;
  last_ = Execute(op);
  if (op.kind == OpKind::kExit || op.kind == OpKind::kKill) ReapOrphans();
  DrainFolioBatches();
  last_.number = number_;
  last_.process = op.process;
  last_.op = op.text;
  if (!op.label.empty()) labels_[op.label] = LabelValue(last_);
  out_ << scenario::JsonLine(last_) << "\n";
  if (options_.maps_each) DumpAll({.maps = true});
}

bool NativeRunner::IsAlive(int process) const {
  return static_cast<size_t>(process) < processes_.size() &&
         processes_[static_cast<size_t>(process)] != nullptr;
}

uint64_t NativeRunner::StackStart(int process) const {
  for (const ProcMapsRow& row : ReadMaps(processes_[process]->pid())) {
    if (row.name == "[stack]") return row.start;
  }
  return 0;
}

uint64_t NativeRunner::Value(const Op& op, const scenario::Expr& expr,
                             uint64_t when_empty) const {
  if (expr.empty()) return when_empty;
  const auto value = scenario::Evaluate(
      expr, [&](absl::string_view name) -> std::optional<uint64_t> {
        if (name == "brk") return start_brk_;
        if (name == "stk") return StackStart(op.process);
        const auto label = labels_.find(std::string(name));
        return label == labels_.end() ? 0 : label->second;
      });
  return *value;  // Every symbol has a value.
}

OpResult NativeRunner::Execute(const Op& op) {
  OpResult result;
  if (op.kind == OpKind::kSync) {
    sync();
    return result;
  }
  if (!IsAlive(op.process)) {
    result.skip = true;
    return result;
  }
  if (op.kind == OpKind::kCat) {
    result.printed = ReadProc(op.words[0], op.process);
    return result;
  }
  const pid_t pid = processes_[op.process]->pid();
  const FaultCounts before = ReadFaults(pid);
  if (op.kind == OpKind::kClearRefs) {
    ExecuteClearRefs(op, &result);
  } else if (op.kind == OpKind::kAccesses) {
    ExecuteAccesses(op, &result);
  } else if (op.kind >= OpKind::kRead && op.kind <= OpKind::kFetch) {
    ExecuteAccess(op, &result);
  } else if (op.kind >= OpKind::kFtruncate && op.kind <= OpKind::kFadvise) {
    ExecuteFileCall(op, &result);
  } else {
    ExecuteSyscall(op, &result);
  }
  if (!IsAlive(op.process)) return result;
  const FaultCounts after = ReadFaults(pid);
  result.minor_faults += after.minor - before.minor;
  result.major_faults += after.major - before.major;
  return result;
}

void NativeRunner::RecordStop(const Tracee::Stop& stop, OpResult* result) {
  if (stop.kind == Tracee::Stop::Kind::kSignal) {
    result->signal = OpResult::Signal{stop.signal.number, stop.signal.code,
                                      stop.signal.addr};
  } else if (stop.kind == Tracee::Stop::Kind::kExited) {
    result->exited = true;
  } else if (stop.kind == Tracee::Stop::Kind::kKilled) {
    result->died = stop.killer;
  }
}

void NativeRunner::ExecuteSyscall(const Op& op, OpResult* result) {
  std::unique_ptr<Tracee>& process = processes_[op.process];
  if (op.kind == OpKind::kMincore) return ExecuteMincore(op, result);
  if (op.kind == OpKind::kGetrlimit) return ExecuteGetrlimit(op, result);
  if (op.kind == OpKind::kGetMempolicy) return ExecuteGetMempolicy(op, result);
  Tracee::Stop stop;
  if (op.kind == OpKind::kFork) {
    // No flags and no exit signal: a SIGCHLD would interrupt the parent.
    stop = process->Syscall(SYS_clone, {0, 0, 0, 0, 0, 0});
  } else if (op.kind == OpKind::kExit) {
    stop = process->Syscall(SYS_exit_group, {0, 0, 0, 0, 0, 0});
  } else if (IsTaskCall(op.kind)) {
    stop = TaskCall(op);
  } else {
    std::array<uint64_t, 6> args = {
        Value(op, op.addr), Value(op, op.length), op.flags, 0, 0, 0};
    if (op.kind == OpKind::kMmap) {
      const int fd = op.fd ? ScenarioFiles::TheirFd(*op.fd) : -1;
      args = {args[0],
              args[1],
              op.prot,
              op.flags,
              static_cast<uint64_t>(fd),
              Value(op, op.offset) * kPageBytes};
    } else if (op.kind == OpKind::kMprotect) {
      args[2] = op.prot;
    } else if (op.kind == OpKind::kMremap) {
      args = {args[0],
              args[1],
              Value(op, op.new_length),
              op.flags,
              Value(op, op.new_addr),
              0};
    } else if (op.kind == OpKind::kMlockall ||
               op.kind == OpKind::kUserfaultfd) {
      args = {op.flags, 0, 0, 0, 0, 0};
    } else if (op.kind == OpKind::kRemapFilePages) {
      args = {args[0], args[1], op.prot, Value(op, op.offset), op.flags, 0};
    }
    stop = process->Syscall(*SyscallNumber(op.kind), args);
    // The hidden page is not the script's to lock.
    if (op.kind == OpKind::kMlockall) {
      process->Syscall(SYS_munlock, {kHiddenPage, kPageBytes, 0, 0, 0, 0});
    }
  }
  RecordStop(stop, result);
  if (stop.child != nullptr) {
    processes_.push_back(std::move(stop.child));
    pids_.push_back(processes_.back()->pid());
    ExecuteFork(result);
  } else if (stop.kind == Tracee::Stop::Kind::kDone) {
    RecordReturn(stop.result, result);
  }
  AfterTaskCall(op, result);
  if (result->exited || result->died) processes_[op.process] = nullptr;
}

// The kernel clears referenced bits without a flush, so that they stay clear
// for as long as the TLB has the page: until anybody's guess. Clearing
// soft-dirty bits flushes, and where there are none does nothing else.
void NativeRunner::ExecuteClearRefs(const Op& op, OpResult* result) {
  const std::string path =
      absl::StrCat("/proc/", processes_[op.process]->pid(), "/clear_refs");
  const auto type = static_cast<uint32_t>(Value(op, op.count));
  const int64_t written = WriteFile(path, absl::StrCat(type));
  if (written == 0 && type <= 3 && !KernelHasSoftDirty()) WriteFile(path, "4");
  RecordReturn(static_cast<uint64_t>(written), result);
}

// The call has been made: the newest process is the child. Its own count of
// faults starts at zero.
void NativeRunner::ExecuteFork(OpResult* result) {
  const int number = static_cast<int>(processes_.size()) - 1;
  const FaultCounts faults = ReadFaults(processes_.back()->pid());
  result->child = OpResult::Child{number, faults.minor, faults.major};
  result->ret = static_cast<uint64_t>(number);
}

// The vector needs memory in the process: one area beside the hidden page, for
// the length of the call. Its faults are not the script's.
void NativeRunner::ExecuteMincore(const Op& op, OpResult* result) {
  Tracee& process = *processes_[op.process];
  const uint64_t addr = Value(op, op.addr);
  const uint64_t length = Value(op, op.length);
  const uint64_t pages = (length + kPageBytes - 1) / kPageBytes;
  const uint64_t area_bytes = (pages / kPageBytes + 1) * kPageBytes;
  const uint64_t area = MapScratch(process, area_bytes, result);
  const Tracee::Stop stop =
      process.Syscall(SYS_mincore, {addr, length, area, 0, 0, 0});
  if (stop.kind == Tracee::Stop::Kind::kDone && stop.result == 0) {
    result->vec = std::string();
    for (const uint8_t byte : ReadMemory(process.pid(), area, pages)) {
      *result->vec += (byte & 1) != 0 ? '1' : '0';
    }
  }
  UnmapScratch(process, area_bytes);
  RecordStop(stop, result);
  if (stop.kind == Tracee::Stop::Kind::kDone) RecordReturn(stop.result, result);
}

uint64_t NativeRunner::MapScratch(Tracee& process, uint64_t bytes,
                                  OpResult* result) {
  const uint64_t area = kHiddenPage + kPageBytes;
  scratch_as_ = ReadLimit(process.pid(), RLIMIT_AS);
  SetOwnLimit(process, RLIMIT_AS, {scratch_as_.rlim_max, scratch_as_.rlim_max});
  // After mlockall(MCL_FUTURE) it is locked as well.
  scratch_memlock_ = LiftLimit(process.pid(), RLIMIT_MEMLOCK);
  const FaultCounts before = ReadFaults(process.pid());
  process.Syscall(SYS_mmap, {area, bytes, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
                                 MAP_POPULATE,
                             ~0ul, 0});
  const FaultCounts populated = ReadFaults(process.pid());
  result->minor_faults = before.minor - populated.minor;
  result->major_faults = before.major - populated.major;
  return area;
}

void NativeRunner::UnmapScratch(Tracee& process, uint64_t bytes) {
  process.Syscall(SYS_munmap, {kHiddenPage + kPageBytes, bytes, 0, 0, 0, 0});
  SetOwnLimit(process, RLIMIT_AS, scratch_as_);
  prlimit(process.pid(), RLIMIT_MEMLOCK, &scratch_memlock_, nullptr);
  peak_is_ours_ = true;
}

void NativeRunner::ExecuteAccess(const Op& op, OpResult* result) {
  Tracee& process = *processes_[op.process];
  const uint64_t addr = Value(op, op.addr);
  const uint64_t count = Value(op, op.count);
  const uint64_t stride = Value(op, op.stride, kPageBytes);
  const auto byte = static_cast<uint8_t>(Value(op, op.byte, 1));
  Tracee::Stop stop;
  switch (op.kind) {
    case OpKind::kRead:
      stop = process.Load(addr);
      break;
    case OpKind::kReadRange:
      stop = process.LoadRange(addr, count, stride);
      break;
    case OpKind::kWriteRange:
      stop = process.StoreRange(addr, count, stride, byte);
      break;
    case OpKind::kFetch:
      stop = process.Fetch(addr);
      break;
    default:
      stop = process.Store(addr, byte, op.kind == OpKind::kGrow);
      break;
  }
  RecordStop(stop, result);
  if (stop.kind == Tracee::Stop::Kind::kKilled) {
    processes_[op.process] = nullptr;
    return;
  }
  if (op.kind == OpKind::kRead && !result->signal) {
    result->value = static_cast<int>(stop.result & 0xff);
  }
  if (op.kind == OpKind::kFetch) {
    const bool fault = result->signal && result->signal->number == SIGSEGV;
    // A general protection fault has no address: 0. It is of what was fetched,
    // unless nothing can be fetched there.
    const bool of_fetch = fault && result->signal->code != SI_KERNEL &&
                          result->signal->addr == addr;
    result->fetch_fault = of_fetch || (fault && !IsCode(addr)) ? 1 : 0;
    // What the instruction finds behind the end of a file is its own affair.
    if (result->signal && result->signal->number == SIGBUS &&
        result->signal->addr != addr) {
      result->signal.reset();
    }
  }
}

// Up to the first that is signalled. Which byte was read is not told, as for
// `readr`.
void NativeRunner::ExecuteAccesses(const Op& op, OpResult* result) {
  for (Op access : op.accesses) {
    access.process = op.process;
    ExecuteAccess(access, result);
    if (result->signal || !IsAlive(op.process)) break;
  }
  result->value.reset();
}

// The tracer makes these calls, on a descriptor of the same mode; but what
// takes pages out of mappings the process does itself, since until 6.1 it then
// tells its mm what is resident.
void NativeRunner::ExecuteFileCall(const Op& op, OpResult* result) {
  const int fd = files_.OurFd(*op.fd);
  const auto offset = static_cast<off_t>(Value(op, op.offset));
  uint8_t byte = static_cast<uint8_t>(Value(op, op.byte));
  const auto by_itself = [&](long number, std::array<uint64_t, 6> args) {
    args[0] = static_cast<uint64_t>(ScenarioFiles::TheirFd(*op.fd));
    return static_cast<int64_t>(
        processes_[op.process]->Syscall(number, args).result);
  };
  switch (op.kind) {
    case OpKind::kFtruncate:
      result->file_ret =
          by_itself(SYS_ftruncate, {0, Value(op, op.length), 0, 0, 0, 0});
      break;
    case OpKind::kPwrite:
      result->file_ret = OrErrno(pwrite(fd, &byte, 1, offset));
      break;
    case OpKind::kFsync:
      result->file_ret = OrErrno(fsync(fd));
      break;
    case OpKind::kFdatasync:
      result->file_ret = OrErrno(fdatasync(fd));
      break;
    case OpKind::kFadvise:
      result->file_ret = OrErrno(syscall(
          SYS_fadvise64, fd, offset, static_cast<int64_t>(Value(op, op.length)),
          static_cast<int>(op.flags)));
      break;
    case OpKind::kAddSeals:
      result->file_ret =
          OrErrno(fcntl(fd, F_ADD_SEALS, static_cast<int>(op.flags)));
      break;
    case OpKind::kGetSeals:
      result->file_ret = OrErrno(fcntl(fd, F_GET_SEALS));
      break;
    case OpKind::kFallocate:
      result->file_ret =
          by_itself(SYS_fallocate, {0, op.flags, static_cast<uint64_t>(offset),
                                    Value(op, op.length), 0, 0});
      break;
    default: {
      const int64_t got = OrErrno(pread(fd, &byte, 1, offset));
      result->file_ret = got == 1 ? byte : got == 0 ? kEndOfFile : got;
      break;
    }
  }
}

std::string NativeRunner::ReadProc(const std::string& path, int process) const {
  absl::string_view rest = path;
  if (absl::ConsumePrefix(&rest, "/proc/self/") ||
      absl::ConsumePrefix(&rest, "/proc/PID/")) {
    return ReadWholeFile(
        absl::StrCat("/proc/", processes_[process]->pid(), "/", rest));
  }
  return ReadWholeFile(path);
}

std::string NativeRunner::CheckExpect(const Op& op) const {
  const std::string where = absl::StrCat(script_.file_name, ":", op.line, ": ");
  const auto dead = [&] {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", op.process, " is dead"));
  };
  DrainBatches();
  scenario::StateSource state;
  state.text = [&](const std::string& path) -> absl::StatusOr<std::string> {
    if (!IsAlive(op.process)) return dead();
    return ReadProc(path, op.process);
  };
  state.page = [&](uint64_t vpn) -> absl::StatusOr<uint64_t> {
    if (!IsAlive(op.process)) return dead();
    return ReadPagemapEntry(processes_[op.process]->pid(), vpn);
  };
  state.number = [&](absl::string_view subject) -> absl::StatusOr<uint64_t> {
    if (!IsAlive(op.process)) return dead();
    if (subject == "vmas") {
      return ReadMaps(processes_[op.process]->pid()).size() - 1;
    }
    absl::string_view field = subject;
    if (absl::ConsumePrefix(&field, "status.")) {
      return scenario::NumberFromProcText(
          ReadProc("/proc/self/status", op.process), field);
    }
    const bool meminfo = absl::ConsumePrefix(&field, "meminfo.");
    if (!meminfo) absl::ConsumePrefix(&field, "vmstat.");
    return scenario::NumberFromProcText(
        ReadWholeFile(meminfo ? "/proc/meminfo" : "/proc/vmstat"), field);
  };
  const absl::Status status = scenario::CheckExpectation(
      op, last_,
      [&](absl::string_view name) -> std::optional<uint64_t> {
        scenario::Expr symbol;
        symbol.terms.push_back({false, std::string(name), 0, 0});
        return Value(op, symbol);
      },
      state);
  return status.ok() ? "" : absl::StrCat(where, std::string(status.message()));
}

// MADV_FREE and munlock wait in batches of this CPU (mm/swap.c: cpu_fbatches,
// mm/mlock.c: mlock_fbatch); locking a page drains them, as would time.
void NativeRunner::DrainBatches() {
  char byte = 0;
  mlock(&byte, 1);
  munlock(&byte, 1);
}

void NativeRunner::DumpAll(const scenario::DumpParts& parts) {
  DrainBatches();
  dumper_.Begin();
  for (size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i] == nullptr) continue;
    scenario::DumpResult dump = dumper_.Dump(processes_[i]->pid(), parts);
    if (peak_is_ours_) {
      std::erase_if(dump.status, [](const auto& field) {
        return field.first == "VmPeak" || field.first == "VmHWM";
      });
    }
    dump.number = number_;
    dump.process = static_cast<int>(i);
    out_ << scenario::JsonLine(dump) << "\n";
  }
}

}  // namespace faultline::native

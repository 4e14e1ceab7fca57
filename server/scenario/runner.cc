#include "server/scenario/runner.h"

#include <cerrno>
#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/scenario/commands.h"
#include "server/scenario/expect.h"
#include "server/scenario/proc_text.h"

namespace faultline::scenario {
namespace {

constexpr int kSigsegv = 11;
constexpr int64_t kEndOfFile = -1000;
// Where the bare process of scenario.md has its start_brk on x86-64.
constexpr uint64_t kBareStartBrk = 0x555555555000;
// proc(5): start_brk is field 47 of /proc/PID/stat, the 45th after the name.
constexpr size_t kStatStartBrk = 44;

bool IsAccess(OpKind kind) {
  switch (kind) {
    case OpKind::kRead:
    case OpKind::kWrite:
    case OpKind::kReadRange:
    case OpKind::kWriteRange:
    case OpKind::kGrow:
    case OpKind::kAccesses:
    case OpKind::kFetch:
      return true;
    default:
      return false;
  }
}

// Of mincore's vector only the low bit of a byte is defined.
std::string VectorText(const std::string& vector) {
  std::string digits;
  for (const char byte : vector) digits += (byte & 1) != 0 ? '1' : '0';
  return digits;
}

// get_mempolicy's mask, a digit for each node up to the last that is set.
std::string NodesText(const std::string& mask) {
  std::string digits;
  for (const char byte : mask) {
    for (int bit = 0; bit < 8; ++bit) {
      digits += (static_cast<uint8_t>(byte) >> bit & 1) != 0 ? '1' : '0';
    }
  }
  const size_t last = digits.find_last_not_of('0');
  digits.erase(last == std::string::npos ? 1 : last + 1);
  return digits;
}

bool IsFileCall(OpKind kind) {
  return kind >= OpKind::kFtruncate && kind <= OpKind::kFadvise;
}

// The events are the fields of v1::Event.
bool IsEvent(absl::string_view name) {
  const auto* field =
      v1::Event::descriptor()->FindFieldByName(std::string(name));
  return field != nullptr && field->containing_oneof() != nullptr;
}

// The kernel's own calls and acts of administration are nobody's.
bool HasProcess(const v1::Command& command) {
  switch (command.op_case()) {
    case v1::Command::kAllocPages:
    case v1::Command::kFreePages:
    case v1::Command::kGetFreePages:
    case v1::Command::kGetZeroedPage:
    case v1::Command::kPageAddress:
    case v1::Command::kFreeAddress:
    case v1::Command::kSysctl:
    case v1::Command::kTick:
    case v1::Command::kCreateFile:
    case v1::Command::kKmalloc:
    case v1::Command::kKfree:
    case v1::Command::kKmemCacheCreate:
    case v1::Command::kKmemCacheAlloc:
    case v1::Command::kKmemCacheFree:
    case v1::Command::kKmemCacheShrink:
    case v1::Command::kKmemCacheDestroy:
    case v1::Command::kVmalloc:
    case v1::Command::kVfree:
    case v1::Command::kKmap:
    case v1::Command::kKunmap:
    case v1::Command::kKmapLocal:
    case v1::Command::kKunmapLocal:
    case v1::Command::kKernelAccess:
    case v1::Command::kDropCaches:
    case v1::Command::kSync:
    case v1::Command::kSwapon:
    case v1::Command::kSwapoff:
    case v1::Command::kInsertModule:
    case v1::Command::kRemoveModule:
    case v1::Command::kMknod:
      return false;
    default:
      return true;
  }
}

}  // namespace

Runner::Runner(TargetFactory factory, Printer& printer, RunOptions options,
               std::string file_name)
    : factory_(std::move(factory)),
      printer_(printer),
      options_(options),
      file_name_(std::move(file_name)) {}

uint32_t Runner::PidOf(int process) const {
  const auto i = static_cast<size_t>(process);
  return i < processes_.size() ? processes_[i].pid : 0;
}

absl::Status Runner::Start() {
  return target_ == nullptr ? Boot(v1::MachineConfig()) : absl::OkStatus();
}

void Runner::Learn(const v1::Command& command, const v1::Outcome& outcome) {
  const bool made = (command.has_fork() || command.has_clone()) &&
                    !outcome.no_process() &&
                    outcome.error() == v1::ERRNO_UNSPECIFIED;
  if (made)
    processes_.push_back({.pid = static_cast<uint32_t>(outcome.value())});
  if (!outcome.exited()) return;
  for (Process& process : processes_) {
    if (process.pid == command.pid()) process.live = false;
  }
}

void Runner::StartCounting() {
  number_ = 0;
  last_ = OpResult();
  summary_ = Summary();
}

absl::Status Runner::Run(const Script& script) {
  // A script that counts events is to see all of them.
  for (const Op& op : script.ops) {
    if (absl::StartsWith(op.expect.subject, "event.")) {
      options_.event_level = v1::EVENT_LEVEL_ALL;
    }
  }
  for (const Op& op : script.ops) {
    absl::Status status = Execute(op);
    if (!status.ok()) return status;
  }
  printer_.PrintEnd(summary_);
  return absl::OkStatus();
}

absl::Status Runner::Execute(const Op& op) {
  const absl::Status status = ExecuteAny(op);
  if (status.ok() || file_name_.empty()) return status;
  absl::Status placed(status.code(),
                      absl::StrCat(file_name_, ":", op.line, ":", op.column,
                                   ": ", status.message()));
  status.ForEachPayload(
      [&placed](absl::string_view url, const absl::Cord& details) {
        placed.SetPayload(url, details);
      });
  return placed;
}

absl::Status Runner::ExecuteAny(const Op& op) {
  if (op.kind == OpKind::kBoot) {
    if (target_ != nullptr) {
      return absl::FailedPreconditionError(
          "boot comes first: this machine runs already");
    }
    absl::StatusOr<v1::MachineConfig> config = ConfigOf(op.boot);
    return config.ok() ? Boot(*config) : config.status();
  }
  absl::Status started = Start();
  if (!started.ok()) return started;
  switch (op.kind) {
    case OpKind::kFile:
      if (op.file.memfd) return DeclareMemfd(op.file);
      return Declare(CreateCommand(op.file), OpenCommand(op.file));
    case OpKind::kImage:
      return Declare(CreateCommand(op.image),
                     op.image.number ? std::optional(OpenCommand(op.image))
                                     : std::nullopt);
    case OpKind::kCat:
      return Print(op);
    case OpKind::kDump:
      // With maps_each every operation has had its dump.
      return options_.maps_each ? absl::OkStatus() : DumpLive(op.dump);
    case OpKind::kExpect:
      return Check(op);
    default:
      return Perform(op);
  }
}

absl::Status Runner::Boot(const v1::MachineConfig& config) {
  absl::StatusOr<std::unique_ptr<Target>> target = factory_(config);
  if (!target.ok()) return target.status();
  target_ = *std::move(target);
  target_->set_event_level(options_.event_level);
  dumper_ = std::make_unique<Dumper>(*target_);
  processes_.push_back({.pid = 1});
  return absl::OkStatus();
}

// Its descriptor is all that there is of it, so whoever is to have it must be
// a child of who makes it.
absl::Status Runner::DeclareMemfd(const FileDeclaration& file) {
  if (processes_.size() != 1) {
    return absl::FailedPreconditionError(
        "a file of memfd_create (m) is declared before the first fork");
  }
  for (v1::Command& command : MemfdCommands(file)) {
    command.set_pid(processes_[0].pid);
    const auto outcome = target_->Apply(command);
    if (!outcome.ok()) return outcome.status();
    if (outcome->error() != v1::ERRNO_UNSPECIFIED) {
      return absl::FailedPreconditionError(
          absl::StrCat("file ", file.number,
                       " cannot be made: ", v1::Errno_Name(outcome->error())));
    }
  }
  return absl::OkStatus();
}

absl::Status Runner::Declare(const v1::Command& create,
                             std::optional<v1::Command> open) {
  absl::StatusOr<v1::Outcome> created = target_->Apply(create);
  if (!created.ok()) return created.status();
  if (!open) return absl::OkStatus();
  for (const Process& process : processes_) {
    if (!process.live) continue;
    open->set_pid(process.pid);
    absl::StatusOr<v1::Outcome> opened = target_->Apply(*open);
    if (!opened.ok()) return opened.status();
    if (opened->error() != v1::ERRNO_UNSPECIFIED) {
      return absl::FailedPreconditionError(
          absl::StrCat(open->open().path(),
                       " cannot be opened: ", v1::Errno_Name(opened->error())));
    }
  }
  return absl::OkStatus();
}

absl::Status Runner::Perform(const Op& op) {
  const auto index = static_cast<size_t>(op.process);
  v1::Outcome outcome;
  if (index >= processes_.size() || !processes_[index].live) {
    outcome.set_no_process(true);
  } else {
    absl::StatusOr<v1::Command> command = CommandOf(op, LookupFor(op.process));
    if (!command.ok()) return command.status();
    if (HasProcess(*command)) command->set_pid(processes_[index].pid);
    // The line names a process by its number.
    if (command->has_kill()) {
      command->mutable_kill()->set_target(
          PidOf(static_cast<int>(command->kill().target())));
    } else if (command->has_process_madvise()) {
      v1::ProcessMadvise* call = command->mutable_process_madvise();
      call->set_target(PidOf(static_cast<int>(call->target())));
    }
    absl::StatusOr<v1::Outcome> applied = target_->Apply(*command);
    if (!applied.ok()) return applied.status();
    outcome = *std::move(applied);
  }
  ++number_;
  const OpResult result = ResultOf(op, outcome);
  Remember(op, result, outcome);
  printer_.PrintOp(result, outcome);
  if (!options_.maps_each) return absl::OkStatus();
  DumpParts maps;
  maps.maps = true;
  return DumpLive(maps);
}

OpResult Runner::ResultOf(const Op& op, const v1::Outcome& outcome) {
  OpResult result;
  result.number = number_;
  result.process = op.process;
  result.op = op.text;
  result.minor_faults = outcome.min_flt();
  result.major_faults = outcome.maj_flt();
  result.tlb_misses = outcome.tlb_misses();
  result.table_loads = outcome.table_loads();
  if (outcome.no_process()) {
    result.skip = true;
    return result;
  }
  if (outcome.has_signal() && outcome.signal().signal() != 0) {
    result.signal =
        OpResult::Signal{outcome.signal().signal(), outcome.signal().code(),
                         outcome.signal().addr()};
  }
  if (outcome.exited() && op.kind != OpKind::kExit) {
    result.died = op.kind == OpKind::kKill ? static_cast<int>(op.flags)
                                           : outcome.signal().signal();
  }
  for (const v1::Event& event : outcome.events()) {
    const auto* body = event.GetDescriptor()->FindOneofByName("body");
    const auto* field =
        event.GetReflection()->GetOneofFieldDescriptor(event, body);
    if (field != nullptr) ++result.events[field->name()];
  }
  if (op.kind == OpKind::kExit) {
    result.exited = true;
  } else if (op.kind == OpKind::kFetch) {
    result.fetch_fault =
        result.signal && result.signal->number == kSigsegv ? 1 : 0;
  } else if (IsAccess(op.kind) && outcome.error() != v1::ERRNO_UNSPECIFIED) {
    result.error = static_cast<int>(outcome.error());  // a victim is wanted
  } else if (op.kind == OpKind::kRead && !result.signal) {
    result.value = static_cast<int>(outcome.value() & 0xff);
  } else if (!IsAccess(op.kind)) {
    AddCall(op, outcome, &result);
    if (result.died) result.ret.reset();  // it never returned
  }
  return result;
}

void Runner::AddCall(const Op& op, const v1::Outcome& outcome,
                     OpResult* result) {
  const bool failed = outcome.error() != v1::ERRNO_UNSPECIFIED;
  if (IsFileCall(op.kind)) {
    int64_t value =
        failed ? -static_cast<int64_t>(outcome.error()) : outcome.value();
    if (op.kind == OpKind::kPread && !failed) {
      value = outcome.data().empty() ? kEndOfFile
                                     : static_cast<uint8_t>(outcome.data()[0]);
    }
    result->file_ret = value;
  } else if (failed) {
    result->error = static_cast<int>(outcome.error());
  } else if (op.kind == OpKind::kWait) {
    result->ret = NumberOf(static_cast<uint32_t>(outcome.value()));
  } else if (op.kind == OpKind::kFork || op.kind == OpKind::kVfork ||
             op.kind == OpKind::kClone) {
    const int child = static_cast<int>(processes_.size());
    processes_.push_back({.pid = static_cast<uint32_t>(outcome.value())});
    result->child = OpResult::Child{.process = child};
    result->ret = static_cast<uint64_t>(child);
  } else {
    result->ret = static_cast<uint64_t>(outcome.value());
    if (op.kind == OpKind::kMincore) result->vec = VectorText(outcome.data());
    if (op.kind == OpKind::kGetMempolicy && !outcome.data().empty()) {
      result->vec = NodesText(outcome.data());
    }
  }
  constexpr uint64_t kSigkill = 9;
  if (op.kind == OpKind::kKill && !failed && op.flags == kSigkill) {
    const auto target = static_cast<size_t>(
        Evaluate(op.count, LookupFor(op.process)).value_or(processes_.size()));
    if (target < processes_.size()) processes_[target].live = false;
  }
}

uint64_t Runner::NumberOf(uint32_t pid) const {
  for (size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i].pid == pid) return i;
  }
  return 0;
}

void Runner::Remember(const Op& op, const OpResult& result,
                      const v1::Outcome& outcome) {
  if (outcome.exited())
    processes_[static_cast<size_t>(op.process)].live = false;
  last_ = result;
  summary_.Add(result, outcome);
  if (op.label.empty()) return;
  uint64_t value = static_cast<uint64_t>(outcome.value());
  if (result.ret) value = *result.ret;
  if (result.file_ret) value = static_cast<uint64_t>(*result.file_ret);
  if (result.error) value = static_cast<uint64_t>(-int64_t{*result.error});
  if (result.skip) value = 0;  // nothing was called
  labels_[op.label] = value;
}

absl::Status Runner::Print(const Op& op) {
  const std::string path = ProcPath(op, op.words.front());
  absl::StatusOr<std::string> text = target_->ReadProc(path);
  if (!text.ok()) return text.status();
  OpResult result;
  result.number = ++number_;
  result.process = op.process;
  result.op = op.text;
  result.printed = *std::move(text);
  last_ = result;
  summary_.Add(result, v1::Outcome());
  printer_.PrintOp(result, v1::Outcome());
  return absl::OkStatus();
}

absl::Status Runner::DumpLive(const DumpParts& parts) {
  std::vector<LiveProcess> live;
  for (size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i].live) {
      live.push_back({static_cast<int>(i), processes_[i].pid});
    }
  }
  auto dumps = dumper_->Dump(parts, number_, live);
  if (!dumps.ok()) return dumps.status();
  for (const DumpResult& dump : *dumps) printer_.PrintDump(dump);
  return absl::OkStatus();
}

absl::Status Runner::Check(const Op& op) {
  if (number_ == 0) {
    return absl::InvalidArgumentError("no operation ran before this line");
  }
  absl::string_view event = op.expect.subject;
  if (absl::ConsumePrefix(&event, "event.") && !IsEvent(event)) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no event '", event,
                     "'; proto/faultline/v1/event.proto has "
                     "them"));
  }
  StateSource state;
  state.number = [this, &op](absl::string_view subject) {
    return Field(op.process, subject);
  };
  state.text = [this, &op](const std::string& path) {
    return target_->ReadProc(ProcPath(op, path));
  };
  state.page = [this, &op](uint64_t vpn) -> absl::StatusOr<uint64_t> {
    constexpr uint64_t kBytes = sizeof(uint64_t);
    auto entry = target_->ReadProcAt(ProcPath(op, "/proc/self/pagemap"),
                                     vpn * kBytes, kBytes);
    if (!entry.ok()) return entry.status();
    return entry->size() < kBytes ? 0 : WordAt(*entry, 0);
  };
  absl::Status status =
      CheckExpectation(op, last_, LookupFor(op.process), state);
  const bool failed = absl::IsFailedPrecondition(status);
  if (status.ok() || failed) {
    printer_.PrintExpectation(op, status.ok(), std::string(status.message()));
  }
  return failed ? absl::AbortedError(status.message()) : status;
}

absl::StatusOr<uint64_t> Runner::Field(int process, absl::string_view subject) {
  const uint32_t pid = PidOf(process);
  if (subject == "vmas") {
    auto text = target_->ReadProc(absl::StrCat("/proc/", pid, "/maps"));
    if (!text.ok()) return text.status();
    auto lines = ParseMaps(*text);
    if (!lines.ok()) return lines.status();
    uint64_t count = 0;
    for (const auto& line : *lines) count += line.name != "[vsyscall]";
    return count;
  }
  std::string path = absl::StrCat("/proc/", pid, "/status");
  if (!absl::ConsumePrefix(&subject, "status.")) {
    const size_t dot = subject.find('.');
    path = absl::StrCat("/proc/", subject.substr(0, dot));
    subject.remove_prefix(dot + 1);
  }
  auto text = target_->ReadProc(path);
  if (!text.ok()) return text.status();
  return NumberFromProcText(*text, subject);
}

SymbolLookup Runner::LookupFor(int process) {
  const uint32_t pid = PidOf(process);
  return [this, pid](absl::string_view name) -> std::optional<uint64_t> {
    if (name == "brk") return StartBrk(pid);
    if (name == "stk") return StackStart(pid);
    // A label whose line has not run (its own, even) stands for 0, as in the
    // recordings; that there is such a line the parser has checked.
    const auto it = labels_.find(std::string(name));
    return it == labels_.end() ? 0 : it->second;
  };
}

std::optional<uint64_t> Runner::StartBrk(uint32_t pid) {
  absl::StatusOr<std::string> stat =
      target_->ReadProc(absl::StrCat("/proc/", pid, "/stat"));
  if (!stat.ok()) return kBareStartBrk;
  const size_t name_end = stat->rfind(") ");
  if (name_end == std::string::npos) return kBareStartBrk;
  const std::vector<std::string> fields =
      absl::StrSplit(stat->substr(name_end + 2), ' ');
  uint64_t start_brk = 0;
  if (fields.size() <= kStatStartBrk ||
      !absl::SimpleAtoi(fields[kStatStartBrk], &start_brk) || start_brk == 0) {
    return kBareStartBrk;
  }
  return start_brk;
}

std::optional<uint64_t> Runner::StackStart(uint32_t pid) {
  auto text = target_->ReadProc(absl::StrCat("/proc/", pid, "/maps"));
  if (!text.ok()) return std::nullopt;
  auto lines = ParseMaps(*text);
  if (!lines.ok()) return std::nullopt;
  for (const auto& line : *lines) {
    if (line.name == "[stack]") return line.start;
  }
  return std::nullopt;
}

// "/proc/self/maps" is the file of the line's process.
std::string Runner::ProcPath(const Op& op, const std::string& path) const {
  constexpr absl::string_view kSelf = "/proc/self/";
  if (!absl::StartsWith(path, kSelf)) return path;
  return absl::StrCat("/proc/", PidOf(op.process), "/",
                      path.substr(kSelf.size()));
}

}  // namespace faultline::scenario

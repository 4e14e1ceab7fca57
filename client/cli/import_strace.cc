#include "client/cli/import_strace.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/import_text.h"

namespace faultline::cli {
namespace {

namespace fs = std::filesystem;

// Of the limits, those that shape memory: RLIMIT_DATA, STACK, MEMLOCK, AS.
bool ShapesMemory(uint64_t resource) {
  return resource == 2 || resource == 3 || resource == 8 || resource == 9;
}

// A line as it is compared: shared anonymous memory has an inode that depends
// on what else the real system did.
std::string Comparable(scenario::MapsLine line) {
  if (line.name == "/dev/zero (deleted)") {
    line.device = "00:01";
    line.inode = 0;
  }
  return scenario::FormatMapsLine(line);
}

}  // namespace

bool ImportReport::agrees() const {
  return differences.empty() &&
         std::all_of(maps.begin(), maps.end(),
                     [](const MapsComparison& m) { return m.equal(); });
}

Reenactor::Reenactor(scenario::Target& target, ImportOptions options)
    : target_(target),
      options_(std::move(options)),
      tree_(options_.root, options_.heads) {}

Reenactor::~Reenactor() = default;

absl::StatusOr<ImportReport> Reenactor::Run(
    strace::Reader& reader,
    const std::function<void(int64_t line)>& line_done) {
  LoadIdentities();
  while (std::optional<strace::Record> record = reader.Next()) {
    absl::Status status = Take(*record);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat("line ", record->line,
                                                      ": ", status.message()));
    }
    line_done(record->line);
  }
  if (!reader.verdict().usable()) {
    return absl::InvalidArgumentError(reader.verdict().message);
  }
  report_.tasks = static_cast<int>(tasks_.size());
  return std::move(report_);
}

Reenactor::Task* Reenactor::FindTask(strace::Pid pid) {
  const auto it = tasks_.find(pid);
  if (it != tasks_.end()) return &it->second;
  if (tasks_.empty()) {
    Task& first = tasks_[pid];
    first.number = 1;
    first.pid = first.group = 1;
    first.space = std::make_shared<Space>();
    first.files = std::make_shared<FileTable>();
    return &first;
  }
  if (orphans_.insert(pid).second) {
    Note(absl::StrCat("process ", pid,
                      " appears without the call that made it: ignored"));
  }
  return nullptr;
}

absl::Status Reenactor::Take(const strace::Record& record) {
  record_ = &record;
  task_ = FindTask(record.pid);
  if (task_ == nullptr) return absl::OkStatus();
  if (const auto* call = std::get_if<strace::Syscall>(&record.event)) {
    return TakeCall(record, *call);
  }
  if (const auto* gone = std::get_if<strace::Superseded>(&record.event)) {
    return Supersede(record.pid, gone->by);
  }
  if (const auto* exited = std::get_if<strace::Exited>(&record.event)) {
    if (!task_->live) return absl::OkStatus();
    return End(*task_, IsAlone(*task_), exited->status, 0);
  }
  if (const auto* killed = std::get_if<strace::Killed>(&record.event)) {
    if (!task_->live) return absl::OkStatus();
    return End(*task_, true, 0, killed->number);
  }
  if (std::holds_alternative<strace::Detached>(record.event)) {
    Note("strace let go of the process; what it did afterwards is not known");
  }
  return absl::OkStatus();
}

absl::Status Reenactor::TakeCall(const strace::Record&,
                                 const strace::Syscall& call) {
  call_ = &call;
  if (!task_->live || call.injected) return absl::OkStatus();
  const bool exec = std::holds_alternative<strace::Execve>(call.call);
  const bool typed = !std::holds_alternative<std::monostate>(call.call);
  if (task_->number == 1 && task_->execs == 0 && typed && !exec) {
    return absl::FailedPreconditionError(
        "the recording does not begin with an execve, so what the process had "
        "in memory is not known; record from the start: strace -f -y -o FILE "
        "PROGRAM");
  }
  return std::visit([this](const auto& typed_call) { return On(typed_call); },
                    call.call);
}

absl::Status Reenactor::Supersede(strace::Pid leader, strace::Pid by) {
  const auto it = tasks_.find(by);
  if (it == tasks_.end()) return absl::OkStatus();
  Task& old = tasks_[leader];
  const uint32_t group = old.group;
  for (auto& [pid, task] : tasks_) {
    if (task.group == group && pid != leader) task.live = false;
  }
  old.exec_as = it->second.pid;
  old.live = true;
  return absl::OkStatus();
}

void Reenactor::Note(absl::string_view text) {
  report_.notes.push_back(absl::StrCat("line ", record_->line, ": ", text));
}

void Reenactor::NotReenacted() { ++report_.not_reenacted[call_->name]; }

absl::Status Reenactor::On(const strace::Shmat&) {
  NotReenacted();
  return absl::OkStatus();
}
absl::Status Reenactor::On(const strace::Shmdt&) {
  NotReenacted();
  return absl::OkStatus();
}

absl::StatusOr<v1::Outcome> Reenactor::Apply(v1::Command command) {
  command.set_pid(task_->pid);
  absl::StatusOr<v1::Outcome> outcome = target_.Apply(command);
  if (!outcome.ok()) return outcome;
  report_.minor_faults += outcome->min_flt();
  report_.major_faults += outcome->maj_flt();
  for (const v1::Event& event : outcome->events()) {
    if (event.has_fault_resolved()) {
      ++report_.resolutions[event.fault_resolved().how()];
    }
  }
  Tell(*outcome);
  return outcome;
}

void Reenactor::Tell(const v1::Outcome& outcome) {
  if (!options_.tell || outcome.events().empty()) return;
  std::string text = absl::StrCat("line ", record_->line, ": ");
  if (std::holds_alternative<strace::Syscall>(record_->event)) {
    absl::StrAppend(&text, CallText(*call_));
  } else {
    absl::StrAppend(&text, "the end of the process");
  }
  for (const v1::Event& event : outcome.events()) {
    absl::StrAppend(&text, "\n    ", event.text());
  }
  options_.tell(text);
}

bool Reenactor::Agrees(const v1::Outcome& outcome, Answer answer) const {
  const strace::Result& real = call_->result;
  if (outcome.no_process()) return false;
  if (real.kind == strace::Result::Kind::kError) {
    return static_cast<int>(outcome.error()) == real.error;
  }
  if (outcome.error() != v1::ERRNO_UNSPECIFIED) return false;
  const uint64_t wanted = answer == Answer::kAddress
                              ? task_->space->layout.ToOurs(real.value)
                              : real.value;
  return static_cast<uint64_t>(outcome.value()) == wanted;
}

void Reenactor::Differ(const v1::Outcome& outcome) {
  std::string text =
      absl::StrCat(CallText(*call_), " = ", RecordedText(call_->result),
                   " on the real kernel; here ", OursText(outcome));
  if (task_->space->layout.randomised() && call_->result.ok()) {
    absl::StrAppendFormat(&text, " (the real address is 0x%x here)",
                          task_->space->layout.ToOurs(call_->result.value));
  }
  report_.differences.push_back({record_->line, std::move(text)});
}

absl::StatusOr<v1::Outcome> Reenactor::Compare(const v1::Command& command,
                                               Answer answer) {
  absl::StatusOr<v1::Outcome> outcome = Apply(command);
  if (!outcome.ok()) return outcome;
  ++report_.calls;
  ++report_.compared;
  if (!Agrees(*outcome, answer)) Differ(*outcome);
  return outcome;
}

// A call that returns 0, or whose number is the same everywhere.
absl::Status Reenactor::Plain(const v1::Command& command) {
  if (call_->result.kind == strace::Result::Kind::kUnknown) {
    return absl::OkStatus();
  }
  return Compare(command, Answer::kNumber).status();
}

uint64_t Reenactor::ToOurs(uint64_t address) {
  Layout& layout = task_->space->layout;
  if (layout.NeedsExecutable(address)) LearnExecutable(address).IgnoreError();
  return layout.ToOurs(address);
}

// The first address of a moved executable that a program speaks of is that of
// its first writable segment, which the dynamic linker protects (RELRO).
absl::Status Reenactor::LearnExecutable(uint64_t real) {
  absl::StatusOr<std::string> text = Maps(*task_);
  if (!text.ok()) return text.status();
  auto lines = scenario::ParseMaps(*text);
  if (!lines.ok()) return lines.status();
  for (const scenario::MapsLine& line : *lines) {
    if (line.name == task_->space->executable && line.perms[1] == 'w') {
      task_->space->layout.LearnExecutable(real, line.start);
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

std::string Reenactor::ExecutedPath(const strace::Execve& call) const {
  if (absl::StartsWith(call.path, "/")) return call.path;
  // A head that was kept goes by the path as it was asked for.
  if (tree_.IsKept(call.path)) return call.path;
  const bool placed = call.directory && !call.directory->path.empty();
  return absl::StrCat(
      placed ? call.directory->path : fs::current_path().string(), "/",
      call.path);
}

absl::Status Reenactor::On(const strace::Execve& call) {
  if (!call_->result.ok()) return absl::OkStatus();
  absl::Status compared =
      CompareMaps(*task_, absl::StrCat(task_->number, ".exit", task_->execs));
  if (!compared.ok()) return compared;
  auto executable = ReadExecutable(tree_, ExecutedPath(call));
  if (!executable.ok()) {
    return absl::Status(
        executable.status().code(),
        absl::StrCat(CallText(*call_), ": ", executable.status().message(),
                     "; the head of the program's file is needed: name the "
                     "directory that has it with --root or --heads"));
  }
  absl::Status created = CreateImage(*executable);
  if (!created.ok()) return created;
  if (!executable->image.interpreter.empty()) {
    auto linker = ReadExecutable(tree_, executable->image.interpreter);
    if (!linker.ok()) return linker.status();
    created = CreateImage(*linker);
    if (!created.ok()) return created;
  }
  v1::Command command;
  command.mutable_execve()->set_path(executable->path);
  for (const std::string& argument : call.argv) {
    command.mutable_execve()->add_argv(argument);
  }
  for (const std::string& variable : call.env) {
    command.mutable_execve()->add_envp(variable);
  }
  const uint32_t pid = task_->pid;
  if (task_->exec_as != 0) task_->pid = std::exchange(task_->exec_as, 0);
  absl::StatusOr<v1::Outcome> outcome = Compare(command, Answer::kNumber);
  task_->pid = pid;
  if (!outcome.ok()) return outcome.status();
  ++task_->execs;
  task_->space = std::make_shared<Space>();
  task_->space->executable = executable->path;
  task_->files = std::make_shared<FileTable>(*task_->files);
  return CompareMaps(*task_,
                     absl::StrCat(task_->number, ".exec", task_->execs));
}

absl::Status Reenactor::On(const strace::Clone& call) {
  if (!call_->result.ok()) return absl::OkStatus();
  v1::Command command;
  command.mutable_clone()->set_flags(call.flags |
                                     static_cast<uint64_t>(call.exit_signal));
  absl::StatusOr<v1::Outcome> outcome = Apply(command);
  if (!outcome.ok()) return outcome.status();
  ++report_.calls;
  ++report_.compared;
  if (outcome->error() != v1::ERRNO_UNSPECIFIED || outcome->no_process()) {
    Differ(*outcome);
    return absl::OkStatus();
  }
  Task child;
  child.number = static_cast<int>(tasks_.size()) + 1;
  child.pid = static_cast<uint32_t>(outcome->value());
  child.group = call.is_thread() ? task_->group : child.pid;
  child.space = call.shares_memory() ? task_->space
                                     : std::make_shared<Space>(*task_->space);
  child.files = call.shares_files()
                    ? task_->files
                    : std::make_shared<FileTable>(*task_->files);
  tasks_[static_cast<strace::Pid>(call_->result.value)] = std::move(child);
  return absl::OkStatus();
}

Reenactor::Task* Reenactor::LeaderOf(const Task& task) {
  for (auto& [pid, other] : tasks_) {
    if (other.pid == task.group) return &other;
  }
  return nullptr;
}

bool Reenactor::IsAlone(const Task& task) const {
  return std::none_of(tasks_.begin(), tasks_.end(), [&task](const auto& entry) {
    const Task& other = entry.second;
    return other.live && other.group == task.group && &other != &task;
  });
}

absl::Status Reenactor::On(const strace::Exit& call) {
  ++report_.calls;
  return End(*task_, call.group || IsAlone(*task_), call.status, 0);
}

absl::Status Reenactor::End(Task& task, bool group, int status, int signal) {
  const Task* leader = LeaderOf(task);
  if (group && leader != nullptr) {
    const std::string name =
        absl::StrCat(leader->number, ".exit", leader->execs);
    absl::StatusOr<std::string> text = Maps(task);
    if (!text.ok()) return text.status();
    report_.final_maps.emplace_back(name, *std::move(text));
    absl::Status compared = CompareMaps(task, name);
    if (!compared.ok()) return compared;
  }
  v1::Command command;
  if (signal != 0) {
    command.mutable_kill()->set_target(task.pid);
    command.mutable_kill()->set_signal(signal);
  } else {
    command.mutable_exit()->set_status(status);
    command.mutable_exit()->set_group(group);
  }
  task_ = &task;
  absl::StatusOr<v1::Outcome> outcome = Apply(command);
  if (!outcome.ok()) return outcome.status();
  for (auto& [pid, other] : tasks_) {
    if (group && other.group == task.group) other.live = false;
  }
  task.live = false;
  return absl::OkStatus();
}

absl::Status Reenactor::On(const strace::Wait&) {
  if (!call_->result.ok() || call_->name != "wait4") return absl::OkStatus();
  const auto child = tasks_.find(static_cast<strace::Pid>(call_->result.value));
  if (child == tasks_.end()) return absl::OkStatus();
  // Whoever ended is known: it is asked for by name.
  v1::Command command;
  command.mutable_wait()->set_pid(child->second.pid);
  absl::StatusOr<v1::Outcome> outcome = Apply(command);
  if (!outcome.ok()) return outcome.status();
  ++report_.calls;
  ++report_.compared;
  if (outcome->value() != child->second.pid) Differ(*outcome);
  return absl::OkStatus();
}

absl::Status Reenactor::On(const strace::Rlimit& call) {
  if (!call.set || !call_->result.ok() || call.pid != 0 ||
      !ShapesMemory(call.resource)) {
    return absl::OkStatus();
  }
  v1::Command command;
  command.mutable_setrlimit()->set_resource(
      static_cast<uint32_t>(call.resource));
  command.mutable_setrlimit()->set_soft(call.set->soft);
  command.mutable_setrlimit()->set_hard(call.set->hard);
  return Plain(command);
}

absl::StatusOr<std::string> Reenactor::Maps(const Task& task) {
  return target_.ReadProc(absl::StrCat("/proc/", task.pid, "/maps"));
}

absl::Status Reenactor::CompareMaps(const Task& task, const std::string& name) {
  if (options_.maps_dir.empty()) return absl::OkStatus();
  const std::string path = absl::StrCat(options_.maps_dir, "/", name, ".maps");
  std::error_code error;
  if (!fs::exists(path, error)) return absl::OkStatus();
  auto theirs = scenario::ParseMaps(ReadText(path));
  if (!theirs.ok()) {
    return absl::Status(theirs.status().code(),
                        absl::StrCat(path, ": ", theirs.status().message()));
  }
  absl::StatusOr<std::string> text = Maps(task);
  if (!text.ok()) return text.status();
  auto ours = scenario::ParseMaps(*text);
  if (!ours.ok()) return ours.status();
  MapsComparison comparison;
  comparison.name = name;
  for (const scenario::MapsLine& line : *ours) {
    if (line.name != "[vsyscall]") comparison.ours.push_back(Comparable(line));
  }
  for (scenario::MapsLine line : *theirs) {
    if (line.name == "[vsyscall]") continue;
    const uint64_t length = line.end - line.start;
    line.start = task.space->layout.ToOurs(line.start);
    line.end = line.start + length;
    comparison.theirs.push_back(Comparable(line));
  }
  report_.maps.push_back(std::move(comparison));
  return absl::OkStatus();
}

}  // namespace faultline::cli

#include "client/cli/import_strace.h"

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace faultline::cli {
namespace {

namespace fs = std::filesystem;

// x86-64's numbers: a recording means the same wherever it is read.
constexpr uint64_t kProtWrite = 2;
constexpr uint64_t kMapTypeMask = 0xf;
constexpr uint64_t kMapShared = 1;
constexpr uint64_t kMapSharedValidate = 3;
constexpr uint64_t kMapFixed = 0x10;
constexpr uint64_t kMapAnonymous = 0x20;
constexpr uint64_t kMapFixedNoReplace = 0x100000;
constexpr uint64_t kRemapMayMove = 1;
constexpr uint64_t kRemapFixed = 2;
constexpr uint64_t kAccessMode = 3;
constexpr uint64_t kReadWrite = 2;
constexpr int kEacces = 13;
constexpr int64_t kAtCwd = -100;

// linux/magic.h
constexpr uint64_t kExt4Magic = 0xef53;
constexpr uint64_t kXfsMagic = 0x58465342;
constexpr uint64_t kBtrfsMagic = 0x9123683e;
constexpr uint64_t kTmpfsMagic = 0x01021994;

// Of the limits, those that shape memory: RLIMIT_DATA, STACK, MEMLOCK, AS.
bool ShapesMemory(uint64_t resource) {
  return resource == 2 || resource == 3 || resource == 8 || resource == 9;
}

bool IsFixed(uint64_t flags) {
  return (flags & (kMapFixed | kMapFixedNoReplace)) != 0;
}

bool IsShared(uint64_t flags) {
  const uint64_t type = flags & kMapTypeMask;
  return type == kMapShared || type == kMapSharedValidate;
}

std::string CallText(const strace::Syscall& call) {
  return absl::StrCat(call.name, "(", absl::StrJoin(call.arguments, ", "), ")");
}

std::string RecordedText(const strace::Result& result) {
  if (result.kind == strace::Result::Kind::kError) {
    return absl::StrCat("-1 ", result.error_name);
  }
  if (result.value < 10) return absl::StrCat(result.value);
  return absl::StrFormat("0x%x", result.value);
}

std::string OursText(const v1::Outcome& outcome) {
  if (outcome.no_process()) return "no such process";
  if (outcome.error() != v1::ERRNO_UNSPECIFIED) {
    const std::string name = v1::Errno_Name(outcome.error());
    return absl::StrCat("-1 ", absl::StripPrefix(name, "ERRNO_"));
  }
  if (outcome.value() >= 0 && outcome.value() < 10) {
    return absl::StrCat(outcome.value());
  }
  return absl::StrFormat("0x%x", static_cast<uint64_t>(outcome.value()));
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A line as it is compared: shared anonymous memory has an inode that depends
// on what else the real system did.
std::string Comparable(MapsLine line) {
  if (line.name == "/dev/zero (deleted)") {
    line.device = "00:01";
    line.inode = 0;
  }
  return FormatMapsLine(line);
}

}  // namespace

bool ImportReport::agrees() const {
  return differences.empty() &&
         std::all_of(maps.begin(), maps.end(),
                     [](const MapsComparison& m) { return m.equal(); });
}

Reenactor::Reenactor(Target& target, ImportOptions options)
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
  report_.processes = static_cast<int>(tasks_.size());
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

void Reenactor::Note(std::string text) {
  report_.notes.push_back(
      absl::StrCat("line ", record_->line, ": ", std::move(text)));
}

void Reenactor::NotReenacted() { ++report_.not_reenacted[call_->name]; }

absl::Status Reenactor::On(const strace::RemapFilePages&) {
  NotReenacted();
  return absl::OkStatus();
}
absl::Status Reenactor::On(const strace::Shmat&) {
  NotReenacted();
  return absl::OkStatus();
}
absl::Status Reenactor::On(const strace::Shmdt&) {
  NotReenacted();
  return absl::OkStatus();
}

// ---- asking the machine

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
  return outcome;
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
  auto lines = ParseMaps(*text);
  if (!lines.ok()) return lines.status();
  for (const MapsLine& line : *lines) {
    if (line.name == task_->space->executable && line.perms[1] == 'w') {
      task_->space->layout.LearnExecutable(real, line.start);
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

// ---- files

void Reenactor::LoadIdentities() {
  if (options_.maps_dir.empty()) return;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.maps_dir, error)) {
    if (entry.path().extension() != ".maps") continue;
    auto lines = ParseMaps(ReadText(entry.path().string()));
    if (!lines.ok()) continue;
    for (const MapsLine& line : *lines) {
      const std::vector<std::string> device = absl::StrSplit(line.device, ':');
      Identity identity;
      if (line.inode == 0 || device.size() != 2 ||
          !absl::SimpleHexAtoi(device[0], &identity.dev_major) ||
          !absl::SimpleHexAtoi(device[1], &identity.dev_minor)) {
        continue;
      }
      identity.inode = line.inode;
      identities_[line.name] = identity;
    }
  }
}

void Reenactor::SetIdentity(v1::CreateFile* file) const {
  const auto known = identities_.find(file->path());
  if (known != identities_.end()) {
    file->set_dev_major(known->second.dev_major);
    file->set_dev_minor(known->second.dev_minor);
    file->set_inode(known->second.inode);
    return;
  }
  struct stat status;
  if (!tree_.IsOwnRoot() || ::stat(file->path().c_str(), &status) != 0) return;
  file->set_dev_major(major(status.st_dev));
  file->set_dev_minor(minor(status.st_dev));
  file->set_inode(status.st_ino);
}

v1::FsType Reenactor::FsTypeOf(const std::string& path) const {
  if (absl::StartsWith(path, "/memfd:") ||
      absl::StartsWith(path, "/dev/shm/")) {
    return v1::FS_TYPE_TMPFS;
  }
  if (options_.fs != v1::FS_TYPE_UNSPECIFIED) return options_.fs;
  struct statfs status;
  if (!tree_.IsOwnRoot() || ::statfs(path.c_str(), &status) != 0) {
    return v1::FS_TYPE_EXT4;
  }
  switch (static_cast<uint64_t>(status.f_type)) {
    case kExt4Magic:
    case kXfsMagic:
    case kBtrfsMagic:
      return v1::FS_TYPE_EXT4;
    case kTmpfsMagic:
      return v1::FS_TYPE_TMPFS;
    default:
      // Overlayfs and the network's file systems align no mapping, as ramfs.
      return v1::FS_TYPE_RAMFS;
  }
}

absl::Status Reenactor::CreateFile(v1::CreateFile file) {
  file.set_fs(FsTypeOf(file.path()));
  SetIdentity(&file);
  v1::Command command;
  *command.mutable_create_file() = std::move(file);
  absl::StatusOr<v1::Outcome> outcome = target_.Apply(command);
  if (!outcome.ok()) return outcome.status();
  files_.insert(command.create_file().path());
  if (outcome->error() == v1::ERRNO_UNSPECIFIED) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the machine does not take the file ",
                   command.create_file().path(), ": ", OursText(*outcome)));
}

absl::Status Reenactor::EnsureFile(const std::string& path,
                                   uint64_t least_size) {
  if (files_.count(path) > 0) return absl::OkStatus();
  v1::CreateFile file;
  file.set_path(path);
  file.set_content(v1::FILE_CONTENT_HOLE);
  const uint64_t size = tree_.Locate(path).size;
  file.set_size(size != 0 ? size : least_size);
  return CreateFile(std::move(file));
}

absl::Status Reenactor::CreateImage(const Executable& executable) {
  if (!images_.insert(executable.path).second) return absl::OkStatus();
  v1::CreateFile file;
  file.set_path(executable.path);
  file.set_content(v1::FILE_CONTENT_BYTES);
  file.set_data(executable.image.head);
  file.set_size(executable.image.size);
  file.set_mode(0755);
  return CreateFile(std::move(file));
}

absl::StatusOr<int32_t> Reenactor::Descriptor(const strace::Mmap& call) {
  if (call.fd.number < 0) return -1;
  OpenFile& open = (*task_->files)[call.fd.number];
  std::string path = call.fd.path;
  if (call.fd.deleted) absl::StrAppend(&path, " (deleted)");
  if (path.empty()) path = open.path;
  if (path.empty()) {
    path = absl::StrCat("/descriptor-", call.fd.number);
    Note("the mapped file has no name: record with strace -y");
  }
  if (open.path != path) open = {path, std::nullopt, false};
  absl::Status ensured = EnsureFile(path, call.offset + call.length);
  if (!ensured.ok()) return ensured;
  if (open.in_machine) return static_cast<int32_t>(call.fd.number);
  // Without the open call in the recording: what the mapping must have needed.
  const bool shared_write =
      IsShared(call.flags) && (call.prot & kProtWrite) != 0;
  const bool refused = call_->result.error == kEacces;
  const uint64_t needed = shared_write && !refused ? kReadWrite : 0;
  v1::Command command;
  command.mutable_open()->set_path(path);
  command.mutable_open()->set_flags(open.flags.value_or(needed));
  command.mutable_open()->set_at(static_cast<int32_t>(call.fd.number));
  absl::StatusOr<v1::Outcome> outcome = Apply(command);
  if (!outcome.ok()) return outcome.status();
  if (outcome->error() != v1::ERRNO_UNSPECIFIED) {
    Note(absl::StrCat("the machine cannot open ", path, " as descriptor ",
                      call.fd.number, ": ", OursText(*outcome)));
    return -1;
  }
  open.in_machine = true;
  return static_cast<int32_t>(call.fd.number);
}

absl::Status Reenactor::On(const strace::Open& call) {
  if (!call_->result.ok()) return absl::OkStatus();
  std::string path = call_->result.path;
  if (path.empty() && absl::StartsWith(call.path, "/")) {
    path = tree_.Locate(call.path).real;
  } else if (path.empty() && !call.directory.path.empty() &&
             (call.directory.number == kAtCwd || call.directory.number >= 0)) {
    path = absl::StrCat(call.directory.path, "/", call.path);
  }
  (*task_->files)[static_cast<int64_t>(call_->result.value)] = {
      path, call.flags & kAccessMode, false};
  return absl::OkStatus();
}

absl::Status Reenactor::On(const strace::Close& call) {
  const auto it = task_->files->find(call.fd.number);
  if (it == task_->files->end() || !call_->result.ok()) return absl::OkStatus();
  const bool in_machine = it->second.in_machine;
  task_->files->erase(it);
  if (!in_machine) return absl::OkStatus();
  v1::Command command;
  command.mutable_close()->set_fd(static_cast<int32_t>(call.fd.number));
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Dup& call) {
  const auto it = task_->files->find(call.fd.number);
  if (it == task_->files->end() || !call_->result.ok()) return absl::OkStatus();
  OpenFile copy = it->second;
  copy.in_machine = false;
  (*task_->files)[static_cast<int64_t>(call_->result.value)] = copy;
  return absl::OkStatus();
}

absl::Status Reenactor::On(const strace::Ftruncate& call) {
  const auto it = task_->files->find(call.fd.number);
  if (it == task_->files->end() || !it->second.in_machine) {
    return absl::OkStatus();
  }
  v1::Command command;
  command.mutable_truncate()->set_fd(static_cast<int32_t>(call.fd.number));
  command.mutable_truncate()->set_size(static_cast<int64_t>(call.length));
  return Plain(command);
}

// ---- processes

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
                     "; the head of the program's file is needed: give the "
                     "directory that has it with --root"));
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

// ---- memory

absl::Status Reenactor::On(const strace::Brk& call) {
  const strace::Result& real = call_->result;
  if (!real.ok()) return absl::OkStatus();
  Space& space = *task_->space;
  v1::Command command;
  command.mutable_brk()->set_addr(ToOurs(call.address));
  if (!space.break_known && call.address == 0) {
    absl::StatusOr<v1::Outcome> outcome = Apply(command);
    if (!outcome.ok()) return outcome.status();
    ++report_.calls;
    ++report_.compared;
    space.break_known = true;
    space.layout.LearnBreak(real.value,
                            static_cast<uint64_t>(outcome->value()));
    if (!Agrees(*outcome, Answer::kAddress)) Differ(*outcome);
    return absl::OkStatus();
  }
  absl::StatusOr<v1::Outcome> outcome = Compare(command, Answer::kAddress);
  if (!outcome.ok()) return outcome.status();
  space.layout.SetBreak(real.value);
  if (Agrees(*outcome, Answer::kAddress)) return absl::OkStatus();
  command.mutable_brk()->set_addr(space.layout.ToOurs(real.value));
  return Apply(command).status();
}

absl::Status Reenactor::On(const strace::Mmap& call) {
  if (call_->result.kind == strace::Result::Kind::kUnknown) {
    return absl::OkStatus();
  }
  v1::Command command;
  v1::Mmap* mmap = command.mutable_mmap();
  mmap->set_addr(ToOurs(call.address));
  mmap->set_length(call.length);
  mmap->set_prot(call.prot);
  mmap->set_flags(call.flags);
  mmap->set_offset(call.offset);
  mmap->set_fd(-1);
  if ((call.flags & kMapAnonymous) == 0) {
    absl::StatusOr<int32_t> fd = Descriptor(call);
    if (!fd.ok()) return fd.status();
    mmap->set_fd(*fd);
  }
  absl::StatusOr<v1::Outcome> outcome = Apply(command);
  if (!outcome.ok()) return outcome.status();
  ++report_.calls;
  ++report_.compared;
  Layout& layout = task_->space->layout;
  if (call_->result.ok() && outcome->error() == v1::ERRNO_UNSPECIFIED &&
      call.address == 0 && !IsFixed(call.flags)) {
    layout.LearnMapping(call_->result.value,
                        static_cast<uint64_t>(outcome->value()));
  }
  if (Agrees(*outcome, Answer::kAddress)) return absl::OkStatus();
  Differ(*outcome);
  return RepairMmap(call, *outcome);
}

// Puts the mapping where the real kernel had it, so that one difference does
// not make many.
absl::Status Reenactor::RepairMmap(const strace::Mmap& call,
                                   const v1::Outcome& outcome) {
  if (outcome.error() == v1::ERRNO_UNSPECIFIED) {
    v1::Command undo;
    undo.mutable_munmap()->set_addr(static_cast<uint64_t>(outcome.value()));
    undo.mutable_munmap()->set_length(call.length);
    absl::Status undone = Apply(undo).status();
    if (!undone.ok()) return undone;
  }
  if (!call_->result.ok()) return absl::OkStatus();
  v1::Command again;
  v1::Mmap* mmap = again.mutable_mmap();
  mmap->set_addr(task_->space->layout.ToOurs(call_->result.value));
  mmap->set_length(call.length);
  mmap->set_prot(call.prot);
  mmap->set_flags(call.flags | kMapFixed);
  mmap->set_offset(call.offset);
  mmap->set_fd((call.flags & kMapAnonymous) != 0
                   ? -1
                   : static_cast<int32_t>(call.fd.number));
  return Apply(again).status();
}

absl::Status Reenactor::On(const strace::Munmap& call) {
  v1::Command command;
  command.mutable_munmap()->set_addr(ToOurs(call.address));
  command.mutable_munmap()->set_length(call.length);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mprotect& call) {
  if (call.pkey && *call.pkey > 0) {
    NotReenacted();
    return absl::OkStatus();
  }
  v1::Command command;
  command.mutable_mprotect()->set_addr(ToOurs(call.address));
  command.mutable_mprotect()->set_length(call.length);
  command.mutable_mprotect()->set_prot(call.prot);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mremap& call) {
  if (call_->result.kind == strace::Result::Kind::kUnknown) {
    return absl::OkStatus();
  }
  v1::Command command;
  v1::Mremap* mremap = command.mutable_mremap();
  mremap->set_addr(ToOurs(call.address));
  mremap->set_old_length(call.old_length);
  mremap->set_new_length(call.new_length);
  mremap->set_flags(call.flags);
  mremap->set_new_addr(ToOurs(call.new_address.value_or(0)));
  absl::StatusOr<v1::Outcome> outcome = Compare(command, Answer::kAddress);
  if (!outcome.ok()) return outcome.status();
  if (Agrees(*outcome, Answer::kAddress)) return absl::OkStatus();
  return RepairMremap(call, *outcome);
}

absl::Status Reenactor::RepairMremap(const strace::Mremap& call,
                                     const v1::Outcome& outcome) {
  if (!call_->result.ok() || outcome.error() != v1::ERRNO_UNSPECIFIED) {
    return absl::OkStatus();
  }
  v1::Command again;
  v1::Mremap* mremap = again.mutable_mremap();
  mremap->set_addr(static_cast<uint64_t>(outcome.value()));
  mremap->set_old_length(call.new_length);
  mremap->set_new_length(call.new_length);
  mremap->set_flags(kRemapMayMove | kRemapFixed);
  mremap->set_new_addr(task_->space->layout.ToOurs(call_->result.value));
  return Apply(again).status();
}

absl::Status Reenactor::On(const strace::Madvise& call) {
  v1::Command command;
  command.mutable_madvise()->set_addr(ToOurs(call.address));
  command.mutable_madvise()->set_length(call.length);
  command.mutable_madvise()->set_advice(static_cast<int32_t>(call.advice));
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mlock& call) {
  v1::Command command;
  command.mutable_mlock()->set_addr(ToOurs(call.address));
  command.mutable_mlock()->set_length(call.length);
  command.mutable_mlock()->set_flags(call.flags);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Munlock& call) {
  v1::Command command;
  command.mutable_munlock()->set_addr(ToOurs(call.address));
  command.mutable_munlock()->set_length(call.length);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mlockall& call) {
  v1::Command command;
  command.mutable_mlockall()->set_flags(call.flags);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Munlockall&) {
  v1::Command command;
  command.mutable_munlockall();
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Msync& call) {
  v1::Command command;
  command.mutable_msync()->set_addr(ToOurs(call.address));
  command.mutable_msync()->set_length(call.length);
  command.mutable_msync()->set_flags(call.flags);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mincore& call) {
  v1::Command command;
  command.mutable_mincore()->set_addr(ToOurs(call.address));
  command.mutable_mincore()->set_length(call.length);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::SetVmaName& call) {
  v1::Command command;
  command.mutable_set_vma_name()->set_addr(ToOurs(call.address));
  command.mutable_set_vma_name()->set_length(call.length);
  command.mutable_set_vma_name()->set_name(call.name.value_or(""));
  return Plain(command);
}

// ---- maps

absl::StatusOr<std::string> Reenactor::Maps(const Task& task) {
  return target_.ReadProc(absl::StrCat("/proc/", task.pid, "/maps"));
}

absl::Status Reenactor::CompareMaps(const Task& task, const std::string& name) {
  if (options_.maps_dir.empty()) return absl::OkStatus();
  const std::string path = absl::StrCat(options_.maps_dir, "/", name, ".maps");
  std::error_code error;
  if (!fs::exists(path, error)) return absl::OkStatus();
  auto theirs = ParseMaps(ReadText(path));
  if (!theirs.ok()) {
    return absl::Status(theirs.status().code(),
                        absl::StrCat(path, ": ", theirs.status().message()));
  }
  absl::StatusOr<std::string> text = Maps(task);
  if (!text.ok()) return text.status();
  auto ours = ParseMaps(*text);
  if (!ours.ok()) return ours.status();
  MapsComparison comparison;
  comparison.name = name;
  for (const MapsLine& line : *ours) {
    if (line.name != "[vsyscall]") comparison.ours.push_back(Comparable(line));
  }
  for (MapsLine line : *theirs) {
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

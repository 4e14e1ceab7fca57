#include "client/cli/export_trace.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace faultline::cli {
namespace {

constexpr uint64_t kCloneThread = 0x10000;
// TASK_COMM_LEN - 1
constexpr size_t kCommMax = 15;

MessageField Text(const char* name, std::string text) {
  MessageField field;
  field.name = name;
  field.kind = MessageField::Kind::kText;
  field.text = std::move(text);
  return field;
}

MessageField Number(const char* name, uint64_t number) {
  MessageField field;
  field.name = name;
  field.kind = MessageField::Kind::kUnsigned;
  field.number = number;
  return field;
}

MessageField Returned(const v1::Change& change) {
  MessageField field;
  field.name = "return";
  const v1::Outcome& outcome = change.outcome();
  const bool address = ReturnsAddress(change.command()) &&
                       outcome.error() == v1::ERRNO_UNSPECIFIED;
  field.kind =
      address ? MessageField::Kind::kAddress : MessageField::Kind::kSigned;
  field.number = static_cast<uint64_t>(outcome.value());
  field.signed_number = outcome.value();
  return field;
}

// The slice of a call: its name, its arguments, what it gave.
TraceEvent CallOf(const v1::Change& change, uint64_t time_ns) {
  NamedFields command = FieldsOfCommand(change.command());
  TraceEvent call;
  call.tid = change.command().pid();
  call.time_ns = time_ns;
  call.name = std::move(command.name);
  call.category = "call";
  call.arguments = std::move(command.fields);
  call.arguments.push_back(
      Number("revision", static_cast<uint64_t>(change.revision())));
  if (!change.has_outcome()) {
    call.arguments.push_back(Text("outcome", "broke the simulator"));
    return call;
  }
  const v1::Outcome& outcome = change.outcome();
  call.arguments.push_back(Returned(change));
  if (outcome.error() != v1::ERRNO_UNSPECIFIED) {
    call.arguments.push_back(Text("errno", ErrnoText(outcome.error())));
  }
  if (outcome.has_signal()) {
    call.arguments.push_back(
        Text("signal", SignalText(outcome.signal().signal())));
  }
  if (outcome.no_process()) {
    call.arguments.push_back(Text("outcome", "no such process"));
  }
  return call;
}

const char* NameOfFault(const v1::FaultResolved& fault) {
  if (fault.copied_pfn() != 0) return "cow";
  return fault.major() ? "majfault" : "minfault";
}

// True when the fault filled the frame, or is the last that mapped it from a
// file; the shared zero page is nobody's.
bool Fills(const v1::FaultResolved& fault) {
  switch (fault.how()) {
    case v1::FAULT_RESOLUTION_ANON_PAGE:
    case v1::FAULT_RESOLUTION_COW_COPY:
    case v1::FAULT_RESOLUTION_COW_ZERO_PAGE:
    case v1::FAULT_RESOLUTION_FILE_READ:
    case v1::FAULT_RESOLUTION_FILE_AROUND:
    case v1::FAULT_RESOLUTION_FILE_COW:
    case v1::FAULT_RESOLUTION_FILE_SHARED:
      return true;
    default:
      return false;
  }
}

struct ShownField {
  const char* counter;
  const char* field;  // of /proc/PID/status, in kilobytes
};
constexpr ShownField kCounters[] = {
    {"vsz", "VmSize"},       {"rss_anon", "RssAnon"},
    {"rss_file", "RssFile"}, {"rss_shmem", "RssShmem"},
    {"swap", "VmSwap"},      {"page tables", "VmPTE"}};

}  // namespace

void TraceExport::BeginProcess(uint32_t pid, const std::string& name) {
  names_[pid] = name;
  pid_of_thread_[pid] = pid;
  // The counters of an earlier process with that pid are not continued.
  counted_.erase(counted_.lower_bound({pid, ""}),
                 counted_.lower_bound({pid + 1, ""}));
  sink_.BeginProcess(pid, name);
  sink_.BeginThread(pid, pid);
}

// A process that no fork of this recording made: the first one, or one of the
// machine that a restored session started with.
void TraceExport::EnsureThread(uint32_t tid) {
  if (tid == kMachineTrack || pid_of_thread_.count(tid) > 0) return;
  BeginProcess(tid, absl::StrCat("process ", tid));
}

void TraceExport::Add(const v1::Change& change) {
  const v1::Outcome& outcome = change.outcome();
  TraceEvent call = CallOf(change, clock_ns_);
  // Nobody's track shows the call of a process that is not there.
  if (outcome.no_process()) call.tid = kMachineTrack;
  EnsureThread(call.tid);
  uint64_t fork_flow = 0;
  for (const v1::Event& event : change.events()) {
    if (event.has_sched_process_fork()) fork_flow = ++flows_;
  }
  if (fork_flow != 0) call.flow_begins.push_back(fork_flow);
  sink_.BeginSlice(call);
  AddEvents(change, call.tid);
  clock_ns_ += outcome.cost_ns();
  sink_.EndSlice(call.tid, clock_ns_);
  for (const v1::Event& event : change.events()) {
    if (event.has_sched_process_fork()) {
      AddChild(change, event.sched_process_fork().child_pid(), fork_flow);
    } else if (event.has_sched_process_exit()) {
      pid_of_thread_.erase(event.sched_process_exit().pid());
    }
  }
}

void TraceExport::AddEvents(const v1::Change& change, uint32_t tid) {
  const auto count = static_cast<uint64_t>(change.events_size());
  const uint64_t step = change.outcome().cost_ns() / (count + 1);
  uint64_t time_ns = clock_ns_;
  for (const v1::Event& event : change.events()) {
    time_ns += step;
    NamedFields body = FieldsOfEvent(event);
    if (event.has_page_fault_user()) {
      error_code_ = Number("error_code", event.page_fault_user().error_code());
      continue;
    }
    if (event.has_sched_process_exec()) AddExec(event.sched_process_exec());
    TraceEvent shown;
    shown.tid = tid;
    shown.time_ns = time_ns;
    shown.name = std::move(body.name);
    shown.category = "event";
    shown.arguments = std::move(body.fields);
    AddFault(event, &shown);
    shown.arguments.push_back(Text("text", event.text()));
    sink_.Instant(shown);
  }
}

// A fault is shown as one instant: what the processor raised and how the
// kernel answered.
void TraceExport::AddFault(const v1::Event& event, TraceEvent* shown) {
  if (event.has_fault_resolved()) {
    shown->name = NameOfFault(event.fault_resolved());
    FollowFrames(event.fault_resolved(), shown);
  } else if (event.has_fault_refused()) {
    shown->name = SignalText(event.fault_refused().signal());
  } else {
    return;
  }
  shown->category = "fault";
  if (!error_code_.name.empty()) shown->arguments.push_back(error_code_);
  error_code_ = MessageField();
}

void TraceExport::FollowFrames(const v1::FaultResolved& fault,
                               TraceEvent* shown) {
  const auto source = maker_of_frame_.find(fault.copied_pfn());
  if (fault.copied_pfn() != 0 && source != maker_of_frame_.end()) {
    shown->flow_steps.push_back(source->second);
  }
  if (!Fills(fault)) return;
  const bool known = maker_of_frame_.count(fault.pfn()) > 0;
  if (!known && maker_of_frame_.size() >= kFramesMax) return;
  maker_of_frame_[fault.pfn()] = ++flows_;
  shown->flow_begins.push_back(flows_);
}

void TraceExport::AddChild(const v1::Change& change, uint32_t child,
                           uint64_t fork_flow) {
  const uint32_t parent = pid_of_thread_[change.command().pid()];
  if ((change.command().clone().flags() & kCloneThread) != 0) {
    pid_of_thread_[child] = parent;
    sink_.BeginThread(parent, child);
  } else {
    BeginProcess(child, names_[parent]);
  }
  TraceEvent born;
  born.tid = child;
  born.time_ns = clock_ns_;
  born.name = "sched_process_fork";
  born.category = "event";
  born.arguments.push_back(Number("parent_pid", change.command().pid()));
  born.flow_ends.push_back(fork_flow);
  sink_.Instant(born);
}

// The kernel names a process by the last part of its program's path.
void TraceExport::AddExec(const v1::SchedProcessExec& exec) {
  const size_t slash = exec.filename().rfind('/');
  const std::string file = slash == std::string::npos
                               ? exec.filename()
                               : exec.filename().substr(slash + 1);
  names_[exec.pid()] = file.substr(0, kCommMax);
  sink_.RenameProcess(exec.pid(), names_[exec.pid()]);
}

void TraceExport::AddCounters(const CounterLook& look) {
  auto before = counted_;
  for (const ProcessLook& process : look.processes) {
    if (names_.count(process.pid) == 0) {
      BeginProcess(process.pid, process.name);
    }
    for (const ShownField& shown : kCounters) {
      Count({process.pid, shown.counter, "bytes"},
            process.Kilobytes(shown.field) << 10);
      before.erase({process.pid, shown.counter});
    }
  }
  for (const ZoneLook& zone : look.zones) {
    const std::string name = absl::StrCat("free pages ", zone.name);
    Count({0, name, "pages"}, zone.free_pages);
    before.erase({0, name});
  }
  // What is gone has nothing.
  for (const auto& [key, value] : before) {
    Count({key.first, key.second, "bytes"}, 0);
    counted_.erase(key);
  }
}

void TraceExport::Count(const TraceCounter& counter, uint64_t value) {
  const auto [it, first] =
      counted_.try_emplace({counter.pid, counter.name}, value);
  if (!first && it->second == value) return;
  it->second = value;
  sink_.Count(counter, clock_ns_, value);
}

}  // namespace faultline::cli

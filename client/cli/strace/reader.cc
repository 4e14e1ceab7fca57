#include "client/cli/strace/reader.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "client/cli/strace/values.h"

namespace faultline::strace {
namespace {

constexpr std::string_view kHowToRecord =
    "record with: strace -f -y -o FILE PROGRAM";

// The start of `text`, safe to print.
std::string Excerpt(std::string_view text) {
  constexpr size_t kShown = 60;
  std::string shown;
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    shown.push_back(byte < 0x20 || byte == 0x7f ? '?' : c);
  }
  // Never half a UTF-8 character at the end, nor anything that is not UTF-8.
  for (char& c : shown) {
    if ((static_cast<unsigned char>(c) & 0x80) != 0) c = '?';
  }
  if (text.size() > kShown) shown += "...";
  return shown;
}

// Roughly what a held record costs.
size_t BytesOf(const Record& record) {
  size_t bytes = sizeof(Record);
  if (const auto* call = std::get_if<Syscall>(&record.event)) {
    for (const std::string& argument : call->arguments) {
      bytes += sizeof(std::string) + 2 * argument.size();
    }
  }
  return bytes;
}

// What a file that is not strace's output seems to be.
std::string_view GuessFormat(std::string_view first_line) {
  const auto starts = [&](std::string_view magic) {
    return first_line.substr(0, magic.size()) == magic;
  };
  if (starts("\x7f"
             "ELF"))
    return "it is an ELF program";
  if (starts("SQLite format 3")) return "it is an SQLite database";
  if (starts("\x1f\x8b")) return "it is compressed by gzip: unpack it first";
  if (starts("\x28\xb5\x2f\xfd")) {
    return "it is compressed by zstd: unpack it first";
  }
  if (starts("% time")) return "it is the summary of strace -c";
  if (starts("==")) return "it looks like valgrind's output";
  if (first_line.find('\0') != std::string_view::npos) {
    return "it is a binary file";
  }
  return "no line of it is a system call with its result";
}

}  // namespace

std::optional<Record> Reader::Next() {
  while (queue_.empty() || !orphans_.empty()) {
    if (finished_) break;
    if (!ReadLine()) Finish();
    if (queue_.size() > kHeldRecordsMax || held_bytes_ > kHeldBytesMax) {
      StopHolding();
    }
  }
  if (queue_.empty()) return std::nullopt;
  Record record = std::move(queue_.front());
  held_bytes_ -= BytesOf(record);
  queue_.pop_front();
  return record;
}

Verdict Reader::verdict() const {
  using Kind = Verdict::Kind;
  const Totals& t = diagnostics_.totals();
  if (t.lines == t.blank) {
    return {Kind::kEmpty,
            "the recording is empty; " + std::string(kHowToRecord)};
  }
  if (t.used == 0 || (t.typed_calls == 0 && t.skipped >= t.used)) {
    return {Kind::kForeign, "this does not look like strace output: " +
                                std::string(GuessFormat(first_unusable_)) +
                                " (" + std::to_string(t.skipped) + " of " +
                                std::to_string(t.lines - t.blank) +
                                " lines are unusable, the first is \"" +
                                Excerpt(first_unusable_) + "\"); " +
                                std::string(kHowToRecord)};
  }
  if (t.typed_calls == 0) {
    return {Kind::kNoCalls,
            "no call that shapes memory or processes is in this recording; "
            "record without -e, or with: "
            "strace -f -y -e trace=%memory,%process -o FILE PROGRAM"};
  }
  return {Kind::kUsable, ""};
}

// Reads one line into line_ and takes it. Answers false at the end.
bool Reader::ReadLine() {
  if (!FillLine()) return false;
  Totals& totals = diagnostics_.totals();
  ++totals.lines;
  if (line_too_long_) {
    Skip("it is longer than " + std::to_string(kLineBytesMax) + " bytes");
  } else if (Trim(line_).empty()) {
    ++totals.blank;
  } else {
    TakeLine(line_);
  }
  return totals.used > 0 || totals.skipped < kProbeLinesMax;
}

bool Reader::FillLine() {
  line_.clear();
  line_too_long_ = false;
  std::streambuf* const buffer = in_.rdbuf();
  if (buffer == nullptr) return false;
  using Traits = std::streambuf::traits_type;
  bool any = false;
  while (true) {
    const Traits::int_type c = buffer->sbumpc();
    if (Traits::eq_int_type(c, Traits::eof())) {
      if (any) cut_off_ = true;
      break;
    }
    any = true;
    ++diagnostics_.totals().bytes;
    if (c == '\n') break;
    if (line_.size() < kLineBytesMax) {
      line_.push_back(Traits::to_char_type(c));
    } else {
      line_too_long_ = true;
    }
  }
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  return any;
}

void Reader::TakeLine(std::string_view text) {
  std::string joined;
  if (!begun_.empty()) {
    joined = std::move(begun_) + std::string(text);
    begun_.clear();
    text = joined;
  }
  if (const std::optional<Interrupted> found = FindInterruption(text);
      found.has_value() && found->before.size() < kLineBytesMax) {
    tasks_.Announce(found->attached);
    begun_ = std::string(found->before);
    Used();
    return;
  }
  const Line line = ParseLine(text);
  if (const auto* unusable = std::get_if<Unusable>(&line.body)) {
    Skip(unusable->reason);
    return;
  }
  if (std::holds_alternative<StackTrace>(line.body)) {
    Used();
    return;
  }
  if (const auto* note = std::get_if<TracerNote>(&line.body)) {
    Take(kFirstTask, line, *note);
    return;
  }
  const auto* resumed = std::get_if<ResumedCall>(&line.body);
  const Pid pid = tasks_.Resolve(line.prefix.pid, resumed != nullptr);
  if (resumed != nullptr) {
    Take(pid, line, *resumed);
  } else if (const auto* call = std::get_if<CompleteCall>(&line.body)) {
    Take(pid, line, *call);
  } else if (const auto* begun = std::get_if<UnfinishedCall>(&line.body)) {
    Take(pid, line, *begun);
  } else {
    TakeEvent(pid, line);
  }
}

void Reader::Finish() {
  finished_ = true;
  StopHolding();
  Totals& totals = diagnostics_.totals();
  if (!begun_.empty()) Note("the recording ends inside an interrupted line");
  if (cut_off_) Note("the recording is cut off: its last line has no end");
  for (const auto& [pid, call] : tasks_.pending()) {
    if (call.delivered_child.has_value()) continue;
    ++totals.unfinished;
    Diagnostic note;
    note.line = call.line;
    note.reason = call.name + " of task " + std::to_string(pid) +
                  " never completes in this recording";
    diagnostics_.Add(std::move(note));
  }
}

void Reader::Take(Pid pid, const Line& line, const CompleteCall& call) {
  PendingCall begun;
  begun.name = std::string(call.name);
  begun.line = diagnostics_.totals().lines;
  begun.time = line.prefix.time;
  begun.creates_task = CreatesTask(call.name);
  TakeCall(pid, call.name, call.rest, begun);
}

void Reader::Take(Pid pid, const Line& line, const UnfinishedCall& call) {
  if (tasks_.FindPending(pid) != nullptr) {
    ++diagnostics_.totals().unfinished;
    Note("a call begins while another of the same task is unfinished");
  }
  PendingCall begun;
  begun.name = std::string(call.name);
  begun.head = std::string(call.head);
  begun.line = diagnostics_.totals().lines;
  begun.time = line.prefix.time;
  begun.creates_task = CreatesTask(call.name);
  Meet(pid);
  if (!tasks_.AddPending(pid, std::move(begun))) {
    Skip("too many calls are unfinished");
    return;
  }
  Used();
  if (call.detached) {
    Record record = NewRecord(pid, PendingCall());
    record.event = Detached{};
    Push(std::move(record));
    EndTask(pid);
  }
}

void Reader::Take(Pid pid, const Line& line, const ResumedCall& call) {
  const PendingCall* const pending = tasks_.FindPending(pid);
  if (pending == nullptr) {
    Skip("it resumes a call whose beginning is not in the recording");
    return;
  }
  if (pending->name != call.name) {
    Skip("it resumes " + std::string(call.name) + ", but " + pending->name +
         " of line " + std::to_string(pending->line) + " is unfinished");
    return;
  }
  PendingCall begun = *tasks_.TakePending(pid);
  begun.time = line.prefix.time.has_value() ? line.prefix.time : begun.time;
  // strace ends the head and the tail where it likes; a space cannot hurt.
  const std::string rest = begun.head + " " + std::string(call.tail);
  TakeCall(pid, call.name, rest, begun);
}

void Reader::Take(Pid, const Line&, const TracerNote& note) {
  if (note.attached.has_value()) tasks_.Announce(*note.attached);
  if (note.detached.has_value() && tasks_.IsLive(*note.detached)) {
    Record record = NewRecord(*note.detached, PendingCall());
    record.event = Detached{};
    Push(std::move(record));
    EndTask(*note.detached);
  }
  Used();
}

void Reader::TakeEvent(Pid pid, const Line& line) {
  Meet(pid);
  Record record = NewRecord(pid, PendingCall());
  record.time = line.prefix.time;
  const bool ends = std::holds_alternative<Exited>(line.body) ||
                    std::holds_alternative<Killed>(line.body);
  if (const auto* signal = std::get_if<Signal>(&line.body)) {
    record.event = *signal;
  } else if (const auto* stopped = std::get_if<Stopped>(&line.body)) {
    record.event = *stopped;
  } else if (const auto* exited = std::get_if<Exited>(&line.body)) {
    record.event = *exited;
  } else if (const auto* killed = std::get_if<Killed>(&line.body)) {
    record.event = *killed;
  } else if (const auto* superseded = std::get_if<Superseded>(&line.body)) {
    record.event = *superseded;
    tasks_.Supersede(pid, superseded->by);
  }
  Push(std::move(record));
  Used();
  if (ends) EndTask(pid);
}

// A call that is complete on this line, or completed by it. `rest` starts just
// after the opening bracket.
void Reader::TakeCall(Pid pid, std::string_view name, std::string_view rest,
                      const PendingCall& begun) {
  const std::optional<Arguments> arguments = SplitArguments(rest, ')');
  if (!arguments.has_value()) {
    Skip("the call's closing bracket is missing");
    return;
  }
  std::string_view after = rest.substr(arguments->end);
  const std::optional<Ending> ending = ParseEnding(after);
  if (!ending.has_value()) {
    Skip("the call's result is missing");
    return;
  }
  Meet(pid);
  Record record = NewRecord(pid, begun);
  Syscall call = MakeSyscall(name, arguments->slices);
  call.result = ending->result;
  call.duration_ns = ending->duration_ns;
  call.injected = ending->injected;
  record.event = std::move(call);
  Used();
  ++diagnostics_.totals().syscalls;
  if (!begun.creates_task || !DeliverClone(record, begun)) {
    Push(std::move(record));
  }
}

// Makes sure that `pid` is known before its first record is delivered.
void Reader::Meet(Pid pid) {
  if (tasks_.IsLive(pid)) return;
  ++diagnostics_.totals().tasks;
  const bool first = diagnostics_.totals().tasks == 1;
  if (!tasks_.AddLive(pid)) {
    Note("too many tasks are alive to follow them all");
    return;
  }
  if (first) return;
  const std::vector<Pid> creators = tasks_.Creators();
  if (creators.empty()) {
    Note("task " + std::to_string(pid) +
         " appears without the call that made it");
  } else if (creators.size() == 1) {
    DeliverEarly(creators.front(), pid, queue_.size());
  } else {
    orphans_.insert(pid);
  }
}

// Delivers the unfinished clone of `creator` as the maker of `child`, at
// position `before` of the queue.
void Reader::DeliverEarly(Pid creator, Pid child, size_t before) {
  PendingCall& pending = *tasks_.FindPending(creator);
  const std::optional<Arguments> arguments =
      SplitArguments(pending.head, ')', OpenEnd::kAccept);
  Record record = NewRecord(creator, pending);
  Syscall call = MakeSyscall(pending.name, arguments->slices);
  call.result.kind = Result::Kind::kValue;
  call.result.value = static_cast<uint64_t>(child);
  record.event = std::move(call);
  pending.delivered_child = child;
  held_bytes_ += BytesOf(record);
  queue_.insert(queue_.begin() + static_cast<std::ptrdiff_t>(before),
                std::move(record));
}

// Delivers a clone that returned. Answers false when it is an ordinary record
// for the end of the queue, true when it is in its place already.
bool Reader::DeliverClone(Record& record, const PendingCall& begun) {
  const Syscall& call = std::get<Syscall>(record.event);
  const bool made = call.result.ok() && call.result.value > 0 &&
                    call.result.value <= INT32_MAX;
  const Pid child = made ? static_cast<Pid>(call.result.value) : 0;
  if (begun.delivered_child.has_value()) {
    if (begun.delivered_child == child) return true;
    Note("task " + std::to_string(*begun.delivered_child) +
         " was taken for the child of this call, which it is not");
  }
  if (!made) return false;
  if (orphans_.erase(child) != 0) {
    held_bytes_ += BytesOf(record);
    const size_t before = FirstRecordOf(child);
    queue_.insert(queue_.begin() + static_cast<std::ptrdiff_t>(before),
                  std::move(record));
    return true;
  }
  if (tasks_.IsLive(child)) {
    Note("task " + std::to_string(child) +
         " was already there when this call made it");
  } else {
    ++diagnostics_.totals().tasks;
    if (!tasks_.AddLive(child)) {
      Note("too many tasks are alive to follow them all");
    }
  }
  return false;
}

size_t Reader::FirstRecordOf(Pid pid) const {
  const auto it =
      std::find_if(queue_.begin(), queue_.end(),
                   [pid](const Record& record) { return record.pid == pid; });
  return static_cast<size_t>(std::distance(queue_.begin(), it));
}

// Gives each task that still waits for its maker to the oldest clone there is.
void Reader::StopHolding() {
  for (const Pid orphan : std::exchange(orphans_, {})) {
    const std::vector<Pid> creators = tasks_.Creators();
    if (creators.empty()) {
      Note("task " + std::to_string(orphan) +
           " appears without the call that made it");
      continue;
    }
    Note("task " + std::to_string(orphan) +
         " could be the child of several calls; taken for that of line " +
         std::to_string(tasks_.FindPending(creators.front())->line));
    DeliverEarly(creators.front(), orphan, FirstRecordOf(orphan));
  }
}

void Reader::EndTask(Pid pid) {
  if (const PendingCall* const pending = tasks_.FindPending(pid);
      pending != nullptr && !pending->delivered_child.has_value()) {
    ++diagnostics_.totals().unfinished;
  }
  tasks_.Remove(pid);
}

Syscall Reader::MakeSyscall(std::string_view name,
                            const std::vector<std::string_view>& slices) {
  Syscall call;
  call.name = std::string(name);
  call.arguments.assign(slices.begin(), slices.end());
  ParsedCall parsed = ParseCall(name, slices);
  if (!parsed.error.empty()) {
    Note(call.name + ": " + parsed.error + "; delivered as text only");
  }
  for (const std::string& unknown : parsed.unknown_names) {
    Note(call.name + ": unknown flag " + unknown + " is left out");
  }
  call.call = std::move(parsed.call);
  if (!std::holds_alternative<std::monostate>(call.call)) {
    ++diagnostics_.totals().typed_calls;
  }
  return call;
}

Record Reader::NewRecord(Pid pid, const PendingCall& begun) const {
  Record record;
  record.line = diagnostics_.totals().lines;
  record.first_line = begun.line != 0 ? begun.line : record.line;
  record.pid = pid;
  record.time = begun.time;
  return record;
}

void Reader::Push(Record record) {
  held_bytes_ += BytesOf(record);
  queue_.push_back(std::move(record));
}

void Reader::Skip(std::string reason) {
  if (first_unusable_.empty()) first_unusable_ = line_.substr(0, 80);
  Diagnostic diagnostic;
  diagnostic.kind = Diagnostic::Kind::kSkipped;
  diagnostic.line = diagnostics_.totals().lines;
  diagnostic.reason = std::move(reason);
  diagnostic.excerpt = Excerpt(line_);
  diagnostics_.Add(std::move(diagnostic));
}

void Reader::Note(std::string reason) {
  Diagnostic diagnostic;
  diagnostic.line = diagnostics_.totals().lines;
  diagnostic.reason = std::move(reason);
  diagnostics_.Add(std::move(diagnostic));
}

}  // namespace faultline::strace

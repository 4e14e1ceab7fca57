#include "client/cli/strace/line.h"

#include <algorithm>
#include <utility>

#include "client/cli/strace/constants.h"
#include "client/cli/strace/values.h"

namespace faultline::strace {
namespace {

constexpr Pid kPidMax = 4194304;  // PID_MAX_LIMIT of the kernel
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool Consume(std::string_view& text, std::string_view prefix) {
  if (!StartsWith(text, prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool ConsumeEnd(std::string_view& text, std::string_view suffix) {
  if (text.size() < suffix.size() ||
      text.substr(text.size() - suffix.size()) != suffix) {
    return false;
  }
  text.remove_suffix(suffix.size());
  return true;
}

std::string_view TakeWhile(std::string_view& text, bool (*keep)(char)) {
  size_t n = 0;
  while (n < text.size() && keep(text[n])) ++n;
  const std::string_view taken = text.substr(0, n);
  text.remove_prefix(n);
  return taken;
}

// Decimal digits only; at most 18 of them, so that it cannot overflow.
std::optional<int64_t> Decimal(std::string_view digits) {
  constexpr size_t kDigitsMax = 18;
  if (digits.empty() || digits.size() > kDigitsMax) return std::nullopt;
  int64_t value = 0;
  for (const char c : digits) {
    if (!IsDigit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<Pid> ParsePid(std::string_view digits) {
  const std::optional<int64_t> value = Decimal(digits);
  if (!value.has_value() || *value <= 0 || *value > kPidMax) {
    return std::nullopt;
  }
  return static_cast<Pid>(*value);
}

// "12" or "12.000345" seconds.
std::optional<int64_t> ParseSeconds(std::string_view text) {
  constexpr size_t kFractionDigits = 9;
  constexpr int64_t kSecondsMax = int64_t{1} << 33;
  const size_t dot = text.find('.');
  const std::optional<int64_t> seconds = Decimal(text.substr(0, dot));
  if (!seconds.has_value() || *seconds > kSecondsMax) return std::nullopt;
  int64_t nanoseconds = 0;
  if (dot != std::string_view::npos) {
    std::string fraction(text.substr(dot + 1));
    if (fraction.empty() || fraction.size() > kFractionDigits) {
      return std::nullopt;
    }
    fraction.resize(kFractionDigits, '0');
    const std::optional<int64_t> value = Decimal(fraction);
    if (!value.has_value()) return std::nullopt;
    nanoseconds = *value;
  }
  return *seconds * kNanosecondsPerSecond + nanoseconds;
}

// "10:20:30" or "10:20:30.123456".
std::optional<int64_t> ParseTimeOfDay(std::string_view text) {
  constexpr size_t kColon = 2;
  if (text.size() < 8 || text[kColon] != ':' || text[kColon + 3] != ':') {
    return std::nullopt;
  }
  const auto hours = Decimal(text.substr(0, 2));
  const auto minutes = Decimal(text.substr(3, 2));
  const auto seconds = ParseSeconds(text.substr(6));
  if (!hours.has_value() || !minutes.has_value() || !seconds.has_value()) {
    return std::nullopt;
  }
  return (*hours * 3600 + *minutes * 60) * kNanosecondsPerSecond + *seconds;
}

std::optional<Timestamp> ParseTime(std::string_view word) {
  using Kind = Timestamp::Kind;
  if (word.find(':') != std::string_view::npos) {
    const auto value = ParseTimeOfDay(word);
    if (!value.has_value()) return std::nullopt;
    return Timestamp{Kind::kTimeOfDay, *value};
  }
  constexpr int64_t kEpochSecondsMin = 100'000'000;  // the year 1973
  const auto value = ParseSeconds(word);
  if (!value.has_value()) return std::nullopt;
  const bool epoch = *value / kNanosecondsPerSecond >= kEpochSecondsMin;
  return Timestamp{epoch ? Kind::kEpoch : Kind::kRelative, *value};
}

// `[pid  27525] `, `[pid 27525<comm>] `, `[00007f31…] ` (-i), `[   9] ` (-n).
bool ConsumeBracket(std::string_view& text, Prefix& prefix) {
  const size_t end = text.find(']');
  if (end == std::string_view::npos) return false;
  std::string_view inside = text.substr(1, end - 1);
  if (Consume(inside, "pid ")) {
    if (prefix.pid.has_value()) return false;
    inside = Trim(inside);
    prefix.pid = ParsePid(TakeWhile(inside, IsDigit));
    if (!prefix.pid.has_value()) return false;
    if (!inside.empty() && inside.front() != '<') return false;
  } else {
    const auto is_number = [](char c) {
      return IsDigit(c) || (c >= 'a' && c <= 'f') || c == '?' || c == ' ';
    };
    if (inside.empty() ||
        !std::all_of(inside.begin(), inside.end(), is_number)) {
      return false;
    }
  }
  text.remove_prefix(end + 1);
  return true;
}

// A pid or a timestamp at the start of the line.
bool ConsumeWord(std::string_view& text, Prefix& prefix) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return false;
  std::string_view word = text.substr(0, space);
  size_t taken = space;
  const bool first = !prefix.pid.has_value() && !prefix.time.has_value();
  const std::string_view digits = word.substr(0, word.find('<'));
  if (std::optional<Pid> pid = ParsePid(digits); first && pid.has_value()) {
    if (digits.size() != word.size()) {
      // `28548<a name> `: the name of -Y may hold spaces.
      const size_t end = text.find("> ");
      if (end == std::string_view::npos) return false;
      taken = end + 1;
    }
    prefix.pid = pid;
  } else if (const auto time = ParseTime(word)) {
    if (!prefix.time.has_value()) prefix.time = time;
  } else {
    return false;
  }
  text.remove_prefix(taken);
  return true;
}

// -r beside -t: `(+     0.000123) `.
bool ConsumeDelta(std::string_view& text) {
  const size_t end = text.find(')');
  if (end == std::string_view::npos) return false;
  if (!ParseSeconds(Trim(text.substr(2, end - 2))).has_value()) return false;
  text.remove_prefix(end + 1);
  return true;
}

Prefix ConsumePrefix(std::string_view& text) {
  Prefix prefix;
  text = Trim(text);
  bool more = true;
  while (more && !text.empty()) {
    if (text.front() == '[') {
      more = ConsumeBracket(text, prefix);
    } else if (IsDigit(text.front())) {
      more = ConsumeWord(text, prefix);
    } else {
      more = StartsWith(text, "(+") && ConsumeDelta(text);
    }
    text = Trim(text);
  }
  return prefix;
}

bool IsCallNameChar(char c) {
  return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '_';
}

// `--- SIGSEGV {si_signo=SIGSEGV, …} ---`, `--- stopped by SIGSTOP ---`.
Body ParseSignal(std::string_view text) {
  if (!ConsumeEnd(text, " ---")) {
    return Unusable{"a signal line without its closing ---"};
  }
  if (Consume(text, "stopped by ")) return Stopped{std::string(text)};
  const size_t space = text.find(' ');
  const std::string_view name = text.substr(0, space);
  const std::optional<int> number = SignalNumber(name);
  if (!number.has_value() && !StartsWith(name, "SIG")) {
    return Unusable{"a signal line without a signal's name"};
  }
  Signal signal;
  signal.name = std::string(name);
  signal.number = number.value_or(0);
  if (space == std::string_view::npos) return signal;
  const std::string_view info = text.substr(space + 1);
  if (const auto code = FieldOf(info, "si_code")) {
    signal.code = std::string(*code);
  }
  if (const auto address = FieldOf(info, "si_addr")) {
    signal.address = ParseNumber(*address);
  }
  return signal;
}

// `+++ exited with 3 +++` and its relatives.
Body ParseEnd(std::string_view text) {
  if (!ConsumeEnd(text, " +++")) {
    return Unusable{"an exit line without its closing +++"};
  }
  if (Consume(text, "exited with ")) {
    const auto status = Decimal(text);
    if (!status.has_value()) return Unusable{"an exit status is no number"};
    return Exited{static_cast<int>(*status)};
  }
  if (Consume(text, "killed by ")) {
    Killed killed;
    killed.core_dumped = ConsumeEnd(text, " (core dumped)");
    killed.signal = std::string(text);
    killed.number = SignalNumber(text).value_or(0);
    return killed;
  }
  if (Consume(text, "superseded by execve in pid ")) {
    const std::string_view digits = text.substr(0, text.find('<'));
    const std::optional<Pid> by = ParsePid(digits);
    if (!by.has_value()) return Unusable{"superseded by no known pid"};
    return Superseded{*by};
  }
  return Unusable{"an exit line of an unknown kind"};
}

// `<... mmap resumed>) = 0x…`; older versions write a space before the `)`.
Body ParseResumed(std::string_view text) {
  const std::string_view name = TakeWhile(text, IsCallNameChar);
  if (name.empty() || !Consume(text, " resumed>")) {
    return Unusable{"a resumed line without a call's name"};
  }
  return ResumedCall{name, text};
}

constexpr std::string_view kProcess = "strace: Process ";

Body ParseNote(std::string_view text) {
  TracerNote note;
  if (Consume(text, kProcess)) {
    const std::optional<Pid> pid = ParsePid(TakeWhile(text, IsDigit));
    if (text == " attached") note.attached = pid;
    if (text == " detached") note.detached = pid;
  }
  return note;
}

Body ParseCallLine(std::string_view text) {
  const std::string_view name = TakeWhile(text, IsCallNameChar);
  if (name.empty() || IsDigit(name.front()) || !Consume(text, "(")) {
    return Unusable{"no call, signal or exit is on it"};
  }
  if (ConsumeEnd(text, "<unfinished ...>")) {
    return UnfinishedCall{name, Trim(text), false};
  }
  if (ConsumeEnd(text, "<detached ...>")) {
    return UnfinishedCall{name, Trim(text), true};
  }
  return CompleteCall{name, text};
}

Body ParseBody(std::string_view text) {
  if (Consume(text, "--- ")) return ParseSignal(text);
  if (Consume(text, "+++ ")) return ParseEnd(text);
  if (Consume(text, "<... ")) return ParseResumed(text);
  if (StartsWith(text, "> ")) return StackTrace{};
  if (StartsWith(text, "strace: ")) return ParseNote(text);
  return ParseCallLine(text);
}

bool IsHexDigit(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || c == 'x' || c == '-';
}

// The words after the number: a descriptor's path, an errno, remarks.
void ParseRemarks(std::string_view text, Ending& ending) {
  Result& result = ending.result;
  if (!text.empty() && text.front() == '<') {
    if (const auto fd = ParseDescriptor("0" + std::string(text))) {
      result.path = fd->path;
    }
    return;
  }
  text = Trim(text);
  if (text.empty() || text.front() != 'E') return;
  const std::string_view name = text.substr(0, text.find(' '));
  result.error_name = std::string(name);
  result.error = ErrnoNumber(name).value_or(0);
  if (result.kind == Result::Kind::kValue) {
    result.kind = Result::Kind::kError;
    result.value = 0;
  }
}

// `= -1 (errno 22)`, which strace prints for a number it has no name for.
void ParseNamelessErrno(std::string_view text, Result& result) {
  text = Trim(text);
  if (!Consume(text, "(errno ")) return;
  const auto number = Decimal(TakeWhile(text, IsDigit));
  if (!number.has_value() || *number > 4095) return;
  result.kind = Result::Kind::kError;
  result.value = 0;
  result.error = static_cast<int>(*number);
}

// ` <0.000123>` of -T, at the very end.
std::optional<int64_t> ConsumeDuration(std::string_view& text) {
  if (text.empty() || text.back() != '>') return std::nullopt;
  const size_t open = text.rfind('<');
  if (open == std::string_view::npos || open == 0 || text[open - 1] != ' ') {
    return std::nullopt;
  }
  const auto value =
      ParseSeconds(text.substr(open + 1, text.size() - open - 2));
  if (value.has_value()) text = Trim(text.substr(0, open));
  return value;
}

}  // namespace

Line ParseLine(std::string_view text) {
  Line line;
  if (std::find(text.begin(), text.end(), '\0') != text.end()) {
    line.body = Unusable{"it holds binary bytes"};
    return line;
  }
  line.prefix = ConsumePrefix(text);
  line.body = ParseBody(text);
  return line;
}

std::optional<Interrupted> FindInterruption(std::string_view text) {
  std::string_view head = text;
  if (!ConsumeEnd(head, " attached")) return std::nullopt;
  size_t digits = 0;
  while (digits < head.size() && IsDigit(head[head.size() - 1 - digits])) {
    ++digits;
  }
  const auto pid = ParsePid(head.substr(head.size() - digits));
  head.remove_suffix(digits);
  if (!pid.has_value() || !ConsumeEnd(head, kProcess) || Trim(head).empty()) {
    return std::nullopt;
  }
  return Interrupted{head, *pid};
}

std::optional<Ending> ParseEnding(std::string_view text) {
  text = Trim(text);
  if (!Consume(text, "=")) return std::nullopt;
  text = Trim(text);
  Ending ending;
  ending.duration_ns = ConsumeDuration(text);
  ConsumeEnd(text, " (DELAYED)");
  ending.injected = ConsumeEnd(text, " (INJECTED)");
  if (Consume(text, "?")) {
    ParseRemarks(text, ending);
    return ending;
  }
  const std::string_view number = TakeWhile(text, IsHexDigit);
  const std::optional<uint64_t> value = ParseInteger(number);
  if (!value.has_value()) return std::nullopt;
  ending.result.kind = Result::Kind::kValue;
  ending.result.value = *value;
  ParseRemarks(text, ending);
  if (number == "-1") ParseNamelessErrno(text, ending.result);
  return ending;
}

}  // namespace faultline::strace

// Takes one line of strace's output apart. Knows nothing of other lines.

#ifndef FAULTLINE_CLIENT_CLI_STRACE_LINE_H_
#define FAULTLINE_CLIENT_CLI_STRACE_LINE_H_

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "client/cli/strace/record.h"

namespace faultline::strace {

// What stands before the event: `28548 `, `[pid  28548] `, `28548<ls> `, a
// timestamp (-t -tt -ttt -r), an instruction pointer (-i), a number (-n).
struct Prefix {
  std::optional<Pid> pid;
  std::optional<Timestamp> time;
};

// `mmap(NULL, 8192, …) = 0x7f…`; the views point into the line.
struct CompleteCall {
  std::string_view name;
  std::string_view rest;  // from just after the opening bracket
};

// `wait4(27527,  <unfinished ...>`, or `<detached ...>`.
struct UnfinishedCall {
  std::string_view name;
  std::string_view head;  // from just after the opening bracket
  bool detached = false;
};

// `<... wait4 resumed>[{…}], 0, NULL) = 27527`.
struct ResumedCall {
  std::string_view name;
  std::string_view tail;
};

// `strace: Process 27527 attached` and strace's other words about itself.
struct TracerNote {
  std::optional<Pid> attached;
  std::optional<Pid> detached;
};

// A line of strace -k: the caller's stack, of no use here.
struct StackTrace {};

struct Unusable {
  std::string reason;
};

using Body =
    std::variant<CompleteCall, UnfinishedCall, ResumedCall, Signal, Stopped,
                 Exited, Killed, Superseded, TracerNote, StackTrace, Unusable>;

struct Line {
  Prefix prefix;
  Body body;
};

Line ParseLine(std::string_view text);

// strace writes `strace: Process N attached` in the middle of the line of the
// call that made N. When `text` ends with it and has something before it,
// answers what is before, and N.
struct Interrupted {
  std::string_view before;
  Pid attached = 0;
};
std::optional<Interrupted> FindInterruption(std::string_view text);

// What follows a call's closing bracket: ` = -1 ENOMEM (Cannot …) <0.000012>`.
struct Ending {
  Result result;
  std::optional<int64_t> duration_ns;
  bool injected = false;
};
std::optional<Ending> ParseEnding(std::string_view text);

}  // namespace faultline::strace

#endif  // FAULTLINE_CLIENT_CLI_STRACE_LINE_H_

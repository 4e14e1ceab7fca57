// What a strace recording consists of, once its lines are understood.

#ifndef FAULTLINE_CLIENT_CLI_STRACE_RECORD_H_
#define FAULTLINE_CLIENT_CLI_STRACE_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "client/cli/strace/calls.h"

namespace faultline::strace {

// A task's number as strace printed it. Lines without one (strace without -f,
// or before the first fork) belong to kFirstTask, which stays that task's name
// even when strace begins to print its number later.
using Pid = int32_t;
inline constexpr Pid kFirstTask = 0;

struct Timestamp {
  enum class Kind {
    kTimeOfDay,  // -t, -tt
    kEpoch,      // -ttt
    kRelative,   // -r: since the line before
  };
  Kind kind = Kind::kRelative;
  int64_t nanoseconds = 0;
};

// How a call ended.
struct Result {
  enum class Kind {
    kValue,
    kError,
    kUnknown,  // `= ?`: the call never returned, or nobody saw it return
  };
  Kind kind = Kind::kUnknown;
  uint64_t value = 0;      // kValue
  std::string error_name;  // kError, and kUnknown after "? ERESTARTSYS"
  int error = 0;           // its number, 0 when the name is unknown
  std::string path;        // with -y, of a returned descriptor

  bool ok() const { return kind == Kind::kValue; }
};

struct Syscall {
  std::string name;
  std::vector<std::string> arguments;  // as strace wrote them
  Call call;                           // the typed view, if there is one
  Result result;
  std::optional<int64_t> duration_ns;  // -T
  bool injected = false;               // strace itself tampered with the call
};

struct Signal {
  std::string name;  // "SIGSEGV"
  int number = 0;    // 0 when the name is unknown
  std::string code;  // "SEGV_MAPERR", empty when strace did not say
  std::optional<uint64_t> address;  // si_addr
};

// The task stopped (job control); it will continue.
struct Stopped {
  std::string signal;
};

struct Exited {
  int status = 0;
};

struct Killed {
  std::string signal;
  int number = 0;
  bool core_dumped = false;
};

// The record's task was the leader of a thread group; thread `by` called
// execve. All other threads are gone and `by` goes on under this pid.
struct Superseded {
  Pid by = 0;
};

// strace stopped following the task, which lives on unseen.
struct Detached {};

struct Record {
  int64_t line = 0;        // where the event completed
  int64_t first_line = 0;  // where the call began; the same unless interrupted
  Pid pid = kFirstTask;
  std::optional<Timestamp> time;
  std::variant<Syscall, Signal, Stopped, Exited, Killed, Superseded, Detached>
      event;
};

}  // namespace faultline::strace

#endif  // FAULTLINE_CLIENT_CLI_STRACE_RECORD_H_

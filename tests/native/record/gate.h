// Holds chosen system calls of a process and of all its descendants until we
// say so, with seccomp's user notification. It needs no ptrace, so it works
// beside strace, which is the only tracer that a process can have.

#ifndef FAULTLINE_TESTS_NATIVE_RECORD_GATE_H_
#define FAULTLINE_TESTS_NATIVE_RECORD_GATE_H_

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace faultline::record {

// One held call.
struct HeldCall {
  uint64_t id = 0;
  pid_t task = 0;
  int number = 0;
  std::array<uint64_t, 6> arguments{};
};

// The program to start.
struct Start {
  std::vector<std::string> command;
  std::vector<std::string> environment;
};

class Gate {
 public:
  // Held are: execve, execveat, exit, exit_group, brk(0), arch_prctl with
  // ARCH_SET_FS, and ptrace requests that hand a signal to a tracee.
  //
  // Forks, forbids address randomisation, sets an 8 MiB stack limit and runs
  // the command. On failure `error` says why and the answer is false;
  // `forbidden` tells a missing permission from a broken command.
  bool Run(const Start& start);

  // The next held call. Answers false when the command has ended, when the
  // deadline has passed, or when a signal asked us to stop.
  bool Wait(HeldCall* call, std::chrono::steady_clock::time_point deadline);
  // Lets it go on.
  void Release(const HeldCall& call);
  // Ends the command and everything it started.
  void Kill();

  pid_t command_pid() const { return command_; }
  // Why Wait answered false, when the command has not ended.
  bool timed_out() const { return timed_out_; }
  bool interrupted() const;
  const std::string& error() const { return error_; }
  bool forbidden() const { return forbidden_; }

 private:
  bool Fail(const std::string& what, bool forbidden);

  pid_t command_ = 0;
  int listener_ = -1;
  int wait_status_ = 0;
  bool ended_ = false;
  bool timed_out_ = false;
  bool forbidden_ = false;
  std::string error_;
};

}  // namespace faultline::record

#endif  // FAULTLINE_TESTS_NATIVE_RECORD_GATE_H_

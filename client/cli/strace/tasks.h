// Follows the tasks of a recording: who is alive, whose call is unfinished,
// and which unfinished clone made a task that appears before the clone
// returned.

#ifndef FAULTLINE_CLIENT_CLI_STRACE_TASKS_H_
#define FAULTLINE_CLIENT_CLI_STRACE_TASKS_H_

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/strace/record.h"

namespace faultline::strace {

// A call whose beginning was seen and whose end was not.
struct PendingCall {
  std::string name;
  std::string head;
  int64_t line = 0;
  std::optional<Timestamp> time;
  bool creates_task = false;
  // The child for which the call was delivered before it returned.
  std::optional<Pid> delivered_child;
};

class Tasks {
 public:
  // Bounds on what a hostile recording can make us remember.
  static constexpr size_t kLiveMax = 65536;
  static constexpr size_t kPendingMax = 4096;
  static constexpr size_t kPendingBytesMax = size_t{16} << 20;

  // The task that a line with this prefix belongs to.
  Pid Resolve(std::optional<Pid> printed, bool resumes_call);

  bool IsLive(Pid pid) const { return live_.count(pid) != 0; }
  // Answers false when there are too many.
  bool AddLive(Pid pid);
  void Remove(Pid pid);
  size_t live_count() const { return live_.size(); }

  // strace said that it now follows `pid`.
  void Announce(Pid pid);

  // Answers false when there are too many, or they are too long.
  bool AddPending(Pid pid, PendingCall call);
  PendingCall* FindPending(Pid pid);
  std::optional<PendingCall> TakePending(Pid pid);
  // The pids whose unfinished call makes a task that nobody knows yet, in the
  // order in which the calls began.
  std::vector<Pid> Creators() const;
  size_t pending_count() const { return pending_.size(); }
  const std::map<Pid, PendingCall>& pending() const { return pending_; }

  // execve of thread `by` replaced the whole group led by `leader`.
  void Supersede(Pid leader, Pid by);

 private:
  std::set<Pid> live_;
  std::set<Pid> announced_;
  std::map<Pid, PendingCall> pending_;
  size_t pending_bytes_ = 0;
  std::optional<Pid>
      first_task_alias_;  // the number kFirstTask turned out to have
  bool prefix_seen_ = false;
  bool announcement_seen_ = false;
  Pid last_ = kFirstTask;
};

}  // namespace faultline::strace

#endif  // FAULTLINE_CLIENT_CLI_STRACE_TASKS_H_

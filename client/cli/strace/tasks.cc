#include "client/cli/strace/tasks.h"

#include <algorithm>
#include <utility>

namespace faultline::strace {

Pid Tasks::Resolve(std::optional<Pid> printed, bool resumes_call) {
  if (!printed.has_value()) {
    // strace prints no number while it follows one task only.
    if (!prefix_seen_) return last_ = kFirstTask;
    if (live_.size() == 1) return last_ = *live_.begin();
    return last_;
  }
  prefix_seen_ = true;
  const Pid pid = *printed;
  if (first_task_alias_ == pid) return last_ = kFirstTask;
  if (IsLive(kFirstTask) && !first_task_alias_.has_value() && !IsLive(pid) &&
      announced_.count(pid) == 0) {
    // A stranger: the first task, now with its number, or a new child.
    if (announcement_seen_ || resumes_call || Creators().empty()) {
      first_task_alias_ = pid;
      return last_ = kFirstTask;
    }
  }
  return last_ = pid;
}

bool Tasks::AddLive(Pid pid) {
  announced_.erase(pid);
  if (live_.size() >= kLiveMax) return false;
  live_.insert(pid);
  return true;
}

void Tasks::Remove(Pid pid) {
  live_.erase(pid);
  TakePending(pid);
  if (pid == kFirstTask) first_task_alias_.reset();
}

void Tasks::Announce(Pid pid) {
  announcement_seen_ = true;
  if (!IsLive(pid) && announced_.size() < kLiveMax) announced_.insert(pid);
}

bool Tasks::AddPending(Pid pid, PendingCall call) {
  const size_t bytes = call.head.size();
  if (pending_.size() >= kPendingMax ||
      pending_bytes_ + bytes > kPendingBytesMax) {
    return false;
  }
  TakePending(pid);
  pending_bytes_ += bytes;
  pending_.emplace(pid, std::move(call));
  return true;
}

PendingCall* Tasks::FindPending(Pid pid) {
  const auto it = pending_.find(pid);
  return it == pending_.end() ? nullptr : &it->second;
}

std::optional<PendingCall> Tasks::TakePending(Pid pid) {
  const auto it = pending_.find(pid);
  if (it == pending_.end()) return std::nullopt;
  PendingCall call = std::move(it->second);
  pending_bytes_ -= call.head.size();
  pending_.erase(it);
  return call;
}

std::vector<Pid> Tasks::Creators() const {
  std::vector<Pid> pids;
  for (const auto& [pid, call] : pending_) {
    if (call.creates_task && !call.delivered_child.has_value()) {
      pids.push_back(pid);
    }
  }
  std::sort(pids.begin(), pids.end(), [this](Pid a, Pid b) {
    return pending_.at(a).line < pending_.at(b).line;
  });
  return pids;
}

void Tasks::Supersede(Pid leader, Pid by) {
  std::optional<PendingCall> call = TakePending(by);
  Remove(by);
  TakePending(leader);
  AddLive(leader);
  if (call.has_value()) AddPending(leader, std::move(*call));
}

}  // namespace faultline::strace

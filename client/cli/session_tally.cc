#include "client/cli/session_tally.h"

#include <algorithm>

namespace faultline::cli {
namespace {

constexpr int kSigkill = 9;

bool IsCopyOnWrite(v1::FaultResolution how) {
  return how == v1::FAULT_RESOLUTION_COW_COPY ||
         how == v1::FAULT_RESOLUTION_COW_ZERO_PAGE ||
         how == v1::FAULT_RESOLUTION_COW_REUSE ||
         how == v1::FAULT_RESOLUTION_FILE_COW;
}

// What one event alone would make of its command. A SIGKILL that no kill(2)
// sent is the OOM killer's.
ChangeClass ClassOfEvent(const v1::Command& command, const v1::Event& event) {
  switch (event.body_case()) {
    case v1::Event::kFaultResolved:
      if (event.fault_resolved().major()) return ChangeClass::kMajor;
      if (IsCopyOnWrite(event.fault_resolved().how())) {
        return ChangeClass::kCopyOnWrite;
      }
      return event.fault_resolved().how() == v1::FAULT_RESOLUTION_ANON_ZERO_PAGE
                 ? ChangeClass::kZeroPage
                 : ChangeClass::kMinor;
    case v1::Event::kFaultRefused:
      return ChangeClass::kSignal;
    case v1::Event::kSignalGenerate:
      return event.signal_generate().sig() == kSigkill && !command.has_kill()
                 ? ChangeClass::kOutOfMemory
                 : ChangeClass::kOther;
    case v1::Event::kSchedProcessFork:
    case v1::Event::kSchedProcessExec:
    case v1::Event::kSchedProcessExit:
      return ChangeClass::kProcess;
    default:
      return ChangeClass::kOther;
  }
}

}  // namespace

ChangeClass ClassOf(const v1::Change& change) {
  if (!change.has_outcome()) return ChangeClass::kBroken;
  const v1::Outcome& outcome = change.outcome();
  ChangeClass found = ChangeClass::kOther;
  auto at_least = [&found](ChangeClass other) {
    found = std::max(found, other);
  };
  if (outcome.error() != v1::ERRNO_UNSPECIFIED || outcome.no_process()) {
    at_least(ChangeClass::kRefused);
  }
  // Events may have been left out; the counters never are.
  if (outcome.min_flt() > 0 && change.events().empty()) {
    at_least(ChangeClass::kMinor);
  }
  if (outcome.maj_flt() > 0) at_least(ChangeClass::kMajor);
  if (outcome.has_signal()) {
    at_least(outcome.signal().signal() == kSigkill ? ChangeClass::kOutOfMemory
                                                   : ChangeClass::kSignal);
  }
  for (const v1::Event& event : change.events()) {
    at_least(ClassOfEvent(change.command(), event));
  }
  return found;
}

void SessionTally::Add(const v1::Change& change) {
  const uint32_t pid = change.command().pid();
  const v1::Outcome& outcome = change.outcome();
  if (pid != 0 && change.has_outcome() && !outcome.no_process()) {
    live_.insert(pid);
  }
  if (change.command().has_wait() && outcome.value() > 0) {
    const auto child = ended_.find(static_cast<uint32_t>(outcome.value()));
    if (child != ended_.end()) child->second.waited_for = true;
  }
  minor_faults_ += outcome.min_flt();
  major_faults_ += outcome.maj_flt();
  cost_ns_ += outcome.cost_ns();
  if (outcome.has_signal()) ++signals_[outcome.signal().signal()];
  if (outcome.error() != v1::ERRNO_UNSPECIFIED) ++errors_[outcome.error()];
  for (const v1::Event& event : change.events()) {
    AddEvent(change.revision(), event);
  }
}

void SessionTally::AddEvent(int64_t revision, const v1::Event& event) {
  if (event.has_fault_resolved()) {
    ++resolutions_[event.fault_resolved().how()];
  } else if (event.has_sched_process_fork()) {
    const uint32_t child = event.sched_process_fork().child_pid();
    live_.insert(child);
    ended_.erase(child);  // a pid may be given again
  } else if (event.has_sched_process_exit()) {
    const uint32_t pid = event.sched_process_exit().pid();
    live_.erase(pid);
    ended_[pid] = {revision, event.sched_process_exit().status(), false};
    if (ended_.size() > kEndedMax) {
      ended_.erase(std::min_element(
          ended_.begin(), ended_.end(), [](const auto& a, const auto& b) {
            return a.second.revision < b.second.revision;
          }));
    }
  }
}

std::vector<uint32_t> SessionTally::PidsLeft() const {
  std::vector<std::pair<int64_t, uint32_t>> zombies;
  for (const auto& [pid, end] : ended_) {
    if (!end.waited_for) zombies.push_back({end.revision, pid});
  }
  std::sort(zombies.rbegin(), zombies.rend());
  if (zombies.size() > kZombiesMax) zombies.resize(kZombiesMax);
  std::vector<uint32_t> pids(live_.begin(), live_.end());
  for (const auto& [revision, pid] : zombies) pids.push_back(pid);
  std::sort(pids.begin(), pids.end());
  return pids;
}

const SessionTally::Ended* SessionTally::EndOf(uint32_t pid) const {
  const auto it = ended_.find(pid);
  return it == ended_.end() ? nullptr : &it->second;
}

}  // namespace faultline::cli

// Makes a trace of a session: processes, threads and their calls, faults in
// them, counters, and arrows from a fork to its child and from the fault that
// made a page to the fault that copied it.

#ifndef FAULTLINE_CLIENT_CLI_EXPORT_TRACE_H_
#define FAULTLINE_CLIENT_CLI_EXPORT_TRACE_H_

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/cli/process_look.h"
#include "client/cli/show_counters.h"
#include "client/cli/trace_sink.h"
#include "faultline/v1/watch.pb.h"

namespace faultline::cli {

// What the counters of a trace are read from: /proc at one revision.
struct CounterLook {
  std::vector<ProcessLook> processes;  // without their VMAs
  std::vector<ZoneLook> zones;
};

// Turns changes into what a trace shows. Time is the machine's: a call begins
// when the one before it ended, whatever its process, and takes what it cost;
// its events are spread evenly over it. The same changes and looks give the
// same trace.
class TraceExport {
 public:
  explicit TraceExport(TraceSink& sink) : sink_(sink) {}

  // A change, in the order of their revisions, from revision 1 on.
  void Add(const v1::Change& change);
  // The counters after the last change.
  void AddCounters(const CounterLook& look);

 private:
  // Frames of which is known which fault made them: of 4 GiB.
  static constexpr size_t kFramesMax = size_t{1} << 20;

  void BeginProcess(uint32_t pid, const std::string& name);
  void EnsureThread(uint32_t tid);
  void AddEvents(const v1::Change& change, uint32_t tid);
  void AddFault(const v1::Event& event, TraceEvent* shown);
  void FollowFrames(const v1::FaultResolved& fault, TraceEvent* shown);
  void AddChild(const v1::Change& change, uint32_t child, uint64_t fork_flow);
  void AddExec(const v1::SchedProcessExec& exec);
  void Count(const TraceCounter& counter, uint64_t value);

  TraceSink& sink_;
  uint64_t clock_ns_ = 0;                       // after the last change
  uint64_t flows_ = 0;                          // given out so far
  std::map<uint32_t, uint32_t> pid_of_thread_;  // of those that have not ended
  std::map<uint32_t, std::string> names_;       // of processes
  // The flow of the fault that filled a frame.
  std::unordered_map<uint32_t, uint64_t> maker_of_frame_;
  // Of the page_fault_user that the next resolution or refusal answers.
  MessageField error_code_;
  // What a counter showed last; by pid and name.
  std::map<std::pair<uint32_t, std::string>, uint64_t> counted_;
};

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_EXPORT_TRACE_H_

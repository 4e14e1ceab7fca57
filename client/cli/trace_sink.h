// A trace as a viewer shows it: tracks with slices, instants, counters and
// arrows. The formats are sinks of it.

#ifndef FAULTLINE_CLIENT_CLI_TRACE_SINK_H_
#define FAULTLINE_CLIENT_CLI_TRACE_SINK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/message_fields.h"

namespace faultline::cli {

// The track of what no process did: commands of administration.
inline constexpr uint32_t kMachineTrack = 0;

// What happens on the track of one thread.
struct TraceEvent {
  uint32_t tid = kMachineTrack;
  uint64_t time_ns = 0;
  std::string name;
  std::string category;
  std::vector<MessageField> arguments;
  // Arrows that begin here, go on from here to the next event, or end here. An
  // id has one begin; what is never gone on with is no arrow.
  std::vector<uint64_t> flow_begins;
  std::vector<uint64_t> flow_steps;
  std::vector<uint64_t> flow_ends;
};

struct TraceCounter {
  uint32_t pid = 0;  // 0: of the machine
  std::string name;
  std::string unit;  // "bytes", "pages"
};

class TraceSink {
 public:
  virtual ~TraceSink() = default;

  // A process comes to be, with a pid that may have been another's before. It
  // has no thread yet.
  virtual void BeginProcess(uint32_t pid, const std::string& name) = 0;
  // It has another name from now on.
  virtual void RenameProcess(uint32_t pid, const std::string& name) = 0;
  // A thread of a process; the first has the pid of the process.
  virtual void BeginThread(uint32_t pid, uint32_t tid) = 0;

  // Slices of a track nest, and each begins after the one before it ended.
  virtual void BeginSlice(const TraceEvent& event) = 0;
  virtual void EndSlice(uint32_t tid, uint64_t time_ns) = 0;
  virtual void Instant(const TraceEvent& event) = 0;
  virtual void Count(const TraceCounter& counter, uint64_t time_ns,
                     uint64_t value) = 0;

  // What has been made since the last call. The first part begins the file.
  virtual std::string Take() = 0;
  // What ends the file, after the last Take.
  virtual std::string End() = 0;
};

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_TRACE_SINK_H_

// What the commands of a session come to: counts that need one pass over its
// changes, and no more memory than it has processes.

#ifndef FAULTLINE_CLIENT_CLI_SESSION_TALLY_H_
#define FAULTLINE_CLIENT_CLI_SESSION_TALLY_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "faultline/v1/watch.pb.h"

namespace faultline::cli {

// The most telling thing that a command did, from what tells least.
enum class ChangeClass : uint8_t {
  kNone,         // there is no such command
  kOther,        // a call that succeeded without a fault
  kRefused,      // an errno
  kProcess,      // fork, exec, exit
  kZeroPage,     // a fault that mapped the shared zero page
  kMinor,        // another minor fault
  kCopyOnWrite,  // a fault that copied a page, or took it over
  kMajor,        // a fault that waited for a disk
  kSignal,       // SIGSEGV, SIGBUS
  kOutOfMemory,  // the OOM killer
  kBroken,       // it broke the simulator
};
inline constexpr int kChangeClasses = 11;

// Of a change with its command, its outcome and the events of
// EVENT_LEVEL_FAULTS.
ChangeClass ClassOf(const v1::Change& change);

class SessionTally {
 public:
  struct Ended {
    int64_t revision = 0;
    int32_t status = 0;  // as wait4(2) reports it
    bool waited_for = false;
  };

  void Add(const v1::Change& change);

  // Processes and threads that were seen and may be there: those that have not
  // ended, and of those that nobody waited for the last kZombiesMax.
  std::vector<uint32_t> PidsLeft() const;
  // How a process ended; nullptr when it did not, or too long ago to be known.
  const Ended* EndOf(uint32_t pid) const;

  uint64_t minor_faults() const { return minor_faults_; }
  uint64_t major_faults() const { return major_faults_; }
  uint64_t cost_ns() const { return cost_ns_; }
  // How many faults were resolved how, by v1::FaultResolution.
  const std::map<int, uint64_t>& resolutions() const { return resolutions_; }
  // How many accesses ended in which signal, and how many calls in which errno.
  const std::map<int, uint64_t>& signals() const { return signals_; }
  const std::map<int, uint64_t>& errors() const { return errors_; }

 private:
  // Of the processes that have ended, this many are remembered.
  static constexpr size_t kEndedMax = 4096;
  static constexpr size_t kZombiesMax = 64;

  void AddEvent(int64_t revision, const v1::Event& event);

  std::set<uint32_t> live_;
  std::map<uint32_t, Ended> ended_;
  uint64_t minor_faults_ = 0;
  uint64_t major_faults_ = 0;
  uint64_t cost_ns_ = 0;
  std::map<int, uint64_t> resolutions_;
  std::map<int, uint64_t> signals_;
  std::map<int, uint64_t> errors_;
};

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_SESSION_TALLY_H_

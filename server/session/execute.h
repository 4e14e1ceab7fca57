// The one place where the simulator runs, and where its own failures are
// caught: a KernelBug ends one machine and nothing else.
#ifndef FAULTLINE_SERVER_SESSION_EXECUTE_H_
#define FAULTLINE_SERVER_SESSION_EXECUTE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/machine/command.h"
#include "server/machine/machine.h"
#include "server/machine/outcome.h"

namespace faultline {

// Runs one command. All execution goes through one of these, so that a test can
// break the simulator where it wants.
using MachineRunner =
    std::function<Outcome(Machine&, const Command&, EventLevel)>;
MachineRunner ApplyRunner();  // Machine::Apply

enum class Ended : uint8_t {
  kWell,
  kPanicked,      // the simulator broke a rule of its own
  kOutOfMemory,   // this process has no memory left
  kConfigRefused  // BootMachine: no such machine can exist
};

struct Executed {
  Ended ended = Ended::kWell;
  Outcome outcome;   // with kWell
  std::string what;  // else: what went wrong; the machine is of no use any more
};
Executed RunCommand(const MachineRunner& runner, Machine& machine,
                    const Command& command, EventLevel level);

struct Booted {
  Ended ended = Ended::kWell;
  std::unique_ptr<Machine> machine;  // with kWell
  std::string what;                  // else
};
Booted BootMachine(const MachineConfig& config);

// What Machine::Save writes, and back; a source that throws ends with
// kPanicked.
struct Saved {
  Ended ended = Ended::kWell;
  uint64_t fingerprint = 0;  // with kWell
  std::string what;          // else
};
Saved SaveMachine(const Machine& machine, const ByteSink& sink);
Booted LoadMachine(uint64_t bytes, const ByteSource& source);

// Null when this process has no memory left.
std::unique_ptr<Machine> CopyMachine(const Machine& machine);

// RESOURCE_EXHAUSTED, of kOutOfMemory.
absl::Status OutOfMemory();

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_EXECUTE_H_

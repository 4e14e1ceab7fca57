// Machine: one simulated Linux machine, a regular value. Copying it is a
// checkpoint (memory is shared until written), comparing fingerprints finds
// divergence, Save and Load carry it across processes.
#ifndef FAULTLINE_SERVER_MACHINE_MACHINE_H_
#define FAULTLINE_SERVER_MACHINE_MACHINE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/machine/command.h"
#include "server/machine/config_error.h"
#include "server/machine/kernel.h"
#include "server/machine/outcome.h"

namespace faultline {

// Bumped when the saved form or the meaning of a command changes.
inline constexpr uint64_t kStateVersion = 8;

// The saved form of a machine with this kernel.
std::string SaveKernel(const Kernel& k);

class Machine {
 public:
  // Boots. Throws ConfigError when no such machine can exist.
  explicit Machine(const MachineConfig& config);

  // Runs one command. Deterministic, no I/O. A process that does not exist
  // gives an outcome with no_process set. Throws KernelBug when an invariant
  // of the simulator breaks; the machine is of no further use then.
  Outcome Apply(const Command& command, EventLevel level = EventLevel::kFaults);

  // Re-derives everything derivable. "" or the first thing that is wrong.
  std::string Verify() const;

  // The whole state in a portable form, and back; its size follows what was
  // touched. Load throws ArchiveError for bytes that Save did not write or that
  // another version wrote.
  std::string Save() const;
  static Machine Load(std::string_view bytes);
  // The same in pieces, for a machine that is large. What `source` throws, Load
  // throws; it finds damage only at the end, so that whoever keeps the bytes
  // should have checked them.
  void Save(const ByteSink& sink) const;
  static Machine Load(uint64_t bytes, const ByteSource& source);

  // A hash of the whole state, equal for machines that will behave equally.
  uint64_t Fingerprint() const;
  struct SubsystemFingerprint {
    const char* name;
    uint64_t hash;
  };
  // One per subsystem, so that a divergence can be located.
  std::vector<SubsystemFingerprint> Fingerprints() const;

  const Kernel& kernel() const { return k_; }

 private:
  Machine() = default;
  Kernel k_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MACHINE_H_

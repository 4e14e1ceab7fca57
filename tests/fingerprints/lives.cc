#include "tests/fingerprints/lives.h"

#include <iomanip>
#include <sstream>

#include "server/machine/base/archive.h"
#include "server/machine/machine.h"
#include "tests/machine/campaign.h"

namespace faultline {
namespace {

MachineConfig ConfigOf(uint64_t seed) {
  MachineConfig config;
  config.seed = seed;
  config.ram_bytes = (seed % 3 == 0 ? uint64_t{64} : uint64_t{1024}) << 20;
  if (seed % 4 == 1) config.personality = Personality::kLinux61;
  if (seed % 5 == 2) config.profile = Profile::kI386Pae;
  if (seed % 10 == 7) config.profile = Profile::kI386;
  return config;
}

}  // namespace

Life LiveOf(uint64_t seed, int commands) {
  Machine machine(ConfigOf(seed));
  Campaign campaign(seed);
  Life life;
  for (int i = 0; i < commands; ++i) {
    const Outcome outcome =
        machine.Apply(campaign.Next(machine.kernel()), EventLevel::kAll);
    Hasher hasher;
    hasher(life.outcomes, outcome);
    life.outcomes = hasher.hash();
  }
  life.state = machine.Fingerprint();
  return life;
}

std::string LivesText(uint64_t first, uint64_t last, int commands) {
  std::ostringstream out;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const Life life = LiveOf(seed, commands);
    out << std::dec << seed << std::hex << std::setfill('0') << " "
        << std::setw(16) << life.outcomes << " " << std::setw(16) << life.state
        << "\n";
  }
  return out.str();
}

}  // namespace faultline

// A random life of a machine: commands of every kind, biased to be about the
// same few pages, files and processes, so that they meet.
#ifndef FAULTLINE_TESTS_MACHINE_CAMPAIGN_H_
#define FAULTLINE_TESTS_MACHINE_CAMPAIGN_H_

#include <cstdint>
#include <vector>

#include "server/machine/base/prng.h"
#include "server/machine/machine.h"

namespace faultline {

class Campaign {
 public:
  explicit Campaign(uint64_t seed) : prng_(seed) {}

  // The next command. Depends on the seed and on which processes live.
  Command Next(const Kernel& k);
  // Accesses of every shape that AccessMany has.
  AccessMany NextMany();

  // What empties a machine: every page given out is freed, every process
  // ends, every file is emptied.
  static std::vector<Command> Teardown(const Kernel& k);
  static uint64_t FreePages(const Kernel& k);

 private:
  uint64_t Below(uint64_t n) { return prng_.Next() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  uint64_t Addr();
  uint64_t Length();
  Operation RandomMap();
  Operation RandomRemap();
  Operation RandomFile();
  Operation RandomProcess(const Kernel& k);
  Operation RandomPolicy();
  Operation RandomRange();

  Prng prng_;
};

}  // namespace faultline

#endif  // FAULTLINE_TESTS_MACHINE_CAMPAIGN_H_

// The four-page world: a few calls of every kind on four pages of memory, two
// of them a file's, and up to two processes. Small enough that every sequence
// of calls can be tried.
#ifndef FAULTLINE_TESTS_EXHAUSTIVE_WORLD_H_
#define FAULTLINE_TESTS_EXHAUSTIVE_WORLD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/command.h"

namespace faultline::exhaustive {

// All calls of the world.
std::vector<Command> WorldCommands();

struct Explored {
  uint64_t sequences = 0;  // of the full depth
  uint64_t steps = 0;      // calls made, and verified
  // The shortest sequence after whose last call the machine and the model
  // disagree or the machine does not verify, and why; empty: none.
  std::vector<Command> sequence;
  std::string why;
};

// Tries every sequence of at most `depth` of the calls, the short ones first.
// Each step is made on a copy of the machine before it.
Explored Explore(const std::vector<Command>& commands, int depth);

}  // namespace faultline::exhaustive

#endif  // FAULTLINE_TESTS_EXHAUSTIVE_WORLD_H_

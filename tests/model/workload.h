// Random commands that the model knows, about the same few pages, files and
// processes.
#ifndef FAULTLINE_TESTS_MODEL_WORKLOAD_H_
#define FAULTLINE_TESTS_MODEL_WORKLOAD_H_

#include <cstdint>
#include <vector>

#include "server/machine/command.h"

namespace faultline::model {

// Depends on the seed and on nothing else.
std::vector<Command> RandomCommands(uint64_t seed, int count);

}  // namespace faultline::model

#endif  // FAULTLINE_TESTS_MODEL_WORKLOAD_H_

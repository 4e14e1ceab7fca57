// What happens when no page can be had.
#ifndef FAULTLINE_SERVER_MACHINE_MM_OOM_KILL_H_
#define FAULTLINE_SERVER_MACHINE_MM_OOM_KILL_H_

#include "server/machine/kernel.h"

namespace faultline {

enum class OomVictim : uint8_t { kCurrent, kAnother };

// out_of_memory(): kills the process with the highest badness and frees its
// memory. When nobody may be killed, the current task is.
OomVictim OutOfMemory(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_OOM_KILL_H_

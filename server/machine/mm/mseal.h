// mseal.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MSEAL_H_
#define FAULTLINE_SERVER_MACHINE_MM_MSEAL_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// do_mseal(): nothing is sealed when a part of the range is not mapped.
Errno DoMseal(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
              uint64_t flags);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MSEAL_H_

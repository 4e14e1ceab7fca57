// mprotect.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MPROTECT_H_
#define FAULTLINE_SERVER_MACHINE_MM_MPROTECT_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// do_mprotect_pkey(): VMA by VMA; a failure leaves the earlier ones changed.
Errno DoMprotect(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
                 uint64_t prot);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MPROTECT_H_

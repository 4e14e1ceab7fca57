// What a write to /proc/PID/clear_refs does.
#ifndef FAULTLINE_SERVER_MACHINE_MM_CLEAR_REFS_H_
#define FAULTLINE_SERVER_MACHINE_MM_CLEAR_REFS_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// 1: the referenced bits of all pages, 2: of those in VMAs without a file, 3:
// of those with one; 4: the soft-dirty bits; 5: the peak of the resident set.
// EINVAL for any other number.
Errno DoClearRefs(Kernel& k, Mm& mm, uint32_t type);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_CLEAR_REFS_H_

// msync and mincore.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MSYNC_H_
#define FAULTLINE_SERVER_MACHINE_MM_MSYNC_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"

namespace faultline {

// msync(2): MS_ASYNC 1, MS_INVALIDATE 2, MS_SYNC 4.
Errno DoMsync(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
              uint64_t flags);
// mincore(2): appends one byte per page to *vec, also those before a hole.
Errno DoMincore(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
                std::string* vec);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MSYNC_H_

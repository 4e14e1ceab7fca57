// madvise.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MADVISE_H_
#define FAULTLINE_SERVER_MACHINE_MM_MADVISE_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"

namespace faultline {

// do_madvise(): holes are remembered, errors of a VMA stop at once.
Errno DoMadvise(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
                int32_t advice);
// madvise_set_anon_name(): PR_SET_VMA_ANON_NAME.
Errno SetAnonVmaName(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
                     const std::string& name);

// process_madvise_remote_valid(): another process may be given this advice.
bool IsRemoteAdvice(int32_t advice);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MADVISE_H_

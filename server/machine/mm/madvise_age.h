// The advice that makes pages older, or free to go.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MADVISE_AGE_H_
#define FAULTLINE_SERVER_MACHINE_MM_MADVISE_AGE_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// MADV_FREE: pages become clean and may vanish. EINVAL where it does not apply.
Errno MadviseFree(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end);

enum class Aging : uint8_t { kCold, kPageout };
// MADV_COLD and MADV_PAGEOUT.
Errno MadviseAge(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end, Aging how);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MADVISE_AGE_H_

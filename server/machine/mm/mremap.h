// mremap.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MREMAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_MREMAP_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// do_mremap(): the new address of the mapping. The lengths are bytes and need
// not be whole pages.
ErrnoOr<VirtAddr> DoMremap(Kernel& k, Mm& mm, const Mremap& call);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MREMAP_H_

// The caches besides the page cache that can give memory back.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SHRINK_SLAB_H_
#define FAULTLINE_SERVER_MACHINE_MM_SHRINK_SLAB_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// shrink_slab(): asks the shrinkers, more of them the lower the priority. How
// many pages came free. The machine's slab caches have objects that somebody
// uses, and no shrinker.
inline uint64_t ShrinkSlab(Kernel&, uint32_t /*gfp*/, int /*priority*/) {
  return 0;
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SHRINK_SLAB_H_

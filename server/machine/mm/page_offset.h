// What a page offset can be: an unsigned long, which has 32 bits on i386.
#ifndef FAULTLINE_SERVER_MACHINE_MM_PAGE_OFFSET_H_
#define FAULTLINE_SERVER_MACHINE_MM_PAGE_OFFSET_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

inline uint64_t PageOffsetMax(const Kernel& k) {
  return k.config.profile == Profile::kX86_64 ? ~uint64_t{0}
                                              : uint64_t{0xffffffff};
}

// Is `pages` from `pgoff` on more than an offset can tell?
inline bool PageOffsetWraps(const Kernel& k, uint64_t pgoff, uint64_t pages) {
  const uint64_t max = PageOffsetMax(k);
  return pgoff > max || pages > max - pgoff;
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_PAGE_OFFSET_H_

// Bringing pages in without a program's access to them: mlock, MAP_POPULATE,
// MADV_POPULATE_*, the kernel's own copying. Models mm/gup.c (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_MM_GUP_H_
#define FAULTLINE_SERVER_MACHINE_MM_GUP_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/mm/memory.h"

namespace faultline {

// __mm_populate(): faults the pages of [start, start + length) in. Stops at
// the first error, which is EFAULT, ENOMEM …, unless told to ignore it.
enum class OnError : uint8_t { kStop, kIgnore };
Errno MmPopulate(Kernel& k, Mm& mm, VirtAddr start, uint64_t length,
                 OnError on_error);

// populate_vma_page_range()
Errno PopulateVma(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                  Retry retry = Retry::kTried);

// __get_user_pages() of one page: Linux's errno for a failed fault.
Errno FaultIn(Kernel& k, Vma& vma, VirtAddr addr, bool write,
              Retry retry = Retry::kTried);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_GUP_H_

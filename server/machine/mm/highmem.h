// kmap(): addresses for pages that the direct map does not reach, in a window
// of as many slots as a page table has entries.
#ifndef FAULTLINE_SERVER_MACHINE_MM_HIGHMEM_H_
#define FAULTLINE_SERVER_MACHINE_MM_HIGHMEM_H_

#include <cstdint>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"

namespace faultline {

// LAST_PKMAP: 512 with PAE, 1024 without.
inline constexpr uint32_t kLastPkmapPae = 512, kLastPkmap = 1024;
inline constexpr uint64_t kPkmapBase = 0xff000000;

// kmap(): the address; EINVAL: no such frame. EAGAIN: every slot is in use, and
// Linux would sleep until one is not (departure D44).
ErrnoOr<uint64_t> DoKmap(Kernel& k, uint64_t pfn);
// kunmap(): EINVAL, with a report, when it is not mapped.
Errno DoKunmap(Kernel& k, uint64_t pfn);

// page_address(): 0 for a page of high memory that is not mapped.
uint64_t PageAddressOf(const Kernel& k, Pfn pfn);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_HIGHMEM_H_

// The kernel's own calls for page frames.
#ifndef FAULTLINE_SERVER_MACHINE_SYSCALLS_PAGE_CALLS_H_
#define FAULTLINE_SERVER_MACHINE_SYSCALLS_PAGE_CALLS_H_

#include <cstdint>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"

namespace faultline {

// alloc_pages(): the first frame's number; ENOMEM, with the kernel's report in
// a `console` event where Linux would print one.
ErrnoOr<uint64_t> DoAllocPages(Kernel& k, uint32_t gfp, uint32_t order);
// __get_free_pages()
ErrnoOr<uint64_t> DoGetFreePages(Kernel& k, uint32_t gfp, uint32_t order);
// page_address(): 0 in high memory; EINVAL for a frame that does not exist.
ErrnoOr<uint64_t> DoPageAddress(const Kernel& k, uint64_t pfn);

// __free_pages(). What was not allocated is refused with EINVAL and a report of
// a bad page. With a smaller order than it was allocated with, the rest leaks
// unnoticed; with a larger one all of it is lost, which is reported (EINVAL).
Errno DoFreePages(Kernel& k, uint64_t pfn, uint32_t order);
// free_pages(): NULL is no page; an address that is none of the direct map is
// EFAULT.
Errno DoFreeAddress(Kernel& k, uint64_t addr, uint32_t order);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_SYSCALLS_PAGE_CALLS_H_

// do_brk_flags() for what is no heap: the zeros behind an executable segment.
#ifndef FAULTLINE_SERVER_MACHINE_MM_BRK_FLAGS_H_
#define FAULTLINE_SERVER_MACHINE_MM_BRK_FLAGS_H_

#include <cstdint>

#include "server/machine/mm/mmap.h"

namespace faultline {

// Anonymous memory at [addr, addr + length), where nothing is mapped. `below`
// is the VMA before it; `flags`, VM_EXEC or none, come on top of a heap's.
Errno DoBrkFlags(Kernel& k, Mm& mm, Id<Vma> below, VirtAddr addr,
                 uint64_t length, uint64_t flags);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_BRK_FLAGS_H_

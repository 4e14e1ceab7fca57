// Address randomisation at execve, when kernel.randomize_va_space asks for it.
// The random numbers are the machine's own, so a machine booted with the same
// seed has the same addresses.
#ifndef FAULTLINE_SERVER_MACHINE_TASK_RANDOMIZE_H_
#define FAULTLINE_SERVER_MACHINE_TASK_RANDOMIZE_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// kernel.randomize_va_space: 0 off, 1 all but the heap, 2 the heap too.
// Each of these is without effect when it is 0.

// arch_mmap_rnd(): how far mappings and position-independent images shift.
uint64_t ArchMmapRnd(Kernel& k);
// stack_maxrandom_size(): the room that mmap_base leaves for it.
uint64_t StackMaxrandomSize(const Kernel& k);
// randomize_stack_top()
VirtAddr RandomizeStackTop(Kernel& k, VirtAddr top);
// arch_randomize_brk()
VirtAddr ArchRandomizeBrk(Kernel& k, VirtAddr start_brk);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_RANDOMIZE_H_

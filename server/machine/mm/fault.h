// User accesses: the loop of MMU and page-fault handler.
#ifndef FAULTLINE_SERVER_MACHINE_MM_FAULT_H_
#define FAULTLINE_SERVER_MACHINE_MM_FAULT_H_

#include <string_view>

#include "server/machine/kernel.h"
#include "server/machine/outcome.h"

namespace faultline {

// What an access to one byte came to.
struct UserAccess {
  Pfn pfn;            // where the byte lies; invalid when signalled or killed
  SignalInfo signal;  // SIGSEGV or SIGBUS for the process
  bool out_of_memory = false;  // no page could be had, or the task is to die
};

// The current task, whose address space is `mm`, accesses `addr`:
// translation, faults, retries.
UserAccess AccessUser(Kernel& k, Mm& mm, VirtAddr addr, MmuAccess access);

// copy_to_user() into memory that the current task may write: the kernel's own
// stores, whose faults count like any other. EFAULT when one fails.
Errno CopyToUser(Kernel& k, Mm& mm, VirtAddr addr, std::string_view bytes);
// clear_user()
Errno ClearUser(Kernel& k, Mm& mm, VirtAddr addr, uint64_t length);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_FAULT_H_

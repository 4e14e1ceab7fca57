// /proc/sys/vm and /proc/sys/kernel.
#ifndef FAULTLINE_SERVER_MACHINE_PROC_PROC_SYS_H_
#define FAULTLINE_SERVER_MACHINE_PROC_PROC_SYS_H_

#include <string>
#include <string_view>

#include "server/machine/kernel.h"

namespace faultline {

// The value of a sysctl by its path below /proc/sys/: "vm/swappiness". ENOENT:
// the machine has none of that name.
ErrnoOr<std::string> ProcSys(const Kernel& k, std::string_view path);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_PROC_PROC_SYS_H_

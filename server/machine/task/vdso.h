// The pages of the kernel that every program finds in its address space.
#ifndef FAULTLINE_SERVER_MACHINE_TASK_VDSO_H_
#define FAULTLINE_SERVER_MACHINE_TASK_VDSO_H_

#include "server/machine/kernel.h"

namespace faultline {

// map_vdso(): [vvar], [vvar_vclock] and [vdso] in one hole. Returns the last's.
ErrnoOr<VirtAddr> MapVdso(Kernel& k, Mm& mm);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_VDSO_H_

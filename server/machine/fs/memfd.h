// memfd_create.
#ifndef FAULTLINE_SERVER_MACHINE_FS_MEMFD_H_
#define FAULTLINE_SERVER_MACHINE_FS_MEMFD_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// memfd_create(2): the descriptor of an empty file that no directory has.
// EINVAL; EMFILE, EBADF; ENODEV for huge pages.
ErrnoOr<uint64_t> DoMemfdCreate(Kernel& k, const MemfdCreate& call);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_MEMFD_H_

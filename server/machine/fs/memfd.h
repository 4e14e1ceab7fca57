// memfd_create.
#ifndef FAULTLINE_SERVER_MACHINE_FS_MEMFD_H_
#define FAULTLINE_SERVER_MACHINE_FS_MEMFD_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// fcntl(2): F_ADD_SEALS, F_GET_SEALS. EBADF; EINVAL: another command, an
// unknown seal, a file that has none; EPERM: sealed against seals, or not open
// for writing; EBUSY: F_SEAL_WRITE while it may be written through a mapping.
ErrnoOr<uint64_t> DoFcntl(Kernel& k, const Fcntl& call);

// memfd_create(2): the descriptor of an empty file that no directory has.
// EINVAL; EMFILE, EBADF; ENODEV for huge pages.
ErrnoOr<uint64_t> DoMemfdCreate(Kernel& k, const MemfdCreate& call);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_MEMFD_H_

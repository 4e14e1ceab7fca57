// fallocate.
#ifndef FAULTLINE_SERVER_MACHINE_FS_FALLOCATE_H_
#define FAULTLINE_SERVER_MACHINE_FS_FALLOCATE_H_

#include "server/machine/kernel.h"

namespace faultline {

// fallocate(2): FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE on tmpfs and
// ext4; EOPNOTSUPP for all else (departure D27), and for all on ramfs.
Errno DoFallocate(Kernel& k, const Fallocate& call);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_FALLOCATE_H_

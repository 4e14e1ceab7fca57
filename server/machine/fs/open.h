// Files by name and by descriptor.
#ifndef FAULTLINE_SERVER_MACHINE_FS_OPEN_H_
#define FAULTLINE_SERVER_MACHINE_FS_OPEN_H_

#include <cstdint>

#include "server/machine/command.h"
#include "server/machine/kernel.h"

namespace faultline {

// Puts a file into the file system. EEXIST: the name is taken by a file that
// is open or mapped (another is replaced); EFBIG, EINVAL, ENOMEM.
Errno DoCreateFile(Kernel& k, const CreateFile& call);

// open(2) of the current task: the descriptor.
ErrnoOr<uint64_t> DoOpen(Kernel& k, const Open& call);
Errno DoClose(Kernel& k, int32_t fd);

// fdget(): the open file behind a descriptor, or none.
Id<File> FileOf(Kernel& k, int32_t fd);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_OPEN_H_

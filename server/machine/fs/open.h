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

// get_unused_fd_flags(): the lowest free descriptor, or `at` when that is not
// negative. EMFILE, EBADF.
ErrnoOr<uint64_t> UnusedFd(Kernel& k, int32_t at);
// fd_install(): takes the reference over; what was there is closed.
void FdInstall(Kernel& k, uint64_t fd, Id<File> file);

// fdget(): the open file behind a descriptor, or none.
Id<File> FileOf(Kernel& k, int32_t fd);

// Has somebody the file open to write it? It cannot be executed then
// (deny_write_access(): ETXTBSY).
bool IsOpenForWriting(const Kernel& k, Id<Inode> id);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_OPEN_H_

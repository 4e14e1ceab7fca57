// What is done to the contents of an open file by its descriptor.
#ifndef FAULTLINE_SERVER_MACHINE_FS_READ_WRITE_H_
#define FAULTLINE_SERVER_MACHINE_FS_READ_WRITE_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"

namespace faultline {

// pread(2), which appends to *data, pwrite(2), ftruncate(2), fsync(2) and
// fdatasync(2), posix_fadvise(2).
ErrnoOr<uint64_t> DoRead(Kernel& k, const Read& call, std::string* data);
ErrnoOr<uint64_t> DoWrite(Kernel& k, const Write& call);
Errno DoTruncate(Kernel& k, const Truncate& call);
Errno DoFsync(Kernel& k, const Fsync& call);
Errno DoFadvise(Kernel& k, const Fadvise& call);
// A number written to /proc/sys/vm/drop_caches: 1 drops the pages of files, 2
// what the caches of objects have to spare, 3 both; 4 says nothing to the log
// from then on.
Errno DoDropCaches(Kernel& k, const DropCaches& call);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_READ_WRITE_H_

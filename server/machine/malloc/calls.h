// The allocator's calls as commands of a machine.
#ifndef FAULTLINE_SERVER_MACHINE_MALLOC_CALLS_H_
#define FAULTLINE_SERVER_MACHINE_MALLOC_CALLS_H_

#include "server/machine/kernel.h"
#include "server/machine/outcome.h"

namespace faultline {

// The address, ENOMEM, or ENOSYS where the program has no glibc of this kind
// (i386). A signal, and the message of an abort, are in *out.
ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Malloc& call, Outcome* out);
ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Calloc& call, Outcome* out);
ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Realloc& call, Outcome* out);
ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Free& call, Outcome* out);
ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Mallopt& call, Outcome* out);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MALLOC_CALLS_H_

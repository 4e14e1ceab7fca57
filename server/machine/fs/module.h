// Modules that the machine has built in, loaded and unloaded like any.
#ifndef FAULTLINE_SERVER_MACHINE_FS_MODULE_H_
#define FAULTLINE_SERVER_MACHINE_FS_MODULE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"

namespace faultline {

// find_module(); nullptr: it is not loaded.
Module* FindModule(Kernel& k, std::string_view name);

// init_module(2) of the module's file. ENOENT: there is no such file; EEXIST:
// it is loaded; EPERM without CAP_SYS_MODULE; ENOMEM; EINVAL for a bad
// parameter; what its init function says.
Errno DoInsertModule(Kernel& k, const InsertModule& call);
// delete_module(2). ENOENT: it is not loaded; EAGAIN (EWOULDBLOCK): it is in
// use, and may not be forced; EPERM.
Errno DoRemoveModule(Kernel& k, const RemoveModule& call);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_MODULE_H_

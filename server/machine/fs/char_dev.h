// Character devices: which driver has which numbers, and the files that stand
// for them.
#ifndef FAULTLINE_SERVER_MACHINE_FS_CHAR_DEV_H_
#define FAULTLINE_SERVER_MACHINE_FS_CHAR_DEV_H_

#include <cstdint>
#include <string>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"

namespace faultline {

// register_chrdev_region(); major 0: alloc_chrdev_region(), the highest that is
// free from 254 down. Returns the major. EBUSY: somebody has some of them.
ErrnoOr<uint32_t> RegisterChrdev(Kernel& k, CharDevice device);
// unregister_chrdev_region()
void UnregisterChrdev(Kernel& k, uint32_t major);

// chrdev_open(): takes a reference to the driver's module. ENXIO: no driver has
// this number.
Errno ChrdevOpen(Kernel& k, const Inode& inode);

// mknod(2): EPERM without CAP_MKNOD, EEXIST, EINVAL for what is no device.
Errno DoMknod(Kernel& k, const Mknod& call);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_CHAR_DEV_H_

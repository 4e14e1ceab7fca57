// How drivers' files are mapped: declared here for the code of faults and of
// mmap, as struct vm_operations_struct and struct file_operations are in Linux;
// the drivers in fs/ say how.
#ifndef FAULTLINE_SERVER_MACHINE_MM_DEVICE_MAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_DEVICE_MAP_H_

#include <cstdint>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"
#include "server/machine/mm/filemap.h"

namespace faultline {

// file->f_op->mmap(): may these pages of the device be mapped so? Adds what the
// driver sets in vm_flags. ENODEV: it cannot be mapped.
Errno DeviceMmap(const Kernel& k, const Inode& inode, uint64_t pgoff,
                 uint64_t pages, uint64_t* vm_flags);
// vma->vm_ops->fault(): the page at this offset of the device.
FilemapResult DeviceFault(Kernel& k, const Inode& inode, uint64_t pgoff);
// file->f_op->release() of the last close.
void DeviceRelease(Kernel& k, const Inode& inode);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_DEVICE_MAP_H_

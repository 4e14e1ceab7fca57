// The module map_driver: a character device through which a process maps a
// buffer that the kernel got from vmalloc().
#ifndef FAULTLINE_SERVER_MACHINE_FS_MAP_DRIVER_H_
#define FAULTLINE_SERVER_MACHINE_FS_MAP_DRIVER_H_

#include <cstdint>
#include <string>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"

namespace faultline {

// Its parameters: `major` of its device (0: any), `pages` of its buffer, and
// the `text` that the buffer begins with.
struct MapDriverParams {
  uint64_t major = 0;
  uint64_t pages = 1;
  std::string text = "ok!";
};

// module_init() and module_exit(). EBUSY: another driver has the major.
Errno MapDriverInit(Kernel& k, Module& module, const MapDriverParams& params);
void MapDriverExit(Kernel& k, const Module& module);

// vaddress_to_kaddress(): the address in the direct map of the page that an
// address of the vmalloc area is mapped to, found in the kernel's page tables;
// 0: nothing is mapped there.
uint64_t VaddressToKaddress(const Kernel& k, uint64_t vaddress);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_MAP_DRIVER_H_

// remap_file_pages.
#ifndef FAULTLINE_SERVER_MACHINE_MM_FREMAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_FREMAP_H_

#include "server/machine/kernel.h"

namespace faultline {

// sys_remap_file_pages(): a new mapping of the same file over the range.
Errno DoRemapFilePages(Kernel& k, Mm& mm, const RemapFilePages& call);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_FREMAP_H_

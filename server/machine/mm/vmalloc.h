// vmalloc(): memory that is contiguous by its addresses only. Each page is
// mapped by an entry of the kernel's page tables.
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMALLOC_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMALLOC_H_

#include <cstdint>
#include <string_view>

#include "server/machine/base/errno.h"
#include "server/machine/kernel.h"
#include "server/machine/mm/vmap_area.h"

namespace faultline {

// __vmalloc_node_range(): the address; ENOMEM, with the kernel's report. `gfp`
// 0 is GFP_KERNEL.
ErrnoOr<uint64_t> VmallocRangeCaller(Kernel& k, uint64_t size, uint32_t gfp,
                                     VmapRange range, VmapCaller caller);
ErrnoOr<uint64_t> DoVmalloc(Kernel& k, uint64_t size, uint32_t gfp);
// vfree(): of any page of the area, as in Linux. EINVAL, with a warning, for
// what is no area; 0 does nothing.
Errno DoVfree(Kernel& k, uint64_t addr);

// memcpy() to addresses of the vmalloc area. REQUIRES: they are mapped.
void WriteVmalloc(Kernel& k, uint64_t addr, std::string_view bytes);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMALLOC_H_

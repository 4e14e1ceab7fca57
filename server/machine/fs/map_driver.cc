// Models a driver as the books on Linux have it: its mmap method checks what is
// asked for, and its nopage (since 2.6.24: fault) handler finds the page of the
// vmalloc buffer by a walk of the kernel's page tables.
#include "server/machine/fs/map_driver.h"

#include <algorithm>
#include <utility>

#include "server/machine/fs/char_dev.h"
#include "server/machine/mm/device_map.h"
#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/vmalloc.h"

namespace faultline {
namespace {

constexpr const char* kDeviceName = "map_driver";

// The module whose device an inode is; nullptr: none.
const Module* DriverOf(const Kernel& k, const Inode& inode) {
  for (const Module& module : k.devices.modules) {
    if (inode.char_device() && module.major == inode.rdev_major) {
      return &module;
    }
  }
  return nullptr;
}

}  // namespace

Errno MapDriverInit(Kernel& k, Module& module, const MapDriverParams& params) {
  const uint32_t want =
      static_cast<uint32_t>(std::min<uint64_t>(params.major, ~uint32_t{0}));
  module.major = FL_TRY_VALUE(RegisterChrdev(k, {.major = want,
                                                 .baseminor = 0,
                                                 .minorct = 1,
                                                 .name = kDeviceName,
                                                 .module = module.name}));
  // vmalloc_32(): pages that have an address in the direct map.
  const auto buffer = VmallocRangeCaller(k, params.pages * kPageSize,
                                         gfp::kKernel | gfp::kDma32,
                                         VmallocRange(k), VmapCaller::kDriver);
  if (!buffer.ok()) {
    UnregisterChrdev(k, module.major);
    return buffer.error();
  }
  module.buffer = buffer.value();
  module.buffer_bytes = params.pages * kPageSize;
  WriteVmalloc(k, module.buffer,
               std::string_view(params.text).substr(0, module.buffer_bytes));
  return Errno::kOk;
}

void MapDriverExit(Kernel& k, const Module& module) {
  UnregisterChrdev(k, module.major);
  (void)DoVfree(k, module.buffer);
}

uint64_t VaddressToKaddress(const Kernel& k, uint64_t vaddress) {
  const PteRef at = FindKernelPte(k, VirtAddr(vaddress));
  if (!at.ok()) return 0;
  const Pte pte = ReadPte(k, at);
  return pte.hw_present() ? VirtOf(k, pte.pfn()) + (vaddress & ~kPageMask) : 0;
}

Errno DeviceMmap(const Kernel& k, const Inode& inode, uint64_t pgoff,
                 uint64_t pages, uint64_t* vm_flags) {
  const Module* module = DriverOf(k, inode);
  if (module == nullptr) return Errno::kENODEV;
  // As vm_map_pages() answers.
  const uint64_t have = module->buffer_bytes >> kPageShift;
  if (pgoff >= have || pages > have - pgoff) return Errno::kENXIO;
  // What is written there is to reach the buffer.
  if ((*vm_flags & vm::kWrite) && !(*vm_flags & vm::kShared)) {
    return Errno::kEINVAL;
  }
  *vm_flags |= vm::kDontExpand | vm::kDontDump;
  return Errno::kOk;
}

FilemapResult DeviceFault(Kernel& k, const Inode& inode, uint64_t pgoff) {
  const Module* module = DriverOf(std::as_const(k), inode);
  const uint64_t offset = pgoff << kPageShift;
  if (module == nullptr || offset >= module->buffer_bytes) {
    return {Pfn(), vm_fault::kSigbus};
  }
  const uint64_t kaddress =
      VaddressToKaddress(std::as_const(k), module->buffer + offset);
  if (kaddress == 0) return {Pfn(), vm_fault::kSigbus};
  const Pfn pfn = PfnOfVirt(k, kaddress);
  k.page(pfn).flags |= page_flag::kDriver | page_flag::kUptodate;
  return {pfn, 0};
}

}  // namespace faultline

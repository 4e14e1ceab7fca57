// What the kernel writes to its log of addresses and pages that it was given by
// mistake.
#ifndef FAULTLINE_SERVER_MACHINE_MM_KERNEL_REPORT_H_
#define FAULTLINE_SERVER_MACHINE_MM_KERNEL_REPORT_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"

namespace faultline {

// printf's %px: all digits of a pointer, without 0x.
std::string PointerText(const Kernel& k, uint64_t addr);
// The address of a frame's struct page: what the kernel names it by.
uint64_t StructPageOf(const Kernel& k, Pfn pfn);

// current->comm: a command without a process runs in the idle task.
const char* CurrentComm(const Kernel& k);

// Places of the kernel that warn. Departure: D68 (each time, not once).
enum class WarnSite : uint8_t {
  kPageOrder,    // an order that no block has
  kVmallocSize,  // vmalloc(0)
};
// WARN_ON_ONCE()
void WarnOn(Kernel& k, WarnSite site);

// show_fault_oops(): the kernel itself used an address that nothing maps.
std::string KernelFaultReport(const Kernel& k, uint64_t addr, bool write);
// %pGp: "0x17ffffc0000040(head|node=0|zone=2|lastcpupid=0x1fffff)".
std::string PageFlagsText(const Kernel& k, Pfn pfn, const Page& page);
// dump_page()
std::string DumpPage(const Kernel& k, Pfn pfn, const Page& page,
                     const char* reason);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KERNEL_REPORT_H_

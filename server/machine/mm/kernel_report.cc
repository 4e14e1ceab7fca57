// Models arch/x86/mm/fault.c (v6.18): show_fault_oops(); mm/debug.c:
// dump_page(). Departure: D31 (no stack trace, no registers).
#include "server/machine/mm/kernel_report.h"

#include <cstdio>

#include "server/machine/mm/direct_map.h"

namespace faultline {
namespace {

using ull = unsigned long long;

}  // namespace

std::string PointerText(const Kernel& k, uint64_t addr) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*llx",
                static_cast<int>(2 * PointerBytes(k)), ull{addr});
  return text;
}

uint64_t StructPageOf(const Kernel& k, Pfn pfn) {
  // vmemmap; an i386 kernel has mem_map behind its image.
  constexpr uint64_t kVmemmap = 0xffffea0000000000, kMemMap32 = 0xc2000000;
  constexpr uint64_t kBytes64 = 64, kBytes32 = 40;
  return k.config.profile == Profile::kX86_64
             ? kVmemmap + uint64_t{pfn.value()} * kBytes64
             : kMemMap32 + uint64_t{pfn.value()} * kBytes32;
}

std::string KernelFaultReport(const Kernel& k, uint64_t addr, bool write) {
  const char* what = addr < kPageSize
                         ? "BUG: kernel NULL pointer dereference, address: "
                         : "BUG: unable to handle page fault for address: ";
  char code[96];
  std::snprintf(code, sizeof code,
                "\n#PF: supervisor %s access in kernel mode\n"
                "#PF: error_code(0x%04x) - not-present page\n",
                write ? "write" : "read", write ? 2 : 0);
  return what + PointerText(k, addr) + code;
}

std::string DumpPage(const Kernel& k, Pfn pfn, const Page& page,
                     const char* reason) {
  char text[256];
  std::snprintf(text, sizeof text,
                "page: refcount:%d mapcount:%d mapping:%s index:%#llx "
                "pfn:%#x\npage dumped because: %s\n",
                page.refcount, page.mapcount,
                PointerText(k, page.mapping).c_str(), ull{page.index},
                pfn.value(), reason);
  return text;
}

}  // namespace faultline

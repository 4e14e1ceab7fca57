// What the kernel's log says of memory: why an allocation failed, and what is
// wrong with a page.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SHOW_MEM_H_
#define FAULTLINE_SERVER_MACHINE_MM_SHOW_MEM_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"

namespace faultline {

// A line of the log, or a part of one. printk()
[[gnu::format(printf, 2, 3)]] void Append(std::string& out, const char* format,
                                          ...);
// K()
inline unsigned long long Kb(uint64_t pages) {
  return pages << (kPageShift - 10);
}

// "page allocation failure: order:4, mode:0xcc0(GFP_KERNEL), …" and the state
// of the zones that the request could use.
std::string AllocFailureReport(const Kernel& k, uint32_t gfp, uint32_t order);
// warn_alloc(): the same of `what`, in a `console` event; nothing with
// __GFP_NOWARN.
void WarnAlloc(Kernel& k, uint32_t gfp, const std::string& what);
// An AllocFailureReport, unless no block has that order: that was warned of
// (WarnSite::kPageOrder).
void ReportAllocFailure(Kernel& k, uint32_t gfp, uint32_t order);
// __show_mem(): what memory is used for, as far as a request with these flags
// is concerned.
std::string MemInfoReport(const Kernel& k, uint32_t gfp);
// bad_page()
std::string BadPageReport(const Kernel& k, Pfn pfn, const Page& page,
                          const char* reason);
// %pGg: "GFP_KERNEL|__GFP_ZERO". The names are in the order of the kernel's
// table, which is another in 6.1, as are some values.
std::string GfpFlagNames(Personality personality, uint32_t gfp);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SHOW_MEM_H_

// Compound pages of the kernel's own: blocks of which the first page speaks for
// all. What alloc_pages() gives out without __GFP_COMP is none, of any order.
#ifndef FAULTLINE_SERVER_MACHINE_MM_COMPOUND_H_
#define FAULTLINE_SERVER_MACHINE_MM_COMPOUND_H_

#include <cstdint>

#include "server/machine/mm/mmzone.h"

namespace faultline {

namespace page_flag {
// The first page of a block of alloc_pages() with __GFP_COMP. No other flag has
// this bit.
inline constexpr uint32_t kCompound = 1 << 30;
}  // namespace page_flag

// PageHead(), of what is not a user's page.
inline bool IsCompoundHead(const Page& page) {
  return page.order > 0 && page.Is(page_flag::kSlab | page_flag::kLargeKmalloc |
                                   page_flag::kCompound);
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_COMPOUND_H_

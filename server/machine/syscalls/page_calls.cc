// Models mm/page_alloc.c (v6.18): ___free_pages(), free_pages(), bad_page();
// include/linux/mm.h: page_address(). Departure: D30 (a bad page is noticed at
// once, and nothing is damaged).
#include "server/machine/syscalls/page_calls.h"

#include <algorithm>
#include <climits>
#include <utility>

#include "server/machine/mm/buddy.h"
#include "server/machine/mm/compound.h"
#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/highmem.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/show_mem.h"

namespace faultline {
namespace {

// page_bad_reason()
const char* BadReason(const Page& page) {
  if (page.mapcount != 0) return "nonzero mapcount";
  if (page.mapping != 0) return "non-NULL mapping";
  if (page.flags & (page_flag::kReserved | page_flag::kLru)) {
    return "PAGE_FLAGS_CHECK_AT_FREE flag(s) set";
  }
  return "nonzero _refcount";
}

// bad_page(), of a page whose reference count was dropped.
Errno BadPage(Kernel& k, Pfn pfn, const char* reason) {
  Page page = std::as_const(k).page(pfn);
  page.refcount--;
  k.Emit(EventLevel::kFaults, Console{BadPageReport(k, pfn, page, reason)});
  return Errno::kEINVAL;
}

// What nobody can free any more.
void Leak(Kernel& k, Pfn pfn, int order) {
  Page& page = k.page(pfn);
  page = Page{};
  page.refcount = 1;
  page.order = static_cast<uint8_t>(order);
  page.flags = page_flag::kBad | (order > 0 ? page_flag::kHead : 0);
}

}  // namespace

ErrnoOr<uint64_t> DoAllocPages(Kernel& k, uint32_t gfp, uint32_t order) {
  // As an int: what does not fit is too large in any case.
  const int wanted = static_cast<int>(std::min<uint32_t>(order, INT_MAX));
  const Pfn pfn = AllocPages(k, gfp, wanted);
  if (!pfn.valid()) {
    ReportAllocFailure(k, gfp, order);
    return Errno::kENOMEM;
  }
  k.page(pfn).flags |= page_flag::kKernel;
  if (order > 0 && (gfp & gfp::kComp)) {
    k.page(pfn).flags |= page_flag::kCompound;
  }
  return uint64_t{pfn.value()};
}

ErrnoOr<uint64_t> DoGetFreePages(Kernel& k, uint32_t gfp, uint32_t order) {
  const uint64_t pfn =
      FL_TRY_VALUE(DoAllocPages(k, gfp & ~gfp::kHighMem, order));
  return DoPageAddress(k, pfn);
}

ErrnoOr<uint64_t> DoPageAddress(const Kernel& k, uint64_t number) {
  if (!PfnValid(k, number)) return Errno::kEINVAL;
  return PageAddressOf(k, Pfn(static_cast<uint32_t>(number)));
}

Errno DoFreePages(Kernel& k, uint64_t number, uint32_t order) {
  if (!PfnValid(k, number) || order > kMaxPageOrder) return Errno::kEINVAL;
  const Pfn pfn(static_cast<uint32_t>(number));
  const Page& page = std::as_const(k).page(pfn);
  if (!page.Is(page_flag::kKernel)) return BadPage(k, pfn, BadReason(page));
  const int want = static_cast<int>(order), had = page.order;
  if (want > had) {
    // Its neighbours are freed with it, and one of them is not free to be.
    BadPage(k, pfn + Order(had).pages(), "nonzero _refcount");
    Leak(k, pfn, had);
    return Errno::kEINVAL;
  }
  FreePages(k, pfn, want);
  for (int o = want; o < had; o++) Leak(k, pfn + Order(o).pages(), o);
  return Errno::kOk;
}

Errno DoFreeAddress(Kernel& k, uint64_t addr, uint32_t order) {
  if (addr == 0) return Errno::kOk;
  // virt_to_page() looks at no lower bits.
  const uint64_t number = (addr - PageOffset(k)) >> kPageShift;
  if (!PfnValid(k, number) ||
      PageHighMem(k, Pfn(static_cast<uint32_t>(number)))) {
    return Errno::kEFAULT;
  }
  return DoFreePages(k, number, order);
}

}  // namespace faultline

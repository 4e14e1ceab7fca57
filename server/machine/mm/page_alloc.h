// The buddy allocator and the zones it works on.
#ifndef FAULTLINE_SERVER_MACHINE_MM_PAGE_ALLOC_H_
#define FAULTLINE_SERVER_MACHINE_MM_PAGE_ALLOC_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"

namespace faultline {

// Lays out the zones of the configured machine and hands its memory to the
// free lists. Throws ConfigError for a size that no such machine can have.
void BootMemory(Kernel& k);

// gfp_zone(): the highest zone that a request may use.
ZoneType GfpZone(const Kernel& k, uint32_t gfp);
// The zone that a frame belongs to.
ZoneType ZoneOf(const Kernel& k, Pfn pfn);
// A frame that exists: inside the present memory of some zone.
bool PfnValid(const Kernel& k, uint64_t pfn);

// alloc_pages(): 2^order contiguous frames with one reference on the first,
// zeroed; an invalid Pfn when no zone of the fallback list has one above its
// watermark, or when order > kMaxPageOrder.
Pfn AllocPages(Kernel& k, uint32_t gfp, int order);
// __free_pages(): gives the frames back and merges buddies.
void FreePages(Kernel& k, Pfn pfn, int order);

// folio_get(), folio_put(): order-0 pages. The last reference frees.
inline void GetPage(Kernel& k, Pfn pfn) { k.page(pfn).refcount++; }
void PutPage(Kernel& k, Pfn pfn);

// Calls f(first page, order) for each free block of a zone.
template <class F>
void ForEachFreeBlock(const Kernel& k, const Zone& zone, F f) {
  for (int order = 0; order <= kMaxPageOrder; order++) {
    for (Pfn p = zone.free_area[order].head; p.valid(); p = k.page(p).next) {
      f(p, order);
    }
  }
  constexpr PageCount kStep = Order(kMaxPageOrder).pages();
  for (const PfnRange& range : zone.pristine) {
    for (Pfn p = range.begin; p < range.end; p = p + kStep) {
      f(p, kMaxPageOrder);
    }
  }
}

// "" or the first invariant of the free lists that does not hold.
std::string VerifyFreeAreas(const Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_PAGE_ALLOC_H_

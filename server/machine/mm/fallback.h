// What an allocation does when the lists of its migrate type are empty.
#ifndef FAULTLINE_SERVER_MACHINE_MM_FALLBACK_H_
#define FAULTLINE_SERVER_MACHINE_MM_FALLBACK_H_

#include <cstdint>
#include <optional>

#include "server/machine/mm/buddy.h"

namespace faultline {

// find_suitable_fallback(), not to claim but to steal: the first other type
// that has a free block of this order.
std::optional<MigrateType> FindFallback(const Zone& zone, int order,
                                        MigrateType type);

// __rmqueue_claim(): takes a page of another type's page block, and the whole
// block with it where that pays. `alloc_flags` are page_alloc.h's.
Pfn RmqueueClaim(Kernel& k, Zone& zone, int order, MigrateType type,
                 uint32_t alloc_flags);
// __rmqueue_steal(): takes a page and leaves the block to its type.
Pfn RmqueueSteal(Kernel& k, Zone& zone, int order, MigrateType type);

// move_freepages_block(): gives the page block of `pfn`, and the free pages in
// it, another type. False when it lies across the zone's end.
bool MoveFreepagesBlock(Kernel& k, Zone& zone, Pfn pfn, MigrateType from,
                        MigrateType to);

// reserve_highatomic_pageblock(): the block of a page that was just allocated
// is kept for atomic allocations of high orders, up to 1 % of the zone.
void ReserveHighAtomic(Kernel& k, Zone& zone, Pfn pfn, int order);
// unreserve_highatomic_pageblock(): gives one such block back, for `type`; the
// last of a zone only by force.
bool UnreserveHighAtomic(Kernel& k, MigrateType type, int highest_zone,
                         bool force);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_FALLBACK_H_

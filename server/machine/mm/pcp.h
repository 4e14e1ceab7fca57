// Per-CPU page lists: what was freed last is handed out first, without a look
// at the free lists; they are filled and emptied in batches.
#ifndef FAULTLINE_SERVER_MACHINE_MM_PCP_H_
#define FAULTLINE_SERVER_MACHINE_MM_PCP_H_

#include <cstdint>

#include "server/machine/mm/buddy.h"

namespace faultline {

// pcp_allowed_order()
inline bool PcpAllowedOrder(int order) {
  return order <= kCostlyOrder || order == kPageBlockOrder;
}

// zone_set_pageset_high_and_batch(): from the zone's size and low watermark.
void SetPcpHighAndBatch(const Kernel& k, Zone& zone);

// rmqueue_pcplist(): an invalid Pfn when there was nothing to fill the list
// with. REQUIRES: PcpAllowedOrder(order).
Pfn RmqueuePcp(Kernel& k, Zone& zone, int order, MigrateType type,
               uint32_t alloc_flags);
// free_frozen_page_commit()
void FreeToPcp(Kernel& k, Zone& zone, Pfn pfn, int order, MigrateType type);

// drain_all_pages(): every block goes back to the free lists.
void DrainAllPages(Kernel& k);
void DrainAllPages(Kernel& k, Zone& zone);  // of one zone
// decay_pcp_high(), which vmstat's worker does each second.
void DecayPcpHigh(Kernel& k);

// The pages of per-CPU lists; of all zones.
uint64_t PcpPages(const Kernel& k);
// pindex_to_order()
inline int PcpListOrder(int index) {
  return index >= kLowOrderPcpLists ? kPageBlockOrder
                                    : index / kMigratePcpTypes;
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_PCP_H_

// The counters of /proc/vmstat and /proc/zoneinfo by their names, in Linux's
// order: enum zone_stat_item, node_stat_item, vm_event_item and their like.
#ifndef FAULTLINE_SERVER_MACHINE_PROC_VMSTAT_ITEMS_H_
#define FAULTLINE_SERVER_MACHINE_PROC_VMSTAT_ITEMS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "server/machine/kernel.h"
#include "server/machine/proc/mem_counts.h"

namespace faultline {

struct VmstatItem {
  std::string_view name;
  uint64_t value = 0;
};

// `zone` is nullptr for the sum over all zones.
std::vector<VmstatItem> ZoneStatItems(const Kernel& k, const Zone* zone,
                                      const LruCounts& lru);
std::vector<VmstatItem> NodeStatItems(const Kernel& k, const LruCounts& lru);
// enum writeback_stat_item
std::vector<VmstatItem> WritebackStatItems(const Kernel& k);
std::vector<VmstatItem> VmEventItems(const Kernel& k);

// The zone types that this kernel is built with, ZONE_DEVICE left out.
std::vector<ZoneType> ConfiguredZones(const Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_PROC_VMSTAT_ITEMS_H_

// Where ZONE_MOVABLE begins: what `kernelcore=` and `movablecore=` ask for.
#ifndef FAULTLINE_SERVER_MACHINE_MM_ZONE_MOVABLE_H_
#define FAULTLINE_SERVER_MACHINE_MM_ZONE_MOVABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/command.h"
#include "server/machine/mm/mmzone.h"

namespace faultline {

// A value of kernelcore= or movablecore=: of one of the two the other is 0.
struct CoreMemory {
  uint64_t pages = 0;
  uint64_t percent = 0;  // of all memory
};
// cmdline_parse_core(). Throws ConfigError for what is neither n[KMGT] bytes
// nor n%, where `key` is the parameter's name.
CoreMemory ParseCoreMemory(const char* key, const std::string& value);

// find_zone_movable_pfns_for_nodes(): the first frame of ZONE_MOVABLE, which
// takes the upper part of movable_zone, of which `usable` is the lowest frame
// there can be; an invalid Pfn when there is none. `map` is the memory that is
// present, in ascending order.
Pfn FindZoneMovablePfn(const MachineConfig& config,
                       const std::vector<PfnRange>& map, Pfn usable);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_ZONE_MOVABLE_H_

// The memory map that firmware hands to the kernel.
#ifndef FAULTLINE_SERVER_MACHINE_MM_E820_H_
#define FAULTLINE_SERVER_MACHINE_MM_E820_H_

#include <vector>

#include "server/machine/command.h"
#include "server/machine/mm/mmzone.h"

namespace faultline {

// The whole pages of memory that a machine of this configuration can use, in
// ascending order: its e820 map, or a usual PC's of ram_bytes. Throws
// ConfigError for a map that no such machine can have.
std::vector<PfnRange> PresentMemory(const MachineConfig& config);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_E820_H_

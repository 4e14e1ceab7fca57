// Compaction: making free blocks by moving pages from the lower end of a zone
// to its upper end.
#ifndef FAULTLINE_SERVER_MACHINE_MM_COMPACTION_H_
#define FAULTLINE_SERVER_MACHINE_MM_COMPACTION_H_

#include "server/machine/kernel.h"

namespace faultline {

// try_to_compact_pages(), in the zones from `highest` down, for one block of
// `order` for that type. True when some zone may have one now.
bool TryToCompactPages(Kernel& k, int order, MigrateType type, int highest);
// compaction_defer_reset(), of the zone that then served the allocation.
void CompactionDeferReset(Zone& zone, int order);

// compact_nodes(): all zones, as far as it goes; what writing to
// vm.compact_memory does.
void CompactMemory(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_COMPACTION_H_

// Compaction: making free blocks by moving pages from the lower end of a zone
// to its upper end.
#ifndef FAULTLINE_SERVER_MACHINE_MM_COMPACTION_H_
#define FAULTLINE_SERVER_MACHINE_MM_COMPACTION_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

enum class CompactResult : uint8_t { kSkipped, kSuccess, kComplete };

inline constexpr int kViaCompactMemory = -1;  // is_via_compact_memory()

// What a run over one zone is for.
struct CompactControl {
  int order = kViaCompactMemory;  // the block wanted
  MigrateType type = MigrateType::kMovable;
  // Until the zone is not so fragmented any more, whatever the order.
  bool proactive = false;
};

// compact_zone(): kComplete when it came to the end first.
CompactResult CompactZone(Kernel& k, Zone& zone, const CompactControl& cc);
// compaction_suitable(): is there memory to move pages to, and is it not for
// lack of memory that there is no block?
bool CompactionSuitable(const Kernel& k, const Zone& zone, int order,
                        int highest);
// compaction_deferred(): after failures fewer and fewer runs are made.
bool CompactionDeferred(Zone& zone, int order);
void DeferCompaction(Zone& zone, int order);

// fragmentation_score_zone(): which part of the free memory, in hundredths, is
// in blocks smaller than a huge page.
uint64_t FragmentationScore(const Kernel& k, const Zone& zone);
// fragmentation_score_wmark(): where proactive compaction ends, and begins.
uint64_t FragmentationLow(const Kernel& k);
uint64_t FragmentationHigh(const Kernel& k);

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

// What becomes of pages that reclaim has taken off a list, one by one.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SHRINK_FOLIOS_H_
#define FAULTLINE_SERVER_MACHINE_MM_SHRINK_FOLIOS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "server/machine/mm/vmscan.h"

namespace faultline {

// struct reclaim_stat. [0] anonymous and shared memory, [1] files.
struct ReclaimStat {
  uint64_t nr_dirty = 0, nr_unqueued_dirty = 0;
  uint64_t nr_writeback = 0, nr_immediate = 0;
  uint64_t nr_pageout = 0;
  std::array<uint64_t, 2> nr_activate{};
  uint64_t nr_ref_keep = 0, nr_unmap_fail = 0;
};

// folio_isolate_lru(): off its list, and with a reference that whoever isolates
// it holds. A large folio has none: it is all its mappings' while it is whole.
void IsolatePage(Kernel& k, Pfn pfn);

// shrink_folio_list(): frees what may be freed of isolated pages, and puts the
// others back on their lists. Returns how many came free.
uint64_t ShrinkFolioList(Kernel& k, std::vector<Pfn> folios,
                         const ScanControl& sc, ReclaimStat* stat);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SHRINK_FOLIOS_H_

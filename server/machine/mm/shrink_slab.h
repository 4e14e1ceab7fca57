// Shrinkers: what else than pages of the LRU lists can be given back. Each says
// how many objects it could free, and is asked to look at some; the law how
// many is do_shrink_slab()'s:
//
//   delta = freeable >> priority, times 4 / seeks; freeable / 2 without seeks
//   scan  = delta + (what was put off >> priority), at most twice freeable
//
// in batches of 128 objects; less than a batch is put off. The objects are the
// machine's own, which take no memory of slabs (departure D40), so what a
// shrinker frees are pages only where it drops page cache, splits a huge page
// or gives back the huge zero page.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SHRINK_SLAB_H_
#define FAULTLINE_SERVER_MACHINE_MM_SHRINK_SLAB_H_

#include <cstdint>
#include <optional>

#include "server/machine/kernel.h"

namespace faultline {

// struct shrink_control, with current->reclaim_state.
struct ShrinkControl {
  uint32_t gfp = 0;
  bool kswapd = false;           // current_is_kswapd()
  uint64_t nr_to_scan = 0;       // in: objects to look at
  uint64_t nr_scanned = 0;       // out: objects that were looked at
  uint64_t pages_reclaimed = 0;  // mm_account_reclaimed_pages()
};
// How many objects were freed; none: SHRINK_STOP.
using ShrinkResult = std::optional<uint64_t>;

// shrink_slab(): asks all shrinkers, for more the lower the priority. How many
// objects were freed; `sc` has the pages that count as reclaimed.
uint64_t ShrinkSlab(Kernel& k, ShrinkControl& sc, int priority);
// drop_slab(): again and again, until it frees little more.
void DropSlab(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SHRINK_SLAB_H_

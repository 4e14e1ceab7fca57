// Models mm/shrinker.c (v6.18): shrink_slab(), do_shrink_slab(); mm/vmscan.c:
// drop_slab(). Departure: D40 (the objects take no memory of slabs).
#include "server/machine/mm/shrink_slab.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/deferred_split.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/workingset.h"

namespace faultline {
namespace {

constexpr uint64_t kShrinkBatch = 128;  // SHRINK_BATCH
constexpr uint64_t kDefaultSeeks = 2;   // DEFAULT_SEEKS
constexpr uint64_t kSuperBatch = 1024;  // alloc_super()

// struct shrinker.
struct Shrinker {
  const char* scan_name;
  uint64_t (*count)(const Kernel& k);
  ShrinkResult (*scan)(Kernel& k, ShrinkControl& sc);
  uint64_t seeks = kDefaultSeeks;  // 0: all that is counted is worth nothing
  uint64_t batch = kShrinkBatch;
};

constexpr Shrinker kShrinkers[kNrShrinkers] = {
    {"deferred_split_scan", DeferredSplitCount, DeferredSplitScan},
    {"shrink_huge_zero_folio_scan", HugeZeroCount, HugeZeroScan},
    {"scan_shadow_nodes", CountShadowNodes, ScanShadowNodes, 0},
    {"super_cache_scan", SuperCacheCount, SuperCacheScan, kDefaultSeeks,
     kSuperBatch},
};

// What the priority makes of this many objects.
uint64_t Delta(const Shrinker& shrinker, uint64_t freeable, int priority) {
  if (shrinker.seeks == 0) return freeable / 2;
  return (freeable >> priority) * 4 / shrinker.seeks;
}

// do_shrink_slab()
uint64_t DoShrinkSlab(Kernel& k, ShrinkControl& sc, int id, int priority) {
  const Shrinker& shrinker = kShrinkers[id];
  const uint64_t freeable = shrinker.count(std::as_const(k));
  if (freeable == 0) return 0;
  uint64_t& nr_deferred = k.shrinkers.nr_deferred[id];
  const uint64_t deferred = std::exchange(nr_deferred, 0);
  const uint64_t delta = Delta(shrinker, freeable, priority);
  uint64_t total = std::min((deferred >> priority) + delta, freeable * 2);
  k.Emit(EventLevel::kAll,
         MmShrinkSlabStart{shrinker.scan_name, 0, deferred, sc.gfp, freeable,
                           delta, total, static_cast<uint32_t>(priority)});
  uint64_t freed = 0, scanned = 0;
  while (total >= shrinker.batch || total >= freeable) {
    sc.nr_to_scan = sc.nr_scanned = std::min(shrinker.batch, total);
    const ShrinkResult result = shrinker.scan(k, sc);
    if (!result) break;
    freed += *result;
    k.vmstat.events[kSlabsScanned] += sc.nr_scanned;
    total -= sc.nr_scanned;
    scanned += sc.nr_scanned;
  }
  const uint64_t wanted = deferred + delta;
  nr_deferred = std::min(wanted - std::min(wanted, scanned), freeable * 2);
  k.Emit(EventLevel::kAll, MmShrinkSlabEnd{shrinker.scan_name, 0, deferred,
                                           nr_deferred, total, freed});
  return freed;
}

}  // namespace

uint64_t ShrinkSlab(Kernel& k, ShrinkControl& sc, int priority) {
  uint64_t freed = 0;
  for (int id = 0; id < kNrShrinkers; id++) {
    freed += DoShrinkSlab(k, sc, id, priority);
  }
  return freed;
}

void DropSlab(Kernel& k) {
  uint64_t freed = 0;
  int shift = 0;
  do {
    ShrinkControl sc{.gfp = gfp::kKernel};
    freed = ShrinkSlab(k, sc, 0);
  } while (freed >> shift++ > 1);
}

}  // namespace faultline

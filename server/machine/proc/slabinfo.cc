// /proc/slabinfo. Models mm/slab_common.c (v6.18): print_slabinfo_header(),
// cache_show(); mm/slub.c: get_slabinfo(). Departure: D40 (only what kmalloc()
// and calls by name use).
#include "server/machine/mm/slab_common.h"
#include "server/machine/mm/slub.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

using ull = unsigned long long;

void ShowCache(const Kernel& k, SeqFile& m, const KmemCache& s) {
  const SlabGeometry& g = s.geometry;
  const uint64_t active = s.total_objects - CountPartialFree(k, s);
  m.Printf("%-17s %6llu %6llu %6u %4u %4d", s.name.c_str(), ull{active},
           ull{s.total_objects}, g.size, g.objects, 1 << g.order);
  m.Printf(" : tunables %4u %4u %4u", 0, 0, 0);
  m.Printf(" : slabdata %6llu %6llu %6llu\n", ull{s.nr_slabs}, ull{s.nr_slabs},
           ull{0});
}

}  // namespace

std::string ProcSlabinfo(const Kernel& k) {
  SeqFile m;
  m << "slabinfo - version: 2.1\n"
       "# name            <active_objs> <num_objs> <objsize> <objperslab> "
       "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : "
       "slabdata <active_slabs> <num_slabs> <sharedavail>\n";
  // Nobody has asked for memory yet: the caches are as boot makes them.
  const Slub fresh = k.slub.up ? Slub() : BootSlub(k);
  const Slub& slub = k.slub.up ? k.slub : fresh;
  for (Id<KmemCache> id = slub.newest; id; id = slub.caches[id].next) {
    ShowCache(k, m, slub.caches[id]);
  }
  return m.Take();
}

}  // namespace faultline

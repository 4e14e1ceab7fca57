#include "server/codec/slab_view.h"

#include "server/codec/utf8.h"
#include "server/machine/mm/slub.h"

namespace faultline {

void SlabCacheToProto(const Kernel& k, const KmemCache& s,
                      v1::SlabCache* proto) {
  const SlabGeometry& g = s.geometry;
  proto->set_name(ToUtf8(s.name));
  for (const std::string& alias : s.aliases) proto->add_aliases(ToUtf8(alias));
  proto->set_flags(s.flags);
  proto->set_object_size(g.object_size);
  proto->set_size(g.size);
  proto->set_align(g.align);
  proto->set_free_pointer_offset(g.offset);
  proto->set_red_left_pad(g.red_left_pad);
  proto->set_order(static_cast<uint32_t>(g.order));
  proto->set_objects_per_slab(g.objects);
  proto->set_min_partial(g.min_partial);
  proto->set_cpu_partial_slabs(g.cpu_partial_slabs);
  proto->set_slabs(s.nr_slabs);
  proto->set_objects(s.total_objects);
  proto->set_active_objects(s.total_objects - CountPartialFree(k, s));
  proto->set_node_partial(s.nr_partial);
  proto->set_cpu_partial(s.cpu_partial_count);
  if (s.cpu_slab) {
    proto->set_cpu_slab_pfn(k.slub.slabs[s.cpu_slab].pfn.value());
  }
}

}  // namespace faultline

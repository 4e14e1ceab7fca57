// Slabs as wholes: how they come and go, and the lists on which they wait.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SLUB_NODE_H_
#define FAULTLINE_SERVER_MACHINE_MM_SLUB_NODE_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// new_slab(): its free objects chained; on no list. None: no memory.
Id<Slab> NewSlab(Kernel& k, Id<KmemCache> cache, uint32_t gfp);
// discard_slab(). REQUIRES: it is on no list.
void DiscardSlab(Kernel& k, Id<Slab> id);

// add_partial(), remove_partial(): the node's list.
enum class At : uint8_t { kHead, kTail };
void AddPartial(Kernel& k, Id<Slab> id, At at);
void RemovePartial(Kernel& k, Id<Slab> id);

// put_cpu_partial(); `drain`: a list that is full goes to the node.
void PutCpuPartial(Kernel& k, KmemCache& s, Id<Slab> id, bool drain);
// get_partial_node(): one slab for the CPU, and a few for its list.
Id<Slab> GetPartialNode(Kernel& k, KmemCache& s);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SLUB_NODE_H_

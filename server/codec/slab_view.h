// What InspectService shows of the slab allocator.
#ifndef FAULTLINE_SERVER_CODEC_SLAB_VIEW_H_
#define FAULTLINE_SERVER_CODEC_SLAB_VIEW_H_

#include "faultline/v1/slab.pb.h"
#include "server/machine/kernel.h"

namespace faultline {

void SlabCacheToProto(const Kernel& k, const KmemCache& s,
                      v1::SlabCache* proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_SLAB_VIEW_H_

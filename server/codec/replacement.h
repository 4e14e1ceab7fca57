// The frames of a process that has a replacement policy.
#ifndef FAULTLINE_SERVER_CODEC_REPLACEMENT_H_
#define FAULTLINE_SERVER_CODEC_REPLACEMENT_H_

#include "faultline/v1/inspect.pb.h"
#include "faultline/v1/replacement.pb.h"
#include "server/machine/kernel.h"
#include "server/machine/outcome.h"

namespace faultline {

void ReplacementFrameToProto(const ReplacementFrame& frame,
                             v1::ReplacementFrame* proto);
ReplacementFrame ReplacementFrameFromProto(const v1::ReplacementFrame& proto);
void VictimWantedToProto(const VictimWanted& wanted, v1::VictimWanted* proto);

// REQUIRES: mm.replacement.
void ReplacementToProto(const Kernel& k, const Mm& mm,
                        v1::GetReplacementResponse* proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_REPLACEMENT_H_

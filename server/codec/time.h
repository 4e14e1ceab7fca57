// Times on the wire.
#ifndef FAULTLINE_SERVER_CODEC_TIME_H_
#define FAULTLINE_SERVER_CODEC_TIME_H_

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace faultline {

void TimeToProto(absl::Time time, google::protobuf::Timestamp* proto);
// REQUIRES: `duration` is finite.
void DurationToProto(absl::Duration duration,
                     google::protobuf::Duration* proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_TIME_H_

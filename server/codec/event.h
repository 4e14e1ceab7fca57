// Event <-> its message.
#ifndef FAULTLINE_SERVER_CODEC_EVENT_H_
#define FAULTLINE_SERVER_CODEC_EVENT_H_

#include "absl/status/statusor.h"
#include "faultline/v1/event.pb.h"
#include "server/machine/trace/event.h"

namespace faultline {

// With the sentence that Say() makes.
void EventToProto(const Event& event, v1::Event* proto);

// InvalidArgument when it is of a kind that this version does not know.
absl::StatusOr<Event> EventFromProto(const v1::Event& proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_EVENT_H_

// Event <-> its message.
#ifndef FAULTLINE_SERVER_CODEC_EVENT_H_
#define FAULTLINE_SERVER_CODEC_EVENT_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "faultline/v1/event.pb.h"
#include "server/machine/trace/event.h"

namespace faultline {

// With the sentence that Say() makes.
void EventToProto(const Event& event, v1::Event* proto);

// InvalidArgument when it is of a kind that this version does not know.
absl::StatusOr<Event> EventFromProto(const v1::Event& proto);

// The kind of event with this name, that of its field in v1::Event: an index in
// EventBody. Nothing when there is none.
absl::optional<size_t> EventKindOf(absl::string_view name);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_EVENT_H_

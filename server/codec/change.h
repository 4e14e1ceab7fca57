// Parts of v1::WatchEventsResponse in the wire format, so that what many
// watchers get is encoded once and put together by copying bytes.
#ifndef FAULTLINE_SERVER_CODEC_CHANGE_H_
#define FAULTLINE_SERVER_CODEC_CHANGE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/machine/outcome.h"
#include "server/machine/trace/event.h"

namespace faultline {

// Appends the event as one of Change.events.
void AppendEventField(const Event& event, std::string& out);

// Appends Change.command, outcome, sender and time. `command` is a v1::Command
// in the wire format, `outcome` null when it broke the simulator.
void AppendCommandFields(absl::string_view command, const Outcome* outcome,
                         absl::string_view sender, absl::Time time,
                         std::string& out);

// Appends a change, as one of WatchEventsResponse.changes, whose other fields
// follow: `bytes` of them.
void AppendChangeHead(int64_t revision, size_t bytes, std::string& out);

// WatchEventsResponse.revision.
std::string RevisionField(int64_t revision);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_CHANGE_H_

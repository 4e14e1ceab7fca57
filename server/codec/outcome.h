// Outcome <-> its message, whole and packed.
#ifndef FAULTLINE_SERVER_CODEC_OUTCOME_H_
#define FAULTLINE_SERVER_CODEC_OUTCOME_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/machine.pb.h"
#include "faultline/v1/outcome.pb.h"
#include "server/machine/outcome.h"

namespace faultline {

// Leaves `keep` events of more: the first, the last ones, which say how the
// command ended, and an EventsLost at the end that says how many there were
// besides. REQUIRES: keep > 0.
void TrimEvents(std::vector<Event>* events, size_t keep);

// With its digest, and events trimmed to limits::kEventsPerOutcomeMax.
void OutcomeToProto(const Outcome& outcome, v1::Outcome* proto);

// InvalidArgument when an event is of an unknown kind. The digest is not kept:
// Outcome::Digest() computes it.
absl::StatusOr<Outcome> OutcomeFromProto(const v1::Outcome& proto);

// True when the columns hold all of an outcome: no signal, exit, faulted
// entries, data or events.
bool IsPlain(const Outcome& outcome);

// Appends the outcome of the next command: to the columns, and whole when it is
// not plain.
void AppendPacked(const Outcome& outcome, v1::PackedOutcomes* packed);

// Empties the columns that hold nothing but zeros. To be called once, after the
// last AppendPacked.
void FinishPacked(v1::PackedOutcomes* packed);

// UNSPECIFIED is EventLevel::kFaults. InvalidArgument, about `field`, for what
// is no level.
absl::StatusOr<EventLevel> EventLevelFromProto(
    v1::EventLevel level, absl::string_view field = "options.event_level");

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_OUTCOME_H_

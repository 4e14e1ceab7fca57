#include "server/codec/outcome.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"
#include "server/codec/event.h"
#include "server/codec/replacement.h"
#include "server/limits.h"
#include "server/machine/trace/rare.h"
#include "server/machine/trace/trace.h"

namespace faultline {
namespace {

void EventsToProto(const std::vector<Event>& events, v1::Outcome* proto) {
  if (events.size() > limits::kEventsPerOutcomeMax) {
    std::vector<Event> fewer = events;
    TrimEvents(&fewer, limits::kEventsPerOutcomeMax);
    return EventsToProto(fewer, proto);
  }
  proto->mutable_events()->Reserve(static_cast<int>(events.size()));
  for (const Event& event : events) EventToProto(event, proto->add_events());
}

template <class Column>
void DropZeros(Column* column) {
  if (std::all_of(column->begin(), column->end(),
                  [](auto v) { return v == 0; })) {
    column->Clear();
  }
}

void FaultedToProto(const std::vector<EntryFaults>& faulted,
                    v1::FaultedEntries* proto) {
  for (const EntryFaults& faults : faulted) {
    proto->add_entry(faults.entry);
    proto->add_min_flt(faults.min_flt);
    proto->add_maj_flt(faults.maj_flt);
  }
  DropZeros(proto->mutable_min_flt());
  DropZeros(proto->mutable_maj_flt());
}

std::vector<EntryFaults> FaultedFromProto(const v1::FaultedEntries& proto) {
  std::vector<EntryFaults> faulted(proto.entry_size());
  for (int i = 0; i < proto.entry_size(); ++i) {
    faulted[i].entry = proto.entry(i);
    if (i < proto.min_flt_size()) faulted[i].min_flt = proto.min_flt(i);
    if (i < proto.maj_flt_size()) faulted[i].maj_flt = proto.maj_flt(i);
  }
  return faulted;
}

std::vector<ReplacementFrame> FramesFromProto(const v1::VictimWanted& proto) {
  std::vector<ReplacementFrame> frames;
  for (const v1::ReplacementFrame& frame : proto.frames()) {
    frames.push_back(ReplacementFrameFromProto(frame));
  }
  return frames;
}

}  // namespace

void TrimEvents(std::vector<Event>* events, size_t keep) {
  if (events->size() <= keep) return;
  uint64_t lost = 0;  // already
  if (const auto* more = std::get_if<EventsLost>(&events->back().body)) {
    lost = more->count;
    events->pop_back();
  }
  // As a machine does it: the first, the last, and of those between what is not
  // to be lost among them.
  using Difference = std::vector<Event>::difference_type;
  const size_t last = std::min(Trace::kLast, (keep - 1) / 2);
  const size_t room = keep - 1 - last;
  const auto end = events->end() - static_cast<Difference>(last);
  const auto between = events->begin() + static_cast<Difference>(room);
  const auto found = std::count_if(between, end, IsRare);
  const auto rare = std::min({found, static_cast<Difference>(kRareEventsMax),
                              static_cast<Difference>(room / 2)});
  Difference kept = 0;
  const auto goes = [&](const Event& event) {
    return !IsRare(event) || kept++ >= rare;
  };
  const auto gone = std::remove_if(between - rare, end, goes);
  lost += static_cast<uint64_t>(end - gone);
  events->erase(gone, end);
  events->push_back(Event{0, EventsLost{lost}});
  events->shrink_to_fit();
}

void OutcomeToProto(const Outcome& outcome, v1::Outcome* proto) {
  proto->set_value(outcome.value);
  proto->set_error(static_cast<v1::Errno>(outcome.error));
  if (outcome.signal.signal != 0) {
    auto* signal = proto->mutable_signal();
    signal->set_signal(outcome.signal.signal);
    signal->set_code(outcome.signal.code);
    signal->set_addr(outcome.signal.addr);
  }
  proto->set_exited(outcome.exited);
  proto->set_no_process(outcome.no_process);
  proto->set_min_flt(outcome.min_flt);
  proto->set_maj_flt(outcome.maj_flt);
  proto->set_accesses(outcome.accesses);
  proto->set_cost_ns(outcome.cost_ns);
  proto->set_data(outcome.data);
  if (!outcome.faulted.empty()) {
    FaultedToProto(outcome.faulted, proto->mutable_faulted());
  }
  proto->set_tlb_misses(outcome.tlb_misses);
  proto->set_table_loads(outcome.table_loads);
  if (!outcome.victim_wanted.frames.empty()) {
    VictimWantedToProto(outcome.victim_wanted, proto->mutable_victim_wanted());
  }
  EventsToProto(outcome.events, proto);
  proto->set_digest(outcome.Digest());
}

absl::StatusOr<Outcome> OutcomeFromProto(const v1::Outcome& proto) {
  Outcome outcome;
  outcome.value = proto.value();
  outcome.error = static_cast<Errno>(proto.error());
  outcome.signal = {proto.signal().signal(), proto.signal().code(),
                    proto.signal().addr()};
  outcome.exited = proto.exited();
  outcome.no_process = proto.no_process();
  outcome.min_flt = proto.min_flt();
  outcome.maj_flt = proto.maj_flt();
  outcome.accesses = proto.accesses();
  outcome.cost_ns = proto.cost_ns();
  outcome.data = proto.data();
  outcome.faulted = FaultedFromProto(proto.faulted());
  outcome.tlb_misses = proto.tlb_misses();
  outcome.table_loads = proto.table_loads();
  outcome.victim_wanted = {proto.victim_wanted().address(),
                           FramesFromProto(proto.victim_wanted())};
  outcome.events.reserve(proto.events_size());
  for (const v1::Event& event : proto.events()) {
    absl::StatusOr<Event> one = EventFromProto(event);
    if (!one.ok()) return one.status();
    outcome.events.push_back(*std::move(one));
  }
  return outcome;
}

bool IsPlain(const Outcome& o) {
  return o.signal.signal == 0 && !o.exited && !o.no_process &&
         o.faulted.empty() && o.data.empty() && o.events.empty() &&
         o.tlb_misses == 0 && o.table_loads == 0 &&
         o.victim_wanted.frames.empty();
}

void AppendPacked(const Outcome& outcome, v1::PackedOutcomes* packed) {
  const int64_t index = packed->count();
  packed->set_count(index + 1);
  packed->add_value(outcome.value);
  packed->add_error(static_cast<int32_t>(outcome.error));
  packed->add_min_flt(outcome.min_flt);
  packed->add_maj_flt(outcome.maj_flt);
  packed->add_cost_ns(outcome.cost_ns);
  packed->add_accesses(outcome.accesses);
  if (IsPlain(outcome)) return;
  OutcomeToProto(outcome,
                 &(*packed->mutable_whole())[static_cast<int32_t>(index)]);
}

void FinishPacked(v1::PackedOutcomes* packed) {
  DropZeros(packed->mutable_value());
  DropZeros(packed->mutable_error());
  DropZeros(packed->mutable_min_flt());
  DropZeros(packed->mutable_maj_flt());
  DropZeros(packed->mutable_cost_ns());
  DropZeros(packed->mutable_accesses());
}

absl::StatusOr<EventLevel> EventLevelFromProto(v1::EventLevel level,
                                               absl::string_view field) {
  switch (level) {
    case v1::EVENT_LEVEL_UNSPECIFIED:
    case v1::EVENT_LEVEL_FAULTS:
      return EventLevel::kFaults;
    case v1::EVENT_LEVEL_NONE:
      return EventLevel::kNone;
    case v1::EVENT_LEVEL_COUNTERS:
      return EventLevel::kCounters;
    case v1::EVENT_LEVEL_ALL:
      return EventLevel::kAll;
    default:
      return errors::InvalidField(
          field,
          absl::StrCat(static_cast<int>(level),
                       " is no level: 1 none, 2 counters, 3 faults, 4 all"));
  }
}

}  // namespace faultline

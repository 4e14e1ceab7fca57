#include "server/codec/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "google/protobuf/util/message_differencer.h"
#include "server/codec/errors.h"
#include "server/codec/event.h"
#include "server/limits.h"
#include "tests/codec/fill.h"

namespace faultline {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::util::MessageDifferencer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Outcome FullOutcome() {
  Outcome o;
  o.value = -12;
  o.error = Errno::kENOMEM;
  o.signal = {11, 2, 0x7f0000001000};
  o.exited = true;
  o.no_process = true;
  o.min_flt = 3;
  o.maj_flt = 4;
  o.accesses = 5;
  o.cost_ns = 6;
  o.data = std::string("\x00\xff", 2);
  o.faulted = {{0, 1, 0}, {70000, 2, 4}};
  o.tlb_misses = 7;
  o.table_loads = 8;
  o.victim_wanted.address = 0x1000;
  o.victim_wanted.frames.push_back({.slot = 1,
                                    .addr = 0x2000,
                                    .pfn = 77,
                                    .accessed = true,
                                    .dirty = true,
                                    .loaded_at = 2,
                                    .used_at = 3,
                                    .uses = 4,
                                    .age = 5});
  o.events.push_back({1, PageFaultUser{0x1000, 6}});
  o.events.push_back(
      {2, FaultResolved{0x1000, FaultResolution::kCowCopy, 77, true, 16, 78}});
  return o;
}

TEST(Outcome, KeepsEachFieldThroughBothDirections) {
  v1::Outcome proto;
  OutcomeToProto(FullOutcome(), &proto);
  const auto* type = v1::Outcome::descriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* f = type->field(i);
    const auto* r = proto.GetReflection();
    EXPECT_TRUE(f->is_repeated() ? r->FieldSize(proto, f) > 0
                                 : r->HasField(proto, f))
        << f->name() << " is not in FullOutcome or not encoded";
  }
  EXPECT_EQ(proto.error(), v1::ERRNO_ENOMEM);
  const absl::StatusOr<Outcome> back = OutcomeFromProto(proto);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->Digest(), proto.digest());
  v1::Outcome again;
  OutcomeToProto(*back, &again);
  EXPECT_TRUE(MessageDifferencer::Equals(proto, again));
}

TEST(Outcome, HasNoSignalAndNoFaultsWhereThereWereNone) {
  v1::Outcome proto;
  OutcomeToProto(Outcome{}, &proto);
  EXPECT_FALSE(proto.has_signal());
  EXPECT_FALSE(proto.has_faulted());
}

TEST(Outcome, LeavesAColumnOfFaultsOutWhereAllAreZero) {
  Outcome outcome;
  outcome.faulted = {{0, 1, 0}};
  v1::Outcome proto;
  OutcomeToProto(outcome, &proto);
  EXPECT_THAT(proto.faulted().entry(), ElementsAre(0));
  EXPECT_THAT(proto.faulted().min_flt(), ElementsAre(1));
  EXPECT_THAT(proto.faulted().maj_flt(), IsEmpty());
  EXPECT_EQ(OutcomeFromProto(proto)->Digest(), outcome.Digest());
}

TEST(Outcome, SaysHowManyEventsItLeavesOutAndHowItEnded) {
  Outcome outcome;
  outcome.events.assign(limits::kEventsPerOutcomeMax + 4,
                        {1, PageFaultUser{0x1000, 6}});
  outcome.events.push_back({1, Console{"Out of memory"}});
  v1::Outcome proto;
  OutcomeToProto(outcome, &proto);
  ASSERT_EQ(proto.events_size(),
            static_cast<int>(limits::kEventsPerOutcomeMax));
  EXPECT_EQ(proto.events().rbegin()->events_lost().count(), 6U);
  EXPECT_EQ(std::next(proto.events().rbegin())->console().msg(),
            "Out of memory");
}

TEST(Outcome, OfTheGreatestSizeFitsAResponse) {
  Outcome outcome;
  outcome.data.assign(limits::kDataBytesMax, 'x');
  outcome.faulted.assign(limits::kManyEntriesMax, {65535, 300, 300});
  outcome.events.assign(
      limits::kEventsPerOutcomeMax,
      {4000000000U,
       FaultResolved{~uint64_t{0}, FaultResolution::kSharedMkwrite, 4000000000U,
                     true, 4000000000U, 4000000000U}});
  v1::Outcome proto;
  OutcomeToProto(outcome, &proto);
  EXPECT_LT(proto.ByteSizeLong(), limits::kResponseBytesMax);
}

// --- Every kind of event.

class EveryEvent : public ::testing::TestWithParam<int> {
 protected:
  const FieldDescriptor* body() const {
    return v1::Event::descriptor()->FindOneofByName("body")->field(GetParam());
  }
};

TEST_P(EveryEvent, KeepsEachFieldAndSaysItself) {
  v1::Event proto;
  proto.set_pid(7);
  testing::FillMember(proto, body());
  const absl::StatusOr<Event> event = EventFromProto(proto);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(EventName(event->body), body()->name());
  v1::Event again;
  EventToProto(*event, &again);
  EXPECT_EQ(again.text(), Say(*event));
  EXPECT_FALSE(again.text().empty());
  again.clear_text();
  EXPECT_TRUE(MessageDifferencer::Equals(proto, again))
      << proto.DebugString() << again.DebugString();
}

INSTANTIATE_TEST_SUITE_P(
    Event, EveryEvent,
    ::testing::Range(0, static_cast<int>(std::variant_size_v<EventBody>)),
    [](const auto& info) {
      return v1::Event::descriptor()
          ->FindOneofByName("body")
          ->field(info.param)
          ->camelcase_name();
    });

TEST(Event, HasAMemberPerKindAndNoMore) {
  EXPECT_EQ(v1::Event::descriptor()->FindOneofByName("body")->field_count(),
            static_cast<int>(std::variant_size_v<EventBody>));
}

TEST(Event, OfAnUnknownKindIsRefused) {
  EXPECT_FALSE(EventFromProto(v1::Event()).ok());
}

TEST(Event, IsReadableWhateverBytesAPathHas) {
  v1::Event proto;
  EventToProto({1, SchedProcessExec{"/bin/\xff", 3}}, &proto);
  EXPECT_EQ(proto.sched_process_exec().filename(), "/bin/\xef\xbf\xbd");
  v1::Event parsed;
  EXPECT_TRUE(parsed.ParseFromString(proto.SerializeAsString()));
}

// --- Columns.

TEST(Packed, HoldsPlainOutcomesInColumnsAndOthersWhole) {
  v1::PackedOutcomes packed;
  Outcome plain;
  plain.value = 0x7f0000000000;
  plain.min_flt = 2;
  plain.accesses = 4096;
  AppendPacked(plain, &packed);
  AppendPacked(FullOutcome(), &packed);
  FinishPacked(&packed);
  EXPECT_EQ(packed.count(), 2);
  EXPECT_THAT(packed.value(), ElementsAre(0x7f0000000000, -12));
  EXPECT_THAT(packed.error(), ElementsAre(0, 12));
  EXPECT_THAT(packed.min_flt(), ElementsAre(2, 3));
  EXPECT_THAT(packed.accesses(), ElementsAre(4096, 5));
  ASSERT_EQ(packed.whole().size(), 1U);
  EXPECT_EQ(packed.whole().at(1).data(), FullOutcome().data);
  EXPECT_THAT(packed.whole().at(1).faulted().entry(), ElementsAre(0, 70000));
}

TEST(Packed, LeavesAColumnOfZerosOut) {
  v1::PackedOutcomes packed;
  Outcome outcome;
  outcome.cost_ns = 9;
  AppendPacked(outcome, &packed);
  AppendPacked(outcome, &packed);
  FinishPacked(&packed);
  EXPECT_EQ(packed.count(), 2);
  EXPECT_THAT(packed.value(), IsEmpty());
  EXPECT_THAT(packed.error(), IsEmpty());
  EXPECT_THAT(packed.accesses(), IsEmpty());
  EXPECT_THAT(packed.cost_ns(), ElementsAre(9, 9));
}

TEST(EventLevel, IsFaultsUnlessSaidOtherwise) {
  EXPECT_EQ(*EventLevelFromProto(v1::EVENT_LEVEL_UNSPECIFIED),
            EventLevel::kFaults);
  EXPECT_EQ(*EventLevelFromProto(v1::EVENT_LEVEL_NONE), EventLevel::kNone);
  EXPECT_EQ(*EventLevelFromProto(v1::EVENT_LEVEL_COUNTERS),
            EventLevel::kCounters);
  EXPECT_EQ(*EventLevelFromProto(v1::EVENT_LEVEL_FAULTS), EventLevel::kFaults);
  EXPECT_EQ(*EventLevelFromProto(v1::EVENT_LEVEL_ALL), EventLevel::kAll);
  EXPECT_EQ(errors::ReasonOf(
                EventLevelFromProto(static_cast<v1::EventLevel>(17)).status()),
            "FIELD_INVALID");
}

}  // namespace
}  // namespace faultline

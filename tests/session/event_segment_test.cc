// Segments: what is selected parses as the message it is a part of, and is kept
// for the next who wants the same.
#include "server/session/event_segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "faultline/v1/watch.pb.h"
#include "server/codec/change.h"
#include "server/codec/event.h"
#include "server/codec/outcome.h"
#include "server/limits.h"
#include "server/session/segment_cache.h"

namespace faultline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Event Fault(uint32_t pid, uint64_t address = 0x1000) {
  return {pid, PageFaultUser{address, 2}};
}
Event Alloc(uint32_t pid) { return {pid, MmPageAlloc{.pfn = 7}}; }

EventFilter All() {
  EventFilter filter;
  filter.level = EventLevel::kAll;
  filter.commands = true;
  return filter;
}

class EventSegmentTest : public ::testing::Test {
 protected:
  void Add(int64_t revision, uint32_t pid, std::vector<Event> events) {
    v1::Command command;
    command.set_pid(pid);
    command.mutable_tick()->set_nanoseconds(static_cast<uint64_t>(revision));
    const std::string bytes = command.SerializeAsString();
    Outcome outcome;
    outcome.value = revision;
    outcome.events = std::move(events);
    segment_.Add({.revision = revision,
                  .pid = pid,
                  .command = bytes,
                  .sender = "ada",
                  .time = absl::FromUnixSeconds(1'700'000'000),
                  .outcome = &outcome});
  }
  v1::WatchEventsResponse Select(const EventFilter& filter, int64_t from = 1,
                                 int64_t to = 100) {
    v1::WatchEventsResponse response;
    EXPECT_TRUE(response.ParseFromString(
        *segment_.Select(filter, filter.Key(), from, to) +
        RevisionField(segment_.last())));
    return response;
  }
  std::vector<int64_t> Revisions(const EventFilter& filter, int64_t from = 1,
                                 int64_t to = 100) {
    std::vector<int64_t> revisions;
    const v1::WatchEventsResponse response = Select(filter, from, to);
    for (const v1::Change& change : response.changes()) {
      revisions.push_back(change.revision());
    }
    return revisions;
  }

  EventSegment segment_;
};

TEST_F(EventSegmentTest, IsTheMessageThatTheCodecWouldMake) {
  Add(1, 1, {Fault(1), Alloc(1)});
  const v1::WatchEventsResponse response = Select(All());
  EXPECT_EQ(response.revision(), 1);
  ASSERT_EQ(response.changes_size(), 1);
  v1::Change expected;
  expected.set_revision(1);
  EventToProto(Fault(1), expected.add_events());
  EventToProto(Alloc(1), expected.add_events());
  expected.mutable_command()->set_pid(1);
  expected.mutable_command()->mutable_tick()->set_nanoseconds(1);
  Outcome outcome;
  outcome.value = 1;
  OutcomeToProto(outcome, expected.mutable_outcome());
  expected.set_sender("ada");
  expected.mutable_time()->set_seconds(1'700'000'000);
  EXPECT_EQ(response.changes(0).SerializeAsString(),
            expected.SerializeAsString());
}

TEST_F(EventSegmentTest, SelectsByLevelKindAndProcess) {
  Add(1, 1, {Fault(1), Alloc(1)});
  Add(2, 2, {Fault(2), Fault(1)});
  Add(3, 1, {});
  EventFilter filter;
  EXPECT_THAT(Revisions(filter), ElementsAre(1, 2));
  EXPECT_EQ(Select(filter).changes(0).events_size(), 1);
  filter.level = EventLevel::kAll;
  EXPECT_EQ(Select(filter).changes(0).events_size(), 2);
  filter.kinds = EventFilter::Kinds{1} << *EventKindOf("mm_page_alloc");
  EXPECT_THAT(Revisions(filter), ElementsAre(1));
  filter.kinds = EventFilter::kAllKinds;
  filter.pids = {2};
  EXPECT_THAT(Revisions(filter), ElementsAre(2));
  EXPECT_EQ(Select(filter).changes(0).events_size(), 1);
  filter.pids = {1};
  filter.commands = true;
  EXPECT_THAT(Revisions(filter), ElementsAre(1, 2, 3))
      << "2 has an event of process 1, 3 is its command";
  filter.pids = {3};
  EXPECT_THAT(Revisions(filter), IsEmpty());
}

TEST_F(EventSegmentTest, SelectsARangeOfRevisions) {
  for (int64_t revision = 5; revision <= 9; ++revision) {
    Add(revision, 1, {Fault(1)});
  }
  EXPECT_THAT(Revisions(All(), 7), ElementsAre(7, 8, 9));
  EXPECT_THAT(Revisions(All(), 5, 6), ElementsAre(5, 6));
  EXPECT_THAT(Revisions(All(), 1, 100), ElementsAre(5, 6, 7, 8, 9));
}

TEST_F(EventSegmentTest, ACommandThatBrokeTheSimulatorHasNoOutcome) {
  segment_.Add({.revision = 1,
                .pid = 1,
                .command = "",
                .sender = "",
                .time = absl::UnixEpoch(),
                .outcome = nullptr});
  const v1::WatchEventsResponse response = Select(All());
  ASSERT_EQ(response.changes_size(), 1);
  EXPECT_TRUE(response.changes(0).has_command());
  EXPECT_FALSE(response.changes(0).has_outcome());
}

TEST_F(EventSegmentTest, SharesWhatIsSelectedTwice) {
  Add(1, 1, {Fault(1)});
  const EventFilter filter = All();
  const size_t before = segment_.bytes();
  const SharedBytes first = segment_.Select(filter, filter.Key(), 1, 100);
  EXPECT_EQ(segment_.Select(filter, filter.Key(), 1, 100), first);
  EXPECT_GE(segment_.bytes(), before + first->size());
  EventFilter other;
  EXPECT_NE(segment_.Select(other, other.Key(), 1, 100), first);
  // A bound on what is kept.
  for (uint32_t pid = 1; pid < 1000; ++pid) {
    other.pids = {pid};
    segment_.Select(other, other.Key(), 1, 100);
  }
  EXPECT_LT(segment_.bytes(), before + 100 * first->size());
}

TEST_F(EventSegmentTest, WhatTheMachineLostEverybodyIsTold) {
  Add(1, 1, {Fault(1), {0, EventsLost{5}}});
  EventFilter filter;
  filter.pids = {9};
  const v1::WatchEventsResponse response = Select(filter);
  ASSERT_EQ(response.changes_size(), 1);
  ASSERT_EQ(response.changes(0).events_size(), 1);
  EXPECT_EQ(response.changes(0).events(0).events_lost().count(), 5u);
  filter.level = EventLevel::kCounters;
  EXPECT_THAT(Revisions(filter), IsEmpty()) << "it wants no events";
}

TEST_F(EventSegmentTest, AChangeNeverOutgrowsAMessage) {
  std::vector<Event> events;
  for (int i = 0; i < 3000; ++i) {
    events.push_back({1, SchedProcessExec{std::string(4000, 'x'), 1}});
  }
  Add(1, 1, std::move(events));
  const v1::WatchEventsResponse response = Select(All());
  EXPECT_LE(response.ByteSizeLong(), limits::kResponseBytesMax);
  const v1::Change& change = response.changes(0);
  const auto lost = change.events().rbegin()->events_lost().count();
  EXPECT_EQ(lost + static_cast<uint64_t>(change.events_size()) - 1, 3000u);
}

TEST(EventFilterTest, EqualFiltersHaveEqualKeys) {
  EventFilter a;
  EventFilter b;
  EXPECT_EQ(a.Key(), b.Key());
  b.pids = {1};
  EXPECT_NE(a.Key(), b.Key());
  a.pids = {1};
  EXPECT_EQ(a.Key(), b.Key());
  b.commands = true;
  EXPECT_NE(a.Key(), b.Key());
}

// --- The cache.

std::shared_ptr<EventSegment> SegmentOf(int64_t first, int64_t last) {
  auto segment = std::make_shared<EventSegment>();
  for (int64_t revision = first; revision <= last; ++revision) {
    segment->Add({.revision = revision,
                  .pid = 1,
                  .command = "",
                  .sender = "",
                  .time = absl::UnixEpoch(),
                  .outcome = nullptr});
  }
  return segment;
}

TEST(SegmentCacheTest, FindsTheSegmentOfARevision) {
  SegmentCache cache(1 << 20);
  cache.Insert(1, SegmentOf(1, 10));
  cache.Insert(1, SegmentOf(11, 20));
  cache.Insert(2, SegmentOf(1, 5));
  EXPECT_EQ(cache.Find(1, 10)->last(), 10);
  EXPECT_EQ(cache.Find(1, 11)->first(), 11);
  EXPECT_EQ(cache.Find(1, 21), nullptr);
  EXPECT_EQ(cache.Find(2, 5)->last(), 5);
  EXPECT_EQ(cache.Find(2, 6), nullptr);
  EXPECT_EQ(cache.Find(3, 1), nullptr);
  cache.Insert(2, SegmentOf(1, 6));
  EXPECT_EQ(cache.Find(2, 6)->last(), 6) << "the longer one";
  cache.Insert(2, SegmentOf(1, 2));
  EXPECT_EQ(cache.Find(2, 6)->last(), 6);
  cache.Forget(1);
  EXPECT_EQ(cache.Find(1, 1), nullptr);
  EXPECT_NE(cache.Find(2, 1), nullptr);
  cache.Forget(2);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(SegmentCacheTest, ForgetsWhatWasUsedLongestAgo) {
  const size_t one = SegmentOf(1, 1)->bytes();
  SegmentCache cache(3 * one + one / 2);
  for (int64_t i = 1; i <= 3; ++i) cache.Insert(1, SegmentOf(i, i));
  EXPECT_NE(cache.Find(1, 1), nullptr);
  cache.Insert(1, SegmentOf(4, 4));
  EXPECT_EQ(cache.Find(1, 2), nullptr);
  EXPECT_NE(cache.Find(1, 1), nullptr);
  EXPECT_LE(cache.bytes(), 3 * one + one / 2);
  // What was selected counts as well.
  const auto segment = cache.Find(1, 4);
  const EventFilter filter = All();
  segment->Select(filter, filter.Key() + std::string(10 * one, ' '), 1, 100);
  cache.Recount(1, *segment);
  EXPECT_EQ(cache.Find(1, 1), nullptr);
}

}  // namespace
}  // namespace faultline

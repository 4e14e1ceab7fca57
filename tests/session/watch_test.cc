// Watching a session: past, present and future give the same, nothing is
// missed, and who is slow holds up nobody.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "faultline/v1/watch.pb.h"
#include "server/limits.h"
#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Takes what a watcher is sent, and says so at once unless it is told not to.
class Viewer : public WatchSink {
 public:
  void Send(std::vector<SharedBytes> parts) override {
    std::string bytes;
    for (const SharedBytes& part : parts) bytes += *part;
    v1::WatchEventsResponse response;
    EXPECT_TRUE(response.ParseFromString(bytes));
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    EXPECT_FALSE(unread_) << "two at a time";
    EXPECT_GE(response.revision(), revision_);
    revision_ = response.revision();
    ++messages_;
    for (v1::Change& change : *response.mutable_changes()) {
      EXPECT_LE(change.revision(), response.revision());
      changes_.push_back(std::move(change));
    }
    unread_ = true;
  }
  void End(absl::Status status) override {
    absl::MutexLock lock(&mutex_);
    EXPECT_FALSE(end_.has_value()) << "ended twice";
    end_ = std::move(status);
  }

  void Attach(std::shared_ptr<Watcher> watcher) {
    watcher_ = std::move(watcher);
  }
  // Reads until `done()`; the rest is up to the caller.
  template <class Done>
  void ReadUntil(Done done) {
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        const auto news = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
          return unread_ || end_.has_value();
        };
        if (done()) return;
        mutex_.Await(absl::Condition(&news));
        if (done()) return;
        if (!unread_) {
          ADD_FAILURE() << "it ended: " << *end_;
          return;
        }
        unread_ = false;
      }
      watcher_->Sent();
    }
  }
  // Reads until everything up to `revision` has been told.
  void ReadTo(int64_t revision) {
    ReadUntil(
        [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return revision_ >= revision; });
  }
  absl::Status ReadToEnd() {
    ReadUntil([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return end_.has_value() && !unread_;
    });
    absl::MutexLock lock(&mutex_);
    return *end_;
  }

  Watcher& watcher() { return *watcher_; }
  // For the conditions of ReadUntil.
  bool ended() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return end_.has_value() && !unread_;
  }
  int unlocked_messages() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return messages_;
  }
  int64_t revision() const {
    absl::MutexLock lock(&mutex_);
    return revision_;
  }
  int messages() const {
    absl::MutexLock lock(&mutex_);
    return messages_;
  }
  // What was seen, each change in a line.
  std::vector<std::string> Lines() const {
    absl::MutexLock lock(&mutex_);
    std::vector<std::string> lines;
    for (const v1::Change& change : changes_) {
      lines.push_back(change.SerializeAsString());
    }
    return lines;
  }
  std::vector<v1::Change> changes() const {
    absl::MutexLock lock(&mutex_);
    return changes_;
  }
  std::vector<int64_t> Revisions() const {
    absl::MutexLock lock(&mutex_);
    std::vector<int64_t> revisions;
    for (const v1::Change& change : changes_) {
      revisions.push_back(change.revision());
    }
    return revisions;
  }

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<Watcher> watcher_;
  bool unread_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t revision_ ABSL_GUARDED_BY(mutex_) = -1;
  int messages_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<v1::Change> changes_ ABSL_GUARDED_BY(mutex_);
  absl::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};
using ViewerPtr = std::shared_ptr<Viewer>;

WatchRequest From(int64_t start) {
  WatchRequest request;
  request.start = start;
  return request;
}

WatchRequest Between(int64_t start, int64_t end) {
  WatchRequest request = From(start);
  request.end = end;
  return request;
}

WatchRequest WithCommands(WatchRequest request) {
  request.filter.commands = true;
  return request;
}

std::vector<int64_t> Numbers(int64_t first, int64_t last) {
  std::vector<int64_t> numbers;
  for (int64_t i = first; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

class WatchTest : public SessionTest {
 protected:
  void SetUp() override {
    UseDisk();
    Open({.runner = BreakingRunner()});
    ASSERT_TRUE(Create("lab").ok());
  }

  ViewerPtr Watch(WatchRequest request, const std::string& id = "lab") {
    auto viewer = std::make_shared<Viewer>();
    viewers_.push_back(viewer);
    viewer->Attach(table().Watch(id, std::move(request), viewer));
    return viewer;
  }
  // Maps, then writes to fresh pages and to old ones: 1 + 2 * `pages` commands,
  // each of which but the last `pages` has events.
  void Drive(int pages, const std::string& id = "lab") {
    ASSERT_TRUE(Run(id, MapPages(static_cast<uint64_t>(pages))).ok());
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < pages; ++i) {
        ASSERT_TRUE(Run(id, Poke(static_cast<uint64_t>(i))).ok());
      }
    }
  }
  void DriveBatch(int stores, const std::string& id = "lab") {
    ASSERT_TRUE(RunBatch(id, SomeCommands(stores)).ok());
  }
  int64_t Revision() { return table().Get("lab")->revision; }
  void TearDown() override {
    for (const ViewerPtr& viewer : viewers_) {
      viewer->watcher().Stop(absl::CancelledError("the test is over"));
    }
  }

 private:
  std::vector<ViewerPtr> viewers_;
};

TEST_F(WatchTest, ThePastThePresentAndTheFutureAreTheSame) {
  const ViewerPtr future = Watch(WithCommands(From(2)));
  const ViewerPtr present = Watch(WithCommands({}));
  future->ReadTo(1);
  present->ReadTo(0);
  Drive(20);
  const ViewerPtr past = Watch(WithCommands(Between(1, 41)));
  ASSERT_TRUE(past->ReadToEnd().ok());
  EXPECT_EQ(past->Revisions(), Numbers(1, 41));
  present->ReadTo(41);
  EXPECT_EQ(present->Lines(), past->Lines());
  future->ReadTo(41);
  std::vector<std::string> from_two = past->Lines();
  from_two.erase(from_two.begin());
  EXPECT_EQ(future->Lines(), from_two);
}

TEST_F(WatchTest, TellsWhatTheDriverWasTold) {
  const ViewerPtr viewer = Watch(WithCommands({}));
  viewer->ReadTo(0);
  ExecuteOptions options;
  options.peer = "ipv4:127.0.0.1:9";
  options.event_level = EventLevel::kNone;  // what it asked for does not matter
  ASSERT_TRUE(Run("lab", MapPages(2), options).ok());
  const auto poke = Run("lab", Poke(1));
  ASSERT_TRUE(poke.ok());
  viewer->ReadTo(2);
  const std::vector<v1::Change> changes = viewer->changes();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_TRUE(changes[0].command().has_mmap());
  EXPECT_EQ(changes[0].sender(), "ipv4:127.0.0.1:9");
  EXPECT_GT(changes[0].time().seconds(), 1'700'000'000);
  EXPECT_THAT(changes[0].events(), IsEmpty()) << "none is a fault";
  EXPECT_TRUE(changes[1].command().has_access());
  EXPECT_EQ(changes[1].outcome().digest(), poke->outcome.Digest());
  EXPECT_EQ(changes[1].outcome().min_flt(), 1);
  EXPECT_THAT(changes[1].outcome().events(), IsEmpty());
  ASSERT_EQ(changes[1].events_size(),
            static_cast<int>(poke->outcome.events.size()));
  EXPECT_TRUE(changes[1].events(0).has_page_fault_user());
  EXPECT_THAT(changes[1].events(0).text(), HasSubstr("no page is present"));
}

TEST_F(WatchTest, MarksItsProgressAtOnce) {
  Drive(3);
  EXPECT_EQ(Revision(), 7);
  const auto first_mark = [&](WatchRequest request) {
    const ViewerPtr viewer = Watch(std::move(request));
    viewer->ReadTo(0);
    return viewer->revision();
  };
  EXPECT_EQ(first_mark({}), 7);
  EXPECT_EQ(first_mark(From(1)), 0);
  EXPECT_EQ(first_mark(From(5)), 4);
  EXPECT_EQ(first_mark(From(100)), 99) << "what comes before is not asked for";
}

TEST_F(WatchTest, EndsAfterTheLastRevisionAskedFor) {
  const ViewerPtr viewer = Watch(WithCommands(Between(2, 4)));
  viewer->ReadTo(1);
  Drive(5);
  EXPECT_TRUE(viewer->ReadToEnd().ok());
  EXPECT_THAT(viewer->Revisions(), ElementsAre(2, 3, 4));
  EXPECT_EQ(viewer->revision(), 4);
  const ViewerPtr again = Watch(Between(8, 9));
  EXPECT_TRUE(again->ReadToEnd().ok());
  EXPECT_THAT(again->Revisions(), IsEmpty());
  EXPECT_EQ(again->revision(), 9) << "says that there was nothing";
}

TEST_F(WatchTest, AnEndInThePastOfWhoStartsInThePresentIsRefused) {
  Drive(2);
  WatchRequest request;
  request.end = 5;
  EXPECT_EQ(Reason(Watch(request)->ReadToEnd()), "FIELD_INVALID");
}

// --- What is asked for.

TEST_F(WatchTest, WithoutCommandsThereIsAChangeOnlyWhereThereAreEvents) {
  Drive(4);
  const ViewerPtr viewer = Watch(Between(1, 9));
  EXPECT_TRUE(viewer->ReadToEnd().ok());
  EXPECT_THAT(viewer->Revisions(), ElementsAre(2, 3, 4, 5));
  for (const v1::Change& change : viewer->changes()) {
    EXPECT_EQ(change.events_size(), 2);
    EXPECT_FALSE(change.has_command());
    EXPECT_FALSE(change.has_outcome());
    EXPECT_FALSE(change.has_time());
    EXPECT_TRUE(change.sender().empty());
  }
}

TEST_F(WatchTest, TheLevelSaysHowManyEvents) {
  Drive(1);
  const auto events_at = [&](EventLevel level) {
    WatchRequest request = WithCommands(Between(1, 2));
    request.filter.level = level;
    const ViewerPtr viewer = Watch(request);
    EXPECT_TRUE(viewer->ReadToEnd().ok());
    int events = 0;
    for (const v1::Change& change : viewer->changes()) {
      events += change.events_size();
    }
    EXPECT_THAT(viewer->Revisions(), ElementsAre(1, 2));
    return events;
  };
  EXPECT_EQ(events_at(EventLevel::kNone), 0);
  EXPECT_EQ(events_at(EventLevel::kCounters), 0);
  EXPECT_EQ(events_at(EventLevel::kFaults), 2);
  EXPECT_GT(events_at(EventLevel::kAll), 4);
}

TEST_F(WatchTest, OnlyTheKindsThatWereAskedFor) {
  Drive(3);
  WatchRequest request = Between(1, 7);
  request.filter.kinds = EventFilter::Kinds{1}
                         << EventBody(FaultResolved()).index();
  const ViewerPtr viewer = Watch(request);
  EXPECT_TRUE(viewer->ReadToEnd().ok());
  EXPECT_THAT(viewer->Revisions(), ElementsAre(2, 3, 4));
  for (const v1::Change& change : viewer->changes()) {
    ASSERT_EQ(change.events_size(), 1);
    EXPECT_TRUE(change.events(0).has_fault_resolved());
  }
}

TEST_F(WatchTest, OnlyTheProcessesThatWereAskedFor) {
  ASSERT_TRUE(Run("lab", MapPages(2)).ok());  // 1
  ASSERT_TRUE(Run("lab", {1, Fork{}}).ok());  // 2
  Command child = Poke(0);
  child.pid = 2;
  ASSERT_TRUE(Run("lab", child).ok());    // 3
  ASSERT_TRUE(Run("lab", Poke(1)).ok());  // 4
  ASSERT_TRUE(Run("lab", child).ok());    // 5, nothing
  WatchRequest request = Between(1, 5);
  request.filter.pids = {2};
  const ViewerPtr events = Watch(request);
  EXPECT_TRUE(events->ReadToEnd().ok());
  EXPECT_THAT(events->Revisions(), ElementsAre(3));
  const v1::Change change = events->changes().front();
  for (const v1::Event& event : change.events()) {
    EXPECT_EQ(event.pid(), 2u);
  }
  const ViewerPtr commands = Watch(WithCommands(request));
  EXPECT_TRUE(commands->ReadToEnd().ok());
  EXPECT_THAT(commands->Revisions(), ElementsAre(3, 5));
  request.filter.pids = {1, 2};
  const ViewerPtr both = Watch(WithCommands(request));
  EXPECT_TRUE(both->ReadToEnd().ok());
  EXPECT_EQ(both->Revisions(), Numbers(1, 5));
}

// What is left out follows from the change and the filter alone.
TEST_F(WatchTest, ACommandWithTooManyEventsSaysHowManyAreLost) {
  constexpr uint64_t kPages = 8'500;
  ASSERT_TRUE(Run("lab", MapPages(kPages)).ok());
  Command touch = Poke(0);
  std::get<Access>(touch.op).count = kPages;
  std::get<Access>(touch.op).stride = 4096;
  const ViewerPtr live = Watch(From(2));
  live->ReadTo(1);
  ASSERT_TRUE(Run("lab", touch).ok());
  live->ReadTo(2);
  const ViewerPtr past = Watch(Between(2, 2));
  EXPECT_TRUE(past->ReadToEnd().ok());
  EXPECT_EQ(live->Lines(), past->Lines());
  const v1::Change change = past->changes()[0];
  ASSERT_EQ(change.events_size(),
            static_cast<int>(limits::kEventsPerOutcomeMax) + 1);
  Machine twin(SmallConfig());
  twin.Apply(MapPages(kPages));
  const size_t all = twin.Apply(touch).events.size();
  EXPECT_GE(all, 2 * kPages);
  EXPECT_EQ(change.events().rbegin()->events_lost().count(),
            all - limits::kEventsPerOutcomeMax);
  WatchRequest request = Between(2, 2);
  request.filter.kinds = EventFilter::Kinds{1}
                         << EventBody(FaultResolved()).index();
  const ViewerPtr few = Watch(request);
  EXPECT_TRUE(few->ReadToEnd().ok());
  EXPECT_EQ(few->changes()[0].events().rbegin()->events_lost().count(),
            kPages - limits::kEventsPerOutcomeMax);
}

// --- How it ends.

TEST_F(WatchTest, EndsWhenTheSessionIsClosed) {
  const ViewerPtr viewer = Watch(WithCommands({}));
  const ViewerPtr future = Watch(From(1000));
  viewer->ReadTo(0);
  future->ReadTo(999);
  Drive(5);
  ASSERT_TRUE(Close("lab").ok());
  EXPECT_TRUE(viewer->ReadToEnd().ok());
  EXPECT_EQ(viewer->Revisions(), Numbers(1, 11));
  EXPECT_TRUE(future->ReadToEnd().ok());
  const ViewerPtr after = Watch(WithCommands(From(1)));
  EXPECT_TRUE(after->ReadToEnd().ok());
  EXPECT_EQ(after->Lines(), viewer->Lines());
  const ViewerPtr nothing = Watch({});
  EXPECT_TRUE(nothing->ReadToEnd().ok());
  EXPECT_EQ(nothing->revision(), 11);
}

TEST_F(WatchTest, ShowsTheCommandThatBrokeTheSimulator) {
  const ViewerPtr viewer = Watch(WithCommands({}));
  viewer->ReadTo(0);
  Drive(2);
  EXPECT_EQ(Reason(Run("lab", Breaker())), "SIMULATOR_BUG");
  EXPECT_TRUE(viewer->ReadToEnd().ok());
  EXPECT_EQ(viewer->Revisions(), Numbers(1, 6));
  const v1::Change last = viewer->changes().back();
  EXPECT_TRUE(last.command().has_tick());
  EXPECT_FALSE(last.has_outcome());
  EXPECT_TRUE(last.has_time());
  const ViewerPtr past = Watch(WithCommands(From(1)));
  EXPECT_TRUE(past->ReadToEnd().ok());
  EXPECT_EQ(past->Lines(), viewer->Lines());
  // A server whose simulator is repaired shows the same.
  Restart();
  const ViewerPtr repaired = Watch(WithCommands(From(1)));
  EXPECT_TRUE(repaired->ReadToEnd().ok());
  EXPECT_EQ(repaired->Lines(), viewer->Lines());
}

// The server died between the command and the change of state.
TEST_F(WatchTest, ASessionThatBrokeUnnoticedEndsAsWell) {
  Drive(2);
  EXPECT_EQ(Reason(Run("lab", Breaker())), "SIMULATOR_BUG");
  Stop();
  storage::ExecuteOn(database(), "UPDATE sessions SET state = 1");
  Open({.runner = BreakingRunner()});
  const ViewerPtr viewer = Watch(WithCommands(From(1)));
  const ViewerPtr waiting = Watch(From(7));
  EXPECT_TRUE(viewer->ReadToEnd().ok());
  EXPECT_EQ(viewer->Revisions(), Numbers(1, 6));
  EXPECT_TRUE(waiting->ReadToEnd().ok());
}

TEST_F(WatchTest, EndsWhenTheSessionIsDeleted) {
  Drive(2);
  const ViewerPtr waiting = Watch({});
  const ViewerPtr unread = Watch(From(1));
  waiting->ReadTo(5);
  ASSERT_TRUE(Delete("lab").ok());
  EXPECT_EQ(Reason(waiting->ReadToEnd()), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(unread->ReadToEnd()), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(Watch({})->ReadToEnd()), "SESSION_NOT_FOUND");
  // The next one of this name is another one.
  ASSERT_TRUE(Create("lab").ok());
  const ViewerPtr next = Watch(WithCommands(From(1)));
  next->ReadTo(0);
  Drive(1);
  next->ReadTo(3);
  EXPECT_EQ(next->Revisions(), Numbers(1, 3));
}

TEST_F(WatchTest, EndsWhenItIsStopped) {
  const ViewerPtr viewer = Watch({});
  viewer->ReadTo(0);
  viewer->watcher().Stop(absl::UnavailableError("enough"));
  viewer->watcher().Stop(absl::InternalError("once is enough"));
  EXPECT_EQ(viewer->ReadToEnd().message(), "enough");
}

TEST_F(WatchTest, DamageIsToldAfterWhatIsGood) {
  UseSyncedDisk();  // a chunk for each command
  Restart({.runner = BreakingRunner()});
  for (int i = 0; i < 10; ++i) Drive(1);
  Stop();
  storage::ExecuteOn(
      database(),
      "UPDATE journal_chunks SET time_us = 7 WHERE first_revision = 9");
  Open();
  const ViewerPtr viewer = Watch(WithCommands(From(1)));
  const absl::Status end = viewer->ReadToEnd();
  EXPECT_EQ(Reason(end), "HISTORY_CORRUPT");
  EXPECT_THAT(std::string(end.message()), HasSubstr("revision 9"));
  EXPECT_EQ(viewer->Revisions(), Numbers(1, 8));
  EXPECT_EQ(Reason(Watch(From(20))->ReadToEnd()), "HISTORY_CORRUPT");
}

TEST_F(WatchTest, AnotherOutcomeThanTheRecordedOneIsToldAfterWhatIsGood) {
  Drive(3);
  Restart({.runner = [](Machine& machine, const Command& command,
                        EventLevel level) {
    Outcome outcome = machine.Apply(command, level);
    const auto* access = std::get_if<Access>(&command.op);
    if (access != nullptr && access->addr == kArea + 2 * 4096) {
      outcome.cost_ns += 1;
    }
    return outcome;
  }});
  const ViewerPtr viewer = Watch(WithCommands(From(1)));
  const absl::Status end = viewer->ReadToEnd();
  EXPECT_EQ(Reason(end), "HISTORY_CORRUPT");
  EXPECT_THAT(std::string(end.message()), HasSubstr("revision 4"));
  EXPECT_EQ(viewer->Revisions(), Numbers(1, 3));
}

TEST_F(WatchTest, NotMoreWatchersThanThereMayBe) {
  Restart({.watching = {.watchers_max = 2}});
  const ViewerPtr first = Watch({});
  const ViewerPtr second = Watch({});
  first->ReadTo(0);
  second->ReadTo(0);
  EXPECT_EQ(Reason(Watch({})->ReadToEnd()), "WATCHERS_LIMIT");
  first->watcher().Stop(absl::CancelledError());
  const ViewerPtr third = Watch({});
  third->ReadTo(0);
}

// --- Nothing missed, nothing twice.

TEST_F(WatchTest, CutAtRandomAndResumedItSeesEverythingOnce) {
  std::minstd_rand random(20);
  std::thread driver([this] {
    for (int i = 0; i < 60; ++i) {
      if (i % 3 == 0) DriveBatch(40);
      Drive(4);
    }
    ASSERT_TRUE(Close("lab").ok());
  });
  std::vector<std::string> seen;
  int64_t next = 1;
  while (true) {
    const ViewerPtr viewer = Watch(WithCommands(From(next)));
    const int messages = 1 + static_cast<int>(random() % 4);
    bool ended = false;
    viewer->ReadUntil([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      ended = viewer->ended();
      return ended || viewer->unlocked_messages() >= messages;
    });
    viewer->watcher().Stop(absl::CancelledError("cut"));
    for (std::string& line : viewer->Lines()) seen.push_back(std::move(line));
    next = viewer->revision() + 1;
    if (ended) break;
  }
  driver.join();
  const ViewerPtr whole = Watch(WithCommands(From(1)));
  ASSERT_TRUE(whole->ReadToEnd().ok());
  EXPECT_EQ(whole->Revisions(), Numbers(1, 20 * 41 + 60 * 9));
  EXPECT_EQ(seen, whole->Lines());
}

TEST_F(WatchTest, WhoDoesNotReadHoldsUpNobodyAndMissesNothing) {
  const ViewerPtr slow = Watch(WithCommands({}));
  const ViewerPtr quick = Watch(WithCommands({}));
  quick->ReadTo(0);
  for (int i = 0; i < 10; ++i) DriveBatch(1000);
  quick->ReadTo(10'010);
  slow->ReadTo(0);
  EXPECT_EQ(slow->messages(), 1) << "it has not been given a second one";
  slow->ReadTo(10'010);
  EXPECT_EQ(slow->Lines(), quick->Lines());
  EXPECT_EQ(slow->Revisions(), Numbers(1, 10'010));
}

TEST_F(WatchTest, ManyWatchersCostOneReplay) {
  std::atomic<int64_t> derived{0};
  Restart({.runner = [&derived](Machine& machine, const Command& command,
                                EventLevel level) {
    if (level == EventLevel::kAll) ++derived;
    return machine.Apply(command, level);
  }});
  Drive(500);
  std::vector<ViewerPtr> viewers;
  for (int i = 0; i < 100; ++i) viewers.push_back(Watch(From(1)));
  for (const ViewerPtr& viewer : viewers) viewer->ReadTo(1001);
  for (const ViewerPtr& viewer : viewers) {
    EXPECT_EQ(viewer->Lines(), viewers[0]->Lines());
  }
  EXPECT_EQ(derived, 1001);
}

// A copy of the live machine will do; the history need not be executed.
TEST_F(WatchTest, WhoStartsInThePresentCostsNoReplay) {
  std::atomic<int64_t> executed{0};
  Restart({.runner = [&executed](Machine& machine, const Command& command,
                                 EventLevel level) {
    ++executed;
    return machine.Apply(command, level);
  }});
  Drive(200);
  executed = 0;
  const ViewerPtr viewer = Watch({});
  viewer->ReadTo(401);
  Drive(1);
  viewer->ReadTo(404);
  EXPECT_EQ(executed, 6) << "three commands, each on two machines";
}

TEST_F(WatchTest, WhatTheCacheForgotIsDerivedAgain) {
  Restart({.watching = {.cache_bytes_max = 1}});
  for (int i = 0; i < 5; ++i) DriveBatch(600);
  const ViewerPtr first = Watch(WithCommands(From(1)));
  const ViewerPtr second = Watch(WithCommands(From(1500)));
  const ViewerPtr third = Watch(WithCommands(From(2900)));
  third->ReadTo(3005);
  second->ReadTo(3005);
  first->ReadTo(3005);
  EXPECT_EQ(first->Revisions(), Numbers(1, 3005));
  EXPECT_EQ(second->Revisions(), Numbers(1500, 3005));
  EXPECT_EQ(third->Revisions(), Numbers(2900, 3005));
}

TEST_F(WatchTest, WatchersFarApartSeeTheSame) {
  for (int i = 0; i < 10; ++i) DriveBatch(700);
  const ViewerPtr whole = Watch(WithCommands(Between(1, 7010)));
  ASSERT_TRUE(whole->ReadToEnd().ok());
  const std::vector<std::string> lines = whole->Lines();
  // More places than a session has replicas.
  std::vector<ViewerPtr> viewers;
  for (int64_t start = 7000; start > 0; start -= 1000) {
    viewers.push_back(Watch(WithCommands(Between(start, start + 9))));
  }
  for (const ViewerPtr& viewer : viewers) {
    ASSERT_TRUE(viewer->ReadToEnd().ok());
    const auto start = static_cast<size_t>(viewer->Revisions().front());
    EXPECT_THAT(viewer->Lines(),
                ElementsAreArray(&lines[start - 1], &lines[start + 9]));
  }
}

TEST_F(WatchTest, MarksItsProgressWithoutChanges) {
  Restart({.watching = {.mark_every = absl::Milliseconds(10)}});
  const ViewerPtr idle = Watch({});
  idle->ReadUntil([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return idle->unlocked_messages() >= 3;
  });
  EXPECT_EQ(idle->revision(), 0);
  WatchRequest request;
  request.filter.pids = {99};
  const ViewerPtr other = Watch(request);
  other->ReadTo(0);
  Drive(2);
  other->ReadTo(5);
  EXPECT_THAT(other->changes(), IsEmpty());
}

TEST_F(WatchTest, ManyWatchersAtAnyTime) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int round = 0; round < 10; ++round) {
        auto viewer = std::make_shared<Viewer>();
        viewer->Attach(table().Watch("lab", WithCommands(From(1)), viewer));
        viewer->ReadTo(i * round);
        viewer->watcher().Stop(absl::CancelledError("enough"));
        const std::vector<int64_t> revisions = viewer->Revisions();
        EXPECT_EQ(revisions,
                  Numbers(1, static_cast<int64_t>(revisions.size())));
      }
    });
  }
  for (int i = 0; i < 10; ++i) Drive(5);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace faultline::testing

// Sessions from their creation to their end, in the order of the calls.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/limits.h"
#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

class SessionTableTest : public SessionTest {
 protected:
  void SetUp() override { Open(); }
};

TEST_F(SessionTableTest, ANewSessionIsAsItWasAskedFor) {
  MachineConfig config = SmallConfig(7);
  config.swap_bytes = 1 << 20;
  config.sysctls = {{"vm.overcommit_memory", 2}};
  const auto created = Create("lab-1", config);
  ASSERT_TRUE(created.ok()) << created.status();
  const auto got = table().Get("lab-1");
  ASSERT_TRUE(got.ok()) << got.status();
  for (const SessionInfo& info : {*created, *got}) {
    EXPECT_EQ(info.id, "lab-1");
    EXPECT_EQ(info.display_name, "for lab-1");
    EXPECT_EQ(info.config.seed, 7);
    EXPECT_EQ(info.config.ram_bytes, config.ram_bytes);
    EXPECT_EQ(info.config.swap_bytes, config.swap_bytes);
    ASSERT_EQ(info.config.sysctls.size(), 1);
    EXPECT_EQ(info.config.sysctls[0].value, 2);
    EXPECT_EQ(info.life, SessionLife::kOpen);
    EXPECT_EQ(info.revision, 0);
    EXPECT_EQ(info.create_time, created->create_time);
    EXPECT_EQ(info.update_time, created->create_time);
  }
}

TEST_F(SessionTableTest, ChoosesAnIdWhereNoneIsGiven) {
  const auto one = Create("");
  const auto other = Create("");
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_NE(one->id, other->id);
  EXPECT_TRUE(table().Get(one->id).ok());
}

TEST_F(SessionTableTest, RefusesASecondSessionOfTheSameName) {
  ASSERT_TRUE(Create("lab").ok());
  const auto again = Create("lab");
  EXPECT_EQ(Reason(again), "SESSION_ALREADY_EXISTS");
  EXPECT_THAT(std::string(again.status().message()),
              ::testing::HasSubstr("sessions/lab"));
}

TEST_F(SessionTableTest, RefusesAConfigThatIsNoMachineAndKeepsNothingOfIt) {
  MachineConfig config = SmallConfig();
  config.ram_bytes = 4096;
  const auto created = Create("tiny", config);
  EXPECT_EQ(Reason(created), "FIELD_INVALID") << created.status();
  EXPECT_EQ(Reason(table().Get("tiny")), "SESSION_NOT_FOUND");
}

TEST_F(SessionTableTest, RefusesMoreSessionsThanItMayKeep) {
  SessionTable::Options options;
  options.sessions_max = 2;
  Restart(options);
  ASSERT_TRUE(Create("a").ok());
  ASSERT_TRUE(Create("b").ok());
  EXPECT_EQ(Reason(Create("c")), "SESSIONS_LIMIT");
  ASSERT_TRUE(Delete("a").ok());
  EXPECT_TRUE(Create("c").ok());
}

TEST_F(SessionTableTest, ListsInOrderPageByPage) {
  for (const char* id : {"c", "a", "b"}) ASSERT_TRUE(Create(id).ok());
  const auto first = table().List("", 2);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->size(), 2);
  EXPECT_EQ((*first)[0].id, "a");
  EXPECT_EQ((*first)[1].id, "b");
  const auto rest = table().List("b", 2);
  ASSERT_TRUE(rest.ok());
  ASSERT_EQ(rest->size(), 1);
  EXPECT_EQ((*rest)[0].id, "c");
}

TEST_F(SessionTableTest, EveryCallAboutAnUnknownSessionSaysSo) {
  EXPECT_EQ(Reason(Run("none", MapPages(1))), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(Look("none")), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(Close("none")), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(Delete("none")), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(table().Get("none")), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(table().ListCommands("none", 1, 1, 1)), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(table().Replay("none", 0, {})), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(table().Verify("none", {})), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(table().Fingerprint("none", absl::nullopt, {})),
            "SESSION_NOT_FOUND");
}

TEST_F(SessionTableTest, ACommandChangesTheMachineAndIsRecorded) {
  ASSERT_TRUE(Create("lab").ok());
  const auto mapped = Run("lab", MapPages(2));
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  EXPECT_EQ(mapped->revision, 1);
  EXPECT_EQ(mapped->outcome.value, static_cast<int64_t>(kArea));
  const auto stored = Run("lab", Poke(1));
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->revision, 2);
  EXPECT_EQ(stored->outcome.min_flt, 1);
  EXPECT_EQ(table().Get("lab")->revision, 2);

  const auto page = table().ListCommands("lab", 1, 10, 1 << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->revision, 2);
  ASSERT_EQ(page->commands.size(), 2);
  EXPECT_EQ(page->commands[0].revision, 1);
  EXPECT_EQ(page->commands[0].command.mmap().length(), 8192);
  EXPECT_EQ(page->commands[0].digest, mapped->outcome.Digest());
  EXPECT_TRUE(page->commands[1].command.has_access());
  EXPECT_EQ(page->commands[1].digest, stored->outcome.Digest());
}

TEST_F(SessionTableTest, AnErrnoIsAnOutcomeAndStopsNoBatch) {
  ASSERT_TRUE(Create("lab").ok());
  const auto batch =
      RunBatch("lab", {MapPages(1), MapPages(0), Poke(0), Poke(9)});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->revision, 4);
  ASSERT_EQ(batch->outcomes.size(), 4);
  EXPECT_EQ(batch->outcomes[1].error, Errno::kEINVAL);
  EXPECT_EQ(batch->outcomes[2].accesses, 1);
  EXPECT_EQ(batch->outcomes[3].signal.signal, 11);
}

TEST_F(SessionTableTest, AnEmptyBatchIsRefused) {
  ASSERT_TRUE(Create("lab").ok());
  EXPECT_EQ(Reason(RunBatch("lab", {})), "FIELD_MISSING");
}

TEST_F(SessionTableTest, ABatchThatAsksForTooMuchDataIsRefusedBeforeItStarts) {
  ASSERT_TRUE(Create("lab").ok());
  std::vector<Command> reads(
      17, Command{1, Read{.fd = 0, .length = 2 * limits::kMiB}});
  EXPECT_EQ(Reason(RunBatch("lab", reads)), "FIELD_INVALID");
  reads.pop_back();
  EXPECT_TRUE(RunBatch("lab", reads).ok());
}

TEST_F(SessionTableTest, ATextThatCannotBeRecordedIsRefused) {
  ASSERT_TRUE(Create("lab").ok());
  const auto run = Run("lab", {1, faultline::Open{.path = "\xff"}});
  EXPECT_EQ(run.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(table().Get("lab")->revision, 0);
}

TEST_F(SessionTableTest, EventsOfABatchAreBounded) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(Run("lab", MapPages(8192)).ok());
  Command sweep = Poke(0);
  std::get<Access>(sweep.op).count = 8192;
  ExecuteOptions all;
  all.event_level = EventLevel::kAll;
  std::vector<Command> commands;
  for (int i = 0; i < 20; ++i) {
    commands.push_back(sweep);
    commands.push_back(Unmap(8192));
    commands.push_back(MapPages(8192));
  }
  const auto batch = RunBatch("lab", commands, all);
  ASSERT_TRUE(batch.ok()) << batch.status();
  size_t events = 0;
  for (const Outcome& outcome : batch->outcomes) {
    EXPECT_LE(outcome.events.size(), limits::kEventsPerOutcomeMax);
    events += outcome.events.size();
  }
  EXPECT_LE(events, limits::kEventsPerBatchMax + commands.size());
  const Outcome& first = batch->outcomes.front();
  ASSERT_FALSE(first.events.empty());
  const auto* lost = std::get_if<EventsLost>(&first.events.back().body);
  ASSERT_NE(lost, nullptr);
  EXPECT_GT(lost->count, 0);
}

TEST_F(SessionTableTest, ExecutesOnlyAtTheExpectedRevision) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(Run("lab", MapPages(1), AtRevision(0)).ok());
  const auto late = Run("lab", Unmap(1), AtRevision(0));
  EXPECT_EQ(Reason(late), "REVISION_MISMATCH");
  EXPECT_EQ(table().Get("lab")->revision, 1);
  EXPECT_TRUE(Run("lab", Unmap(1), AtRevision(1)).ok());
}

TEST_F(SessionTableTest, ExecutesNothingForAClientThatIsGone) {
  ASSERT_TRUE(Create("lab").ok());
  ExecuteOptions options;
  options.cancelled = [] { return true; };
  EXPECT_EQ(Reason(Run("lab", MapPages(1), options)), "CANCELLED");
  EXPECT_EQ(table().Get("lab")->revision, 0);
}

TEST_F(SessionTableTest, TheOrderOfTheCallsIsTheOrderOfTheRevisions) {
  ASSERT_TRUE(Create("lab").ok());
  std::vector<PendingRun> runs(100);
  for (size_t i = 0; i < runs.size(); ++i) {
    table().Execute("lab", i % 2 == 0 ? MapPages(1) : Unmap(1), {},
                    runs[i].answer());
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto result = runs[i].Wait();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->revision, static_cast<int64_t>(i) + 1);
  }
}

TEST_F(SessionTableTest, TooManyWaitingCommandsAreRefusedNotLost) {
  ASSERT_TRUE(Create("lab").ok());
  // The first command does not end before the queue is full.
  absl::Notification go;
  ExecuteOptions slow;
  slow.cancelled = [&go] {
    go.WaitForNotification();
    return false;
  };
  PendingRun first;
  table().Execute("lab", MapPages(1), slow, first.answer());
  const size_t room = limits::kQueuedCommandsPerSessionMax;
  std::vector<PendingRun> runs(room + 2);
  for (PendingRun& run : runs) {
    table().Execute("lab", Poke(0), {}, run.answer());
  }
  go.Notify();
  ASSERT_TRUE(first.Wait().ok());
  size_t accepted = 0;
  for (PendingRun& run : runs) {
    const auto result = run.Wait();
    if (result.ok()) {
      ++accepted;
    } else {
      EXPECT_EQ(Reason(result), "QUEUE_LIMIT");
    }
  }
  // The first may or may not have been taken out of the queue in time.
  EXPECT_GE(accepted, room - 1);
  EXPECT_LT(accepted, runs.size());
  EXPECT_EQ(table().Get("lab")->revision, static_cast<int64_t>(accepted) + 1);
}

TEST_F(SessionTableTest, ALookIsACopyThatStaysAsItWas) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(Run("lab", MapPages(1)).ok());
  const auto before = Look("lab");
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ((*before)->revision, 1);
  const uint64_t fingerprint = (*before)->machine.Fingerprint();
  ASSERT_TRUE(Run("lab", Poke(0)).ok());
  EXPECT_EQ((*before)->machine.Fingerprint(), fingerprint);
  EXPECT_NE(FingerprintOfLive("lab"), fingerprint);
  EXPECT_EQ((*before)->machine.Verify(), "");
}

TEST_F(SessionTableTest, ALookCanInsistOnARevision) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(Run("lab", MapPages(1)).ok());
  EXPECT_TRUE(Look("lab", 1).ok());
  EXPECT_EQ(Reason(Look("lab", 0)), "REVISION_MISMATCH");
}

TEST_F(SessionTableTest, NothingIsShownBeforeItIsDurable) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(Run("lab", MapPages(1)).ok());
  WriterStop stop(store());
  PendingRun run;
  PendingView view;
  table().Execute("lab", Poke(0), {}, run.answer());
  table().Look("lab", absl::nullopt, view.answer());
  // Another session's look is a sign that the workers came past.
  EXPECT_EQ(Reason(Look("none")), "SESSION_NOT_FOUND");
  EXPECT_FALSE(run.given());
  EXPECT_FALSE(view.given());
  EXPECT_EQ(table().Get("lab")->revision, 1);
  stop.Release();
  ASSERT_TRUE(run.Wait().ok());
  const auto seen = view.Wait();
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ((*seen)->revision, 2);
}

TEST_F(SessionTableTest, AClosedSessionKeepsItsHistoryAndTakesNoCommand) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(RunBatch("lab", SomeCommands(3)).ok());
  const auto closed = Close("lab");
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->life, SessionLife::kClosed);
  EXPECT_EQ(closed->revision, 4);
  EXPECT_EQ(Reason(Run("lab", MapPages(1))), "SESSION_CLOSED");
  EXPECT_EQ(Reason(Look("lab")), "SESSION_CLOSED");
  EXPECT_EQ(table().live_machines(), 0);
  EXPECT_EQ(table().ListCommands("lab", 1, 10, 1 << 20)->commands.size(), 4);
  const auto replay = table().Replay("lab", 0, {});
  ASSERT_TRUE(replay.ok());
  EXPECT_EQ(replay->equal, 4);
  const auto again = Close("lab");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->update_time, closed->update_time) << "it changed nothing";
}

TEST_F(SessionTableTest, ClosingComesAfterTheCommandsBeforeItAndBeforeTheRest) {
  ASSERT_TRUE(Create("lab").ok());
  PendingRun before;
  PendingInfo closed;
  PendingRun after;
  table().Execute("lab", MapPages(1), {}, before.answer());
  table().Close("lab", closed.answer());
  table().Execute("lab", Unmap(1), {}, after.answer());
  EXPECT_TRUE(before.Wait().ok());
  const auto info = closed.Wait();
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->revision, 1);
  EXPECT_EQ(Reason(after.Wait()), "SESSION_CLOSED");
}

TEST_F(SessionTableTest, ADeletedSessionIsGoneAndItsNameIsFree) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(Run("lab", MapPages(1)).ok());
  ASSERT_TRUE(Delete("lab").ok());
  EXPECT_EQ(Reason(table().Get("lab")), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(Run("lab", Unmap(1))), "SESSION_NOT_FOUND");
  EXPECT_EQ(table().live_machines(), 0);
  ASSERT_TRUE(Create("lab").ok());
  const auto fresh = Run("lab", Poke(0));
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(fresh->revision, 1);
  EXPECT_EQ(fresh->outcome.signal.signal, 11) << "nothing is mapped there";
}

TEST_F(SessionTableTest, CommandsBehindADeletionFindNothing) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(Run("lab", MapPages(1)).ok());
  WriterStop stop(store());
  PendingStatus deleted;
  std::vector<PendingRun> runs(3);
  table().Delete("lab", deleted.answer());
  for (PendingRun& run : runs) {
    table().Execute("lab", Poke(0), {}, run.answer());
  }
  stop.Release();
  EXPECT_TRUE(deleted.Wait().ok());
  for (PendingRun& run : runs) {
    EXPECT_EQ(Reason(run.Wait()), "SESSION_NOT_FOUND");
  }
}

TEST_F(SessionTableTest, ADeletionThatWaitedDoesNotTouchTheNextOfThatName) {
  ASSERT_TRUE(Create("lab").ok());
  PendingStatus deleted;
  PendingStatus deleted_again;
  PendingInfo closed;
  {
    WriterStop stop(store());
    table().Delete("lab", deleted.answer());
    table().Delete("lab", deleted_again.answer());
    table().Close("lab", closed.answer());
  }
  EXPECT_TRUE(deleted.Wait().ok());
  ASSERT_TRUE(Create("lab").ok());
  EXPECT_EQ(Reason(deleted_again.Wait()), "SESSION_NOT_FOUND");
  EXPECT_EQ(Reason(closed.Wait()), "SESSION_NOT_FOUND");
  EXPECT_TRUE(Run("lab", MapPages(1)).ok());
  EXPECT_EQ(table().Get("lab")->life, SessionLife::kOpen);
}

TEST_F(SessionTableTest, ListCommandsKeepsToItsBounds) {
  ASSERT_TRUE(Create("lab").ok());
  ASSERT_TRUE(RunBatch("lab", SomeCommands(9)).ok());
  const auto some = table().ListCommands("lab", 3, 4, 1 << 20);
  ASSERT_TRUE(some.ok());
  ASSERT_EQ(some->commands.size(), 4);
  EXPECT_EQ(some->commands.front().revision, 3);
  EXPECT_EQ(table().ListCommands("lab", 1, 10, 1)->commands.size(), 1);
  EXPECT_TRUE(table().ListCommands("lab", 11, 10, 1 << 20)->commands.empty());
  EXPECT_EQ(Reason(table().ListCommands("lab", 12, 10, 1 << 20)),
            "REVISION_OUT_OF_RANGE");
}

TEST_F(SessionTableTest, WhatWasAcceptedIsFinishedWhenTheTableEnds) {
  ASSERT_TRUE(Create("lab").ok());
  std::vector<PendingRun> runs(200);
  PendingInfo created;
  for (PendingRun& run : runs) {
    table().Execute("lab", MapPages(1), {}, run.answer());
  }
  table().Create("other", "", SmallConfig(), created.answer());
  Stop();
  for (PendingRun& run : runs) {
    ASSERT_TRUE(run.given());
    EXPECT_TRUE(run.Wait().ok());
  }
  ASSERT_TRUE(created.given());
  EXPECT_TRUE(created.Wait().ok());
}

}  // namespace
}  // namespace faultline::testing

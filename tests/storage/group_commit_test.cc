// The writer under load: what waits together is committed together, and what
// fails, fails alone.
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "storage/reason.h"
#include "storage/store.h"
#include "tests/storage/fault_vfs.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

// Holds the writer inside a callback, so that what is submitted meanwhile
// becomes one group. Declared after the store, so that it lets go first.
class Hold {
 public:
  explicit Hold(Store& store) {
    // A write that changes nothing: no such session.
    EXPECT_TRUE(store
                    .DeleteSession("hold",
                                   [this](const absl::Status&) {
                                     held_.Notify();
                                     release_.WaitForNotification();
                                     over_.Notify();
                                   })
                    .ok());
    held_.WaitForNotification();
  }
  ~Hold() { Release(); }
  void Release() {
    if (release_.HasBeenNotified()) return;
    release_.Notify();
    over_.WaitForNotification();
  }

 private:
  absl::Notification held_;
  absl::Notification release_;
  absl::Notification over_;
};

// Every write waits for its commit: none is spooled.
class GroupCommitTest : public testing::Test {
 protected:
  GroupCommitTest() {
    options_.path = directory_.data();
    options_.durability = Store::Durability::kPowerLoss;
    options_.vfs = vfs_.name();
    store_ = MustOpen(options_);
    EXPECT_TRUE(Create(*store_, "a").ok());
    EXPECT_TRUE(Create(*store_, "b").ok());
  }
  // Submits an append and remembers its answer at `answers_[n]`.
  void Submit(const std::string& session, Entry entry) {
    const size_t n = answers_.size();
    answers_.emplace_back(absl::UnknownError("not answered"));
    ASSERT_TRUE(store_
                    ->Append(session, std::move(entry),
                             [this, n](const absl::Status& status) {
                               answers_[n] = status;
                             })
                    .ok());
  }
  // Waits until everything submitted so far is answered.
  void Drain() { EXPECT_FALSE(Delete(*store_, "nobody").ok()); }
  int64_t Count(const char* sql) {
    Database::Options options;
    options.path = directory_.database();
    options.access = Database::Access::kReadOnly;
    return *(*Database::Open(options))->QueryInt64(sql);
  }

  TempDirectory directory_;
  FaultVfs vfs_;
  Store::Options options_;
  std::vector<absl::Status> answers_;
  std::unique_ptr<Store> store_;
};

TEST_F(GroupCommitTest, WhatWaitsTogetherSharesACommit) {
  options_.durability = Store::Durability::kPowerLoss;
  store_.reset();
  store_ = MustOpen(options_);
  Hold hold(*store_);
  const int64_t before = vfs_.log_syncs();
  for (int64_t revision = 1; revision <= 100; ++revision) {
    Submit("a", MakeEntry(revision));
    Submit("b", MakeEntry(revision));
  }
  hold.Release();
  Drain();
  // One for the group and one for the delete that drained the queue at most.
  EXPECT_LE(vfs_.log_syncs(), before + 2);
  for (const absl::Status& answer : answers_) EXPECT_TRUE(answer.ok());
  EXPECT_EQ(Read(*store_, "a").entries, MakeEntries(1, 100));
  EXPECT_EQ(Read(*store_, "b").entries, MakeEntries(1, 100));
  EXPECT_EQ(Count("SELECT count(*) FROM journal_chunks"), 2);
}

TEST_F(GroupCommitTest, AnAppendThatFailsFailsAloneAndStopsItsFollowers) {
  ASSERT_TRUE(Append(*store_, "a", MakeEntry(1, "r")).ok());
  Hold hold(*store_);
  Submit("a", MakeEntry(2));       // 0: good
  Submit("a", MakeEntry(3, "r"));  // 1: this request id is taken
  Submit("b", MakeEntry(1));       // 2: another session, good
  Submit("a", MakeEntry(4));       // 3: follows the one that failed
  Submit("a", MakeEntry(5));       // 4: and so on
  Submit("b", MakeEntry(2));       // 5: good
  hold.Release();
  Drain();
  EXPECT_TRUE(answers_[0].ok()) << answers_[0];
  EXPECT_EQ(ReasonOf(answers_[1]), "REQUEST_ID_EXISTS");
  EXPECT_TRUE(answers_[2].ok()) << answers_[2];
  EXPECT_EQ(ReasonOf(answers_[3]), "JOURNAL_GAP");
  EXPECT_EQ(ReasonOf(answers_[4]), "JOURNAL_GAP");
  EXPECT_TRUE(answers_[5].ok()) << answers_[5];
  EXPECT_EQ(*store_->LastRevision("a"), 2);
  EXPECT_EQ(*store_->LastRevision("b"), 2);
  EXPECT_TRUE(Append(*store_, "a", MakeEntry(3)).ok());
}

TEST_F(GroupCommitTest, AFailedCommitIsTriedAgainWriteByWrite) {
  Hold hold(*store_);
  Submit("a", MakeEntry(1));
  Submit("b", MakeEntry(1));
  Submit("a", MakeEntry(2));
  vfs_.FailChange(1, FaultVfs::Fault::kIoError, FaultVfs::Times::kOnce);
  hold.Release();
  Drain();
  EXPECT_TRUE(vfs_.failed());
  for (const absl::Status& answer : answers_) EXPECT_TRUE(answer.ok());
  EXPECT_EQ(Read(*store_, "a").entries, MakeEntries(1, 2));
  EXPECT_EQ(Read(*store_, "b").entries, MakeEntries(1, 1));
}

TEST_F(GroupCommitTest, ASessionMayLiveItsWholeLifeInOneGroup) {
  Hold hold(*store_);
  SessionRecord record;
  record.id = "c";
  std::vector<absl::Status> results;
  const auto keep = [&results](absl::Status status) {
    results.push_back(std::move(status));
  };
  ASSERT_TRUE(store_->CreateSession(record, keep).ok());
  ASSERT_TRUE(store_->Append("c", MakeEntry(1), keep).ok());
  ASSERT_TRUE(store_->DeleteSession("c", keep).ok());
  ASSERT_TRUE(store_->Append("c", MakeEntry(2), keep).ok());
  ASSERT_TRUE(store_->CreateSession(record, keep).ok());
  ASSERT_TRUE(store_->Append("c", MakeEntry(1), keep).ok());
  hold.Release();
  Drain();
  ASSERT_EQ(results.size(), 6u);
  EXPECT_EQ(ReasonOf(results[3]), "SESSION_NOT_FOUND");
  for (const size_t good : {0, 1, 2, 4, 5}) {
    EXPECT_TRUE(results[good].ok()) << good << results[good];
  }
  EXPECT_EQ(Read(*store_, "c").entries, MakeEntries(1, 1));
}

TEST_F(GroupCommitTest, AFullQueueRefusesAndRecovers) {
  Hold hold(*store_);
  absl::BlockingCounter answered(kQueueEntriesMax);
  const auto count = [&answered](const absl::Status&) {
    answered.DecrementCount();
  };
  int64_t queued = 0;
  absl::Status refused = absl::OkStatus();
  bool warned = false;
  while (refused.ok()) {
    warned = warned || !store_->CheckRoom().ok();
    refused = store_->Append("a", MakeEntry(queued + 1), count);
    queued += refused.ok() ? 1 : 0;
    ASSERT_LE(queued, static_cast<int64_t>(kQueueEntriesMax));
  }
  EXPECT_TRUE(warned);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), "QUEUE_FULL");
  ASSERT_EQ(queued, static_cast<int64_t>(kQueueEntriesMax));
  hold.Release();
  answered.Wait();  // there is room once the writer has taken the queue
  EXPECT_TRUE(Append(*store_, "a", MakeEntry(queued + 1)).ok());
  EXPECT_TRUE(store_->CheckRoom().ok());
  EXPECT_EQ(*store_->LastRevision("a"), queued + 1);
}

TEST_F(GroupCommitTest, TheSpaceOfADeletedSessionIsGivenBack) {
  for (int64_t revision = 1; revision <= 600; ++revision) {
    Entry entry = MakeEntry(revision, absl::StrCat("r", revision));
    if (revision % 2 == 0) entry.command = MakeLongEntry(1, 1000).command;
    ASSERT_TRUE(Append(*store_, "a", std::move(entry)).ok());
  }
  ASSERT_TRUE(Append(*store_, "b", MakeEntry(1, "r")).ok());
  ASSERT_TRUE(Delete(*store_, "a").ok());
  store_.reset();  // perhaps in the middle
  store_ = MustOpen(options_);
  // Each write lets the writer take one more step.
  for (int step = 0; step < 20; ++step) Drain();
  EXPECT_EQ(Count("SELECT count(*) FROM purges"), 0);
  EXPECT_EQ(Count("SELECT count(*) FROM journal_chunks"), 1);
  EXPECT_EQ(Count("SELECT count(*) FROM journal_bodies"), 0);
  EXPECT_EQ(Count("SELECT count(*) FROM journal_requests"), 1);
  EXPECT_EQ(Read(*store_, "b").entries.size(), 1u);
}

}  // namespace
}  // namespace faultline::storage

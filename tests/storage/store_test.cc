// Sessions and journals as their users see them, in memory and in a directory.
#include "storage/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

enum class Where { kMemory, kDirectory };

class StoreTest : public testing::TestWithParam<Where> {
 protected:
  StoreTest() { store_ = MustOpen(options()); }

  Store::Options options() const {
    Store::Options options;
    options.path =
        GetParam() == Where::kMemory ? ":memory:" : directory_.data();
    return options;
  }
  std::vector<std::string> Ids(const std::string& after, int64_t limit) {
    std::vector<std::string> ids;
    const auto sessions = store_->ListSessions(after, limit);
    EXPECT_TRUE(sessions.ok()) << sessions.status();
    for (const SessionRecord& session : *sessions) ids.push_back(session.id);
    return ids;
  }

  TempDirectory directory_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Everywhere, StoreTest,
                         testing::Values(Where::kMemory, Where::kDirectory),
                         [](const auto& where) {
                           return where.param == Where::kMemory ? "Memory"
                                                                : "Directory";
                         });

TEST_P(StoreTest, KeepsWhatASessionWasCreatedWith) {
  const std::string config("\0binary\xff", 8);
  ASSERT_TRUE(Create(*store_, "a", config).ok());
  const auto session = store_->GetSession("a");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->id, "a");
  EXPECT_EQ(session->config, config);
  EXPECT_EQ(session->state, SessionState::kActive);
  EXPECT_EQ(absl::ToUnixMicros(session->create_time), 1'700'000'000'000'000);
  EXPECT_EQ(session->last_revision, 0);
  EXPECT_EQ(session->update_time, session->create_time);
}

TEST_P(StoreTest, RefusesASecondSessionOfTheSameId) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  const absl::Status status = Create(*store_, "a");
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(status), "SESSION_EXISTS");
}

TEST_P(StoreTest, SaysWhichSessionIsUnknown) {
  for (const absl::Status& status :
       {store_->GetSession("nobody").status(),
        store_->LastRevision("nobody").status(),
        store_->FindRequest("nobody", "r").status(),
        Read(*store_, "nobody").status, Delete(*store_, "nobody"),
        Append(*store_, "nobody", MakeEntry(1)), Wait([this](Done done) {
          return store_->SetSessionState("nobody", SessionState::kClosed, "",
                                         std::move(done));
        })}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    EXPECT_EQ(ReasonOf(status), "SESSION_NOT_FOUND");
    EXPECT_THAT(std::string(status.message()), HasSubstr("\"nobody\""));
  }
}

TEST_P(StoreTest, ListsInPagesById) {
  for (const char* id : {"c", "a", "e", "b", "d"}) {
    ASSERT_TRUE(Create(*store_, id).ok());
  }
  EXPECT_THAT(Ids("", 2), ElementsAre("a", "b"));
  EXPECT_THAT(Ids("b", 2), ElementsAre("c", "d"));
  EXPECT_THAT(Ids("d", 2), ElementsAre("e"));
  EXPECT_THAT(Ids("e", 2), IsEmpty());
  EXPECT_EQ(*store_->CountSessions(), 5);
}

TEST_P(StoreTest, ClosesASession) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  ASSERT_TRUE(Wait([this](Done done) {
                return store_->SetSessionState("a", SessionState::kClosed,
                                               "by its owner", std::move(done));
              }).ok());
  const auto session = store_->GetSession("a");
  EXPECT_EQ(session->state, SessionState::kClosed);
  EXPECT_EQ(session->state_detail, "by its owner");
  EXPECT_GT(session->update_time, session->create_time);
}

TEST_P(StoreTest, AJournalReturnsItsEntriesInOrder) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  EXPECT_EQ(*store_->LastRevision("a"), 0);
  EXPECT_THAT(Read(*store_, "a").entries, IsEmpty());
  for (int64_t revision = 1; revision <= 5; ++revision) {
    ASSERT_TRUE(Append(*store_, "a", MakeEntry(revision)).ok());
  }
  ASSERT_TRUE(Append(*store_, "a", MakeEntries(6, 20)).ok());
  const ReadResult all = Read(*store_, "a");
  EXPECT_TRUE(all.status.ok()) << all.status;
  EXPECT_EQ(all.entries, MakeEntries(1, 20));
  EXPECT_EQ(*store_->LastRevision("a"), 20);
  const auto session = store_->GetSession("a");
  EXPECT_EQ(session->last_revision, 20);
  EXPECT_GT(session->update_time, session->create_time);
}

TEST_P(StoreTest, ReadsFromAnyRevision) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  ASSERT_TRUE(Append(*store_, "a", MakeEntries(1, 3)).ok());
  ASSERT_TRUE(Append(*store_, "a", MakeEntry(4)).ok());
  ASSERT_TRUE(Append(*store_, "a", MakeEntries(5, 9)).ok());
  for (int64_t from = 1; from <= 10; ++from) {
    const ReadResult tail = Read(*store_, "a", from);
    EXPECT_TRUE(tail.status.ok()) << tail.status;
    EXPECT_EQ(tail.entries, MakeEntries(from, 9)) << from;
  }
}

TEST_P(StoreTest, AReaderMayStopAnywhere) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  ASSERT_TRUE(Append(*store_, "a", MakeEntries(1, 9)).ok());
  int seen = 0;
  EXPECT_TRUE(
      store_
          ->ReadJournal("a", 1,
                        [&seen](const StoredEntry&) { return ++seen < 4; })
          .ok());
  EXPECT_EQ(seen, 4);
}

TEST_P(StoreTest, SplitsLargeBatchesIntoChunksAndReadsThemInPages) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  std::vector<Entry> entries;
  for (int64_t revision = 1; revision <= 10'000; ++revision) {
    entries.push_back(MakeEntry(revision));
    // Some that do not fit a chunk together.
    if (revision % 1000 == 0) entries.back().command.assign(900'000, 'x');
  }
  ASSERT_TRUE(Append(*store_, "a", entries).ok());
  const ReadResult all = Read(*store_, "a");
  EXPECT_TRUE(all.status.ok()) << all.status;
  EXPECT_TRUE(all.entries == entries);
}

TEST_P(StoreTest, KeepsBodiesOfEveryLength) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  std::vector<Entry> entries;
  for (const size_t bytes : {0, 800, 850, 900, 950, 1000, 5000, 3'000'000}) {
    const auto revision = static_cast<int64_t>(entries.size()) + 1;
    entries.push_back(MakeLongEntry(revision, bytes));
    ASSERT_TRUE(Append(*store_, "a", entries.back()).ok()) << bytes;
  }
  const ReadResult all = Read(*store_, "a");
  EXPECT_TRUE(all.status.ok()) << all.status;
  EXPECT_TRUE(all.entries == entries);
  EXPECT_TRUE(Read(*store_, "a", 7).entries[0] == entries[6]);
}

TEST_P(StoreTest, FindsAnEntryByItsRequestId) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  ASSERT_TRUE(Create(*store_, "b").ok());
  ASSERT_TRUE(Append(*store_, "a",
                     {MakeEntry(1), MakeEntry(2, "second"), MakeEntry(3),
                      MakeEntry(4, "fourth")})
                  .ok());
  const auto found = store_->FindRequest("a", "fourth");
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_EQ((*found)->entry, MakeEntry(4, "fourth"));
  EXPECT_FALSE(store_->FindRequest("a", "fifth")->has_value());
  EXPECT_FALSE(store_->FindRequest("b", "fourth")->has_value());
}

TEST_P(StoreTest, RefusesARequestIdASecondTime) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  ASSERT_TRUE(Append(*store_, "a", MakeEntry(1, "r")).ok());
  // One that is not spooled.
  Entry entry = MakeLongEntry(2, 2 * kSpooledBytesMax);
  entry.request_id = "r";
  const absl::Status status = Append(*store_, "a", entry);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(status), "REQUEST_ID_EXISTS");
  EXPECT_EQ(*store_->LastRevision("a"), 1);
  EXPECT_TRUE(Append(*store_, "a", MakeEntry(2, "s")).ok());
}

TEST_P(StoreTest, RefusesGapsAndRepetitions) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  ASSERT_TRUE(Append(*store_, "a", MakeEntry(1)).ok());
  for (const std::vector<Entry>& entries : {std::vector<Entry>{MakeEntry(3)},
                                            {MakeEntry(1)},
                                            {MakeEntry(0)},
                                            {MakeEntry(2), MakeEntry(4)}}) {
    const absl::Status status = Append(*store_, "a", entries);
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << status;
    EXPECT_EQ(ReasonOf(status), "JOURNAL_GAP");
  }
  EXPECT_EQ(*store_->LastRevision("a"), 1);
}

TEST_P(StoreTest, RefusesAnEntryThatIsTooLarge) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  Entry entry = MakeEntry(1);
  entry.command.assign(kEntryBytesMax, 'x');
  const absl::Status status = Append(*store_, "a", entry);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "ENTRY_TOO_LARGE");
}

TEST_P(StoreTest, DeletesASessionAndItsJournal) {
  ASSERT_TRUE(Create(*store_, "a").ok());
  ASSERT_TRUE(Create(*store_, "b").ok());
  ASSERT_TRUE(Append(*store_, "a", MakeEntries(1, 5)).ok());
  ASSERT_TRUE(Append(*store_, "b", MakeEntries(1, 5)).ok());
  ASSERT_TRUE(Delete(*store_, "a").ok());
  EXPECT_EQ(Read(*store_, "a").status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Read(*store_, "b").entries, MakeEntries(1, 5));
}

TEST_P(StoreTest, ANewSessionMayHaveTheIdOfADeletedOne) {
  ASSERT_TRUE(Create(*store_, "a", "first").ok());
  ASSERT_TRUE(Append(*store_, "a", {MakeEntry(1, "r"), MakeEntry(2)}).ok());
  ASSERT_TRUE(Delete(*store_, "a").ok());
  ASSERT_TRUE(Create(*store_, "a", "second").ok());
  EXPECT_EQ(store_->GetSession("a")->config, "second");
  EXPECT_FALSE(store_->FindRequest("a", "r")->has_value());
  ASSERT_TRUE(Append(*store_, "a", MakeEntry(1, "r")).ok());
  EXPECT_THAT(Read(*store_, "a").entries, ElementsAre(MakeEntry(1, "r")));
}

TEST_P(StoreTest, ManyThreadsWriteManySessions) {
  constexpr int kThreads = 8;
  constexpr int64_t kEntries = 50;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      const std::string id = absl::StrCat("s", thread);
      ASSERT_TRUE(Create(*store_, id).ok());
      for (int64_t revision = 1; revision <= kEntries; ++revision) {
        ASSERT_TRUE(Append(*store_, id, MakeEntry(revision)).ok());
        ASSERT_EQ(*store_->LastRevision(id), revision);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int thread = 0; thread < kThreads; ++thread) {
    EXPECT_EQ(Read(*store_, absl::StrCat("s", thread)).entries,
              MakeEntries(1, kEntries));
  }
}

TEST(StoreInDirectoryTest, RemembersEverythingAfterReopening) {
  TempDirectory directory;
  Store::Options options;
  options.path = directory.data();
  {
    auto store = MustOpen(options);
    ASSERT_TRUE(Create(*store, "a", "machine").ok());
    ASSERT_TRUE(Append(*store, "a", MakeEntries(1, 100)).ok());
    ASSERT_TRUE(Append(*store, "a", MakeEntry(101, "request")).ok());
  }
  auto store = MustOpen(options);
  EXPECT_EQ(store->GetSession("a")->config, "machine");
  EXPECT_EQ(store->GetSession("a")->last_revision, 101);
  EXPECT_EQ((*store->FindRequest("a", "request"))->entry,
            MakeEntry(101, "request"));
  ASSERT_TRUE(Append(*store, "a", MakeEntry(102)).ok());
  EXPECT_EQ(Read(*store, "a", 102).entries, MakeEntries(102, 102));
}

TEST(StoreInDirectoryTest, WritesAllThatIsQueuedBeforeItCloses) {
  TempDirectory directory;
  Store::Options options;
  options.path = directory.data();
  std::atomic<int> answered{0};  // on this thread, and on the writer's
  {
    auto store = MustOpen(options);
    ASSERT_TRUE(Create(*store, "a").ok());
    for (int64_t revision = 1; revision <= 500; ++revision) {
      ASSERT_TRUE(store
                      ->Append("a", MakeEntry(revision),
                               [&answered](const absl::Status& status) {
                                 answered += status.ok() ? 1 : 0;
                               })
                      .ok());
    }
  }
  EXPECT_EQ(answered, 500);
  EXPECT_EQ(*MustOpen(options)->LastRevision("a"), 500);
}

}  // namespace
}  // namespace faultline::storage

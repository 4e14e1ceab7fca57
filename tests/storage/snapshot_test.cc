// Snapshots as their users see them: bytes beside a journal, stored once
// however many have them, and gone with the last of these.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "storage/block_splitter.h"
#include "storage/open_database.h"
#include "storage/reason.h"
#include "storage/store.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr size_t kSize = 300'000;

class SnapshotTest : public testing::Test {
 protected:
  SnapshotTest() {
    options_.path = directory_.data();
    store_ = MustOpen(options_);
    for (const char* id : {"a", "b"}) {
      EXPECT_TRUE(Create(*store_, id).ok());
      EXPECT_TRUE(Append(*store_, id, MakeEntries(1, 10)).ok());
    }
  }
  ~SnapshotTest() override {
    if (store_ == nullptr) return;
    Purge(*store_);
    ExpectBlocksAddUp(directory_.database());
  }

  int64_t Count(const char* table) {
    return QueryOn(directory_.database(),
                   absl::StrCat("SELECT count(*) FROM ", table).c_str());
  }
  std::vector<std::string> Ids(const std::string& session) {
    std::vector<std::string> ids;
    const auto snapshots = store_->ListSnapshots(session, -1, "", 1000);
    EXPECT_TRUE(snapshots.ok()) << snapshots.status();
    for (const SnapshotRecord& s : *snapshots) ids.push_back(s.id);
    return ids;
  }
  void Take(const std::string& session, const std::string& id,
            int64_t revision = 0, int64_t state_version = 1) {
    ASSERT_TRUE(
        Snapshot(
            *store_, session, MakeBytes(1, 5000),
            {.id = id, .revision = revision, .state_version = state_version})
            .ok());
  }

  TempDirectory directory_;
  Store::Options options_;
  std::unique_ptr<Store> store_;
};

TEST_F(SnapshotTest, IsReadBackAsItWasWritten) {
  for (const size_t size : {size_t{0}, size_t{1}, kBlockBytesMin, kSize}) {
    const std::string id = absl::StrCat("size-", size);
    const std::string bytes = MakeBytes(size, size);
    const auto taken = Snapshot(*store_, "a", bytes, {.id = id, .revision = 7});
    ASSERT_TRUE(taken.ok()) << taken.status();
    EXPECT_EQ(taken->bytes, static_cast<int64_t>(size));
    EXPECT_EQ(*ReadSnapshot(*store_, "a", id), bytes);
    const auto read = store_->GetSnapshot("a", id);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(*read == *taken);
    EXPECT_EQ(read->revision, 7);
    EXPECT_EQ(read->display_name, "named " + id);
    EXPECT_EQ(read->fingerprint, 0xfedcba9876543210);
  }
}

TEST_F(SnapshotTest, OutlivesARestart) {
  const std::string bytes = MakeBytes(1, kSize);
  ASSERT_TRUE(Snapshot(*store_, "a", bytes).ok());
  store_.reset();
  store_ = MustOpen(options_);
  EXPECT_EQ(*ReadSnapshot(*store_, "a", "snap"), bytes);
  ASSERT_TRUE(Snapshot(*store_, "a", bytes + "more", {.id = "next"}).ok());
  EXPECT_EQ(*ReadSnapshot(*store_, "a", "snap"), bytes);
  EXPECT_EQ(*ReadSnapshot(*store_, "a", "next"), bytes + "more");
}

TEST_F(SnapshotTest, WhatIsThereAlreadyIsNotStoredAgain) {
  const std::string bytes = MakeBytes(1, kSize);
  const auto first = Snapshot(*store_, "a", bytes);
  ASSERT_TRUE(first.ok());
  EXPECT_GE(first->stored_bytes, static_cast<int64_t>(kSize) * 9 / 10);
  const int64_t blocks = Count("blocks");
  // In the same session or another, whole or with something put in.
  const auto same = Snapshot(*store_, "b", bytes);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->stored_bytes, 0);
  EXPECT_EQ(Count("blocks"), blocks);
  std::string changed = bytes;
  changed.insert(100'000, "put in");
  const auto next = Snapshot(*store_, "a", changed, {.id = "next"});
  ASSERT_TRUE(next.ok());
  EXPECT_GT(next->stored_bytes, 0);
  EXPECT_LE(next->stored_bytes, 4 * static_cast<int64_t>(kBlockBytesMax));
  EXPECT_EQ(*ReadSnapshot(*store_, "a", "next"), changed);
}

TEST_F(SnapshotTest, WhatCompressesTakesLessThanItsSize) {
  const auto taken = Snapshot(*store_, "a", std::string(kSize, 'x'));
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->bytes, static_cast<int64_t>(kSize));
  EXPECT_LT(taken->stored_bytes, 1000);
  EXPECT_EQ(*ReadSnapshot(*store_, "a", "snap"), std::string(kSize, 'x'));
}

TEST_F(SnapshotTest, BlocksGoWithTheLastWhoHasThem) {
  const std::string bytes = MakeBytes(1, kSize);
  ASSERT_TRUE(Snapshot(*store_, "a", bytes, {.id = "one"}).ok());
  ASSERT_TRUE(Snapshot(*store_, "a", bytes, {.id = "two"}).ok());
  ASSERT_TRUE(DeleteSnapshot(*store_, "a", "one").ok());
  Purge(*store_);
  ExpectBlocksAddUp(directory_.database());
  EXPECT_EQ(*ReadSnapshot(*store_, "a", "two"), bytes);
  ASSERT_TRUE(DeleteSnapshot(*store_, "a", "two").ok());
  Purge(*store_);
  for (const char* table :
       {"blocks", "block_bodies", "images", "image_blocks", "image_purges"}) {
    EXPECT_EQ(Count(table), 0) << table;
  }
}

TEST_F(SnapshotTest, GoesWithItsSession) {
  const std::string bytes = MakeBytes(1, kSize);
  ASSERT_TRUE(Snapshot(*store_, "a", bytes, {.id = "one"}).ok());
  ASSERT_TRUE(Snapshot(*store_, "a", bytes + "x", {.id = "two"}).ok());
  ASSERT_TRUE(Snapshot(*store_, "b", bytes).ok());
  ASSERT_TRUE(Delete(*store_, "a").ok());
  EXPECT_EQ(ReasonOf(store_->GetSnapshot("a", "one").status()),
            "SESSION_NOT_FOUND");
  ASSERT_TRUE(Create(*store_, "a").ok());
  EXPECT_THAT(Ids("a"), ElementsAre()) << "another session of the same id";
  store_.reset();  // perhaps in the middle
  store_ = MustOpen(options_);
  Purge(*store_);
  EXPECT_EQ(Count("snapshots"), 1);
  EXPECT_EQ(Count("images"), 1);
  EXPECT_EQ(*ReadSnapshot(*store_, "b", "snap"), bytes);
}

TEST_F(SnapshotTest, WithoutFinishNothingStays) {
  {
    auto writer = store_->WriteSnapshot();
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Add(MakeBytes(1, kSize)).ok());
    EXPECT_GT(Count("image_blocks"), 0);
    Purge(*store_);
    EXPECT_GT(Count("image_blocks"), 0) << "it is not given up yet";
  }
  Purge(*store_);
  EXPECT_EQ(Count("blocks"), 0);
  EXPECT_EQ(Count("image_purges"), 0);
}

TEST_F(SnapshotTest, WhatADeadServerLeftHalfWrittenGoesAtTheNextStart) {
  auto writer = store_->WriteSnapshot();
  ASSERT_TRUE((*writer)->Add(MakeBytes(1, kSize)).ok());
  // As if the server had died: another one opens a copy of its files.
  TempDirectory copy;
  ASSERT_EQ(
      system(
          absl::StrCat("cp -r ", directory_.data(), " ", copy.path()).c_str()),
      0);
  EXPECT_GT(QueryOn(copy.database(), "SELECT count(*) FROM image_purges"), 0);
  Store::Options options;
  options.path = copy.data();
  auto store = MustOpen(options);
  Purge(*store);
  EXPECT_EQ(QueryOn(copy.database(), "SELECT count(*) FROM blocks"), 0);
  EXPECT_EQ(QueryOn(copy.database(), "SELECT count(*) FROM image_purges"), 0);
}

// A block that was there when it was looked up may be gone when it is written:
// here it is looked up in one database and written to another.
TEST_F(SnapshotTest, ABlockThatIsDeletedMeanwhileIsStoredAfterAll) {
  const std::string bytes = MakeBytes(1, kSize);
  ASSERT_TRUE(Snapshot(*store_, "a", bytes).ok());
  Connections lookups(nullptr, {.path = directory_.database(),
                                .access = Database::Access::kReadOnly,
                                .vfs = ""});
  auto database =
      OpenForWriting({.path = ":memory:", .vfs = ""}, Synchronous::kNormal);
  ASSERT_TRUE(database.ok()) << database.status();
  Connections connections(*std::move(database),
                          {.path = ":memory:", .vfs = ""});
  Writer writer(connections, nullptr);
  SessionRecord session;
  session.id = "a";
  ASSERT_TRUE(Wait([&](Done done) {
                return writer.Submit(
                    {"a", CreateWrite{session, "", ""}, std::move(done)});
              }).ok());
  SnapshotWriter snapshot(writer, lookups, 1);
  EXPECT_TRUE(snapshot.Add(bytes).ok());
  SnapshotRecord record;
  record.id = "snap";
  const auto taken =
      snapshot.Finish("a", record, {.session_key = 1, .count_max = 1});
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_GT(taken->stored_bytes, 0);
  StoredSnapshot stored;
  {
    const Connections::Lease reader = *connections.BorrowReader();
    stored = *ReadSnapshot(*reader, "a", "snap");
  }
  EXPECT_EQ(*ReadBytes(ImageReader(connections, nullptr, stored.image_key,
                                   stored.seal, {"a", "snap"})),
            bytes);
}

TEST_F(SnapshotTest, RefusesASecondOfTheSameId) {
  ASSERT_TRUE(Snapshot(*store_, "a", "first").ok());
  const absl::Status status = Snapshot(*store_, "a", "second").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
  EXPECT_EQ(ReasonOf(status), "SNAPSHOT_EXISTS");
  EXPECT_EQ(*ReadSnapshot(*store_, "a", "snap"), "first");
  EXPECT_TRUE(Snapshot(*store_, "b", "third").ok());
}

TEST_F(SnapshotTest, RefusesMoreOfAKindThanAllowed) {
  const auto take = [&](const std::string& id, SnapshotKind kind) {
    return ReasonOf(Snapshot(*store_, "a", "bytes",
                             {.id = id, .kind = kind, .count_max = 2})
                        .status());
  };
  EXPECT_EQ(take("u1", SnapshotKind::kUser), "");
  EXPECT_EQ(take("u2", SnapshotKind::kUser), "");
  EXPECT_EQ(take("u3", SnapshotKind::kUser), "SNAPSHOTS_LIMIT");
  EXPECT_EQ(take("a1", SnapshotKind::kAutomatic), "");
  ASSERT_TRUE(DeleteSnapshot(*store_, "a", "u1").ok());
  EXPECT_EQ(take("u3", SnapshotKind::kUser), "");
}

TEST_F(SnapshotTest, RefusesARevisionThatIsNotRecorded) {
  for (const int64_t revision : {-1, 11}) {
    const absl::Status status =
        Snapshot(*store_, "a", "bytes", {.revision = revision}).status();
    EXPECT_EQ(ReasonOf(status), "REVISION_NOT_RECORDED") << status;
  }
  EXPECT_TRUE(Snapshot(*store_, "a", "bytes", {.revision = 10}).ok());
}

TEST_F(SnapshotTest, ForASessionThatIsNotActiveOnlyWhereThatIsWanted) {
  ASSERT_TRUE(Wait([&](Done done) {
                return store_->SetSessionState("a", SessionState::kClosed, "",
                                               std::move(done));
              }).ok());
  EXPECT_EQ(
      ReasonOf(Snapshot(*store_, "a", "bytes", {.active_only = true}).status()),
      "SESSION_NOT_ACTIVE");
  EXPECT_TRUE(Snapshot(*store_, "a", "bytes").ok());
}

TEST_F(SnapshotTest, NeverReachesAnotherSessionOfTheSameId) {
  const int64_t key = store_->GetSession("a")->key;
  auto writer = store_->WriteSnapshot();
  ASSERT_TRUE((*writer)->Add("bytes of the first").ok());
  ASSERT_TRUE(Delete(*store_, "a").ok());
  ASSERT_TRUE(Create(*store_, "a").ok());
  EXPECT_NE(store_->GetSession("a")->key, key);
  SnapshotRecord record;
  record.id = "snap";
  EXPECT_EQ(
      ReasonOf((*writer)
                   ->Finish("a", record, {.session_key = key, .count_max = 9})
                   .status()),
      "SESSION_NOT_FOUND");
  EXPECT_THAT(Ids("a"), ElementsAre());
}

TEST_F(SnapshotTest, SaysWhatIsNotThere) {
  for (const absl::Status& status :
       {store_->GetSnapshot("a", "none").status(),
        ReadSnapshot(*store_, "a", "none").status(),
        DeleteSnapshot(*store_, "a", "none"),
        Restore(*store_, "new", "a", "none")}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(ReasonOf(status), "SNAPSHOT_NOT_FOUND");
    EXPECT_THAT(std::string(status.message()), HasSubstr("snapshot \"none\""));
  }
  for (const absl::Status& status :
       {store_->GetSnapshot("nobody", "x").status(),
        store_->ListSnapshots("nobody", -1, "", 9).status(),
        store_->ListSnapshotsBefore("nobody", 9, 1, 9).status(),
        store_->ReadBase("nobody").status(),
        Snapshot(*store_, "nobody", "bytes").status(),
        DeleteSnapshot(*store_, "nobody", "x")}) {
    EXPECT_EQ(ReasonOf(status), "SESSION_NOT_FOUND") << status;
  }
}

TEST_F(SnapshotTest, AreListedByRevisionAndId) {
  Take("a", "x", 5);
  Take("a", "c", 2);
  Take("a", "b", 5);
  Take("a", "a", 0);
  Take("b", "y", 1);
  EXPECT_THAT(Ids("a"), ElementsAre("a", "c", "b", "x"));
  auto page = store_->ListSnapshots("a", 0, "a", 2);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->size(), 2u);
  EXPECT_EQ((*page)[0].id, "c");
  EXPECT_EQ((*page)[1].id, "b");
  page = store_->ListSnapshots("a", 5, "b", 2);
  ASSERT_EQ(page->size(), 1u);
  EXPECT_EQ((*page)[0].id, "x");
}

TEST_F(SnapshotTest, TheNewestBeforeARevisionAndOfAStateVersion) {
  Take("a", "zero", 0);
  Take("a", "three", 3);
  Take("a", "other", 5, /*state_version=*/2);
  Take("a", "seven", 7);
  const auto before = [&](int64_t revision) {
    std::vector<std::string> ids;
    const auto found = store_->ListSnapshotsBefore("a", revision, 1, 2);
    EXPECT_TRUE(found.ok()) << found.status();
    for (const SnapshotRecord& s : *found) ids.push_back(s.id);
    return ids;
  };
  EXPECT_THAT(before(10), ElementsAre("seven", "three"));
  EXPECT_THAT(before(6), ElementsAre("three", "zero"));
  EXPECT_THAT(before(3), ElementsAre("three", "zero"));
  EXPECT_THAT(before(2), ElementsAre("zero"));
}

TEST_F(SnapshotTest, ARestoredSessionNeedsNeitherSessionNorSnapshot) {
  const std::string bytes = MakeBytes(1, kSize);
  ASSERT_TRUE(Snapshot(*store_, "a", bytes).ok());
  ASSERT_TRUE(Restore(*store_, "copy", "a", "snap").ok());
  const auto session = store_->GetSession("copy");
  ASSERT_TRUE(session.ok()) << session.status();
  ASSERT_TRUE(session->base.has_value());
  EXPECT_EQ(session->base->origin, "from a");
  EXPECT_EQ(session->base->fingerprint, 0xfedcba9876543210);
  EXPECT_EQ(session->last_revision, 0);
  EXPECT_FALSE(store_->GetSession("a")->base.has_value());
  ASSERT_TRUE(Append(*store_, "copy", MakeEntries(1, 3)).ok());

  ASSERT_TRUE(DeleteSnapshot(*store_, "a", "snap").ok());
  ASSERT_TRUE(Delete(*store_, "a").ok());
  Purge(*store_);
  store_.reset();
  store_ = MustOpen(options_);
  EXPECT_EQ(*ReadBase(*store_, "copy"), bytes);
  EXPECT_EQ(Read(*store_, "copy").entries, MakeEntries(1, 3));
  // And again from it.
  ASSERT_TRUE(Snapshot(*store_, "copy", bytes, {.id = "next"}).ok());
  ASSERT_TRUE(Restore(*store_, "second", "copy", "next").ok());
  ASSERT_TRUE(Delete(*store_, "copy").ok());
  Purge(*store_);
  EXPECT_EQ(*ReadBase(*store_, "second"), bytes);
  ASSERT_TRUE(Delete(*store_, "second").ok());
  Purge(*store_);
  EXPECT_EQ(Count("blocks"), 0);
  EXPECT_EQ(Count("session_bases"), 0);
}

TEST_F(SnapshotTest, ASessionIsNotRestoredFromAnotherSnapshotThanTheOneMeant) {
  ASSERT_TRUE(
      Snapshot(*store_, "a", "bytes", {.id = "snap", .state_version = 2}).ok());
  EXPECT_EQ(ReasonOf(Restore(*store_, "copy", "a", "snap")),
            "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(store_->GetSession("copy").status()), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(store_->ReadBase("b").status()), "");
  EXPECT_FALSE((*store_->ReadBase("b")).has_value());
}

TEST_F(SnapshotTest, AReadOnlyStoreReadsThemAndTakesNone) {
  const std::string bytes = MakeBytes(1, kSize);
  ASSERT_TRUE(Snapshot(*store_, "a", bytes).ok());
  Store::Options options = options_;
  options.access = Store::Access::kReadOnly;
  auto reader = MustOpen(options);
  EXPECT_EQ(*ReadSnapshot(*reader, "a", "snap"), bytes);
  EXPECT_EQ(ReasonOf(reader->WriteSnapshot().status()), "STORE_READ_ONLY");
  EXPECT_EQ(ReasonOf(DeleteSnapshot(*reader, "a", "snap")), "STORE_READ_ONLY");
}

// A snapshot that is written meanwhile holds up nobody: between two of its
// parts the appends of others are committed.
TEST_F(SnapshotTest, AppendsGoOnWhileItIsWritten) {
  auto writer = store_->WriteSnapshot();
  for (int64_t revision = 11; revision <= 30; ++revision) {
    ASSERT_TRUE(
        (*writer)->Add(MakeBytes(static_cast<uint64_t>(revision), kSize)).ok());
    ASSERT_TRUE(Append(*store_, "a", MakeEntry(revision)).ok());
  }
  SnapshotRecord record;
  record.id = "snap";
  record.revision = 30;
  const auto taken = (*writer)->Finish(
      "a", record,
      {.session_key = store_->GetSession("a")->key, .count_max = 9});
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->bytes, static_cast<int64_t>(20 * kSize));
}

TEST_F(SnapshotTest, RequestIdsAreListedInPages) {
  std::vector<std::string> all;
  for (int64_t revision = 11; revision <= 20; ++revision) {
    all.push_back(absl::StrCat("request-", revision));
    ASSERT_TRUE(Append(*store_, "a", MakeEntry(revision, all.back())).ok());
  }
  std::vector<std::string> listed;
  while (true) {
    const auto page =
        store_->ListRequestIds("a", listed.empty() ? "" : listed.back(), 3);
    ASSERT_TRUE(page.ok()) << page.status();
    if (page->empty()) break;
    EXPECT_LE(page->size(), 3u);
    listed.insert(listed.end(), page->begin(), page->end());
  }
  EXPECT_EQ(listed, all);
  EXPECT_EQ(ReasonOf(store_->ListRequestIds("nobody", "", 3).status()),
            "SESSION_NOT_FOUND");
}

// --- Damage behind the store's back.

class SnapshotDamageTest : public SnapshotTest {
 protected:
  SnapshotDamageTest() {
    EXPECT_TRUE(
        Snapshot(*store_, "a", MakeBytes(1, kSize), {.id = "bad"}).ok());
    EXPECT_TRUE(
        Snapshot(*store_, "b", MakeBytes(2, kSize), {.id = "good"}).ok());
    EXPECT_TRUE(Restore(*store_, "copy", "a", "bad").ok());
  }
  ~SnapshotDamageTest() override { store_.reset(); }  // it does not add up

  void Damage(const std::string& sql) { ExecuteOn(directory_.database(), sql); }
  void ExpectDamage(const std::string& what) {
    const absl::Status status = ReadSnapshot(*store_, "a", "bad").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_EQ(ReasonOf(status), "SNAPSHOT_CORRUPT");
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr("snapshot \"bad\" of session \"a\""));
    EXPECT_THAT(message, HasSubstr(what));
    EXPECT_TRUE(ReadSnapshot(*store_, "b", "good").ok());
  }
  void ExpectBaseDamaged() {
    const absl::Status status = ReadBase(*store_, "copy").status();
    EXPECT_EQ(ReasonOf(status), "SNAPSHOT_CORRUPT") << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("what session \"copy\" started from is damaged"));
  }
};

TEST_F(SnapshotDamageTest, AChangedBody) {
  Damage(
      "UPDATE block_bodies SET body = CAST(substr(body, 1, 100) || x'00' || "
      "substr(body, 102) AS BLOB) WHERE block_key = 3");
  ExpectDamage("hash");
  ExpectBaseDamaged();
}

TEST_F(SnapshotDamageTest, AMissingBody) {
  Damage("DELETE FROM block_bodies WHERE block_key = 2");
  ExpectDamage("a block is missing");
  ExpectBaseDamaged();
}

TEST_F(SnapshotDamageTest, AMissingLastBlock) {
  Damage(
      "DELETE FROM image_blocks WHERE image_key = 1 AND position = "
      "(SELECT max(position) FROM image_blocks WHERE image_key = 1)");
  ExpectDamage("missing");
}

TEST_F(SnapshotDamageTest, BlocksThatChangedPlaces) {
  Damage(
      "UPDATE image_blocks SET position = position + 1000 WHERE image_key = 1 "
      "AND position IN (1, 2);"
      "UPDATE image_blocks SET position = 1 WHERE position = 1002;"
      "UPDATE image_blocks SET position = 2 WHERE position = 1001");
  ExpectDamage("not those that it was made of");
  ExpectBaseDamaged();
}

TEST_F(SnapshotDamageTest, AMissingImage) {
  Damage("DELETE FROM images WHERE image_key = 1");
  ExpectDamage("row");
  ExpectBaseDamaged();
}

TEST_F(SnapshotDamageTest, AChangedRow) {
  const char* const changes[] = {"revision = 9",      "fingerprint = 1",
                                 "state_version = 2", "create_time_us = 10",
                                 "kind = 2",          "display_name = 'other'",
                                 "image_key = 2",     "stored_bytes = 5"};
  for (const char* change : changes) {
    SCOPED_TRACE(change);
    Damage("CREATE TABLE kept AS SELECT * FROM snapshots");
    Damage(absl::StrCat("UPDATE snapshots SET ", change, " WHERE id = 'bad'"));
    EXPECT_EQ(ReasonOf(store_->GetSnapshot("a", "bad").status()),
              "SNAPSHOT_CORRUPT");
    ExpectDamage("row");
    // It is listed, so that it can be deleted, but never used.
    const auto listed = store_->ListSnapshots("a", -1, "", 9);
    ASSERT_EQ(listed->size(), 1u);
    EXPECT_FALSE((*listed)[0].whole);
    EXPECT_TRUE(store_->ListSnapshotsBefore("a", 10, 1, 9)->empty());
    EXPECT_EQ(ReasonOf(Restore(*store_, "second", "a", "bad")),
              "SNAPSHOT_CORRUPT");
    Damage(
        "DELETE FROM snapshots; INSERT INTO snapshots SELECT * FROM kept; "
        "DROP TABLE kept");
    EXPECT_TRUE(ReadSnapshot(*store_, "a", "bad").ok());
  }
}

TEST_F(SnapshotDamageTest, AChangedBase) {
  for (const char* change :
       {"fingerprint = 1", "state_version = 2", "origin = x'00'"}) {
    SCOPED_TRACE(change);
    Damage("CREATE TABLE kept AS SELECT * FROM session_bases");
    Damage(absl::StrCat("UPDATE session_bases SET ", change));
    EXPECT_EQ(ReasonOf(store_->GetSession("copy").status()), "JOURNAL_CORRUPT");
    Damage(
        "DELETE FROM session_bases; INSERT INTO session_bases SELECT * FROM "
        "kept; DROP TABLE kept");
    EXPECT_TRUE(store_->GetSession("copy").ok());
  }
  Damage("DELETE FROM session_bases");
  EXPECT_EQ(ReasonOf(store_->GetSession("copy").status()), "JOURNAL_CORRUPT");
  EXPECT_TRUE(store_->GetSession("a").ok());
}

// What has the same bytes would share the damage, had it not been found.
TEST_F(SnapshotDamageTest, ADamagedBlockIsSharedByNobodyOnceItWasRead) {
  for (const char* damage :
       {"DELETE FROM block_bodies WHERE block_key = 4",
        "UPDATE block_bodies SET body = x'00' WHERE block_key = 3"}) {
    Damage(damage);
    ExpectDamage("");
    const auto again =
        Snapshot(*store_, "a", MakeBytes(1, kSize), {.id = "again"});
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_GT(again->stored_bytes, 0);
    EXPECT_EQ(*ReadSnapshot(*store_, "a", "again"), MakeBytes(1, kSize));
    ExpectDamage("");
    ASSERT_TRUE(DeleteSnapshot(*store_, "a", "again").ok());
    Purge(*store_);
  }
  ASSERT_TRUE(DeleteSnapshot(*store_, "a", "bad").ok());
  ASSERT_TRUE(Delete(*store_, "copy").ok());
  Purge(*store_);
  ExpectBlocksAddUp(directory_.database());
}

}  // namespace
}  // namespace faultline::storage

// Damage behind the store's back: it is named, by session and revision, and
// never returned as if it were data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/store.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

using testing::HasSubstr;

// Two sessions; the journal of "a" is the chunks 1-3, 4-6, 7-9 and 10.
class DamageTest : public testing::Test {
 protected:
  DamageTest() {
    options_.path = directory_.data();
    // A chunk for each append.
    options_.durability = Store::Durability::kPowerLoss;
    store_ = MustOpen(options_);
    for (const char* id : {"a", "b"}) {
      EXPECT_TRUE(Create(*store_, id).ok());
      EXPECT_TRUE(Append(*store_, id, MakeEntries(1, 3)).ok());
      EXPECT_TRUE(Append(*store_, id, MakeEntries(4, 6)).ok());
      EXPECT_TRUE(Append(*store_, id, MakeEntries(7, 9)).ok());
      EXPECT_TRUE(Append(*store_, id, MakeEntry(10, "request")).ok());
    }
  }
  void Damage(const std::string& sql) { ExecuteOn(directory_.database(), sql); }
  // Session "a" reads up to `good`, then says what is wrong at `revision`.
  void ExpectDamage(int64_t good, int64_t revision, const std::string& what) {
    const ReadResult journal = Read(*store_, "a");
    EXPECT_EQ(journal.entries, MakeEntries(1, good));
    EXPECT_EQ(journal.status.code(), absl::StatusCode::kDataLoss)
        << journal.status;
    EXPECT_EQ(ReasonOf(journal.status), "JOURNAL_CORRUPT");
    const std::string message(journal.status.message());
    EXPECT_THAT(message, HasSubstr("session \"a\""));
    EXPECT_THAT(message, HasSubstr(absl::StrCat("revision ", revision, ":")));
    EXPECT_THAT(message, HasSubstr(what));
    const ReadResult other = Read(*store_, "b");
    EXPECT_TRUE(other.status.ok()) << other.status;
    EXPECT_EQ(other.entries.size(), 10u);
  }

  TempDirectory directory_;
  Store::Options options_;
  std::unique_ptr<Store> store_;
};

TEST_F(DamageTest, AFlippedByteInABody) {
  // It was 1, the number of senders.
  Damage(
      "UPDATE journal_chunks SET body = CAST(x'02' || substr(body, 2) AS "
      "BLOB) WHERE session_key = 1 AND first_revision = 4");
  ExpectDamage(3, 4, "hash");
}

TEST_F(DamageTest, ALostBody) {
  ASSERT_TRUE(Append(*store_, "a", MakeLongEntry(11, 2000)).ok());
  EXPECT_EQ(Read(*store_, "a").entries.back(), MakeLongEntry(11, 2000));
  Damage("DELETE FROM journal_bodies");
  const ReadResult journal = Read(*store_, "a");
  EXPECT_EQ(journal.entries.size(), 10u);
  EXPECT_EQ(ReasonOf(journal.status), "JOURNAL_CORRUPT");
  EXPECT_THAT(std::string(journal.status.message()),
              HasSubstr("revision 11: its hash"));
}

TEST_F(DamageTest, AChangedHash) {
  Damage(
      "UPDATE journal_chunks SET hash = zeroblob(32) "
      "WHERE session_key = 1 AND first_revision = 7");
  ExpectDamage(6, 7, "hash");
}

TEST_F(DamageTest, AChangedTime) {
  Damage(
      "UPDATE journal_chunks SET time_us = time_us + 1 "
      "WHERE session_key = 1 AND first_revision = 1");
  ExpectDamage(0, 1, "hash");
}

TEST_F(DamageTest, AMissingRow) {
  Damage(
      "DELETE FROM journal_chunks "
      "WHERE session_key = 1 AND first_revision = 4");
  ExpectDamage(3, 4, "missing");
}

TEST_F(DamageTest, AMissingFirstRow) {
  Damage(
      "DELETE FROM journal_chunks "
      "WHERE session_key = 1 AND first_revision = 1");
  ExpectDamage(0, 1, "missing");
}

TEST_F(DamageTest, AMissingTail) {
  Damage(
      "DELETE FROM journal_chunks "
      "WHERE session_key = 1 AND first_revision >= 7");
  ExpectDamage(6, 7, "missing");
}

TEST_F(DamageTest, ATailCutOffTogetherWithItsHead) {
  Damage(
      "DELETE FROM journal_chunks "
      "WHERE session_key = 1 AND first_revision = 10;"
      "UPDATE journal_heads SET last_revision = 9 WHERE session_key = 1");
  ExpectDamage(6, 7, "not the recorded last chunk");
}

TEST_F(DamageTest, RowsThatChangedPlaces) {
  Damage(
      "UPDATE journal_chunks SET first_revision = first_revision + 100, "
      "last_revision = last_revision + 100 WHERE session_key = 1 AND "
      "first_revision IN (4, 7);"
      "UPDATE journal_chunks SET first_revision = 7, last_revision = 9 "
      "WHERE session_key = 1 AND first_revision = 104;"
      "UPDATE journal_chunks SET first_revision = 4, last_revision = 6 "
      "WHERE session_key = 1 AND first_revision = 107");
  ExpectDamage(3, 4, "hash");
}

TEST_F(DamageTest, ARowOfAnotherSession) {
  Damage(
      "UPDATE journal_chunks SET "
      "body = (SELECT body FROM journal_chunks "
      "         WHERE session_key = 2 AND first_revision = 4), "
      "hash = (SELECT hash FROM journal_chunks "
      "         WHERE session_key = 2 AND first_revision = 4), "
      "time_us = (SELECT time_us FROM journal_chunks "
      "            WHERE session_key = 2 AND first_revision = 4) "
      "WHERE session_key = 1 AND first_revision = 4");
  ExpectDamage(3, 4, "hash");
}

TEST_F(DamageTest, AChangedConfig) {
  Damage(
      "UPDATE sessions SET config = CAST('confih' AS BLOB) "
      "WHERE session_key = 1");
  const absl::Status status = store_->GetSession("a").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("session \"a\""));
  EXPECT_TRUE(store_->GetSession("b").ok());
}

TEST_F(DamageTest, ARequestIdThatPointsElsewhere) {
  Damage("UPDATE journal_requests SET revision = 5 WHERE session_key = 1");
  const absl::Status status = store_->FindRequest("a", "request").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_TRUE(store_->FindRequest("b", "request").ok());
}

// A reader in the middle trusts the hash it starts from, and checks from there.
TEST_F(DamageTest, ReadingBehindTheDamageStillWorks) {
  Damage(
      "UPDATE journal_chunks SET body = zeroblob(9) "
      "WHERE session_key = 1 AND first_revision = 1");
  const ReadResult tail = Read(*store_, "a", 7);
  EXPECT_TRUE(tail.status.ok()) << tail.status;
  EXPECT_EQ(tail.entries.size(), 4u);
}

}  // namespace
}  // namespace faultline::storage

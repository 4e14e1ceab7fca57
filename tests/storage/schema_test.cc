// Migrations: every version of the past opens, in one step or several.
#include "storage/schema.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/store.h"
#include "tests/storage/grading_testing.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

std::string Golden(const std::string& name) {
  std::ifstream file("tests/storage/golden/" + name);
  EXPECT_TRUE(file) << "run in the root of the source tree";
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Of the snapshot in the goldens: four blocks, the last two compressed.
std::string GoldenBytes() {
  return MakeBytes(2, 9'000) + std::string(30'000, 'x');
}

// What every golden holds: session "golden" with the config "config", entries 1
// to 40 in one chunk and entry 41 with a request id; and session "closed",
// which has no entries. From version 2 on also snapshot "snap" of "golden" at
// revision 40, and session "restored" from it; from version 4 on session "long"
// with one entry whose body lies beside the journal.
void ExpectGolden(Store& store, int64_t version) {
  const auto session = store.GetSession("golden");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->config, "config");
  EXPECT_EQ(session->last_revision, 41);
  std::vector<Entry> entries = MakeEntries(1, 40);
  entries.push_back(MakeEntry(41, "request"));
  const ReadResult journal = Read(store, "golden");
  EXPECT_TRUE(journal.status.ok()) << journal.status;
  EXPECT_EQ(journal.entries, entries);
  EXPECT_EQ((*store.FindRequest("golden", "request"))->entry, entries.back());
  EXPECT_EQ(store.GetSession("closed")->state, SessionState::kClosed);
  if (version < 2) return;
  const auto snapshot = store.GetSnapshot("golden", "snap");
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(snapshot->revision, 40);
  EXPECT_EQ(snapshot->display_name, "named snap");
  EXPECT_EQ(*ReadSnapshot(store, "golden", "snap"), GoldenBytes());
  EXPECT_EQ(store.GetSession("restored")->base->origin, "from golden");
  EXPECT_EQ(*ReadBase(store, "restored"), GoldenBytes());
  if (version < 4) return;
  EXPECT_EQ(Read(store, "long").entries,
            std::vector<Entry>{MakeLongEntry(1, 1500)});
}

// What they hold from version 3 on: session "joined" with an entry each by ada,
// who is there, and by a connection; and bob, who left.
void ExpectJoined(Store& store) {
  const ReadResult journal = Read(store, "joined");
  EXPECT_TRUE(journal.status.ok()) << journal.status;
  ASSERT_EQ(journal.entries.size(), 2u);
  EXPECT_EQ(journal.entries[0].sender, "sessions/joined/participants/ada");
  EXPECT_EQ(journal.entries[1].sender, "ipv4:127.0.0.1:40112");
  const auto participants =
      store.ListParticipants("joined", "", WhoLeft::kInclude, 10);
  ASSERT_TRUE(participants.ok()) << participants.status();
  ASSERT_EQ(participants->size(), 2u);
  EXPECT_EQ(participants->front().display_name, "Ada's notebook");
  EXPECT_FALSE(participants->front().leave_time.has_value());
  EXPECT_EQ(participants->back().role, 2);
  EXPECT_EQ(participants->back().leave_time,
            absl::FromUnixMicros(1'700'000'000'000'123));
}

// What they hold from version 5 on: exercise "exercise" with two attempts of
// ada, of which the first was graded twice.
void ExpectGraded(Store& store) {
  EXPECT_EQ(*store.GetExercise("exercise"), MakeExercise("exercise"));
  AttemptRecord first = MakeAttempt("exercise", "ada", 1);
  first.request_id = "start";
  first.submission = "answers";
  first.submissions = 2;
  first.grades = 2;
  EXPECT_EQ(*store.FindAttempt("exercise", "start"), first);
  EXPECT_EQ(*store.GetAttempt("exercise", "ada-2"),
            MakeAttempt("exercise", "ada", 2));
  GradeRecord compressed = MakeGrade("exercise", "ada-1", "long");
  compressed.position = 1;
  GradeRecord plain = MakeGrade("exercise", "ada-1", "short");
  plain.position = 2;
  plain.request_id = "give";
  plain.report = "7 of 8";
  const auto grades = store.ListGrades("exercise", "ada", 0, 10);
  ASSERT_TRUE(grades.ok()) << grades.status();
  EXPECT_EQ(*grades, (std::vector<GradeRecord>{compressed, plain}));
}

class GoldenTest : public testing::TestWithParam<int64_t> {};

INSTANTIATE_TEST_SUITE_P(Versions, GoldenTest, testing::Values(1, 2, 3, 4, 5),
                         testing::PrintToStringParamName());

TEST_P(GoldenTest, OpensAndReadsAndGoesOn) {
  TempDirectory directory;
  std::filesystem::create_directory(directory.data());
  ExecuteOn(directory.database(),
            Golden(absl::StrCat("v", GetParam(), ".sql")));
  Store::Options options;
  options.path = directory.data();
  auto store = MustOpen(options);
  ExpectGolden(*store, GetParam());
  if (GetParam() >= 3) ExpectJoined(*store);
  if (GetParam() >= 5) ExpectGraded(*store);
  EXPECT_TRUE(Append(*store, "golden", MakeEntry(42)).ok());
  EXPECT_EQ(*store->LastRevision("golden"), 42);
  EXPECT_TRUE(Snapshot(*store, "golden", "bytes", {.id = "new"}).ok());
  EXPECT_TRUE(Put(*store, MakeExercise("new")).ok());
  EXPECT_TRUE(Start(*store, MakeAttempt("new", "bob", 1)).ok());
  EXPECT_TRUE(Give(*store, MakeGrade("new", "bob-1", "g"), 0).ok());
  Purge(*store);
  ExpectBlocksAddUp(directory.database());
}

// The newest version must have its golden, too.
TEST(SchemaTest, EveryVersionHasAGolden) {
  for (const Migration& step : Migrations()) {
    EXPECT_TRUE(std::filesystem::exists(
        absl::StrCat("tests/storage/golden/v", step.version, ".sql")));
  }
}

TEST(SchemaTest, VersionsAreInOrder) {
  int64_t version = 0;
  for (const Migration& step : Migrations()) {
    EXPECT_GT(step.version, version);
    version = step.version;
  }
}

class MigrateTest : public testing::Test {
 protected:
  MigrateTest() {
    Database::Options options;
    options.path = ":memory:";
    database_ = *Database::Open(options);
  }
  int64_t Query(const char* sql) { return *database_->QueryInt64(sql); }

  static constexpr Migration kSteps[] = {
      {1, "CREATE TABLE t (a INTEGER NOT NULL) STRICT"},
      {2, "ALTER TABLE t ADD COLUMN b INTEGER NOT NULL DEFAULT 7"},
      {3, "UPDATE t SET b = a + b"},
      {4,
       "CREATE TABLE u (c INTEGER NOT NULL) STRICT; INSERT INTO nowhere "
       "VALUES (1)"},
  };
  std::unique_ptr<Database> database_;
};

TEST_F(MigrateTest, TakesAnOldDatabaseThroughTheStepsItHasNotSeen) {
  const auto steps = absl::MakeConstSpan(kSteps);
  ASSERT_TRUE(Migrate(*database_, steps.first(1)).ok());
  ASSERT_TRUE(database_->Execute("INSERT INTO t VALUES (35)").ok());
  ASSERT_TRUE(Migrate(*database_, steps.first(3)).ok());
  EXPECT_EQ(Query("PRAGMA user_version"), 3);
  EXPECT_EQ(Query("PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(Query("SELECT b FROM t"), 42);
  // Nothing happens twice.
  ASSERT_TRUE(Migrate(*database_, steps.first(3)).ok());
  EXPECT_EQ(Query("SELECT b FROM t ORDER BY a"), 42);
}

TEST_F(MigrateTest, AStepThatFailsLeavesTheVersionBeforeIt) {
  EXPECT_FALSE(Migrate(*database_, kSteps).ok());
  EXPECT_EQ(Query("PRAGMA user_version"), 3);
  EXPECT_EQ(Query("SELECT count(*) FROM sqlite_schema WHERE name = 'u'"), 0);
}

TEST_F(MigrateTest, NeverGoesBack) {
  const auto steps = absl::MakeConstSpan(kSteps);
  ASSERT_TRUE(Migrate(*database_, steps.first(2)).ok());
  const absl::Status status = Migrate(*database_, steps.first(1));
  EXPECT_EQ(ReasonOf(status), "SCHEMA_TOO_NEW") << status;
}

}  // namespace
}  // namespace faultline::storage

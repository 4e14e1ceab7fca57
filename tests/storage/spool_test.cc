// Appends that are acknowledged before they are in the database: readers find
// them all the same, and so does whoever opens the directory next.
#include "storage/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/spool_ledger.h"
#include "storage/store.h"
#include "tests/storage/fault_vfs.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string PathOf(const std::string& directory) {
  return absl::StrCat(directory, "/", kSpoolFile);
}

bool Exists(const std::string& path) { return std::filesystem::exists(path); }

// --- The file.

class SpoolTest : public testing::Test {
 protected:
  SpoolTest() : spool_(MustCreate()) {}
  std::unique_ptr<Spool> MustCreate() {
    auto spool = Spool::Create(directory_.path());
    EXPECT_TRUE(spool.ok()) << spool.status();
    return *std::move(spool);
  }
  absl::optional<size_t> Add(absl::string_view record) {
    return spool_->Add({record});
  }
  std::vector<std::string> Records() {
    auto records = ReadSpool(directory_.path());
    EXPECT_TRUE(records.ok()) << records.status();
    return *std::move(records);
  }
  // Changes one byte of the file.
  void Flip(size_t at) {
    std::fstream file(PathOf(directory_.path()),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ 1));
  }

  TempDirectory directory_;
  std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolTest, GivesBackWhatWasAddedInOrder) {
  EXPECT_THAT(Records(), IsEmpty());
  EXPECT_TRUE(Add("first").has_value());
  EXPECT_TRUE(spool_->Add({"sec", "", "ond"}).has_value());
  EXPECT_TRUE(Add(std::string(3, '\0')).has_value());
  EXPECT_THAT(Records(), ElementsAre("first", "second", std::string(3, '\0')));
}

TEST_F(SpoolTest, TakesNoEmptyRecordAndNoneThatNeverFits) {
  EXPECT_FALSE(Add("").has_value());
  EXPECT_FALSE(Add(std::string(kSpoolHalfBytes, 'x')).has_value());
  EXPECT_TRUE(Add("x").has_value());
  EXPECT_THAT(Records(), ElementsAre("x"));
}

TEST_F(SpoolTest, TurnsOverOnlyToAHalfThatIsFolded) {
  const std::string record(100'000, 'r');
  std::vector<size_t> halves;
  while (const auto half = Add(record)) halves.push_back(*half);
  // Ten fit into each.
  ASSERT_THAT(halves, SizeIs(20));
  EXPECT_EQ(halves[9], halves[0]);
  EXPECT_NE(halves[10], halves[0]);
  for (int i = 0; i < 9; ++i) spool_->Fold(halves[0]);
  EXPECT_FALSE(Add(record).has_value());
  spool_->Fold(halves[0]);
  EXPECT_EQ(Add(record), halves[0]);
}

TEST_F(SpoolTest, ReadsTheOlderHalfFirstAndNothingOfTheOneBefore) {
  const auto record = [](int i) {
    return absl::StrCat(1000 + i) + std::string(99'996, 'r');
  };
  std::vector<std::string> added;
  for (int i = 0; i < 25; ++i) {
    added.push_back(record(i));
    const auto half = Add(added.back());
    ASSERT_TRUE(half.has_value()) << i;
    spool_->Fold(*half);
  }
  // Half one was begun again after twenty: five of it, then what is left of it
  // from the first time must not be taken.
  added.erase(added.begin(), added.begin() + 10);
  EXPECT_TRUE(Records() == added);
}

TEST_F(SpoolTest, StopsAtARecordThatIsNotWhole) {
  ASSERT_TRUE(Add("first").has_value());
  ASSERT_TRUE(Add("second").has_value());
  ASSERT_TRUE(Add("third").has_value());
  // The header of the half and three records of 16 bytes: size, checksum,
  // bytes.
  for (const size_t at : {16 + 16, 16 + 16 + 4, 16 + 16 + 8}) {
    SCOPED_TRACE(at);
    Flip(at);
    EXPECT_THAT(Records(), ElementsAre("first"));
    Flip(at);
    EXPECT_THAT(Records(), SizeIs(3));
  }
}

TEST_F(SpoolTest, ReadsWhatIsThereOfAFileCutOff) {
  ASSERT_TRUE(Add("first").has_value());
  ASSERT_TRUE(Add("second").has_value());
  std::filesystem::resize_file(PathOf(directory_.path()), 16 + 16 + 12);
  EXPECT_THAT(Records(), ElementsAre("first"));
  std::filesystem::resize_file(PathOf(directory_.path()), 0);
  EXPECT_THAT(Records(), IsEmpty());
}

TEST_F(SpoolTest, LeavesTheFileOnlyWhenItHoldsWhatIsNotFolded) {
  const auto half = Add("first");
  EXPECT_TRUE(spool_->holds_records());
  spool_.reset();
  EXPECT_THAT(Records(), ElementsAre("first"));

  spool_ = MustCreate();
  EXPECT_THAT(Records(), IsEmpty());
  ASSERT_EQ(Add("second"), half);
  spool_->Fold(*half);
  EXPECT_FALSE(spool_->holds_records());
  spool_.reset();
  EXPECT_FALSE(Exists(PathOf(directory_.path())));
}

TEST_F(SpoolTest, HasItsSpaceOnTheDisk) {
  struct stat status;
  ASSERT_EQ(stat(PathOf(directory_.path()).c_str(), &status), 0);
  EXPECT_EQ(status.st_size, static_cast<off_t>(2 * kSpoolHalfBytes));
  EXPECT_GE(static_cast<size_t>(status.st_blocks) * 512, 2 * kSpoolHalfBytes);
}

TEST(SpoolFileTest, IsAnErrorWhereNoFileCanBe) {
  const absl::Status status = Spool::Create("/nowhere/at/all").status();
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(ReadSpool("/nowhere/at/all")->empty());
  EXPECT_TRUE(RemoveSpool("/nowhere/at/all").ok());
}

// --- Who may.

JournalHead HeadOf(int64_t last_revision, std::string genesis = "g") {
  return {1, last_revision, "hash", std::move(genesis)};
}

TEST(SpoolLedgerTest, WantsToKnowTheEnd) {
  SpoolLedger ledger;
  EXPECT_EQ(ledger.GenesisIfNext("a", 1), nullptr);
  ledger.Queued("a");
  EXPECT_EQ(ledger.GenesisIfNext("a", 2), nullptr);
  ledger.Executed("a");
  ledger.Learn("a", HeadOf(1));
  ASSERT_NE(ledger.GenesisIfNext("a", 2), nullptr);
  EXPECT_EQ(*ledger.GenesisIfNext("a", 2), "g");
  EXPECT_EQ(ledger.GenesisIfNext("a", 1), nullptr);
  EXPECT_EQ(ledger.GenesisIfNext("a", 3), nullptr);
  EXPECT_EQ(ledger.GenesisIfNext("b", 2), nullptr);
  ledger.Forget("a");
  EXPECT_EQ(ledger.GenesisIfNext("a", 2), nullptr);
}

TEST(SpoolLedgerTest, KnowsWhatWaits) {
  SpoolLedger ledger;
  EXPECT_FALSE(ledger.IsWaiting("a"));
  ledger.Queued("a");
  ledger.Queued("a");
  ledger.Executed("a");
  EXPECT_TRUE(ledger.IsWaiting("a"));
  EXPECT_FALSE(ledger.IsWaiting("b"));
  ledger.Executed("a");
  EXPECT_FALSE(ledger.IsWaiting("a"));
}

TEST(SpoolLedgerTest, FollowsWhatIsSpooled) {
  SpoolLedger ledger;
  ledger.Queued("a");
  ledger.Executed("a");
  ledger.Learn("a", HeadOf(1));
  ledger.Spooled("a", 4);
  EXPECT_NE(ledger.GenesisIfNext("a", 5), nullptr);
  EXPECT_TRUE(ledger.IsUnfolded("a"));
  EXPECT_FALSE(ledger.IsUnfolded("b"));
  EXPECT_TRUE(ledger.IsAnyUnfolded());
  ledger.Folded("a");
  EXPECT_FALSE(ledger.IsUnfolded("a"));
  EXPECT_FALSE(ledger.IsAnyUnfolded());
  EXPECT_NE(ledger.GenesisIfNext("a", 5), nullptr);
}

// --- The store over it.

class SpooledStoreTest : public testing::Test {
 protected:
  SpooledStoreTest() {
    options_.path = directory_.data();
    options_.vfs = vfs_.name();
    store_ = MustOpen(options_);
    EXPECT_TRUE(Create(*store_, "a").ok());
    EXPECT_TRUE(Append(*store_, "a", MakeEntry(1)).ok());
  }
  // Appends, and says whether it was acknowledged before Append returned.
  bool AppendAtOnce(const std::string& id, Entry entry) {
    const std::thread::id caller = std::this_thread::get_id();
    bool at_once = false;
    absl::Notification done;
    EXPECT_TRUE(store_
                    ->Append(id, std::move(entry),
                             [&](const absl::Status& status) {
                               EXPECT_TRUE(status.ok()) << status;
                               at_once = std::this_thread::get_id() == caller;
                               done.Notify();
                             })
                    .ok());
    done.WaitForNotification();
    return at_once;
  }
  // Copies the directory as a process that dies now would leave it.
  std::string CopyOfDirectory() {
    std::string copy = absl::StrCat(directory_.path(), "/copy", ++copies_);
    std::filesystem::copy(directory_.data(), copy);
    return copy;
  }
  // Fills the disk, so that nothing gets into the database.
  void FillDisk() {
    vfs_.FailChange(1, FaultVfs::Fault::kDiskFull, FaultVfs::Times::kForever);
  }

  TempDirectory directory_;
  FaultVfs vfs_;
  Store::Options options_;
  std::unique_ptr<Store> store_;
  int copies_ = 0;
};

TEST_F(SpooledStoreTest, AcknowledgesASmallAppendAtOnceAndReadersFindIt) {
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(2, "r")));
  EXPECT_EQ(*store_->LastRevision("a"), 2);
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(3)));
  EXPECT_THAT(Read(*store_, "a").entries,
              ElementsAre(MakeEntry(1), MakeEntry(2, "r"), MakeEntry(3)));
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(4, "s")));
  EXPECT_EQ((*store_->FindRequest("a", "s"))->entry, MakeEntry(4, "s"));
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(5, "t")));
  EXPECT_THAT(*store_->ListRequestIds("a", "", 10), ElementsAre("r", "s", "t"));
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(6)));
  EXPECT_EQ(store_->GetSession("a")->last_revision, 6);
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(7)));
  EXPECT_EQ((*store_->ListSessions("", 10))[0].last_revision, 7);
}

TEST_F(SpooledStoreTest, WaitsWithWhatIsLargeOrFirstOrAfterSuchOnes) {
  EXPECT_FALSE(AppendAtOnce("a", MakeLongEntry(2, 2 * kSpooledBytesMax)));
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(3)));
  ASSERT_TRUE(Create(*store_, "b").ok());
  EXPECT_FALSE(AppendAtOnce("b", MakeEntry(1)));
  EXPECT_TRUE(AppendAtOnce("b", MakeEntry(2)));
}

TEST_F(SpooledStoreTest, WhatWaitsBehindALongOneIsLetIn) {
  constexpr int64_t kRounds = 100;
  absl::BlockingCounter answers(kRounds * 5);
  int64_t revision = 1;
  const auto submit = [&](Entry entry) {
    ASSERT_TRUE(store_
                    ->Append("a", std::move(entry),
                             [&answers](const absl::Status& status) {
                               EXPECT_TRUE(status.ok()) << status;
                               answers.DecrementCount();
                             })
                    .ok());
  };
  for (int64_t round = 0; round < kRounds; ++round) {
    submit(MakeLongEntry(++revision, 2 * kSpooledBytesMax));
    for (int i = 0; i < 4; ++i) submit(MakeEntry(++revision));
  }
  answers.Wait();
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(++revision)));
  const ReadResult journal = Read(*store_, "a");
  ASSERT_TRUE(journal.status.ok()) << journal.status;
  EXPECT_THAT(journal.entries, SizeIs(revision));
}

TEST_F(SpooledStoreTest, DoesNotSpoolWhatMustSurviveALossOfPower) {
  store_.reset();
  options_.durability = Store::Durability::kPowerLoss;
  store_ = MustOpen(options_);
  EXPECT_FALSE(Exists(PathOf(directory_.data())));
  EXPECT_FALSE(AppendAtOnce("a", MakeEntry(2)));
  EXPECT_FALSE(AppendAtOnce("a", MakeEntry(3)));
}

TEST_F(SpooledStoreTest, WhoeverOpensNextFoldsWhatIsLeft) {
  FillDisk();
  for (int64_t revision = 2; revision <= 5; ++revision) {
    EXPECT_TRUE(
        AppendAtOnce("a", MakeEntry(revision, absl::StrCat("r", revision))));
  }
  EXPECT_EQ(ReasonOf(store_->LastRevision("a").status()), "DISK_FULL");
  for (const Store::Durability durability :
       {Store::Durability::kProcessDeath, Store::Durability::kPowerLoss}) {
    Store::Options options;
    options.path = CopyOfDirectory();
    options.durability = durability;
    auto other = MustOpen(options);
    EXPECT_THAT(
        Read(*other, "a").entries,
        ElementsAre(MakeEntry(1), MakeEntry(2, "r2"), MakeEntry(3, "r3"),
                    MakeEntry(4, "r4"), MakeEntry(5, "r5")));
    EXPECT_TRUE((*other->FindRequest("a", "r4")).has_value());
    EXPECT_TRUE(Append(*other, "a", MakeEntry(6)).ok());
    other.reset();
    EXPECT_FALSE(Exists(PathOf(options.path)));
    EXPECT_EQ(*MustOpen(options)->LastRevision("a"), 6);
  }
  vfs_.Heal();
  EXPECT_EQ(*store_->LastRevision("a"), 5);
}

TEST_F(SpooledStoreTest, KeepsWhatTheDiskDoesNotTakeForTheNextProcess) {
  FillDisk();
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(2)));
  store_.reset();
  EXPECT_TRUE(Exists(PathOf(directory_.data())));
  EXPECT_EQ(ReasonOf(Store::Open(options_).status()), "DISK_FULL");
  vfs_.Heal();
  store_ = MustOpen(options_);
  EXPECT_EQ(Read(*store_, "a").entries, MakeEntries(1, 2));
}

TEST_F(SpooledStoreTest, TriesAgainUntilThereIsSpace) {
  FillDisk();
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(2)));
  EXPECT_EQ(ReasonOf(store_->LastRevision("a").status()), "DISK_FULL");
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(3)));
  // What has to wait for the disk fails.
  EXPECT_FALSE(
      Append(*store_, "a", MakeLongEntry(4, 2 * kSpooledBytesMax)).ok());
  vfs_.Heal();
  EXPECT_EQ(Read(*store_, "a").entries, MakeEntries(1, 3));
  EXPECT_TRUE(Append(*store_, "a", MakeEntry(4)).ok());
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(5)));
}

// What is behind an append that the disk did not take is not a gap, whatever is
// between them.
TEST_F(SpooledStoreTest, KeepsInterleavedSessionsWhole) {
  ASSERT_TRUE(Create(*store_, "b").ok());
  ASSERT_TRUE(Append(*store_, "b", MakeEntry(1)).ok());
  for (const FaultVfs::Times times :
       {FaultVfs::Times::kForever, FaultVfs::Times::kOnce}) {
    const int64_t first = *store_->LastRevision("a") + 1;
    vfs_.FailChange(1, FaultVfs::Fault::kDiskFull, times);
    for (int64_t revision = first; revision < first + 10; ++revision) {
      EXPECT_TRUE(AppendAtOnce("a", MakeEntry(revision)));
      EXPECT_TRUE(AppendAtOnce("b", MakeEntry(revision)));
    }
    if (times == FaultVfs::Times::kForever) {
      EXPECT_EQ(ReasonOf(store_->LastRevision("a").status()), "DISK_FULL");
      EXPECT_EQ(ReasonOf(store_->LastRevision("b").status()), "DISK_FULL");
      vfs_.Heal();
    }
    for (const char* id : {"a", "b"}) {
      EXPECT_EQ(Read(*store_, id).entries, MakeEntries(1, first + 9)) << id;
    }
    EXPECT_TRUE(AppendAtOnce("a", MakeEntry(first + 10)));
    EXPECT_TRUE(AppendAtOnce("b", MakeEntry(first + 10)));
  }
}

// What is stuck is not in the database, and no reader may miss it: not while
// the writer is at it again either.
TEST_F(SpooledStoreTest, AReaderIsToldWhileTheWriterTriesAgain) {
  ASSERT_TRUE(Create(*store_, "b").ok());
  FillDisk();
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(2)));
  std::atomic<bool> stop = false;
  std::thread writer([this, &stop] {
    while (!stop) {
      EXPECT_FALSE(
          Append(*store_, "b", MakeLongEntry(1, 2 * kSpooledBytesMax)).ok());
    }
  });
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(ReasonOf(store_->LastRevision("a").status()), "DISK_FULL");
  }
  stop = true;
  writer.join();
  vfs_.Heal();
  EXPECT_EQ(*store_->LastRevision("a"), 2);
}

TEST_F(SpooledStoreTest, AnErrorOfTheDiskIsForgottenWhenItIsOver) {
  FillDisk();
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(2)));
  EXPECT_EQ(ReasonOf(store_->LastRevision("a").status()), "DISK_FULL");
  vfs_.Heal();
  std::thread writer([this] {
    for (int64_t revision = 3; revision <= 500; ++revision) {
      ASSERT_TRUE(Append(*store_, "a", MakeEntry(revision)).ok());
    }
  });
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(store_->LastRevision("a").ok());
  }
  writer.join();
  EXPECT_EQ(*store_->LastRevision("a"), 500);
}

TEST_F(SpooledStoreTest, MoreThanTheSpoolHoldsWaitsForTheDisk) {
  const std::string long_text(kSpooledBytesMax / 2, 'x');
  int64_t revision = 2;
  bool waited = false;
  for (; revision <= 2000; ++revision) {
    Entry entry = MakeEntry(revision);
    entry.command = long_text;
    waited = !AppendAtOnce("a", entry) || waited;
  }
  const ReadResult journal = Read(*store_, "a");
  ASSERT_TRUE(journal.status.ok()) << journal.status;
  ASSERT_THAT(journal.entries, SizeIs(2000));
  for (int64_t i = 0; i < 2000; ++i) {
    EXPECT_EQ(journal.entries[static_cast<size_t>(i)].revision, i + 1);
  }
}

TEST_F(SpooledStoreTest, AnotherSessionOfTheSameIdDoesNotGetTheAppends) {
  FillDisk();
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(2)));
  const std::string copy = CopyOfDirectory();
  Store::Options options;
  options.path = copy;
  std::filesystem::rename(PathOf(copy), copy + "/later");
  {
    auto other = MustOpen(options);
    ASSERT_TRUE(Delete(*other, "a").ok());
    ASSERT_TRUE(Create(*other, "a", "another").ok());
    ASSERT_TRUE(Append(*other, "a", MakeEntry(1)).ok());
  }
  std::filesystem::rename(copy + "/later", PathOf(copy));
  EXPECT_EQ(*MustOpen(options)->LastRevision("a"), 1);
  vfs_.Heal();
}

TEST_F(SpooledStoreTest, ASessionThatIsDeletedTakesItsAppendsAlong) {
  FillDisk();
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(2)));
  vfs_.Heal();
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(3)));
  ASSERT_TRUE(Delete(*store_, "a").ok());
  ASSERT_TRUE(Create(*store_, "a", "another").ok());
  EXPECT_EQ(*store_->LastRevision("a"), 0);
  EXPECT_FALSE(AppendAtOnce("a", MakeEntry(1)));
  EXPECT_EQ(Read(*store_, "a").entries, MakeEntries(1, 1));
}

TEST_F(SpooledStoreTest, KeepsTheTimeOfTheAppend) {
  FillDisk();
  const absl::Time before = absl::Now();
  EXPECT_TRUE(AppendAtOnce("a", MakeEntry(2)));
  const absl::Time after = absl::Now();
  Store::Options options;
  options.path = CopyOfDirectory();
  auto other = MustOpen(options);
  absl::Time time;
  ASSERT_TRUE(other
                  ->ReadJournal("a", 2,
                                [&](const StoredEntry& entry) {
                                  time = entry.time;
                                  return true;
                                })
                  .ok());
  EXPECT_GE(time, before - absl::Microseconds(1));
  EXPECT_LE(time, after);
  vfs_.Heal();
}

TEST_F(SpooledStoreTest, RefusesASpoolThatHoldsSomethingElse) {
  store_.reset();
  {
    auto spool = Spool::Create(directory_.data());
    ASSERT_TRUE((*spool)->Add({"not an append"}).has_value());
  }
  const absl::Status status = Store::Open(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(ReasonOf(status), "SPOOL_CORRUPT");
  EXPECT_TRUE(Exists(PathOf(directory_.data())));
  std::filesystem::remove(PathOf(directory_.data()));
  store_ = MustOpen(options_);
  EXPECT_EQ(*store_->LastRevision("a"), 1);
}

TEST_F(SpooledStoreTest, GoesWithoutWhereTheFileCannotBe) {
  store_.reset();
  std::filesystem::create_directory(PathOf(directory_.data()));
  const absl::Status status = Store::Open(options_).status();
  EXPECT_FALSE(status.ok());  // it may hold appends, so it has to be readable
  std::filesystem::remove(PathOf(directory_.data()));
  store_ = MustOpen(options_);
}

TEST_F(SpooledStoreTest, ManyThreadsLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int64_t kEntries = 400;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      const std::string id = absl::StrCat("s", thread);
      ASSERT_TRUE(Create(*store_, id).ok());
      for (int64_t revision = 1; revision <= kEntries; ++revision) {
        // Now and then one that is not spooled, and a look.
        ASSERT_TRUE(Append(*store_, id,
                           revision % 50 == 0
                               ? MakeLongEntry(revision, 2 * kSpooledBytesMax)
                               : MakeEntry(revision))
                        .ok());
        if (revision % 37 == 0) {
          ASSERT_EQ(*store_->LastRevision(id), revision);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int thread = 0; thread < kThreads; ++thread) {
    const ReadResult journal = Read(*store_, absl::StrCat("s", thread));
    EXPECT_TRUE(journal.status.ok()) << journal.status;
    EXPECT_EQ(journal.entries.size(), static_cast<size_t>(kEntries));
  }
}

}  // namespace
}  // namespace faultline::storage
